#include "service/sweeper.h"

#include "app/selling.h"
#include "base/alloc.h"
#include "base/uuid.h"
#include "service/errand.h"
#include "store/bad_rows.h"
#include "work/lock.h"
#include "work/thread.h"

#define ROUND_MS        1000
#define EXPIRED_MS      60000u /* how often what has expired is looked for */
#define EXPIRED_AT_ONCE 1000
#define LEASE_MS        10000
/* What one commit takes at most, about: subscriptions, and rows of history. Others wait for it. */
#define BATCH      256
#define BATCH_ROWS 1024
/* Subscriptions that cannot be rolled stay the first in the queue, so as many more are asked for.
 */
#define STUCK_MOST 2000

struct sweeper {
	struct sweeper_config config; /* set before start, then read-only */
	struct errand errand;         /* the same */
	char owner[TD_UUID_TEXT_SIZE];
	struct td_thread thread;
	struct td_lock lock;
	struct td_cond changed;
	bool stopping;              /* guarded by lock */
	struct sweeper_stats stats; /* guarded by lock */

	/* The thread's. */
	bool failing, has_lease;
	uint64_t expired_due_ms;
	size_t stuck;                   /* of the last look */
	struct td_err row_err;          /* the first of this round that concerns one row */
	struct store_bad_seen bad_seen; /* owned */
};

static bool is_stopping(struct sweeper *s)
{
	td_lock_take(&s->lock);
	bool stopping = s->stopping;
	td_lock_give(&s->lock);
	return stopping;
}

/* ---- one at a time
 * ------------------------------------------------------------------------------------- */

static struct store_op *make_lease_op(struct sweeper *s, int64_t lasts_ms)
{
	int64_t now_ms = td_clock_wall_ms(s->config.clock);
	struct store_op *op = errand_op(&s->errand, STORE_LEASE_TAKE, now_ms);
	if (op == NULL)
		return NULL;
	op->in.lease = (struct store_lease){.name = TD_SLICE("sweeper"),
		.owner = td_arena_slice(&op->arena, td_slice_str(s->owner)),
		.now_ms = now_ms,
		.expires_at = now_ms + lasts_ms};
	if (!op->arena.failed)
		return op;
	store_op_free(op);
	return NULL;
}

static enum td_status take_lease(struct sweeper *s, struct td_err *err)
{
	enum td_status status = errand_run(&s->errand, make_lease_op(s, LEASE_MS), err);
	s->has_lease = status == TD_OK;
	return status;
}

static void ignore_outcome(struct store_op *op, enum td_status status)
{
	(void)op;
	(void)status;
}

/* So that whoever goes on need not wait until it expires. Nobody waits for this. */
static void give_lease_back(struct sweeper *s)
{
	struct store_op *op = s->has_lease ? make_lease_op(s, 0) : NULL;
	if (op == NULL)
		return;
	op->done = ignore_outcome;
	op->release = store_op_free;
	if (store_submit(s->config.store, op) != TD_OK)
		store_op_free(op);
}

/* ---- a batch of subscriptions
 * ---------------------------------------------------------------------------- */

/* Operations that are out. */
struct batch {
	size_t tried, rows; /* the sweeper's thread's */
	struct td_lock lock;
	struct td_cond released;
	size_t out, done, conflicts; /* guarded by lock */
	struct td_err row_err;       /* the first failure of one row; guarded by lock */
	struct td_err store_err;     /* the first of any other kind; guarded by lock */
};

static void note_failure(struct batch *b, const struct store_op *op, enum td_status status)
{
	struct td_err *err = errand_is_of_the_store(status) ? &b->store_err : &b->row_err;
	bool has_words = status != TD_TIMEOUT && op->err.text[0] != '\0';
	if (err->code == TD_OK)
		(void)td_err_set(err, status, "subscription %.*s: %s",
			TD_SLICE_ARG(op->in.subscription->id),
			has_words ? op->err.text : td_status_words(status));
}

static void note_outcome(struct store_op *op, enum td_status status)
{
	struct batch *b = op->owner;
	td_lock_take(&b->lock);
	if (status == TD_OK)
		b->done++;
	else if (status == TD_CONFLICT)
		b->conflicts++;
	else
		note_failure(b, op, status);
	td_lock_give(&b->lock);
}

static void note_release(struct store_op *op)
{
	struct batch *b = op->owner;
	store_op_free(op);
	td_lock_take(&b->lock);
	b->out--;
	td_cond_wake_all(&b->released);
	td_lock_give(&b->lock);
}

static void submit(struct sweeper *s, struct batch *b, struct store_op *op)
{
	op->deadline_ms = td_clock_mono_ms(s->config.clock) + s->config.store_timeout_ms;
	op->done = note_outcome;
	op->release = note_release;
	op->owner = b;
	td_lock_take(&b->lock);
	b->out++;
	td_lock_give(&b->lock);
	enum td_status status = store_submit(s->config.store, op);
	if (status == TD_OK)
		return;
	note_outcome(op, status);
	note_release(op);
}

/* What the row becomes, in an operation that has copies of it all. */
static enum td_status submit_roll(struct sweeper *s, struct batch *b,
	const struct store_subscription *row, int64_t now_ms, struct td_err *err)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct app_flow flow = {.arena = &arena, .now_ms = now_ms};
	struct app_change change;
	app_change_begin(&change, &arena, row, TD_SLICE("system"));
	bool ready = app_subscription_roll(&change, now_ms) == APP_RULE_OK;
	/* One whose next period no calendar has stays as it is. */
	if (ready && change.count > 0)
		ready = app_flow_write(&flow, &change);
	b->tried++;
	b->rows += change.count;
	td_arena_done(&arena);
	if (!ready) {
		store_op_free(flow.op);
		return td_err_set(err, TD_NOMEM, "no memory for a subscription");
	}
	if (flow.op != NULL)
		submit(s, b, flow.op);
	return TD_OK;
}

static void wait_for_all(struct batch *b)
{
	td_lock_take(&b->lock);
	while (b->out > 0)
		td_cond_wait(&b->released, &b->lock);
	td_lock_give(&b->lock);
}

static void note_batch(struct sweeper *s, const struct batch *b, size_t left_out)
{
	size_t stuck = b->tried - b->done + left_out;
	s->stuck = stuck < STUCK_MOST ? stuck : STUCK_MOST;
	if (s->row_err.code == TD_OK)
		s->row_err = b->row_err;
	td_lock_take(&s->lock);
	s->stats.rolled += b->done;
	s->stats.conflicts += b->conflicts;
	s->stats.stuck = stuck;
	td_lock_give(&s->lock);
}

/* *ret_more: there may be others that can be rolled. */
static enum td_status roll_batch(struct sweeper *s, const struct store_op *due, int64_t now_ms,
	bool *ret_more, struct td_err *err)
{
	struct batch b = {.tried = 0};
	size_t count = due->out.subscription_count, left_out = due->out.left_out;
	enum td_status status = TD_OK;
	td_lock_init(&b.lock);
	td_cond_init(&b.released);
	while (status == TD_OK && b.tried < count && b.rows < BATCH_ROWS)
		status = submit_roll(s, &b, &due->out.subscriptions[b.tried], now_ms, err);
	wait_for_all(&b);
	note_batch(s, &b, left_out);
	bool sees_further = count + left_out == due->in.limit && BATCH + s->stuck > due->in.limit;
	*ret_more = b.done > 0 || sees_further;
	if (status == TD_OK && b.store_err.code != TD_OK) {
		status = b.store_err.code;
		*err = b.store_err;
	}
	td_cond_done(&b.released);
	td_lock_done(&b.lock);
	return status;
}

static void tell_bad_row(void *ctx, const struct store_bad_row *row)
{
	const struct sweeper *s = ctx;
	s->config.report(s->config.ctx, row, NULL);
}

static enum td_status roll_some(
	struct sweeper *s, int64_t now_ms, bool *ret_more, struct td_err *err)
{
	struct store_op *due = errand_op(&s->errand, STORE_SUBSCRIPTION_DUE, now_ms);
	if (due == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for subscriptions");
	due->in.due_ms = now_ms;
	due->in.limit = BATCH + s->stuck;
	enum td_status status = store_call(s->config.store, &due, err);
	if (status == TD_OK)
		store_bad_rows_tell(&s->bad_seen, due, tell_bad_row, s);
	if (status == TD_OK && due->out.subscription_count > 0)
		status = take_lease(s, err);
	if (status == TD_OK)
		status = roll_batch(s, due, now_ms, ret_more, err);
	store_op_free(due);
	return status;
}

/* Until none is due that can be rolled. TD_CONFLICT: another process is at it. */
static enum td_status roll_due(struct sweeper *s, int64_t now_ms, struct td_err *err)
{
	enum td_status status = TD_OK;
	for (bool more = true; status == TD_OK && more && !is_stopping(s);) {
		more = false;
		status = roll_some(s, now_ms, &more, err);
	}
	return status;
}

/* ---- what has expired
 * ----------------------------------------------------------------------------------- */

static enum td_status delete_some(
	struct sweeper *s, int64_t now_ms, bool *ret_more, struct td_err *err)
{
	struct store_op *op = errand_op(&s->errand, STORE_SWEEP, now_ms);
	if (op == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for a sweep");
	op->in.limit = EXPIRED_AT_ONCE;
	enum td_status status = store_call(s->config.store, &op, err);
	if (status == TD_OK) {
		*ret_more = op->out.swept >= EXPIRED_AT_ONCE;
		td_lock_take(&s->lock);
		s->stats.deleted += op->out.swept;
		td_lock_give(&s->lock);
	}
	store_op_free(op);
	return status;
}

static enum td_status delete_expired(struct sweeper *s, int64_t now_ms, struct td_err *err)
{
	uint64_t mono_ms = td_clock_mono_ms(s->config.clock);
	if (mono_ms < s->expired_due_ms)
		return TD_OK;
	enum td_status status = take_lease(s, err);
	/* Whoever has the lease may have died with it. */
	s->expired_due_ms = mono_ms + (status == TD_CONFLICT ? LEASE_MS : EXPIRED_MS);
	for (bool more = true; status == TD_OK && more && !is_stopping(s);) {
		more = false;
		status = delete_some(s, now_ms, &more, err);
	}
	return status;
}

/* ---- the thread
 * ----------------------------------------------------------------------------------------- */

static enum td_status sweep_once(struct sweeper *s, struct td_err *err)
{
	int64_t now_ms;
	s->row_err = (struct td_err)TD_ERR_INIT;
	enum td_status status = errand_time(&s->errand, &now_ms, err);
	if (status == TD_OK)
		status = roll_due(s, now_ms, err);
	if (status == TD_OK)
		status = delete_expired(s, now_ms, err);
	if ((status == TD_OK || status == TD_CONFLICT) && s->row_err.code != TD_OK) {
		*err = s->row_err;
		return s->row_err.code;
	}
	return status == TD_CONFLICT ? TD_OK : status;
}

static void tell(struct sweeper *s, enum td_status status, const struct td_err *err)
{
	bool failed = status != TD_OK;
	td_lock_take(&s->lock);
	if (failed)
		s->stats.failures++;
	else
		s->stats.last_ms = td_clock_wall_ms(s->config.clock);
	td_lock_give(&s->lock);
	/* That the store is away, or has much to do, is told by the store. */
	if (failed != s->failing && !errand_is_of_the_store(status)) {
		s->failing = failed;
		s->config.report(s->config.ctx, NULL, failed ? err : NULL);
	}
}

static bool pause_a_round(struct sweeper *s)
{
	uint64_t until_ns = td_clock_mono_ns() + s->config.round_ms * UINT64_C(1000000);
	bool in_time = true;
	td_lock_take(&s->lock);
	while (!s->stopping && in_time)
		in_time = td_cond_wait_until(&s->changed, &s->lock, until_ns);
	bool go_on = !s->stopping;
	td_lock_give(&s->lock);
	return go_on;
}

static void sweep(void *ctx)
{
	struct sweeper *s = ctx;
	do {
		struct td_err err = TD_ERR_INIT;
		enum td_status status = sweep_once(s, &err);
		tell(s, status, &err);
	} while (pause_a_round(s));
	give_lease_back(s);
}

enum td_status sweeper_create(
	const struct sweeper_config *config, struct sweeper **ret_sweeper, struct td_err *err)
{
	struct sweeper *s = td_alloc_zero(sizeof(*s));
	if (s == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for the sweeper");
	s->config = *config;
	s->errand = (struct errand){.store = config->store,
		.clock = config->clock,
		.store_timeout_ms = config->store_timeout_ms,
		.has_test_clock = config->has_test_clock};
	if (s->config.round_ms == 0)
		s->config.round_ms = ROUND_MS;
	td_uuid_v7(td_clock_wall_ms(config->clock), s->owner);
	td_lock_init(&s->lock);
	td_cond_init(&s->changed);
	enum td_status status = td_thread_start(&s->thread, "sweeper", sweep, s, err);
	if (status != TD_OK) {
		td_cond_done(&s->changed);
		td_lock_done(&s->lock);
		td_free(s);
		return status;
	}
	*ret_sweeper = s;
	return TD_OK;
}

void sweeper_destroy(struct sweeper *s)
{
	if (s == NULL)
		return;
	td_lock_take(&s->lock);
	s->stopping = true;
	td_cond_wake_all(&s->changed);
	td_lock_give(&s->lock);
	td_thread_join(&s->thread);
	store_bad_seen_done(&s->bad_seen);
	td_cond_done(&s->changed);
	td_lock_done(&s->lock);
	td_free(s);
}

void sweeper_get_stats(struct sweeper *s, struct sweeper_stats *ret_stats)
{
	td_lock_take(&s->lock);
	*ret_stats = s->stats;
	td_lock_give(&s->lock);
}
