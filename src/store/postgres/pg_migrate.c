/* PostgreSQL's side of a migration, on a connection of its own. A session lock keeps others waiting
 * where there are sessions; a lock of each file's transaction decides, which also holds through a
 * pooler. Under it the record is read again: so two never apply the same file. */
#include "store/postgres/pg_store_internal.h"

#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

/* Advisory locks belong to a database, so any number of our own does. */
#define LOCK_KEY "7310293847561029384"

/* Who has it. */
#define HOLDER_SQL                                                                        \
	"SELECT a.application_name || ' (process ' || a.pid || ')' FROM pg_locks l JOIN " \
	"pg_stat_activity a USING (pid)"                                                  \
	" WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"                 \
	" AND l.database = (SELECT oid FROM pg_database WHERE datname = "                 \
	"current_database())"                                                             \
	" AND (l.classid::bigint << 32 | l.objid::bigint) = " LOCK_KEY " LIMIT 1"

const char pg_sql_migration_holder[] = "SELECT (" HOLDER_SQL ")";

const char pg_words_make_tables[] =
	"Migrations need a role that may make tables: as the database's owner run GRANT CREATE, "
	"USAGE ON SCHEMA public TO the role of DATABASE_URL";

/* How often a long statement asks whether the process still wants it. */
#define LOOK_UP_MS 500

/* So many times CONNECT_TIMEOUT a server may be silent. */
#define GONE_AFTER 6

struct migration {
	struct pg_store *store;
	const struct store_postgres_migration *config;
	PGconn *conn;
	bool pooled, locked;
	uint64_t away_since_ms; /* mono; 0: the server is there */
};

static struct connect_limit limit_in(int64_t ms)
{
	return (struct connect_limit){.deadline_ms = td_clock_mono_ns() / 1000000u + (uint64_t)ms};
}

static bool is_wanted(const struct migration *m)
{
	return m->config->go_on == NULL || m->config->go_on(m->config->go_on_ctx);
}

/* The supervisor, whose questions are short, has had no answer for so long that none is to be
 * expected here either: a server that hangs keeps its sockets alive. */
static bool is_server_gone(struct migration *m)
{
	uint64_t now_ms = td_clock_mono_ns() / 1000000u;
	uint64_t most_ms = (uint64_t)m->store->config.connect_timeout_ms * GONE_AFTER;
	if (!atomic_load(&m->store->away))
		m->away_since_ms = 0;
	else if (m->away_since_ms == 0)
		m->away_since_ms = now_ms;
	return m->away_since_ms != 0 && now_ms - m->away_since_ms >= most_ms;
}

/* A statement of a file may take hours: it has no deadline, but it ends with the process and with
 * the server. */
static enum td_status run_sql(struct migration *m, const char *sql, struct td_err *err)
{
	struct connect_limit limit = limit_in(m->store->config.store_timeout_ms);
	if (PQsendQuery(m->conn, sql) == 0 || !pg_flush(m->conn, &limit))
		return td_err_set(err, TD_UNAVAILABLE, "the connection to PostgreSQL was lost");
	while (PQisBusy(m->conn) && PQstatus(m->conn) == CONNECTION_OK) {
		limit = limit_in(LOOK_UP_MS);
		if (pg_wait(m->conn, /* for_write= */ false, &limit))
			(void)PQconsumeInput(m->conn); /* what failed shows in the result */
		else if (!is_wanted(m))
			return td_err_set(err, TD_STOPPING, "the process is stopping");
		else if (is_server_gone(m))
			return td_err_set(err, TD_UNAVAILABLE, "PostgreSQL does not answer");
	}
	limit = limit_in(m->store->config.store_timeout_ms);
	return pg_finish_query(m->conn, &limit, NULL, err);
}

static enum td_status try_lock(void *ctx, struct td_err *err)
{
	struct migration *m = ctx;
	if (m->pooled)
		return TD_OK;
	PGresult *r = NULL;
	struct connect_limit limit = limit_in(m->store->config.store_timeout_ms);
	enum td_status status = pg_query_row(m->conn,
		"SELECT pg_try_advisory_lock(" LOCK_KEY "), (" HOLDER_SQL ")", 2, &limit, &r, err);
	if (status == TD_OK && strcmp(PQgetvalue(r, 0, 0), "t") != 0)
		status = td_err_set(
			err, TD_BUSY, "%s", PQgetisnull(r, 0, 1) ? "" : PQgetvalue(r, 0, 1));
	m->locked = status == TD_OK;
	PQclear(r);
	return status;
}

static bool pause_a_while(void *ctx)
{
	struct migration *m = ctx;
	(void)poll(NULL, 0, 200 + (int)randombytes_uniform(200));
	return is_wanted(m);
}

static void unlock(void *ctx)
{
	struct migration *m = ctx;
	if (m->locked)
		(void)run_sql(m, "SELECT pg_advisory_unlock(" LOCK_KEY ")",
			NULL); /* ends with the connection anyway */
	m->locked = false;
}

static const char records_sql[] =
	"CREATE TABLE IF NOT EXISTS schema_migrations ("
	"version bigint PRIMARY KEY CHECK (version > 0), name text NOT NULL, sha256 text NOT NULL,"
	" applied_at timestamptz NOT NULL, unfinished boolean NOT NULL DEFAULT false)";

static enum td_status make_applied(
	const PGresult *r, struct td_arena *arena, struct migrate_applied **ret, size_t *ret_count)
{
	size_t count = (size_t)PQntuples(r);
	struct migrate_applied *rows = td_arena_array(arena, count + 1, sizeof(*rows));
	for (size_t i = 0; rows != NULL && i < count; i++) {
		int row = (int)i;
		rows[i].number = (uint32_t)strtoul(PQgetvalue(r, row, 0), NULL, 10);
		rows[i].name = td_arena_slice(arena, td_slice_str(PQgetvalue(r, row, 1)));
		/* What is no hash stays zeroes, which match no file: it counts as edited. */
		(void)sodium_hex2bin(rows[i].hash, sizeof(rows[i].hash), PQgetvalue(r, row, 2),
			strlen(PQgetvalue(r, row, 2)), NULL, NULL, NULL);
		rows[i].applied_at = strtoll(PQgetvalue(r, row, 3), NULL, 10);
		rows[i].unfinished = strcmp(PQgetvalue(r, row, 4), "t") == 0;
	}
	if (arena->failed)
		return TD_NOMEM;
	*ret = rows;
	*ret_count = count;
	return TD_OK;
}

static enum td_status read_applied(void *ctx, struct td_arena *arena, struct migrate_applied **ret,
	size_t *ret_count, struct td_err *err)
{
	struct migration *m = ctx;
	PGresult *there = NULL, *r = NULL;
	struct connect_limit limit = limit_in(m->store->config.store_timeout_ms);
	enum td_status status = pg_query_row(
		m->conn, "SELECT to_regclass('schema_migrations')", 1, &limit, &there, err);
	if (status == TD_OK && PQgetisnull(there, 0, 0)) {
		PQclear(there);
		*ret_count = 0;
		*ret = NULL;
		return TD_OK;
	}
	if (status == TD_OK)
		status = pg_query(m->conn,
			"SELECT version, name, sha256, (extract(epoch FROM applied_at) * "
			"1000)::bigint,"
			" unfinished FROM schema_migrations ORDER BY version",
			NULL, 0, &limit, &r, err);
	if (status == TD_OK)
		status = make_applied(r, arena, ret, ret_count);
	PQclear(there);
	PQclear(r);
	return status;
}

static enum td_status record(
	struct migration *m, const struct migrate_file *file, bool unfinished, struct td_err *err)
{
	char number[16], hash[TD_SHA256_TEXT_SIZE], at[24], name[256];
	(void)snprintf(number, sizeof(number), "%u", file->number);
	(void)snprintf(at, sizeof(at), "%lld", (long long)td_clock_wall_ms(m->store->base.clock));
	(void)snprintf(name, sizeof(name), "%.*s", TD_SLICE_ARG(file->name));
	td_hex(file->hash, TD_SHA256_SIZE, hash);
	const char *params[] = {number, name, hash, at, unfinished ? "true" : "false"};
	struct connect_limit limit = limit_in(m->store->config.store_timeout_ms);
	return pg_query(m->conn,
		"INSERT INTO schema_migrations (version, name, sha256, applied_at, unfinished)"
		" VALUES ($1::bigint, $2, $3, to_timestamp($4::bigint / 1000.0), $5::boolean)"
		" ON CONFLICT (version) DO UPDATE SET unfinished = excluded.unfinished WHERE "
		"schema_migrations.unfinished",
		params, 5, &limit, NULL, err);
}

/* Under the transaction's lock: somebody else may have applied it since it was planned. */
static enum td_status check_pending(
	struct migration *m, const struct migrate_file *file, struct td_err *err)
{
	char number[16];
	(void)snprintf(number, sizeof(number), "%u", file->number);
	const char *params[] = {number};
	PGresult *r = NULL;
	struct connect_limit limit = limit_in(m->store->config.store_timeout_ms);
	enum td_status status = pg_query(m->conn,
		"SELECT 1 FROM schema_migrations WHERE version = $1::bigint AND NOT unfinished",
		params, 1, &limit, &r, err);
	if (status == TD_OK && PQntuples(r) > 0)
		status = td_err_set(err, TD_CONFLICT, "another process has applied it");
	PQclear(r);
	return status;
}

static enum td_status run_statements(
	struct migration *m, const struct migrate_file *file, struct td_err *err)
{
	enum td_status status = TD_OK;
	for (size_t i = 0; i < file->statement_count && status == TD_OK; i++) {
		const struct sql_statement *s = &file->statements[i];
		struct td_arena arena = TD_ARENA_INIT;
		char *sql = td_arena_strndup(&arena, s->text.ptr, s->text.len);
		status = sql != NULL ? run_sql(m, sql, err) : TD_NOMEM;
		if (status != TD_OK && status != TD_NOMEM)
			(void)td_err_context(err, "line %u", s->line);
		td_arena_done(&arena);
	}
	return status;
}

static enum td_status apply_in_transaction(
	struct migration *m, const struct migrate_file *file, struct td_err *err)
{
	static const char *const begin[] = {
		"BEGIN",
		"SET LOCAL lock_timeout = '5s'",
		"SET LOCAL statement_timeout = 0",
		"SELECT pg_advisory_xact_lock(" LOCK_KEY " + 1)",
		records_sql,
	};
	enum td_status status = TD_OK;
	for (size_t i = 0; i < TD_ARRAY_LEN(begin) && status == TD_OK; i++)
		status = run_sql(m, begin[i], err);
	if (status == TD_OK)
		status = check_pending(m, file, err);
	if (status == TD_OK)
		status = run_statements(m, file, err);
	if (status == TD_OK)
		status = record(m, file, /* unfinished= */ false, err);
	if (status == TD_OK)
		return run_sql(m, "COMMIT", err);
	if (PQstatus(m->conn) == CONNECTION_OK)
		(void)run_sql(m, "ROLLBACK",
			NULL); /* where it fails the connection ends, and with it the transaction */
	return status;
}

/* Statements that cannot run in a transaction: recorded as begun before, and as done after. */
static enum td_status apply_without(
	struct migration *m, const struct migrate_file *file, struct td_err *err)
{
	if (m->pooled)
		return td_err_set(err, TD_DENIED,
			"it runs without a transaction, and through a connection pooler nothing "
			"keeps two "
			"processes apart. Run tools-dashboard migrate once with a DATABASE_URL "
			"that leads "
			"to the server itself");
	enum td_status status = run_sql(m, records_sql, err);
	if (status == TD_OK)
		status = record(m, file, /* unfinished= */ true, err);
	if (status == TD_OK)
		status = run_statements(m, file, err);
	return status == TD_OK ? record(m, file, /* unfinished= */ false, err) : status;
}

static enum td_status apply(void *ctx, const struct migrate_file *file, struct td_err *err)
{
	struct migration *m = ctx;
	enum td_status status = file->no_transaction ? apply_without(m, file, err)
						     : apply_in_transaction(m, file, err);
	if (status != TD_INTERNAL || err == NULL)
		return status;
	/* A lock that somebody holds, or a deadlock: those who queued behind us go first, then it
	 * begins again. */
	if (strcmp(err->state, "55P03") == 0 || strcmp(err->state, "40P01") == 0)
		return pause_a_while(m) ? TD_CONFLICT
					: td_err_set(err, TD_STOPPING, "the process is stopping");
	if (strcmp(err->state, "42501") == 0)
		return td_err_set(err, TD_DENIED, "%s. %s", err->text, pg_words_make_tables);
	return status;
}

static enum td_status open_migration(struct store *store,
	const struct store_postgres_migration *config, struct migration *ret, struct td_err *err)
{
	struct pg_store *s = (struct pg_store *)(void *)store;
	struct connect_failures failures;
	struct connect_limit limit = limit_in(s->config.connect_timeout_ms);
	*ret = (struct migration){.store = s, .config = config, .pooled = atomic_load(&s->pooled)};
	if (pg_connect(&s->pg, &limit, &ret->conn, &failures) != TD_OK)
		return td_err_set(
			err, TD_UNAVAILABLE, "%s", connect_failures_worst(&failures)->reason);
	return TD_OK;
}

/* Time-outs of a migration's own: what the role or the database sets is meant for others. Where the
 * process dies in the middle of a long statement the server ends it soon, and so gives the lock to
 * the next. */
static enum td_status set_up(struct migration *m, struct td_err *err)
{
	enum td_status status = run_sql(m,
		"SELECT set_config('statement_timeout', '0', false),"
		" set_config('idle_in_transaction_session_timeout', '0', false)",
		err);
	if (status == TD_OK && !m->pooled && PQserverVersion(m->conn) >= 140000)
		(void)run_sql(m, "SET client_connection_check_interval = '1s'",
			NULL); /* not every system can: then it ends when the statement does */
	return status;
}

static struct migrate_port port_of(struct migration *m)
{
	return (struct migrate_port){
		.ctx = m,
		.try_lock = try_lock,
		.pause = pause_a_while,
		.unlock = unlock,
		.read_applied = read_applied,
		.apply = apply,
	};
}

enum td_status store_postgres_migrate(
	struct store *store, const struct store_postgres_migration *config, struct td_err *err)
{
	struct migration m;
	struct td_arena arena = TD_ARENA_INIT;
	struct migrate_set set;
	enum td_status status = migrate_load(
		config->schema_dir, "postgres/", SQL_POSTGRES, &arena, &set, err);
	if (status == TD_OK)
		status = open_migration(store, config, &m, err);
	if (status == TD_OK) {
		struct migrate_config run = {
			.set = &set,
			.flavour = SQL_POSTGRES,
			.newer = MIGRATE_NEWER_ACCEPTED,
			.observer = config->observer,
		};
		struct migrate_port port = port_of(&m);
		status = set_up(&m, err);
		if (status == TD_OK)
			status = migrate_run(&run, &port, err);
		PQfinish(m.conn);
	}
	td_arena_done(&arena);
	return status;
}

enum td_status pg_plan(struct pg_store *s, PGconn *conn, const char *schema_dir,
	struct td_arena *arena, struct migrate_plan *ret_plan, struct td_err *err)
{
	struct migration m = {.store = s, .conn = conn};
	struct migrate_set set;
	struct migrate_applied *applied = NULL;
	size_t count = 0;
	enum td_status status = migrate_load(
		schema_dir, "postgres/", SQL_POSTGRES, arena, &set, err);
	if (status == TD_OK)
		status = read_applied(&m, arena, &applied, &count, err);
	return status == TD_OK ? migrate_plan_make(&set, applied, count, arena, ret_plan, err)
			       : status;
}

enum td_status store_postgres_plan(struct store *store, const char *schema_dir,
	struct td_arena *arena, struct migrate_plan *ret_plan, struct td_err *err)
{
	struct migration m;
	static const struct store_postgres_migration nothing;
	enum td_status status = open_migration(store, &nothing, &m, err);
	if (status != TD_OK)
		return status;
	status = pg_plan(m.store, m.conn, schema_dir, arena, ret_plan, err);
	PQfinish(m.conn);
	return status;
}

enum td_status store_postgres_inspect(
	struct store *store, struct store_postgres_server *ret_server, struct td_err *err)
{
	struct migration m;
	static const struct store_postgres_migration nothing;
	enum td_status status = open_migration(store, &nothing, &m, err);
	if (status != TD_OK)
		return status;
	PGresult *r = NULL;
	struct connect_limit limit = limit_in(m.store->config.connect_timeout_ms);
	status = pg_query_row(m.conn,
		"SELECT current_setting('fsync'), current_setting('synchronous_commit')", 2, &limit,
		&r, err);
	if (status == TD_OK)
		*ret_server = (struct store_postgres_server){
			.version = PQserverVersion(m.conn),
			.fsync_off = strcmp(PQgetvalue(r, 0, 0), "off") == 0,
			.synchronous_commit_off = strcmp(PQgetvalue(r, 0, 1), "off") == 0,
			.pooled = m.pooled,
		};
	PQclear(r);
	PQfinish(m.conn);
	return status;
}
