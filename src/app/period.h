/* Billing periods in UTC. A period begins on the anchor's day of the month, or on the month's last
 * day where it has no such day: 31 January, 28 February, 31 March. The time of day stays. Pure. */
#ifndef TD_APP_PERIOD_H
#define TD_APP_PERIOD_H

#include "store/rows.h"

#include <stdint.h>

/* No period begins at this or later (1 January 9990), so that every date has four digits. */
#define APP_PERIOD_LAST INT64_C(253086768000000)

/* The day of the month, 1 to 31, on which `wall_ms` falls. */
int app_period_anchor(int64_t wall_ms);

/* When the period ends that begins at `start_ms`: a month or a year later. An anchor outside 1 to
 * 31 is the nearest within. `cycle` is not NONE. */
int64_t app_period_end(int64_t start_ms, int anchor_day, enum store_cycle cycle);

/* When the count-th period from there ends (1: as above), in one step. */
int64_t app_period_nth_end(int64_t start_ms, int anchor_day, enum store_cycle cycle, int64_t count);

/* How many periods from there have begun at until_ms, or before APP_PERIOD_LAST: 0 where not even
 * the first has. So the one that goes on then has this number. */
int64_t app_period_count(
	int64_t start_ms, int anchor_day, enum store_cycle cycle, int64_t until_ms);

#endif
