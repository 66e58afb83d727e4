/* Rows that other clients wrote: inside the rules they are served, outside they are left out and
 * named, and never harm the rest. */
#include "sqlite_fixture.h"

struct rows {
	struct fixture fixture;
	struct store *store;
};

static int setup(void **state)
{
	static struct rows rows;
	fixture_make(&rows.fixture);
	rows.store = fixture_open(&rows.fixture);
	fixture_exec(&rows.fixture,
		"INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly)"
		" VALUES ('good', 'Good', 1, 2);"
		"INSERT INTO subscription_package_metadata (package_slug, key, value)"
		" VALUES ('good', 'tagline', 'x');"
		"INSERT INTO subscription_features (package_slug, feature_id, name)"
		" VALUES ('good', 'sso', 'SSO');",
		false);
	*state = &rows;
	return 0;
}

static int teardown(void **state)
{
	struct rows *rows = *state;
	store_destroy(rows->store);
	fixture_remove(&rows->fixture);
	return 0;
}

static struct store_op *read_catalogue(struct rows *rows)
{
	struct store_op *op = fixture_op(STORE_CATALOGUE_READ);
	struct td_err err = TD_ERR_INIT;
	op->in.parts = STORE_PACKAGES | STORE_CONTENT;
	if (store_call(rows->store, &op, &err) != TD_OK)
		fail_msg("%s", err.text);
	return op;
}

static void check_only_good_is_served(const struct store_op *op)
{
	assert_int_equal(op->out.catalogue.package_count, 1);
	assert_true(td_slice_is(op->out.catalogue.packages[0].slug, "good"));
	assert_int_equal(op->out.catalogue.metadata_count, 1);
	assert_int_equal(op->out.catalogue.feature_count, 1);
}

static const struct bad_case {
	const char *sql, *table, *key, *why;
} bad_cases[] = {
	{"INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly)"
	 " VALUES ('bad', 'B', -1, 2)",
		"subscription_packages", "bad", "price_monthly is negative"},
	{"INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly)"
	 " VALUES ('bad', 'B', 1, 1000000000000)",
		"subscription_packages", "bad", "price_yearly is too large"},
	{"INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly, currency)"
	 " VALUES ('bad', 'B', 1, 2, 'JPY')",
		"subscription_packages", "bad",
		"currency is not a currency with two decimal places"},
	{"INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly, currency)"
	 " VALUES ('bad', 'B', 1, 2, 'dollars')",
		"subscription_packages", "bad", "currency is not"},
	{"INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly)"
	 " VALUES ('bad', CAST(x'ff41' AS TEXT), 1, 2)",
		"subscription_packages", "bad", "name is not UTF-8"},
	{"INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly, description)"
	 " VALUES ('bad', 'B', 1, 2, CAST(x'410042' AS TEXT))",
		"subscription_packages", "bad", "description holds a NUL byte"},
	{"INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly)"
	 " VALUES ('bad', '', 1, 2)",
		"subscription_packages", "bad", "name is empty"},
	{"INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly)"
	 " VALUES ('b/d', 'B', 1, 2)",
		"subscription_packages", "b/d", "slug has characters"},
	{"INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly)"
	 " VALUES (CAST(x'62ff' AS TEXT), 'B', 1, 2)",
		"subscription_packages", "b?", "slug is not UTF-8"},
	{"INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly, is_active)"
	 " VALUES ('bad', 'B', 1, 2, 7)",
		"subscription_packages", "bad", "is_active is too large"},
	{"INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly,"
	 " rate_limit_per_hour) VALUES ('bad', 'B', 1, 2, -5)",
		"subscription_packages", "bad", "rate_limit_per_hour is negative"},
	{"INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly, updated_at)"
	 " VALUES ('bad', 'B', 1, 2, 'yesterday')",
		"subscription_packages", "bad", "updated_at is not a time"},
	{"INSERT INTO subscription_package_metadata (package_slug, key, value)"
	 " VALUES ('good', 'k', CAST(x'c328' AS TEXT))",
		"subscription_package_metadata", "good/k", "value is not UTF-8"},
	{"INSERT INTO subscription_package_metadata (package_slug, key, value)"
	 " VALUES ('good', '', 'x')",
		"subscription_package_metadata", "good/", "key is empty"},
	{"INSERT INTO subscription_features (package_slug, feature_id, name, included)"
	 " VALUES ('good', 'f', 'F', 2)",
		"subscription_features", "good/f", "included is too large"},
	{"INSERT INTO subscription_features (package_slug, feature_id, name, icon)"
	 " VALUES ('good', 'f', 'F', CAST(x'80' AS TEXT))",
		"subscription_features", "good/f", "icon is not UTF-8"},
};

/* Each kind of nonsense, forced in past the CHECKs. */
static void test_rows_outside_the_rules_are_left_out_and_named(void **state)
{
	struct rows *rows = *state;
	for (size_t i = 0; i < TD_ARRAY_LEN(bad_cases); i++) {
		const struct bad_case *c = &bad_cases[i];
		char undo[256];
		fixture_exec(&rows->fixture, c->sql, true);
		struct store_op *op = read_catalogue(rows);
		check_only_good_is_served(op);
		assert_int_equal(op->out.bad_row_count, 1);
		assert_true(td_slice_is(op->out.bad_rows[0].table, c->table));
		if (!td_slice_is(op->out.bad_rows[0].key, c->key))
			fail_msg("%s: key %.*s", c->sql, TD_SLICE_ARG(op->out.bad_rows[0].key));
		if (!td_slice_has_prefix(op->out.bad_rows[0].why, c->why))
			fail_msg("%s: %.*s", c->sql, TD_SLICE_ARG(op->out.bad_rows[0].why));
		store_op_free(op);
		(void)snprintf(undo, sizeof(undo),
			"DELETE FROM %s WHERE rowid IN"
			" (SELECT max(rowid) FROM %s)",
			c->table, c->table);
		if (strcmp(c->table, "subscription_packages") != 0)
			(void)snprintf(undo, sizeof(undo), "DELETE FROM %s WHERE NOT (%s)",
				c->table,
				strcmp(c->table, "subscription_features") == 0
					? "feature_id = 'sso'"
					: "key = 'tagline'");
		fixture_exec(&rows->fixture, undo, true);
	}
}

/* The CHECKs keep most nonsense out in the first place. */
static void test_rows_checks_refuse_nonsense(void **state)
{
	struct rows *rows = *state;
	sqlite3 *db = NULL;
	static const char *const statements[] = {
		"UPDATE subscription_packages SET price_monthly = -1",
		"UPDATE subscription_packages SET price_monthly = 29.99",
		"UPDATE subscription_packages SET price_monthly = 'much'",
		"UPDATE subscription_packages SET currency = 'usd'",
		"UPDATE subscription_packages SET slug = 'a/b'",
		"UPDATE subscription_packages SET is_active = 2",
		"UPDATE subscription_packages SET name = ''",
		"UPDATE subscription_packages SET name = NULL",
		"INSERT INTO users (id, email, first_name, last_name) VALUES ('a b', 'a@b', 'A', "
		"'B')",
		"INSERT INTO users (id, email, first_name, last_name) VALUES ('..', 'a@b', 'A', "
		"'B')",
		"INSERT INTO users (id, email, first_name, last_name) VALUES ('a', 'a', 'A', 'B')",
	};
	assert_int_equal(sqlite3_open(rows->fixture.path, &db), SQLITE_OK);
	for (size_t i = 0; i < TD_ARRAY_LEN(statements); i++) {
		if (sqlite3_exec(db, statements[i], NULL, NULL, NULL) == SQLITE_OK)
			fail_msg("%s was accepted", statements[i]);
	}
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Times as people write them are times. */
static void test_rows_times_may_be_text(void **state)
{
	struct rows *rows = *state;
	fixture_exec(&rows->fixture,
		"UPDATE subscription_packages SET created_at = '2027-01-15 08:00:00',"
		" updated_at = '2027-01-15T09:00:00+01:00'",
		false);
	struct store_op *op = read_catalogue(rows);
	check_only_good_is_served(op);
	assert_int_equal(op->out.catalogue.packages[0].created_at, FIXTURE_NOW);
	assert_int_equal(op->out.catalogue.packages[0].updated_at, FIXTURE_NOW);
	store_op_free(op);
}

/* Very many bad rows are told of, but not without end. */
static void test_rows_bad_ones_are_told_up_to_a_limit(void **state)
{
	struct rows *rows = *state;
	fixture_exec(&rows->fixture,
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
		" INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly)"
		" SELECT 'bad' || i, 'B', -1, 2 FROM n",
		true);
	struct store_op *op = read_catalogue(rows);
	check_only_good_is_served(op);
	assert_int_equal(op->out.bad_row_count, 100);
	store_op_free(op);
}

/* A user that another client wrote is found like ours. */
static void test_rows_user_of_another_client_is_served(void **state)
{
	struct rows *rows = *state;
	fixture_exec(&rows->fixture,
		"INSERT INTO users (id, email, first_name, last_name)"
		" VALUES ('u1', 'Ada@example.org', 'Ada', 'L')",
		false);
	struct store_op *op = fixture_op(STORE_USER_BY_EMAIL);
	op->in.user.email = TD_SLICE("ada@EXAMPLE.org");
	assert_int_equal(store_call(rows->store, &op, NULL), TD_OK);
	assert_true(td_slice_is(op->out.user.id, "u1"));
	assert_true(op->out.user.created_at > INT64_C(1577836800000));
	store_op_free(op);
}

#define WITH_ROWS(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROWS(test_rows_outside_the_rules_are_left_out_and_named),
		WITH_ROWS(test_rows_checks_refuse_nonsense),
		WITH_ROWS(test_rows_times_may_be_text),
		WITH_ROWS(test_rows_bad_ones_are_told_up_to_a_limit),
		WITH_ROWS(test_rows_user_of_another_client_is_served),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
