/* fake_node [ADDRESS:PORT [ROWS]]: a Cassandra node that answers quicker than any driver asks, to
 * measure drivers with nothing behind them. It has the table bench.rows of bench/cql with ROWS rows
 * (100,000), of which a row's columns follow from its key, takes every write and forgets it.
 * Protocol versions 4 and 5, without compression, TLS or a password. One thread. Prints "ready
 * ADDRESS:PORT" (127.0.0.1 and a free port where none is given), and ends with its input or by a
 * signal. */
#include "cql/protocol/frame.h"
#include "cql/protocol/segment.h"
#include "fake_answers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE    (256u << 10)
#define PENDING_MOST (16u << 20) /* bytes that are not sent: no more requests are read then */
#define REQUEST_MOST (16u << 20)
#define EVENTS       64
#define ROWS_DEFAULT 100000

struct conn {
	int fd;
	bool has_segments; /* version 5, after STARTUP */
	bool is_waiting;   /* for room to send */
	struct td_buf input;
	struct td_buf inner; /* version 5: what came in segments */
	struct td_buf answers;
	struct td_buf output;
	size_t sent; /* of output */
};

static int poller = -1;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "fake_node: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- connections ---- */

static void conn_close(struct conn *c)
{
	close(c->fd);
	td_buf_done(&c->input);
	td_buf_done(&c->inner);
	td_buf_done(&c->answers);
	td_buf_done(&c->output);
	free(c);
}

static void watch(int op, int fd, uint32_t events, void *who)
{
	struct epoll_event event = {.events = events, .data.ptr = who};
	if (epoll_ctl(poller, op, fd, &event) != 0 && errno != EPERM)
		fail("epoll_ctl");
}

static void conn_accept(int listener)
{
	int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c = fd < 0 ? NULL : calloc(1, sizeof(*c));
	if (c == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	c->fd = fd;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	watch(EPOLL_CTL_ADD, fd, EPOLLIN, c);
}

/* What was used up goes; what is left moves to the front. */
static void drop_front(struct td_buf *b, size_t count)
{
	if (count == 0)
		return;
	memmove(b->ptr, b->ptr + count, b->len - count);
	b->len -= count;
}

/* Answers that are ready take the form of the connection. */
static void conn_wrap(struct conn *c)
{
	if (c->has_segments)
		cql_segment_put_all(&c->output, td_buf_slice(&c->answers), false);
	else
		td_buf_put_slice(&c->output, td_buf_slice(&c->answers));
	td_buf_reset(&c->answers);
}

/* One envelope from the front of `bytes`: its size; 0: it is not whole. False: too large. */
static bool conn_take(struct conn *c, struct td_slice bytes, size_t *ret_size)
{
	*ret_size = 0;
	if (bytes.len < CQL_HEADER_SIZE)
		return true;
	struct cql_reader r = cql_reader(bytes);
	struct fake_request rq = {.version = cql_read_byte(&r), .flags = cql_read_byte(&r)};
	rq.stream = cql_read_short(&r);
	rq.opcode = cql_read_byte(&r);
	size_t len = cql_read_size(&r);
	if (r.failed || len > REQUEST_MOST)
		return false;
	if (r.left < len)
		return true;
	rq.body = cql_read_slice(&r, len);
	fake_answer(&c->answers, &rq);
	*ret_size = CQL_HEADER_SIZE + len;
	if (rq.opcode == CQL_OP_STARTUP && rq.version >= CQL_V5) {
		conn_wrap(c);
		c->has_segments = true;
	}
	return true;
}

/* All envelopes of `from`, until the form changes. False: damaged. */
static bool conn_take_all(struct conn *c, struct td_buf *from)
{
	size_t at = 0, size;
	bool had_segments = c->has_segments;
	do {
		if (!conn_take(c, td_slice_skip(td_buf_slice(from), at), &size))
			return false;
		at += size;
	} while (size > 0 && c->has_segments == had_segments);
	drop_front(from, at);
	return true;
}

/* All segments of the input to `inner`. False: damaged. */
static bool conn_unwrap(struct conn *c)
{
	struct cql_segment segment;
	size_t at = 0;
	enum cql_next next;
	while ((next = cql_segment_read(td_slice_skip(td_buf_slice(&c->input), at), false, &segment,
			NULL)) == CQL_GIVEN) {
		td_buf_put_slice(&c->inner, segment.payload);
		at += segment.size;
	}
	drop_front(&c->input, at);
	return next == CQL_MORE;
}

static bool conn_understand(struct conn *c)
{
	if (!c->has_segments && !conn_take_all(c, &c->input))
		return false;
	if (c->has_segments && (!conn_unwrap(c) || !conn_take_all(c, &c->inner)))
		return false;
	conn_wrap(c);
	return !c->input.failed && !c->inner.failed && !c->answers.failed && !c->output.failed;
}

/* False: the connection is gone. */
static bool conn_send(struct conn *c)
{
	while (c->sent < c->output.len) {
		ssize_t n = send(
			c->fd, c->output.ptr + c->sent, c->output.len - c->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n < 0)
			break;
		c->sent += (size_t)n;
	}
	bool waits = c->sent < c->output.len;
	if (!waits) {
		td_buf_reset(&c->output);
		c->sent = 0;
	}
	bool reads = c->output.len - c->sent < PENDING_MOST;
	if (waits || c->is_waiting)
		watch(EPOLL_CTL_MOD, c->fd, (waits ? EPOLLOUT : 0) | (reads ? EPOLLIN : 0), c);
	c->is_waiting = waits;
	return true;
}

static bool conn_receive(struct conn *c)
{
	char *to = td_buf_reserve(&c->input, READ_SIZE);
	ssize_t n = to == NULL ? -1 : recv(c->fd, to, READ_SIZE, 0);
	if (n < 0 && to != NULL && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	c->input.len += (size_t)n;
	return conn_understand(c);
}

static void conn_ready(struct conn *c, uint32_t events)
{
	bool lives = true;
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		lives = conn_receive(c);
	if (!lives || !conn_send(c))
		conn_close(c);
}

/* ---- the process ---- */

static int listen_at(struct sockaddr_in *address)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(*address);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)address, size) != 0 || listen(fd, SOMAXCONN) != 0 ||
		getsockname(fd, (struct sockaddr *)address, &size) != 0)
		fail("listen");
	return fd;
}

static bool parse_place(const char *text, struct sockaddr_in *address)
{
	char host[INET_ADDRSTRLEN];
	const char *colon = strrchr(text, ':');
	size_t len = colon == NULL ? 0 : (size_t)(colon - text);
	char *end = NULL;
	unsigned long port = colon == NULL ? 0 : strtoul(colon + 1, &end, 10);
	if (len == 0 || len >= sizeof(host) || *end != '\0' || port > UINT16_MAX)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	address->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &address->sin_addr) == 1;
}

/* What epoll gives back for them; a connection gives itself. */
static char of_listener, of_input;

/* Until the input ends. */
static void serve(int listener)
{
	struct epoll_event events[EVENTS];
	char byte;
	for (;;) {
		int count = epoll_wait(poller, events, EVENTS, -1);
		for (int i = 0; i < count; i++) {
			void *who = events[i].data.ptr;
			if (who == &of_listener)
				conn_accept(listener);
			else if (who != &of_input)
				conn_ready(who, events[i].events);
			else if (read(STDIN_FILENO, &byte, 1) <= 0)
				return;
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char host[INET_ADDRSTRLEN], *end = NULL;
	unsigned long rows = argc > 2 ? strtoul(argv[2], &end, 10) : ROWS_DEFAULT;
	if (argc > 3 || (argc > 1 && !parse_place(argv[1], &at)) ||
		(argc > 2 && (*end != '\0' || rows == 0 || rows > INT32_MAX))) {
		fprintf(stderr, "usage: fake_node [ADDRESS:PORT [ROWS]]\n");
		return 2;
	}
	poller = epoll_create1(EPOLL_CLOEXEC);
	int listener = listen_at(&at);
	fake_answers_init(rows, (const uint8_t *)&at.sin_addr, ntohs(at.sin_port));
	watch(EPOLL_CTL_ADD, listener, EPOLLIN, &of_listener);
	watch(EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN, &of_input);
	printf("ready %s:%u\n", inet_ntop(AF_INET, &at.sin_addr, host, sizeof(host)),
		ntohs(at.sin_port));
	(void)fflush(stdout);
	serve(listener);
	fake_answers_done();
	return 0;
}
