#include "service/relay.h"

#include "base/alloc.h"
#include "service/errand.h"
#include "work/lock.h"
#include "work/thread.h"

#define IDLE_MS       500  /* between two looks while nothing waits */
#define AWAY_LEAST_MS 200  /* after a failure; it doubles, … */
#define AWAY_MOST_MS  5000 /* … up to this */
#define STEP_MS       100  /* a batch is what may be told in that time, … */
#define BATCH_MOST    2000 /* … but no more than this */
#define COUNT_MS      5000
#define TRIM_MS       10000
#define FILL_AT_ONCE  10000
#define TRIM_AT_ONCE  5000
#define BEHIND        10000 /* that many waiting are told of, … */
#define CAUGHT_UP     1000  /* … until there are no more than these */

struct relay {
	struct relay_config config; /* set before start, then read-only */
	struct errand records, log; /* the same */
	struct td_thread thread;
	struct td_lock lock;
	struct td_cond changed;
	bool stopping;            /* guarded by lock */
	struct relay_stats stats; /* guarded by lock */

	/* The thread's. */
	struct store_op *telling; /* taken, and to be told now; NULL: none */
	bool is_told;             /* that one */
	struct store_op *next;    /* taken meanwhile; NULL: none */
	struct store_op *told;    /* the one before, of which the records do not know yet; NULL */
	bool is_filled;           /* what was there before is in the outbox */
	bool failing, behind;
	unsigned away_ms;
	double allowed; /* events that may be told now */
	uint64_t allowed_ms, count_due_ms, trim_due_ms;
};

static uint64_t now_ms(const struct relay *r)
{
	return td_clock_mono_ms(r->config.clock);
}

/* ---- the pace: events that were not told in time may be told at once, but no more than a batch
 * ------- */

static size_t batch_most(const struct relay *r)
{
	int64_t step = r->config.rate * STEP_MS / 1000;
	return step < 1 ? 1 : step > BATCH_MOST ? BATCH_MOST : (size_t)step;
}

static size_t allowance(struct relay *r)
{
	uint64_t now = now_ms(r);
	double most = (double)batch_most(r);
	r->allowed += (double)(now - r->allowed_ms) * (double)r->config.rate / 1000;
	r->allowed_ms = now;
	if (r->allowed > most)
		r->allowed = most;
	return (size_t)r->allowed;
}

/* Until a batch may be told; 0: at once. */
static unsigned pace_ms(struct relay *r)
{
	double missing = (double)batch_most(r) - (double)allowance(r);
	return missing <= 0 ? 0 : (unsigned)(missing * 1000 / (double)r->config.rate) + 1;
}

/* ---- a batch
 * --------------------------------------------------------------------------------------------- */

static enum td_status fill_some(struct relay *r, struct td_err *err)
{
	struct store_op *op = errand_op(&r->records, STORE_EVENTS_START, 0);
	if (op != NULL)
		op->in.limit = FILL_AT_ONCE;
	enum td_status status = errand_call(&r->records, &op, err);
	r->is_filled = status == TD_OK && !op->out.more;
	store_op_free(op);
	return status;
}

static bool put_told(struct store_op *op, const struct store_op *told)
{
	size_t count = told != NULL ? told->out.history_count : 0;
	int64_t *seqs = td_arena_array(&op->arena, count + 1, sizeof(*seqs));
	for (size_t i = 0; seqs != NULL && i < count; i++)
		seqs[i] = told->out.history[i].seq;
	op->in.seqs = seqs;
	op->in.seq_count = count;
	return seqs != NULL;
}

static void note_told(struct relay *r)
{
	if (r->told == NULL)
		return;
	td_lock_take(&r->lock);
	r->stats.told += r->told->out.history_count;
	td_lock_give(&r->lock);
	store_op_free(r->told);
	r->told = NULL;
}

/* Says what was told, and takes what is next, where there is nothing yet. */
static enum td_status exchange(struct relay *r, struct td_err *err)
{
	size_t limit = r->next == NULL ? allowance(r) : 0;
	if (limit == 0 && r->told == NULL)
		return TD_OK;
	int64_t wall_ms = td_clock_wall_ms(r->config.clock);
	struct store_op *op = errand_op(&r->records, STORE_EVENTS_TAKE, wall_ms);
	if (op != NULL && !put_told(op, r->told)) {
		store_op_free(op);
		op = NULL;
	}
	if (op != NULL) {
		op->in.limit = limit;
		/* As long as telling them, and those before them, may take. */
		op->in.lease = (struct store_lease){.now_ms = wall_ms,
			.expires_at = wall_ms + 3 * (int64_t)r->config.store_timeout_ms};
	}
	enum td_status status = errand_call(&r->records, &op, err);
	if (status == TD_OK) {
		note_told(r);
		r->allowed -= (double)op->out.history_count;
	}
	if (status == TD_OK && op->out.history_count > 0)
		r->next = op;
	else
		store_op_free(op);
	return status;
}

static bool copy_events(struct store_op *op, const struct store_op *batch)
{
	size_t count = batch->out.history_count;
	struct store_history *rows = td_arena_array(&op->arena, count + 1, sizeof(*rows));
	for (size_t i = 0; rows != NULL && i < count; i++) {
		struct store_history row = batch->out.history[i];
		struct td_slice *texts[] = {&row.id, &row.subscription_id, &row.user_id,
			&row.from_package, &row.to_package, &row.currency, &row.reason, &row.actor};
		for (size_t t = 0; t < TD_ARRAY_LEN(texts); t++) {
			if (texts[t]->ptr != NULL)
				*texts[t] = td_arena_slice(&op->arena, *texts[t]);
		}
		rows[i] = row;
	}
	op->in.history = rows;
	op->in.history_count = count;
	return !op->arena.failed;
}

/* The operation may outlive the batch, so it has copies. NULL with err. */
static struct store_op *make_tell(struct relay *r, struct td_err *err)
{
	int64_t time_ms;
	if (errand_time(&r->records, &time_ms, err) != TD_OK)
		return NULL;
	struct store_op *op = errand_op(&r->log, STORE_EVENTS_TELL, time_ms);
	if (op == NULL || !copy_events(op, r->telling)) {
		store_op_free(op);
		(void)td_err_set(err, TD_NOMEM, "no memory for events");
		return NULL;
	}
	op->in.ttl_ms = r->config.ttl_ms;
	return op;
}

/* Tells one batch, and has the next when that is done. */
static enum td_status tell(struct relay *r, struct td_err *err)
{
	struct td_err other = TD_ERR_INIT;
	struct store_waiting *waiting = NULL;
	struct store_op *op = make_tell(r, err);
	if (op == NULL)
		return err->code;
	enum td_status status = store_begin(r->config.log, op, &waiting, err);
	enum td_status exchanged = exchange(r, &other);
	if (status == TD_OK) {
		status = store_await(waiting, &op, err);
		r->is_told = status == TD_OK;
	}
	store_op_free(op);
	if (status == TD_OK && exchanged != TD_OK)
		*err = other;
	return status == TD_OK ? exchanged : status;
}

static void move_up(struct relay *r)
{
	if (r->is_told && r->told == NULL) {
		r->told = r->telling;
		r->telling = NULL;
		r->is_told = false;
	}
	if (r->telling == NULL) {
		r->telling = r->next;
		r->next = NULL;
	}
}

/* *ret_idle: nothing waited. */
static enum td_status carry(struct relay *r, bool *ret_idle, struct td_err *err)
{
	bool tells = r->telling != NULL && !r->is_told;
	enum td_status status = tells ? tell(r, err) : exchange(r, err);
	move_up(r);
	*ret_idle = r->telling == NULL && r->told == NULL;
	return status;
}

/* ---- from time to time
 * ------------------------------------------------------------------------------------ */

static void note_count(struct relay *r, const struct store_events *events, int64_t time_ms)
{
	int64_t age_ms = events->oldest_ms > 0 ? time_ms - events->oldest_ms : 0;
	td_lock_take(&r->lock);
	r->stats.events = *events;
	r->stats.oldest_age_ms = age_ms > 0 ? age_ms : 0;
	td_lock_give(&r->lock);
	bool behind = r->behind ? events->waiting > CAUGHT_UP : events->waiting >= BEHIND;
	if (behind != r->behind)
		r->config.report(
			r->config.ctx, behind ? RELAY_BEHIND : RELAY_CAUGHT_UP, events, NULL);
	r->behind = behind;
}

static enum td_status count(struct relay *r, struct td_err *err)
{
	int64_t time_ms;
	if (now_ms(r) < r->count_due_ms)
		return TD_OK;
	r->count_due_ms = now_ms(r) + COUNT_MS;
	enum td_status status = errand_time(&r->records, &time_ms, err);
	if (status != TD_OK)
		return status;
	struct store_op *op = errand_op(&r->records, STORE_EVENTS_COUNT, 0);
	status = errand_call(&r->records, &op, err);
	if (status == TD_OK)
		note_count(r, &op->out.events, time_ms);
	store_op_free(op);
	return status;
}

static enum td_status trim_some(struct relay *r, int64_t due_ms, bool *ret_more, struct td_err *err)
{
	struct store_op *op = errand_op(&r->records, STORE_HISTORY_TRIM, 0);
	if (op != NULL) {
		op->in.due_ms = due_ms;
		op->in.limit = TRIM_AT_ONCE;
	}
	enum td_status status = errand_call(&r->records, &op, err);
	*ret_more = status == TD_OK && op->out.more;
	if (status == TD_OK) {
		td_lock_take(&r->lock);
		r->stats.trimmed += op->out.swept;
		td_lock_give(&r->lock);
	}
	store_op_free(op);
	return status;
}

static enum td_status trim(struct relay *r, struct td_err *err)
{
	int64_t time_ms;
	if (r->config.keep_ms <= 0 || now_ms(r) < r->trim_due_ms)
		return TD_OK;
	bool more = false;
	enum td_status status = errand_time(&r->records, &time_ms, err);
	if (status == TD_OK)
		status = trim_some(r, time_ms - r->config.keep_ms, &more, err);
	/* One range in a round: there may be many, and events are told in between. */
	if (!more)
		r->trim_due_ms = now_ms(r) + TRIM_MS;
	return status;
}

/* There is more of it at once. */
static bool is_trimming(const struct relay *r)
{
	return r->config.keep_ms > 0 && now_ms(r) >= r->trim_due_ms;
}

/* ---- the thread
 * ------------------------------------------------------------------------------------------- */

/* Gives how long to wait then. */
static enum td_status round_once(struct relay *r, unsigned *ret_wait_ms, struct td_err *err)
{
	bool idle = false;
	enum td_status status = count(r, err);
	if (status == TD_OK && !r->is_filled)
		status = fill_some(r, err);
	if (status == TD_OK)
		status = carry(r, &idle, err);
	if (status == TD_OK)
		status = trim(r, err);
	if (status == TD_OK)
		*ret_wait_ms = idle && r->is_filled && !is_trimming(r) ? IDLE_MS : pace_ms(r);
	return status;
}

/* That a store is away it says itself, but who reads that of the log shall know what waits. */
static void note_outcome(struct relay *r, enum td_status status, const struct td_err *err)
{
	bool failed = status != TD_OK;
	bool tells = r->told != NULL;
	td_lock_take(&r->lock);
	r->stats.failures += failed;
	td_lock_give(&r->lock);
	/* That events could be taken, or that there were none, is no sign that they can be told. */
	if (r->failing && !failed && !tells)
		return;
	if (failed != r->failing && status != TD_STOPPING)
		r->config.report(r->config.ctx, failed ? RELAY_FAILING : RELAY_WORKS, NULL,
			failed ? err : NULL);
	r->failing = failed;
}

/* False: the end. */
static bool pause_for(struct relay *r, unsigned wait_ms)
{
	uint64_t until_ns = td_clock_mono_ns() + wait_ms * UINT64_C(1000000);
	bool in_time = true;
	td_lock_take(&r->lock);
	while (!r->stopping && in_time)
		in_time = td_cond_wait_until(&r->changed, &r->lock, until_ns);
	bool goes_on = !r->stopping;
	td_lock_give(&r->lock);
	return goes_on;
}

static unsigned wait_after(struct relay *r, enum td_status status, unsigned wait_ms)
{
	if (status == TD_OK) {
		r->away_ms = 0;
		return wait_ms;
	}
	r->away_ms = r->away_ms == 0 ? AWAY_LEAST_MS : r->away_ms * 2;
	if (r->away_ms > AWAY_MOST_MS)
		r->away_ms = AWAY_MOST_MS;
	return r->away_ms;
}

static void run(void *ctx)
{
	struct relay *r = ctx;
	unsigned wait_ms = 0;
	do {
		struct td_err err = TD_ERR_INIT;
		enum td_status status = round_once(r, &wait_ms, &err);
		note_outcome(r, status, &err);
		wait_ms = wait_after(r, status, wait_ms);
	} while (pause_for(r, wait_ms));
}

static void free_all(struct relay *r)
{
	store_op_free(r->telling);
	store_op_free(r->next);
	store_op_free(r->told);
	td_cond_done(&r->changed);
	td_lock_done(&r->lock);
	td_free(r);
}

enum td_status relay_create(
	const struct relay_config *config, struct relay **ret_relay, struct td_err *err)
{
	struct relay *r = td_alloc_zero(sizeof(*r));
	if (r == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for the relay of events");
	r->config = *config;
	r->records = (struct errand){.store = config->records,
		.clock = config->clock,
		.store_timeout_ms = config->store_timeout_ms,
		.has_test_clock = config->has_test_clock};
	r->log = r->records;
	r->log.store = config->log;
	r->allowed_ms = now_ms(r);
	td_lock_init(&r->lock);
	td_cond_init(&r->changed);
	enum td_status status = td_thread_start(&r->thread, "relay", run, r, err);
	if (status != TD_OK) {
		free_all(r);
		return status;
	}
	*ret_relay = r;
	return TD_OK;
}

void relay_destroy(struct relay *r)
{
	if (r == NULL)
		return;
	td_lock_take(&r->lock);
	r->stopping = true;
	td_cond_wake_all(&r->changed);
	td_lock_give(&r->lock);
	td_thread_join(&r->thread);
	free_all(r);
}

void relay_get_stats(struct relay *r, struct relay_stats *ret_stats)
{
	td_lock_take(&r->lock);
	*ret_stats = r->stats;
	td_lock_give(&r->lock);
}
