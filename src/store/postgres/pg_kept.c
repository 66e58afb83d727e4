/* The content of another store as it was read last, kept for when that is away. Twice is like once.
 */
#include "store/postgres/pg_read.h"
#include "store/postgres/pg_sql.h"

static enum td_status run_put(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	struct store_op *op = t->op;
	const char *params[] = {
		pg_sql_text(&op->arena, op->in.text), pg_sql_time(&op->arena, op->now_ms)};
	PGresult *r = NULL;
	/* Several processes keep the same. */
	enum td_status status = pg_sql_ask(l, limit,
		"INSERT INTO kept_catalogue AS k (id, body, kept_at)"
		" VALUES (1, $1, $2::timestamptz) ON CONFLICT (id) DO UPDATE SET"
		" body = excluded.body, kept_at = excluded.kept_at WHERE k.body <> excluded.body",
		params, TD_ARRAY_LEN(params), &r, err);
	PQclear(r);
	t->outcome = TD_OK;
	return status;
}

const struct pg_write_kind pg_kept_put = {.run = run_put, .unmarked = true};

enum td_status pg_kept_get(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	PGresult *r = NULL;
	enum td_status status = pg_sql_run(
		l, limit, "SELECT body FROM kept_catalogue WHERE id = 1", NULL, 0, &r, &op->err);
	if (status == TD_OK && PQntuples(r) == 0)
		status = TD_NOTFOUND;
	else if (status == TD_OK)
		op->out.text = pg_text(r, 0, 0, &op->arena);
	PQclear(r);
	return status == TD_OK && op->arena.failed ? TD_NOMEM : status;
}
