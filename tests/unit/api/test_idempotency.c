#include "td_test.h"

#include "api/idempotency.h"

#include <string.h>

/* Both forms of a key are the same key. */
static void test_key_forms(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	static const char *const pairs[][2] = {{"abc", "abc"}, {"\"abc\"", "abc"},
		{"\"a\\\"b\\\\c\"", "a\"b\\c"}, {"a\"b", "a\"b"}, {"!", "!"}, {"~", "~"},
		{"8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324"}};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct td_slice key;
		assert_true(api_idempotency_key(td_slice_str(pairs[i][0]), &arena, &key));
		assert_true(td_slice_is(key, pairs[i][1]));
	}
	td_arena_done(&arena);
}

/* Empty, with spaces, controls, beyond ASCII, badly quoted: refused. */
static void test_key_refusals(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	static const char *const bad[] = {"", "\"\"", "\"", "\"abc", "a b", "\"a b\"", "a\tb",
		"\xC3\xB1", "\"a\"b\"", "\"a\\\"", "\"a\\b\"", "\"abc\";x=1", "\x7F"};
	struct td_slice key;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (api_idempotency_key(td_slice_str(bad[i]), &arena, &key))
			fail_msg("taken: %s", bad[i]);
	}
	td_arena_done(&arena);
}

/* 255 characters are the most, counted without quotes. */
static void test_key_length(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	char text[600];
	struct td_slice key;
	memset(text, 'k', sizeof(text));
	assert_true(api_idempotency_key(td_slice(text, 255), &arena, &key));
	assert_false(api_idempotency_key(td_slice(text, 256), &arena, &key));
	text[0] = text[256] = '"';
	assert_true(api_idempotency_key(td_slice(text, 257), &arena, &key));
	assert_int_equal(key.len, 255);
	memset(text + 1, '\\', 510);
	text[511] = '"';
	assert_true(api_idempotency_key(td_slice(text, 512), &arena, &key));
	assert_int_equal(key.len, 255);
	td_arena_done(&arena);
}

/* No two different requests share a fingerprint because their parts run together. */
static void test_fingerprint_keeps_parts_apart(void **state)
{
	(void)state;
	uint8_t a[TD_SHA256_SIZE], b[TD_SHA256_SIZE];
	api_idempotency_fingerprint(TD_SLICE("POST"), TD_SLICE("/ab"), TD_SLICE("c"), a);
	api_idempotency_fingerprint(TD_SLICE("POST"), TD_SLICE("/a"), TD_SLICE("bc"), b);
	assert_memory_not_equal(a, b, sizeof(a));
	api_idempotency_fingerprint(TD_SLICE("POST"), TD_SLICE("/ab"), TD_SLICE("c"), b);
	assert_memory_equal(a, b, sizeof(a));
	api_idempotency_fingerprint(TD_SLICE("POST"), TD_SLICE("/ab"), td_slice(NULL, 0), b);
	assert_memory_not_equal(a, b, sizeof(a));
}

/* A second one of the same caller, route and key is refused while the first runs, and only then. */
static void test_running_is_exclusive(void **state)
{
	(void)state;
	static struct api_running_set set;
	struct api_running first, second, other;
	api_running_init(&first, TD_SLICE("c"), TD_SLICE("r"), TD_SLICE("k"));
	api_running_init(&second, TD_SLICE("c"), TD_SLICE("r"), TD_SLICE("k"));
	api_running_init(&other, TD_SLICE("c2"), TD_SLICE("r"), TD_SLICE("k"));
	assert_true(api_running_add(&set, &first));
	assert_false(api_running_add(&set, &second));
	assert_true(api_running_add(&set, &other));
	api_running_remove(&set, &second); /* was never listed */
	assert_false(api_running_add(&set, &second));
	api_running_remove(&set, &first);
	assert_true(api_running_add(&set, &second));
	api_running_remove(&set, &second);
	api_running_remove(&set, &second);
	api_running_remove(&set, &other);
	for (size_t i = 0; i < API_RUNNING_BUCKETS; i++)
		assert_null(set.buckets[i]);
}

/* Many at once, taken out in another order: none lost, none left. */
static void test_running_many(void **state)
{
	(void)state;
	enum {
		MANY = 3000
	};
	static struct api_running_set set;
	static struct api_running all[MANY];
	for (size_t i = 0; i < MANY; i++) {
		api_running_init(&all[i], TD_SLICE("c"), TD_SLICE("r"),
			td_slice((const char *)&i, sizeof(i)));
		assert_true(api_running_add(&set, &all[i]));
	}
	for (size_t i = 0; i < MANY; i++)
		api_running_remove(&set, &all[(i * 7) % MANY]);
	for (size_t i = 0; i < API_RUNNING_BUCKETS; i++)
		assert_null(set.buckets[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_forms),
		cmocka_unit_test(test_key_refusals),
		cmocka_unit_test(test_key_length),
		cmocka_unit_test(test_fingerprint_keeps_parts_apart),
		cmocka_unit_test(test_running_is_exclusive),
		cmocka_unit_test(test_running_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
