/* The test clock (the setting TEST_CLOCK): an offset in the store that every process adds to the
 * real time, so that all of them agree at once, after a restart too. It ticks on, and goes forward
 * only: no row of history is written into the past. */
#ifndef TD_APP_TEST_CLOCK_H
#define TD_APP_TEST_CLOCK_H

#include "app/flow.h"

#include <stdbool.h>
#include <stdint.h>

/* Refuses nothing by itself: see `fault`. */
struct app_test_clock {
	struct app_flow flow; /* first */

	/* Filled before app_test_clock_begin(). */
	int64_t real_ms;   /* the real time */
	bool has_offset;   /* one is set, as far as is known, */
	int64_t offset_ms; /* and it is this */
	bool sets;         /* to set_ms, else it is advanced by advance_ms */
	int64_t set_ms;
	int64_t advance_ms;

	/* The result: the time as it now is, or why nothing was done (a sentence, static). */
	int64_t now_ms;
	const char *fault;
};

void app_test_clock_begin(struct app_test_clock *clock);

/* Makes `op` the CLOCK_SET that lets the clock stand at `start_ms` when the real time is `real_ms`,
 * where none was set before (else TD_CONFLICT). */
void app_test_clock_start(struct store_op *op, int64_t start_ms, int64_t real_ms);

#endif
