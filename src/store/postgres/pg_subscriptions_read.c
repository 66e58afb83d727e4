/* Reading subscriptions and their history. */
#include "store/postgres/pg_read.h"
#include "store/postgres/pg_sql.h"

#include "base/money.h"

/* So many are named to who asks. */
#define BAD_ROWS_MOST 100

static struct td_slice peek(const PGresult *r, int row, int column)
{
	return td_slice(PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column));
}

/* A time that may be absent, too. */
static bool is_time(const PGresult *r, int row, int column)
{
	return PQgetisnull(r, row, column) || pg_is_time(r, row, column);
}

static struct store_package_part read_package(
	const PGresult *r, int row, int column, struct td_arena *arena)
{
	return (struct store_package_part){
		.id = pg_text(r, row, column, arena),
		.slug = pg_text(r, row, column + 1, arena),
		.name = pg_text(r, row, column + 2, arena),
		.rate_limit_per_hour = pg_int(r, row, column + 3),
		.rate_limit_per_day = pg_int(r, row, column + 4),
	};
}

static const char *read_pending(
	const PGresult *r, int row, int column, struct td_arena *arena, struct store_pending *p)
{
	*p = (struct store_pending){.action = STORE_PENDING_NONE};
	if (PQgetisnull(r, row, column))
		return NULL;
	(void)store_pending_find(peek(r, row, column), &p->action);
	p->at = pg_time(r, row, column + 9);
	if (!is_time(r, row, column + 9))
		return "pending_at is outside the years 0001 to 9999";
	if (p->action != STORE_PENDING_CHANGE)
		return NULL;
	p->package = read_package(r, row, column + 1, arena);
	p->price = pg_int(r, row, column + 7);
	p->currency = pg_text(r, row, column + 8, arena);
	if (p->package.id.ptr == NULL || p->currency.ptr == NULL ||
		!store_cycle_find(peek(r, row, column + 6), &p->cycle))
		return "a change is planned, but its package, cycle, price or currency is null";
	if (!td_money_is_currency(p->currency))
		return "pending_currency is not one with two decimal places";
	return p->price < 0 ? "pending_price is no number" : NULL;
}

static const char *check_times(const PGresult *r, int row, int column)
{
	static const int times[] = {11, 13, 14, 26, 27, 29, 30};
	for (size_t i = 0; i < TD_ARRAY_LEN(times); i++) {
		if (!is_time(r, row, column + times[i]))
			return "a time is outside the years 0001 to 9999";
	}
	return NULL;
}

const char *pg_subscription(const PGresult *r, int row, int column, struct td_arena *arena,
	struct store_subscription *s)
{
	*s = (struct store_subscription){
		.id = pg_text(r, row, column, arena),
		.user_id = pg_text(r, row, column + 1, arena),
		.package = read_package(r, row, column + 2, arena),
		.price = pg_int(r, row, column + 9),
		.currency = pg_text(r, row, column + 10, arena),
		.started_at = pg_time(r, row, column + 11),
		.anchor_day = (int)pg_int(r, row, column + 12),
		.current_period_start = pg_time(r, row, column + 13),
		.current_period_end = pg_time(r, row, column + 14),
		.cancel_at_period_end = pg_bool(r, row, column + 25),
		.canceled_at = pg_time(r, row, column + 26),
		.ended_at = pg_time(r, row, column + 27),
		.version = pg_int(r, row, column + 28),
		.created_at = pg_time(r, row, column + 29),
		.updated_at = pg_time(r, row, column + 30),
	};
	if (!store_status_find(peek(r, row, column + 7), &s->status) ||
		!store_cycle_find(peek(r, row, column + 8), &s->cycle))
		return "its status or billing_cycle is no word of ours";
	if (s->price < 0)
		return "price is no number";
	if (!td_money_is_currency(s->currency))
		return "currency is not one with two decimal places";
	const char *why = read_pending(r, row, column + 15, arena, &s->pending);
	return why != NULL ? why : check_times(r, row, column);
}

/* Told of by the store, and named for who asked: a flow must not take the row for absent. */
static void leave_out(struct pg_store *s, struct store_op *op, const char *table,
	struct td_slice key, const char *why)
{
	const struct store_bad_row row = {.table = td_slice_str(table),
		.key = td_arena_slice(&op->arena, key),
		.why = td_slice_str(why),
		.told = s->config.bad_row != NULL};
	pg_tell_bad_row(s, &row);
	if (op->out.bad_row_count == BAD_ROWS_MOST)
		return;
	if (op->out.bad_row_count == 0)
		op->out.bad_rows = td_arena_array(
			&op->arena, BAD_ROWS_MOST, sizeof(*op->out.bad_rows));
	if (op->out.bad_rows != NULL)
		op->out.bad_rows[op->out.bad_row_count++] = row;
}

/* Adds a row to out.subscriptions, for which there is room, or tells that it is bad. */
static void give_row(
	struct pg_store *store, const PGresult *r, int row, int column, struct store_op *op)
{
	struct store_subscription *s = &op->out.subscriptions[op->out.subscription_count];
	const char *why = pg_subscription(r, row, column, &op->arena, s);
	if (why == NULL) {
		op->out.subscription_count++;
		return;
	}
	op->out.left_out++;
	leave_out(store, op, "user_subscriptions", peek(r, row, column), why);
}

static bool make_room(struct store_op *op, int rows)
{
	op->out.subscription_count = op->out.bad_row_count = op->out.left_out = 0;
	op->out.subscriptions = td_arena_array(
		&op->arena, (size_t)rows + 1, sizeof(*op->out.subscriptions));
	return op->out.subscriptions != NULL;
}

static void give_of_user(struct pg_store *s, const PGresult *r, int row, struct pg_task *t)
{
	if (make_room(t->op, 1) && !PQgetisnull(r, row, 1))
		give_row(s, r, row, 1, t->op);
	t->outcome = t->op->arena.failed ? TD_NOMEM : TD_OK;
}

const struct pg_read_kind pg_subscription_get = {
	.statement = PG_STMT_SUBSCRIPTIONS_BY_USER,
	.key_type = PG_TEXT,
	.key = pg_key_user_id,
	.give = give_of_user,
	.absent = TD_NOTFOUND,
};

enum td_status pg_subscription_due(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	const char *params[] = {pg_sql_time(&op->arena, op->in.due_ms),
		pg_sql_number(&op->arena, (int64_t)op->in.limit)};
	PGresult *r = NULL;
	enum td_status status = pg_sql_run(
		l, limit, pg_sql_subscriptions_due, params, TD_ARRAY_LEN(params), &r, &op->err);
	int rows = status == TD_OK ? PQntuples(r) : 0;
	bool room = make_room(op, rows);
	for (int row = 0; room && row < rows; row++)
		give_row(l->store, r, row, 0, op);
	PQclear(r);
	return status == TD_OK && op->arena.failed ? TD_NOMEM : status;
}

/* ---- history
 * ------------------------------------------------------------------------------------------- */

bool pg_history_row(const PGresult *r, int row, struct td_arena *arena, struct store_history *h)
{
	*h = (struct store_history){
		.id = pg_text(r, row, 1, arena),
		.subscription_id = pg_text(r, row, 2, arena),
		.user_id = pg_text(r, row, 3, arena),
		.from_package = pg_text(r, row, 5, arena),
		.to_package = pg_text(r, row, 6, arena),
		.has_price = PQgetisnull(r, row, 9) == 0,
		.price = pg_int(r, row, 9),
		.currency = pg_text(r, row, 10, arena),
		.reason = pg_text(r, row, 11, arena),
		.actor = pg_text(r, row, 12, arena),
		.created_at = pg_time(r, row, 13),
		.seq = pg_int(r, row, 14),
	};
	/* Null is none. */
	(void)store_cycle_find(peek(r, row, 7), &h->from_cycle);
	(void)store_cycle_find(peek(r, row, 8), &h->to_cycle);
	return store_action_find(peek(r, row, 4), &h->action) && is_time(r, row, 13) &&
	       h->price >= 0;
}

static void take_history(struct pg_store *s, const PGresult *r, struct store_op *op)
{
	int rows = PQntuples(r);
	bool any = rows > 0 && !PQgetisnull(r, 0, 1);
	struct store_history *list = td_arena_array(&op->arena, (size_t)rows + 1, sizeof(*list));
	if (rows > 0 && !PQgetisnull(r, 0, 16))
		op->out.trimmed = (struct store_span){pg_time(r, 0, 15), pg_time(r, 0, 16)};
	op->out.history = list;
	op->out.more = any && (size_t)rows > op->in.limit;
	for (int row = 0; list != NULL && any && row < rows && (size_t)row < op->in.limit; row++) {
		if (pg_history_row(r, row, &op->arena, &list[op->out.history_count]))
			op->out.history_count++;
		else
			leave_out(s, op, "subscription_history", peek(r, row, 1),
				"its action is no word of ours, or its time is outside the years "
				"0001 to 9999");
	}
}

/* A user without history is one row of nulls. */
enum td_status pg_history_list(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	int64_t before = op->in.before_seq > 0 ? op->in.before_seq : INT64_MAX;
	const char *params[] = {pg_sql_text(&op->arena, op->in.user.id),
		pg_sql_number(&op->arena, before),
		pg_sql_number(&op->arena, (int64_t)op->in.limit + 1)};
	PGresult *r = NULL;
	op->out.history_count = op->out.bad_row_count = 0;
	op->out.trimmed = (struct store_span){0, 0};
	enum td_status status = pg_sql_run(l, limit,
		"SELECT u.id, " PG_SQL_HISTORY ", least(u.created_at, u.history_from),"
		" e.trimmed_before FROM users u"
		" LEFT JOIN subscription_event_log e ON e.id = 1 AND e.trimmed_to > 0"
		" AND e.trimmed_before > least(u.created_at, u.history_from)"
		" LEFT JOIN LATERAL (SELECT * FROM subscription_history h"
		" WHERE h.user_id = u.id AND h.seq < $2::bigint ORDER BY h.seq DESC"
		" LIMIT $3::bigint) h ON true WHERE u.id = $1 ORDER BY h.seq DESC",
		params, TD_ARRAY_LEN(params), &r, &op->err);
	if (status == TD_OK && PQntuples(r) == 0)
		status = TD_NOTFOUND;
	else if (status == TD_OK)
		take_history(l->store, r, op);
	PQclear(r);
	return status == TD_OK && op->arena.failed ? TD_NOMEM : status;
}
