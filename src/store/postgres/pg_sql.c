#include "store/postgres/pg_sql.h"

#include <stdio.h>

/* Unnamed, in pipeline mode, parameters as text (NULL: null), results binary. */
bool pg_sql_send(struct pg_lane *l, const char *sql, const char *const *params, int count)
{
	return PQsendQueryParams(
		       l->conn, sql, count, NULL, params, NULL, NULL, /* resultFormat= */ 1) == 1;
}

enum td_status pg_sql_lost(struct td_err *err)
{
	return td_err_set(err, TD_UNAVAILABLE, "the connection to PostgreSQL was lost");
}

/* A statement whose result does not matter. */
enum td_status pg_sql_receive_nothing(
	struct pg_lane *l, const struct connect_limit *limit, struct td_err *err)
{
	PGresult *r = NULL;
	enum td_status status = pg_receive(l, limit, &r, err);
	PQclear(r);
	return status;
}

/* One statement in a transaction of its own. */
enum td_status pg_sql_run(struct pg_lane *l, const struct connect_limit *limit, const char *sql,
	const char *const *params, int count, PGresult **ret, struct td_err *err)
{
	if (!pg_sql_send(l, sql, params, count) || !pg_sync(l, limit))
		return pg_sql_lost(err);
	enum td_status status = pg_receive(l, limit, ret, err);
	return pg_end_synced(l, limit, status, err);
}

enum td_status pg_sql_ask(struct pg_lane *l, const struct connect_limit *limit, const char *sql,
	const char *const *params, int count, PGresult **ret, struct td_err *err)
{
	if (!pg_sql_send(l, sql, params, count) || !pg_push(l, limit))
		return pg_sql_lost(err);
	return pg_receive(l, limit, ret, err);
}

/* Nothing is sent where the session has that setting. */
enum td_status pg_sql_lock_wait(
	struct pg_lane *l, const struct connect_limit *limit, int lock_ms, struct td_err *err)
{
	char number[16];
	const char *params[] = {number};
	if (lock_ms == PG_LOCK_MS && l->writes && !atomic_load(&l->store->pooled))
		return TD_OK;
	(void)snprintf(number, sizeof(number), "%d", lock_ms);
	if (!pg_sql_send(l, "SELECT set_config('lock_timeout', $1, true)", params, 1) ||
		!pg_push(l, limit))
		return pg_sql_lost(err);
	return pg_sql_receive_nothing(l, limit, err);
}

enum td_status pg_sql_finds(struct pg_lane *l, const struct connect_limit *limit, const char *sql,
	const char *const *params, int count, bool *ret_found, struct td_err *err)
{
	PGresult *r = NULL;
	enum td_status status = pg_sql_ask(l, limit, sql, params, count, &r, err);
	*ret_found = status == TD_OK && PQntuples(r) > 0;
	PQclear(r);
	return status;
}

/* None of these columns may be null: text that is absent is empty. */
const char *pg_sql_text(struct td_arena *arena, struct td_slice s)
{
	return s.ptr != NULL ? td_arena_strndup(arena, s.ptr, s.len) : "";
}

const char *pg_sql_number(struct td_arena *arena, int64_t number)
{
	return td_arena_printf(arena, "%lld", (long long)number);
}

const char *pg_sql_time(struct td_arena *arena, int64_t wall_ms)
{
	char text[TD_TIME_TEXT_SIZE];
	td_time_format(wall_ms, text);
	return td_arena_printf(arena, "%s", text);
}

const char *pg_sql_money(struct td_arena *arena, int64_t minor)
{
	return td_arena_printf(
		arena, "%lld.%02lld", (long long)(minor / 100), (long long)(minor % 100));
}
