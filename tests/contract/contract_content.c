/* Content, which a store may keep without packages: what all of them do the same. */
#include "contract.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static struct store_metadata metadata[] = {
	{.package_slug = {"pro", 3}, .key = {"tagline", 7}, .value = {"Fast", 4}},
	{.package_slug = {"free", 4}, .key = {"tagline.es", 10}, .value = {"R\xC3\xA1pido", 7}},
	{.package_slug = {"free", 4}, .key = {"highlight", 9}, .value = {"", 0}},
};

static struct store_feature features[] = {
	{.package_slug = {"pro", 3},
		.feature_id = {"sso", 3},
		.name = {"SSO \xE2\x82\xAC", 7},
		.description = {"d", 1},
		.icon = {"key", 3},
		.category = {"access", 6},
		.included = true,
		.display_order = 2},
	{.package_slug = {"pro", 3},
		.feature_id = {"api", 3},
		.name = {"API", 3},
		.included = false,
		.display_order = INT64_C(-9000000000)},
	{.package_slug = {"pro", 3},
		.feature_id = {"aaa", 3},
		.name = {"A", 1},
		.display_order = 2},
};

static const struct store_catalogue sample = {NULL, 0, metadata, 3, features, 3};

static struct store_op *populate(const struct store_catalogue *catalogue)
{
	struct store_op *op = contract_op(STORE_CATALOGUE_POPULATE);
	op->in.catalogue = catalogue;
	return op;
}

static struct store_op *read_content(struct store *store)
{
	struct store_op *op = contract_op(STORE_CATALOGUE_READ);
	op->in.parts = STORE_CONTENT;
	return contract_call(store, op, TD_OK);
}

static struct store_op *apply(const struct store_change *changes, size_t count)
{
	struct store_op *op = contract_op(STORE_CATALOGUE_APPLY);
	op->in.changes = changes;
	op->in.change_count = count;
	return op;
}

/* Whole, by package, then by key, or by place and identifier. */
static void test_content_comes_back_in_order(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, populate(&sample), TD_OK);
	struct store_op *op = read_content(c->store);
	const struct store_catalogue *got = &op->out.catalogue;
	assert_int_equal(got->package_count, 0);
	assert_int_equal(got->metadata_count, 3);
	assert_true(td_slice_is(got->metadata[0].package_slug, "free"));
	assert_true(td_slice_is(got->metadata[0].key, "highlight"));
	assert_int_equal(got->metadata[0].value.len, 0);
	assert_int_equal(got->metadata[0].updated_at, CONTRACT_NOW);
	assert_true(td_slice_is(got->metadata[1].value, "R\xC3\xA1pido"));
	assert_true(td_slice_is(got->metadata[2].package_slug, "pro"));
	assert_int_equal(got->feature_count, 3);
	assert_true(td_slice_is(got->features[0].feature_id, "api"));
	assert_int_equal(got->features[0].display_order, INT64_C(-9000000000));
	assert_false(got->features[0].included);
	assert_true(td_slice_is(got->features[1].feature_id, "aaa"));
	assert_true(td_slice_is(got->features[2].name, "SSO \xE2\x82\xAC"));
	assert_true(td_slice_is(got->features[2].description, "d"));
	assert_true(td_slice_is(got->features[2].icon, "key"));
	assert_true(td_slice_is(got->features[2].category, "access"));
	assert_true(got->features[2].included);
	assert_int_equal(got->features[2].updated_at, CONTRACT_NOW);
	assert_int_equal(op->out.bad_row_count, 0);
	store_op_free(op);
}

static void test_content_of_an_empty_store_is_empty(void **state)
{
	struct contract *c = *state;
	struct store_op *op = read_content(c->store);
	assert_int_equal(op->out.catalogue.metadata_count, 0);
	assert_int_equal(op->out.catalogue.feature_count, 0);
	store_op_free(op);
}

/* What is there is never populated over, and eight at once do it once. */
static void test_content_is_populated_once(void **state)
{
	struct contract *c = *state;
	struct store *other = contract_open(c, false);
	struct contract_crowd *crowd = crowd_new(8);
	for (int i = 0; i < 8; i++)
		crowd_submit(crowd, i % 2 ? other : c->store, populate(&sample));
	assert_true(crowd_wait(crowd, 20000));
	assert_int_equal(crowd_count(crowd, TD_OK), 1);
	assert_int_equal(crowd_count(crowd, TD_EXISTS), 7);
	crowd_free(crowd);
	struct store_op *op = read_content(other);
	assert_int_equal(op->out.catalogue.metadata_count, 3);
	store_op_free(op);
	contract_close(c, other);
}

static void test_content_that_was_deleted_is_not_populated_again(void **state)
{
	struct contract *c = *state;
	struct store_change changes[] = {
		{.kind = STORE_DELETE_METADATA, .metadata = metadata[0]},
		{.kind = STORE_PUT_FEATURE, .feature = features[1]},
	};
	changes[1].feature.name = TD_SLICE("Ours");
	contract_expect(c->store, populate(&sample), TD_OK);
	contract_expect(c->store, apply(changes, TD_ARRAY_LEN(changes)), TD_OK);
	contract_expect(c->store, populate(&sample), TD_EXISTS);
	struct store_op *op = read_content(c->store);
	assert_int_equal(op->out.catalogue.metadata_count, 2);
	assert_true(td_slice_is(op->out.catalogue.features[0].name, "Ours"));
	store_op_free(op);
}

/* One by one and several at once; what is not there may be deleted. */
static void test_content_is_put_and_deleted(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, populate(&sample), TD_OK);
	struct store_change changes[] = {
		{.kind = STORE_PUT_METADATA, .metadata = metadata[0]},
		{.kind = STORE_DELETE_METADATA, .metadata = metadata[1]},
		{.kind = STORE_DELETE_METADATA, .metadata = metadata[1]},
		{.kind = STORE_DELETE_FEATURE, .feature = features[0]},
	};
	changes[0].metadata.value = TD_SLICE("Faster");
	struct store_op *op = apply(changes, TD_ARRAY_LEN(changes));
	op->now_ms += 1000;
	contract_expect(c->store, op, TD_OK);
	struct store_change one = {.kind = STORE_PUT_FEATURE, .feature = features[1]};
	one.feature.included = true;
	contract_expect(c->store, apply(&one, 1), TD_OK);
	op = read_content(c->store);
	const struct store_catalogue *got = &op->out.catalogue;
	assert_int_equal(got->metadata_count, 2);
	assert_true(td_slice_is(got->metadata[1].value, "Faster"));
	assert_int_equal(got->metadata[1].updated_at, CONTRACT_NOW + 1000);
	assert_int_equal(got->feature_count, 2);
	assert_true(got->features[0].included);
	store_op_free(op);
	one = (struct store_change){.kind = STORE_DELETE_FEATURE, .feature = features[1]};
	contract_expect(c->store, apply(&one, 1), TD_OK);
	op = read_content(c->store);
	assert_int_equal(op->out.catalogue.feature_count, 1);
	store_op_free(op);
}

#define MANY 400

/* More than fits into any batch of a database, each with a long text. */
static void test_content_may_be_much(void **state)
{
	struct contract *c = *state;
	static struct store_change changes[MANY];
	static char keys[MANY][16], text[1000];
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < MANY; i++) {
		(void)snprintf(keys[i], sizeof(keys[i]), "key%03zu", i);
		changes[i] = (struct store_change){.kind = STORE_PUT_METADATA};
		changes[i].metadata = (struct store_metadata){
			.package_slug = i % 2 ? TD_SLICE("pro") : TD_SLICE("free"),
			.key = td_slice_str(keys[i]),
			.value = td_slice(text, sizeof(text)),
		};
	}
	contract_expect(c->store, apply(changes, MANY), TD_OK);
	struct store_op *op = read_content(c->store);
	assert_int_equal(op->out.catalogue.metadata_count, MANY);
	assert_true(td_slice_is(op->out.catalogue.metadata[0].key, "key000"));
	assert_true(td_slice_is(op->out.catalogue.metadata[MANY / 2].key, "key001"));
	assert_int_equal(op->out.catalogue.metadata[MANY - 1].value.len, sizeof(text));
	store_op_free(op);
}

static void test_content_without_a_change_is_no_fault(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, apply(NULL, 0), TD_OK);
}

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

static void test_content_changes_are_told(void **state)
{
	struct contract *c = *state;
	static _Atomic unsigned told;
	struct store_change change = {.kind = STORE_PUT_METADATA, .metadata = metadata[0]};
	store_set_changed(c->store, note_change, &told);
	contract_expect(c->store, apply(&change, 1), TD_OK);
	assert_true(contract_poll(was_told, &told, 1000));
	store_set_changed(c->store, NULL, NULL);
}

int contract_run_content(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_content_comes_back_in_order),
		CONTRACT_TEST(test_content_of_an_empty_store_is_empty),
		CONTRACT_TEST(test_content_is_populated_once),
		CONTRACT_TEST(test_content_that_was_deleted_is_not_populated_again),
		CONTRACT_TEST(test_content_is_put_and_deleted),
		CONTRACT_TEST(test_content_may_be_much),
		CONTRACT_TEST(test_content_without_a_change_is_no_fault),
		CONTRACT_TEST(test_content_changes_are_told),
	};
	return cmocka_run_group_tests_name("content", tests, NULL, NULL);
}
