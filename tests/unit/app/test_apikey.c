#include "td_test.h"

#include "app/apikey.h"

#include <sodium.h>
#include <string.h>

/* A generated key is well-formed, has the documented length, and no two are alike. */
static void test_apikey_generated_is_wellformed_and_unique(void **state)
{
	(void)state;
	char first[APIKEY_TEXT_SIZE], second[APIKEY_TEXT_SIZE];
	for (int i = 0; i < 200; i++) {
		apikey_generate(first);
		apikey_generate(second);
		assert_int_equal(strlen(first), 35);
		assert_true(apikey_is_wellformed(td_slice_str(first)));
		assert_string_not_equal(first, second);
	}
}

/* Each single changed character is noticed without a store. */
static void test_apikey_any_changed_character_is_noticed(void **state)
{
	(void)state;
	char key[APIKEY_TEXT_SIZE];
	apikey_generate(key);
	for (size_t i = 0; i < APIKEY_LEN; i++) {
		char kept = key[i];
		key[i] = kept == 'x' ? 'y' : 'x';
		assert_false(apikey_is_wellformed(td_slice_str(key)));
		key[i] = '-';
		assert_false(apikey_is_wellformed(td_slice_str(key)));
		key[i] = kept;
	}
	assert_true(apikey_is_wellformed(td_slice_str(key)));
}

/* Cut, lengthened, empty: never well-formed, never read out of bounds. */
static void test_apikey_other_lengths_are_refused(void **state)
{
	(void)state;
	char key[APIKEY_TEXT_SIZE + 1];
	apikey_generate(key);
	for (size_t len = 0; len < APIKEY_LEN; len++)
		assert_false(apikey_is_wellformed(td_slice(key, len)));
	key[APIKEY_LEN] = '0';
	assert_false(apikey_is_wellformed(td_slice(key, APIKEY_LEN + 1)));
	assert_false(apikey_is_wellformed((struct td_slice){NULL, 0}));
}

/* The format is fixed: a key made once stays valid for ever. */
static void test_apikey_format_does_not_change(void **state)
{
	(void)state;
	const char *known = "td_AAAAAAAAAAAAAAAAAAAAAAAAAA0LjUYX";
	assert_true(apikey_is_wellformed(td_slice_str(known)));
}

/* The stored hash is SHA-256 of the whole text. */
static void test_apikey_hash_is_sha256(void **state)
{
	(void)state;
	uint8_t hash[TD_SHA256_SIZE];
	char text[TD_SHA256_TEXT_SIZE];
	apikey_hash(TD_SLICE("abc"), hash);
	td_hex(hash, sizeof(hash), text);
	assert_string_equal(
		text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* Names for people: what would break a list on a terminal is refused, with a reason. */
static void test_apikey_names(void **state)
{
	(void)state;
	const char *why = NULL;
	assert_true(apikey_check_name(TD_SLICE("billing worker"), &why));
	assert_true(apikey_check_name(TD_SLICE("\xC3\xB1"), &why));
	const struct td_slice refused[] = {TD_SLICE(""), TD_SLICE(" a"), TD_SLICE("a "),
		TD_SLICE("a\nb"), TD_SLICE("a\x1b[31m"), TD_SLICE("\xFF"), TD_SLICE("\xE2\x80\xAE"),
		TD_SLICE("a\0b")};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		why = NULL;
		assert_false(apikey_check_name(refused[i], &why));
		assert_non_null(why);
	}
	char longest[101];
	memset(longest, 'a', sizeof(longest));
	assert_true(apikey_check_name(td_slice(longest, 100), &why));
	assert_false(apikey_check_name(td_slice(longest, 101), &why));
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_apikey_generated_is_wellformed_and_unique),
		cmocka_unit_test(test_apikey_any_changed_character_is_noticed),
		cmocka_unit_test(test_apikey_other_lengths_are_refused),
		cmocka_unit_test(test_apikey_format_does_not_change),
		cmocka_unit_test(test_apikey_hash_is_sha256),
		cmocka_unit_test(test_apikey_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
