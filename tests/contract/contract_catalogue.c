#include "contract.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static struct store_package packages[] = {
	{.id = {"11111111-1111-7111-8111-111111111111", 36},
		.slug = {"pro", 3},
		.name = {"Pro \xE2\x82\xAC", 7},
		.description = {"", 0},
		.currency = {"USD", 3},
		.price_monthly = 2999,
		.price_yearly = INT64_C(999999999999),
		.rate_limit_per_hour = 100,
		.rate_limit_per_day = 2000,
		.display_order = 2,
		.is_active = true},
	{.id = {"22222222-2222-7222-8222-222222222222", 36},
		.slug = {"free", 4},
		.name = {"Free", 4},
		.description = {"For a start", 11},
		.currency = {"EUR", 3},
		.display_order = 1,
		.is_active = false},
};

static struct store_metadata metadata[] = {
	{.package_slug = {"pro", 3}, .key = {"tagline", 7}, .value = {"Fast", 4}},
	{.package_slug = {"free", 4}, .key = {"tagline.es", 10}, .value = {"R\xC3\xA1pido", 7}},
	{.package_slug = {"free", 4}, .key = {"highlight", 9}, .value = {"", 0}},
};

static struct store_feature features[] = {
	{.package_slug = {"pro", 3},
		.feature_id = {"sso", 3},
		.name = {"SSO", 3},
		.description = {"d", 1},
		.icon = {"key", 3},
		.category = {"access", 6},
		.included = true,
		.display_order = 2},
	{.package_slug = {"pro", 3},
		.feature_id = {"api", 3},
		.name = {"API", 3},
		.included = false,
		.display_order = 1},
};

static const struct store_catalogue sample = {packages, 2, metadata, 3, features, 2};

static struct store_op *populate(const struct store_catalogue *catalogue)
{
	struct store_op *op = contract_op(STORE_CATALOGUE_POPULATE);
	op->in.catalogue = catalogue;
	return op;
}

static struct store_op *read_all(struct contract *c)
{
	struct store_op *op = contract_op(STORE_CATALOGUE_READ);
	op->in.parts = STORE_PACKAGES | STORE_CONTENT;
	return contract_call(c->store, op, TD_OK);
}

static struct store_op *apply(const struct store_change *changes, size_t count)
{
	struct store_op *op = contract_op(STORE_CATALOGUE_APPLY);
	op->in.changes = changes;
	op->in.change_count = count;
	return op;
}

/* What was populated comes back whole and in order. */
static void test_catalogue_comes_back_in_order(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, populate(&sample), TD_OK);
	struct store_op *op = read_all(c);
	const struct store_catalogue *got = &op->out.catalogue;
	assert_int_equal(got->package_count, 2);
	assert_true(td_slice_is(got->packages[0].slug, "free"));
	assert_true(td_slice_is(got->packages[0].currency, "EUR"));
	assert_false(got->packages[0].is_active);
	assert_true(td_slice_is(got->packages[1].id, "11111111-1111-7111-8111-111111111111"));
	assert_true(td_slice_is(got->packages[1].name, "Pro \xE2\x82\xAC"));
	assert_int_equal(got->packages[1].price_monthly, 2999);
	assert_int_equal(got->packages[1].price_yearly, INT64_C(999999999999));
	assert_int_equal(got->packages[1].rate_limit_per_day, 2000);
	assert_int_equal(got->packages[1].created_at, CONTRACT_NOW);
	assert_int_equal(got->metadata_count, 3);
	assert_true(td_slice_is(got->metadata[0].key, "highlight"));
	assert_true(td_slice_is(got->metadata[1].value, "R\xC3\xA1pido"));
	assert_true(td_slice_is(got->metadata[2].package_slug, "pro"));
	assert_int_equal(got->feature_count, 2);
	assert_true(td_slice_is(got->features[0].feature_id, "api"));
	assert_false(got->features[0].included);
	assert_true(td_slice_is(got->features[1].icon, "key"));
	assert_true(got->features[1].included);
	assert_int_equal(op->out.bad_row_count, 0);
	store_op_free(op);
}

static void test_catalogue_parts_are_read_apart(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, populate(&sample), TD_OK);
	struct store_op *op = contract_op(STORE_CATALOGUE_READ);
	op->in.parts = STORE_PACKAGES;
	op = contract_call(c->store, op, TD_OK);
	assert_int_equal(op->out.catalogue.package_count, 2);
	assert_int_equal(op->out.catalogue.metadata_count, 0);
	store_op_free(op);
	op = contract_op(STORE_CATALOGUE_READ);
	op->in.parts = STORE_CONTENT;
	op = contract_call(c->store, op, TD_OK);
	assert_int_equal(op->out.catalogue.package_count, 0);
	assert_int_equal(op->out.catalogue.feature_count, 2);
	store_op_free(op);
}

/* What is there is never populated over. */
static void test_catalogue_populates_only_into_empty(void **state)
{
	struct contract *c = *state;
	const struct store_catalogue one = {&packages[1], 1, NULL, 0, NULL, 0};
	contract_expect(c->store, populate(&one), TD_OK);
	struct store_op *op = contract_call(c->store, populate(&sample), TD_EXISTS);
	assert_int_equal(op->out.existing, 1);
	store_op_free(op);
	op = read_all(c);
	assert_int_equal(op->out.catalogue.package_count, 1);
	assert_int_equal(op->out.catalogue.metadata_count, 0);
	store_op_free(op);
}

/* Eight at once over two handles: one populates, the others find it done. */
static void test_catalogue_populates_once(void **state)
{
	struct contract *c = *state;
	struct store *other = contract_open(c, false);
	struct contract_crowd *crowd = crowd_new(8);
	for (int i = 0; i < 8; i++)
		crowd_submit(crowd, i % 2 ? other : c->store, populate(&sample));
	assert_true(crowd_wait(crowd, 10000));
	assert_int_equal(crowd_count(crowd, TD_OK), 1);
	assert_int_equal(crowd_count(crowd, TD_EXISTS), 7);
	crowd_free(crowd);
	contract_close(c, other);
}

/* Rows without identifier or time get them from the store and the operation. */
static void test_catalogue_fills_in_id_and_times(void **state)
{
	struct contract *c = *state;
	struct store_package bare = packages[0];
	bare.id = (struct td_slice){NULL, 0};
	const struct store_catalogue one = {&bare, 1, NULL, 0, NULL, 0};
	contract_expect(c->store, populate(&one), TD_OK);
	struct store_op *op = read_all(c);
	assert_int_equal(op->out.catalogue.packages[0].id.len, 36);
	assert_int_equal(op->out.catalogue.packages[0].updated_at, CONTRACT_NOW);
	store_op_free(op);
}

/* Changes run in their order; a package keeps its id and creation. */
static void test_catalogue_apply_puts_and_deletes(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, populate(&sample), TD_OK);
	struct store_change changes[] = {
		{.kind = STORE_PUT_PACKAGE, .package = packages[0]},
		{.kind = STORE_PUT_METADATA, .metadata = metadata[0]},
		{.kind = STORE_PUT_FEATURE, .feature = features[1]},
		{.kind = STORE_DELETE_METADATA, .metadata = metadata[1]},
		{.kind = STORE_DELETE_METADATA, .metadata = metadata[1]},
		{.kind = STORE_DELETE_FEATURE, .feature = features[0]},
	};
	changes[0].package.id = TD_SLICE("33333333-3333-7333-8333-333333333333");
	changes[0].package.price_monthly = 3999;
	changes[1].metadata.value = TD_SLICE("Faster");
	changes[2].feature.included = true;
	struct store_op *op = apply(changes, TD_ARRAY_LEN(changes));
	op->now_ms += 1000;
	contract_expect(c->store, op, TD_OK);
	op = read_all(c);
	const struct store_catalogue *got = &op->out.catalogue;
	assert_true(td_slice_is(got->packages[1].id, "11111111-1111-7111-8111-111111111111"));
	assert_int_equal(got->packages[1].price_monthly, 3999);
	assert_int_equal(got->packages[1].created_at, CONTRACT_NOW);
	assert_int_equal(got->packages[1].updated_at, CONTRACT_NOW + 1000);
	assert_int_equal(got->metadata_count, 2);
	assert_true(td_slice_is(got->metadata[1].value, "Faster"));
	assert_int_equal(got->feature_count, 1);
	assert_true(got->features[0].included);
	store_op_free(op);
}

/* One change that cannot be: none of them is made. */
static void test_catalogue_apply_is_all_or_none(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, populate(&sample), TD_OK);
	struct store_change changes[] = {
		{.kind = STORE_PUT_METADATA, .metadata = metadata[0]},
		{.kind = STORE_PUT_PACKAGE, .package = packages[0]},
	};
	changes[0].metadata.value = TD_SLICE("Faster");
	changes[1].package.price_monthly = -1;
	struct store_op *op = apply(changes, TD_ARRAY_LEN(changes));
	struct td_err err = TD_ERR_INIT;
	assert_int_not_equal(store_call(c->store, &op, &err), TD_OK);
	assert_true(err.text[0] != '\0');
	store_op_free(op);
	op = read_all(c);
	assert_true(td_slice_is(op->out.catalogue.metadata[2].value, "Fast"));
	store_op_free(op);
}

/* What can be a segment of a path can be a slug, and nothing else. */
static void test_catalogue_slugs_are_segments_of_a_path(void **state)
{
	struct contract *c = *state;
	static const char *const good[] = {"a", "Pro-2", "pro_2.x~Y", "..."};
	static const char *const bad[] = {"", ".", "..", "a/b", "a b", "\xC3\xA4", "a\n"};
	struct store_change change = {.kind = STORE_PUT_PACKAGE, .package = packages[0]};
	change.package.id = (struct td_slice){NULL, 0};
	for (size_t i = 0; i < TD_ARRAY_LEN(good); i++) {
		change.package.slug = td_slice_str(good[i]);
		contract_expect(c->store, apply(&change, 1), TD_OK);
	}
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++) {
		change.package.slug = td_slice_str(bad[i]);
		struct store_op *op = apply(&change, 1);
		assert_int_not_equal(store_call(c->store, &op, NULL), TD_OK);
		store_op_free(op);
	}
	struct store_op *op = read_all(c);
	assert_int_equal(op->out.catalogue.package_count, TD_ARRAY_LEN(good));
	assert_int_equal(op->out.bad_row_count, 0);
	store_op_free(op);
}

/* ---- being told of changes */

static void note_change(void *ctx)
{
	_Atomic unsigned *count = ctx;
	atomic_fetch_add(count, 1);
}

static bool was_told(void *ctx)
{
	_Atomic unsigned *count = ctx;
	return atomic_load(count) != 0;
}

/* A change by this handle, by another one and by another client: each is told within a second. */
static void test_catalogue_changes_are_told(void **state)
{
	struct contract *c = *state;
	static _Atomic unsigned told;
	struct store *other = contract_open(c, false);
	struct store_change change = {.kind = STORE_PUT_METADATA, .metadata = metadata[0]};
	store_set_changed(c->store, note_change, &told);
	contract_expect(c->store, populate(&sample), TD_OK);
	assert_true(contract_poll(was_told, &told, 1000));
	atomic_store(&told, 0);
	contract_expect(other, apply(&change, 1), TD_OK);
	assert_true(contract_poll(was_told, &told, 1000));
	atomic_store(&told, 0);
	c->factory->exec(
		c->db, "UPDATE subscription_packages SET price_monthly = 4999 WHERE slug = 'pro'");
	assert_true(contract_poll(was_told, &told, 1000));
	store_set_changed(c->store, NULL, NULL);
	contract_close(c, other);
}

static _Atomic bool slow_entered, slow_left;

static void be_slow(void *ctx)
{
	(void)ctx;
	atomic_store(&slow_entered, true);
	(void)poll(NULL, 0, 100);
	atomic_store(&slow_left, true);
}

static bool has_entered(void *ctx)
{
	(void)ctx;
	return atomic_load(&slow_entered);
}

/* Who takes its function away may free what the function uses: it does not run any more then. */
static void test_catalogue_no_call_after_it_was_unset(void **state)
{
	struct contract *c = *state;
	struct store_change change = {.kind = STORE_PUT_METADATA, .metadata = metadata[0]};
	atomic_store(&slow_entered, false);
	atomic_store(&slow_left, false);
	store_set_changed(c->store, be_slow, NULL);
	contract_expect(c->store, apply(&change, 1), TD_OK);
	assert_true(contract_poll(has_entered, NULL, 2000));
	store_set_changed(c->store, NULL, NULL);
	assert_true(atomic_load(&slow_left));
}

/* Users are written all the time, here for several rounds of the watch: that is no change of the
 * catalogue. */
static void test_catalogue_users_are_no_change(void **state)
{
	struct contract *c = *state;
	static _Atomic unsigned told;
	struct store_change change = {.kind = STORE_PUT_METADATA, .metadata = metadata[0]};
	struct store *other = contract_open(c, false);
	store_set_changed(c->store, note_change, &told);
	uint64_t until = td_clock_mono_ms(&td_clock_system) + 500;
	for (int64_t i = 1; td_clock_mono_ms(&td_clock_system) < until; i++) {
		struct store_op *op = contract_put_user("u1", "ada@example.org");
		op->in.user.company = i % 2 ? TD_SLICE("One") : TD_SLICE("Two");
		contract_expect(i % 4 < 2 ? c->store : other, op, TD_OK);
	}
	assert_int_equal(atomic_load(&told), 0);
	contract_expect(other, apply(&change, 1), TD_OK);
	assert_true(contract_poll(was_told, &told, 1000));
	assert_int_equal(atomic_load(&told), 1);
	store_set_changed(c->store, NULL, NULL);
	contract_close(c, other);
}

/* Changes are told under a load of reads, too. */
static void test_catalogue_changes_are_told_under_load(void **state)
{
	struct contract *c = *state;
	static _Atomic unsigned told;
	store_set_changed(c->store, note_change, &told);
	contract_expect(c->store, populate(&sample), TD_OK);
	atomic_store(&told, 0);
	c->factory->exec(c->db, "UPDATE subscription_packages SET name = 'X' WHERE slug = 'pro'");
	uint64_t until = td_clock_mono_ms(&td_clock_system) + 1000;
	while (atomic_load(&told) == 0) {
		struct store_op *op = contract_op(STORE_USER_GET);
		op->in.user.id = TD_SLICE("nobody");
		contract_expect(c->store, op, TD_NOTFOUND);
		assert_true(td_clock_mono_ms(&td_clock_system) < until);
	}
	store_set_changed(c->store, NULL, NULL);
}

/* ---- other clients */

/* The fewest columns that another client must give; the rest has defaults. */
static void test_catalogue_row_of_another_client_is_served(void **state)
{
	struct contract *c = *state;
	char sql[160];
	(void)snprintf(sql, sizeof(sql),
		"INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly)"
		" VALUES ('team', 'Team', %s, %s)",
		c->factory->price, c->factory->price);
	c->factory->exec(c->db, sql);
	c->factory->exec(c->db,
		"INSERT INTO subscription_package_metadata (package_slug, key, value)"
		" VALUES ('team', 'tagline', 'Together')");
	c->factory->exec(c->db, "INSERT INTO subscription_features (package_slug, feature_id, name)"
				" VALUES ('team', 'sso', 'SSO')");
	struct store_op *op = read_all(c);
	const struct store_catalogue *got = &op->out.catalogue;
	assert_int_equal(op->out.bad_row_count, 0);
	assert_int_equal(got->package_count, 1);
	assert_true(td_slice_is(got->packages[0].currency, "USD"));
	assert_int_equal(got->packages[0].price_monthly, 4999);
	assert_true(got->packages[0].is_active);
	assert_int_equal(got->packages[0].id.len, 36);
	assert_true(got->packages[0].created_at > INT64_C(1577836800000));
	assert_true(got->features[0].included);
	store_op_free(op);
}

int contract_run_catalogue(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_catalogue_comes_back_in_order),
		CONTRACT_TEST(test_catalogue_parts_are_read_apart),
		CONTRACT_TEST(test_catalogue_populates_only_into_empty),
		CONTRACT_TEST(test_catalogue_populates_once),
		CONTRACT_TEST(test_catalogue_fills_in_id_and_times),
		CONTRACT_TEST(test_catalogue_apply_puts_and_deletes),
		CONTRACT_TEST(test_catalogue_apply_is_all_or_none),
		CONTRACT_TEST(test_catalogue_slugs_are_segments_of_a_path),
		CONTRACT_TEST(test_catalogue_changes_are_told),
		CONTRACT_TEST(test_catalogue_no_call_after_it_was_unset),
		CONTRACT_TEST(test_catalogue_users_are_no_change),
		CONTRACT_TEST(test_catalogue_changes_are_told_under_load),
		CONTRACT_TEST(test_catalogue_row_of_another_client_is_served),
	};
	return cmocka_run_group_tests_name("catalogue", tests, NULL, NULL);
}
