#include "wait_until.h"

#include "base/clock.h"

#include <time.h>

bool wait_until(wait_predicate_fn *predicate, void *ctx, unsigned limit_ms)
{
	uint64_t end = td_clock_mono_ms(&td_clock_system) + limit_ms;
	while (!predicate(ctx)) {
		if (td_clock_mono_ms(&td_clock_system) > end)
			return false;
		/* Between two looks, not instead of one. */
		(void)nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
	}
	return true;
}
