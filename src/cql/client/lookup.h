/* Looks a name up without holding up the loop. getaddrinfo(3) has no deadline and cannot be ended,
 * so it runs in a thread of its own; whoever waits no longer leaves it behind. */
#ifndef TD_CQL_CLIENT_LOOKUP_H
#define TD_CQL_CLIENT_LOOKUP_H

#include "base/err.h"
#include "cql/client/loop.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define CQL_ADDRESSES_MOST    16
#define CQL_ADDRESS_TEXT_SIZE 56 /* "[…39 characters…]:65535" with its NUL */

struct cql_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} as;
	socklen_t len;
};

/* "172.18.0.2:9042", "[::1]:9042". */
void cql_address_format(const struct cql_address *address, char out[CQL_ADDRESS_TEXT_SIZE]);

/* Without the port and brackets: "172.18.0.2", "::1". */
void cql_address_host(const struct cql_address *address, char out[CQL_ADDRESS_TEXT_SIZE]);

struct cql_lookup;

/* On the loop, once, unless cql_lookup_cancel() came first.
 *   TD_OK         at least one address, each once, in the resolver's order; valid during the call
 *   TD_NOTFOUND   count is 0; err says why, with the name */
typedef void cql_lookup_fn(void *ctx, enum td_status status, const struct cql_address *addresses,
	size_t count, const struct td_err *err);

/* Asks for `name`, which may be numeric, anew each time: nothing is kept. On the loop.
 *   TD_OK         fn comes, on a later turn; *ret_lookup is valid until then, or until it is
 * cancelled TD_INVALID    a name of 256 characters or more TD_NOMEM      no memory, or no thread */
enum td_status cql_lookup_start(struct cql_loop *loop, const char *name, uint16_t port,
	cql_lookup_fn *fn, void *ctx, struct cql_lookup **ret_lookup,
	struct td_err *err) TD_MUST_CHECK;

/* fn does not come any more. On the loop. The loop may be destroyed afterwards. */
void cql_lookup_cancel(struct cql_lookup *lookup);

#endif
