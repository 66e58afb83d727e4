/* A server without threads and listening sockets, for fuzzing whole requests: the caller hands
 * sockets over and lets it work. One thread. */
#ifndef TD_HTTP_DRIVE_H
#define TD_HTTP_DRIVE_H

#include "http/http.h"

/* Instead of http_server_start(). http_server_destroy() ends it. */
enum td_status http_drive_start(struct http_server *server, struct td_err *err) TD_MUST_CHECK;

/* Takes the descriptor, whatever becomes of it. */
void http_drive_connect(struct http_server *server, int fd);

/* Does what can be done without waiting. False: no connection is open any more. */
bool http_drive_run(struct http_server *server);

#endif
