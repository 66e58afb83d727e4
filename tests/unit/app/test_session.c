#include "td_test.h"

#include "app/session.h"
#include "base/compiler.h"

#include <sodium.h>
#include <string.h>

/* Tokens are 43 characters of base64url, and no two are alike. */
static void test_tokens_are_wellformed_and_differ(void **state)
{
	(void)state;
	char one[APP_TOKEN_TEXT_SIZE], other[APP_TOKEN_TEXT_SIZE];
	for (int i = 0; i < 200; i++) {
		app_token_generate(one);
		app_token_generate(other);
		assert_int_equal(strlen(one), APP_TOKEN_LEN);
		assert_true(app_token_is_wellformed(td_slice_str(one)));
		assert_string_not_equal(one, other);
	}
}

/* What cannot be one of ours is told without asking a store: other lengths and alphabets, padding,
 * and bits set where 32 bytes have none. */
static void test_other_texts_are_no_tokens(void **state)
{
	(void)state;
	char token[APP_TOKEN_TEXT_SIZE + 1];
	app_token_generate(token);
	assert_false(app_token_is_wellformed(td_slice(NULL, 0)));
	assert_false(app_token_is_wellformed(td_slice(token, APP_TOKEN_LEN - 1)));
	token[APP_TOKEN_LEN] = 'A';
	assert_false(app_token_is_wellformed(td_slice(token, APP_TOKEN_LEN + 1)));
	static const char *const bad[] = {
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB", /* a bit too much */
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"AAAAAAAAAAAAAAAAAAAAA+AAAAAAAAAAAAAAAAAAAAA",
		"AAAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAA",
		"AAAAAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAAA",
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++)
		assert_false(app_token_is_wellformed(td_slice_str(bad[i])));
}

/* The hash that is kept is SHA-256 of the text: fixed, since stored sessions rely on it. */
static void test_token_hash_is_sha256(void **state)
{
	(void)state;
	uint8_t hash[TD_SHA256_SIZE];
	char hex[TD_SHA256_TEXT_SIZE];
	app_token_hash(TD_SLICE("abc"), hash);
	td_hex(hash, sizeof(hash), hex);
	assert_string_equal(
		hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* A form's token fits the cookie it was made for, and no other; and it is not the cookie's. */
static void test_csrf_is_bound_to_its_cookie(void **state)
{
	(void)state;
	char mine[APP_TOKEN_TEXT_SIZE], theirs[APP_TOKEN_TEXT_SIZE];
	char form[APP_TOKEN_TEXT_SIZE], foreign[APP_TOKEN_TEXT_SIZE];
	app_token_generate(mine);
	app_token_generate(theirs);
	app_csrf_make(td_slice_str(mine), form);
	app_csrf_make(td_slice_str(theirs), foreign);
	assert_true(app_csrf_matches(td_slice_str(mine), td_slice_str(form)));
	assert_false(app_csrf_matches(td_slice_str(mine), td_slice_str(foreign)));
	assert_false(app_csrf_matches(td_slice_str(mine), td_slice_str(mine)));
	assert_false(app_csrf_matches(td_slice_str(mine), td_slice(form, APP_TOKEN_LEN - 1)));
	assert_false(app_csrf_matches(td_slice_str(mine), td_slice(NULL, 0)));
	form[APP_TOKEN_LEN - 1] ^= 4;
	assert_false(app_csrf_matches(td_slice_str(mine), td_slice_str(form)));
}

/* Without a cookie nothing matches, not even what follows from an empty one. */
static void test_csrf_needs_a_cookie(void **state)
{
	(void)state;
	char form[APP_TOKEN_TEXT_SIZE];
	app_csrf_make(td_slice(NULL, 0), form);
	assert_false(app_csrf_matches(td_slice(NULL, 0), td_slice_str(form)));
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens_are_wellformed_and_differ),
		cmocka_unit_test(test_other_texts_are_no_tokens),
		cmocka_unit_test(test_token_hash_is_sha256),
		cmocka_unit_test(test_csrf_is_bound_to_its_cookie),
		cmocka_unit_test(test_csrf_needs_a_cookie),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
