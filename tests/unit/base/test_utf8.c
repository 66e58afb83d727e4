#include "td_test.h"
#include "utf8_encode.h"

#include "base/utf8.h"

#include <string.h>

/* Every number up to 0x1FFFFF: exactly the scalar values are taken, and come out as they were. */
static void test_utf8_every_code_point(void **state)
{
	(void)state;
	for (uint32_t code = 0; code <= 0x1FFFFF; code++) {
		char bytes[4];
		struct td_slice rest = td_slice(bytes, utf8_encode(code, bytes));
		bool scalar = code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF);
		uint32_t read = 0;
		bool taken = td_utf8_next(&rest, &read);
		if (taken != scalar || (taken && (read != code || rest.len != 0)))
			fail_msg("U+%04X", (unsigned)code);
	}
}

/* All pairs and triples of bytes at the edges: no overlong form, no lone continuation. */
static void test_utf8_every_pair_of_bytes(void **state)
{
	(void)state;
	for (unsigned a = 0; a < 256; a++) {
		for (unsigned b = 0; b < 256; b++) {
			char bytes[2] = {(char)a, (char)b};
			bool ascii = a < 0x80 && b < 0x80;
			bool two = a >= 0xC2 && a <= 0xDF && b >= 0x80 && b <= 0xBF;
			if (td_utf8_is_valid(td_slice(bytes, 2)) != (ascii || two))
				fail_msg("%02X %02X", a, b);
		}
	}
}

static void test_utf8_overlong_and_cut_forms_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF",
		"\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
		"\xF8\x88\x80\x80\x80", "\xFE", "\xFF", "\x80", "\xE2\x82", "\xF0\x9F\x98",
		"\xE2\x28\xA1"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct td_slice rest = td_slice_str(bad[i]), before = rest;
		uint32_t code;
		assert_false(td_utf8_next(&rest, &code));
		assert_ptr_equal(rest.ptr, before.ptr);
		assert_int_equal(rest.len, before.len);
		assert_false(td_utf8_is_valid(before));
	}
	assert_true(td_utf8_is_valid(td_slice_str(NULL)));
}

static void test_utf8_counts_characters(void **state)
{
	(void)state;
	assert_int_equal(td_utf8_count(TD_SLICE("a\xC3\xB1\xE2\x82\xAC\xF0\x9F\x98\x80")), 4);
	assert_int_equal(td_utf8_count(td_slice_str(NULL)), 0);
}

/* Cut at any length, what is left is valid, and at most three bytes shorter than asked. */
static void test_utf8_floor_never_splits_a_character(void **state)
{
	(void)state;
	static const char text[] = "x\xC3\xB1\xE2\x82\xAC\xF0\x9F\x98\x80y";
	for (size_t len = 0; len < sizeof(text); len++) {
		size_t floor = td_utf8_floor(text, len);
		assert_true(floor <= len && len - floor <= 3);
		assert_true(td_utf8_is_valid(td_slice(text, floor)));
	}
	assert_int_equal(td_utf8_floor(text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(td_utf8_floor("\x80\x80\x80\x80\x80", 5), 5);
}

static void test_utf8_controls(void **state)
{
	(void)state;
	static const uint32_t controls[] = {0, 0x1F, 0x7F, 0x80, 0x9F, 0x2028, 0x2029, 0x202A,
		0x202E, 0x2066, 0x2069, 0xFDD0, 0xFDEF, 0xFFFE, 0xFFFF, 0x1FFFE, 0x10FFFF};
	static const uint32_t letters[] = {' ', '~', 0xA0, 0xF1, 0x2027, 0x202F, 0x2065, 0x206A,
		0xFDCF, 0xFDF0, 0xFFFD, 0x1F600, 0x10FFFD};
	for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++)
		assert_true(td_utf8_is_control(controls[i]));
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		assert_false(td_utf8_is_control(letters[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8_every_code_point),
		cmocka_unit_test(test_utf8_every_pair_of_bytes),
		cmocka_unit_test(test_utf8_overlong_and_cut_forms_are_refused),
		cmocka_unit_test(test_utf8_counts_characters),
		cmocka_unit_test(test_utf8_floor_never_splits_a_character),
		cmocka_unit_test(test_utf8_controls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
