/* A write whose connection is lost: it is repeated until its outcome is known, and what was done is
 * done once. */
#include "postgres_db.h"

#include <stdio.h>
#include <string.h>

/* The writer's connections of this test's database. */
#define OURS " FROM pg_stat_activity WHERE datname = current_database()"

static struct store_package package = {.id = {"11111111-1111-7111-8111-111111111111", 36},
	.slug = {"pro", 3},
	.name = {"Pro", 3},
	.currency = {"USD", 3},
	.price_monthly = 2999,
	.is_active = true};
static const struct store_catalogue catalogue = {.packages = &package, .package_count = 1};
static const struct store_change change = {.kind = STORE_PUT_PACKAGE,
	.package = {.slug = {"team", 4},
		.name = {"Team", 4},
		.currency = {"USD", 3},
		.is_active = true}};

static struct store_op *user_put(struct contract *c)
{
	(void)c;
	return contract_put_user("u1", "ada@example.org");
}

static struct store_op *user_create(struct contract *c)
{
	struct store_op *op = user_put(c);
	op->kind = STORE_USER_CREATE;
	return op;
}

static struct store_op *user_create_once(struct contract *c)
{
	struct store_op *op = user_create(c);
	op->idempotency = td_arena_alloc(&op->arena, sizeof(*op->idempotency));
	assert_non_null(op->idempotency);
	*op->idempotency = (struct store_idempotency){
		.caller = TD_SLICE("key:k1"),
		.route = TD_SLICE("POST /users"),
		.key = TD_SLICE("one"),
		.expires_at = op->now_ms + 86400000,
		.on_ok = {201, TD_SLICE("made"), TD_SLICE("/users/u1")},
		.on_exists = {409, TD_SLICE("taken"), {NULL, 0}},
	};
	return op;
}

static struct store_op *key_create(struct contract *c)
{
	(void)c;
	struct store_op *op = contract_op(STORE_KEY_CREATE);
	op->in.key.id = TD_SLICE("k2");
	op->in.key.name = TD_SLICE("billing");
	memset(op->in.key.hash, 2, sizeof(op->in.key.hash));
	return op;
}

static struct store_op *key_revoke(struct contract *c)
{
	contract_make_key(c->store, "k1", 1);
	struct store_op *op = contract_op(STORE_KEY_REVOKE);
	op->in.key.id = TD_SLICE("k1");
	return op;
}

static struct store_op *populate(struct contract *c)
{
	(void)c;
	struct store_op *op = contract_op(STORE_CATALOGUE_POPULATE);
	op->in.catalogue = &catalogue;
	return op;
}

static struct store_op *apply(struct contract *c)
{
	contract_expect(c->store, populate(c), TD_OK);
	struct store_op *op = contract_op(STORE_CATALOGUE_APPLY);
	op->in.changes = &change;
	op->in.change_count = 1;
	return op;
}

static struct store_op *throttle_take(struct contract *c)
{
	static const struct store_throttle throttles[] = {
		{{"account:1", 9}, 5}, {{"address:1", 9}, 50}};
	(void)c;
	struct store_op *op = contract_op(STORE_THROTTLE_TAKE);
	op->in.throttles = throttles;
	op->in.throttle_count = TD_ARRAY_LEN(throttles);
	op->in.window_ms = 900000;
	return op;
}

/* So far that what is kept by the time before would have expired. */
static struct store_op *clock_set(struct contract *c)
{
	struct store_op *op = contract_op(STORE_CLOCK_SET);
	op->in.clock = (struct store_clock_set){1000, STORE_CLOCK_ABSENT};
	contract_expect(c->store, op, TD_OK);
	op = contract_op(STORE_CLOCK_SET);
	op->in.clock = (struct store_clock_set){INT64_C(31622400000), 1000};
	return op;
}

/* Each kind that writes; `once` finds a row when it was done, and once. */
static const struct {
	const char *name;
	struct store_op *(*make)(struct contract *c);
	const char *once;
} writes[] = {
	{"USER_PUT", user_put, "SELECT 1 FROM users HAVING count(*) = 1"},
	{"USER_CREATE", user_create, "SELECT 1 FROM users HAVING count(*) = 1"},
	{"USER_CREATE once", user_create_once, "SELECT 1 FROM users HAVING count(*) = 1"},
	{"KEY_CREATE", key_create, "SELECT 1 FROM api_keys HAVING count(*) = 1"},
	{"KEY_REVOKE", key_revoke,
		"SELECT 1 FROM api_keys WHERE extract(epoch FROM revoked_at) = 1800000000"},
	{"CATALOGUE_POPULATE", populate, "SELECT 1 FROM subscription_packages HAVING count(*) = 1"},
	{"CATALOGUE_APPLY", apply, "SELECT 1 FROM subscription_packages HAVING count(*) = 2"},
	{"THROTTLE_TAKE", throttle_take,
		/* At least once, and once more for each answer that is lost: see pg_login.c. */
		"SELECT 1 FROM throttles HAVING count(*) = 2 AND max(count) <= 2"},
	{"CLOCK_SET", clock_set, "SELECT 1 FROM test_clock WHERE offset_ms = 31622400000"},
};

/* A fresh database for each row. */
static void each_write(void (*test)(struct contract *c, unsigned row))
{
	for (unsigned i = 0; i < TD_ARRAY_LEN(writes); i++) {
		void *state = NULL;
		assert_int_equal(contract_setup(&state), 0);
		print_message("           %s\n", writes[i].name);
		test(state, i);
		assert_int_equal(contract_teardown(&state), 0);
	}
}

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

/* As another client would have it while commits wait. */
static void open_holder(struct pgdb *db)
{
	db->holder = pgdb_connect(db->name);
	pgdb_run(db->holder, "SET synchronous_commit = local");
	pgdb_run(db->holder, "SET statement_timeout = '8s'");
}

/* A commit that waits for a standby is done; ending it there loses only the answer. */
static void set_standby(PGconn *conn, bool hold)
{
	pgdb_run(conn, hold ? "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"
			    : "ALTER SYSTEM RESET synchronous_standby_names");
	pgdb_run(conn, "SELECT pg_reload_conf()");
}

struct probe {
	struct pgdb *db;
	PGconn *conn;
	bool held;
};

/* Its commit has gone through, or waits: then the wait is ended. */
static bool has_ended(void *ctx)
{
	struct probe *p = ctx;
	char sql[120];
	(void)snprintf(sql, sizeof(sql),
		"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
		" AND pid = %d",
		PQbackendPID(p->conn));
	p->held = p->held || pgdb_finds(p->db->holder, sql);
	return PQconsumeInput(p->conn) == 0 || PQisBusy(p->conn) == 0;
}

static bool is_held(struct pgdb *db, PGconn *conn)
{
	struct probe p = {db, conn, false};
	assert_int_equal(PQsendQuery(conn, "SELECT pg_logical_emit_message(true, 't', 't')"), 1);
	assert_true(contract_poll(has_ended, &p, 8000));
	for (PGresult *r; (r = PQgetResult(conn)) != NULL;)
		PQclear(r);
	return p.held;
}

static void ignore_notice(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

/* The server's processes take up a setting each in its own time: commits are held when one was. */
static void hold_commits(struct pgdb *db)
{
	PGconn *probe = pgdb_connect(db->name);
	bool held = false;
	set_standby(db->holder, true);
	(void)PQsetNoticeProcessor(probe, ignore_notice, NULL);
	for (int i = 0; i < 2000 && !held; i++)
		held = is_held(db, probe);
	PQfinish(probe);
	assert_true(held);
}

static void let_commits_go(struct pgdb *db)
{
	set_standby(db->holder, false);
}

/* Ends our connections that are as `sql` says, as soon as there is one. */
static void end_ours(struct pgdb *db, const char *sql)
{
	char text[300];
	struct looked_for l = {db->holder, text};
	(void)snprintf(
		text, sizeof(text), "SELECT pg_terminate_backend(pid, 5000)" OURS " AND %s", sql);
	if (!contract_poll(is_found, &l, 8000))
		fail_msg("no connection of ours was found with %s", sql);
}

static void lose_answer(struct pgdb *db)
{
	end_ours(db, "wait_event = 'SyncRep'");
}

static void check_outcome(struct pgdb *db, struct contract_crowd *crowd, unsigned row)
{
	if (!crowd_wait(crowd, 8000))
		fail_msg("%s got no answer", writes[row].name);
	if (crowd_count(crowd, TD_OK) != 1)
		fail_msg("%s did not end well", writes[row].name);
	crowd_free(crowd);
	if (!pgdb_finds(db->holder, writes[row].once))
		fail_msg("%s was not done once", writes[row].name);
}

static void lose_the_commits_answer(struct contract *c, unsigned row)
{
	struct pgdb *db = c->db;
	struct contract_crowd *crowd = crowd_new(1);
	open_holder(db);
	struct store_op *op = writes[row].make(c);
	hold_commits(db);
	crowd_submit(crowd, c->store, op);
	lose_answer(db);
	let_commits_go(db);
	check_outcome(db, crowd, row);
}

/* It was committed, and only the answer was lost: the answer is what it would have been. */
static void test_repeat_answer_of_the_commit_is_lost(void **state)
{
	(void)state;
	each_write(lose_the_commits_answer);
}

static void lose_the_connection_before(struct contract *c, unsigned row)
{
	struct pgdb *db = c->db;
	struct contract_crowd *crowd = crowd_new(1);
	open_holder(db);
	struct store_op *op = writes[row].make(c);
	pgdb_run(db->holder, "BEGIN");
	pgdb_run(db->holder, "LOCK TABLE users, api_keys, idempotency, subscription_packages,"
			     " throttles, test_clock IN EXCLUSIVE MODE");
	crowd_submit(crowd, c->store, op);
	end_ours(db, "wait_event_type = 'Lock'");
	pgdb_run(db->holder, "COMMIT");
	check_outcome(db, crowd, row);
}

/* It was not committed, and the connection is lost. */
static void test_repeat_connection_is_lost_before_the_commit(void **state)
{
	(void)state;
	each_write(lose_the_connection_before);
}

/* What somebody else changed between the commit and its repeat stays. */
static void test_repeat_overwrites_nothing_of_others(void **state)
{
	struct contract *c = *state;
	struct pgdb *db = c->db;
	struct contract_crowd *crowd = crowd_new(1);
	open_holder(db);
	struct store_op *op = apply(c);
	hold_commits(db);
	crowd_submit(crowd, c->store, op);
	lose_answer(db);
	pgdb_run(db->holder, "UPDATE subscription_packages SET name = 'Other' WHERE slug = 'team'");
	let_commits_go(db);
	assert_true(crowd_wait(crowd, 8000));
	assert_int_equal(crowd_count(crowd, TD_OK), 1);
	crowd_free(crowd);
	assert_true(pgdb_finds(db->holder,
		"SELECT 1 FROM subscription_packages WHERE slug = 'team' AND name = 'Other'"));
}

/* Where a test failed in the middle, nobody's commits must wait for ever. */
static int let_go_after_all(void **state)
{
	(void)state;
	PGconn *conn = pgdb_connect("postgres");
	pgdb_run(conn, "SET synchronous_commit = local");
	set_standby(conn, false);
	PQfinish(conn);
	return 0;
}

int pgdb_run_repeats(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repeat_answer_of_the_commit_is_lost),
		cmocka_unit_test(test_repeat_connection_is_lost_before_the_commit),
		CONTRACT_TEST(test_repeat_overwrites_nothing_of_others),
	};
	return cmocka_run_group_tests_name("repeats", tests, NULL, let_go_after_all);
}
