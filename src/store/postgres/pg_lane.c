/* A lane's connection stays in pipeline mode. Invariants:
 *  1. between batches nothing is queued and no result is outstanding; a batch that cannot restore
 * that drops the connection;
 *  2. everything between two syncs is one transaction, which the sync commits; after an error the
 * server skips all up to the sync, and the transaction is rolled back (PostgreSQL 15 manual, 55.2.3
 * and 34.5). */
#include "store/postgres/pg_store_internal.h"

#include "store/postgres/pg_classify.h"

#include <sodium.h>
#include <stdio.h>

#define LIFETIME_MS (45u * 60u * 1000u)

static uint64_t now_ms(void)
{
	return td_clock_mono_ns() / 1000000u;
}

/* "t1" to "t12": names of prepared statements. Text of each, one list. */
#define USER_COLUMNS \
	"u.id, u.email, u.first_name, u.last_name, u.company, u.created_at, u.updated_at"

static const char *const statements[PG_STMT_COUNT] = {
	[PG_STMT_CALLERS] = "SELECT hash, id, name, last_used_at FROM api_keys"
			    " WHERE hash = ANY ($1::bytea[]) AND revoked_at IS NULL",
	/* Nobody waits for a row that another client holds: it is noted the next time. */
	[PG_STMT_KEY_USED] =
		"UPDATE api_keys SET last_used_at = k.at"
		" FROM unnest($1::text[], $2::timestamptz[]) AS k (id, at),"
		" (SELECT id FROM api_keys WHERE id = ANY ($1::text[]) FOR UPDATE SKIP LOCKED) AS "
		"free"
		" WHERE api_keys.id = k.id AND api_keys.id = free.id",
	[PG_STMT_USERS_BY_ID] = "SELECT " USER_COLUMNS
				" FROM users u WHERE u.id = ANY ($1::text[])",
	[PG_STMT_USERS_BY_EMAIL] =
		"SELECT lower(u.email COLLATE \"C\"), " USER_COLUMNS
		" FROM users u WHERE lower(u.email COLLATE \"C\") = ANY ($1::text[])",
	/* The batch holds each id and each address once. What the last SELECT sees of `users` is
	   how it was before. */
	[PG_STMT_USERS_PUT] =
		"WITH i AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], "
		"$4::text[], $5::text[],"
		" $6::timestamptz[]) AS t (id, email, first_name, last_name, company, at)),"
		" was AS MATERIALIZED (SELECT u.* FROM users u JOIN i ON u.id = i.id),"
		" taken AS MATERIALIZED (SELECT i.id FROM i JOIN users o ON lower(o.email COLLATE "
		"\"C\") = lower(i.email COLLATE \"C\")"
		" AND o.id <> i.id),"
		" changed AS (UPDATE users u SET email = i.email, first_name = i.first_name, "
		"last_name = i.last_name,"
		" company = i.company, updated_at = i.at FROM i WHERE u.id = i.id AND i.id NOT IN "
		"(SELECT id FROM taken)"
		" AND (u.email, u.first_name, u.last_name, u.company) IS DISTINCT FROM"
		" (i.email, i.first_name, i.last_name, i.company) RETURNING u.id),"
		" made AS (INSERT INTO users (id, email, first_name, last_name, company, "
		"created_at, updated_at)"
		" SELECT id, email, first_name, last_name, company, at, at FROM i"
		" WHERE i.id NOT IN (SELECT id FROM was) AND i.id NOT IN (SELECT id FROM taken) "
		"ORDER BY id"
		" ON CONFLICT DO NOTHING RETURNING id)"
		" SELECT i.id, made.id IS NOT NULL, changed.id IS NOT NULL, taken.id IS NOT NULL,"
		" was.created_at, was.updated_at FROM i LEFT JOIN made ON made.id = i.id LEFT JOIN "
		"changed ON changed.id = i.id"
		" LEFT JOIN taken ON taken.id = i.id LEFT JOIN was ON was.id = i.id",
	[PG_STMT_USERS_CREATE] = "INSERT INTO users (id, email, first_name, last_name, company, "
				 "created_at, updated_at)"
				 " SELECT id, email, first_name, last_name, company, at, at"
				 " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], "
				 "$5::text[], $6::timestamptz[])"
				 " AS t (id, email, first_name, last_name, company, at) ORDER BY id"
				 " ON CONFLICT DO NOTHING RETURNING id",
	[PG_STMT_ANSWERS_EXPIRE] =
		"DELETE FROM idempotency a USING unnest($1::text[], $2::text[], $3::text[],"
		" $4::timestamptz[]) AS k (caller, route, key, now)"
		" WHERE a.caller = k.caller AND a.route = k.route AND a.key = k.key AND "
		"a.expires_at <= k.now",
	[PG_STMT_ANSWERS_CLAIM] =
		"INSERT INTO idempotency (caller, route, key, fingerprint, expires_at, "
		"http_status, body, location)"
		" SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], "
		"$5::timestamptz[], $6::bigint[],"
		" $7::text[], $8::text[]) AS t (caller, route, key, fingerprint, expires_at, "
		"http_status, body, location)"
		" ORDER BY caller, route, key ON CONFLICT DO NOTHING RETURNING caller, route, key",
	[PG_STMT_ANSWERS_FIX] =
		"UPDATE idempotency a SET http_status = k.http_status, body = k.body, location = "
		"k.location"
		" FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], "
		"$6::text[])"
		" AS k (caller, route, key, http_status, body, location)"
		" WHERE a.caller = k.caller AND a.route = k.route AND a.key = k.key",
	[PG_STMT_ANSWERS_SWEEP] = "DELETE FROM idempotency WHERE (caller, route, key) IN"
				  " (SELECT caller, route, key FROM idempotency WHERE expires_at "
				  "<= ALL ($1::timestamptz[])"
				  " ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED)",
	[PG_STMT_ANSWERS_READ] =
		"SELECT a.caller, a.route, a.key, a.fingerprint, a.http_status, a.body, a.location"
		" FROM idempotency a JOIN unnest($1::text[], $2::text[], $3::text[]) AS k (caller, "
		"route, key)"
		" ON a.caller = k.caller AND a.route = k.route AND a.key = k.key",
};

struct connect_limit pg_batch_limit(struct pg_lane *l, struct lane_job **jobs, size_t count)
{
	struct connect_limit limit = {.deadline_ms = 0, .stop = &l->store->away};
	for (size_t i = 0; i < count; i++) {
		if (jobs[i]->deadline_ms > limit.deadline_ms)
			limit.deadline_ms = jobs[i]->deadline_ms;
	}
	return limit;
}

void pg_lane_drop(struct pg_lane *l)
{
	PQfinish(l->conn);
	l->conn = NULL;
}

/* A notice of the server's that it is going away comes in while the connection is idle. */
static bool is_stale(struct pg_lane *l)
{
	if (now_ms() >= l->retire_ms)
		return true;
	if (PQconsumeInput(l->conn) == 0)
		return true;
	return PQstatus(l->conn) != CONNECTION_OK || PQisBusy(l->conn) != 0;
}

static enum td_status set_timeouts(
	struct pg_lane *l, const struct connect_limit *limit, struct td_err *err)
{
	char sql[400];
	/* The server must notice, too, that we are gone: until then a batch that was cut off holds
	 * its locks, and the repeat waits for them. */
	(void)snprintf(sql, sizeof(sql),
		"SELECT set_config('statement_timeout', '%lld', false),"
		" set_config('idle_in_transaction_session_timeout', '%lld', false),"
		" set_config('tcp_keepalives_idle', '10', false),"
		" set_config('tcp_keepalives_interval', '5', false),"
		" set_config('tcp_keepalives_count', '3', false)",
		(long long)l->store->config.store_timeout_ms,
		(long long)l->store->config.store_timeout_ms * 2);
	return pg_query(l->conn, sql, NULL, 0, limit, NULL, err);
}

/* Preparing a statement that writes takes a lock on its table, behind which a reader must not have
 * to wait. */
static bool is_prepared(const struct pg_lane *l, enum pg_statement statement)
{
	bool reads = statement == PG_STMT_CALLERS || statement == PG_STMT_USERS_BY_ID ||
		     statement == PG_STMT_USERS_BY_EMAIL;
	return !atomic_load(&l->store->pooled) && (reads || l->writes);
}

static void put_name(enum pg_statement statement, char out[16])
{
	(void)snprintf(out, 16, "t%d", (int)statement);
}

static bool prepare_all(struct pg_lane *l, const struct connect_limit *limit)
{
	char name[16];
	int count = 0;
	for (int i = 0; i < PG_STMT_COUNT; i++) {
		if (!is_prepared(l, (enum pg_statement)i))
			continue;
		count++;
		put_name((enum pg_statement)i, name);
		if (PQsendPrepare(l->conn, name, statements[i], 0, NULL) == 0)
			return false;
	}
	if (!pg_sync(l, limit))
		return false;
	for (int i = 0; i < count; i++) {
		PGresult *r = NULL;
		if (pg_receive(l, limit, &r, NULL) != TD_OK)
			return false;
		PQclear(r);
	}
	return pg_receive_sync(l, limit, NULL) == TD_OK;
}

/* A session's settings and statements would stay with a pooler's connection, so there are none
 * through one. */
static bool set_up(struct pg_lane *l, const struct connect_limit *limit)
{
	bool pooled = atomic_load(&l->store->pooled);
	if (!pooled && set_timeouts(l, limit, NULL) != TD_OK)
		return false;
	return PQenterPipelineMode(l->conn) == 1 && (pooled || prepare_all(l, limit));
}

/* The supervisor's connection stands, but ours is refused (too many clients, another password): no
 * storm of attempts. What was so before the supervisor last connected counts no more. */
static bool must_wait(const struct pg_lane *l)
{
	return l->epoch == atomic_load(&l->store->epoch) && now_ms() < l->not_before_ms;
}

static void back_off(struct pg_lane *l, enum connect_class class)
{
	unsigned epoch = atomic_load(&l->store->epoch);
	if (l->epoch != epoch)
		connect_backoff_reset(&l->backoff);
	l->epoch = epoch;
	l->not_before_ms = now_ms() + (uint64_t)connect_backoff_next(&l->backoff,
					      connect_class_pace(class), randombytes_random());
}

static enum td_status open_connection(struct pg_lane *l, const struct connect_limit *limit,
	enum connect_class *ret_class, struct td_err *err)
{
	struct connect_failures failures;
	if (pg_connect(&l->store->pg, limit, &l->conn, &failures) != TD_OK) {
		*ret_class = connect_failures_worst(&failures)->class;
		return td_err_set(err, TD_UNAVAILABLE, "PostgreSQL: %s",
			connect_failures_worst(&failures)->reason);
	}
	if (set_up(l, limit))
		return TD_OK;
	pg_lane_drop(l);
	return td_err_set(err, TD_UNAVAILABLE, "PostgreSQL: the connection could not be set up");
}

enum td_status pg_lane_ensure(
	struct pg_lane *l, const struct connect_limit *limit, struct td_err *err)
{
	if (l->conn != NULL && is_stale(l))
		pg_lane_drop(l);
	if (l->conn != NULL)
		return TD_OK;
	if (!connect_supervisor_is_up(l->store->supervisor))
		return td_err_set(err, TD_UNAVAILABLE, "PostgreSQL is away");
	if (must_wait(l))
		return td_err_set(err, TD_UNAVAILABLE,
			"PostgreSQL refused the last connection; the next attempt is due soon");
	struct connect_limit own = *limit;
	uint64_t most = now_ms() + (uint64_t)l->store->config.connect_timeout_ms;
	if (own.deadline_ms > most)
		own.deadline_ms = most;
	enum connect_class class = CONNECT_CLOSED;
	enum td_status status = open_connection(l, &own, &class, err);
	if (status != TD_OK) {
		back_off(l, class);
		return status;
	}
	connect_backoff_reset(&l->backoff);
	l->not_before_ms = 0;
	l->retire_ms = now_ms() + LIFETIME_MS - randombytes_uniform(LIFETIME_MS / 5);
	return TD_OK;
}

bool pg_send(
	struct pg_lane *l, enum pg_statement statement, const struct pg_param *params, int count)
{
	const char *values[PG_PARAMS_MOST];
	int lengths[PG_PARAMS_MOST], formats[PG_PARAMS_MOST];
	for (int i = 0; i < count; i++) {
		values[i] = params[i].bytes;
		lengths[i] = params[i].length;
		formats[i] = 1;
	}
	if (!is_prepared(l, statement))
		return PQsendQueryParams(l->conn, statements[statement], count, NULL, values,
			       lengths, formats, 1) == 1;
	char name[16];
	put_name(statement, name);
	return PQsendQueryPrepared(l->conn, name, count, values, lengths, formats, 1) == 1;
}

bool pg_push(struct pg_lane *l, const struct connect_limit *limit)
{
	return PQsendFlushRequest(l->conn) == 1 && pg_flush(l->conn, limit);
}

bool pg_sync(struct pg_lane *l, const struct connect_limit *limit)
{
	return PQpipelineSync(l->conn) == 1 && pg_flush(l->conn, limit);
}

static enum td_status lost(struct td_err *err)
{
	return td_err_set(err, TD_UNAVAILABLE, "the connection to PostgreSQL was lost");
}

/* Which outcome a SQLSTATE is. */
static enum td_status status_of(const char *state)
{
	if (state == NULL)
		return TD_UNAVAILABLE;
	if (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0)
		return TD_CONFLICT;
	if (strcmp(state, "23505") == 0)
		return TD_EXISTS;
	if (strcmp(state, "57014") == 0 || strcmp(state, "55P03") == 0)
		return TD_TIMEOUT;
	if (strncmp(state, "57P", 3) == 0 || strncmp(state, "08", 2) == 0 ||
		strcmp(state, "25006") == 0)
		return TD_UNAVAILABLE;
	if (strncmp(state, "53", 2) == 0 || strncmp(state, "58", 2) == 0)
		return TD_UNAVAILABLE;
	/* A prepared statement is gone, or somebody has changed a column's type: a fresh connection
	 * prepares it anew. */
	if (strcmp(state, "26000") == 0 || strcmp(state, "0A000") == 0)
		return TD_UNAVAILABLE;
	return strcmp(state, "42P01") == 0 ? TD_SCHEMA : TD_INTERNAL;
}

static enum td_status judge(PGresult *r, struct td_err *err)
{
	ExecStatusType s = PQresultStatus(r);
	if (s == PGRES_TUPLES_OK || s == PGRES_COMMAND_OK)
		return TD_OK;
	if (s == PGRES_PIPELINE_ABORTED)
		return td_err_set(err, TD_INTERNAL, "an earlier statement of the batch failed");
	(void)pg_result_error(r, err);
	enum td_status status = status_of(PQresultErrorField(r, PG_DIAG_SQLSTATE));
	if (err != NULL)
		err->code = status;
	return status;
}

/* A statement's results end with NULL. */
static enum td_status receive_one(
	struct pg_lane *l, const struct connect_limit *limit, PGresult **ret, struct td_err *err)
{
	bool gone;
	PGresult *r = pg_next_result(l->conn, limit, &gone);
	if (gone || r == NULL)
		return lost(err);
	enum td_status status = judge(r, err);
	PGresult *end = pg_next_result(l->conn, limit, &gone);
	if (gone || end != NULL) {
		PQclear(end);
		PQclear(r);
		return status == TD_OK ? lost(err) : status;
	}
	*ret = r;
	return status;
}

enum td_status pg_receive(
	struct pg_lane *l, const struct connect_limit *limit, PGresult **ret, struct td_err *err)
{
	PGresult *r = NULL;
	enum td_status status = receive_one(l, limit, &r, err);
	if (status == TD_OK) {
		*ret = r;
		return TD_OK;
	}
	PQclear(r);
	return status;
}

enum td_status pg_receive_sync(
	struct pg_lane *l, const struct connect_limit *limit, struct td_err *err)
{
	enum td_status status = TD_OK;
	for (;;) {
		bool gone;
		PGresult *r = pg_next_result(l->conn, limit, &gone);
		if (gone || (r == NULL && PQstatus(l->conn) != CONNECTION_OK))
			return lost(err);
		bool sync = r != NULL && PQresultStatus(r) == PGRES_PIPELINE_SYNC;
		/* What comes before the sync is a commit that failed, or the rest after an error.
		 */
		if (r != NULL && !sync && status == TD_OK)
			status = judge(r, err);
		PQclear(r);
		if (sync)
			return status;
	}
}

enum td_status pg_end_synced(struct pg_lane *l, const struct connect_limit *limit,
	enum td_status status, struct td_err *err)
{
	enum td_status synced = pg_receive_sync(l, limit, status == TD_OK ? err : NULL);
	return status != TD_OK && synced != TD_UNAVAILABLE ? status : synced;
}

enum td_status pg_end(struct pg_lane *l, const struct connect_limit *limit, enum td_status status,
	struct td_err *err)
{
	return pg_sync(l, limit) ? pg_end_synced(l, limit, status, err) : lost(err);
}
