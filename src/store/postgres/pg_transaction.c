/* One transaction of writes, tried until its outcome is known. Everything goes out before the first
 * result is waited for, and the commit when all results are there: so a connection that is lost
 * before that has done nothing, and one that is lost later leaves its operations in doubt. */
#include "store/postgres/pg_sql.h"

#include <poll.h>
#include <sodium.h>

static const struct pg_write_kind *const kinds[STORE_OP_COUNT] = {
	[STORE_USER_PUT] = &pg_user_put,
	[STORE_USER_CREATE] = &pg_user_create,
	[STORE_KEY_CREATE] = &pg_key_create,
	[STORE_KEY_REVOKE] = &pg_key_revoke,
	[STORE_CATALOGUE_POPULATE] = &pg_catalogue_populate,
	[STORE_CATALOGUE_APPLY] = &pg_catalogue_apply,
	[STORE_KEPT_PUT] = &pg_kept_put,
	[STORE_SUBSCRIBE] = &pg_subscribe,
	[STORE_SUBSCRIPTION_CHANGE] = &pg_subscription_change,
	[STORE_ANSWER_KEEP] = &pg_answer_keep,
	[STORE_CHECKOUT] = &pg_checkout,
	[STORE_SESSION_CREATE] = &pg_session_create,
	[STORE_SESSION_END] = &pg_session_end,
	[STORE_THROTTLE_TAKE] = &pg_throttle_take,
	[STORE_RESET_CREATE] = &pg_reset_create,
	[STORE_RESET_USE] = &pg_reset_use,
	[STORE_SWEEP] = &pg_sweep,
	[STORE_LEASE_TAKE] = &pg_lease_take,
	[STORE_CLOCK_SET] = &pg_clock_set,
	[STORE_EVENTS_START] = &pg_events_start,
	[STORE_EVENTS_TAKE] = &pg_events_take,
	[STORE_HISTORY_TRIM] = &pg_history_trim,
};

const struct pg_write_kind *pg_write_kind(enum store_op_kind kind)
{
	return kinds[kind];
}

bool pg_may_run(const struct pg_task *t)
{
	return !t->settled && (t->op->idempotency == NULL || t->claimed);
}

void pg_take_ok(const PGresult *r, int row, struct pg_task *t)
{
	(void)r;
	(void)row;
	t->outcome = TD_OK;
}

/* ---- one transaction
 * ----------------------------------------------------------------------------------- */

static bool runs_as(const struct pg_task *t, unsigned kind)
{
	return pg_may_run(t) && t->op->kind == kind;
}

static enum td_status send_kind(const struct pg_part *p, unsigned number, bool *ret_sent)
{
	const struct pg_write_kind *kind = kinds[number];
	struct pg_columns c;
	pg_columns_begin(&c, kind->types, kind->columns);
	for (size_t i = 0; i < p->count; i++) {
		if (runs_as(&p->tasks[i], number))
			kind->put(&c, p->tasks[i].op);
	}
	*ret_sent = c.columns[0].count > 0;
	enum td_status status = *ret_sent ? pg_columns_send(p->l, kind->statement, &c) : TD_OK;
	pg_columns_done(&c);
	return status;
}

static enum td_status receive_kind(const struct pg_part *p, unsigned number)
{
	const struct pg_write_kind *kind = kinds[number];
	struct pg_task *rows[PG_BATCH_LIMIT];
	int64_t count = 0;
	for (size_t i = 0; i < p->count; i++) {
		if (!runs_as(&p->tasks[i], number))
			continue;
		p->tasks[i].outcome = kind->absent;
		rows[count++] = &p->tasks[i];
	}
	PGresult *r = NULL;
	enum td_status status = pg_receive(p->l, p->limit, &r, p->err);
	for (int row = 0; status == TD_OK && row < PQntuples(r); row++) {
		int64_t at = pg_int(r, row, 0);
		if (at >= 1 && at <= count)
			kind->take(r, row, rows[at - 1]);
	}
	PQclear(r);
	return status;
}

/* Nothing to be sent. */
static void settle_kind(const struct pg_part *p, unsigned number)
{
	for (size_t i = 0; i < p->count; i++) {
		if (runs_as(&p->tasks[i], number))
			p->tasks[i].outcome = kinds[number]->absent;
	}
}

/* All statements go out before the first result is waited for. */
static enum td_status write_shared(const struct pg_part *p)
{
	bool sent[STORE_OP_COUNT] = {false}, any = false;
	enum td_status status = TD_OK;
	for (unsigned i = 0; i < STORE_OP_COUNT && status == TD_OK; i++) {
		if (kinds[i] != NULL && kinds[i]->put != NULL)
			status = send_kind(p, i, &sent[i]);
		else if (kinds[i] != NULL && kinds[i]->run == NULL)
			settle_kind(p, i);
		any = any || sent[i];
	}
	if (status != TD_OK || !any)
		return status;
	if (!pg_push(p->l, p->limit))
		return td_err_set(p->err, TD_UNAVAILABLE, "the connection to PostgreSQL was lost");
	for (unsigned i = 0; i < STORE_OP_COUNT && status == TD_OK; i++) {
		if (sent[i])
			status = receive_kind(p, i);
	}
	return status;
}

static enum td_status write_single(const struct pg_part *p, struct pg_task *t)
{
	bool done = false;
	if (kinds[t->op->kind]->unmarked)
		return kinds[t->op->kind]->run(p->l, p->limit, t, p->err);
	enum td_status status = pg_mark_set(p->l, p->limit, t, &done, p->err);
	if (done)
		t->outcome = TD_OK;
	if (status != TD_OK || done)
		return status;
	status = kinds[t->op->kind]->run(p->l, p->limit, t, p->err);
	if (status == TD_OK && t->outcome != TD_OK)
		status = pg_mark_take_back(p->l, p->limit, t, p->err);
	return status;
}

static enum td_status write_part(const struct pg_part *p)
{
	struct pg_task *first = &p->tasks[0];
	if (kinds[first->op->kind]->run == NULL)
		return write_shared(p);
	td_assert(p->count == 1);
	return pg_may_run(first) ? write_single(p, first) : TD_OK;
}

static enum td_status recognise_repeats(const struct pg_part *p)
{
	enum td_status status = TD_OK;
	for (size_t i = 0; i < p->count && status == TD_OK; i++) {
		struct pg_task *t = &p->tasks[i];
		const struct pg_write_kind *kind = kinds[t->op->kind];
		if (t->op->tried.repeated && pg_may_run(t) && t->outcome != TD_OK &&
			kind->recognise != NULL)
			status = kind->recognise(p->l, p->limit, t, p->err);
	}
	return status;
}

/* TD_OK: it is committed, and outcomes are set. */
static enum td_status run_transaction(struct pg_part *p)
{
	enum td_status status = pg_sql_lock_wait(p->l, p->limit, p->lock_ms, p->err);
	if (status == TD_OK)
		status = pg_answers_claim(p->l, p->limit, p->tasks, p->count, p->err);
	if (status == TD_OK)
		status = write_part(p);
	if (status == TD_OK)
		status = recognise_repeats(p);
	if (status == TD_OK)
		status = pg_answers_disclaim(p->l, p->limit, p->tasks, p->count, p->err);
	if (status == TD_OK)
		status = pg_answers_fix(p->l, p->limit, p->tasks, p->count, p->err);
	/* Without memory a part was sent and no error came: a sync would commit that part. */
	if (status == TD_UNAVAILABLE || status == TD_NOMEM)
		return status;
	p->in_doubt = status == TD_OK;
	return pg_end(p->l, p->limit, status, p->err);
}

static void settle_committed(const struct pg_part *p)
{
	for (size_t i = 0; i < p->count; i++) {
		if (pg_may_run(&p->tasks[i]) && !p->tasks[i].again)
			p->tasks[i].settled = true;
	}
}

/* What nobody waits for any more is not done. True while any is left. */
static bool begin_again(struct pg_part *p)
{
	uint64_t now_ms = td_clock_mono_ns() / 1000000u;
	bool any = false;
	for (size_t i = 0; i < p->count; i++) {
		struct pg_task *t = &p->tasks[i];
		t->claimed = t->again = false;
		if (!t->settled && now_ms >= t->op->deadline_ms)
			pg_settle_all(t, 1, TD_TIMEOUT, NULL);
		any = any || !t->settled;
	}
	return any;
}

static enum td_status try_connected(struct pg_part *p)
{
	enum td_status status = pg_identify(p->l, p->limit, p->tasks, p->count, p->err);
	if (status == TD_OK)
		status = run_transaction(p);
	if (status == TD_OK) {
		p->in_doubt = false;
		settle_committed(p);
		status = pg_answers_read(p->l, p->limit, p->tasks, p->count, p->err);
	}
	if (status == TD_UNAVAILABLE || status == TD_NOMEM)
		pg_lane_drop(p->l);
	return status;
}

/* ---- until it is known
 * --------------------------------------------------------------------------------- */

/* Waits until the supervisor has the server back; false: the limit is reached, or the store is
 * stopping. The first pause keeps a loss that the supervisor has not seen yet from becoming a
 * storm. */
static bool wait_until_back(struct pg_lane *l, const struct connect_limit *limit)
{
	struct connect_limit patient = {
		.deadline_ms = limit->deadline_ms, .stop = &l->store->stopping};
	uint64_t stop_ms = atomic_load(&l->store->stop_ms);
	if (patient.deadline_ms > stop_ms)
		patient.deadline_ms = stop_ms;
	while (connect_limit_slice_ms(&patient) > 0) {
		(void)poll(NULL, 0, 20 + (int)randombytes_uniform(30));
		if (connect_supervisor_is_up(l->store->supervisor))
			return true;
	}
	return false;
}

static void note_doubt(const struct pg_part *p)
{
	for (size_t i = 0; i < p->count && p->in_doubt; i++) {
		if (pg_may_run(&p->tasks[i]))
			p->tasks[i].op->tried.repeated = true;
	}
}

/* Tries again after a loss, as long as there is time. Where the server cannot have heard of the
 * operations and is away, there is no need to wait for it. */
enum td_status pg_part_run(struct pg_part *p)
{
	enum td_status status = TD_UNAVAILABLE;
	bool sent = false;
	for (bool first = true; first || wait_until_back(p->l, p->limit); first = false) {
		if (!begin_again(p))
			return TD_OK;
		status = pg_lane_ensure(p->l, p->limit, p->err);
		sent = sent || status == TD_OK;
		p->in_doubt = false;
		if (status == TD_OK)
			status = try_connected(p);
		if (status != TD_UNAVAILABLE ||
			(!sent && !connect_supervisor_is_up(p->l->store->supervisor)))
			return status;
		note_doubt(p);
	}
	return status;
}
