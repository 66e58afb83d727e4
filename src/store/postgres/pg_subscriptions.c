/* Writing subscriptions: a whole batch by one statement, the rows of history with it. */
#include "store/postgres/pg_sql.h"

#include <stdio.h>

/* "api:" and a name of at most 200 characters. */
#define ACTOR_SIZE 1024

static void put_word(struct pg_array *a, const char *word)
{
	if (word[0] != '\0')
		pg_array_put_text(a, td_slice_str(word));
	else
		pg_array_put_null(a);
}

static void put_actor(
	struct pg_array *a, const struct store_history *row, const struct store_op *op)
{
	char actor[ACTOR_SIZE];
	if (row->actor.ptr != NULL) {
		pg_array_put_text(a, row->actor);
		return;
	}
	(void)snprintf(actor, sizeof(actor), "api:%.*s", TD_SLICE_ARG(op->caller.key_name));
	pg_array_put_text(a, td_slice_str(actor));
}

static void names(const struct store_op *op, struct pg_clash *c)
{
	pg_clash_put(c, PG_CLASH_SUBSCRIBER, op->in.subscription->user_id);
}

/* ---- a new one
 * ----------------------------------------------------------------------------------------- */

static const enum pg_type subscribe_types[] = {PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT, PG_INT8,
	PG_TEXT, PG_TIMESTAMPTZ, PG_INT8, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_INT8, PG_TIMESTAMPTZ,
	PG_TIMESTAMPTZ, PG_TEXT, PG_TEXT, PG_TEXT};

static void put_subscribe(struct pg_columns *c, const struct store_op *op)
{
	const struct store_subscription *s = op->in.subscription;
	struct pg_array *a = c->columns;
	pg_array_put_text(a++, s->id);
	pg_array_put_text(a++, s->user_id);
	pg_array_put_text(a++, s->package.id);
	put_word(a++, store_status_word(s->status));
	put_word(a++, store_cycle_word(s->cycle));
	pg_array_put_int(a++, s->price);
	pg_array_put_text(a++, s->currency);
	pg_array_put_time(a++, s->started_at);
	pg_array_put_int(a++, s->anchor_day);
	pg_array_put_time(a++, s->current_period_start);
	pg_array_put_time(a++, s->current_period_end);
	pg_array_put_int(a++, s->version);
	pg_array_put_time(a++, s->created_at);
	pg_array_put_time(a++, s->updated_at);
	pg_array_put_text(a++, op->in.history[0].id);
	pg_array_put_text(a++, op->in.history[0].to_package);
	put_actor(a, &op->in.history[0], op);
}

/* number, made, the user is there, the package is there */
static void take_subscribe(const PGresult *r, int row, struct pg_task *t)
{
	t->op->out.missing = !pg_bool(r, row, 2)   ? STORE_MISSING_USER
			     : !pg_bool(r, row, 3) ? STORE_MISSING_PACKAGE
						   : STORE_MISSING_NOTHING;
	if (t->op->out.missing != STORE_MISSING_NOTHING)
		t->outcome = TD_NOTFOUND;
	else
		t->outcome = pg_bool(r, row, 1) ? TD_OK : TD_EXISTS;
}

/* The id is ours: if its first row of history is there, an earlier try wrote both. */
static enum td_status recognise(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	struct store_op *op = t->op;
	const char *params[] = {
		pg_sql_text(&op->arena, op->in.history[op->in.history_count - 1].id)};
	bool ours = false;
	enum td_status status = pg_sql_finds(l, limit,
		"SELECT 1 FROM subscription_history WHERE id = $1", params, 1, &ours, err);
	if (ours)
		t->outcome = TD_OK;
	return status;
}

const struct pg_write_kind pg_subscribe = {
	.names = names,
	.statement = PG_STMT_SUBSCRIBE,
	.types = subscribe_types,
	.columns = TD_ARRAY_LEN(subscribe_types),
	.put = put_subscribe,
	.take = take_subscribe,
	.absent = TD_INTERNAL, /* each has a row */
	.recognise = recognise,
};

/* ---- a change
 * ------------------------------------------------------------------------------------------ */

#define HISTORY_AT 21

static const enum pg_type change_types[] = {PG_TEXT, PG_INT8, PG_TEXT, PG_TEXT, PG_TEXT, PG_INT8,
	PG_TEXT, PG_INT8, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_TEXT, PG_TEXT, PG_TEXT, PG_INT8,
	PG_TEXT, PG_TIMESTAMPTZ, PG_BOOL, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_INT8, PG_TIMESTAMPTZ,
	/* HISTORY_AT: */ PG_INT8, PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT,
	PG_TEXT, PG_INT8, PG_TEXT, PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ};

static struct pg_array *put_pending(struct pg_array *a, const struct store_pending *p)
{
	bool changes = p->action == STORE_PENDING_CHANGE;
	put_word(a++, store_pending_word(p->action));
	pg_array_put_text(a++, changes ? p->package.id : td_slice(NULL, 0));
	put_word(a++, changes ? store_cycle_word(p->cycle) : "");
	if (changes)
		pg_array_put_int(a++, p->price);
	else
		pg_array_put_null(a++);
	pg_array_put_text(a++, changes ? p->currency : td_slice(NULL, 0));
	pg_array_put_time(a++, p->at);
	return a;
}

static void put_row(struct pg_array *a, const struct store_op *op)
{
	const struct store_subscription *s = op->in.subscription;
	pg_array_put_text(a++, s->id);
	pg_array_put_int(a++, op->in.version);
	pg_array_put_text(a++, s->package.id);
	put_word(a++, store_status_word(s->status));
	put_word(a++, store_cycle_word(s->cycle));
	pg_array_put_int(a++, s->price);
	pg_array_put_text(a++, s->currency);
	pg_array_put_int(a++, s->anchor_day);
	pg_array_put_time(a++, s->current_period_start);
	pg_array_put_time(a++, s->current_period_end);
	a = put_pending(a, &s->pending);
	pg_array_put_bool(a++, s->cancel_at_period_end);
	pg_array_put_time(a++, s->canceled_at);
	pg_array_put_time(a++, s->ended_at);
	pg_array_put_int(a++, s->version);
	pg_array_put_time(a, s->updated_at);
}

static void put_history(struct pg_array *a, int64_t number, const struct store_history *h,
	const struct store_op *op)
{
	pg_array_put_int(a++, number);
	pg_array_put_text(a++, h->id);
	pg_array_put_text(a++, h->subscription_id);
	pg_array_put_text(a++, h->user_id);
	put_word(a++, store_action_word(h->action));
	pg_array_put_text(a++, h->from_package);
	pg_array_put_text(a++, h->to_package);
	put_word(a++, store_cycle_word(h->from_cycle));
	put_word(a++, store_cycle_word(h->to_cycle));
	if (h->has_price)
		pg_array_put_int(a++, h->price);
	else
		pg_array_put_null(a++);
	pg_array_put_text(a++, h->currency);
	pg_array_put_text(a++, h->reason);
	put_actor(a++, h, op);
	pg_array_put_time(a, h->created_at);
}

static void put_change(struct pg_columns *c, const struct store_op *op)
{
	put_row(c->columns, op);
	for (size_t i = 0; i < op->in.history_count; i++)
		put_history(&c->columns[HISTORY_AT], c->columns[0].count, &op->in.history[i], op);
}

const struct pg_write_kind pg_subscription_change = {
	.names = names,
	.statement = PG_STMT_SUBSCRIPTIONS_CHANGE,
	.types = change_types,
	.columns = TD_ARRAY_LEN(change_types),
	.put = put_change,
	.take = pg_take_ok,
	.absent = TD_CONFLICT,
	.recognise = recognise,
};
