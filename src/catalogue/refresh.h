/* Keeps a holder's snapshot like the store: reads when the store says that something changed, and
 * at least every refresh_ms; swaps only what differs; keeps the last good one when reading fails.
 * Where the content is in a store of its own and cannot be read, packages are served as they are
 * and content as it was; so it is after a restart, too, for it is kept in the other store. It has
 * one thread of its own, which is the only one that waits, builds, compresses and calls back. */
#ifndef TD_CATALOGUE_REFRESH_H
#define TD_CATALOGUE_REFRESH_H

#include "base/clock.h"
#include "base/err.h"
#include "catalogue/snapshot.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct catalogue_refresher;

/* A new snapshot is about to be published (the holder has it when all were told). Called in the
 * refresher's thread; take a reference to keep it. */
typedef void catalogue_changed_fn(void *ctx, struct catalogue_snapshot *snapshot);

/* For the log, in the refresher's thread, each thing once:
 *   row, NULL     a row that breaks the rules is left out (again when it was right in between)
 *   NULL, err     reading fails, for the first time since it worked
 *   NULL, NULL    reading works again */
typedef void catalogue_report_fn(
	void *ctx, const struct store_bad_row *row, const struct td_err *err);

struct catalogue_refresher_config {
	struct store *store;   /* packages */
	struct store *content; /* metadata and features; NULL: they are in `store`, too */
	struct catalogue_holder *holder;
	const struct td_clock *clock;
	const char *source;      /* static: the name of the content's database */
	const char *kept_source; /* static: that of the other, which keeps content; NULL */
	unsigned refresh_ms;
	unsigned store_timeout_ms;
	catalogue_report_fn *report; /* NULL: nobody */
	/* The same for a catalogue that cannot be kept; once for each. NULL: nobody. */
	void (*not_kept)(void *ctx, const struct td_err *err);
	void *report_ctx;
};

#define CATALOGUE_OBSERVERS_MOST 4

/* Everything in `config` is borrowed until the stop, until when it is the store's changed callback.
 * Give it to catalogue_refresher_destroy(). */
enum td_status catalogue_refresher_create(const struct catalogue_refresher_config *config,
	struct catalogue_refresher **ret_refresher, struct td_err *err) TD_MUST_CHECK;

/* Before start. */
void catalogue_refresher_observe(
	struct catalogue_refresher *refresher, catalogue_changed_fn *fn, void *ctx);

/* Starts the thread; it reads at once. */
enum td_status catalogue_refresher_start(
	struct catalogue_refresher *refresher, struct td_err *err) TD_MUST_CHECK;

/* Reads now; any thread, never waits. store_changed_fn's shape. */
void catalogue_refresher_wake(void *refresher);

/* No callback runs any more when it returns. It waits for no store: a read under way is given up.
 * Before store_destroy(). */
void catalogue_refresher_stop(struct catalogue_refresher *refresher);

/* Stops it if need be. After store_destroy(), whose watcher may call catalogue_refresher_wake()
 * until then. NULL is fine. */
void catalogue_refresher_destroy(struct catalogue_refresher *refresher);

/* For health and metrics; any thread. */
struct catalogue_state {
	bool has_snapshot;
	bool degraded;      /* the last read failed, or that of the content */
	const char *source; /* static: where the content came from; NULL: never read */
	int64_t changed_ms; /* wall clock: when the content last changed; 0: never read */
	uint64_t age_ms;    /* since the last read that worked */
	size_t packages;    /* on offer */
	size_t bad_rows;    /* left out now */
	uint64_t reads, failures, swaps;
	struct td_err last_error; /* TD_OK while all is well */
};

void catalogue_refresher_get_state(
	struct catalogue_refresher *refresher, struct catalogue_state *ret_state);

#endif
