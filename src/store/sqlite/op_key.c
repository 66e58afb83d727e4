#include "store/sqlite/ops.h"

#include <string.h>

enum td_status sqlite_op_key_create(struct sqlite_conn *conn, struct store_op *op)
{
	const struct store_api_key *key = &op->in.key;
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(KEY_INSERT), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, key->id);
	sqlite_bind_slice(stmt, 2, key->name);
	sqlite_bind_bytes(stmt, 3, key->hash, sizeof(key->hash));
	sqlite_bind_number(stmt, 4, key->created_at != 0 ? key->created_at : op->now_ms);
	sqlite_bind_number(stmt, 5, key->last_used_at);
	sqlite_bind_number(stmt, 6, key->revoked_at);
	enum td_status status = sqlite_conn_finish(conn, stmt, &op->err);
	return status == TD_OK && sqlite3_changes(conn->db) == 0 ? TD_EXISTS : status;
}

static void copy_key(sqlite3_stmt *stmt, struct td_arena *arena, struct store_api_key *ret_key)
{
	*ret_key = (struct store_api_key){
		.id = sqlite_column_copy(stmt, 0, arena),
		.name = sqlite_column_copy(stmt, 1, arena),
		.created_at = sqlite3_column_int64(stmt, 3),
		.last_used_at = sqlite3_column_int64(stmt, 4),
		.revoked_at = sqlite3_column_int64(stmt, 5),
	};
	const void *hash = sqlite3_column_blob(stmt, 2);
	if (hash != NULL && sqlite3_column_bytes(stmt, 2) == TD_SHA256_SIZE)
		memcpy(ret_key->hash, hash, TD_SHA256_SIZE);
}

enum td_status sqlite_op_key_list(struct sqlite_conn *conn, struct store_op *op)
{
	int64_t count = 0;
	enum td_status status = sqlite_conn_number(conn, SQLITE_QUERY(KEY_COUNT), &count, &op->err);
	if (status != TD_OK)
		return status;
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(KEY_LIST), &op->err);
	if (stmt == NULL)
		return op->err.code;
	op->out.key_count = 0;
	op->out.keys = td_arena_array(&op->arena, (size_t)count, sizeof(*op->out.keys));
	int rc = SQLITE_DONE;
	while (op->out.keys != NULL && op->out.key_count < (size_t)count &&
		(rc = sqlite3_step(stmt)) == SQLITE_ROW)
		copy_key(stmt, &op->arena, &op->out.keys[op->out.key_count++]);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		status = sqlite_conn_fail(conn, rc, &op->err);
	else if (op->arena.failed)
		status = td_err_set(&op->err, TD_NOMEM, "no memory for the keys");
	(void)sqlite3_reset(stmt);
	return status;
}

enum td_status sqlite_op_key_revoke(struct sqlite_conn *conn, struct store_op *op)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(KEY_REVOKE), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, op->in.key.id);
	sqlite_bind_number(stmt, 2, op->now_ms);
	enum td_status status = sqlite_conn_finish(conn, stmt, &op->err);
	if (status != TD_OK || sqlite3_changes(conn->db) != 0)
		return status;
	stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(KEY_EXISTS), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, op->in.key.id);
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_DONE)
		status = TD_NOTFOUND;
	else if (rc != SQLITE_ROW)
		status = sqlite_conn_fail(conn, rc, &op->err);
	(void)sqlite3_reset(stmt);
	return status;
}
