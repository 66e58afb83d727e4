#include "store/sqlite/store_sqlite.h"

#include "base/alloc.h"
#include "store/sqlite/file.h"
#include "store/sqlite/lane_run.h"

#include <string.h>

#define QUEUE_LIMIT    8192
#define READER_COUNT   2
#define WATCH_MS       100
#define WRITER_IDLE_MS 250

static struct sqlite_store *self(struct store *store)
{
	return TD_CONTAINER_OF(store, struct sqlite_store, base);
}

/* ---- the port */

static void finish_op(struct lane_job *job, enum td_status status)
{
	struct store_op *op = TD_CONTAINER_OF(job, struct store_op, job);
	op->done(op, status);
}

static void release_op(struct lane_job *job)
{
	struct store_op *op = TD_CONTAINER_OF(job, struct store_op, job);
	op->release(op);
}

static struct lane *pick_lane(struct sqlite_store *s, enum store_op_kind kind)
{
	if (store_op_writes(kind))
		return s->writer.lane;
	unsigned turn = atomic_fetch_add_explicit(&s->next_reader, 1, memory_order_relaxed);
	return s->readers[turn % s->reader_count].lane;
}

static enum td_status submit(struct store *store, struct store_op *op)
{
	op->job.done = finish_op;
	op->job.release = release_op;
	op->job.deadline_ms = op->deadline_ms;
	return lane_submit(pick_lane(self(store), op->kind), &op->job);
}

static void get_health(struct store *store, struct store_health *ret_health)
{
	struct sqlite_store *s = self(store);
	td_lock_take(&s->lock);
	*ret_health = s->health;
	td_lock_give(&s->lock);
}

static void set_changed(struct store *store, store_changed_fn *fn, void *ctx)
{
	struct sqlite_store *s = self(store);
	td_lock_take(&s->lock);
	s->changed = fn;
	s->changed_ctx = ctx;
	td_lock_give(&s->lock);
}

static void each_lane(struct store *store, store_lane_fn *fn, void *ctx)
{
	struct sqlite_store *s = self(store);
	fn(ctx, s->writer.lane);
	for (unsigned i = 0; i < s->reader_count; i++)
		fn(ctx, s->readers[i].lane);
}

static void expire_lane(void *ctx, struct lane *lane)
{
	const uint64_t *now_ms = ctx;
	lane_expire(lane, *now_ms);
}

static void expire(struct store *store, uint64_t now_ms)
{
	each_lane(store, expire_lane, &now_ms);
}

static void hurry(struct store *store, uint64_t deadline_ms)
{
	atomic_store(&self(store)->stop_ms, deadline_ms);
}

static void stop(struct store *store, uint64_t drain_deadline_ms)
{
	struct sqlite_store *s = self(store);
	atomic_store(&s->stop_ms, drain_deadline_ms);
	for (unsigned i = 0; i < s->reader_count; i++)
		lane_stop(s->readers[i].lane, drain_deadline_ms);
	lane_stop(s->writer.lane, drain_deadline_ms);
}

/* Of a store that was opened in part, too. */
static void destroy(struct store *store)
{
	struct sqlite_store *s = self(store);
	atomic_store(&s->stop_ms, 0);
	lane_destroy(s->writer.lane);
	for (unsigned i = 0; i < TD_ARRAY_LEN(s->readers); i++)
		lane_destroy(s->readers[i].lane);
	for (unsigned i = 0; i < TD_ARRAY_LEN(s->readers); i++)
		sqlite_conn_close(&s->readers[i].conn);
	sqlite_conn_close(&s->writer.conn); /* the last one moves the WAL into the file */
	td_lock_done(&s->lock);
	td_free(s);
}

static const struct store_class sqlite_class = {
	.submit = submit,
	.get_health = get_health,
	.set_changed = set_changed,
	.each_lane = each_lane,
	.expire = expire,
	.hurry = hurry,
	.stop = stop,
	.destroy = destroy,
};

/* ---- opening */

static size_t or_default(size_t value, size_t fallback)
{
	return value != 0 ? value : fallback;
}

static enum td_status start_lane(struct sqlite_store *s, struct sqlite_lane *l,
	struct lane_config *config, struct td_err *err)
{
	config->batch_limit = SQLITE_BATCH_MOST;
	config->ctx = l;
	config->clock = s->base.clock;
	l->store = s;
	l->conn.stop_ms = &s->stop_ms;
	l->watched_ms = td_clock_mono_ms(s->base.clock);
	return lane_create(config, &l->lane, err);
}

static enum td_status open_reader(struct sqlite_store *s, const struct store_sqlite_config *config,
	unsigned i, struct td_err *err)
{
	static const char *const names[] = {"sqlite-read-0", "sqlite-read-1", "sqlite-read-2",
		"sqlite-read-3", "sqlite-read-4", "sqlite-read-5", "sqlite-read-6", "sqlite-read-7",
		"sqlite-read-8", "sqlite-read-9", "sqlite-read-10", "sqlite-read-11",
		"sqlite-read-12", "sqlite-read-13", "sqlite-read-14", "sqlite-read-15"};
	struct sqlite_lane *l = &s->readers[i];
	struct lane_config lane = {
		.name = names[i],
		.queue_limit = or_default(config->read_queue_limit, QUEUE_LIMIT),
		.run = sqlite_lane_run_reads,
		.idle = sqlite_lane_idle_watcher,
		.idle_ms = i == 0 ? s->watch_ms : 1000,
	};
	enum td_status status = sqlite_conn_open(&l->conn, config->path, /* create= */ false,
		config->clock, sqlite_file_give_up_ms(config), err);
	/* 16 MB hold what lies above the leaves of a few million users. */
	if (status == TD_OK)
		status = sqlite_conn_exec(
			&l->conn, "PRAGMA query_only = ON; PRAGMA cache_size = -16000", err);
	if (status == TD_OK)
		status = sqlite_conn_number(
			&l->conn, SQLITE_QUERY(DATA_VERSION), &l->data_version, err);
	return status == TD_OK ? start_lane(s, l, &lane, err) : status;
}

static enum td_status start_writer(
	struct sqlite_store *s, const struct store_sqlite_config *config, struct td_err *err)
{
	struct lane_config lane = {
		.name = "sqlite-write",
		.queue_limit = or_default(config->write_queue_limit, QUEUE_LIMIT),
		.run = sqlite_lane_run_writes,
		.idle = sqlite_lane_idle_writer,
		.idle_ms = WRITER_IDLE_MS,
	};
	int64_t version = 0;
	enum td_status status = sqlite_conn_number(
		&s->writer.conn, SQLITE_QUERY(CATALOGUE_VERSION), &version, err);
	atomic_store(&s->catalogue_version, version);
	/* From here on the file is known to be ours: closing may move the WAL into it. */
	int rc = sqlite3_db_config(s->writer.conn.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	if (status == TD_OK && rc != SQLITE_OK)
		status = sqlite_conn_fail(&s->writer.conn, rc, err);
	if (status == TD_OK)
		status = sqlite_conn_exec(&s->writer.conn,
			"PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864",
			err);
	return status == TD_OK ? start_lane(s, &s->writer, &lane, err) : status;
}

/* The writer's connection, with the schema as it must be. */
static enum td_status open_writer(struct sqlite_conn *conn,
	const struct store_sqlite_config *config, struct td_arena *arena, struct td_err *err)
{
	struct migrate_set set;
	struct migrate_plan plan;
	bool exists;
	enum td_status status = migrate_load(
		config->schema_dir, "sqlite/", SQL_SQLITE, arena, &set, err);
	if (status == TD_OK)
		status = sqlite_file_check_path(config->path, &exists, err);
	if (status == TD_OK)
		status = sqlite_file_open(config, config->migrate, conn, err);
	if (status == TD_OK)
		status = sqlite_file_plan(conn, &set, arena, &plan, err);
	if (status == TD_OK)
		status = sqlite_file_check_plan(conn, &plan, err);
	if (status == TD_OK && !config->migrate && plan.pending != 0) {
		status = td_err_set(err, TD_SCHEMA,
			"%s: %zu migrations are pending; run `tools-dashboard migrate`",
			config->path, plan.pending);
		td_err_check(err, "sqlite.migrations");
	}
	if (status == TD_OK && config->migrate)
		status = sqlite_file_migrate(config, conn, &set, err);
	return status;
}

/* At opening, an operation's "in time" is the store's "not available". */
static enum td_status settle(enum td_status status, struct td_err *err)
{
	if (status != TD_TIMEOUT && status != TD_BUSY)
		return status;
	if (err != NULL)
		err->code = TD_UNAVAILABLE;
	return TD_UNAVAILABLE;
}

static struct sqlite_store *make_store(const struct store_sqlite_config *config)
{
	struct sqlite_store *s = td_alloc_zero(sizeof(*s));
	if (s == NULL)
		return NULL;
	s->base = (struct store){&sqlite_class, config->clock};
	s->reader_count = (unsigned)or_default(config->reader_count, READER_COUNT);
	s->watch_ms = (unsigned)or_default(config->watch_ms, WATCH_MS);
	s->faults = config->faults;
	td_assert(s->reader_count <= TD_ARRAY_LEN(s->readers));
	atomic_store(&s->stop_ms, UINT64_MAX);
	td_lock_init(&s->lock);
	s->health = (struct store_health){.name = "sqlite",
		.state = STORE_UP,
		.since_ms = td_clock_wall_ms(config->clock),
		.next_attempt_in_ms = -1};
	return s;
}

enum td_status store_sqlite_open(
	const struct store_sqlite_config *config, struct store **ret_store, struct td_err *err)
{
	struct td_arena arena = TD_ARENA_INIT;
	/* Fails where SQLite runs already, which is no harm: it counts memory then. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	struct sqlite_store *s = make_store(config);
	if (s == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for a store");
	enum td_status status = open_writer(&s->writer.conn, config, &arena, err);
	if (status == TD_OK)
		status = start_writer(s, config, err);
	for (unsigned i = 0; status == TD_OK && i < s->reader_count; i++)
		status = open_reader(s, config, i, err);
	td_arena_done(&arena);
	if (status != TD_OK) {
		destroy(&s->base);
		return settle(status, err);
	}
	*ret_store = &s->base;
	return TD_OK;
}

enum td_status store_sqlite_plan(const struct store_sqlite_config *config, struct td_arena *arena,
	struct migrate_plan *ret_plan, struct td_err *err)
{
	struct sqlite_conn conn = {.db = NULL};
	struct migrate_set *set = td_arena_alloc(arena, sizeof(*set));
	bool exists = false;
	if (set == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for migrations");
	enum td_status status = migrate_load(
		config->schema_dir, "sqlite/", SQL_SQLITE, arena, set, err);
	if (status == TD_OK)
		status = sqlite_file_check_path(config->path, &exists, err);
	if (status == TD_OK && !exists)
		return migrate_plan_make(set, NULL, 0, arena, ret_plan, err);
	if (status == TD_OK)
		status = sqlite_file_open(config, /* create= */ false, &conn, err);
	if (status == TD_OK)
		status = sqlite_file_plan(&conn, set, arena, ret_plan, err);
	sqlite_conn_close(&conn);
	return settle(status, err);
}

enum td_status store_sqlite_migrate(const struct store_sqlite_config *config, struct td_err *err)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct sqlite_conn conn = {.db = NULL};
	struct store_sqlite_config migrating = *config;
	migrating.migrate = true;
	enum td_status status = open_writer(&conn, &migrating, &arena, err);
	if (status == TD_OK)
		(void)sqlite3_db_config(conn.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	sqlite_conn_close(&conn);
	td_arena_done(&arena);
	return settle(status, err);
}
