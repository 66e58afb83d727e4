#include "store/sqlite/ops.h"

static sqlite3_stmt *bind_user(struct sqlite_conn *conn, enum sqlite_query query,
	const struct store_op *op, struct td_err *err)
{
	const struct store_user *user = &op->in.user;
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, query, err);
	if (stmt == NULL)
		return NULL;
	sqlite_bind_slice(stmt, 1, user->id);
	sqlite_bind_slice(stmt, 2, user->email);
	sqlite_bind_slice(stmt, 3, user->first_name);
	sqlite_bind_slice(stmt, 4, user->last_name);
	sqlite_bind_optional(stmt, 5, user->company);
	if (query == SQLITE_QUERY(USER_INSERT))
		sqlite_bind_number(stmt, 6, op->now_ms);
	sqlite_bind_number(stmt, 7, op->now_ms);
	return stmt;
}

/* A constraint that breaks here is the e-mail address's: the id is not written. */
static enum td_status write_user(
	struct sqlite_conn *conn, enum sqlite_query query, struct store_op *op)
{
	sqlite3_stmt *stmt = bind_user(conn, query, op, &op->err);
	if (stmt == NULL)
		return op->err.code;
	enum td_status status = sqlite_conn_finish(conn, stmt, &op->err);
	if (status == TD_INTERNAL && op->err.native == SQLITE_CONSTRAINT_UNIQUE) {
		op->err = (struct td_err)TD_ERR_INIT;
		return TD_EXISTS;
	}
	return status;
}

static void give_written(struct store_op *op, int64_t created_at)
{
	op->out.user = op->in.user;
	op->out.user.created_at = created_at;
	op->out.user.updated_at = op->now_ms;
}

static enum td_status find_user(struct sqlite_conn *conn, enum sqlite_query query,
	struct td_slice by, struct store_op *op, struct store_user *ret_user)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, query, &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, by);
	int rc = sqlite3_step(stmt);
	enum td_status status = TD_OK;
	if (rc == SQLITE_ROW) {
		struct td_arena *arena = &op->arena;
		*ret_user = (struct store_user){
			.id = sqlite_column_copy(stmt, 0, arena),
			.email = sqlite_column_copy(stmt, 1, arena),
			.first_name = sqlite_column_copy(stmt, 2, arena),
			.last_name = sqlite_column_copy(stmt, 3, arena),
			.company = sqlite_column_copy(stmt, 4, arena),
			.created_at = sqlite3_column_int64(stmt, 5),
			.updated_at = sqlite3_column_int64(stmt, 6),
		};
		if (arena->failed)
			status = td_err_set(&op->err, TD_NOMEM, "no memory for a user");
	} else {
		status = rc == SQLITE_DONE ? TD_NOTFOUND : sqlite_conn_fail(conn, rc, &op->err);
	}
	(void)sqlite3_reset(stmt);
	return status;
}

static bool says_the_same(const struct store_user *a, const struct store_user *b)
{
	return td_slice_equal(a->email, b->email) && td_slice_equal(a->first_name, b->first_name) &&
	       td_slice_equal(a->last_name, b->last_name) &&
	       (a->company.ptr == NULL) == (b->company.ptr == NULL) &&
	       td_slice_equal(a->company, b->company);
}

static enum td_status insert_user(struct sqlite_conn *conn, struct store_op *op)
{
	enum td_status status = write_user(conn, SQLITE_QUERY(USER_INSERT), op);
	if (status == TD_OK && sqlite3_changes(conn->db) == 0)
		return TD_EXISTS;
	if (status == TD_OK) {
		give_written(op, op->now_ms);
		op->out.created = true;
	}
	return status;
}

/* At most one of its statements writes, so it needs no savepoint. */
enum td_status sqlite_op_user_put(struct sqlite_conn *conn, struct store_op *op)
{
	enum td_status status = insert_user(conn, op);
	if (status != TD_EXISTS)
		return status;
	struct store_user before = {.created_at = 0};
	status = find_user(conn, SQLITE_QUERY(USER_BY_ID), op->in.user.id, op, &before);
	if (status != TD_OK)
		return status == TD_NOTFOUND ? TD_EXISTS : status;
	if (says_the_same(&before, &op->in.user)) {
		op->out.user = before;
		return TD_OK;
	}
	status = write_user(conn, SQLITE_QUERY(USER_UPDATE), op);
	if (status == TD_OK)
		give_written(op, before.created_at);
	return status;
}

enum td_status sqlite_op_user_create(struct sqlite_conn *conn, struct store_op *op)
{
	return insert_user(conn, op);
}

enum td_status sqlite_op_user_get(struct sqlite_conn *conn, struct store_op *op)
{
	return find_user(conn, SQLITE_QUERY(USER_BY_ID), op->in.user.id, op, &op->out.user);
}

enum td_status sqlite_op_user_by_email(struct sqlite_conn *conn, struct store_op *op)
{
	return find_user(conn, SQLITE_QUERY(USER_BY_EMAIL), op->in.user.email, op, &op->out.user);
}
