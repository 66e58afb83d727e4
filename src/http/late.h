/* Which connection is late, and what happens to it. Only the ticker's thread, under the lock of the
 * connection's list. */
#ifndef TD_HTTP_LATE_H
#define TD_HTTP_LATE_H

#include "http/conns.h"

/* How long the ticker may leave all connections unlooked at: an eighth of the shortest deadline, at
 * least 20 ms, at most 250. */
uint64_t http_late_pause_ms(const struct http_conns_config *config);

/* Shuts the connection down where its phase has lasted too long. The first byte of a request is not
 * announced, so for an idle one the kernel is asked now and then whether bytes have come. A client
 * that reads slowly, but reads, gets up to ten times the send deadline. */
void http_late_check(struct http_conn *conn, uint64_t now_ms);

#endif
