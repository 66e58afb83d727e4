/* The connections of lanes: each is looked at before it is used, and none is used for ever. */
#include "postgres_db.h"

#include "store/postgres/store_postgres.h"

#include <stdio.h>
#include <string.h>

/* All but the supervisor's, whose questions are these. */
#define LANES                                                                         \
	" FROM pg_stat_activity WHERE datname = current_database() AND"               \
	" application_name = 'contract' AND query NOT LIKE '%transaction_read_only%'" \
	" AND query NOT LIKE 'LISTEN%'"

static void use_all(struct store *store)
{
	contract_expect(store, contract_put_user("u1", "ada@example.org"), TD_OK);
	for (int i = 0; i < 4; i++) {
		struct store_op *op = contract_op(STORE_USER_GET);
		op->in.user.id = TD_SLICE("u1");
		contract_expect(store, op, TD_OK);
	}
}

/* What the server has closed meanwhile is noticed before anything is sent on it: nobody gets an
 * error, and the supervisor does not count it as a loss. */
static void test_connection_that_was_closed_costs_no_error(void **state)
{
	struct contract *c = *state;
	struct pgdb *db = c->db;
	struct store_health health;
	db->holder = pgdb_connect(db->name);
	for (int round = 0; round < 3; round++) {
		use_all(c->store);
		assert_true(pgdb_finds(db->holder, "SELECT 1" LANES " HAVING count(*) = 3"));
		pgdb_run(db->holder, "SELECT pg_terminate_backend(pid, 5000)" LANES);
		unsigned before = pgdb_passwords_given();
		use_all(c->store);
		assert_int_equal(pgdb_passwords_given() - before, 3);
	}
	store_get_health(c->store, &health);
	assert_int_equal(health.state, STORE_UP);
	assert_int_equal(health.last_error[0], '\0');
}

#define LIFE_MS 300

/* At its age a connection is replaced, between two batches, and each lane's at its own time. */
static void test_connection_is_replaced_at_its_age(void **state)
{
	struct contract *c = *state;
	struct pgdb *db = c->db;
	const struct pgdb_wish wish = {.database = db->name, .retries = 3, .lifetime_ms = LIFE_MS};
	struct store *store = pgdb_begin(&wish);
	assert_int_equal(store_postgres_wait(store), TD_OK);
	use_all(store);
	unsigned before = pgdb_passwords_given();
	uint64_t began_ms = td_clock_mono_ms(&td_clock_system), passed_ms = 0;
	while (pgdb_passwords_given() - before < 9) {
		use_all(store);
		passed_ms = td_clock_mono_ms(&td_clock_system) - began_ms;
		assert_true(passed_ms < 20000);
	}
	/* Three lanes, three times each, never before four fifths of their time. */
	assert_true(passed_ms >= (uint64_t)LIFE_MS * 4 / 5 * 2);
	store_destroy(store);
}

/* Long before that it is kept. */
static void test_connection_is_kept_until_then(void **state)
{
	struct contract *c = *state;
	use_all(c->store);
	unsigned before = pgdb_passwords_given();
	for (int i = 0; i < 200; i++)
		use_all(c->store);
	assert_int_equal(pgdb_passwords_given(), before);
}

int pgdb_run_connections(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_connection_that_was_closed_costs_no_error),
		CONTRACT_TEST(test_connection_is_replaced_at_its_age),
		CONTRACT_TEST(test_connection_is_kept_until_then),
	};
	return cmocka_run_group_tests_name("connections", tests, NULL, NULL);
}
