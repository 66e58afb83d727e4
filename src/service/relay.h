/* Carries the history of subscriptions from the outbox of the records' store into the event log, at
 * least once each, and the log makes once of it. Several processes share the work: each takes
 * events for a while, and what one that died has taken another takes later. It also trims the
 * history that HISTORY_KEEP is over for, as far as the log has it. */
#ifndef TD_SERVICE_RELAY_H
#define TD_SERVICE_RELAY_H

#include "base/clock.h"
#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct relay;

enum relay_event {
	RELAY_FAILING,  /* for the first time since it worked: `err` */
	RELAY_WORKS,    /* again */
	RELAY_BEHIND,   /* many events wait: `events` */
	RELAY_CAUGHT_UP /* only few do, again */
};

/* By its thread, each thing once; short. */
typedef void relay_report_fn(void *ctx, enum relay_event event, const struct store_events *events,
	const struct td_err *err);

struct relay_config {
	struct store *records, *log;  /* borrowed until destroy */
	const struct td_clock *clock; /* the same */
	unsigned store_timeout_ms;
	bool has_test_clock; /* the store's offset is added to the time */
	int64_t rate;        /* events a second, at most */
	int64_t ttl_ms;      /* how long an event is kept; 0: for ever */
	int64_t keep_ms;     /* how long history is kept beside it; 0: for ever */
	relay_report_fn *report;
	void *ctx;
};

/* Starts its thread. TD_NOMEM. Give it to relay_destroy(). */
enum td_status relay_create(const struct relay_config *config, struct relay **ret_relay,
	struct td_err *err) TD_MUST_CHECK;

/* Waits for what is under way, at most until its operations' deadlines (see store_hurry). What it
 * has taken and not told is told later, by anybody. NULL is fine. Before store_stop(). */
void relay_destroy(struct relay *relay);

struct relay_stats {
	struct store_events events; /* as counted last, by anybody's */
	int64_t oldest_age_ms;      /* of the oldest that waits; 0: none does */
	uint64_t told;              /* by this process */
	uint64_t trimmed;           /* rows of history, by this process */
	uint64_t failures;          /* rounds that failed */
};

/* Any thread. */
void relay_get_stats(struct relay *relay, struct relay_stats *ret_stats);

#endif
