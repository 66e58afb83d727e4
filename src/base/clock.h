/* Time comes in through this interface, so that tests and TEST_CLOCK can give their own. */
#ifndef TD_BASE_CLOCK_H
#define TD_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct td_clock {
	/* Milliseconds since 1970-01-01T00:00:00Z; may jump. Any thread. */
	int64_t (*wall_ms)(void *ctx);
	/* Milliseconds that only grow, for deadlines. Any thread. */
	uint64_t (*mono_ms)(void *ctx);
	void *ctx;
};

/* CLOCK_REALTIME and CLOCK_MONOTONIC. */
extern const struct td_clock td_clock_system;

static inline int64_t td_clock_wall_ms(const struct td_clock *clock)
{
	return clock->wall_ms(clock->ctx);
}

static inline uint64_t td_clock_mono_ms(const struct td_clock *clock)
{
	return clock->mono_ms(clock->ctx);
}

/* Nanoseconds of CLOCK_MONOTONIC, for measuring how long something took. */
uint64_t td_clock_mono_ns(void);

/* A moment as a date of the proleptic Gregorian calendar in UTC. */
struct td_date {
	int64_t year;
	int month, day;    /* 1 to 12, 1 to 31 */
	int64_t of_day_ms; /* 0 to 86399999 */
};

struct td_date td_date_of(int64_t wall_ms);
int64_t td_date_to_ms(const struct td_date *date);
int td_days_of_month(int64_t year, int month);

/* "2026-11-23T08:05:00.123Z" (RFC 3339, UTC) with its NUL; years 0000 to 9999. */
#define TD_TIME_TEXT_SIZE 25
void td_time_format(int64_t wall_ms, char out[TD_TIME_TEXT_SIZE]);

/* RFC 3339 with an offset or Z, seconds with up to nine decimals (cut to ms). False: not such a
 * time. */
bool td_time_parse(struct td_slice text, int64_t *ret_wall_ms);

#endif
