/* The contract suite against PostgreSQL, and what only a server can do. */
#include "postgres_db.h"

#include "store/postgres/pg_library.h"
#include "store/postgres/store_postgres.h"
#include "work/thread.h"

#include <libpq-fe.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

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
		pgdb_exec(c->db, "ALTER TABLE api_keys ALTER name TYPE varchar(190)");
	}
}

/* Another client holds the row of a key: who asks with it is answered all the same. */
static void test_postgres_held_key_answers(void **state)
{
	struct contract *c = *state;
	struct pgdb *db = c->db;
	contract_make_key(c->store, "k1", 7);
	contract_expect(c->store, contract_put_user("u1", "ada@example.org"), TD_OK);
	db->holder = pgdb_connect(db->name);
	pgdb_run(db->holder, "BEGIN");
	pgdb_run(db->holder, "UPDATE api_keys SET name = 'held'");
	uint64_t began_ms = td_clock_mono_ms(&td_clock_system);
	assert_int_equal(get_with_key(c->store, "u1"), TD_OK);
	assert_true(td_clock_mono_ms(&td_clock_system) - began_ms < 1500);
	pgdb_let_go(db);
}

static bool can_read(void *store)
{
	return get_with_key(store, "u1") == TD_OK;
}

static void allow_connections(const struct pgdb *db, const char *allow)
{
	char sql[96];
	PGconn *conn = pgdb_connect("postgres");
	(void)snprintf(sql, sizeof(sql), "ALTER DATABASE %s ALLOW_CONNECTIONS %s", db->name, allow);
	pgdb_run(conn, sql);
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
	unsigned before = pgdb_passwords_given();
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(get_with_key(c->store, "u1"), TD_UNAVAILABLE);
	assert_true(pgdb_passwords_given() - before < 30);
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
	pgdb_exec(c->db, "ALTER SYSTEM SET default_transaction_read_only = on");
	pgdb_exec(c->db, "SELECT pg_reload_conf()");
	bool noticed = contract_poll(is_down_read_only, c->store, 4000);
	pgdb_exec(c->db, "ALTER SYSTEM RESET default_transaction_read_only");
	pgdb_exec(c->db, "SELECT pg_reload_conf()");
	assert_true(noticed);
	assert_true(contract_poll(is_up, c->store, 12000));
}

static bool somebody_waits(void *conn)
{
	return pgdb_finds(conn, "SELECT 1 FROM pg_locks WHERE NOT granted");
}

/* Somebody inserts the same id at the same moment, so the operation runs again: the answer that it
 * keeps is of what it did, not of the first try. */
static void test_postgres_second_run_keeps_no_answer_of_the_first(void **state)
{
	struct contract *c = *state;
	struct pgdb *db = c->db;
	struct store_idempotency kept = {
		.caller = TD_SLICE("k1"),
		.route = TD_SLICE("r"),
		.key = TD_SLICE("key"),
		.expires_at = CONTRACT_NOW + 1000,
		.on_ok = {200, TD_SLICE("ok"), {NULL, 0}},
		.on_exists = {409, TD_SLICE("exists"), {NULL, 0}},
	};
	struct contract_crowd *crowd = crowd_new(1);
	db->holder = pgdb_connect(db->name);
	pgdb_run(db->holder, "BEGIN");
	pgdb_run(db->holder, "INSERT INTO users VALUES ('u1', 'other@example.org', 'O', 'T')");
	struct store_op *op = contract_put_user("u1", "ada@example.org");
	op->idempotency = &kept;
	crowd_submit(crowd, c->store, op);
	assert_true(contract_poll(somebody_waits, db->holder, 3000));
	pgdb_run(db->holder, "COMMIT");
	assert_true(crowd_wait(crowd, 5000));
	assert_int_equal(crowd_count(crowd, TD_OK), 1);
	crowd_free(crowd);
	assert_false(kept.replayed);
	op = contract_op(STORE_USER_GET);
	op->in.user.id = TD_SLICE("u1");
	op = contract_call(c->store, op, TD_OK);
	assert_true(td_slice_is(op->out.user.email, "ada@example.org"));
	store_op_free(op);
	pgdb_let_go(db);
}

/* A thread that waits for a store. */
struct late {
	struct store *store;
	atomic_bool done;
	enum td_status status;
};

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
	const struct pgdb_wish wish = {.database = "nowhere", .retries = 50};
	struct late late = {.store = pgdb_begin(&wish)};
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

static void keep(struct contract *c, const char *text)
{
	struct store_op *op = contract_op(STORE_KEPT_PUT);
	op->in.text = td_slice_str(text);
	contract_expect(c->store, op, TD_OK);
}

/* The content of another store: the last is kept, in one row, and nothing else shows it. */
static void test_postgres_keeps_what_another_store_had(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, contract_op(STORE_KEPT_GET), TD_NOTFOUND);
	keep(c, "first");
	keep(c, "second \xc3\xa9 ' \\ \"");
	keep(c, "second \xc3\xa9 ' \\ \"");
	struct store_op *op = contract_call(c->store, contract_op(STORE_KEPT_GET), TD_OK);
	assert_true(td_slice_is(op->out.text, "second \xc3\xa9 ' \\ \""));
	store_op_free(op);
	PGconn *conn = pgdb_connect(((struct pgdb *)c->db)->name);
	assert_true(pgdb_finds(conn, "SELECT 1 FROM kept_catalogue HAVING count(*) = 1"));
	PQfinish(conn);
}

static int run_postgres_only(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_postgres_changed_column_breaks_no_prepared_statement),
		CONTRACT_TEST(test_postgres_held_key_answers),
		CONTRACT_TEST(test_postgres_refused_lane_makes_no_storm),
		CONTRACT_TEST(test_postgres_read_only_server_is_noticed),
		CONTRACT_TEST(test_postgres_second_run_keeps_no_answer_of_the_first),
		CONTRACT_TEST(test_postgres_keeps_what_another_store_had),
		cmocka_unit_test(test_postgres_hurry_ends_the_wait_for_the_first_connection),
	};
	return cmocka_run_group_tests_name("postgresql only", tests, NULL, NULL);
}

int main(void)
{
	if (sodium_init() < 0 || pg_library_load(NULL) != TD_OK || !pgdb_start())
		return 1;
	contract_factory = &pgdb_factory;
	int failed = contract_run_users() + contract_run_keys() + contract_run_answers() +
		     contract_run_catalogue() + contract_run_content() + contract_run_crowds() +
		     contract_run_subscriptions() + contract_run_login() + run_postgres_only() +
		     pgdb_run_repeats() + pgdb_run_locks() + pgdb_run_rows() +
		     pgdb_run_connections() + pgdb_run_plans() + pgdb_run_events();
	pgdb_stop();
	return failed == 0 ? 0 : 1;
}
