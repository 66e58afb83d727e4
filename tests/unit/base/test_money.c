#include "td_test.h"

#include "base/money.h"

#include <stdio.h>

static void check_parse(const char *text, int64_t wanted)
{
	int64_t minor = -1;
	if (!td_money_parse(td_slice_str(text), &minor))
		fail_msg("%s was refused", text);
	assert_int_equal(minor, wanted);
}

static void test_money_reads_what_people_write(void **state)
{
	(void)state;
	check_parse("0", 0);
	check_parse("0.00", 0);
	check_parse("29.99", 2999);
	check_parse("29.9", 2990);
	check_parse("29", 2900);
	check_parse("007.05", 705);
	check_parse("9999999999.99", TD_MONEY_MAX);
}

static void test_money_refuses_what_is_not_exact(void **state)
{
	(void)state;
	static const char *const bad[] = {"", ".", "1.", ".5", "-1", "+1", "1e3", "1.234", "1,00",
		"1..0", "1.2.3", " 1", "1 ", "10000000000", "10000000000.00", "0x10",
		"99999999999999999999999999", "1.0a", "\xD9\xA1"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t minor = 7;
		if (td_money_parse(td_slice_str(bad[i]), &minor))
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(minor, 7);
	}
	int64_t minor;
	assert_false(td_money_parse(td_slice_str(NULL), &minor));
}

/* What is written is read back as the same amount. */
static void test_money_round_trip(void **state)
{
	(void)state;
	for (int64_t minor = 0; minor <= TD_MONEY_MAX;
		minor = minor < 20000 ? minor + 1 : minor * 3) {
		struct td_buf b = TD_BUF_INIT;
		td_money_put(&b, minor);
		check_parse(td_buf_cstr(&b), minor);
		td_buf_done(&b);
	}
}

static void test_money_is_written_with_two_places(void **state)
{
	(void)state;
	static const struct {
		int64_t minor;
		const char *text;
	} known[] = {
		{0, "0.00"},
		{5, "0.05"},
		{2999, "29.99"},
		{-5, "-0.05"},
		{-12345, "-123.45"},
		{INT64_MAX, "92233720368547758.07"},
		{INT64_MIN, "-92233720368547758.08"},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct td_buf b = TD_BUF_INIT;
		td_money_put(&b, known[i].minor);
		assert_string_equal(td_buf_cstr(&b), known[i].text);
		td_buf_done(&b);
	}
}

static void test_money_only_currencies_with_two_places(void **state)
{
	(void)state;
	static const char *const good[] = {"USD", "EUR", "GBP", "MXN", "CHF", "INR"};
	static const char *const bad[] = {
		"JPY", "KRW", "BHD", "KWD", "CLF", "XAU", "usd", "US", "USDX", "", "U1D", "U$D"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(td_money_is_currency(td_slice_str(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(td_money_is_currency(td_slice_str(bad[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_money_reads_what_people_write),
		cmocka_unit_test(test_money_refuses_what_is_not_exact),
		cmocka_unit_test(test_money_round_trip),
		cmocka_unit_test(test_money_is_written_with_two_places),
		cmocka_unit_test(test_money_only_currencies_with_two_places),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
