#include "connect/reach.h"

#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NO_SOCKET (-1)

static uint64_t now_ms(void)
{
	return td_clock_mono_ns() / 1000000u;
}

static void fail(struct connect_failure *f, enum connect_class class, const char *words)
{
	char address[120];
	(void)snprintf(address, sizeof(address), "%.119s", f->address);
	f->class = class;
	(void)snprintf(f->reason, sizeof(f->reason), "connect to %s: %s", address, words);
}

static void fail_errno(struct connect_failure *f, int error_number)
{
	char buffer[160], words[200];
	(void)snprintf(words, sizeof(words), "%.150s (errno %d)",
		strerror_r(error_number, buffer, sizeof(buffer)), error_number);
	fail(f, connect_class_of_errno(error_number), words);
}

/* The socket; NO_SOCKET: `r` says why. */
static int begin(struct connect_reach *r, size_t i, const char *address, uint16_t port)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *found = NULL;
	char service[8];
	(void)snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(address, service, &hints, &found) != 0) {
		fail(&r->failures[i], CONNECT_UNKNOWN, "this is no address");
		return NO_SOCKET;
	}
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc = fd < 0 ? -1 : connect(fd, found->ai_addr, found->ai_addrlen);
	int error_number = errno;
	freeaddrinfo(found);
	if (fd >= 0 && (rc == 0 || error_number == EINPROGRESS))
		return fd;
	fail_errno(&r->failures[i], error_number);
	if (fd >= 0)
		(void)close(fd);
	return NO_SOCKET;
}

static void finish(struct connect_reach *r, size_t i, int fd)
{
	int error_number = 0;
	socklen_t size = sizeof(error_number);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &size) != 0)
		error_number = errno;
	/* Reset by whoever had accepted it. */
	if (error_number == ECONNRESET)
		error_number = 0;
	if (error_number != 0)
		fail_errno(&r->failures[i], error_number);
	r->reached[i] = error_number == 0;
	r->reached_count += error_number == 0 ? 1 : 0;
}

/* Waits until one has answered, and takes out all that have. False: none is left, or no time. */
static bool wait_for_some(
	struct connect_reach *r, struct pollfd *polls, const struct connect_limit *limit)
{
	size_t open = 0;
	for (size_t i = 0; i < r->count; i++)
		open += polls[i].fd != NO_SOCKET ? 1 : 0;
	int slice_ms = open > 0 ? connect_limit_slice_ms(limit) : 0;
	if (slice_ms == 0)
		return false;
	if (poll(polls, r->count, slice_ms) <= 0)
		return true;
	for (size_t i = 0; i < r->count; i++) {
		if (polls[i].fd == NO_SOCKET || polls[i].revents == 0)
			continue;
		finish(r, i, polls[i].fd);
		(void)close(polls[i].fd);
		polls[i].fd = NO_SOCKET;
	}
	return true;
}

void connect_reach(const struct connect_addresses *addresses, uint16_t port,
	const struct connect_limit *limit, struct connect_reach *ret_reach)
{
	struct pollfd polls[CONNECT_ADDRESSES_MOST];
	struct connect_limit own = *limit;
	*ret_reach = (struct connect_reach){.count = addresses->count};
	for (size_t i = 0; i < addresses->count; i++) {
		struct connect_failure *f = &ret_reach->failures[i];
		bool v6 = strchr(addresses->text[i], ':') != NULL;
		(void)snprintf(f->address, sizeof(f->address), "%s%s%s:%u", v6 ? "[" : "",
			addresses->text[i], v6 ? "]" : "", port);
		fail(f, CONNECT_NO_ANSWER, "no answer in time");
		polls[i] = (struct pollfd){
			.fd = begin(ret_reach, i, addresses->text[i], port), .events = POLLOUT};
	}
	while (wait_for_some(ret_reach, polls, &own)) {
		uint64_t now = now_ms();
		if (ret_reach->reached_count > 0 && own.deadline_ms == limit->deadline_ms &&
			limit->deadline_ms > now)
			own.deadline_ms = now + (limit->deadline_ms - now) / 4;
	}
	for (size_t i = 0; i < addresses->count; i++) {
		if (polls[i].fd != NO_SOCKET)
			(void)close(polls[i].fd);
	}
}
