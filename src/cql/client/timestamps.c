#include "cql/client/timestamps.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t last_us;

int64_t cql_timestamp_next(int64_t now_us)
{
	int64_t last = atomic_load_explicit(&last_us, memory_order_relaxed);
	int64_t next;
	do {
		next = now_us > last ? now_us : last + 1;
	} while (!atomic_compare_exchange_weak_explicit(
		&last_us, &last, next, memory_order_relaxed, memory_order_relaxed));
	return next;
}

int64_t cql_timestamp_now_us(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
