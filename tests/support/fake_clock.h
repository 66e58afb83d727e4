/* A clock that stands still until it is told to go on. Any thread. */
#ifndef TD_TESTS_SUPPORT_FAKE_CLOCK_H
#define TD_TESTS_SUPPORT_FAKE_CLOCK_H

#include "base/clock.h"

#include <stdatomic.h>

struct fake_clock {
	struct td_clock clock; /* give out &fake.clock */
	_Atomic int64_t wall_ms;
	_Atomic uint64_t mono_ms;
};

void fake_clock_init(struct fake_clock *fake, int64_t wall_ms, uint64_t mono_ms);

/* Both times. */
void fake_clock_advance(struct fake_clock *fake, unsigned ms);

#endif
