#include "td_test.h"

#include "assets/assets.h"
#include "base/money.h"
#include "catalogue/file.h"
#include "fault_alloc.h"

#include <stdio.h>
#include <string.h>

struct parsed {
	struct td_arena arena;
	struct store_catalogue rows;
	struct catalogue_faults faults;
	struct td_err err;
	enum td_status status;
};

static void parse(struct parsed *p, const char *text)
{
	memset(p, 0, sizeof(*p));
	p->status = catalogue_file_parse(
		td_slice_str(text), &p->arena, &p->rows, &p->faults, &p->err);
}

static struct td_slice default_file(void)
{
	const struct asset *file = asset_find(ASSET_CATALOGUE, "default.json");
	assert_non_null(file);
	return file->bytes;
}

#define PACKAGE(members)                                                                   \
	"{\"version\":1,\"packages\":[{\"slug\":\"a\",\"name\":\"A\",\"price_monthly\":1," \
	"\"price_yearly\":10.50,\"currency\":\"USD\",\"rate_limit_per_hour\":1,"           \
	"\"rate_limit_per_day\":2" members "}]}"

/* The least that a package needs is taken, and the rest gets what the header says. */
static void test_file_parse_minimal_package_has_defaults(void **state)
{
	(void)state;
	struct parsed p;
	parse(&p, PACKAGE(",\"features\":[{\"id\":\"x\",\"name\":\"X\"}]"));
	assert_int_equal(p.status, TD_OK);
	assert_int_equal(p.rows.package_count, 1);
	const struct store_package *package = &p.rows.packages[0];
	assert_true(package->is_active);
	assert_int_equal(package->display_order, 1);
	assert_int_equal(package->price_monthly, 100);
	assert_int_equal(package->price_yearly, 1050);
	assert_int_equal(p.rows.feature_count, 1);
	assert_true(p.rows.features[0].included);
	assert_true(td_slice_is(p.rows.features[0].package_slug, "a"));
	assert_non_null(p.rows.features[0].icon.ptr);
	td_arena_done(&p.arena);
}

/* What is written reads back as the same rows: the built-in file is byte for byte its own export.
 */
static void test_file_write_gives_the_built_in_file_back(void **state)
{
	(void)state;
	struct parsed p = {0};
	struct td_slice bytes = default_file();
	assert_int_equal(catalogue_file_parse(bytes, &p.arena, &p.rows, &p.faults, &p.err), TD_OK);
	struct td_buf out = TD_BUF_INIT;
	catalogue_file_write(&out, &p.rows);
	assert_false(out.failed);
	assert_int_equal(out.len, bytes.len);
	assert_memory_equal(out.ptr, bytes.ptr, bytes.len);
	td_buf_done(&out);
	td_arena_done(&p.arena);
}

static bool has_metadata(const struct store_catalogue *rows, struct td_slice slug, const char *key)
{
	for (size_t i = 0; i < rows->metadata_count; i++) {
		if (td_slice_equal(rows->metadata[i].package_slug, slug) &&
			td_slice_is(rows->metadata[i].key, key))
			return true;
	}
	return false;
}

/* The built-in packages have the prices and limits that were promised, every content key, and the
 * same features in the same order. */
static void test_file_built_in_catalogue_is_complete(void **state)
{
	(void)state;
	static const struct {
		const char *slug;
		int64_t monthly, yearly, per_hour, per_day;
	} want[] = {
		{"free", 0, 0, 10, 100},
		{"standard", 2999, 29900, 100, 2000},
		{"premium", 7999, 79900, 500, 10000},
		{"enterprise", 29999, 299900, 5000, 100000},
	};
	static const char *const keys[] = {"tagline", "highlight", "cta_text", "name.es",
		"description.es", "tagline.es", "cta_text.es"};
	struct parsed p = {0};
	assert_int_equal(
		catalogue_file_parse(default_file(), &p.arena, &p.rows, &p.faults, &p.err), TD_OK);
	assert_int_equal(p.rows.package_count, TD_ARRAY_LEN(want));
	for (size_t i = 0; i < TD_ARRAY_LEN(want); i++) {
		const struct store_package *package = &p.rows.packages[i];
		assert_true(td_slice_is(package->slug, want[i].slug));
		assert_int_equal(package->price_monthly, want[i].monthly);
		assert_int_equal(package->price_yearly, want[i].yearly);
		assert_int_equal(package->rate_limit_per_hour, want[i].per_hour);
		assert_int_equal(package->rate_limit_per_day, want[i].per_day);
		for (size_t k = 0; k < TD_ARRAY_LEN(keys); k++)
			assert_true(has_metadata(&p.rows, package->slug, keys[k]));
	}
	size_t each = p.rows.feature_count / TD_ARRAY_LEN(want);
	for (size_t i = 0; i < p.rows.feature_count; i++) {
		const struct store_feature *feature = &p.rows.features[i];
		char key[100];
		assert_true(
			td_slice_equal(feature->feature_id, p.rows.features[i % each].feature_id));
		(void)snprintf(key, sizeof(key), "feature.%.*s.name.es",
			TD_SLICE_ARG(feature->feature_id));
		assert_true(has_metadata(&p.rows, feature->package_slug, key));
	}
	td_arena_done(&p.arena);
}

/* Each bad file gives one fault that names its place and what is wrong. */
static void test_file_parse_names_the_place_of_each_fault(void **state)
{
	(void)state;
	static const struct {
		const char *file, *line;
	} rows[] = {
#define HEAD "{\"version\":1,\"packages\":["
#define REST                                                                          \
	"\"name\":\"A\",\"price_monthly\":1,\"price_yearly\":1,\"currency\":\"USD\"," \
	"\"rate_limit_per_hour\":1,\"rate_limit_per_day\":2"
		{"", "line 1, column 1: not valid JSON: unexpected token near end of file"},
		{"{\n\"version\":1,\n\"version\":1}", "line 3, column 9: not valid JSON: duplicate "
						      "object key near '\"version\"'"},
		{"{\"version\":1,\"packages\":[],}",
			"line 1, column 28: not valid JSON: string or '}' expected near '}'"},
		{"[]", "the file must hold an object: {\"version\": 1, \"packages\": […]}"},
		{"{\"packages\":[]}", "/version is missing"},
		{"{\"version\":2,\"packages\":[]}", "/version must be from 1 to 1"},
		{"{\"version\":1}", "/packages is missing"},
		{"{\"version\":1,\"packages\":{}}", "/packages must be an array"},
		{"{\"version\":1,\"packges\":[],\"packages\":[]}",
			"/packges is not a known member; did you mean \"packages\"?"},
		{HEAD "7]}", "/packages/0 must be an object: a package"},
		{HEAD "{" REST "}]}", "/packages/0/slug is missing"},
		{HEAD "{\"slug\":\"Pro 2\"," REST "}]}",
			"/packages/0/slug \"Pro 2\" is not a slug: small letters and digits, "
			"single '-' between them (\"pro-2\")"},
		{HEAD "{\"slug\":\"a\"," REST "},{\"slug\":\"a\"," REST "}]}",
			"/packages/1/slug \"a\" is also the slug of /packages/0"},
		{PACKAGE(",\"curency\":1"),
			"/packages/0/curency is not a known member; did you mean \"currency\"?"},
		{PACKAGE(",\"zzzzzzz\":1"),
			"/packages/0/zzzzzzz is not a known member; take it out"},
		{PACKAGE(",\"is_active\":1"),
			"/packages/0/is_active must be true or false, not a number"},
		{PACKAGE(",\"display_order\":1.5"),
			"/packages/0/display_order must be a whole number"},
		{PACKAGE(",\"display_order\":\"1\""),
			"/packages/0/display_order must be a whole number, not a text"},
		{PACKAGE(",\"description\":\"a\\tb\""),
			"/packages/0/description has a control character (a tab, or one that "
			"cannot be seen); take it out"},
		{PACKAGE(",\"features\":[{\"id\":\"x\",\"name\":\"a\\nb\"}]"),
			"/packages/0/features/0/name has a control character (a line break, a tab, "
			"or one that cannot be seen); take it out"},
		{PACKAGE(",\"features\":[{\"id\":\"x\",\"name\":\"  \"}]"),
			"/packages/0/features/0/name must not be empty"},
		{PACKAGE(",\"description\":null"),
			"/packages/0/description must be a text in quotes, not null"},
		{PACKAGE(",\"metadata\":[]"), "/packages/0/metadata must be an object"},
		{PACKAGE(",\"metadata\":{\"a/b\":\"x\"}"),
			"/packages/0/metadata/a~1b is not a key: letters, digits, '_', '-' and '.' "
			"(\"name.es\")"},
		{PACKAGE(",\"metadata\":{\"a\\u001b\":\"x\"}"),
			"/packages/0/metadata/a? is not a key: letters, digits, '_', '-' and '.' "
			"(\"name.es\")"},
		{PACKAGE(",\"metadata\":{\"a\":7}"),
			"/packages/0/metadata/a must be a text in quotes, not a number"},
		{PACKAGE(",\"features\":[{\"id\":\"x\"}]"),
			"/packages/0/features/0/name is missing"},
		{PACKAGE(",\"features\":[{\"id\":\"x\",\"name\":\"\"}]"),
			"/packages/0/features/0/name must not be empty"},
		{PACKAGE(",\"features\":[{\"id\":\"x\",\"name\":\"X\"},{\"id\":\"x\","
			 "\"name\":\"Y\"}]"),
			"/packages/0/features/1/id \"x\" is also the id of feature 0 of this "
			"package"},
		{PACKAGE(",\"features\":[{\"id\":\"x\",\"name\":\"X\",\"include\":true}]"),
			"/packages/0/features/0/include is not a known member; did you mean "
			"\"included\"?"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct parsed p;
		parse(&p, rows[i].file);
		assert_int_equal(p.status, TD_INVALID);
		assert_string_equal(p.err.text, rows[i].line);
		assert_int_equal(p.faults.count, 1);
		td_arena_done(&p.arena);
	}
}

/* Prices are exact or refused: numbers and texts with at most two places. */
static void test_file_parse_prices_are_exact(void **state)
{
	(void)state;
	static const struct {
		const char *price;
		int64_t minor; /* -1: refused */
	} rows[] = {
		{"29.99", 2999},
		{"0", 0},
		{"0.07", 7},
		{"1e2", 10000},
		{"4.35", 435},
		{"\"4.35\"", 435},
		{"\"12\"", 1200},
		{"9999999999.99", TD_MONEY_MAX},
		{"29.999", -1},
		{"0.001", -1},
		{"-1", -1},
		{"-0.01", -1},
		{"10000000000", -1},
		{"9999999999.995", -1},
		{"1e300", -1},
		{"9223372036854775807", -1},
		{"\"1,50\"", -1},
		{"\"\"", -1},
		{"true", -1},
		{"null", -1},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		char file[400];
		(void)snprintf(file, sizeof(file),
			HEAD "{\"slug\":\"a\",\"name\":\"A\",\"price_monthly\":%s,"
			     "\"price_yearly\":1,\"currency\":\"EUR\",\"rate_limit_per_hour\":1,"
			     "\"rate_limit_per_day\":2}]}",
			rows[i].price);
		struct parsed p;
		parse(&p, file);
		if (rows[i].minor < 0) {
			assert_int_equal(p.status, TD_INVALID);
			assert_string_equal(p.faults.list[0].pointer, "/packages/0/price_monthly");
		} else {
			assert_int_equal(p.status, TD_OK);
			assert_int_equal(p.rows.packages[0].price_monthly, rows[i].minor);
		}
		td_arena_done(&p.arena);
	}
}

/* A currency without two places, or that is none, is refused. */
static void test_file_parse_refuses_currencies_without_two_places(void **state)
{
	(void)state;
	static const char *const codes[] = {"JPY", "KWD", "usd", "XYZW", "", "US"};
	for (size_t i = 0; i < TD_ARRAY_LEN(codes); i++) {
		char file[400];
		(void)snprintf(file, sizeof(file),
			HEAD "{\"slug\":\"a\",\"name\":\"A\",\"price_monthly\":1,"
			     "\"price_yearly\":1,\"currency\":\"%s\",\"rate_limit_per_hour\":1,"
			     "\"rate_limit_per_day\":2}]}",
			codes[i]);
		struct parsed p;
		parse(&p, file);
		assert_int_equal(p.status, TD_INVALID);
		assert_string_equal(p.faults.list[0].pointer, "/packages/0/currency");
		td_arena_done(&p.arena);
	}
}

/* All faults come at once, up to the limit, and the limit is told. */
static void test_file_parse_tells_all_faults_at_once(void **state)
{
	(void)state;
	struct parsed p;
	parse(&p, "{\"version\":1,\"packages\":[{\"slug\":7,\"extra\":1}]}");
	assert_int_equal(p.status, TD_INVALID);
	assert_int_equal(p.faults.count, 8);
	assert_false(p.faults.more);
	td_arena_done(&p.arena);
	struct td_buf many = TD_BUF_INIT;
	td_buf_put_str(&many, HEAD "{}");
	for (int i = 0; i < 20; i++)
		td_buf_put_str(&many, ",{}");
	td_buf_put_str(&many, "]}");
	parse(&p, td_buf_cstr(&many));
	assert_int_equal(p.faults.count, CATALOGUE_FAULTS_MOST);
	assert_true(p.faults.more);
	td_arena_done(&p.arena);
	td_buf_done(&many);
}

/* Too large, too deep, or bytes that are not UTF-8: refused, and nothing is read past the end. */
static void test_file_parse_hostile_bytes_are_refused(void **state)
{
	(void)state;
	struct parsed p = {0};
	static char large[CATALOGUE_FILE_MOST + 1];
	memset(large, '[', sizeof(large));
	struct td_slice all = td_slice(large, sizeof(large));
	assert_int_equal(
		catalogue_file_parse(all, &p.arena, &p.rows, &p.faults, &p.err), TD_TOOBIG);
	all.len--;
	assert_int_equal(
		catalogue_file_parse(all, &p.arena, &p.rows, &p.faults, &p.err), TD_INVALID);
	td_arena_done(&p.arena);
	parse(&p, "{\"version\":1,\"packages\":[{\"slug\":\"\xff\"}]}");
	assert_int_equal(p.status, TD_INVALID);
	assert_int_equal(p.faults.list[0].line, 1);
	td_arena_done(&p.arena);
}

static bool parse_and_write(void *ctx)
{
	struct parsed p;
	struct td_buf out = TD_BUF_INIT;
	parse(&p, ctx);
	bool worked = p.status == TD_OK;
	if (worked)
		catalogue_file_write(&out, &p.rows);
	worked = worked && !out.failed;
	td_buf_done(&out);
	td_arena_done(&p.arena);
	return worked;
}

/* Without memory for any one thing reading fails as a whole. */
static void test_file_parse_without_memory_fails_whole(void **state)
{
	(void)state;
	static char file[] = PACKAGE(",\"metadata\":{\"k\":\"v\"},\"features\":[{\"id\":\"x\","
				     "\"name\":\"X\"}]");
	assert_true(fault_alloc_each(parse_and_write, file) > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_parse_minimal_package_has_defaults),
		cmocka_unit_test(test_file_write_gives_the_built_in_file_back),
		cmocka_unit_test(test_file_built_in_catalogue_is_complete),
		cmocka_unit_test(test_file_parse_names_the_place_of_each_fault),
		cmocka_unit_test(test_file_parse_prices_are_exact),
		cmocka_unit_test(test_file_parse_refuses_currencies_without_two_places),
		cmocka_unit_test(test_file_parse_tells_all_faults_at_once),
		cmocka_unit_test(test_file_parse_hostile_bytes_are_refused),
		cmocka_unit_test(test_file_parse_without_memory_fails_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
