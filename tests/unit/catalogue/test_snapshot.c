#include "td_test.h"

#include "assets/assets.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "catalogue/file.h"
#include "catalogue/snapshot.h"
#include "fault_alloc.h"
#include "work/thread.h"

#include <brotli/decode.h>
#include <stdatomic.h>
#include <string.h>
#include <zlib.h>

#define S(text) TD_SLICE(text)

static struct store_package package(const char *slug, int64_t order, bool active)
{
	return (struct store_package){.id = S("0190-id"),
		.slug = td_slice_str(slug),
		.name = S("Name \"q\""),
		.description = S(""),
		.currency = S("USD"),
		.price_monthly = 2999,
		.price_yearly = 29900,
		.rate_limit_per_hour = 100,
		.rate_limit_per_day = 2000,
		.display_order = order,
		.is_active = active};
}

static struct catalogue_snapshot *make(const struct store_catalogue *rows)
{
	struct catalogue_snapshot *snapshot;
	assert_int_equal(catalogue_snapshot_create(rows, &snapshot, NULL), TD_OK);
	return snapshot;
}

/* The body is byte for byte the API's shape: money with two places, content attached, features in
 * their order, inactive packages left out. */
static void test_snapshot_json_is_the_api_shape(void **state)
{
	(void)state;
	struct store_package packages[] = {package("old", 1, false), package("pro", 2, true)};
	struct store_metadata metadata[] = {
		{S("gone"), S("tagline"), S("nobody's"), 0},
		{S("pro"), S("tagline"), S("Más"), 0},
	};
	struct store_feature features[] = {
		{S("pro"), S("b"), S("B"), S("bee"), S("key"), S("team"), false, 2, 0},
		{S("pro"), S("a"), S("A"), S(""), S(""), S(""), true, 1, 0},
	};
	struct store_catalogue rows = {packages, 2, metadata, 2, features, 2};
	struct catalogue_snapshot *snapshot = make(&rows);
	const char *one =
		"{\"id\":\"0190-id\",\"slug\":\"pro\",\"name\":\"Name \\\"q\\\"\",\"description\":"
		"\"\",\"price_monthly\":29.99,\"price_yearly\":299.00,\"currency\":\"USD\","
		"\"rate_limit_per_hour\":100,\"rate_limit_per_day\":2000,\"display_order\":2,"
		"\"metadata\":{\"tagline\":\"Más\"},\"features\":[{\"id\":\"a\",\"name\":\"A\","
		"\"description\":\"\",\"included\":true,\"icon\":\"\",\"category\":\"\"},{\"id\":"
		"\"b\",\"name\":\"B\",\"description\":\"bee\",\"included\":false,\"icon\":\"key\","
		"\"category\":\"team\"}]}";
	const struct catalogue_package *pro = catalogue_snapshot_find(snapshot, S("pro"));
	assert_non_null(pro);
	struct td_slice json = pro->json.bytes[CATALOGUE_IDENTITY];
	assert_int_equal(json.len, strlen(one));
	assert_memory_equal(json.ptr, one, json.len);
	struct td_slice list = catalogue_snapshot_json(snapshot)->bytes[CATALOGUE_IDENTITY];
	assert_int_equal(list.len, json.len + 2);
	assert_memory_equal(list.ptr + 1, one, json.len);
	catalogue_snapshot_unref(snapshot);
}

/* Inactive ones are known but not on offer, the order is display_order then slug, and of two with
 * one slug the first counts. */
static void test_snapshot_lists_active_packages_in_order(void **state)
{
	(void)state;
	struct store_package packages[] = {package("z", 1, true), package("hidden", 1, false),
		package("b", 2, true), package("a", 2, true), package("a", 3, true)};
	struct store_catalogue rows = {.packages = packages, .package_count = 5};
	struct catalogue_snapshot *snapshot = make(&rows);
	size_t count;
	const struct catalogue_package *list = catalogue_snapshot_list(snapshot, &count);
	assert_int_equal(count, 3);
	assert_true(td_slice_is(list[0].row.slug, "z"));
	assert_true(td_slice_is(list[1].row.slug, "a"));
	assert_int_equal(list[1].row.display_order, 2);
	assert_true(td_slice_is(list[2].row.slug, "b"));
	assert_non_null(catalogue_snapshot_find(snapshot, S("hidden")));
	assert_null(catalogue_snapshot_find(snapshot, S("hidde")));
	assert_null(catalogue_snapshot_find(snapshot, S("")));
	catalogue_snapshot_unref(snapshot);
}

/* Without any row the answer is an empty array. */
static void test_snapshot_of_nothing_is_an_empty_array(void **state)
{
	(void)state;
	struct store_catalogue rows = {0};
	struct catalogue_snapshot *snapshot = make(&rows);
	const struct catalogue_body *body = catalogue_snapshot_json(snapshot);
	assert_true(td_slice_is(body->bytes[CATALOGUE_IDENTITY], "[]"));
	assert_int_equal(body->bytes[CATALOGUE_GZIP].len, 0);
	assert_int_equal(body->bytes[CATALOGUE_BR].len, 0);
	catalogue_snapshot_unref(snapshot);
}

static void load_built_in(struct td_arena *arena, struct store_catalogue *ret_rows)
{
	static struct catalogue_faults faults;
	const struct asset *file = asset_find(ASSET_CATALOGUE, "default.json");
	assert_int_equal(catalogue_file_parse(file->bytes, arena, ret_rows, &faults, NULL), TD_OK);
}

static void assert_gzip_gives(struct td_slice packed, struct td_slice plain)
{
	static unsigned char out[1 << 18];
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)packed.ptr,
		.avail_in = (unsigned)packed.len,
		.next_out = out,
		.avail_out = sizeof(out)};
	assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, plain.len);
	assert_memory_equal(out, plain.ptr, plain.len);
	assert_int_equal(inflateEnd(&z), Z_OK);
}

static void assert_br_gives(struct td_slice packed, struct td_slice plain)
{
	static unsigned char out[1 << 18];
	size_t len = sizeof(out);
	assert_int_equal(
		BrotliDecoderDecompress(packed.len, (const uint8_t *)packed.ptr, &len, out),
		BROTLI_DECODER_RESULT_SUCCESS);
	assert_int_equal(len, plain.len);
	assert_memory_equal(out, plain.ptr, plain.len);
}

/* Both compressed forms unpack to the identity bytes and are much smaller. */
static void test_snapshot_compressed_bodies_unpack_to_the_plain_one(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	struct store_catalogue rows;
	load_built_in(&arena, &rows);
	struct catalogue_snapshot *snapshot = make(&rows);
	const struct catalogue_body *body = catalogue_snapshot_json(snapshot);
	struct td_slice plain = body->bytes[CATALOGUE_IDENTITY];
	assert_gzip_gives(body->bytes[CATALOGUE_GZIP], plain);
	assert_br_gives(body->bytes[CATALOGUE_BR], plain);
	assert_true(body->bytes[CATALOGUE_GZIP].len < plain.len / 3);
	assert_true(body->bytes[CATALOGUE_BR].len < body->bytes[CATALOGUE_GZIP].len);
	catalogue_snapshot_unref(snapshot);
	td_arena_done(&arena);
}

/* Equal rows give equal digests, tags and bytes; a change of one price gives others for the list
 * and that package, and the same for the rest. Times change nothing. */
static void test_snapshot_tags_follow_the_content(void **state)
{
	(void)state;
	struct store_package packages[] = {package("a", 1, true), package("b", 2, true)};
	struct store_catalogue rows = {.packages = packages, .package_count = 2};
	struct catalogue_snapshot *first = make(&rows);
	packages[0].updated_at = 77;
	struct catalogue_snapshot *same = make(&rows);
	packages[0].price_monthly++;
	struct catalogue_snapshot *other = make(&rows);
	assert_memory_equal(
		catalogue_snapshot_digest(first), catalogue_snapshot_digest(same), TD_SHA256_SIZE);
	assert_string_equal(
		catalogue_snapshot_json(first)->tag, catalogue_snapshot_json(same)->tag);
	assert_memory_not_equal(
		catalogue_snapshot_digest(first), catalogue_snapshot_digest(other), TD_SHA256_SIZE);
	assert_string_not_equal(
		catalogue_snapshot_json(first)->tag, catalogue_snapshot_json(other)->tag);
	assert_string_not_equal(catalogue_snapshot_find(first, S("a"))->json.tag,
		catalogue_snapshot_find(other, S("a"))->json.tag);
	assert_string_equal(catalogue_snapshot_find(first, S("b"))->json.tag,
		catalogue_snapshot_find(other, S("b"))->json.tag);
	catalogue_snapshot_unref(first);
	catalogue_snapshot_unref(same);
	catalogue_snapshot_unref(other);
}

/* A text in another language is taken where it is there and not empty. */
static void test_snapshot_translation_falls_back(void **state)
{
	(void)state;
	struct store_package packages[] = {package("a", 1, true)};
	struct store_metadata metadata[] = {
		{S("a"), S("name.es"), S("Nombre"), 0}, {S("a"), S("name.fr"), S(""), 0}};
	struct store_catalogue rows = {.packages = packages,
		.package_count = 1,
		.metadata = metadata,
		.metadata_count = 2};
	struct catalogue_snapshot *snapshot = make(&rows);
	const struct catalogue_package *a = catalogue_snapshot_find(snapshot, S("a"));
	assert_true(
		td_slice_is(catalogue_package_translated(a, "name", "es", a->row.name), "Nombre"));
	assert_true(td_slice_equal(
		catalogue_package_translated(a, "name", "fr", a->row.name), a->row.name));
	assert_true(td_slice_equal(
		catalogue_package_translated(a, "name", "de", a->row.name), a->row.name));
	assert_null(catalogue_package_text(a, "tagline").ptr);
	catalogue_snapshot_unref(snapshot);
}

static bool create_one(void *ctx)
{
	struct catalogue_snapshot *snapshot = NULL;
	bool worked = catalogue_snapshot_create(ctx, &snapshot, NULL) == TD_OK;
	catalogue_snapshot_unref(snapshot);
	return worked;
}

/* Without memory for any one thing there is no snapshot, and nothing is left behind. */
static void test_snapshot_without_memory_is_none(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	struct store_catalogue rows;
	load_built_in(&arena, &rows);
	assert_true(fault_alloc_each(create_one, &rows) > 5);
	td_arena_done(&arena);
}

/* ---- swapping under readers (run it under TSan) */

#define READERS 4
#define SWAPS   300

struct stage {
	struct catalogue_holder *holder;
	atomic_bool ended;
	atomic_size_t read, wrong;
};

/* cmocka's asserts may only fail in the test's own thread, so readers count. */
static void read_again_and_again(void *ctx)
{
	struct stage *stage = ctx;
	while (!atomic_load(&stage->ended)) {
		struct catalogue_snapshot *snapshot = catalogue_holder_acquire(stage->holder);
		if (snapshot == NULL)
			continue;
		size_t count;
		const struct catalogue_package *list = catalogue_snapshot_list(snapshot, &count);
		bool right = count == 1 &&
			     catalogue_snapshot_find(snapshot, list[0].row.slug) == list;
		atomic_fetch_add(right ? &stage->read : &stage->wrong, 1);
		catalogue_snapshot_unref(snapshot);
	}
}

/* Whatever a reader acquires stays whole until it lets go, while others are swapped in. */
static void test_holder_readers_keep_what_they_acquired(void **state)
{
	(void)state;
	struct stage stage = {.holder = catalogue_holder_create()};
	struct td_thread threads[READERS];
	assert_null(catalogue_holder_acquire(stage.holder));
	for (size_t i = 0; i < READERS; i++)
		assert_int_equal(
			td_thread_start(&threads[i], "reader", read_again_and_again, &stage, NULL),
			TD_OK);
	for (int64_t i = 0; i < SWAPS || atomic_load(&stage.read) < SWAPS; i++) {
		struct store_package packages[] = {package(i % 2 == 0 ? "even" : "odd", i, true)};
		struct store_catalogue rows = {.packages = packages, .package_count = 1};
		catalogue_holder_swap(stage.holder, make(&rows));
	}
	atomic_store(&stage.ended, true);
	for (size_t i = 0; i < READERS; i++)
		td_thread_join(&threads[i]);
	assert_int_equal(atomic_load(&stage.wrong), 0);
	catalogue_holder_destroy(stage.holder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snapshot_json_is_the_api_shape),
		cmocka_unit_test(test_snapshot_lists_active_packages_in_order),
		cmocka_unit_test(test_snapshot_of_nothing_is_an_empty_array),
		cmocka_unit_test(test_snapshot_compressed_bodies_unpack_to_the_plain_one),
		cmocka_unit_test(test_snapshot_tags_follow_the_content),
		cmocka_unit_test(test_snapshot_translation_falls_back),
		cmocka_unit_test(test_snapshot_without_memory_is_none),
		cmocka_unit_test(test_holder_readers_keep_what_they_acquired),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
