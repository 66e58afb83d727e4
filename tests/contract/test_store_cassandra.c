/* The content part of the contract suite against Cassandra, and what only this store has. */
#include "cassandra_db.h"

#include "store/cassandra/store_cassandra.h"

#include <sodium.h>
#include <string.h>

#define METADATA "contract.subscription_package_metadata"
#define FEATURES "contract.subscription_features"

static struct store_op *read_content(
	struct store *store, const struct td_slice *slugs, size_t count)
{
	struct store_op *op = contract_op(STORE_CATALOGUE_READ);
	op->in.parts = STORE_CONTENT;
	op->in.slugs = slugs;
	op->in.slug_count = count;
	return contract_call(store, op, TD_OK);
}

/* Columns that another client leaves out are as elsewhere where they are left out. */
static void test_cassandra_row_of_another_client_is_served(void **state)
{
	struct contract *c = *state;
	cassdb_exec(c->db, "INSERT INTO " FEATURES
			   " (package_slug, feature_id, name) VALUES ('pro', 'x', 'X')");
	cassdb_exec(c->db,
		"INSERT INTO " METADATA " (package_slug, key, value) VALUES ('pro', 'k', 'v')");
	struct store_op *op = read_content(c->store, NULL, 0);
	assert_int_equal(op->out.bad_row_count, 0);
	assert_int_equal(op->out.catalogue.metadata_count, 1);
	assert_int_equal(op->out.catalogue.feature_count, 1);
	const struct store_feature *f = &op->out.catalogue.features[0];
	assert_true(f->included);
	assert_int_equal(f->display_order, 0);
	assert_non_null(f->description.ptr);
	assert_int_equal(f->description.len, 0);
	store_op_free(op);
}

/* A row outside the rules is left out and named; the rest is served. */
static void test_cassandra_row_outside_the_rules_is_left_out(void **state)
{
	struct contract *c = *state;
	static const char *const statements[] = {
		"INSERT INTO " METADATA " (package_slug, key, value) VALUES ('good', 'k', 'v')",
		"INSERT INTO " METADATA " (package_slug, key) VALUES ('no-value', 'k')",
		"INSERT INTO " METADATA " (package_slug, key, value) VALUES ('a b', 'k', 'v')",
		"INSERT INTO " METADATA " (package_slug, key, value) VALUES ('good', '', 'v')",
		"INSERT INTO " METADATA " (package_slug, key, value, updated_at) VALUES "
		"('good', 'late', 'v', '-2000-01-01')",
		"INSERT INTO " FEATURES " (package_slug, feature_id) VALUES ('good', 'no-name')",
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(statements); i++)
		cassdb_exec(c->db, statements[i]);
	struct store_op *op = read_content(c->store, NULL, 0);
	assert_int_equal(op->out.catalogue.metadata_count, 1);
	assert_int_equal(op->out.catalogue.feature_count, 0);
	assert_int_equal(op->out.bad_row_count, 5);
	for (size_t i = 0; i < op->out.bad_row_count; i++) {
		const struct store_bad_row *row = &op->out.bad_rows[i];
		assert_true(row->why.len > 0);
		if (td_slice_is(row->key, "no-value/k"))
			assert_true(td_slice_is(row->why, "value is null"));
	}
	store_op_free(op);
}

/* Where the packages are given nothing else is read, and each once. */
static void test_cassandra_reads_the_packages_that_are_asked_for(void **state)
{
	struct contract *c = *state;
	const struct td_slice slugs[] = {
		TD_SLICE("pro"), TD_SLICE("free"), TD_SLICE("pro"), TD_SLICE("nothing")};
	cassdb_exec(c->db,
		"INSERT INTO " METADATA " (package_slug, key, value) VALUES ('pro', 'k', 'v')");
	cassdb_exec(c->db,
		"INSERT INTO " METADATA " (package_slug, key, value) VALUES ('free', 'k', 'v')");
	cassdb_exec(c->db,
		"INSERT INTO " METADATA " (package_slug, key, value) VALUES ('other', 'k', 'v')");
	struct store_op *op = read_content(c->store, slugs, TD_ARRAY_LEN(slugs));
	assert_int_equal(op->out.catalogue.metadata_count, 2);
	assert_true(td_slice_is(op->out.catalogue.metadata[0].package_slug, "free"));
	store_op_free(op);
	op = read_content(c->store, slugs, 0);
	assert_int_equal(op->out.catalogue.metadata_count, 0);
	store_op_free(op);
}

static void test_cassandra_keeps_no_packages(void **state)
{
	struct contract *c = *state;
	struct store_change change = {.kind = STORE_PUT_PACKAGE};
	struct store_op *op = contract_op(STORE_CATALOGUE_APPLY);
	op->in.changes = &change;
	op->in.change_count = 1;
	contract_expect(c->store, op, TD_INVALID);
	op = contract_op(STORE_USER_GET);
	op->in.user.id = TD_SLICE("u");
	contract_expect(c->store, op, TD_INTERNAL);
}

/* The lock of somebody else: population says who, in time. */
static void test_cassandra_population_waits_for_the_lock(void **state)
{
	struct contract *c = *state;
	static const struct store_catalogue nothing;
	cassdb_exec(c->db, "INSERT INTO contract.schema_lock (name, owner, holder)"
			   " VALUES ('schema', 'x', 'somebody') IF NOT EXISTS USING TTL 60");
	struct store_op *op = contract_op(STORE_CATALOGUE_POPULATE);
	op->in.catalogue = &nothing;
	op->deadline_ms = td_clock_mono_ms(&td_clock_system) + 3000;
	op = contract_call(c->store, op, TD_UNAVAILABLE);
	assert_non_null(strstr(op->err.text, "somebody"));
	store_op_free(op);
	cassdb_exec(c->db, "DELETE FROM contract.schema_lock WHERE name = 'schema' IF owner = 'x'");
	op = contract_op(STORE_CATALOGUE_POPULATE);
	op->in.catalogue = &nothing;
	contract_expect(c->store, op, TD_OK);
}

static enum td_status migrate(struct store *store, struct td_err *err)
{
	const struct store_cassandra_migration migration = {.schema_dir = NULL};
	return store_cassandra_migrate(store, &migration, err);
}

/* Migrated before: nothing is pending, and doing it again does nothing. */
static void test_cassandra_plan_says_what_is_pending(void **state)
{
	struct contract *c = *state;
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	struct migrate_plan plan;
	assert_int_equal(migrate(c->store, &err), TD_OK);
	assert_int_equal(store_cassandra_plan(c->store, NULL, &arena, &plan, &err), TD_OK);
	assert_int_equal(plan.applied, 1);
	assert_int_equal(plan.pending, 0);
	assert_true(plan.rows[0].applied_at > INT64_C(1577836800000));
	cassdb_exec(c->db, "DELETE FROM contract.schema_migrations WHERE scope = 'schema'");
	assert_int_equal(store_cassandra_plan(c->store, NULL, &arena, &plan, &err), TD_OK);
	assert_int_equal(plan.pending, 1);
	assert_int_equal(migrate(c->store, &err), TD_OK);
	td_arena_done(&arena);
}

/* One node has all: nothing is weak. */
static void test_cassandra_replication_fits_one_node(void **state)
{
	struct contract *c = *state;
	struct store_cassandra_weakness w = {.better = 7};
	assert_int_equal(store_cassandra_inspect(c->store, &w, NULL), TD_OK);
	assert_int_equal(w.better, 0);
	assert_int_equal(w.factor, 1);
	assert_string_equal(w.local_dc, "datacenter1");
}

static int run_own(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_cassandra_row_of_another_client_is_served),
		CONTRACT_TEST(test_cassandra_row_outside_the_rules_is_left_out),
		CONTRACT_TEST(test_cassandra_reads_the_packages_that_are_asked_for),
		CONTRACT_TEST(test_cassandra_keeps_no_packages),
		CONTRACT_TEST(test_cassandra_population_waits_for_the_lock),
		CONTRACT_TEST(test_cassandra_plan_says_what_is_pending),
		CONTRACT_TEST(test_cassandra_replication_fits_one_node),
	};
	return cmocka_run_group_tests_name("cassandra", tests, NULL, NULL);
}

int main(void)
{
	if (sodium_init() < 0 || !cassdb_start())
		return 1;
	contract_factory = &cassdb_factory;
	int failed = contract_run_content() + run_own() + cassdb_run_events();
	cassdb_stop();
	return failed;
}
