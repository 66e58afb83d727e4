/* Looks a name up with a deadline. getaddrinfo(3) has none, so it runs in a thread of its own,
 * which is left behind when the deadline passes and ends when the resolver does. */
#ifndef TD_CONNECT_RESOLVE_H
#define TD_CONNECT_RESOLVE_H

#include "connect/failure.h"
#include "connect/supervisor.h"

#include <stdint.h>

#define CONNECT_ADDRESSES_MOST 16

struct connect_addresses {
	char text[CONNECT_ADDRESSES_MOST][64]; /* numeric: "172.18.0.2", "::1" */
	size_t count;
};

/* Numeric addresses are answered at once. Every call asks again: nothing is kept.
 *   TD_OK        at least one address, each once, in the resolver's order
 *   TD_NOTFOUND, TD_TIMEOUT, TD_NOMEM   ret_failure says why, with the name
 * Blocks until the limit is reached at most. Any thread. */
enum td_status connect_resolve(const char *name, const struct connect_limit *limit,
	struct connect_addresses *ret_addresses, struct connect_failure *ret_failure) TD_MUST_CHECK;

#endif
