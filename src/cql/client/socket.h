/* The socket of a connection, without a wait. Any thread. */
#ifndef TD_CQL_CLIENT_SOCKET_H
#define TD_CQL_CLIENT_SOCKET_H

#include "cql/client/failure.h"
#include "cql/client/lookup.h"

/* Begins to connect. *ret_fd is the caller's to close, or -1: there is no socket. Returns 0, or an
 * errno: EINPROGRESS where the system goes on with it. */
int cql_socket_connect(const struct cql_address *address, int *ret_fd);

/* 0 once it is connected, or the errno that it failed with. */
int cql_socket_error(int fd);

/* What an errno of connecting means. */
enum cql_failure cql_socket_failure(int error_number);

#endif
