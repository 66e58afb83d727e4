#include "td_test.h"

#include "base/uuid.h"

#include <sodium.h>
#include <string.h>

/* The example of RFC 9562, appendix A.6. */
static void test_uuid_v7_known_vector(void **state)
{
	(void)state;
	static const uint8_t random[10] = {
		0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F};
	char text[TD_UUID_TEXT_SIZE];
	td_uuid_v7_make(INT64_C(0x017F22E279B0), random, text);
	assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

/* Version and variant are right whatever the random bytes are. */
static void test_uuid_v7_fixed_bits(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		uint8_t random[10];
		memset(random, (int)byte, sizeof(random));
		char text[TD_UUID_TEXT_SIZE];
		td_uuid_v7_make(INT64_C(1795421100123), random, text);
		assert_int_equal(text[14], '7');
		assert_non_null(strchr("89ab", text[19]));
		assert_true(td_uuid_is_valid(td_slice_str(text)));
	}
}

/* Later times sort later, and two of one moment differ. */
static void test_uuid_v7_sorts_by_time(void **state)
{
	(void)state;
	assert_true(sodium_init() >= 0);
	char before[TD_UUID_TEXT_SIZE], after[TD_UUID_TEXT_SIZE];
	td_uuid_v7(1, before);
	for (int64_t ms = 2; ms < INT64_C(1) << 47; ms *= 3) {
		td_uuid_v7(ms, after);
		assert_true(strcmp(before, after) < 0);
		memcpy(before, after, sizeof(before));
	}
	td_uuid_v7(7, before);
	td_uuid_v7(7, after);
	assert_string_not_equal(before, after);
}

static void test_uuid_form_is_checked(void **state)
{
	(void)state;
	assert_true(td_uuid_is_valid(TD_SLICE("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")));
	static const char *const bad[] = {"", "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398f0", "017f22e2079b0-7cc3-98c4-dc0c0c07398f",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398g", "017f22e2-79b0-7cc3-98c4-dc0c0c0-398f",
		"{17f22e2-79b0-7cc3-98c4-dc0c0c07398}"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(td_uuid_is_valid(td_slice_str(bad[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uuid_v7_known_vector),
		cmocka_unit_test(test_uuid_v7_fixed_bits),
		cmocka_unit_test(test_uuid_v7_sorts_by_time),
		cmocka_unit_test(test_uuid_form_is_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
