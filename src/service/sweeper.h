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
	bool has_test_clock; /* the store's offset is added to the time */
	/* What it does fails (`err`), or works again (NULL); called once for each. By its thread;
	 * short. */
	void (*report)(void *ctx, const struct td_err *err);
	void *ctx;
};

/* Starts its thread. TD_NOMEM. Give it to sweeper_destroy(). */
enum td_status sweeper_create(const struct sweeper_config *config, struct sweeper **ret_sweeper,
	struct td_err *err) TD_MUST_CHECK;

/* Waits for what is under way, at most until its operations' deadlines (see store_hurry). NULL is
 * fine. Before store_stop(). */
void sweeper_destroy(struct sweeper *sweeper);

struct sweeper_stats {
	uint64_t rolled;    /* subscriptions, each time */
	uint64_t conflicts; /* somebody else was faster */
	uint64_t deleted;   /* rows that had expired */
	uint64_t failures;  /* rounds that failed */
	int64_t last_ms;    /* wall clock: the last round that did not; 0: none yet */
};

/* Any thread. */
void sweeper_get_stats(struct sweeper *sweeper, struct sweeper_stats *ret_stats);

#endif
