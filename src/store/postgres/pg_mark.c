/* A mark in the table of kept answers, written in the transaction of an operation that has no row
 * of its own to be recognised by. It is deleted with the answers that have expired. */
#include "store/postgres/pg_sql.h"

#include "base/uuid.h"

/* Longer than any operation is repeated. */
#define KEEP_MS INT64_C(3600000)

static bool choose_mark(struct store_op *op)
{
	char id[TD_UUID_TEXT_SIZE];
	if (op->tried.mark.ptr != NULL)
		return true;
	td_uuid_v7(op->now_ms, id);
	op->tried.mark = td_arena_slice(&op->arena, td_slice_str(id));
	return !op->arena.failed;
}

/* The sweep goes by the test clock, which this operation may have put forward. */
static int64_t keep_until(const struct pg_lane *l, const struct store_op *op)
{
	int64_t now_ms = td_clock_wall_ms(l->store->base.clock);
	if (op->kind == STORE_CLOCK_SET && op->in.clock.offset_ms > 0)
		now_ms += op->in.clock.offset_ms;
	return now_ms + KEEP_MS;
}

enum td_status pg_mark_set(struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t,
	bool *ret_done, struct td_err *err)
{
	struct store_op *op = t->op;
	PGresult *r = NULL;
	if (!choose_mark(op))
		return td_err_set(err, TD_NOMEM, "no memory for a mark");
	const char *params[] = {store_op_name(op->kind), pg_sql_text(&op->arena, op->tried.mark),
		pg_sql_time(&op->arena, keep_until(l, op))};
	if (!pg_sql_send(l,
		    "INSERT INTO idempotency (caller, route, key, fingerprint, expires_at, "
		    "http_status, body) VALUES ('store', $1, $2, decode(repeat('00', 32), 'hex'), "
		    "$3::timestamptz, 200, '') ON CONFLICT DO NOTHING RETURNING key",
		    params, TD_ARRAY_LEN(params)) ||
		!pg_push(l, limit))
		return pg_sql_lost(err);
	enum td_status status = pg_receive(l, limit, &r, err);
	*ret_done = status == TD_OK && PQntuples(r) == 0;
	PQclear(r);
	return status;
}

enum td_status pg_mark_take_back(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	struct store_op *op = t->op;
	const char *params[] = {store_op_name(op->kind), pg_sql_text(&op->arena, op->tried.mark)};
	if (!pg_sql_send(l,
		    "DELETE FROM idempotency WHERE caller = 'store' AND route = $1 AND key = $2",
		    params, TD_ARRAY_LEN(params)) ||
		!pg_push(l, limit))
		return pg_sql_lost(err);
	return pg_sql_receive_nothing(l, limit, err);
}
