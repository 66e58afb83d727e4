/* What processes agree on: who has a lease, what the test clock says; and the sweep of what has
 * expired. */
#include "store/sqlite/ops.h"

enum td_status sqlite_op_sweep(struct sqlite_conn *conn, struct store_op *op)
{
	static const enum sqlite_query sweeps[] = {SQLITE_QUERY(ANSWER_SWEEP),
		SQLITE_QUERY(SESSION_SWEEP), SQLITE_QUERY(RESET_SWEEP),
		SQLITE_QUERY(THROTTLE_SWEEP)};
	enum td_status status = TD_OK;
	for (size_t i = 0; i < TD_ARRAY_LEN(sweeps) && status == TD_OK; i++) {
		sqlite3_stmt *stmt = sqlite_conn_stmt(conn, sweeps[i], &op->err);
		if (stmt == NULL)
			return op->err.code;
		sqlite_bind_number(stmt, 1, op->now_ms);
		sqlite_bind_number(stmt, 2, (int64_t)op->in.limit);
		status = sqlite_conn_finish(conn, stmt, &op->err);
		if (status == TD_OK)
			op->out.swept += (size_t)sqlite3_changes(conn->db);
	}
	return status;
}

enum td_status sqlite_op_lease_take(struct sqlite_conn *conn, struct store_op *op)
{
	const struct store_lease *lease = &op->in.lease;
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(LEASE_TAKE), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, lease->name);
	sqlite_bind_slice(stmt, 2, lease->owner);
	sqlite_bind_number(stmt, 3, lease->now_ms);
	sqlite_bind_number(stmt, 4, lease->expires_at);
	enum td_status status = sqlite_conn_finish(conn, stmt, &op->err);
	return status == TD_OK && sqlite3_changes(conn->db) == 0 ? TD_CONFLICT : status;
}

enum td_status sqlite_op_clock_get(struct sqlite_conn *conn, struct store_op *op)
{
	return sqlite_conn_number(
		conn, SQLITE_QUERY(CLOCK_GET), &op->out.clock_offset_ms, &op->err);
}

enum td_status sqlite_op_clock_set(struct sqlite_conn *conn, struct store_op *op)
{
	const struct store_clock_set *set = &op->in.clock;
	bool is_new = set->expected_ms == STORE_CLOCK_ABSENT;
	sqlite3_stmt *stmt = sqlite_conn_stmt(
		conn, is_new ? SQLITE_QUERY(CLOCK_INSERT) : SQLITE_QUERY(CLOCK_UPDATE), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_number(stmt, 1, set->offset_ms);
	if (!is_new)
		sqlite_bind_number(stmt, 2, set->expected_ms);
	enum td_status status = sqlite_conn_finish(conn, stmt, &op->err);
	return status == TD_OK && sqlite3_changes(conn->db) == 0 ? TD_CONFLICT : status;
}
