/* Subscriptions and their history. What writes here has several statements and no savepoint: where
 * one of them fails after the first, the whole transaction is taken back, and the batch runs again
 * one by one (see lane_run.c), because that never happens but by a fault. */
#include "store/sqlite/ops.h"
#include "store/sqlite/row.h"

#include "base/money.h"

#include <limits.h>
#include <stdio.h>

/* ---- writing
 * ------------------------------------------------------------------------------------------- */

static void bind_word(sqlite3_stmt *stmt, int index, const char *word)
{
	struct td_slice text = td_slice_str(word);
	sqlite_bind_optional(stmt, index, text.len > 0 ? text : td_slice(NULL, 0));
}

/* A time or an amount that may be absent. */
static void bind_if(sqlite3_stmt *stmt, int index, bool there, int64_t number)
{
	if (there)
		sqlite_bind_number(stmt, index, number);
	else
		sqlite_bind_optional(stmt, index, td_slice(NULL, 0));
}

static struct td_slice actor_of(struct store_op *op, const struct store_history *row)
{
	if (row->actor.ptr != NULL)
		return row->actor;
	return td_slice_str(
		td_arena_printf(&op->arena, "api:%.*s", TD_SLICE_ARG(op->caller.key_name)));
}

static enum td_status insert_history(
	struct sqlite_conn *conn, struct store_op *op, const struct store_history *h)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(HISTORY_INSERT), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, h->id);
	sqlite_bind_slice(stmt, 2, h->subscription_id);
	sqlite_bind_slice(stmt, 3, h->user_id);
	bind_word(stmt, 4, store_action_word(h->action));
	sqlite_bind_optional(stmt, 5, h->from_package);
	sqlite_bind_optional(stmt, 6, h->to_package);
	bind_word(stmt, 7, store_cycle_word(h->from_cycle));
	bind_word(stmt, 8, store_cycle_word(h->to_cycle));
	bind_if(stmt, 9, h->has_price, h->price);
	sqlite_bind_optional(stmt, 10, h->currency);
	sqlite_bind_optional(stmt, 11, h->reason);
	sqlite_bind_slice(stmt, 12, actor_of(op, h));
	sqlite_bind_number(stmt, 13, h->created_at);
	return sqlite_conn_finish(conn, stmt, &op->err);
}

/* After the subscription was written. */
static enum td_status insert_all_history(struct sqlite_conn *conn, struct store_op *op)
{
	enum td_status status = TD_OK;
	for (size_t i = 0; i < op->in.history_count && status == TD_OK; i++)
		status = insert_history(conn, op, &op->in.history[i]);
	if (status != TD_OK)
		sqlite_conn_rollback(conn);
	return status;
}

static enum td_status insert_subscription(struct sqlite_conn *conn, struct store_op *op)
{
	const struct store_subscription *s = op->in.subscription;
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(SUBSCRIPTION_INSERT), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, s->id);
	sqlite_bind_slice(stmt, 2, s->user_id);
	sqlite_bind_slice(stmt, 3, s->package.id);
	bind_word(stmt, 4, store_status_word(s->status));
	bind_word(stmt, 5, store_cycle_word(s->cycle));
	sqlite_bind_number(stmt, 6, s->price);
	sqlite_bind_slice(stmt, 7, s->currency);
	sqlite_bind_number(stmt, 8, s->started_at);
	sqlite_bind_number(stmt, 9, s->anchor_day);
	sqlite_bind_number(stmt, 10, s->current_period_start);
	sqlite_bind_number(stmt, 11, s->current_period_end);
	sqlite_bind_number(stmt, 12, s->version);
	sqlite_bind_number(stmt, 13, s->created_at);
	sqlite_bind_number(stmt, 14, s->updated_at);
	return sqlite_conn_finish(conn, stmt, &op->err);
}

static enum td_status exists(
	struct sqlite_conn *conn, enum sqlite_query query, struct td_slice id, struct td_err *err)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, query, err);
	if (stmt == NULL)
		return err->code;
	sqlite_bind_slice(stmt, 1, id);
	int rc = sqlite3_step(stmt);
	enum td_status status = rc == SQLITE_ROW    ? TD_OK
				: rc == SQLITE_DONE ? TD_NOTFOUND
						    : sqlite_conn_fail(conn, rc, err);
	(void)sqlite3_reset(stmt);
	return status;
}

/* A foreign key was not there: which one? */
static enum td_status find_missing(struct sqlite_conn *conn, struct store_op *op)
{
	op->err = (struct td_err)TD_ERR_INIT;
	enum td_status status = exists(
		conn, SQLITE_QUERY(USER_EXISTS), op->in.subscription->user_id, &op->err);
	if (status != TD_OK && status != TD_NOTFOUND)
		return status;
	op->out.missing = status == TD_OK ? STORE_MISSING_PACKAGE : STORE_MISSING_USER;
	return TD_NOTFOUND;
}

enum td_status sqlite_op_subscribe(struct sqlite_conn *conn, struct store_op *op)
{
	enum td_status status = insert_subscription(conn, op);
	if (status == TD_INTERNAL && op->err.native == SQLITE_CONSTRAINT_FOREIGNKEY)
		return find_missing(conn, op);
	if (status != TD_OK)
		return status;
	if (sqlite3_changes(conn->db) == 0) {
		/* Which comes first, the live one or the user who is not there, is the user. */
		status = exists(
			conn, SQLITE_QUERY(USER_EXISTS), op->in.subscription->user_id, &op->err);
		op->out.missing = status == TD_NOTFOUND ? STORE_MISSING_USER
							: STORE_MISSING_NOTHING;
		return status == TD_OK ? TD_EXISTS : status;
	}
	return insert_all_history(conn, op);
}

static void bind_pending(sqlite3_stmt *stmt, const struct store_pending *p)
{
	bool changes = p->action == STORE_PENDING_CHANGE;
	struct td_slice none = {NULL, 0};
	bind_word(stmt, 11, store_pending_word(p->action));
	sqlite_bind_optional(stmt, 12, changes ? p->package.id : none);
	bind_word(stmt, 13, changes ? store_cycle_word(p->cycle) : "");
	bind_if(stmt, 14, changes, p->price);
	sqlite_bind_optional(stmt, 15, changes ? p->currency : none);
	bind_if(stmt, 16, p->action != STORE_PENDING_NONE, p->at);
}

static enum td_status update_subscription(struct sqlite_conn *conn, struct store_op *op)
{
	const struct store_subscription *s = op->in.subscription;
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(SUBSCRIPTION_UPDATE), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, s->id);
	sqlite_bind_number(stmt, 2, op->in.version);
	sqlite_bind_slice(stmt, 3, s->package.id);
	bind_word(stmt, 4, store_status_word(s->status));
	bind_word(stmt, 5, store_cycle_word(s->cycle));
	sqlite_bind_number(stmt, 6, s->price);
	sqlite_bind_slice(stmt, 7, s->currency);
	sqlite_bind_number(stmt, 8, s->anchor_day);
	sqlite_bind_number(stmt, 9, s->current_period_start);
	sqlite_bind_number(stmt, 10, s->current_period_end);
	bind_pending(stmt, &s->pending);
	sqlite_bind_number(stmt, 17, s->cancel_at_period_end);
	bind_if(stmt, 18, s->canceled_at != 0, s->canceled_at);
	bind_if(stmt, 19, s->ended_at != 0, s->ended_at);
	sqlite_bind_number(stmt, 20, s->version);
	sqlite_bind_number(stmt, 21, s->updated_at);
	return sqlite_conn_finish(conn, stmt, &op->err);
}

enum td_status sqlite_op_subscription_change(struct sqlite_conn *conn, struct store_op *op)
{
	enum td_status status = update_subscription(conn, op);
	if (status == TD_INTERNAL && op->err.native == SQLITE_CONSTRAINT_UNIQUE) {
		op->err = (struct td_err)TD_ERR_INIT;
		return TD_CONFLICT;
	}
	if (status == TD_OK && sqlite3_changes(conn->db) == 0)
		return TD_CONFLICT;
	return status == TD_OK ? insert_all_history(conn, op) : status;
}

/* ---- reading
 * ------------------------------------------------------------------------------------------- */

static bool is_null(const struct sqlite_row *row, int column)
{
	return sqlite3_column_type(row->stmt, column) == SQLITE_NULL;
}

/* The years 0001 to 9999: what people and programs can read. */
static int64_t read_time(struct sqlite_row *row, int column)
{
	return is_null(row, column) ? 0
				    : sqlite_row_number(row, column, INT64_C(-62135596800000),
					      INT64_C(253402300799999));
}

static struct store_package_part read_package(struct sqlite_row *row, int column)
{
	return (struct store_package_part){
		.id = sqlite_row_name(row, column),
		.slug = sqlite_row_name(row, column + 1),
		.name = sqlite_row_name(row, column + 2),
		.rate_limit_per_hour = sqlite_row_number(row, column + 3, 0, INT64_MAX),
		.rate_limit_per_day = sqlite_row_number(row, column + 4, 0, INT64_MAX),
	};
}

static void read_pending(struct sqlite_row *row, int column, struct store_pending *p)
{
	*p = (struct store_pending){.action = STORE_PENDING_NONE};
	if (is_null(row, column))
		return;
	if (!store_pending_find(sqlite_column_slice(row->stmt, column), &p->action))
		sqlite_row_spoil(row, column, "is no word of ours");
	p->at = read_time(row, column + 9);
	if (p->action != STORE_PENDING_CHANGE)
		return;
	p->package = read_package(row, column + 1);
	if (!store_cycle_find(sqlite_column_slice(row->stmt, column + 6), &p->cycle))
		sqlite_row_spoil(row, column + 6, "is no billing cycle");
	p->price = sqlite_row_number(row, column + 7, 0, TD_MONEY_MAX);
	p->currency = sqlite_row_currency(row, column + 8);
}

static void read_subscription(struct sqlite_row *row, struct store_subscription *s)
{
	*s = (struct store_subscription){
		.id = sqlite_row_name(row, 0),
		.user_id = sqlite_row_name(row, 1),
		.package = read_package(row, 2),
		.price = sqlite_row_number(row, 9, 0, TD_MONEY_MAX),
		.currency = sqlite_row_currency(row, 10),
		.started_at = read_time(row, 11),
		.anchor_day = (int)sqlite_row_number(row, 12, 1, 31),
		.current_period_start = read_time(row, 13),
		.current_period_end = read_time(row, 14),
		.cancel_at_period_end = sqlite_row_number(row, 25, 0, 1) != 0,
		.canceled_at = read_time(row, 26),
		.ended_at = read_time(row, 27),
		.version = sqlite_row_number(row, 28, 1, INT64_MAX),
		.created_at = read_time(row, 29),
		.updated_at = read_time(row, 30),
	};
	if (!store_status_find(sqlite_column_slice(row->stmt, 7), &s->status))
		sqlite_row_spoil(row, 7, "is no word of ours");
	if (!store_cycle_find(sqlite_column_slice(row->stmt, 8), &s->cycle))
		sqlite_row_spoil(row, 8, "is no billing cycle");
	read_pending(row, 15, &s->pending);
}

/* All rows of a bound statement, at most `room`, into out.subscriptions. */
static enum td_status read_subscriptions(
	struct sqlite_conn *conn, struct store_op *op, sqlite3_stmt *stmt, size_t room)
{
	op->out.subscriptions = td_arena_array(
		&op->arena, room + 1, sizeof(*op->out.subscriptions));
	if (op->out.subscriptions == NULL)
		return td_err_set(&op->err, TD_NOMEM, "no memory for subscriptions");
	int rc;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct sqlite_row row = {op, stmt, "user_subscriptions", ""};
		read_subscription(&row, &op->out.subscriptions[op->out.subscription_count]);
		if (row.why[0] == '\0')
			op->out.subscription_count++;
		else {
			op->out.left_out++;
			sqlite_row_note(&row, /* both= */ true);
		}
	}
	enum td_status status = rc == SQLITE_DONE ? TD_OK : sqlite_conn_fail(conn, rc, &op->err);
	(void)sqlite3_reset(stmt);
	if (status == TD_OK && op->arena.failed)
		return td_err_set(&op->err, TD_NOMEM, "no memory for subscriptions");
	return status;
}

enum td_status sqlite_op_subscription_get(struct sqlite_conn *conn, struct store_op *op)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(SUBSCRIPTION_OF_USER), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, op->in.user.id);
	enum td_status status = read_subscriptions(conn, op, stmt, 1);
	if (status == TD_OK && op->out.subscription_count == 0)
		status = exists(conn, SQLITE_QUERY(USER_EXISTS), op->in.user.id, &op->err);
	return status;
}

enum td_status sqlite_op_subscription_due(struct sqlite_conn *conn, struct store_op *op)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(SUBSCRIPTION_DUE), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_number(stmt, 1, op->in.due_ms);
	sqlite_bind_number(stmt, 2, (int64_t)op->in.limit);
	return read_subscriptions(conn, op, stmt, op->in.limit);
}

static struct td_slice read_optional(struct sqlite_row *row, int column)
{
	return is_null(row, column) ? td_slice(NULL, 0) : sqlite_row_text(row, column);
}

static void read_history(struct sqlite_row *row, struct store_history *h)
{
	*h = (struct store_history){
		.user_id = sqlite_row_name(row, 0),
		.id = sqlite_row_name(row, 1),
		.subscription_id = sqlite_row_name(row, 2),
		.from_package = read_optional(row, 4),
		.to_package = read_optional(row, 5),
		.has_price = !is_null(row, 8),
		.price = sqlite3_column_int64(row->stmt, 8),
		.currency = read_optional(row, 9),
		.reason = read_optional(row, 10),
		.actor = sqlite_row_name(row, 11),
		.created_at = read_time(row, 12),
		.seq = sqlite3_column_int64(row->stmt, 13),
	};
	/* NULL is none. */
	(void)store_cycle_find(sqlite_column_slice(row->stmt, 6), &h->from_cycle);
	(void)store_cycle_find(sqlite_column_slice(row->stmt, 7), &h->to_cycle);
	if (!store_action_find(sqlite_column_slice(row->stmt, 3), &h->action))
		sqlite_row_spoil(row, 3, "is no word of ours");
}

/* One row over the limit tells that there is more. */
static enum td_status read_page(
	struct sqlite_conn *conn, struct store_op *op, sqlite3_stmt *stmt, size_t *ret_seen)
{
	int rc;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (++*ret_seen > op->in.limit) {
			op->out.more = true;
			rc = SQLITE_DONE;
			break;
		}
		struct sqlite_row row = {op, stmt, "subscription_history", ""};
		read_history(&row, &op->out.history[op->out.history_count]);
		if (row.why[0] == '\0')
			op->out.history_count++;
		else
			sqlite_row_note(&row, /* both= */ false);
	}
	enum td_status status = rc == SQLITE_DONE ? TD_OK : sqlite_conn_fail(conn, rc, &op->err);
	(void)sqlite3_reset(stmt);
	return status;
}

enum td_status sqlite_op_history_list(struct sqlite_conn *conn, struct store_op *op)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(HISTORY_LIST), &op->err);
	size_t seen = 0;
	if (stmt == NULL)
		return op->err.code;
	op->out.history = td_arena_array(&op->arena, op->in.limit + 1, sizeof(*op->out.history));
	if (op->out.history == NULL)
		return td_err_set(&op->err, TD_NOMEM, "no memory for history");
	sqlite_bind_slice(stmt, 1, op->in.user.id);
	sqlite_bind_number(stmt, 2, op->in.before_seq > 0 ? op->in.before_seq : INT64_MAX);
	sqlite_bind_number(stmt, 3, (int64_t)op->in.limit + 1);
	enum td_status status = read_page(conn, op, stmt, &seen);
	if (status == TD_OK && op->arena.failed)
		return td_err_set(&op->err, TD_NOMEM, "no memory for history");
	if (status == TD_OK && seen == 0)
		status = exists(conn, SQLITE_QUERY(USER_EXISTS), op->in.user.id, &op->err);
	return status;
}
