#include "td_test.h"

#include "api/auth.h"
#include "app/apikey.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static bool read_text(const char *text, size_t count, uint8_t hash[TD_SHA256_SIZE])
{
	const char *why = NULL;
	bool ok = api_auth_read(td_slice_str(text), count, hash, &why);
	assert_true(ok == (why == NULL));
	return ok;
}

/* The scheme has no case (RFC 9110 section 11.1), spaces may be several; the hash is the key's. */
static void test_auth_takes_a_bearer_key(void **state)
{
	(void)state;
	char key[APIKEY_TEXT_SIZE], header[128];
	uint8_t hash[TD_SHA256_SIZE], expected[TD_SHA256_SIZE];
	apikey_generate(key);
	apikey_hash(td_slice_str(key), expected);
	static const char *const forms[] = {"Bearer %s", "bearer %s", "BEARER  %s"};
	for (size_t i = 0; i < 3; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(header, sizeof(header), forms[i], key);
#pragma GCC diagnostic pop
		memset(hash, 0, sizeof(hash));
		assert_true(read_text(header, 1, hash));
		assert_memory_equal(hash, expected, sizeof(hash));
	}
}

/* Whatever else there is, is refused with a sentence. */
static void test_auth_refuses_everything_else(void **state)
{
	(void)state;
	char key[APIKEY_TEXT_SIZE], header[128];
	uint8_t hash[TD_SHA256_SIZE];
	static const char *const bad[] = {"", "Bearer", "Bearer ", "Bearer td_", "Basic YTpi",
		"Bearer not-a-key", "td_", "Bearer\ttd_"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(read_text(bad[i], 1, hash));
	assert_false(read_text("", 0, hash));
	apikey_generate(key);
	(void)snprintf(header, sizeof(header), "Bearer %s", key);
	assert_false(read_text(header, 2, hash));
	(void)snprintf(header, sizeof(header), "Bearer%s", key);
	assert_false(read_text(header, 1, hash));
	(void)snprintf(header, sizeof(header), "Bearer %s x", key);
	assert_false(read_text(header, 1, hash));
	(void)snprintf(header, sizeof(header), "Token %s", key);
	assert_false(read_text(header, 1, hash));
}

/* The sentence never repeats what was sent. */
static void test_auth_words_hold_no_secret(void **state)
{
	(void)state;
	uint8_t hash[TD_SHA256_SIZE];
	const char *why = NULL;
	assert_false(api_auth_read(TD_SLICE("Bearer td_secret"), 1, hash, &why));
	assert_null(strstr(why, "secret"));
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auth_takes_a_bearer_key),
		cmocka_unit_test(test_auth_refuses_everything_else),
		cmocka_unit_test(test_auth_words_hold_no_secret),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
