/* Does what time asks for without a request: rolls subscriptions whose period has ended
 * (app/subscription.h) and deletes what has expired. It looks once a second; while there is
 * something to do, one process at a time does it, by a lease in the store. Correctness does not
 * depend on the lease: each write is a compare-and-set, so who is late only loses a race. */
#ifndef TD_SERVICE_SWEEPER_H
#define TD_SERVICE_SWEEPER_H

#include "base/clock.h"
#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct sweeper;

struct sweeper_config {
	struct store *store;          /* borrowed until destroy */
	const struct td_clock *clock; /* the same */
	unsigned store_timeout_ms;
	unsigned round_ms;   /* how often it looks; 0: once a second */
	bool has_test_clock; /* the store's offset is added to the time */
	/* By its thread, each thing once; short:
	 *   row, NULL     a row that breaks the rules is left out
	 *   NULL, err     what it does fails, for the first time since it worked
	 *   NULL, NULL    it works again */
	void (*report)(void *ctx, const struct store_bad_row *row, const struct td_err *err);
	void *ctx;
};

/* Starts its thread. TD_NOMEM. Give it to sweeper_destroy(). */
enum td_status sweeper_create(const struct sweeper_config *config, struct sweeper **ret_sweeper,
	struct td_err *err) TD_MUST_CHECK;

/* Waits for what is under way, at most until its operations' deadlines (see store_hurry), and gives
 * its lease back. NULL is fine. Before store_stop(). */
void sweeper_destroy(struct sweeper *sweeper);

struct sweeper_stats {
	uint64_t rolled;    /* subscriptions, each time */
	uint64_t conflicts; /* somebody else was faster */
	uint64_t deleted;   /* rows that had expired */
	uint64_t failures;  /* rounds that failed */
	size_t stuck;       /* subscriptions that stay due: their rows cannot be read or written */
	int64_t last_ms;    /* wall clock: the last round that did not; 0: none yet */
};

/* Any thread. */
void sweeper_get_stats(struct sweeper *sweeper, struct sweeper_stats *ret_stats);

#endif
