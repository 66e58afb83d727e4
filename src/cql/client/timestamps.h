/* The times that writes carry: microseconds since 1970 UTC that only grow, over all sessions of
 * the process, also where the clock is set back: a later write must not lose to an earlier one. */
#ifndef TD_CQL_CLIENT_TIMESTAMPS_H
#define TD_CQL_CLIENT_TIMESTAMPS_H

#include <stdint.h>

/* Larger than any given before, and now_us where that is larger still. Any thread. */
int64_t cql_timestamp_next(int64_t now_us);

/* Microseconds of the wall clock. */
int64_t cql_timestamp_now_us(void);

#endif
