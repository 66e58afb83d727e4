#include "cql/client/socket.h"

#include <errno.h>
#include <netinet/tcp.h>

int cql_socket_connect(const struct cql_address *address, int *ret_fd)
{
	int on = 1;
	int fd = socket(address->as.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	*ret_fd = fd;
	if (fd < 0)
		return errno;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	return connect(fd, &address->as.any, address->len) == 0 ? 0 : errno;
}

int cql_socket_error(int fd)
{
	int error_number = 0;
	socklen_t len = sizeof(error_number);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &len) != 0)
		return errno;
	return error_number;
}

enum cql_failure cql_socket_failure(int error_number)
{
	if (error_number == ECONNREFUSED)
		return CQL_FAILURE_REFUSED;
	/* By whoever had accepted it. */
	if (error_number == ECONNRESET)
		return CQL_FAILURE_CLOSED;
	return error_number == ETIMEDOUT ? CQL_FAILURE_NO_ANSWER : CQL_FAILURE_UNREACHABLE;
}
