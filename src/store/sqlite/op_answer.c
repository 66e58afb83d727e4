#include "store/sqlite/ops.h"

#include <string.h>

static void copy_answer(sqlite3_stmt *stmt, struct store_op *op)
{
	struct store_idempotency *i = op->idempotency;
	i->replayed = true;
	i->kept = (struct store_answer){
		.http_status = sqlite3_column_int(stmt, 1),
		.body = sqlite_column_copy(stmt, 2, &op->arena),
		.location = sqlite_column_copy(stmt, 3, &op->arena),
	};
}

static bool has_fingerprint(sqlite3_stmt *stmt, const uint8_t fingerprint[TD_SHA256_SIZE])
{
	const void *kept = sqlite3_column_blob(stmt, 0);
	return kept != NULL && sqlite3_column_bytes(stmt, 0) == TD_SHA256_SIZE &&
	       memcmp(kept, fingerprint, TD_SHA256_SIZE) == 0;
}

enum td_status sqlite_answer_find(struct sqlite_conn *conn, struct store_op *op)
{
	struct store_idempotency *i = op->idempotency;
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(ANSWER_FIND), &op->err);
	if (stmt == NULL)
		return op->err.code;
	i->replayed = false;
	sqlite_bind_slice(stmt, 1, i->caller);
	sqlite_bind_slice(stmt, 2, i->route);
	sqlite_bind_slice(stmt, 3, i->key);
	sqlite_bind_number(stmt, 4, op->now_ms);
	int rc = sqlite3_step(stmt);
	enum td_status status = TD_OK;
	if (rc == SQLITE_DONE)
		status = TD_NOTFOUND;
	else if (rc != SQLITE_ROW)
		status = sqlite_conn_fail(conn, rc, &op->err);
	else if (!has_fingerprint(stmt, i->fingerprint))
		status = TD_MISMATCH;
	else
		copy_answer(stmt, op);
	(void)sqlite3_reset(stmt);
	if (status == TD_OK && op->arena.failed)
		return td_err_set(&op->err, TD_NOMEM, "no memory for a kept answer");
	return status;
}

enum td_status sqlite_answer_keep(
	struct sqlite_conn *conn, struct store_op *op, enum td_status outcome)
{
	const struct store_idempotency *i = op->idempotency;
	const struct store_answer *answer = outcome == TD_OK ? &i->on_ok : &i->on_exists;
	if ((outcome != TD_OK && outcome != TD_EXISTS) || answer->http_status == 0)
		return TD_OK;
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(ANSWER_KEEP), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, i->caller);
	sqlite_bind_slice(stmt, 2, i->route);
	sqlite_bind_slice(stmt, 3, i->key);
	sqlite_bind_bytes(stmt, 4, i->fingerprint, sizeof(i->fingerprint));
	sqlite_bind_number(stmt, 5, i->expires_at);
	sqlite_bind_number(stmt, 6, answer->http_status);
	sqlite_bind_slice(stmt, 7, answer->body);
	sqlite_bind_optional(stmt, 8, answer->location);
	return sqlite_conn_finish(conn, stmt, &op->err);
}
