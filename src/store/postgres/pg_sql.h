/* Statements that come seldom: unnamed, in a lane's pipeline, with parameters as text. For
 * the files of families. */
#ifndef TD_STORE_POSTGRES_PG_SQL_H
#define TD_STORE_POSTGRES_PG_SQL_H

#include "store/postgres/pg_write.h"

/* Queues a statement; a NULL parameter is null, results are binary. False: lost. */
bool pg_sql_send(struct pg_lane *l, const char *sql, const char *const *params, int count);

/* TD_UNAVAILABLE, in words. */
enum td_status pg_sql_lost(struct td_err *err);

/* A statement whose result does not matter. */
enum td_status pg_sql_receive_nothing(
	struct pg_lane *l, const struct connect_limit *limit, struct td_err *err) TD_MUST_CHECK;

/* One statement in a transaction of its own; *ret is the caller's to PQclear(). */
enum td_status pg_sql_run(struct pg_lane *l, const struct connect_limit *limit, const char *sql,
	const char *const *params, int count, PGresult **ret, struct td_err *err) TD_MUST_CHECK;

/* Values as parameters, in the arena; absent text is empty, for no column that these write may be
 * null. */
const char *pg_sql_text(struct td_arena *arena, struct td_slice s);
const char *pg_sql_number(struct td_arena *arena, int64_t number);
const char *pg_sql_time(struct td_arena *arena, int64_t wall_ms);
const char *pg_sql_money(struct td_arena *arena, int64_t minor);

/* First in a transaction: how long its statements wait for a lock. */
enum td_status pg_sql_lock_wait(struct pg_lane *l, const struct connect_limit *limit, int lock_ms,
	struct td_err *err) TD_MUST_CHECK;

/* Within a transaction that goes on; *ret is the caller's to PQclear(). */
enum td_status pg_sql_ask(struct pg_lane *l, const struct connect_limit *limit, const char *sql,
	const char *const *params, int count, PGresult **ret, struct td_err *err) TD_MUST_CHECK;

/* As above: whether it gives a row. */
enum td_status pg_sql_finds(struct pg_lane *l, const struct connect_limit *limit, const char *sql,
	const char *const *params, int count, bool *ret_found, struct td_err *err) TD_MUST_CHECK;

#endif
