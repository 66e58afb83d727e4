/* The contract suite against PostgreSQL: a server of its own in a temporary folder, a database for
 * each test, copied from one that is migrated. */
#include "contract.h"

#include "store/postgres/pg_library.h"
#include "store/postgres/store_postgres.h"
#include "work/thread.h"

#include <libpq-fe.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_uint passwords_given; /* one for each attempt to connect */
static char cluster[64];
static unsigned port;

struct db {
	char name[32];
	PGconn *holder;
};

/* A thread that waits for a store. */
struct late {
	struct store *store;
	atomic_bool done;
	enum td_status status;
};

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

static void on_still_down(void *ctx, int64_t away_ms, const struct connect_failures *failures)
{
	(void)ctx;
	(void)away_ms;
	(void)failures;
}

static PGconn *connect_to(const char *name)
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

static void run(PGconn *conn, const char *sql)
{
	PGresult *r = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(r);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	PQclear(r);
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

/* Begins to connect; does not wait. */
static struct store *begin(const char *name, size_t queue_limit, int64_t retries)
{
	struct store_postgres_config config = {
		.password = give_password,
		.application = "contract",
		.clock = &td_clock_system,
		.connect_timeout_ms = 5000,
		.store_timeout_ms = 10000,
		.queue_limit = queue_limit,
		.schedule = {.max_retries = retries, .initial_ms = 100, .max_ms = 500},
		.observer = {.connecting = on_nothing,
			.start_failed = on_start_failed,
			.gave_up = on_gave_up,
			.up = on_up,
			.lost = on_lost,
			.still_down = on_still_down},
	};
	config.url = (struct connect_url){.scheme = "postgresql",
		.user = "user",
		.database = name,
		.hosts = {{"127.0.0.1", (uint16_t)port}},
		.host_count = 1};
	struct store *store = NULL;
	assert_int_equal(store_postgres_create(&config, &store, NULL), TD_OK);
	return store;
}

static struct store *create(const char *name, size_t queue_limit)
{
	struct store *store = begin(name, queue_limit, 3);
	assert_int_equal(store_postgres_wait(store), TD_OK);
	return store;
}

static void make_template(void)
{
	PGconn *conn = connect_to("postgres");
	run(conn, "CREATE DATABASE migrated");
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
	struct db *db = td_alloc_zero(sizeof(*db));
	char sql[128];
	assert_non_null(db);
	(void)snprintf(db->name, sizeof(db->name), "t%u", count++);
	(void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s TEMPLATE migrated STRATEGY file_copy",
		db->name);
	PGconn *conn = connect_to("postgres");
	run(conn, sql);
	PQfinish(conn);
	return db;
}

static void destroy(void *ctx)
{
	struct db *db = ctx;
	char sql[96];
	PQfinish(db->holder);
	(void)snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", db->name);
	PGconn *conn = connect_to("postgres");
	run(conn, sql);
	PQfinish(conn);
	td_free(db);
}

/* Databases are named by their number, so the name outlives the handle. */
static struct store *open_one(void *ctx, bool small)
{
	struct db *db = ctx;
	return create(db->name, small ? 8 : 0);
}

static void exec(void *ctx, const char *sql)
{
	struct db *db = ctx;
	PGconn *conn = connect_to(db->name);
	run(conn, sql);
	PQfinish(conn);
}

static void hold(void *ctx)
{
	struct db *db = ctx;
	db->holder = connect_to(db->name);
	run(db->holder, "BEGIN");
	run(db->holder,
		"LOCK TABLE users, idempotency, api_keys, subscription_packages IN EXCLUSIVE MODE");
}

static void let_go(void *ctx)
{
	struct db *db = ctx;
	PQfinish(db->holder);
	db->holder = NULL;
}

static const struct contract_factory factory = {
	.name = "postgresql",
	.make = make,
	.destroy = destroy,
	.open = open_one,
	.exec = exec,
	.hold = hold,
	.let_go = let_go,
	.price = "49.99",
};

/* ---- what only a server can do */

static enum td_status get_with_key(struct store *store, const char *id)
{
	struct store_op *op = contract_op(STORE_USER_GET);
	op->deadline_ms = td_clock_mono_ms(&td_clock_system) + 2000;
	op->in.user.id = td_slice_str(id);
	contract_use_key(op, 7);
	enum td_status status = store_call(store, &op, NULL);
	store_op_free(op);
	return status;
}

/* A column's type is changed while statements are prepared: they are prepared anew, by the writer
 * too. */
static void test_postgres_changed_column_breaks_no_prepared_statement(void **state)
{
	struct contract *c = *state;
	contract_make_key(c->store, "k1", 7);
	for (unsigned round = 0; round < 2; round++) {
		struct store_op *op = contract_put_user("u1", "ada@example.org");
		contract_use_key(op, 7);
		contract_expect(c->store, op, TD_OK);
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(get_with_key(c->store, "u1"), TD_OK);
		exec(c->db, "ALTER TABLE api_keys ALTER name TYPE varchar(190)");
	}
}

/* Another client holds the row of a key: who asks with it is answered all the same. */
static void test_postgres_held_key_answers(void **state)
{
	struct contract *c = *state;
	struct db *db = c->db;
	contract_make_key(c->store, "k1", 7);
	contract_expect(c->store, contract_put_user("u1", "ada@example.org"), TD_OK);
	db->holder = connect_to(db->name);
	run(db->holder, "BEGIN");
	run(db->holder, "UPDATE api_keys SET name = 'held'");
	uint64_t began_ms = td_clock_mono_ms(&td_clock_system);
	assert_int_equal(get_with_key(c->store, "u1"), TD_OK);
	assert_true(td_clock_mono_ms(&td_clock_system) - began_ms < 1500);
	let_go(db);
}

static bool can_read(void *store)
{
	return get_with_key(store, "u1") == TD_OK;
}

static void allow_connections(const struct db *db, const char *allow)
{
	char sql[96];
	PGconn *conn = connect_to("postgres");
	(void)snprintf(sql, sizeof(sql), "ALTER DATABASE %s ALLOW_CONNECTIONS %s", db->name, allow);
	run(conn, sql);
	PQfinish(conn);
}

/* The supervisor's connection stands, new ones are refused: no storm of attempts, and soon after
 * the refusal ends there is an answer. */
static void test_postgres_refused_lane_makes_no_storm(void **state)
{
	struct contract *c = *state;
	contract_make_key(c->store, "k1", 7);
	contract_expect(c->store, contract_put_user("u1", "ada@example.org"), TD_OK);
	allow_connections(c->db, "false");
	unsigned before = atomic_load(&passwords_given);
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(get_with_key(c->store, "u1"), TD_UNAVAILABLE);
	assert_true(atomic_load(&passwords_given) - before < 30);
	allow_connections(c->db, "true");
	assert_true(contract_poll(can_read, c->store, 2000));
}

static bool is_down_read_only(void *store)
{
	struct store_health health;
	store_get_health(store, &health);
	return health.state == STORE_DOWN && strstr(health.last_error, "read-only") != NULL;
}

static bool is_up(void *store)
{
	struct store_health health;
	store_get_health(store, &health);
	return health.state == STORE_UP;
}

/* A server that becomes read-only is noticed by the heartbeat, not by the first write. */
static void test_postgres_read_only_server_is_noticed(void **state)
{
	struct contract *c = *state;
	exec(c->db, "ALTER SYSTEM SET default_transaction_read_only = on");
	exec(c->db, "SELECT pg_reload_conf()");
	bool noticed = contract_poll(is_down_read_only, c->store, 4000);
	exec(c->db, "ALTER SYSTEM RESET default_transaction_read_only");
	exec(c->db, "SELECT pg_reload_conf()");
	assert_true(noticed);
	assert_true(contract_poll(is_up, c->store, 12000));
}

static bool somebody_waits(void *conn)
{
	PGresult *r = PQexec(conn, "SELECT 1 FROM pg_locks WHERE NOT granted");
	bool any = PQntuples(r) > 0;
	PQclear(r);
	return any;
}

/* Somebody inserts the same id at the same moment, so the operation runs again: the answer that it
 * keeps is of what it did, not of the first try. */
static void test_postgres_second_run_keeps_no_answer_of_the_first(void **state)
{
	struct contract *c = *state;
	struct db *db = c->db;
	struct store_idempotency kept = {
		.caller = TD_SLICE("k1"),
		.route = TD_SLICE("r"),
		.key = TD_SLICE("key"),
		.expires_at = CONTRACT_NOW + 1000,
		.on_ok = {200, TD_SLICE("ok"), {NULL, 0}},
		.on_exists = {409, TD_SLICE("exists"), {NULL, 0}},
	};
	struct contract_crowd *crowd = crowd_new(1);
	db->holder = connect_to(db->name);
	run(db->holder, "BEGIN");
	run(db->holder, "INSERT INTO users VALUES ('u1', 'other@example.org', 'O', 'T')");
	struct store_op *op = contract_put_user("u1", "ada@example.org");
	op->idempotency = &kept;
	crowd_submit(crowd, c->store, op);
	assert_true(contract_poll(somebody_waits, db->holder, 3000));
	run(db->holder, "COMMIT");
	assert_true(crowd_wait(crowd, 5000));
	assert_int_equal(crowd_count(crowd, TD_OK), 1);
	crowd_free(crowd);
	assert_false(kept.replayed);
	op = contract_op(STORE_USER_GET);
	op->in.user.id = TD_SLICE("u1");
	op = contract_call(c->store, op, TD_OK);
	assert_true(td_slice_is(op->out.user.email, "ada@example.org"));
	store_op_free(op);
	let_go(db);
}

static bool has_waited(void *done)
{
	return atomic_load((atomic_bool *)done);
}

static void wait_for_store(void *ctx)
{
	struct late *late = ctx;
	late->status = store_postgres_wait(late->store);
	atomic_store(&late->done, true);
}

/* Nobody need wait for the schedule's end when the process is stopping. */
static void test_postgres_hurry_ends_the_wait_for_the_first_connection(void **state)
{
	struct late late = {.store = begin("nowhere", 0, 50)};
	struct td_thread thread;
	(void)state;
	assert_int_equal(td_thread_start(&thread, "late", wait_for_store, &late, NULL), TD_OK);
	store_hurry(late.store, UINT64_MAX);
	bool ended = contract_poll(has_waited, &late.done, 1000);
	store_stop(late.store, 0);
	td_thread_join(&thread);
	store_destroy(late.store);
	assert_true(ended);
	assert_int_equal(late.status, TD_STOPPING);
}

static int run_postgres_only(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_postgres_changed_column_breaks_no_prepared_statement),
		CONTRACT_TEST(test_postgres_held_key_answers),
		CONTRACT_TEST(test_postgres_refused_lane_makes_no_storm),
		CONTRACT_TEST(test_postgres_read_only_server_is_noticed),
		CONTRACT_TEST(test_postgres_second_run_keeps_no_answer_of_the_first),
		cmocka_unit_test(test_postgres_hurry_ends_the_wait_for_the_first_connection),
	};
	return cmocka_run_group_tests_name("postgresql only", tests, NULL, NULL);
}

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

static void stop_cluster(void)
{
	char words[192], out[64];
	(void)snprintf(words, sizeof(words), "stop %s && rm -rf %s", cluster, cluster);
	if (run_script(words, out, sizeof(out)) != 0)
		(void)fprintf(stderr, "the server in %s could not be stopped\n", cluster);
}

int main(void)
{
	if (sodium_init() < 0 || pg_library_load(NULL) != TD_OK || !start_cluster()) {
		(void)fprintf(stderr, "PostgreSQL could not be started in %s\n", cluster);
		return 1;
	}
	contract_factory = &factory;
	make_template();
	int failed = contract_run_users() + contract_run_keys() + contract_run_answers() +
		     contract_run_catalogue() + contract_run_crowds() + run_postgres_only();
	stop_cluster();
	return failed == 0 ? 0 : 1;
}
