/* Idempotency-Key: an entry is claimed by inserting it, with the answer for success, in the
 * transaction of the operation. Who finds it there already (another process may just be committing
 * it: the insert waits) does not run, but reads what is kept. */
#include "store/postgres/pg_read.h"
#include "store/postgres/pg_write.h"

static bool has_answer(const struct pg_task *t)
{
	return !t->settled && t->op->idempotency != NULL;
}

static void put_key(struct pg_columns *c, const struct store_idempotency *k)
{
	pg_array_put_text(&c->columns[0], k->caller);
	pg_array_put_text(&c->columns[1], k->route);
	pg_array_put_text(&c->columns[2], k->key);
}

static void put_answer(struct pg_columns *c, int column, const struct store_answer *a)
{
	pg_array_put_int(&c->columns[column], a->http_status);
	pg_array_put_text(&c->columns[column + 1], a->body.ptr != NULL ? a->body : TD_SLICE(""));
	pg_array_put_text(&c->columns[column + 2], a->location);
}

static enum td_status send_expire(struct pg_lane *l, const struct pg_task *tasks, size_t count)
{
	static const enum pg_type types[] = {PG_TEXT, PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ};
	struct pg_columns c;
	pg_columns_begin(&c, types, 4);
	for (size_t i = 0; i < count; i++) {
		if (has_answer(&tasks[i])) {
			put_key(&c, tasks[i].op->idempotency);
			pg_array_put_time(&c.columns[3], tasks[i].op->now_ms);
		}
	}
	enum td_status status = pg_columns_send(l, PG_STMT_ANSWERS_EXPIRE, &c);
	pg_columns_done(&c);
	return status;
}

static bool keeps_exists(const struct pg_task *t)
{
	return t->outcome == TD_EXISTS && t->op->idempotency->on_exists.http_status != 0;
}

static bool must_disclaim(const struct pg_task *t)
{
	if (!has_answer(t) || !t->claimed)
		return false;
	return t->again || (t->outcome != TD_OK && !keeps_exists(t));
}

enum td_status pg_answers_disclaim(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err)
{
	static const enum pg_type types[] = {PG_TEXT, PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ};
	struct pg_columns c;
	pg_columns_begin(&c, types, 4);
	for (size_t i = 0; i < count; i++) {
		if (must_disclaim(&tasks[i])) {
			put_key(&c, tasks[i].op->idempotency);
			pg_array_put_time(&c.columns[3], tasks[i].op->idempotency->expires_at);
		}
	}
	enum td_status status = TD_OK;
	PGresult *r = NULL;
	if (c.columns[0].count > 0) {
		status = pg_columns_send(l, PG_STMT_ANSWERS_EXPIRE, &c);
		if (status == TD_OK && !pg_push(l, limit))
			status = td_err_set(
				err, TD_UNAVAILABLE, "the connection to PostgreSQL was lost");
		if (status == TD_OK)
			status = pg_receive(l, limit, &r, err);
	}
	PQclear(r);
	pg_columns_done(&c);
	return status;
}

static enum td_status send_claim(struct pg_lane *l, const struct pg_task *tasks, size_t count)
{
	static const enum pg_type types[] = {
		PG_TEXT, PG_TEXT, PG_TEXT, PG_BYTEA, PG_TIMESTAMPTZ, PG_INT8, PG_TEXT, PG_TEXT};
	struct pg_columns c;
	pg_columns_begin(&c, types, 8);
	for (size_t i = 0; i < count; i++) {
		if (!has_answer(&tasks[i]))
			continue;
		const struct store_idempotency *k = tasks[i].op->idempotency;
		put_key(&c, k);
		pg_array_put_bytes(&c.columns[3], k->fingerprint, TD_SHA256_SIZE);
		pg_array_put_time(&c.columns[4], k->expires_at);
		put_answer(&c, 5, &k->on_ok);
	}
	enum td_status status = pg_columns_send(l, PG_STMT_ANSWERS_CLAIM, &c);
	pg_columns_done(&c);
	return status;
}

static struct td_slice peek(const PGresult *r, int row, int column)
{
	return td_slice(PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column));
}

/* The row of a result whose first three columns are this key; -1: none. */
static int find_key(const PGresult *r, const struct store_idempotency *k)
{
	for (int row = 0; row < PQntuples(r); row++) {
		if (td_slice_equal(peek(r, row, 2), k->key) &&
			td_slice_equal(peek(r, row, 0), k->caller) &&
			td_slice_equal(peek(r, row, 1), k->route))
			return row;
	}
	return -1;
}

static size_t count_answers(const struct pg_task *tasks, size_t count)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		n += has_answer(&tasks[i]);
	return n;
}

enum td_status pg_answers_claim(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err)
{
	if (count_answers(tasks, count) == 0)
		return TD_OK;
	enum td_status status = send_expire(l, tasks, count);
	if (status == TD_OK)
		status = send_claim(l, tasks, count);
	if (status != TD_OK || !pg_push(l, limit))
		return td_err_set(err, status != TD_OK ? status : TD_UNAVAILABLE,
			"idempotency keys could not be sent");
	PGresult *expired = NULL, *claimed = NULL;
	status = pg_receive(l, limit, &expired, err);
	if (status == TD_OK)
		status = pg_receive(l, limit, &claimed, err);
	for (size_t i = 0; i < count && status == TD_OK; i++) {
		if (has_answer(&tasks[i]))
			tasks[i].claimed = find_key(claimed, tasks[i].op->idempotency) >= 0;
	}
	PQclear(expired);
	PQclear(claimed);
	return status;
}

static bool keeps_other(const struct pg_task *t)
{
	return has_answer(t) && t->claimed && !t->again && keeps_exists(t);
}

enum td_status pg_answers_fix(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err)
{
	static const enum pg_type types[] = {PG_TEXT, PG_TEXT, PG_TEXT, PG_INT8, PG_TEXT, PG_TEXT};
	struct pg_columns c;
	pg_columns_begin(&c, types, 6);
	for (size_t i = 0; i < count; i++) {
		if (keeps_other(&tasks[i])) {
			put_key(&c, tasks[i].op->idempotency);
			put_answer(&c, 3, &tasks[i].op->idempotency->on_exists);
		}
	}
	enum td_status status = TD_OK;
	PGresult *r = NULL;
	if (c.columns[0].count > 0) {
		status = pg_columns_send(l, PG_STMT_ANSWERS_FIX, &c);
		if (status == TD_OK && !pg_push(l, limit))
			status = td_err_set(
				err, TD_UNAVAILABLE, "the connection to PostgreSQL was lost");
		if (status == TD_OK)
			status = pg_receive(l, limit, &r, err);
	}
	PQclear(r);
	pg_columns_done(&c);
	return status;
}

static bool was_there(const struct pg_task *t)
{
	return has_answer(t) && !t->claimed;
}

static void settle_from_row(const PGresult *r, struct pg_task *t)
{
	struct store_idempotency *k = t->op->idempotency;
	int row = find_key(r, k);
	if (row < 0)
		return; /* it expired meanwhile: the task runs again */
	t->settled = true;
	bool same = PQgetlength(r, row, 3) == TD_SHA256_SIZE &&
		    memcmp(PQgetvalue(r, row, 3), k->fingerprint, TD_SHA256_SIZE) == 0;
	t->outcome = same ? TD_OK : TD_MISMATCH;
	if (!same)
		return;
	k->kept = (struct store_answer){
		.http_status = (int)pg_int(r, row, 4),
		.body = pg_text(r, row, 5, &t->op->arena),
		.location = pg_text(r, row, 6, &t->op->arena),
	};
	k->replayed = true;
	if (t->op->arena.failed)
		t->outcome = TD_NOMEM;
}

enum td_status pg_answers_read(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err)
{
	static const enum pg_type types[] = {PG_TEXT, PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ};
	struct pg_columns c;
	pg_columns_begin(&c, types, 4);
	for (size_t i = 0; i < count; i++) {
		if (was_there(&tasks[i])) {
			put_key(&c, tasks[i].op->idempotency);
			pg_array_put_time(&c.columns[3], tasks[i].op->now_ms);
		}
	}
	enum td_status status = TD_OK;
	PGresult *r = NULL;
	if (c.columns[0].count > 0) {
		status = pg_columns_send(l, PG_STMT_ANSWERS_READ, &c);
		if (status == TD_OK && !pg_sync(l, limit))
			status = td_err_set(
				err, TD_UNAVAILABLE, "the connection to PostgreSQL was lost");
		if (status == TD_OK) {
			status = pg_receive(l, limit, &r, err);
			status = pg_end_synced(l, limit, status, err);
		}
		for (size_t i = 0; i < count && status == TD_OK; i++) {
			if (was_there(&tasks[i]))
				settle_from_row(r, &tasks[i]);
		}
	}
	PQclear(r);
	pg_columns_done(&c);
	return status;
}

/* The claim does it all. */
const struct pg_write_kind pg_answer_keep = {.absent = TD_OK};

enum td_status pg_answer_find(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	struct pg_task t = {.op = op, .outcome = TD_NOTFOUND};
	enum td_status status = pg_answers_read(l, limit, &t, 1, &op->err);
	return status == TD_OK ? t.outcome : status;
}
