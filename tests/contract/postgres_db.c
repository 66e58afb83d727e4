#include "postgres_db.h"

#include "store/postgres/pg_library.h"
#include "store/postgres/store_postgres.h"

#include <libpq-fe.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_uint passwords_given, bad_rows_told;
static char cluster[64];
static unsigned port;

/* What an observer must have; nobody looks at it here. */
static void on_nothing(void *ctx)
{
	(void)ctx;
}

static void on_start_failed(void *ctx, int64_t number, int64_t of,
	const struct connect_failures *failures, int64_t wait_ms)
{
	(void)ctx;
	(void)number;
	(void)of;
	(void)failures;
	(void)wait_ms;
}

static void on_gave_up(
	void *ctx, int64_t attempts, int64_t passed_ms, const struct connect_failures *failures)
{
	(void)ctx;
	(void)attempts;
	(void)passed_ms;
	(void)failures;
}

static void on_up(void *ctx, bool again, int64_t away_ms)
{
	(void)ctx;
	(void)again;
	(void)away_ms;
}

static void on_lost(void *ctx, const struct connect_failures *failures)
{
	(void)ctx;
	(void)failures;
}

static void on_refused(void *ctx, const struct td_err *err)
{
	(void)ctx;
	(void)err;
}

static void on_still_down(void *ctx, int64_t away_ms, const struct connect_failures *failures)
{
	(void)ctx;
	(void)away_ms;
	(void)failures;
}

PGconn *pgdb_connect(const char *name)
{
	char info[160];
	(void)snprintf(info, sizeof(info),
		"host=127.0.0.1 port=%u user=user password=pass dbname=%s options='-c "
		"client_min_messages=warning'",
		port, name);
	PGconn *conn = PQconnectdb(info);
	if (PQstatus(conn) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(conn));
	return conn;
}

void pgdb_run(PGconn *conn, const char *sql)
{
	PGresult *r = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(r);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	PQclear(r);
}

bool pgdb_finds(PGconn *conn, const char *sql)
{
	PGresult *r = PQexec(conn, sql);
	bool any = PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) > 0;
	PQclear(r);
	return any;
}

static enum td_status give_password(
	void *ctx, struct td_arena *arena, const char **ret_password, struct td_err *err)
{
	(void)ctx;
	(void)err;
	atomic_fetch_add(&passwords_given, 1);
	*ret_password = td_arena_strndup(arena, "pass", 4);
	return *ret_password != NULL ? TD_OK : TD_NOMEM;
}

static void on_bad_row(void *ctx, const struct store_bad_row *row)
{
	(void)ctx;
	(void)row;
	atomic_fetch_add(&bad_rows_told, 1);
}

/* Begins to connect; does not wait. */
struct store *pgdb_begin(const struct pgdb_wish *wish)
{
	struct store_postgres_config config = {
		.password = give_password,
		.application = "contract",
		.clock = &td_clock_system,
		.connect_timeout_ms = 5000,
		.store_timeout_ms = 10000,
		.queue_limit = wish->queue_limit,
		.lifetime_ms = wish->lifetime_ms,
		.schedule = {.max_retries = wish->retries, .initial_ms = 100, .max_ms = 500},
		.bad_row = on_bad_row,
		.observer = {.connecting = on_nothing,
			.start_failed = on_start_failed,
			.gave_up = on_gave_up,
			.up = on_up,
			.lost = on_lost,
			.still_down = on_still_down,
			.refused = on_refused},
	};
	config.url = (struct connect_url){.scheme = "postgresql",
		.user = "user",
		.database = wish->database,
		.hosts = {{"127.0.0.1", (uint16_t)port}},
		.host_count = 1};
	struct store *store = NULL;
	assert_int_equal(store_postgres_create(&config, &store, NULL), TD_OK);
	return store;
}

static struct store *create(const char *name, size_t queue_limit)
{
	const struct pgdb_wish wish = {.database = name, .queue_limit = queue_limit, .retries = 3};
	struct store *store = pgdb_begin(&wish);
	assert_int_equal(store_postgres_wait(store), TD_OK);
	return store;
}

static void make_template(void)
{
	PGconn *conn = pgdb_connect("postgres");
	pgdb_run(conn, "CREATE DATABASE migrated");
	PQfinish(conn);
	struct td_err err = TD_ERR_INIT;
	struct store *store = create("migrated", 0);
	const struct store_postgres_migration migration = {.schema_dir = NULL};
	if (store_postgres_migrate(store, &migration, &err) != TD_OK)
		fail_msg("%s", err.text);
	store_destroy(store);
}

static void *make(void)
{
	static unsigned count;
	struct pgdb *db = td_alloc_zero(sizeof(*db));
	char sql[128];
	assert_non_null(db);
	(void)snprintf(db->name, sizeof(db->name), "t%u", count++);
	(void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s TEMPLATE migrated STRATEGY file_copy",
		db->name);
	PGconn *conn = pgdb_connect("postgres");
	pgdb_run(conn, sql);
	PQfinish(conn);
	return db;
}

static void destroy(void *ctx)
{
	struct pgdb *db = ctx;
	char sql[96];
	PQfinish(db->holder);
	(void)snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", db->name);
	PGconn *conn = pgdb_connect("postgres");
	pgdb_run(conn, sql);
	PQfinish(conn);
	td_free(db);
}

/* Databases are named by their number, so the name outlives the handle. */
static struct store *open_one(void *ctx, bool small)
{
	struct pgdb *db = ctx;
	return create(db->name, small ? 8 : 0);
}

void pgdb_exec(void *ctx, const char *sql)
{
	struct pgdb *db = ctx;
	PGconn *conn = pgdb_connect(db->name);
	pgdb_run(conn, sql);
	PQfinish(conn);
}

static void hold(void *ctx)
{
	struct pgdb *db = ctx;
	db->holder = pgdb_connect(db->name);
	pgdb_run(db->holder, "BEGIN");
	pgdb_run(db->holder,
		"LOCK TABLE users, idempotency, api_keys, subscription_packages IN EXCLUSIVE MODE");
}

void pgdb_let_go(void *ctx)
{
	struct pgdb *db = ctx;
	PQfinish(db->holder);
	db->holder = NULL;
}

const struct contract_factory pgdb_factory = {
	.name = "postgresql",
	.make = make,
	.destroy = destroy,
	.open = open_one,
	.exec = pgdb_exec,
	.hold = hold,
	.let_go = pgdb_let_go,
	.price = "49.99",
	.far_future = "UPDATE user_subscriptions SET current_period_end = 'infinity'",
};

static int run_script(const char *words, char *out, size_t size)
{
	char command[512];
	(void)snprintf(command, sizeof(command), "%s %s", PG_CLUSTER_SH, words);
	FILE *pipe = popen(command, "r");
	if (pipe == NULL)
		return -1;
	size_t n = fread(out, 1, size - 1, pipe);
	out[n] = '\0';
	return pclose(pipe);
}

static bool start_cluster(void)
{
	char words[128], out[64];
	(void)snprintf(cluster, sizeof(cluster), "/tmp/td-contract-XXXXXX");
	if (mkdtemp(cluster) == NULL)
		return false;
	(void)snprintf(words, sizeof(words), "start %s fsync=off", cluster);
	if (run_script(words, out, sizeof(out)) != 0)
		return false;
	port = (unsigned)strtoul(out, NULL, 10);
	return port != 0;
}

bool pgdb_start(void)
{
	if (!start_cluster()) {
		(void)fprintf(stderr, "PostgreSQL could not be started in %s\n", cluster);
		return false;
	}
	make_template();
	return true;
}

void pgdb_stop(void)
{
	char words[192], out[64];
	(void)snprintf(words, sizeof(words), "stop %s && rm -rf %s", cluster, cluster);
	if (run_script(words, out, sizeof(out)) != 0)
		(void)fprintf(stderr, "the server in %s could not be stopped\n", cluster);
}

unsigned pgdb_bad_rows_told(void)
{
	return atomic_load(&bad_rows_told);
}

unsigned pgdb_passwords_given(void)
{
	return atomic_load(&passwords_given);
}
