#include "fake_clock.h"

static int64_t wall(void *ctx)
{
	struct fake_clock *fake = ctx;
	return atomic_load(&fake->wall_ms);
}

static uint64_t mono(void *ctx)
{
	struct fake_clock *fake = ctx;
	return atomic_load(&fake->mono_ms);
}

void fake_clock_init(struct fake_clock *fake, int64_t wall_ms, uint64_t mono_ms)
{
	fake->clock = (struct td_clock){.wall_ms = wall, .mono_ms = mono, .ctx = fake};
	atomic_store(&fake->wall_ms, wall_ms);
	atomic_store(&fake->mono_ms, mono_ms);
}

void fake_clock_advance(struct fake_clock *fake, unsigned ms)
{
	atomic_fetch_add(&fake->wall_ms, (int64_t)ms);
	atomic_fetch_add(&fake->mono_ms, (uint64_t)ms);
}
