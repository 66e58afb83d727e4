/* Moments that something waits for, the earliest at hand. The timers stand in their owners: nothing
 * is allocated, so setting one cannot fail. A pairing heap (Fredman, Sedgewick, Sleator, Tarjan,
 * "The Pairing Heap", 1986): setting is O(1), clearing and taking O(log n) amortized.
 *
 * One thread. */
#ifndef TD_CQL_CLIENT_TIMERS_H
#define TD_CQL_CLIENT_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct cql_timer;

/* The timer is not set any more; it may be set again, or be freed. */
typedef void cql_timer_fn(struct cql_timer *timer);

/* Zeroed but for `fire`: not set. The owner keeps it where it is while it is set. */
struct cql_timer {
	cql_timer_fn *fire;
	uint64_t due_ms; /* of the monotonic clock */
	bool is_set;
	struct cql_timer *child, *next,
		*prev; /* prev: the left sibling, or the parent of the first */
};

struct cql_timers {
	struct cql_timer *root; /* NULL: none is set */
};

/* One that is set already moves. */
void cql_timers_set(struct cql_timers *timers, struct cql_timer *timer, uint64_t due_ms);

/* One that is not set is left alone. */
void cql_timers_clear(struct cql_timers *timers, struct cql_timer *timer);

/* The earliest one that is due at now_ms, no longer set; NULL: none. */
struct cql_timer *cql_timers_take(struct cql_timers *timers, uint64_t now_ms);

/* Milliseconds from now_ms to the earliest: 0 where it is due, -1 where none is set; at most a
 * minute, as poll(2) wants it. */
int cql_timers_wait_ms(const struct cql_timers *timers, uint64_t now_ms);

#endif
