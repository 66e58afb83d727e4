#include "catalogue/refresh.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "catalogue/desk.h"
#include "catalogue/reading.h"
#include "store/bad_rows.h"
#include "work/lock.h"
#include "work/thread.h"

#include <string.h>

/* However often the store calls, reads begin this far apart at least. */
#define GAP_MOST_MS 100
/* After a failure, and before the first success, the next try comes at least this soon. */
#define RETRY_MOST_MS 500

struct observer {
	catalogue_changed_fn *fn;
	void *ctx;
};

struct catalogue_refresher {
	struct catalogue_refresher_config config;
	struct observer observers[CATALOGUE_OBSERVERS_MOST];
	size_t observer_count;
	struct desk *desk;
	struct td_thread thread;
	bool started, stopped;

	/* Only the thread's. */
	struct reading reading;
	uint8_t digest[TD_SHA256_SIZE];
	bool has_digest;
	struct store_bad_seen bad_seen;

	struct td_lock lock;
	struct catalogue_state state; /* guarded by lock; age_ms is not kept */
	uint64_t read_ms;             /* guarded by lock: mono, of the last read that worked */
};

enum td_status catalogue_refresher_create(const struct catalogue_refresher_config *config,
	struct catalogue_refresher **ret_refresher, struct td_err *err)
{
	struct catalogue_refresher *r = td_alloc_zero(sizeof(*r));
	struct desk *desk = desk_create();
	if (r == NULL || desk == NULL) {
		td_free(r);
		if (desk != NULL)
			desk_unref(desk);
		return td_err_set(err, TD_NOMEM, "no memory for the catalogue's refresher");
	}
	r->config = *config;
	r->desk = desk;
	r->reading = (struct reading){
		.records = config->store,
		.content = config->content,
		.clock = config->clock,
		.store_timeout_ms = config->store_timeout_ms,
		.desk = desk,
		.source = config->source,
		.kept_source = config->kept_source,
	};
	td_lock_init(&r->lock);
	store_set_changed(config->store, catalogue_refresher_wake, r);
	if (config->content != NULL)
		store_set_changed(config->content, catalogue_refresher_wake, r);
	*ret_refresher = r;
	return TD_OK;
}

void catalogue_refresher_observe(
	struct catalogue_refresher *refresher, catalogue_changed_fn *fn, void *ctx)
{
	td_assert(!refresher->started && refresher->observer_count < CATALOGUE_OBSERVERS_MOST);
	refresher->observers[refresher->observer_count++] = (struct observer){fn, ctx};
}

void catalogue_refresher_wake(void *refresher)
{
	struct catalogue_refresher *r = refresher;
	desk_wake(r->desk);
}

/* ---- what is told */

static void report_bad_row(void *ctx, const struct store_bad_row *row)
{
	const struct catalogue_refresher *r = ctx;
	if (r->config.report != NULL)
		r->config.report(r->config.report_ctx, row, NULL);
}

static void note_failure(struct catalogue_refresher *r, const struct td_err *err)
{
	td_lock_take(&r->lock);
	bool first = !r->state.degraded;
	r->state.degraded = true;
	r->state.failures++;
	r->state.last_error = *err;
	td_lock_give(&r->lock);
	if (first && r->config.report != NULL)
		r->config.report(r->config.report_ctx, NULL, err);
}

static void note_success(struct catalogue_refresher *r, const struct store_op *op)
{
	td_lock_take(&r->lock);
	bool was_degraded = r->state.degraded;
	r->state.degraded = false;
	r->state.bad_rows = op->out.bad_row_count;
	r->state.last_error = (struct td_err)TD_ERR_INIT;
	r->read_ms = td_clock_mono_ms(r->config.clock);
	td_lock_give(&r->lock);
	if (was_degraded && r->config.report != NULL)
		r->config.report(r->config.report_ctx, NULL, NULL);
}

static void note_swap(struct catalogue_refresher *r, size_t packages)
{
	td_lock_take(&r->lock);
	r->state.has_snapshot = true;
	r->state.packages = packages;
	r->state.swaps++;
	r->state.changed_ms = td_clock_wall_ms(r->config.clock);
	td_lock_give(&r->lock);
}

/* ---- reading */

static enum td_status publish(struct catalogue_refresher *r, const struct store_catalogue *rows,
	const uint8_t digest[TD_SHA256_SIZE], struct td_err *err)
{
	struct catalogue_snapshot *snapshot;
	enum td_status status = catalogue_snapshot_create(rows, &snapshot, err);
	if (status != TD_OK)
		return status;
	size_t packages;
	(void)catalogue_snapshot_list(snapshot, &packages);
	/* Before the observers: whoever is told that there is one finds it. */
	catalogue_holder_swap(r->config.holder, catalogue_snapshot_ref(snapshot));
	for (size_t i = 0; i < r->observer_count; i++)
		r->observers[i].fn(r->observers[i].ctx, snapshot);
	catalogue_snapshot_unref(snapshot);
	memcpy(r->digest, digest, TD_SHA256_SIZE);
	r->has_digest = true;
	note_swap(r, packages);
	return TD_OK;
}

static enum td_status take_rows(
	struct catalogue_refresher *r, const struct store_op *op, struct td_err *err)
{
	uint8_t digest[TD_SHA256_SIZE];
	if (!catalogue_rows_digest(&op->out.catalogue, digest))
		return td_err_set(err, TD_NOMEM, "no memory to compare the catalogue");
	if (r->has_digest && memcmp(digest, r->digest, TD_SHA256_SIZE) == 0)
		return TD_OK;
	return publish(r, &op->out.catalogue, digest, err);
}

static void note_source(struct catalogue_refresher *r, const char *source)
{
	td_lock_take(&r->lock);
	r->state.source = source;
	td_lock_give(&r->lock);
}

/* It is served all the same, so this is no failure. */
static void keep(struct catalogue_refresher *r)
{
	struct td_err err = TD_ERR_INIT;
	enum td_status status = reading_keep(&r->reading, &err);
	if (status == TD_INVALID && r->config.not_kept != NULL)
		r->config.not_kept(r->config.report_ctx, &err);
}

/* True: what is served now is what the store says. */
static bool refresh(struct catalogue_refresher *r)
{
	struct td_err err = TD_ERR_INIT;
	struct reading_result result;
	td_lock_take(&r->lock);
	r->state.reads++;
	td_lock_give(&r->lock);
	enum td_status status = reading_run(&r->reading, &result, &err);
	if (status == TD_STOPPING) {
		store_op_free(result.op);
		return false;
	}
	bool worked = status == TD_OK;
	if (result.op != NULL) {
		note_source(r, result.source);
		worked = take_rows(r, result.op, &err) == TD_OK && worked;
	}
	if (worked) {
		note_success(r, result.op);
		store_bad_rows_tell(&r->bad_seen, result.op, report_bad_row, r);
		keep(r);
	} else {
		note_failure(r, &err);
	}
	store_op_free(result.op);
	return worked;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void run(void *ctx)
{
	struct catalogue_refresher *r = ctx;
	/* A little less than was promised, for reading and building take their time too. */
	uint64_t period = (uint64_t)r->config.refresh_ms * 4 / 5 + 1;
	uint64_t gap = least(GAP_MOST_MS, period / 4), retry = least(RETRY_MOST_MS, period);
	uint64_t earliest = 0, latest = 0;
	while (desk_wait(r->desk, earliest, latest)) {
		uint64_t begun = td_clock_mono_ns();
		bool worked = refresh(r);
		/* A read that took long ends in the next one at once, but never without a gap. */
		latest = begun + (worked ? period : retry) * 1000000;
		earliest = td_clock_mono_ns() + gap * 1000000;
		if (latest < earliest)
			latest = earliest;
	}
}

/* ---- the life of it */

enum td_status catalogue_refresher_start(struct catalogue_refresher *refresher, struct td_err *err)
{
	enum td_status status = td_thread_start(
		&refresher->thread, "catalogue", run, refresher, err);
	refresher->started = status == TD_OK;
	return status;
}

void catalogue_refresher_stop(struct catalogue_refresher *refresher)
{
	if (refresher->stopped)
		return;
	store_set_changed(refresher->config.store, NULL, NULL);
	if (refresher->config.content != NULL)
		store_set_changed(refresher->config.content, NULL, NULL);
	desk_stop(refresher->desk);
	if (refresher->started)
		td_thread_join(&refresher->thread);
	refresher->stopped = true;
}

void catalogue_refresher_destroy(struct catalogue_refresher *refresher)
{
	if (refresher == NULL)
		return;
	catalogue_refresher_stop(refresher);
	desk_unref(refresher->desk);
	td_lock_done(&refresher->lock);
	store_bad_seen_done(&refresher->bad_seen);
	reading_done(&refresher->reading);
	td_free(refresher);
}

void catalogue_refresher_get_state(
	struct catalogue_refresher *refresher, struct catalogue_state *ret_state)
{
	uint64_t now = td_clock_mono_ms(refresher->config.clock);
	td_lock_take(&refresher->lock);
	*ret_state = refresher->state;
	uint64_t read_ms = refresher->read_ms;
	td_lock_give(&refresher->lock);
	ret_state->age_ms = ret_state->has_snapshot && now > read_ms ? now - read_ms : 0;
}
