/* A batch of writes: one transaction, one statement for each kind. What a row says about it (the
 * address is taken, the key was used) comes back as a row. Rules:
 *  1. a transaction holds each name once: what would be there twice waits for the next;
 *  2. after an error nothing of the transaction is committed; its operations run again in smaller
 * and smaller parts, so one that cannot work does not harm the others;
 *  3. when the connection is lost while the commit was under way, whether it was done is unknown:
 * the same operations are repeated under their own identifiers, which the database lets in once.
 * Before that nothing was done. */
#include "store/postgres/pg_write.h"

#include <poll.h>
#include <sodium.h>

#define CONFLICTS_MOST 5

static const struct pg_write_kind *const kinds[STORE_OP_COUNT] = {
	[STORE_USER_PUT] = &pg_user_put,
	[STORE_USER_CREATE] = &pg_user_create,
	[STORE_KEY_CREATE] = &pg_key_create,
	[STORE_KEY_REVOKE] = &pg_key_revoke,
	[STORE_CATALOGUE_POPULATE] = &pg_catalogue_populate,
	[STORE_CATALOGUE_APPLY] = &pg_catalogue_apply,
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

/* The operations that a transaction is for. */
struct part {
	struct pg_lane *l;
	const struct connect_limit *limit;
	struct pg_task *tasks;
	size_t count;
	struct td_err *err;
	bool in_doubt; /* it may be committed: a loss from now on leaves that unknown */
};

static bool runs_as(const struct pg_task *t, unsigned kind)
{
	return pg_may_run(t) && t->op->kind == kind;
}

static enum td_status send_kind(const struct part *p, unsigned number, bool *ret_sent)
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

static enum td_status receive_kind(const struct part *p, unsigned number)
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
static void settle_kind(const struct part *p, unsigned number)
{
	for (size_t i = 0; i < p->count; i++) {
		if (runs_as(&p->tasks[i], number))
			p->tasks[i].outcome = kinds[number]->absent;
	}
}

/* All statements go out before the first result is waited for. */
static enum td_status write_shared(const struct part *p)
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

static enum td_status write_single(const struct part *p, struct pg_task *t)
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

static enum td_status write_part(const struct part *p)
{
	struct pg_task *first = &p->tasks[0];
	if (kinds[first->op->kind]->run == NULL)
		return write_shared(p);
	td_assert(p->count == 1);
	return pg_may_run(first) ? write_single(p, first) : TD_OK;
}

static enum td_status recognise_repeats(const struct part *p)
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
static enum td_status run_transaction(struct part *p)
{
	enum td_status status = pg_answers_claim(p->l, p->limit, p->tasks, p->count, p->err);
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

static void settle_committed(const struct part *p)
{
	for (size_t i = 0; i < p->count; i++) {
		if (pg_may_run(&p->tasks[i]) && !p->tasks[i].again)
			p->tasks[i].settled = true;
	}
}

static enum td_status try_connected(struct part *p)
{
	for (size_t i = 0; i < p->count; i++)
		p->tasks[i].claimed = p->tasks[i].again = false;
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
	while (connect_limit_slice_ms(&patient) > 0) {
		(void)poll(NULL, 0, 20 + (int)randombytes_uniform(30));
		if (connect_supervisor_is_up(l->store->supervisor))
			return true;
	}
	return false;
}

static void note_doubt(const struct part *p)
{
	for (size_t i = 0; i < p->count && p->in_doubt; i++) {
		if (pg_may_run(&p->tasks[i]))
			p->tasks[i].op->tried.repeated = true;
	}
}

/* Tries again after a loss, as long as there is time. Where nobody can have heard of the operations
 * while the server is away, there is no need to wait for it. */
static enum td_status try_until_known(struct part *p)
{
	enum td_status status = TD_UNAVAILABLE;
	bool sent = false;
	for (bool first = true; first || wait_until_back(p->l, p->limit); first = false) {
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

static void run_alone(struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t)
{
	struct td_err err = TD_ERR_INIT;
	struct part p = {.l = l, .limit = limit, .tasks = t, .count = 1, .err = &err};
	enum td_status status = TD_CONFLICT;
	for (unsigned i = 0; i < CONFLICTS_MOST && !t->settled; i++) {
		status = try_until_known(&p);
		if (status != TD_OK && status != TD_CONFLICT)
			break;
	}
	if (!t->settled)
		pg_settle_all(t, 1, status == TD_OK || status == TD_CONFLICT ? TD_TIMEOUT : status,
			status == TD_EXISTS ? NULL : &err);
}

static void run_some(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *tasks, size_t count)
{
	struct td_err err = TD_ERR_INIT;
	struct part p = {.l = l, .limit = limit, .tasks = tasks, .count = count, .err = &err};
	enum td_status status = try_until_known(&p);
	if (status == TD_UNAVAILABLE || status == TD_NOMEM)
		pg_settle_all(tasks, count, status, &err);
}

/* Moves those that are not settled to the front and returns how many. */
static size_t keep_unsettled(struct pg_task *tasks, size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		if (tasks[i].settled)
			continue;
		struct pg_task task = tasks[i];
		tasks[i] = tasks[kept];
		tasks[kept++] = task;
	}
	return kept;
}

/* In one transaction; what fails, in two of half the size, and so on. */
static void run_together(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *tasks, size_t count)
{
	for (size_t size = count; size > 1 && count > 0; size = (size + 1) / 2) {
		for (size_t at = 0; at < count; at += size)
			run_some(l, limit, tasks + at, count - at < size ? count - at : size);
		count = keep_unsettled(tasks, count);
	}
	for (size_t i = 0; i < count; i++)
		run_alone(l, limit, &tasks[i]);
}

static struct pg_task task_of(struct lane_job *job)
{
	struct store_op *op = TD_CONTAINER_OF(job, struct store_op, job);
	struct pg_task t = {.op = op, .outcome = TD_INTERNAL};
	t.settled = kinds[op->kind] == NULL;
	if (t.settled)
		(void)td_err_set(&op->err, TD_INTERNAL, "PostgreSQL's store has no %s",
			store_op_name(op->kind));
	return t;
}

void pg_run_writes(void *ctx, struct lane_job **jobs, size_t count)
{
	struct pg_lane *l = ctx;
	struct pg_task tasks[PG_BATCH_LIMIT];
	struct connect_limit limit = pg_batch_limit(l, jobs, count);
	for (size_t i = 0; i < count; i++)
		tasks[i] = task_of(jobs[i]);
	size_t left = keep_unsettled(tasks, count);
	for (size_t done = 0; done < left;) {
		size_t picked = pg_clash_pick(l->store, tasks + done, left - done);
		run_together(l, &limit, tasks + done, picked);
		pg_note_use(l, &limit, tasks + done, picked);
		done += picked;
	}
	pg_finish_all(tasks, count);
}
