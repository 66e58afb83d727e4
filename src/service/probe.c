#include "service/probe.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 16384
#define STATUS_END 12 /* of "HTTP/1.1 200" */

struct probe {
	int fd;
	uint64_t deadline_ms;
	const char *host;
	unsigned port;
};

static enum td_status fail(struct probe *p, int error, struct td_err *err)
{
	if (error == ETIMEDOUT)
		return td_err_set(err, TD_TIMEOUT, "%s port %u did not answer within %d s", p->host,
			p->port, PROBE_TIMEOUT_MS / 1000);
	return td_err_errno(err, TD_UNAVAILABLE, error, "%s port %u", p->host, p->port);
}

/* 0, or an errno. */
static int wait_for(struct probe *p, short what)
{
	for (;;) {
		uint64_t now = td_clock_mono_ms(&td_clock_system);
		struct pollfd fd = {.fd = p->fd, .events = what};
		if (now >= p->deadline_ms)
			return ETIMEDOUT;
		int ready = poll(&fd, 1, (int)(p->deadline_ms - now));
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return errno;
	}
}

static int connect_to(struct probe *p, const struct addrinfo *address)
{
	p->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0)
		return errno;
	int error = 0;
	socklen_t len = sizeof(error);
	if (connect(p->fd, address->ai_addr, address->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	int waited = wait_for(p, POLLOUT);
	if (waited != 0)
		return waited;
	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		return errno;
	return error;
}

static enum td_status connect_any(struct probe *p, struct td_err *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	char port[8];
	(void)snprintf(port, sizeof(port), "%u", p->port % 65536);
	int found = getaddrinfo(p->host, port, &hints, &list);
	if (found != 0)
		return td_err_set(err, TD_UNAVAILABLE, "%s: %s", p->host, gai_strerror(found));
	int error = ENOENT;
	for (const struct addrinfo *a = list; a != NULL && error != 0; a = a->ai_next) {
		if (p->fd >= 0)
			(void)close(p->fd);
		error = connect_to(p, a);
	}
	freeaddrinfo(list);
	return error == 0 ? TD_OK : fail(p, error, err);
}

static enum td_status send_request(struct probe *p, struct td_err *err)
{
	static const char request[] = "GET /readyz?verbose HTTP/1.1\r\nHost: localhost\r\n"
				      "Accept: application/json\r\nConnection: close\r\n\r\n";
	size_t sent = 0;
	while (sent < sizeof(request) - 1) {
		ssize_t got = send(p->fd, request + sent, sizeof(request) - 1 - sent, MSG_NOSIGNAL);
		int error = got >= 0 ? 0 : errno == EAGAIN ? wait_for(p, POLLOUT) : errno;
		if (error != 0 && error != EINTR)
			return fail(p, error, err);
		sent += got > 0 ? (size_t)got : 0;
	}
	return TD_OK;
}

static enum td_status read_answer(struct probe *p, char *answer, size_t size, struct td_err *err)
{
	size_t len = 0;
	while (len + 1 < size) {
		ssize_t got = recv(p->fd, answer + len, size - 1 - len, 0);
		int error = got >= 0 ? 0 : errno == EAGAIN ? wait_for(p, POLLIN) : errno;
		if (error != 0 && error != EINTR)
			return fail(p, error, err);
		if (got == 0)
			break;
		len += got > 0 ? (size_t)got : 0;
	}
	answer[len] = '\0';
	return TD_OK;
}

static enum td_status judge(struct probe *p, const char *answer, struct td_err *err)
{
	if (strncmp(answer, "HTTP/1.", 7) != 0 || strlen(answer) < STATUS_END)
		return td_err_set(
			err, TD_UNAVAILABLE, "%s port %u does not speak HTTP", p->host, p->port);
	if (strncmp(answer + 8, " 200", 4) == 0 && strchr(" \r\n", answer[STATUS_END]) != NULL)
		return TD_OK;
	const char *body = strstr(answer, "\r\n\r\n");
	struct td_slice text = td_slice_str(body != NULL ? body + 4 : "");
	text.len = td_utf8_floor(text.ptr, text.len < 300 ? text.len : 300);
	return td_err_set(err, TD_UNAVAILABLE, "%s port %u answers%.4s: %.*s", p->host, p->port,
		answer + 8, TD_SLICE_ARG(text));
}

enum td_status probe_ready(const char *host, unsigned port, struct td_err *err)
{
	char answer[ANSWER_MAX];
	struct probe p = {
		.fd = -1,
		.deadline_ms = td_clock_mono_ms(&td_clock_system) + PROBE_TIMEOUT_MS,
		.host = host,
		.port = port,
	};
	if (strcmp(host, "0.0.0.0") == 0)
		p.host = "127.0.0.1";
	if (strcmp(host, "::") == 0)
		p.host = "::1";
	enum td_status status = connect_any(&p, err);
	if (status == TD_OK)
		status = send_request(&p, err);
	if (status == TD_OK)
		status = read_answer(&p, answer, sizeof(answer), err);
	if (status == TD_OK)
		status = judge(&p, answer, err);
	if (p.fd >= 0)
		(void)close(p.fd);
	return status;
}
