#include "td_test.h"

#include "base/digest.h"

#include <string.h>

static void check_digest(struct td_slice bytes, const char *wanted)
{
	uint8_t digest[TD_SHA256_SIZE];
	char text[TD_SHA256_TEXT_SIZE];
	td_sha256(bytes, digest);
	td_hex(digest, sizeof(digest), text);
	assert_string_equal(text, wanted);
}

/* The examples of FIPS 180-4. */
static void test_sha256_known_vectors(void **state)
{
	(void)state;
	check_digest(td_slice_str(NULL),
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check_digest(TD_SLICE("abc"),
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	check_digest(TD_SLICE("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	static char million[1000000];
	memset(million, 'a', sizeof(million));
	check_digest(td_slice(million, sizeof(million)),
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_hex_every_byte(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		uint8_t one = (uint8_t)byte;
		char got[3], wanted[3] = {"0123456789abcdef"[byte >> 4],
				     "0123456789abcdef"[byte & 15], '\0'};
		td_hex(&one, 1, got);
		assert_string_equal(got, wanted);
	}
	char empty[1] = {'x'};
	td_hex((const uint8_t *)"", 0, empty);
	assert_string_equal(empty, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256_known_vectors),
		cmocka_unit_test(test_hex_every_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
