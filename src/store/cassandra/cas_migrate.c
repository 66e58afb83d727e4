/* Cassandra's side of a migration. Nothing here is a transaction: a file's statements are run one
 * by one, each of them such that it may be repeated, and the file is recorded when all are done. So
 * what a killed process has begun the next one completes. */
#include "store/cassandra/cas_internal.h"

#include <poll.h>
#include <sodium.h>
#include <stdlib.h>

#define STEP_MS  10000
#define SCOPE    "'schema'"
#define COLUMNS  4
#define PAUSE_MS 200

struct migration {
	struct cas_store *store;
	const struct store_cassandra_migration *config;
	struct cql_session *session; /* its statements mean our keyspace */
	struct cas_lock lock;
};

static bool is_wanted(const struct migration *m)
{
	if (atomic_load(&m->store->stopping))
		return false;
	return m->config->go_on == NULL || m->config->go_on(m->config->go_on_ctx);
}

static enum td_status try_lock(void *ctx, struct td_err *err)
{
	struct migration *m = ctx;
	return cas_lock_take(&m->lock, err);
}

static bool pause_a_while(void *ctx)
{
	struct migration *m = ctx;
	(void)poll(NULL, 0, PAUSE_MS + (int)randombytes_uniform(PAUSE_MS));
	return is_wanted(m);
}

static void unlock(void *ctx)
{
	struct migration *m = ctx;
	cas_lock_give(&m->lock);
}

/* ---- what was applied */

static void read_row(
	const struct td_slice cells[COLUMNS], struct td_arena *arena, struct migrate_applied *row)
{
	int32_t number = 0;
	*row = (struct migrate_applied){.name = td_arena_slice(arena, cells[1])};
	(void)cql_get_int(cells[0], &number);
	row->number = number > 0 ? (uint32_t)number : 0;
	/* What is no hash stays zeroes, which match no file: it counts as edited. */
	(void)sodium_hex2bin(
		row->hash, sizeof(row->hash), cells[2].ptr, cells[2].len, NULL, NULL, NULL);
	(void)cql_get_timestamp(cells[3], &row->applied_at);
}

static enum td_status read_rows(struct cas_call *call, struct td_arena *arena,
	struct migrate_applied **ret, size_t *ret_count, struct td_err *err)
{
	size_t count = call->response.answer.result.rows.row_count, given = 0;
	struct td_slice cells[COLUMNS];
	struct migrate_applied *rows = td_arena_array(arena, count + 1, sizeof(*rows));
	while (rows != NULL && given < count && cas_call_row(call, cells, COLUMNS))
		read_row(cells, arena, &rows[given++]);
	if (arena->failed)
		return td_err_set(err, TD_NOMEM, "no memory for what was applied");
	*ret = rows;
	*ret_count = given;
	return TD_OK;
}

static enum td_status read_recorded(struct cas_store *s, struct cql_session *session,
	struct td_arena *arena, struct migrate_applied **ret, size_t *ret_count, struct td_err *err)
{
	struct cas_call call;
	bool has = false;
	*ret = NULL;
	*ret_count = 0;
	enum td_status status = cas_has_table(s, session, "schema_migrations", &has, err);
	if (status != TD_OK || !has)
		return status;
	cas_call_init(&call, s,
		"SELECT version, name, sha256, applied_at FROM %s.schema_migrations"
		" WHERE scope = " SCOPE,
		CQL_QUORUM);
	call.query.is_idempotent = true;
	status = cas_call_run(&call, s, session, STEP_MS, err);
	if (status == TD_OK)
		status = read_rows(&call, arena, ret, ret_count, err);
	/* A table is listed before it can be used. */
	else if (status == TD_INVALID)
		status = td_err_set(err, TD_UNAVAILABLE, "%s", err != NULL ? err->text : "");
	cas_call_done(&call);
	return status;
}

static enum td_status read_applied(void *ctx, struct td_arena *arena, struct migrate_applied **ret,
	size_t *ret_count, struct td_err *err)
{
	struct migration *m = ctx;
	return read_recorded(m->store, m->session, arena, ret, ret_count, err);
}

/* ---- applying a file */

static enum td_status record(
	struct migration *m, const struct migrate_file *file, struct td_err *err)
{
	struct cas_call call;
	char hash[TD_SHA256_TEXT_SIZE];
	td_hex(file->hash, TD_SHA256_SIZE, hash);
	cas_call_init(&call, m->store,
		"INSERT INTO %s.schema_migrations (scope, version, name, sha256, applied_at)"
		" VALUES (" SCOPE ", ?, ?, ?, ?)",
		CQL_QUORUM);
	call.query.is_idempotent = true;
	cas_bind_int(&call, (int32_t)file->number);
	cas_bind_text(&call, file->name);
	cas_bind_text(&call, td_slice_str(hash));
	cas_bind_time(&call, td_clock_wall_ms(m->store->base.clock));
	enum td_status status = cas_call_run(&call, m->store, m->session, STEP_MS, err);
	cas_call_done(&call);
	return status;
}

/* The lock is asked for right before each change: a process that slept may have lost it. */
static enum td_status change(struct migration *m, struct td_slice statement, struct td_err *err)
{
	if (!is_wanted(m))
		return td_err_set(err, TD_STOPPING, "the process is stopping");
	enum td_status status = cas_lock_keep(&m->lock, err);
	return status == TD_OK ? cas_change_schema(m->store, m->session, statement, err) : status;
}

static enum td_status apply_statements(
	struct migration *m, const struct migrate_file *file, struct td_err *err)
{
	enum td_status status = TD_OK;
	for (size_t i = 0; i < file->statement_count && status == TD_OK; i++) {
		status = change(m, file->statements[i].text, err);
		if (status != TD_OK && status != TD_CONFLICT)
			(void)td_err_context(err, "line %u", file->statements[i].line);
	}
	return status;
}

static enum td_status apply(void *ctx, const struct migrate_file *file, struct td_err *err)
{
	struct migration *m = ctx;
	enum td_status status = change(m,
		TD_SLICE("CREATE TABLE IF NOT EXISTS schema_migrations (scope text, version int,"
			 " name text, sha256 text, applied_at timestamp,"
			 " PRIMARY KEY (scope, version))"),
		err);
	if (status == TD_OK)
		status = apply_statements(m, file, err);
	if (status == TD_OK)
		status = cas_lock_keep(&m->lock, err);
	if (status == TD_OK)
		status = record(m, file, err);
	if (status == TD_DENIED)
		(void)td_err_context(err,
			"CASSANDRA_USER may not make tables; as a superuser run GRANT ALL ON "
			"KEYSPACE %s TO that role",
			m->store->config.keyspace);
	return status;
}

/* ---- the whole */

static enum td_status make_keyspace(struct cas_store *s, struct td_err *err)
{
	struct cql_session *session = cas_hold(s);
	if (session == NULL)
		return td_err_set(err, TD_UNAVAILABLE, "Cassandra is not connected");
	enum td_status status = cas_keyspace_make(s, session, err);
	cas_let_go(s);
	return status;
}

static enum td_status run(struct migration *m, const struct migrate_set *set, struct td_err *err)
{
	const struct migrate_config config = {
		.set = set,
		.flavour = SQL_CQL,
		.newer = MIGRATE_NEWER_ACCEPTED,
		.observer = m->config->observer,
	};
	const struct migrate_port port = {
		.ctx = m,
		.try_lock = try_lock,
		.pause = pause_a_while,
		.unlock = unlock,
		.read_applied = read_applied,
		.apply = apply,
	};
	cas_lock_init(&m->lock, m->store, m->session);
	return migrate_run(&config, &port, err);
}

enum td_status store_cassandra_migrate(
	struct store *store, const struct store_cassandra_migration *config, struct td_err *err)
{
	struct migration m = {.store = (struct cas_store *)(void *)store, .config = config};
	struct td_arena arena = TD_ARENA_INIT;
	struct migrate_set set;
	enum td_status status = migrate_load(
		config->schema_dir, "cassandra/", SQL_CQL, &arena, &set, err);
	if (status == TD_OK)
		status = make_keyspace(m.store, err);
	if (status == TD_OK)
		status = cas_open(m.store, m.store->config.keyspace, &m.session, err);
	if (status == TD_OK) {
		status = run(&m, &set, err);
		cql_session_close(m.session);
	}
	td_arena_done(&arena);
	return status;
}

enum td_status store_cassandra_plan(struct store *store, const char *schema_dir,
	struct td_arena *arena, struct migrate_plan *ret_plan, struct td_err *err)
{
	struct cas_store *s = (struct cas_store *)(void *)store;
	struct migrate_applied *applied = NULL;
	size_t count = 0;
	struct migrate_set set;
	enum td_status status = migrate_load(schema_dir, "cassandra/", SQL_CQL, arena, &set, err);
	if (status != TD_OK)
		return status;
	struct cql_session *session = cas_hold(s);
	if (session == NULL)
		return td_err_set(err, TD_UNAVAILABLE, "Cassandra is not connected");
	status = read_recorded(s, session, arena, &applied, &count, err);
	cas_let_go(s);
	return status == TD_OK ? migrate_plan_make(&set, applied, count, arena, ret_plan, err)
			       : status;
}
