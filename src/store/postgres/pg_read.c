/* A batch of reads: one statement for each kind, one sync for all. Reads may be repeated, so a lost
 * connection costs a second try within the deadline. */
#include "store/postgres/pg_sql.h"

#include <stdlib.h>

static bool is_by_id(const struct pg_task *t)
{
	return !t->settled && t->op->kind == STORE_USER_GET;
}

static bool is_by_email(const struct pg_task *t)
{
	return !t->settled && t->op->kind == STORE_USER_BY_EMAIL;
}

typedef bool is_kind_fn(const struct pg_task *t);

static enum td_status send_keys(struct pg_lane *l, enum pg_statement statement,
	const struct pg_task *tasks, size_t count, is_kind_fn *is_kind, bool *ret_sent)
{
	static const enum pg_type types[] = {PG_TEXT};
	struct pg_columns c;
	pg_columns_begin(&c, types, 1);
	for (size_t i = 0; i < count; i++) {
		if (is_kind(&tasks[i]))
			pg_array_put_text(&c.columns[0], tasks[i].key);
	}
	*ret_sent = c.columns[0].count > 0;
	enum td_status status = *ret_sent ? pg_columns_send(l, statement, &c) : TD_OK;
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

static void give_row(struct pg_lane *l, const PGresult *r, int row, int column, struct pg_task *t)
{
	t->outcome = pg_user(l->store, r, row, column, &t->op->arena, &t->op->out.user);
}

/* Several tasks may ask for the same row. Those that got none keep TD_NOTFOUND. */
static enum td_status receive_users(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, is_kind_fn *is_kind, int key_columns,
	struct td_err *err)
{
	struct pg_task *sorted[PG_BATCH_LIMIT];
	size_t wanted = 0;
	for (size_t i = 0; i < count; i++) {
		if (is_kind(&tasks[i]))
			sorted[wanted++] = &tasks[i];
	}
	qsort(sorted, wanted, sizeof(struct pg_task *), by_key);
	PGresult *r = NULL;
	enum td_status status = pg_receive(l, limit, &r, err);
	for (size_t i = 0; i < wanted && status == TD_OK; i++)
		sorted[i]->outcome = TD_NOTFOUND;
	for (int row = 0; status == TD_OK && row < PQntuples(r); row++) {
		struct td_slice key = td_slice(
			PQgetvalue(r, row, 0), (size_t)PQgetlength(r, row, 0));
		for (size_t i = lower_bound(sorted, wanted, key);
			i < wanted && td_slice_equal(sorted[i]->key, key); i++)
			give_row(l, r, row, key_columns, sorted[i]);
	}
	PQclear(r);
	return status;
}

struct sent {
	bool callers, by_id, by_email;
};

static enum td_status send_all(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct sent *sent)
{
	enum td_status status = pg_identify_send(l, tasks, count, &sent->callers);
	if (status == TD_OK)
		status = send_keys(l, PG_STMT_USERS_BY_ID, tasks, count, is_by_id, &sent->by_id);
	if (status == TD_OK)
		status = send_keys(
			l, PG_STMT_USERS_BY_EMAIL, tasks, count, is_by_email, &sent->by_email);
	if (status == TD_OK && (sent->callers || sent->by_id || sent->by_email) &&
		!pg_sync(l, limit))
		status = TD_UNAVAILABLE;
	return status;
}

static enum td_status receive_all(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, const struct sent *sent, struct td_err *err)
{
	enum td_status status = TD_OK;
	if (!sent->callers && !sent->by_id && !sent->by_email)
		return TD_OK;
	/* The callers' answer comes first, but what it settles must not change which tasks the
	 * others' rows are for. */
	struct pg_task unsettled[PG_BATCH_LIMIT];
	memcpy(unsettled, tasks, count * sizeof(tasks[0]));
	if (sent->callers)
		status = pg_identify_receive(l, limit, tasks, count, err);
	if (status == TD_OK && sent->by_id)
		status = receive_users(l, limit, unsettled, count, is_by_id, 0, err);
	if (status == TD_OK && sent->by_email)
		status = receive_users(l, limit, unsettled, count, is_by_email, 1, err);
	enum td_status synced = pg_receive_sync(l, limit, err);
	for (size_t i = 0; i < count; i++) {
		if (!tasks[i].settled && (is_by_id(&tasks[i]) || is_by_email(&tasks[i])))
			tasks[i].outcome = unsettled[i].outcome;
	}
	return status != TD_OK ? status : synced;
}

typedef enum td_status single_fn(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op);

static single_fn *const singles[STORE_OP_COUNT] = {
	[STORE_KEY_LIST] = pg_key_list,
	[STORE_CATALOGUE_READ] = pg_catalogue_read,
};

static bool is_single(const struct pg_task *t)
{
	return !t->settled && singles[t->op->kind] != NULL;
}

static enum td_status run_singles(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *tasks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!is_single(&tasks[i]))
			continue;
		enum td_status status = singles[tasks[i].op->kind](l, limit, tasks[i].op);
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
	struct sent sent = {0};
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

/* E-mail addresses compare without case, as the index has them. */
static struct td_slice lowered(struct store_op *op)
{
	struct td_slice text = op->in.user.email;
	char *at = td_arena_strndup(&op->arena, text.ptr, text.len);
	if (at == NULL)
		return text;
	for (size_t i = 0; i < text.len; i++) {
		if (at[i] >= 'A' && at[i] <= 'Z')
			at[i] = (char)(at[i] | 0x20);
	}
	return td_slice(at, text.len);
}

void pg_run_reads(void *ctx, struct lane_job **jobs, size_t count)
{
	struct pg_lane *l = ctx;
	struct pg_task tasks[PG_BATCH_LIMIT];
	struct td_err err = TD_ERR_INIT;
	struct connect_limit limit = pg_batch_limit(l, jobs, count);
	for (size_t i = 0; i < count; i++) {
		struct store_op *op = TD_CONTAINER_OF(jobs[i], struct store_op, job);
		struct td_slice key = op->kind == STORE_USER_BY_EMAIL ? lowered(op)
								      : op->in.user.id;
		tasks[i] = (struct pg_task){.op = op, .key = key, .outcome = TD_OK};
	}
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
