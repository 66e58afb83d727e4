/* One thread that calls short functions again and again: deadlines, refreshes. A function must not
 * wait for anything but a lock that is held briefly. */
#ifndef TD_WORK_TICKER_H
#define TD_WORK_TICKER_H

#include "base/err.h"

#include <stdint.h>

struct td_ticker;

typedef void td_tick_fn(void *ctx, uint64_t now_ms);

/* Calls each added function every period_ms (1 to 10000) milliseconds of CLOCK_MONOTONIC; a call
 * that came late is not made up for. Give it to td_ticker_destroy(). */
enum td_status td_ticker_create(
	unsigned period_ms, struct td_ticker **ret_ticker, struct td_err *err) TD_MUST_CHECK;

/* NULL is fine. No function runs any more when it returns. */
void td_ticker_destroy(struct td_ticker *ticker);

/* Any thread, but not from within a tick function. `ctx` stays the caller's, until
 * td_ticker_remove(). TD_OK, or TD_BUSY when 32 are there already. */
enum td_status td_ticker_add(
	struct td_ticker *ticker, td_tick_fn *fn, void *ctx, struct td_err *err) TD_MUST_CHECK;

/* The pair (fn, ctx) is not running and never runs again when this returns. Unknown pairs are
 * ignored. */
void td_ticker_remove(struct td_ticker *ticker, td_tick_fn *fn, void *ctx);

#endif
