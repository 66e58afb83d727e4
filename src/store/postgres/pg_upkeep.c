/* What processes agree on: who has a lease, what the test clock says; and the sweep of what has
 * expired. A lease is taken by its owner as often as it likes, and what is swept is gone: these may
 * be done twice. The clock may not: a repeat would meet the offset that it set itself, as somebody
 * else's, and whoever advances would add to it once more. */
#include "store/postgres/pg_read.h"
#include "store/postgres/pg_sql.h"

/* ---- sweep
 * --------------------------------------------------------------------------------------------- */

/* What somebody else holds is left for the next time. */
#define SWEEP(table)                                                                 \
	"WITH gone AS (DELETE FROM " table " WHERE ctid IN (SELECT ctid FROM " table \
	" WHERE expires_at <= $1::timestamptz ORDER BY expires_at"                   \
	" LIMIT $2::bigint FOR UPDATE SKIP LOCKED) RETURNING 1)"                     \
	" SELECT count(*) FROM gone"

static const char *const sweeps[] = {
	SWEEP("idempotency"),
	SWEEP("sessions"),
	SWEEP("password_resets"),
	SWEEP("throttles"),
};

static enum td_status run_sweep(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	struct store_op *op = t->op;
	const char *params[] = {pg_sql_time(&op->arena, op->now_ms),
		pg_sql_number(&op->arena, (int64_t)op->in.limit)};
	enum td_status status = TD_OK;
	op->out.swept = 0;
	for (size_t i = 0; i < TD_ARRAY_LEN(sweeps) && status == TD_OK; i++) {
		PGresult *r = NULL;
		status = pg_sql_ask(l, limit, sweeps[i], params, TD_ARRAY_LEN(params), &r, err);
		if (status == TD_OK)
			op->out.swept += (size_t)pg_int(r, 0, 0);
		PQclear(r);
	}
	t->outcome = TD_OK;
	return status;
}

const struct pg_write_kind pg_sweep = {.run = run_sweep, .unmarked = true};

/* ---- leases
 * -------------------------------------------------------------------------------------------- */

static enum td_status run_lease(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	struct store_op *op = t->op;
	const struct store_lease *lease = &op->in.lease;
	const char *params[] = {pg_sql_text(&op->arena, lease->name),
		pg_sql_text(&op->arena, lease->owner), pg_sql_time(&op->arena, lease->now_ms),
		pg_sql_time(&op->arena, lease->expires_at)};
	bool taken = false;
	enum td_status status = pg_sql_finds(l, limit,
		"INSERT INTO leases AS l (name, owner, expires_at) VALUES ($1, $2, $4::timestamptz)"
		" ON CONFLICT (name) DO UPDATE SET owner = excluded.owner,"
		" expires_at = excluded.expires_at"
		" WHERE l.owner = excluded.owner OR l.expires_at <= $3::timestamptz"
		" OR l.expires_at > $4::timestamptz + interval '1 minute' RETURNING name",
		params, TD_ARRAY_LEN(params), &taken, err);
	t->outcome = taken ? TD_OK : TD_CONFLICT;
	return status;
}

const struct pg_write_kind pg_lease_take = {.run = run_lease, .unmarked = true};

/* ---- the test clock
 * ------------------------------------------------------------------------------------ */

enum td_status pg_clock_get(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	PGresult *r = NULL;
	enum td_status status = pg_sql_run(
		l, limit, "SELECT offset_ms FROM test_clock WHERE id = 1", NULL, 0, &r, &op->err);
	if (status == TD_OK && PQntuples(r) == 0)
		status = TD_NOTFOUND;
	else if (status == TD_OK)
		op->out.clock_offset_ms = pg_int(r, 0, 0);
	PQclear(r);
	return status;
}

static enum td_status run_clock_set(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	struct store_op *op = t->op;
	const struct store_clock_set *set = &op->in.clock;
	const char *params[] = {pg_sql_number(&op->arena, set->offset_ms),
		pg_sql_number(&op->arena, set->expected_ms)};
	bool is_new = set->expected_ms == STORE_CLOCK_ABSENT, done = false;
	enum td_status status = pg_sql_finds(l, limit,
		is_new ? "INSERT INTO test_clock (id, offset_ms) VALUES (1, $1::bigint)"
			 " ON CONFLICT DO NOTHING RETURNING id"
		       : "UPDATE test_clock SET offset_ms = $1::bigint"
			 " WHERE id = 1 AND offset_ms = $2::bigint RETURNING id",
		params, is_new ? 1 : 2, &done, err);
	t->outcome = done ? TD_OK : TD_CONFLICT;
	return status;
}

const struct pg_write_kind pg_clock_set = {.run = run_clock_set};
