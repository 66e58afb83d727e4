/* Own thread for accepting: libmicrohttpd's pool threads would all wake for each connection, divide
 * the limit among themselves, and know neither proxies nor who may be closed to make room. */
#include "http/internal.h"

#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM_POLL_MS 100
#define ACCEPT_BATCH 64

void http_accept_wake(struct http_server *s)
{
	uint64_t one = 1;
	/* Fails only when the counter is full, and then a wake is on its way. */
	ssize_t n = write(s->wake_fd, &one, sizeof(one));
	(void)n;
}

bool http_accept_hand_over(struct http_server *s, int fd, const struct http_address *peer,
	const void *sockaddr, unsigned sockaddr_len)
{
	bool is_spared = http_proxies_has(s->proxies, peer);
	struct http_conn *conn = http_conns_add(&s->conns, fd, peer, is_spared);
	if (conn == NULL) {
		(void)close(fd);
		return false;
	}
	if (MHD_add_connection(s->daemon, fd, sockaddr, sockaddr_len) == MHD_YES)
		return true;
	http_conns_take_back(&s->conns, fd); /* which it has closed */
	return false;
}

/* False: nothing waits any more, or it cannot be taken now. */
static bool accept_one(struct http_server *s, int listener)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int fd = accept4(listener, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			atomic_store(&s->wants_room, true);
		return errno == EINTR || errno == ECONNABORTED;
	}
	struct http_address peer;
	if (!http_address_of((const struct sockaddr *)&sa, &peer)) {
		(void)close(fd);
		return true;
	}
	(void)http_accept_hand_over(s, fd, &peer, &sa, len);
	return true;
}

static bool has_room(struct http_server *s)
{
	if (atomic_load(&s->conns.count) < s->conns.config.most)
		return true;
	atomic_store(&s->wants_room, true);
	/* Somebody may have left between the two. */
	return atomic_load(&s->conns.count) < s->conns.config.most;
}

static void accept_from(struct http_server *s, int listener)
{
	for (unsigned i = 0; i < ACCEPT_BATCH && has_room(s); i++) {
		if (!accept_one(s, listener))
			return;
	}
}

/* Full: nobody is turned away while an idle connection can be closed instead. */
static void make_room(struct http_server *s, struct pollfd *fds, size_t count)
{
	if (poll(fds, (nfds_t)count, 0) > 0)
		(void)http_conns_evict(&s->conns, td_clock_mono_ns() / 1000000);
	struct pollfd wake = {.fd = s->wake_fd, .events = POLLIN};
	(void)poll(&wake, 1, ROOM_POLL_MS);
}

static void drain_wakes(struct http_server *s)
{
	uint64_t wakes = 0;
	ssize_t n = read(s->wake_fd, &wakes, sizeof(wakes));
	(void)n;
}

static void run(void *ctx)
{
	struct http_server *s = ctx;
	struct pollfd fds[HTTP_LISTEN_MOST + 1];
	size_t count = s->listener_count;
	for (size_t i = 0; i < count; i++)
		fds[i] = (struct pollfd){.fd = s->listeners[i], .events = POLLIN};
	fds[count] = (struct pollfd){.fd = s->wake_fd, .events = POLLIN};
	while (!atomic_load(&s->is_quiescing)) {
		atomic_store(&s->wants_room, false);
		if (!has_room(s)) {
			make_room(s, fds, count);
			drain_wakes(s);
			continue;
		}
		if (poll(fds, (nfds_t)count + 1, -1) < 0)
			continue;
		drain_wakes(s);
		for (size_t i = 0; i < count; i++) {
			if ((fds[i].revents & POLLIN) != 0)
				accept_from(s, fds[i].fd);
		}
		if (atomic_load(&s->wants_room))
			make_room(s, fds, count);
	}
	/* Who is connected already is still served. */
	for (size_t i = 0; i < count; i++)
		accept_from(s, fds[i].fd);
	http_listen_close(s);
}

enum td_status http_accept_start(struct http_server *s, struct td_err *err)
{
	enum td_status status = td_thread_start(&s->acceptor, "http-accept", run, s, err);
	s->is_accepting = status == TD_OK;
	return status;
}

void http_accept_stop(struct http_server *s)
{
	atomic_store(&s->is_quiescing, true);
	if (!s->is_accepting)
		return;
	http_accept_wake(s);
	td_thread_join(&s->acceptor);
	s->is_accepting = false;
}
