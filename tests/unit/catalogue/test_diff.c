#include "td_test.h"

#include "base/compiler.h"
#include "catalogue/catalogue.h"
#include "fault_alloc.h"

#include <sodium.h>
#include <string.h>

#define S(text) TD_SLICE(text)

static struct store_package package(const char *slug, const char *name, int64_t monthly)
{
	return (struct store_package){.slug = td_slice_str(slug),
		.name = td_slice_str(name),
		.description = S(""),
		.currency = S("USD"),
		.price_monthly = monthly,
		.is_active = true};
}

static struct store_feature feature(const char *slug, const char *id, bool included)
{
	return (struct store_feature){.package_slug = td_slice_str(slug),
		.feature_id = td_slice_str(id),
		.name = S("F"),
		.description = S(""),
		.icon = S(""),
		.category = S(""),
		.included = included};
}

static struct catalogue_diff diff(const struct store_catalogue *have,
	const struct store_catalogue *want, bool retire, struct td_arena *arena)
{
	struct catalogue_diff found;
	assert_int_equal(catalogue_diff(have, want, retire, 1000, arena, &found, NULL), TD_OK);
	return found;
}

/* A catalogue compared with itself differs in nothing, and identifiers and times do not count. */
static void test_diff_of_equal_catalogues_is_empty(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	struct store_package a[] = {package("a", "A", 1)}, b[] = {package("a", "A", 1)};
	a[0].id = S("one");
	a[0].created_at = 7;
	struct store_catalogue have = {.packages = a, .package_count = 1};
	struct store_catalogue want = {.packages = b, .package_count = 1};
	struct catalogue_diff found = diff(&have, &want, true, &arena);
	assert_int_equal(found.change_count, 0);
	assert_int_equal(found.line_count, 0);
	td_arena_done(&arena);
}

/* Every kind of change has its line with old and new value, and content comes before its package.
 */
static void test_diff_tells_and_orders_every_kind_of_change(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	struct store_package old_packages[] = {package("a", "A", 100), package("b", "B", 0)};
	struct store_metadata old_metadata[] = {
		{S("a"), S("gone"), S("x"), 0}, {S("a"), S("tagline"), S("old"), 0}};
	struct store_feature old_features[] = {feature("a", "f", false), feature("a", "g", true)};
	struct store_package new_packages[] = {package("a", "A\n", 250), package("c", "C", 0)};
	struct store_metadata new_metadata[] = {
		{S("a"), S("tagline"), S("new"), 0}, {S("c"), S("k"), S("v"), 0}};
	struct store_feature new_features[] = {feature("a", "f", true), feature("c", "f", false)};
	struct store_catalogue have = {old_packages, 2, old_metadata, 2, old_features, 2};
	struct store_catalogue want = {new_packages, 2, new_metadata, 2, new_features, 2};
	struct catalogue_diff found = diff(&have, &want, true, &arena);
	static const char *const lines[] = {
		"~ package a: name: \"A\" -> \"A\\n\"",
		"~ package a: price_monthly: 1.00 -> 2.50",
		"~ metadata a.tagline: \"old\" -> \"new\"",
		"- metadata a.gone: \"x\"",
		"~ feature a/f: included: false -> true",
		"- feature a/g: \"F\"",
		"+ package c: \"C\"",
		"+ metadata c.k: \"v\"",
		"+ feature c/f: \"F\", not included",
		"- package b: is no longer on offer (is_active: true -> false)",
	};
	static const enum store_change_kind kinds[] = {STORE_PUT_METADATA, STORE_DELETE_METADATA,
		STORE_PUT_FEATURE, STORE_DELETE_FEATURE, STORE_PUT_PACKAGE, STORE_PUT_METADATA,
		STORE_PUT_FEATURE, STORE_PUT_PACKAGE, STORE_PUT_PACKAGE};
	assert_int_equal(found.line_count, TD_ARRAY_LEN(lines));
	for (size_t i = 0; i < TD_ARRAY_LEN(lines); i++)
		assert_string_equal(found.lines[i], lines[i]);
	assert_int_equal(found.change_count, TD_ARRAY_LEN(kinds));
	for (size_t i = 0; i < TD_ARRAY_LEN(kinds); i++)
		assert_int_equal(found.changes[i].kind, kinds[i]);
	const struct store_change *last = &found.changes[found.change_count - 1];
	assert_true(td_slice_is(last->package.slug, "b"));
	assert_false(last->package.is_active);
	assert_int_equal(last->package.id.len, 36);
	td_arena_done(&arena);
}

/* What the file lacks stays as it is unless it is to be retired. */
static void test_diff_without_retire_leaves_what_the_file_lacks(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	struct store_package packages[] = {package("a", "A", 1), package("b", "B", 1)};
	struct store_metadata metadata[] = {{S("a"), S("k"), S("v"), 0}};
	struct store_feature features[] = {feature("a", "f", true)};
	struct store_catalogue have = {packages, 2, metadata, 1, features, 1};
	struct store_catalogue want = {.packages = packages, .package_count = 1};
	assert_int_equal(diff(&have, &want, false, &arena).change_count, 0);
	assert_int_equal(diff(&have, &want, true, &arena).change_count, 3);
	td_arena_done(&arena);
}

/* An inactive package that the file lacks is retired already. */
static void test_diff_retires_a_package_once(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	struct store_package packages[] = {package("a", "A", 1)};
	packages[0].is_active = false;
	struct store_catalogue have = {.packages = packages, .package_count = 1}, want = {0};
	assert_int_equal(diff(&have, &want, true, &arena).change_count, 0);
	td_arena_done(&arena);
}

/* A long value is cut in its line, between characters. */
static void test_diff_cuts_long_values(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	char text[301];
	memset(text, 'x', 99);
	for (size_t i = 99; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xC3\xB1", 2);
	text[299] = '\0';
	struct store_package packages[] = {package("a", text, 1)};
	struct store_catalogue want = {.packages = packages, .package_count = 1}, have = {0};
	struct catalogue_diff found = diff(&have, &want, false, &arena);
	assert_int_equal(found.line_count, 1);
	assert_non_null(strstr(found.lines[0], "xxx\"…"));
	td_arena_done(&arena);
}

static bool compare_one(void *ctx)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct store_catalogue have = {0};
	struct catalogue_diff found;
	bool worked = catalogue_diff(&have, ctx, true, 1000, &arena, &found, NULL) == TD_OK;
	td_arena_done(&arena);
	return worked;
}

/* Without memory for any one thing there is no difference, not a part of it. */
static void test_diff_without_memory_is_none(void **state)
{
	(void)state;
	struct store_package packages[] = {package("a", "A", 1)};
	struct store_metadata metadata[] = {{S("a"), S("k"), S("v"), 0}};
	struct store_catalogue want = {.packages = packages,
		.package_count = 1,
		.metadata = metadata,
		.metadata_count = 1};
	assert_true(fault_alloc_each(compare_one, &want) > 1);
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_diff_of_equal_catalogues_is_empty),
		cmocka_unit_test(test_diff_tells_and_orders_every_kind_of_change),
		cmocka_unit_test(test_diff_without_retire_leaves_what_the_file_lacks),
		cmocka_unit_test(test_diff_retires_a_package_once),
		cmocka_unit_test(test_diff_cuts_long_values),
		cmocka_unit_test(test_diff_without_memory_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
