#include "http/internal.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 4096

static void set_port(struct sockaddr_storage *sa, unsigned port)
{
	uint16_t wire = htons((uint16_t)port);
	if (sa->ss_family == AF_INET)
		memcpy((char *)sa + offsetof(struct sockaddr_in, sin_port), &wire, sizeof(wire));
	else
		memcpy((char *)sa + offsetof(struct sockaddr_in6, sin6_port), &wire, sizeof(wire));
}

static unsigned get_port(const struct sockaddr_storage *sa)
{
	uint16_t wire = 0;
	if (sa->ss_family == AF_INET)
		memcpy(&wire, (const char *)sa + offsetof(struct sockaddr_in, sin_port),
			sizeof(wire));
	else
		memcpy(&wire, (const char *)sa + offsetof(struct sockaddr_in6, sin6_port),
			sizeof(wire));
	return ntohs(wire);
}

static enum td_status explain(
	const struct http_server *s, unsigned port, int error_number, struct td_err *err)
{
	const char *host = s->host;
	unsigned other = port < 65535 ? port + 1 : 8100;
	if (error_number == EADDRINUSE)
		return td_err_set(err, TD_IO,
			"port %u on %s is in use by another program: stop it, or choose another "
			"port (PORT=%u)",
			port, host, other);
	if (error_number == EACCES)
		return td_err_set(err, TD_IO,
			"port %u on %s may only be used by root: choose one above 1023 (PORT=8100)",
			port, host);
	if (error_number == EADDRNOTAVAIL)
		return td_err_set(err, TD_IO,
			"%s is no address of this machine: choose another (HOST=127.0.0.1, or "
			"HOST=0.0.0.0 for all)",
			host);
	return td_err_errno(err, TD_IO, error_number, "listen on %s port %u", host, port);
}

/* One socket; -1 with errno. "::" takes IPv4 too, any other IPv6 address only its own. */
static int open_one(const struct http_server *s, const struct sockaddr_storage *sa, socklen_t len)
{
	int fd = socket(sa->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	int yes = 1;
	int v6_only = strcmp(s->host, "::") != 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (sa->ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
	if (bind(fd, (const struct sockaddr *)sa, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

/* The first one tells the port (where it was 0) and the address that people are told. */
static enum td_status note_first(struct http_server *s, int fd, struct td_err *err)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct http_address address;
	char text[HTTP_ADDRESS_TEXT_SIZE];
	if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0 ||
		!http_address_of((struct sockaddr *)&sa, &address))
		return td_err_errno(err, TD_IO, errno, "ask for the port");
	s->port = get_port(&sa);
	http_address_format(&address, text);
	bool is_v6 = strchr(text, ':') != NULL;
	(void)snprintf(s->address, sizeof(s->address), is_v6 ? "[%s]:%u" : "%s:%u", text, s->port);
	return TD_OK;
}

static enum td_status open_each(
	struct http_server *s, const struct addrinfo *list, struct td_err *err)
{
	enum td_status status = TD_OK;
	unsigned port = s->config.port;
	for (const struct addrinfo *ai = list; ai != NULL && status == TD_OK; ai = ai->ai_next) {
		struct sockaddr_storage sa;
		if (s->listener_count == HTTP_LISTEN_MOST || ai->ai_addrlen > sizeof(sa))
			break;
		memset(&sa, 0, sizeof(sa));
		memcpy(&sa, ai->ai_addr, ai->ai_addrlen);
		set_port(&sa, port);
		int fd = open_one(s, &sa, ai->ai_addrlen);
		if (fd < 0 && (errno == EAFNOSUPPORT ||
				      (errno == EADDRNOTAVAIL && list->ai_next != NULL)))
			continue; /* a name with an IPv6 address on a machine without IPv6 */
		if (fd < 0)
			return explain(s, port, errno, err);
		s->listeners[s->listener_count++] = fd;
		if (s->listener_count == 1)
			status = note_first(s, fd, err);
		port = s->port;
	}
	if (status == TD_OK && s->listener_count == 0)
		return explain(s, port, EADDRNOTAVAIL, err);
	return status;
}

enum td_status http_listen(struct http_server *s, struct td_err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(s->host, NULL, &hints, &list);
	if (rc != 0)
		return td_err_set(err, TD_IO, "HOST: %s cannot be looked up: %s", s->host,
			rc == EAI_SYSTEM ? strerrordesc_np(errno) : gai_strerror(rc));
	enum td_status status = open_each(s, list, err);
	freeaddrinfo(list);
	if (status != TD_OK)
		http_listen_close(s);
	return status;
}

void http_listen_close(struct http_server *s)
{
	for (size_t i = 0; i < s->listener_count; i++)
		(void)close(s->listeners[i]);
	s->listener_count = 0;
}
