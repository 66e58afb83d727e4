#include "store/postgres/pg_sql.h"

#define USED_EVERY_MS 60000

static bool needs_caller(const struct pg_task *t)
{
	return !t->settled && t->op->auth.kind == STORE_AUTH_KEY;
}

static bool is_new_hash(const struct pg_task *tasks, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (needs_caller(&tasks[i]) &&
			memcmp(tasks[i].op->auth.hash, tasks[at].op->auth.hash, TD_SHA256_SIZE) ==
				0)
			return false;
	}
	return true;
}

enum td_status pg_identify_send(
	struct pg_lane *l, struct pg_task *tasks, size_t count, bool *ret_sent)
{
	struct pg_array hashes;
	pg_array_begin(&hashes, PG_BYTEA);
	for (size_t i = 0; i < count; i++) {
		if (needs_caller(&tasks[i]) && is_new_hash(tasks, i))
			pg_array_put_bytes(&hashes, tasks[i].op->auth.hash, TD_SHA256_SIZE);
	}
	*ret_sent = hashes.count > 0;
	enum td_status status = TD_OK;
	if (!pg_array_end(&hashes))
		status = TD_NOMEM;
	else if (*ret_sent) {
		struct pg_param param = {hashes.buf.ptr, (int)hashes.buf.len};
		status = pg_send(l, PG_STMT_CALLERS, &param, 1) ? TD_OK : TD_UNAVAILABLE;
	}
	pg_array_done(&hashes);
	return status;
}

/* A result row for a key: hash, id, name, last_used_at. */
static int find_caller(const PGresult *r, const uint8_t hash[TD_SHA256_SIZE])
{
	for (int row = 0; row < PQntuples(r); row++) {
		if (PQgetlength(r, row, 0) == TD_SHA256_SIZE &&
			memcmp(PQgetvalue(r, row, 0), hash, TD_SHA256_SIZE) == 0)
			return row;
	}
	return -1;
}

static void identify(const PGresult *r, struct pg_task *t)
{
	int row = find_caller(r, t->op->auth.hash);
	if (row < 0) {
		t->settled = true;
		t->outcome = TD_DENIED;
		return;
	}
	t->op->caller.key_id = pg_text(r, row, 1, &t->op->arena);
	t->op->caller.key_name = pg_text(r, row, 2, &t->op->arena);
	t->note_use = t->op->now_ms - pg_time(r, row, 3) >= USED_EVERY_MS;
}

enum td_status pg_identify_receive(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err)
{
	PGresult *r = NULL;
	enum td_status status = pg_receive(l, limit, &r, err);
	for (size_t i = 0; i < count && status == TD_OK; i++) {
		if (needs_caller(&tasks[i]))
			identify(r, &tasks[i]);
	}
	PQclear(r);
	return status;
}

enum td_status pg_identify(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err)
{
	bool sent;
	enum td_status status = pg_identify_send(l, tasks, count, &sent);
	if (status != TD_OK || !sent)
		return status;
	if (!pg_sync(l, limit))
		return td_err_set(err, TD_UNAVAILABLE, "the connection to PostgreSQL was lost");
	status = pg_identify_receive(l, limit, tasks, count, err);
	return pg_end_synced(l, limit, status, err);
}

static bool is_noted(const struct pg_task *tasks, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (tasks[i].note_use &&
			td_slice_equal(tasks[i].op->caller.key_id, tasks[at].op->caller.key_id))
			return true;
	}
	return false;
}

static enum td_status update_uses(struct pg_lane *l, const struct connect_limit *limit,
	const struct pg_array *ids, const struct pg_array *times)
{
	struct pg_param params[] = {
		{ids->buf.ptr, (int)ids->buf.len}, {times->buf.ptr, (int)times->buf.len}};
	PGresult *r = NULL;
	enum td_status status = pg_sql_lock_wait(l, limit, PG_LOCK_TURN_MS, NULL);
	if (status == TD_OK)
		status = pg_send(l, PG_STMT_KEY_USED, params, 2) && pg_push(l, limit)
				 ? pg_receive(l, limit, &r, NULL)
				 : TD_UNAVAILABLE;
	PQclear(r);
	return status == TD_UNAVAILABLE ? status : pg_end(l, limit, status, NULL);
}

void pg_note_use(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *tasks, size_t count)
{
	struct pg_array ids, times;
	pg_array_begin(&ids, PG_TEXT);
	pg_array_begin(&times, PG_TIMESTAMPTZ);
	for (size_t i = 0; i < count; i++) {
		if (tasks[i].note_use && !is_noted(tasks, i)) {
			pg_array_put_text(&ids, tasks[i].op->caller.key_id);
			pg_array_put_time(&times, tasks[i].op->now_ms);
		}
	}
	if (l->conn != NULL && ids.count > 0 && pg_array_end(&ids) && pg_array_end(&times) &&
		update_uses(l, limit, &ids, &times) == TD_UNAVAILABLE)
		pg_lane_drop(l);
	pg_array_done(&ids);
	pg_array_done(&times);
}
