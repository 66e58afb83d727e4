/* A write whose connection is lost: it is repeated until its outcome is known, and what was done is
 * done once. */
#include "postgres_db.h"

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

static void wait_for(struct pgdb *db, const char *sql)
{
	struct looked_for l = {db->holder, sql};
	if (!contract_poll(is_found, &l, 5000))
		fail_msg("%s found nothing", sql);
}

/* As another client would have it while commits wait. */
static void open_holder(struct pgdb *db)
{
	db->holder = pgdb_connect(db->name);
	pgdb_run(db->holder, "SET synchronous_commit = local");
	pgdb_run(db->holder, "SET statement_timeout = '8s'");
}

/* A commit that waits for a standby is done; ending it there loses only the answer. */
static void hold_commits(struct pgdb *db, bool hold)
{
	pgdb_run(db->holder, hold ? "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"
				  : "ALTER SYSTEM RESET synchronous_standby_names");
	pgdb_run(db->holder, "SELECT pg_reload_conf()");
	wait_for(db, hold ? "SELECT 1 WHERE current_setting('synchronous_standby_names') = 'nobody'"
			  : "SELECT 1 WHERE current_setting('synchronous_standby_names') = ''");
}

static void lose_answer(struct pgdb *db)
{
	wait_for(db, "SELECT 1" OURS " AND wait_event = 'SyncRep'");
	pgdb_run(db->holder,
		"SELECT pg_terminate_backend(pid, 5000)" OURS " AND wait_event = 'SyncRep'");
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
	hold_commits(db, true);
	crowd_submit(crowd, c->store, op);
	lose_answer(db);
	hold_commits(db, false);
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
	pgdb_run(db->holder, "LOCK TABLE users, api_keys, idempotency, subscription_packages IN "
			     "EXCLUSIVE MODE");
	crowd_submit(crowd, c->store, op);
	wait_for(db, "SELECT 1" OURS " AND wait_event_type = 'Lock'");
	pgdb_run(db->holder,
		"SELECT pg_terminate_backend(pid)" OURS " AND wait_event_type = 'Lock'");
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
	hold_commits(db, true);
	crowd_submit(crowd, c->store, op);
	lose_answer(db);
	pgdb_run(db->holder, "UPDATE subscription_packages SET name = 'Other' WHERE slug = 'team'");
	hold_commits(db, false);
	assert_true(crowd_wait(crowd, 8000));
	assert_int_equal(crowd_count(crowd, TD_OK), 1);
	crowd_free(crowd);
	assert_true(pgdb_finds(db->holder,
		"SELECT 1 FROM subscription_packages WHERE slug = 'team' AND name = 'Other'"));
}

int pgdb_run_repeats(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repeat_answer_of_the_commit_is_lost),
		cmocka_unit_test(test_repeat_connection_is_lost_before_the_commit),
		CONTRACT_TEST(test_repeat_overwrites_nothing_of_others),
	};
	return cmocka_run_group_tests_name("repeats", tests, NULL, NULL);
}
