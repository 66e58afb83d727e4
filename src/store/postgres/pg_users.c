/* Writing users. */
#include "store/postgres/pg_sql.h"

/* id, email, first_name, last_name, company, the time of the operation */
static const enum pg_type types[] = {PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ};

static void put(struct pg_columns *c, const struct store_op *op)
{
	const struct store_user *u = &op->in.user;
	pg_array_put_text(&c->columns[0], u->id);
	pg_array_put_text(&c->columns[1], u->email);
	pg_array_put_text(&c->columns[2], u->first_name);
	pg_array_put_text(&c->columns[3], u->last_name);
	pg_array_put_text(&c->columns[4], u->company);
	pg_array_put_time(&c->columns[5], op->now_ms);
}

static void names(const struct store_op *op, struct pg_clash *c)
{
	pg_clash_put(c, PG_CLASH_USER_ID, op->in.user.id);
	pg_clash_put_nocase(c, PG_CLASH_EMAIL, op->in.user.email);
}

static void give_user(struct store_op *op, bool created, int64_t created_at, int64_t updated_at)
{
	op->out.user = op->in.user;
	op->out.user.created_at = created_at;
	op->out.user.updated_at = updated_at;
	op->out.created = created;
}

/* A row of PG_STMT_USERS_PUT: number, made, changed, taken, created_at, updated_at as it was. */
static void take_put(const PGresult *r, int row, struct pg_task *t)
{
	bool made = pg_bool(r, row, 1), changed = pg_bool(r, row, 2), taken = pg_bool(r, row, 3);
	bool was_there = !PQgetisnull(r, row, 4);
	int64_t now_ms = t->op->now_ms;
	int64_t created_at = pg_is_time(r, row, 4) ? pg_time(r, row, 4) : now_ms;
	if (taken) {
		t->outcome = TD_EXISTS;
	} else if (made) {
		t->outcome = TD_OK;
		give_user(t->op, /* created= */ true, now_ms, now_ms);
	} else if (was_there) {
		t->outcome = TD_OK;
		/* A first try that was committed after all made this row. */
		bool ours = t->op->tried.repeated && created_at == now_ms;
		give_user(t->op, ours, created_at, changed ? now_ms : pg_time(r, row, 5));
	} else {
		t->again = true; /* somebody inserted the id or the address at the same moment */
	}
}

static void take_create(const PGresult *r, int row, struct pg_task *t)
{
	(void)r;
	(void)row;
	t->outcome = TD_OK;
	give_user(t->op, /* created= */ true, t->op->now_ms, t->op->now_ms);
}

/* The id is ours: if it is there, the first try inserted it. */
static enum td_status recognise_create(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	struct store_op *op = t->op;
	const char *params[] = {
		pg_sql_text(&op->arena, op->in.user.id), pg_sql_time(&op->arena, op->now_ms)};
	bool ours = false;
	enum td_status status = pg_sql_finds(l, limit,
		"SELECT 1 FROM users WHERE id = $1 AND created_at = $2::timestamptz", params,
		TD_ARRAY_LEN(params), &ours, err);
	if (ours)
		take_create(NULL, 0, t);
	return status;
}

const struct pg_write_kind pg_user_put = {
	.names = names,
	.statement = PG_STMT_USERS_PUT,
	.types = types,
	.columns = TD_ARRAY_LEN(types),
	.put = put,
	.take = take_put,
	.absent = TD_INTERNAL, /* each has a row */
};

const struct pg_write_kind pg_user_create = {
	.names = names,
	.statement = PG_STMT_USERS_CREATE,
	.types = types,
	.columns = TD_ARRAY_LEN(types),
	.put = put,
	.take = take_create,
	.absent = TD_EXISTS,
	.recognise = recognise_create,
};
