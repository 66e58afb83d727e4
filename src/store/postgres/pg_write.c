/* A batch of writes: one transaction, one statement for each kind. What a row says about it (the
 * address is taken, the key was used) comes back as a row. Rules:
 *  1. a transaction holds each id, each address and each idempotency key once: what is there twice
 * waits for the next;
 *  2. after an error nothing of the transaction is committed, and its operations run one by one;
 *  3. when the connection is lost, whether it was committed is unknown: the same operations are
 * repeated under their own identifiers, which the database lets in once. */
#include "store/postgres/pg_store_internal.h"

#include <poll.h>
#include <sodium.h>

#define CONFLICTS_MOST 5

static bool is_put(const struct pg_task *t)
{
	return t->op->kind == STORE_USER_PUT;
}

static bool is_create(const struct pg_task *t)
{
	return t->op->kind == STORE_USER_CREATE;
}

static bool is_user_write(const struct pg_task *t)
{
	return is_put(t) || is_create(t);
}

/* An operation whose key was used before does not run. */
static bool may_run(const struct pg_task *t)
{
	return !t->settled && (t->op->idempotency == NULL || t->claimed);
}

typedef bool is_kind_fn(const struct pg_task *t);

static enum td_status send_users(struct pg_lane *l, enum pg_statement statement,
	const struct pg_task *tasks, size_t count, is_kind_fn *is_kind, bool *ret_sent)
{
	static const enum pg_type types[] = {
		PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ};
	struct pg_columns c;
	pg_columns_begin(&c, types, 6);
	for (size_t i = 0; i < count; i++) {
		if (!may_run(&tasks[i]) || !is_kind(&tasks[i]))
			continue;
		const struct store_user *u = &tasks[i].op->in.user;
		pg_array_put_text(&c.columns[0], u->id);
		pg_array_put_text(&c.columns[1], u->email);
		pg_array_put_text(&c.columns[2], u->first_name);
		pg_array_put_text(&c.columns[3], u->last_name);
		pg_array_put_text(&c.columns[4], u->company);
		pg_array_put_time(&c.columns[5], tasks[i].op->now_ms);
	}
	*ret_sent = c.columns[0].count > 0;
	enum td_status status = *ret_sent ? pg_columns_send(l, statement, &c) : TD_OK;
	pg_columns_done(&c);
	return status;
}

static struct pg_task *find_task(
	struct pg_task *tasks, size_t count, is_kind_fn *is_kind, struct td_slice id)
{
	for (size_t i = 0; i < count; i++) {
		if (may_run(&tasks[i]) && is_kind(&tasks[i]) &&
			td_slice_equal(tasks[i].op->in.user.id, id))
			return &tasks[i];
	}
	return NULL;
}

static void give_user(struct store_op *op, bool created, int64_t created_at, int64_t updated_at)
{
	op->out.user = op->in.user;
	op->out.user.created_at = created_at;
	op->out.user.updated_at = updated_at;
	op->out.created = created;
}

/* A row of PG_STMT_USERS_PUT: id, made, changed, taken, created_at, updated_at as it was. */
static void take_put_row(const PGresult *r, int row, struct pg_task *t)
{
	bool made = pg_bool(r, row, 1), changed = pg_bool(r, row, 2), taken = pg_bool(r, row, 3);
	bool was_there = !PQgetisnull(r, row, 4);
	int64_t now_ms = t->op->now_ms, created_at = pg_time(r, row, 4);
	if (taken) {
		t->outcome = TD_EXISTS;
	} else if (made) {
		t->outcome = TD_OK;
		give_user(t->op, /* created= */ true, now_ms, now_ms);
	} else if (was_there) {
		t->outcome = TD_OK;
		/* A first try that was committed after all made this row. */
		bool ours = t->repeated && created_at == now_ms;
		give_user(t->op, ours, created_at, changed ? now_ms : pg_time(r, row, 5));
	} else {
		/* Somebody inserted the id or the address at the same moment: run it again. */
		t->outcome = TD_CONFLICT;
	}
}

static enum td_status receive_puts(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err)
{
	PGresult *r = NULL;
	enum td_status status = pg_receive(l, limit, &r, err);
	for (int row = 0; status == TD_OK && row < PQntuples(r); row++) {
		struct td_slice id = td_slice(
			PQgetvalue(r, row, 0), (size_t)PQgetlength(r, row, 0));
		struct pg_task *t = find_task(tasks, count, is_put, id);
		if (t != NULL)
			take_put_row(r, row, t);
	}
	PQclear(r);
	return status;
}

/* PG_STMT_USERS_CREATE gives the ids that were inserted; the others exist. */
static enum td_status receive_creates(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err)
{
	PGresult *r = NULL;
	enum td_status status = pg_receive(l, limit, &r, err);
	for (size_t i = 0; i < count && status == TD_OK; i++) {
		if (may_run(&tasks[i]) && is_create(&tasks[i]))
			tasks[i].outcome = TD_EXISTS;
	}
	for (int row = 0; status == TD_OK && row < PQntuples(r); row++) {
		struct td_slice id = td_slice(
			PQgetvalue(r, row, 0), (size_t)PQgetlength(r, row, 0));
		struct pg_task *t = find_task(tasks, count, is_create, id);
		if (t == NULL)
			continue;
		t->outcome = TD_OK;
		give_user(t->op, /* created= */ true, t->op->now_ms, t->op->now_ms);
	}
	PQclear(r);
	return status;
}

static enum td_status write_users(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err)
{
	bool puts = false, creates = false;
	enum td_status status = send_users(l, PG_STMT_USERS_PUT, tasks, count, is_put, &puts);
	if (status == TD_OK)
		status = send_users(l, PG_STMT_USERS_CREATE, tasks, count, is_create, &creates);
	if (status != TD_OK || !(puts || creates))
		return status;
	if (!pg_push(l, limit))
		return td_err_set(err, TD_UNAVAILABLE, "the connection to PostgreSQL was lost");
	if (puts)
		status = receive_puts(l, limit, tasks, count, err);
	if (status == TD_OK && creates)
		status = receive_creates(l, limit, tasks, count, err);
	return status;
}

/* After a repeat, an id of ours that exists was inserted by the first try. */
static enum td_status recognise_repeats(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err)
{
	for (size_t i = 0; i < count; i++) {
		struct pg_task *t = &tasks[i];
		if (!t->repeated || t->settled || !is_create(t) || t->outcome != TD_EXISTS)
			continue;
		struct pg_columns c;
		static const enum pg_type types[] = {PG_TEXT};
		PGresult *r = NULL;
		pg_columns_begin(&c, types, 1);
		pg_array_put_text(&c.columns[0], t->op->in.user.id);
		enum td_status status = pg_columns_send(l, PG_STMT_USERS_BY_ID, &c);
		pg_columns_done(&c);
		if (status == TD_OK && !pg_push(l, limit))
			status = TD_UNAVAILABLE;
		if (status == TD_OK)
			status = pg_receive(l, limit, &r, err);
		if (status == TD_OK && PQntuples(r) == 1 && pg_time(r, 0, 5) == t->op->now_ms) {
			t->outcome = TD_OK;
			give_user(t->op, /* created= */ true, t->op->now_ms, t->op->now_ms);
		}
		PQclear(r);
		if (status != TD_OK)
			return status;
	}
	return TD_OK;
}

/* Runs the tasks in one transaction. TD_OK: it is committed, and outcomes are set. */
static enum td_status run_transaction(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err)
{
	enum td_status status = pg_answers_claim(l, limit, tasks, count, err);
	if (status == TD_OK)
		status = write_users(l, limit, tasks, count, err);
	if (status == TD_OK)
		status = recognise_repeats(l, limit, tasks, count, err);
	if (status == TD_OK)
		status = pg_answers_disclaim(l, limit, tasks, count, err);
	if (status == TD_OK)
		status = pg_answers_fix(l, limit, tasks, count, err);
	/* Without memory a part was sent and no error came: a sync would commit that part. */
	if (status == TD_UNAVAILABLE || status == TD_NOMEM)
		return status;
	return pg_end(l, limit, status, err);
}

static void settle_committed(struct pg_task *tasks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (may_run(&tasks[i]) && tasks[i].outcome != TD_CONFLICT)
			tasks[i].settled = true;
	}
}

/* *sent becomes true once something may have reached the server. */
static enum td_status try_once(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, bool *sent, struct td_err *err)
{
	enum td_status status = pg_lane_ensure(l, limit, err);
	if (status != TD_OK)
		return status;
	*sent = true;
	for (size_t i = 0; i < count; i++)
		tasks[i].claimed = false;
	status = pg_identify(l, limit, tasks, count, err);
	if (status == TD_OK)
		status = run_transaction(l, limit, tasks, count, err);
	if (status == TD_OK) {
		settle_committed(tasks, count);
		status = pg_answers_read(l, limit, tasks, count, err);
	}
	if (status == TD_UNAVAILABLE || status == TD_NOMEM)
		pg_lane_drop(l);
	return status;
}

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

/* Tries again after a loss, as long as there is time. Once something was sent, what it did is
 * unknown, and the same is sent again: so a task is `repeated`. */
static enum td_status try_until_known(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err)
{
	enum td_status status = TD_UNAVAILABLE;
	bool sent = false;
	for (bool first = true; first || wait_until_back(l, limit); first = false) {
		status = try_once(l, limit, tasks, count, &sent, err);
		if (status != TD_UNAVAILABLE ||
			(!sent && !connect_supervisor_is_up(l->store->supervisor)))
			return status;
		for (size_t i = 0; i < count && sent; i++)
			tasks[i].repeated = true;
	}
	return status;
}

static void run_alone(struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t)
{
	struct td_err err = TD_ERR_INIT;
	enum td_status status = TD_CONFLICT;
	for (unsigned i = 0; i < CONFLICTS_MOST && !t->settled; i++) {
		status = try_until_known(l, limit, t, 1, &err);
		if (status != TD_OK && status != TD_CONFLICT)
			break;
	}
	if (!t->settled)
		pg_settle_all(t, 1, status == TD_OK || status == TD_CONFLICT ? TD_TIMEOUT : status,
			status == TD_EXISTS ? NULL : &err);
}

static bool clashes(const struct pg_task *a, const struct pg_task *b)
{
	const struct store_user *x = &a->op->in.user, *y = &b->op->in.user;
	if (td_slice_equal(x->id, y->id))
		return true;
	if (x->email.len == y->email.len &&
		strncasecmp(x->email.ptr, y->email.ptr, x->email.len) == 0)
		return true;
	const struct store_idempotency *k = a->op->idempotency, *m = b->op->idempotency;
	return k != NULL && m != NULL && td_slice_equal(k->key, m->key) &&
	       td_slice_equal(k->caller, m->caller) && td_slice_equal(k->route, m->route);
}

/* Moves tasks that may share a transaction to the front and returns how many. The order of those
 * that clash stays. */
static size_t pick(struct pg_task *tasks, size_t count)
{
	size_t picked = 0;
	for (size_t i = 0; i < count; i++) {
		bool fits = true;
		for (size_t j = 0; j < i && fits; j++)
			fits = !clashes(&tasks[j], &tasks[i]);
		if (!fits)
			continue;
		struct pg_task task = tasks[i];
		memmove(&tasks[picked + 1], &tasks[picked], (i - picked) * sizeof(tasks[0]));
		tasks[picked++] = task;
	}
	return picked;
}

static void run_users(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *tasks, size_t count)
{
	while (count > 0) {
		struct td_err err = TD_ERR_INIT;
		size_t picked = pick(tasks, count);
		enum td_status status = try_until_known(l, limit, tasks, picked, &err);
		if (status == TD_UNAVAILABLE || status == TD_NOMEM)
			pg_settle_all(tasks, picked, status, &err);
		for (size_t i = 0; i < picked; i++) {
			if (!tasks[i].settled)
				run_alone(l, limit, &tasks[i]);
		}
		pg_note_use(l, limit, tasks, picked);
		tasks += picked;
		count -= picked;
	}
}

static void run_other(struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t)
{
	enum td_status status = pg_lane_ensure(l, limit, &t->op->err);
	if (status == TD_OK)
		status = pg_identify(l, limit, t, 1, &t->op->err);
	if (status == TD_OK && !t->settled)
		status = pg_run_single(l, t->op, limit);
	if (status == TD_UNAVAILABLE)
		pg_lane_drop(l);
	if (!t->settled)
		t->outcome = status;
	t->settled = true;
}

void pg_run_writes(void *ctx, struct lane_job **jobs, size_t count)
{
	struct pg_lane *l = ctx;
	struct pg_task tasks[PG_BATCH_LIMIT];
	struct connect_limit limit = pg_batch_limit(l, jobs, count);
	size_t users = 0, others = count;
	/* Those that can share a transaction first, the rest behind them. */
	for (size_t i = 0; i < count; i++) {
		struct pg_task t = {.op = TD_CONTAINER_OF(jobs[i], struct store_op, job),
			.outcome = TD_INTERNAL};
		if (is_user_write(&t))
			tasks[users++] = t;
		else
			tasks[--others] = t;
	}
	run_users(l, &limit, tasks, users);
	for (size_t i = count; i > others; i--)
		run_other(l, &limit, &tasks[i - 1]);
	pg_finish_all(tasks, count);
}
