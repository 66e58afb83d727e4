/* Locks and conflicts with other clients: they hold up only who wants the same row, and end in
 * success as long as there is time. */
#include "postgres_db.h"

#include <stdio.h>
#include <string.h>

static struct store_op *numbered_user(int number)
{
	char id[16], email[40];
	(void)snprintf(id, sizeof(id), "u%d", number);
	(void)snprintf(email, sizeof(email), "u%d@example.org", number);
	return contract_put_user(id, email);
}

/* One that changes something, so that it needs the row's lock. */
static struct store_op *renamed_user(int number)
{
	struct store_op *op = numbered_user(number);
	op->in.user.last_name = TD_SLICE("Byron");
	return op;
}

static void make_users(struct contract *c, int count)
{
	for (int i = 0; i < count; i++)
		contract_expect(c->store, numbered_user(i), TD_OK);
}

/* Another client in the middle of a transaction that has locked what `sql` names. */
static void lock_by(struct contract *c, const char *sql)
{
	struct pgdb *db = c->db;
	db->holder = pgdb_connect(db->name);
	pgdb_run(db->holder, "SET deadlock_timeout = '20s'");
	pgdb_run(db->holder, "BEGIN");
	pgdb_run(db->holder, sql);
}

static uint64_t now_ms(void)
{
	return td_clock_mono_ms(&td_clock_system);
}

/* The others of its batch, and those behind it, do not wait for a locked row. */
static void test_lock_on_a_row_holds_up_only_who_wants_it(void **state)
{
	struct contract *c = *state;
	struct contract_crowd *blocked = crowd_new(60), *others = crowd_new(300);
	make_users(c, 1);
	lock_by(c, "SELECT 1 FROM users WHERE id = 'u0' FOR UPDATE");
	for (int i = 0; i < 60; i++)
		crowd_submit(blocked, c->store, renamed_user(0));
	for (int i = 1; i <= 300; i++)
		crowd_submit(others, c->store, numbered_user(i));
	assert_true(crowd_wait(others, 4000));
	assert_int_equal(crowd_count(others, TD_OK), 300);
	crowd_free(others);
	assert_false(crowd_wait(blocked, 0));
	pgdb_let_go(c->db);
	assert_true(crowd_wait(blocked, 3000));
	assert_int_equal(crowd_count(blocked, TD_OK), 60);
	crowd_free(blocked);
}

/* While one waits, each of the others is done soon. */
static void test_lock_on_a_row_keeps_others_waiting_shortly(void **state)
{
	struct contract *c = *state;
	struct contract_crowd *blocked = crowd_new(3);
	uint64_t longest_ms = 0;
	make_users(c, 3);
	lock_by(c, "SELECT 1 FROM users FOR UPDATE");
	for (int i = 0; i < 3; i++)
		crowd_submit(blocked, c->store, renamed_user(i));
	for (int i = 10; i < 40; i++) {
		uint64_t began_ms = now_ms();
		contract_expect(c->store, numbered_user(i), TD_OK);
		uint64_t took_ms = now_ms() - began_ms;
		longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
	}
	print_message("           longest %u ms\n", (unsigned)longest_ms);
	assert_true(longest_ms < 1500);
	pgdb_let_go(c->db);
	assert_true(crowd_wait(blocked, 2000));
	assert_int_equal(crowd_count(blocked, TD_OK), 3);
	crowd_free(blocked);
}

/* What waits for the locked row itself waits until its deadline, and is not done later. */
static void test_lock_ends_with_the_deadline(void **state)
{
	struct contract *c = *state;
	make_users(c, 1);
	lock_by(c, "SELECT 1 FROM users WHERE id = 'u0' FOR UPDATE");
	uint64_t began_ms = now_ms();
	struct contract_crowd *crowd = crowd_new(1);
	struct store_op *op = renamed_user(0);
	op->deadline_ms = began_ms + 700;
	crowd_submit(crowd, c->store, op);
	assert_true(crowd_wait(crowd, 5000));
	assert_int_equal(crowd_count(crowd, TD_TIMEOUT), 1);
	assert_true(now_ms() - began_ms >= 690);
	crowd_free(crowd);
	pgdb_let_go(c->db);
	contract_expect(c->store, numbered_user(1), TD_OK);
	op = contract_op(STORE_USER_GET);
	op->in.user.id = TD_SLICE("u0");
	op = contract_call(c->store, op, TD_OK);
	assert_true(td_slice_is(op->out.user.last_name, "Lovelace"));
	store_op_free(op);
}

/* Noting that a key was used must not keep a reader from answering. */
static void test_lock_on_the_keys_holds_up_no_reader(void **state)
{
	struct contract *c = *state;
	make_users(c, 1);
	contract_make_key(c->store, "k1", 7);
	lock_by(c, "LOCK TABLE api_keys IN EXCLUSIVE MODE");
	uint64_t began_ms = now_ms();
	for (int i = 0; i < 4; i++) {
		struct store_op *op = contract_op(STORE_USER_GET);
		op->in.user.id = TD_SLICE("u0");
		contract_use_key(op, 7);
		contract_expect(c->store, op, TD_OK);
	}
	assert_true(now_ms() - began_ms < 1500);
	pgdb_let_go(c->db);
}

/* Conflicts are tried again as long as there is time, however many there are in a row. */
static void test_conflict_ten_in_a_row_end_well(void **state)
{
	struct contract *c = *state;
	pgdb_exec(c->db, "CREATE SEQUENCE tries");
	/* What a sequence gave out stays so when the transaction is rolled back. */
	pgdb_exec(c->db,
		"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
		" IF nextval('tries') <= 10 THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF;"
		" RETURN NEW; END $$");
	pgdb_exec(c->db, "CREATE TRIGGER refuse BEFORE INSERT ON users FOR EACH ROW EXECUTE "
			 "FUNCTION refuse()");
	contract_expect(c->store, numbered_user(1), TD_OK);
}

/* … and no longer. */
static void test_conflict_without_end_ends_at_the_deadline(void **state)
{
	struct contract *c = *state;
	pgdb_exec(c->db, "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
			 " RAISE EXCEPTION USING ERRCODE = '40P01'; END $$");
	pgdb_exec(c->db, "CREATE TRIGGER refuse BEFORE INSERT ON users FOR EACH ROW EXECUTE "
			 "FUNCTION refuse()");
	uint64_t began_ms = now_ms();
	struct store_op *op = numbered_user(1);
	op->deadline_ms = began_ms + 400;
	assert_int_equal(store_call(c->store, &op, NULL), TD_TIMEOUT);
	assert_true(now_ms() - began_ms >= 390);
	store_op_free(op);
}

#define LOGGED "SELECT 1 WHERE pg_read_file(current_setting('data_directory') || '/../log') LIKE "

#define OURS_WAITS_FOR                                                          \
	"SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND" \
	" application_name = 'contract' AND wait_event"

struct looked_for {
	PGconn *conn;
	const char *sql;
};

static bool is_found(void *ctx)
{
	struct looked_for *l = ctx;
	/* In a transaction the server would show activity as it was at first. */
	pgdb_run(l->conn, "SELECT pg_stat_clear_snapshot()");
	return pgdb_finds(l->conn, l->sql);
}

static bool comes(PGconn *conn, const char *sql)
{
	struct looked_for l = {conn, sql};
	return contract_poll(is_found, &l, 5000);
}

/* For connections that are made from now on. */
static void set_in_database(struct contract *c, const char *setting)
{
	struct pgdb *db = c->db;
	char sql[160];
	(void)snprintf(sql, sizeof(sql), "ALTER DATABASE %s SET %s", db->name, setting);
	pgdb_exec(db, sql);
}

/* Lets a statement that changes u1 last a while, the first time. */
static void make_a_nap(struct contract *c)
{
	pgdb_exec(c->db, "CREATE SEQUENCE naps");
	pgdb_exec(c->db, "CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
			 " IF nextval('naps') = 1 THEN PERFORM pg_sleep(0.4); END IF;"
			 " RETURN NULL; END $$");
	pgdb_exec(c->db,
		"CREATE TRIGGER nap AFTER UPDATE ON users FOR EACH ROW WHEN (new.id = 'u1')"
		" EXECUTE FUNCTION nap()");
}

/* A user and a key in one transaction, which locks the user first; the other client has the key and
 * wants the user. */
static void cross(struct contract *c, struct store *store)
{
	struct pgdb *db = c->db;
	struct contract_crowd *crowd = crowd_new(3);
	lock_by(c, "SELECT 1 FROM users WHERE id = 'u0' FOR UPDATE");
	pgdb_run(db->holder, "UPDATE api_keys SET name = 'mine'");
	/* The first keeps the lane busy while the two come together. */
	crowd_submit(crowd, store, renamed_user(0));
	assert_true(comes(db->holder, OURS_WAITS_FOR "_type = 'Lock'"));
	struct store_op *revoke = contract_op(STORE_KEY_REVOKE);
	revoke->in.key.id = TD_SLICE("k1");
	crowd_submit(crowd, store, renamed_user(1));
	crowd_submit(crowd, store, revoke);
	assert_true(comes(db->holder, OURS_WAITS_FOR " = 'PgSleep'"));
	pgdb_run(db->holder, "UPDATE users SET first_name = 'Mine' WHERE id = 'u1'");
	pgdb_run(db->holder, "COMMIT");
	assert_true(crowd_wait(crowd, 5000));
	assert_int_equal(crowd_count(crowd, TD_OK), 3);
	crowd_free(crowd);
}

/* The server ends our transaction to resolve a deadlock: all of it is done in another. */
static void test_conflict_by_a_deadlock_ends_well(void **state)
{
	struct contract *c = *state;
	struct pgdb *db = c->db;
	make_users(c, 2);
	contract_make_key(c->store, "k1", 7);
	make_a_nap(c);
	set_in_database(c, "deadlock_timeout = '10ms'");
	struct store *store = contract_open(c, false);
	cross(c, store);
	assert_true(pgdb_finds(db->holder, LOGGED "'%deadlock detected%'"));
	contract_close(c, store);
}

/* A change of the row that another client commits while ours waits for it. */
static void race(struct contract *c, struct store *store, int number)
{
	struct pgdb *db = c->db;
	struct contract_crowd *crowd = crowd_new(1);
	lock_by(c, "UPDATE users SET first_name = first_name || 'x'");
	struct store_op *op = renamed_user(0);
	op->in.user.company = td_slice_str(td_arena_printf(&op->arena, "%d", number));
	crowd_submit(crowd, store, op);
	assert_true(comes(db->holder, OURS_WAITS_FOR "_type = 'Lock'"));
	pgdb_run(db->holder, "COMMIT");
	assert_true(crowd_wait(crowd, 5000));
	assert_int_equal(crowd_count(crowd, TD_OK), 1);
	crowd_free(crowd);
}

/* ---- a session begins while the password is set */

static struct store_op *session(enum store_op_kind kind, uint8_t seed)
{
	struct store_op *op = contract_op(kind);
	memset(op->in.session.hash, seed, TD_SHA256_SIZE);
	op->in.session.user_id = TD_SLICE("u0");
	op->in.session.created_at = op->now_ms;
	op->in.session.expires_at = op->now_ms + 60000;
	return op;
}

static void expect_no_session(struct contract *c, uint8_t seed)
{
	struct store_op *op = contract_op(STORE_AUTHORIZE);
	op->auth.kind = STORE_AUTH_SESSION;
	memset(op->auth.hash, seed, TD_SHA256_SIZE);
	contract_expect(c->store, op, TD_DENIED);
}

/* Ours has to wait for the other client, which then commits. */
static void end_behind(struct contract *c, struct store_op *op, enum td_status expected)
{
	struct pgdb *db = c->db;
	struct contract_crowd *crowd = crowd_new(1);
	crowd_submit(crowd, c->store, op);
	assert_true(comes(db->holder, OURS_WAITS_FOR "_type = 'Lock'"));
	pgdb_run(db->holder, "COMMIT");
	assert_true(crowd_wait(crowd, 5000));
	assert_int_equal(crowd_count(crowd, expected), 1);
	crowd_free(crowd);
	pgdb_let_go(db);
}

/* The password was set first: the old one begins no session. */
static void test_lock_of_a_new_password_keeps_a_session_out(void **state)
{
	struct contract *c = *state;
	make_users(c, 1);
	lock_by(c, "UPDATE users SET password_hash = 'new' WHERE id = 'u0'");
	end_behind(c, session(STORE_SESSION_CREATE, 1), TD_NOTFOUND);
	expect_no_session(c, 1);
}

/* The session was first: it ends with all others. */
static void test_lock_of_a_new_session_ends_with_it(void **state)
{
	struct contract *c = *state;
	make_users(c, 1);
	struct store_op *op = session(STORE_RESET_CREATE, 5);
	op->in.user.email = TD_SLICE("u0@example.org");
	contract_expect(c->store, op, TD_OK);
	lock_by(c, "SELECT 1 FROM users WHERE id = 'u0' FOR NO KEY UPDATE");
	struct pgdb *db = c->db;
	pgdb_run(db->holder, "INSERT INTO sessions (hash, user_id, created_at, expires_at)"
			     " VALUES (decode(repeat('01', 32), 'hex'), 'u0', now(), 'infinity')");
	op = session(STORE_RESET_USE, 5);
	op->in.password_hash = TD_SLICE("new");
	end_behind(c, op, TD_OK);
	expect_no_session(c, 1);
}

/* A database whose transactions may fail to serialize. */
static void test_conflict_by_a_serialization_failure_ends_well(void **state)
{
	struct contract *c = *state;
	struct pgdb *db = c->db;
	make_users(c, 1);
	set_in_database(c, "default_transaction_isolation = 'repeatable read'");
	struct store *store = contract_open(c, false);
	bool failed = false;
	/* Ours may just not be waiting at the moment of the commit. */
	for (int i = 0; i < 20 && !failed; i++) {
		race(c, store, i);
		failed = pgdb_finds(db->holder, LOGGED "'%could not serialize access%'");
		pgdb_let_go(db);
	}
	assert_true(failed);
	contract_close(c, store);
}

int pgdb_run_locks(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_lock_on_a_row_holds_up_only_who_wants_it),
		CONTRACT_TEST(test_lock_on_a_row_keeps_others_waiting_shortly),
		CONTRACT_TEST(test_lock_ends_with_the_deadline),
		CONTRACT_TEST(test_lock_on_the_keys_holds_up_no_reader),
		CONTRACT_TEST(test_lock_of_a_new_password_keeps_a_session_out),
		CONTRACT_TEST(test_lock_of_a_new_session_ends_with_it),
		CONTRACT_TEST(test_conflict_ten_in_a_row_end_well),
		CONTRACT_TEST(test_conflict_without_end_ends_at_the_deadline),
		CONTRACT_TEST(test_conflict_by_a_deadlock_ends_well),
		CONTRACT_TEST(test_conflict_by_a_serialization_failure_ends_well),
	};
	return cmocka_run_group_tests_name("locks", tests, NULL, NULL);
}
