/* Signing in: passwords, sessions, the links that reset a password, and how often somebody may
 * try. */
#include "store/sqlite/ops.h"

#include <string.h>

/* Columns: id, email, first_name, last_name, company, created_at, updated_at. */
static void read_user(sqlite3_stmt *stmt, struct td_arena *arena, struct store_user *ret_user)
{
	*ret_user = (struct store_user){
		.id = sqlite_column_copy(stmt, 0, arena),
		.email = sqlite_column_copy(stmt, 1, arena),
		.first_name = sqlite_column_copy(stmt, 2, arena),
		.last_name = sqlite_column_copy(stmt, 3, arena),
		.company = sqlite_column_copy(stmt, 4, arena),
		.created_at = sqlite3_column_int64(stmt, 5),
		.updated_at = sqlite3_column_int64(stmt, 6),
	};
}

/* A bound statement that gives a user, with the password's hash as its eighth column or without. */
static enum td_status take_user(struct sqlite_conn *conn, struct store_op *op, sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);
	enum td_status status = TD_OK;
	if (rc == SQLITE_ROW) {
		read_user(stmt, &op->arena, &op->out.user);
		if (sqlite3_column_count(stmt) > 7)
			op->out.password_hash = sqlite_column_copy(stmt, 7, &op->arena);
		if (op->arena.failed)
			status = td_err_set(&op->err, TD_NOMEM, "no memory for a user");
	} else {
		status = rc == SQLITE_DONE ? TD_NOTFOUND : sqlite_conn_fail(conn, rc, &op->err);
	}
	(void)sqlite3_reset(stmt);
	return status;
}

enum td_status sqlite_op_login_get(struct sqlite_conn *conn, struct store_op *op)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(LOGIN_BY_EMAIL), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, op->in.user.email);
	return take_user(conn, op, stmt);
}

/* ---- sessions
 * ------------------------------------------------------------------------------------------ */

enum td_status sqlite_session_find(struct sqlite_conn *conn, struct store_op *op)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(SESSION_BY_HASH), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_bytes(stmt, 1, op->auth.hash, TD_SHA256_SIZE);
	sqlite_bind_number(stmt, 2, op->now_ms);
	int rc = sqlite3_step(stmt);
	enum td_status status = TD_OK;
	if (rc == SQLITE_ROW)
		op->caller.user_id = sqlite_column_copy(stmt, 0, &op->arena);
	else
		status = rc == SQLITE_DONE ? TD_DENIED : sqlite_conn_fail(conn, rc, &op->err);
	(void)sqlite3_reset(stmt);
	if (status == TD_OK && op->arena.failed)
		return td_err_set(&op->err, TD_NOMEM, "no memory for a session");
	return status;
}

static enum td_status insert_session(struct sqlite_conn *conn, struct store_op *op)
{
	const struct store_session *s = &op->in.session;
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(SESSION_INSERT), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_bytes(stmt, 1, s->hash, TD_SHA256_SIZE);
	sqlite_bind_slice(stmt, 2, s->user_id);
	sqlite_bind_number(stmt, 3, s->created_at);
	sqlite_bind_number(stmt, 4, s->expires_at);
	sqlite_bind_optional(stmt, 5, op->in.password_hash);
	enum td_status status = sqlite_conn_finish(conn, stmt, &op->err);
	return status == TD_OK && sqlite3_changes(conn->db) == 0 ? TD_NOTFOUND : status;
}

static enum td_status run_with_hash(struct sqlite_conn *conn, enum sqlite_query query,
	const uint8_t hash[TD_SHA256_SIZE], struct td_err *err)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, query, err);
	if (stmt == NULL)
		return err->code;
	sqlite_bind_bytes(stmt, 1, hash, TD_SHA256_SIZE);
	return sqlite_conn_finish(conn, stmt, err);
}

static enum td_status run_with_text(
	struct sqlite_conn *conn, enum sqlite_query query, struct td_slice text, struct td_err *err)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, query, err);
	if (stmt == NULL)
		return err->code;
	sqlite_bind_slice(stmt, 1, text);
	return sqlite_conn_finish(conn, stmt, err);
}

static enum td_status set_password(struct sqlite_conn *conn, struct store_op *op,
	struct td_slice user_id, struct td_slice password_hash)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(PASSWORD_SET), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, user_id);
	sqlite_bind_slice(stmt, 2, password_hash);
	return sqlite_conn_finish(conn, stmt, &op->err);
}

enum td_status sqlite_op_session_create(struct sqlite_conn *conn, struct store_op *op)
{
	static const uint8_t none[TD_SHA256_SIZE];
	enum td_status status = insert_session(conn, op);
	if (status == TD_OK && op->in.renewed_hash.ptr != NULL)
		status = set_password(conn, op, op->in.session.user_id, op->in.renewed_hash);
	if (status == TD_OK && memcmp(op->in.old_hash, none, sizeof(none)) != 0)
		status = run_with_hash(
			conn, SQLITE_QUERY(SESSION_DELETE), op->in.old_hash, &op->err);
	for (size_t i = 0; i < op->in.throttle_count && status == TD_OK; i++)
		status = run_with_text(conn,
			i == 0 ? SQLITE_QUERY(THROTTLE_FORGET) : SQLITE_QUERY(THROTTLE_GIVE),
			op->in.throttles[i].subject, &op->err);
	return status;
}

enum td_status sqlite_op_session_end(struct sqlite_conn *conn, struct store_op *op)
{
	return run_with_hash(conn, SQLITE_QUERY(SESSION_DELETE), op->in.session.hash, &op->err);
}

/* ---- how often
 * ----------------------------------------------------------------------------------------- */

static enum td_status take_one(
	struct sqlite_conn *conn, struct store_op *op, const struct store_throttle *throttle)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(THROTTLE_TAKE), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, throttle->subject);
	sqlite_bind_number(stmt, 2, op->now_ms);
	sqlite_bind_number(stmt, 3, op->now_ms + op->in.window_ms);
	int rc = sqlite3_step(stmt);
	enum td_status status = rc == SQLITE_ROW ? TD_OK : sqlite_conn_fail(conn, rc, &op->err);
	if (rc == SQLITE_ROW && sqlite3_column_int64(stmt, 0) > throttle->limit) {
		int64_t left_ms = sqlite3_column_int64(stmt, 1) - op->now_ms;
		status = TD_LIMITED;
		if (left_ms > op->out.retry_ms)
			op->out.retry_ms = left_ms;
	}
	(void)sqlite3_reset(stmt);
	return status;
}

enum td_status sqlite_op_throttle_take(struct sqlite_conn *conn, struct store_op *op)
{
	enum td_status outcome = TD_OK;
	for (size_t i = 0; i < op->in.throttle_count; i++) {
		enum td_status status = take_one(conn, op, &op->in.throttles[i]);
		if (status != TD_OK && status != TD_LIMITED)
			return status;
		if (status == TD_LIMITED)
			outcome = status;
	}
	return outcome;
}

/* ---- links that reset a password
 * ----------------------------------------------------------------------- */

enum td_status sqlite_op_reset_create(struct sqlite_conn *conn, struct store_op *op)
{
	enum td_status status = sqlite_op_login_get(conn, op);
	if (status != TD_OK)
		return status;
	op->out.password_hash = td_slice(NULL, 0);
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(RESET_PUT), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, op->out.user.id);
	sqlite_bind_bytes(stmt, 2, op->in.session.hash, TD_SHA256_SIZE);
	sqlite_bind_number(stmt, 3, op->in.session.expires_at);
	return sqlite_conn_finish(conn, stmt, &op->err);
}

enum td_status sqlite_op_reset_get(struct sqlite_conn *conn, struct store_op *op)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(RESET_BY_HASH), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_bytes(stmt, 1, op->in.session.hash, TD_SHA256_SIZE);
	sqlite_bind_number(stmt, 2, op->now_ms);
	return take_user(conn, op, stmt);
}

enum td_status sqlite_op_reset_use(struct sqlite_conn *conn, struct store_op *op)
{
	enum td_status status = sqlite_op_reset_get(conn, op);
	if (status == TD_OK)
		status = set_password(conn, op, op->out.user.id, op->in.password_hash);
	if (status == TD_OK)
		status = run_with_text(conn, SQLITE_QUERY(RESET_DELETE), op->out.user.id, &op->err);
	if (status == TD_OK)
		status = run_with_text(
			conn, SQLITE_QUERY(SESSION_DELETE_OF_USER), op->out.user.id, &op->err);
	return status;
}

/* ---- a visitor's checkout
 * ------------------------------------------------------------------------------ */

static enum td_status insert_user(struct sqlite_conn *conn, struct store_op *op)
{
	const struct store_user *u = &op->in.user;
	sqlite3_stmt *stmt = sqlite_conn_stmt(
		conn, SQLITE_QUERY(USER_INSERT_WITH_PASSWORD), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, u->id);
	sqlite_bind_slice(stmt, 2, u->email);
	sqlite_bind_slice(stmt, 3, u->first_name);
	sqlite_bind_slice(stmt, 4, u->last_name);
	sqlite_bind_optional(stmt, 5, u->company);
	sqlite_bind_number(stmt, 6, op->now_ms);
	sqlite_bind_slice(stmt, 7, op->in.password_hash);
	enum td_status status = sqlite_conn_finish(conn, stmt, &op->err);
	return status == TD_OK && sqlite3_changes(conn->db) == 0 ? TD_EXISTS : status;
}

static enum td_status find_package(struct sqlite_conn *conn, struct store_op *op)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(PACKAGE_EXISTS), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, op->in.subscription->package.id);
	int rc = sqlite3_step(stmt);
	enum td_status status = TD_OK;
	if (rc != SQLITE_ROW)
		status = rc == SQLITE_DONE ? TD_NOTFOUND : sqlite_conn_fail(conn, rc, &op->err);
	(void)sqlite3_reset(stmt);
	return status;
}

/* In the order in which it may be refused: nothing is written before. */
enum td_status sqlite_op_checkout(struct sqlite_conn *conn, struct store_op *op)
{
	enum td_status status = find_package(conn, op);
	if (status == TD_NOTFOUND)
		op->out.missing = STORE_MISSING_PACKAGE;
	if (status == TD_OK)
		status = insert_user(conn, op);
	if (status != TD_OK)
		return status;
	status = sqlite_op_subscribe(conn, op);
	if (status == TD_OK)
		status = insert_session(conn, op);
	if (status == TD_NOTFOUND || status == TD_EXISTS)
		status = td_err_set(
			&op->err, TD_INTERNAL, "a new user's subscription was not taken");
	return status;
}
