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

#define LIFETIME_MS (45 * 60 * 1000)

static uint64_t now_ms(void)
{
	return td_clock_mono_ns() / 1000000u;
}

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
	if (l->conn == NULL)
		return;
	if (l->left_pid == 0)
		l->left_pid = PQbackendPID(l->conn);
	PQfinish(l->conn);
	l->conn = NULL;
	pg_note_closed(l->store, l->holder);
}

/* A notice of the server's that it is going away comes in while the connection is idle. A network
 * that drops everything tells nothing, but the supervisor has noticed. */
static bool is_stale(struct pg_lane *l)
{
	if (now_ms() >= l->retire_ms || l->made_in != atomic_load(&l->store->epoch))
		return true;
	if (PQconsumeInput(l->conn) == 0)
		return true;
	return PQstatus(l->conn) != CONNECTION_OK || PQisBusy(l->conn) != 0;
}

static enum td_status set_session(
	struct pg_lane *l, const struct connect_limit *limit, struct td_err *err)
{
	char sql[600];
	/* The server must notice, too, that we are gone: until then a batch that was cut off holds
	 * its locks, and the repeat waits for them. */
	(void)snprintf(sql, sizeof(sql),
		"SELECT set_config('statement_timeout', '%lld', false),"
		" set_config('idle_in_transaction_session_timeout', '%lld', false),"
		" set_config('lock_timeout', '%d', false),"
		/* The plan for an array of unknown length reads by the index; one for the values of
		 * a large batch may read the whole table. */
		" set_config('plan_cache_mode', 'force_generic_plan', false),"
		" set_config('tcp_keepalives_idle', '10', false),"
		" set_config('tcp_keepalives_interval', '5', false),"
		" set_config('tcp_keepalives_count', '3', false),"
		" set_config('tcp_user_timeout', '25000', false)",
		(long long)l->store->config.store_timeout_ms,
		(long long)l->store->config.store_timeout_ms * 2, l->writes ? PG_LOCK_MS : 0);
	return pg_query(l->conn, sql, NULL, 0, limit, NULL, err);
}

/* Where the network dropped everything, the server has not noticed that we left, and no time-out of
 * its own counts between two statements of a pipeline: the session would keep its locks for as long
 * as TCP hopes, and the repeat would wait for them. False: lost. */
static bool end_old_session(struct pg_lane *l, const struct connect_limit *limit)
{
	char sql[250];
	if (l->left_pid == 0)
		return true;
	(void)snprintf(sql, sizeof(sql),
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %d"
		" AND usename = current_user"
		" AND application_name = current_setting('application_name')",
		l->left_pid);
	enum td_status status = pg_query(l->conn, sql, NULL, 0, limit, NULL, NULL);
	/* Who is not allowed to has to wait. */
	if (status == TD_UNAVAILABLE || status == TD_TIMEOUT)
		return false;
	l->left_pid = 0;
	return true;
}

/* Preparing a statement that writes takes a lock on its table, behind which a reader must not have
 * to wait. */
static bool is_prepared(const struct pg_lane *l, enum pg_statement statement)
{
	return !atomic_load(&l->store->pooled) && (pg_statements[statement].reads || l->writes);
}

/* "t0", "t1", … */
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
		if (PQsendPrepare(l->conn, name, pg_statements[i].sql, 0, NULL) == 0)
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
	if (!pooled && (!end_old_session(l, limit) || set_session(l, limit, NULL) != TD_OK))
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
	l->made_in = atomic_load(&l->store->epoch);
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
		pg_note_failed(l->store, class);
		back_off(l, class);
		return status;
	}
	pg_note_open(l->store, l->holder);
	connect_backoff_reset(&l->backoff);
	l->not_before_ms = 0;
	int64_t most_ms = l->store->config.lifetime_ms;
	l->retire_ms = now_ms() + (uint64_t)connect_lifetime(most_ms != 0 ? most_ms : LIFETIME_MS,
					  randombytes_random());
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
		return PQsendQueryParams(l->conn, pg_statements[statement].sql, count, NULL, values,
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
	/* A full disk, no memory: the connection is as good as before. See pg_finish_all(). */
	if (strncmp(state, "53", 2) == 0 || strncmp(state, "58", 2) == 0)
		return TD_IO;
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
