/* A batch of reads: one statement for each kind, one sync for all. Reads may be repeated, so a lost
 * connection costs a second try within the deadline. */
#include "store/postgres/pg_read.h"

#include <stdlib.h>

static const struct pg_read_kind *const keyed[STORE_OP_COUNT] = {
	[STORE_AUTHORIZE] = &pg_session_get,
	[STORE_USER_GET] = &pg_user_get,
	[STORE_USER_BY_EMAIL] = &pg_user_by_email,
	[STORE_SUBSCRIPTION_GET] = &pg_subscription_get,
	[STORE_LOGIN_GET] = &pg_login_get,
};

static pg_single_read_fn *const singles[STORE_OP_COUNT] = {
	[STORE_KEY_LIST] = pg_key_list,
	[STORE_CATALOGUE_READ] = pg_catalogue_read,
	[STORE_KEPT_GET] = pg_kept_get,
	[STORE_SUBSCRIPTION_DUE] = pg_subscription_due,
	[STORE_HISTORY_LIST] = pg_history_list,
	[STORE_ANSWER_FIND] = pg_answer_find,
	[STORE_RESET_GET] = pg_reset_get,
	[STORE_CLOCK_GET] = pg_clock_get,
	[STORE_EVENTS_COUNT] = pg_events_count,
};

/* An API key is looked up with everybody's; only a session has a statement of its own. */
static bool has_key(const struct store_op *op)
{
	return keyed[op->kind] != NULL &&
	       (op->kind != STORE_AUTHORIZE || op->auth.kind == STORE_AUTH_SESSION);
}

static bool is_of(const struct pg_task *t, unsigned kind)
{
	return !t->settled && t->op->kind == kind && has_key(t->op);
}

/* ---- keyed reads
 * --------------------------------------------------------------------------------------- */

static enum td_status send_keys(struct pg_lane *l, unsigned number, const struct pg_task *tasks,
	size_t count, bool *ret_sent)
{
	const struct pg_read_kind *kind = keyed[number];
	struct pg_columns c;
	pg_columns_begin(&c, &kind->key_type, 1);
	for (size_t i = 0; i < count; i++) {
		if (!is_of(&tasks[i], number))
			continue;
		if (kind->key_type == PG_BYTEA)
			pg_array_put_bytes(
				&c.columns[0], (const uint8_t *)tasks[i].key.ptr, tasks[i].key.len);
		else
			pg_array_put_text(&c.columns[0], tasks[i].key);
	}
	*ret_sent = c.columns[0].count > 0;
	enum td_status status = *ret_sent ? pg_columns_send(l, kind->statement, &c) : TD_OK;
	pg_columns_done(&c);
	return status;
}

static int compare_slices(struct td_slice a, struct td_slice b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter > 0 ? memcmp(a.ptr, b.ptr, shorter) : 0;
	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_key(const void *a, const void *b)
{
	const struct pg_task *const *x = a, *const *y = b;
	return compare_slices((*x)->key, (*y)->key);
}

/* The first of the sorted tasks whose key is not less than `key`. */
static size_t lower_bound(struct pg_task **sorted, size_t count, struct td_slice key)
{
	size_t low = 0;
	while (count > 0) {
		size_t half = count / 2;
		if (compare_slices(sorted[low + half]->key, key) < 0) {
			low += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return low;
}

static size_t sort_tasks(
	struct pg_task *tasks, size_t count, unsigned number, struct pg_task **sorted)
{
	size_t wanted = 0;
	for (size_t i = 0; i < count; i++) {
		if (is_of(&tasks[i], number))
			sorted[wanted++] = &tasks[i];
	}
	qsort(sorted, wanted, sizeof(struct pg_task *), by_key);
	return wanted;
}

static enum td_status receive_kind(struct pg_lane *l, const struct connect_limit *limit,
	unsigned number, struct pg_task *tasks, size_t count, struct td_err *err)
{
	struct pg_task *sorted[PG_BATCH_LIMIT];
	size_t wanted = sort_tasks(tasks, count, number, sorted);
	PGresult *r = NULL;
	enum td_status status = pg_receive(l, limit, &r, err);
	for (size_t i = 0; i < wanted && status == TD_OK; i++)
		sorted[i]->outcome = keyed[number]->absent;
	for (int row = 0; status == TD_OK && row < PQntuples(r); row++) {
		struct td_slice key = td_slice(
			PQgetvalue(r, row, 0), (size_t)PQgetlength(r, row, 0));
		for (size_t i = lower_bound(sorted, wanted, key);
			i < wanted && td_slice_equal(sorted[i]->key, key); i++)
			keyed[number]->give(l->store, r, row, sorted[i]);
	}
	PQclear(r);
	return status;
}

/* ---- a batch
 * ------------------------------------------------------------------------------------------- */

struct sent {
	bool any, callers, kinds[STORE_OP_COUNT];
};

static enum td_status send_all(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct sent *sent)
{
	enum td_status status = pg_identify_send(l, tasks, count, &sent->callers);
	sent->any = sent->callers;
	for (unsigned i = 0; i < STORE_OP_COUNT && status == TD_OK; i++) {
		if (keyed[i] == NULL)
			continue;
		status = send_keys(l, i, tasks, count, &sent->kinds[i]);
		sent->any = sent->any || sent->kinds[i];
	}
	if (status == TD_OK && sent->any && !pg_sync(l, limit))
		status = TD_UNAVAILABLE;
	return status;
}

static enum td_status receive_all(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, const struct sent *sent, struct td_err *err)
{
	enum td_status status = TD_OK;
	if (!sent->any)
		return TD_OK;
	/* The callers' answer comes first, but what it settles must not change which tasks the
	 * others' rows are for. */
	struct pg_task unsettled[PG_BATCH_LIMIT];
	memcpy(unsettled, tasks, count * sizeof(tasks[0]));
	if (sent->callers)
		status = pg_identify_receive(l, limit, tasks, count, err);
	for (unsigned i = 0; i < STORE_OP_COUNT && status == TD_OK; i++) {
		if (sent->kinds[i])
			status = receive_kind(l, limit, i, unsettled, count, err);
	}
	enum td_status synced = pg_receive_sync(l, limit, err);
	for (size_t i = 0; i < count; i++) {
		if (!tasks[i].settled && has_key(tasks[i].op))
			tasks[i].outcome = unsettled[i].outcome;
	}
	return status != TD_OK ? status : synced;
}

static enum td_status run_singles(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *tasks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		pg_single_read_fn *single = singles[tasks[i].op->kind];
		if (tasks[i].settled || single == NULL)
			continue;
		enum td_status status = single(l, limit, tasks[i].op);
		if (status == TD_UNAVAILABLE)
			return status;
		tasks[i].outcome = status;
		tasks[i].settled = true;
	}
	return TD_OK;
}

static enum td_status read_once(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err)
{
	struct sent sent = {.any = false};
	enum td_status status = pg_lane_ensure(l, limit, err);
	if (status != TD_OK)
		return status;
	status = send_all(l, limit, tasks, count, &sent);
	if (status == TD_OK)
		status = receive_all(l, limit, tasks, count, &sent, err);
	if (status == TD_OK)
		status = run_singles(l, limit, tasks, count);
	if (status != TD_OK)
		pg_lane_drop(l);
	return status;
}

/* After an error of the database's own: one that it cannot answer must not take the others with it.
 */
static void read_alone(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *tasks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct td_err err = TD_ERR_INIT;
		tasks[i].settled = false;
		enum td_status status = read_once(l, limit, &tasks[i], 1, &err);
		if (status != TD_OK)
			pg_settle_all(&tasks[i], 1, status, &err);
	}
}

static struct pg_task task_of(struct lane_job *job)
{
	struct store_op *op = TD_CONTAINER_OF(job, struct store_op, job);
	struct pg_task t = {.op = op, .outcome = TD_OK};
	if (has_key(op))
		t.key = keyed[op->kind]->key(op);
	return t;
}

void pg_run_reads(void *ctx, struct lane_job **jobs, size_t count)
{
	struct pg_lane *l = ctx;
	struct pg_task tasks[PG_BATCH_LIMIT];
	struct td_err err = TD_ERR_INIT;
	struct connect_limit limit = pg_batch_limit(l, jobs, count);
	for (size_t i = 0; i < count; i++)
		tasks[i] = task_of(jobs[i]);
	enum td_status status = read_once(l, &limit, tasks, count, &err);
	if (status == TD_UNAVAILABLE && connect_limit_slice_ms(&limit) > 0)
		status = read_once(l, &limit, tasks, count, &err);
	if (status == TD_INTERNAL && count > 1)
		read_alone(l, &limit, tasks, count);
	else if (status != TD_OK)
		pg_settle_all(tasks, count, status, &err);
	else
		pg_note_use(l, &limit, tasks, count);
	pg_finish_all(l, tasks, count);
}
