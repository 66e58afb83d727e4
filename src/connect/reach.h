/* Whether somebody accepts connections at the addresses of a host: all are tried side by side, and
 * each connection is closed again with nothing said. For doctor. */
#ifndef TD_CONNECT_REACH_H
#define TD_CONNECT_REACH_H

#include "connect/failure.h"
#include "connect/resolve.h"
#include "connect/supervisor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connect_reach {
	bool reached[CONNECT_ADDRESSES_MOST];
	/* Of those that were not, by the same places. */
	struct connect_failure failures[CONNECT_ADDRESSES_MOST];
	size_t count, reached_count;
};

/* Returns when all have answered, or at the limit; where one has, the others get a quarter of what
 * was left, so that there is time for more than this. Any thread. */
void connect_reach(const struct connect_addresses *addresses, uint16_t port,
	const struct connect_limit *limit, struct connect_reach *ret_reach);

#endif
