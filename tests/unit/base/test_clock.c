#include "td_test.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Every day from 1600 to 2400, counted one by one: written, and read back. */
static void test_time_every_day_of_800_years(void **state)
{
	(void)state;
	int64_t day = -135140; /* 1600-01-01 */
	for (int year = 1600; year <= 2400; year++) {
		for (int month = 1; month <= 12; month++) {
			for (int date = 1; date <= days_of(year, month); date++, day++) {
				char wanted[64], got[TD_TIME_TEXT_SIZE];
				(void)snprintf(wanted, sizeof(wanted),
					"%04d-%02d-%02dT23:59:59.999Z", year, month, date);
				int64_t ms = day * DAY_MS + DAY_MS - 1, read = 0;
				td_time_format(ms, got);
				if (strcmp(got, wanted) != 0 ||
					!td_time_parse(td_slice_str(wanted), &read) || read != ms)
					fail_msg("%s came out as %s", wanted, got);
			}
		}
	}
	assert_int_equal(day, 157420); /* 2401-01-01 */
}

static void test_time_known_moments(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} known[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01t00:00:00.001z", 1},
		{"1969-12-31 23:59:59.999Z", -1},
		{"2000-02-29T12:00:00+00:00", INT64_C(951825600000)},
		{"2026-11-23T08:05:00.123Z", INT64_C(1795421100123)},
		{"2026-11-23T10:35:00.123456789+02:30", INT64_C(1795421100123)},
		{"2026-11-22T23:05:00.1-09:00", INT64_C(1795421100100)},
		{"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
		{"0000-01-01T00:00:00Z", INT64_C(-62167219200000)},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		int64_t ms = 0;
		assert_true(td_time_parse(td_slice_str(known[i].text), &ms));
		assert_int_equal(ms, known[i].ms);
	}
}

static void test_time_wrong_texts_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "2026", "2026-11-23", "2026-11-23T08:05:00",
		"2026-11-23T08:05Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
		"2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
		"2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z",
		"2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+00:60",
		"2026-01-01T00:00:00+0000", "2026-01-01T00:00:00 Z", "2026-01-01T00:00:00ZZ",
		"2026-01-01X00:00:00Z", "2026-1-01T00:00:00Z", "+026-01-01T00:00:00Z",
		"2026-01-01T00:00:-1Z", "2026/01/01T00:00:00Z", "2026-01-01T00.00.00Z"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t ms = 7;
		if (td_time_parse(td_slice_str(bad[i]), &ms))
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(ms, 7);
	}
}

/* Any number of milliseconds is written within its 24 characters. */
static void test_time_format_of_extremes_stays_in_its_buffer(void **state)
{
	(void)state;
	static const int64_t extremes[] = {
		INT64_MIN, INT64_MAX, INT64_C(-62167219200001), INT64_C(253402300800000)};
	for (size_t i = 0; i < sizeof(extremes) / sizeof(extremes[0]); i++) {
		char text[TD_TIME_TEXT_SIZE];
		td_time_format(extremes[i], text);
		assert_int_equal(strlen(text), TD_TIME_TEXT_SIZE - 1);
	}
}

/* A moment taken apart and put together again is itself: in every month, before 1970 and before the
 * year 0 too, at the first and last millisecond of a day. */
static void test_date_there_and_back(void **state)
{
	(void)state;
	for (int64_t day = -800000; day < 800000; day += 13) {
		int64_t moments[] = {day * DAY_MS, day * DAY_MS + DAY_MS - 1};
		for (size_t i = 0; i < 2; i++) {
			struct td_date date = td_date_of(moments[i]);
			assert_int_equal(date.of_day_ms, i == 0 ? 0 : DAY_MS - 1);
			assert_true(date.month >= 1 && date.month <= 12 && date.day >= 1);
			assert_true(date.day <= td_days_of_month(date.year, date.month));
			assert_int_equal(td_date_to_ms(&date), moments[i]);
		}
	}
}

static void test_date_known_moments(void **state)
{
	(void)state;
	static const struct {
		int64_t ms;
		struct td_date date;
	} known[] = {
		{0, {1970, 1, 1, 0}},
		{-1, {1969, 12, 31, DAY_MS - 1}},
		{INT64_C(951825600000), {2000, 2, 29, 43200000}},
		{INT64_C(1795421100123), {2026, 11, 23, 29100123}},
		{INT64_C(253402300799999), {9999, 12, 31, DAY_MS - 1}},
		{INT64_C(253402300800000), {10000, 1, 1, 0}},
		{INT64_C(-62167219200000), {0, 1, 1, 0}},
		{INT64_C(-62167219200001), {-1, 12, 31, DAY_MS - 1}},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct td_date got = td_date_of(known[i].ms);
		assert_int_equal(got.year, known[i].date.year);
		assert_int_equal(got.month, known[i].date.month);
		assert_int_equal(got.day, known[i].date.day);
		assert_int_equal(got.of_day_ms, known[i].date.of_day_ms);
		assert_int_equal(td_date_to_ms(&known[i].date), known[i].ms);
	}
}

/* No number of milliseconds is too large for a date. */
static void test_date_of_extremes(void **state)
{
	(void)state;
	static const int64_t extremes[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX};
	for (size_t i = 0; i < sizeof(extremes) / sizeof(extremes[0]); i++) {
		struct td_date date = td_date_of(extremes[i]);
		assert_true(date.month >= 1 && date.month <= 12);
		assert_true(date.of_day_ms >= 0 && date.of_day_ms < DAY_MS);
		assert_int_equal(date.year > 0, extremes[i] > 0);
	}
}

static void test_days_of_every_month(void **state)
{
	(void)state;
	for (int year = 0; year <= 4000; year++) {
		for (int month = 1; month <= 12; month++)
			assert_int_equal(td_days_of_month(year, month), days_of(year, month));
	}
	assert_int_equal(td_days_of_month(-4, 2), 29);
	assert_int_equal(td_days_of_month(-100, 2), 28);
	assert_int_equal(td_days_of_month(-400, 2), 29);
}

static void test_system_clock_grows(void **state)
{
	(void)state;
	uint64_t before = td_clock_mono_ns(), ms = td_clock_mono_ms(&td_clock_system);
	assert_true(td_clock_mono_ns() >= before);
	assert_true(td_clock_mono_ms(&td_clock_system) >= ms);
	assert_true(ms >= before / 1000000);
	assert_true(td_clock_wall_ms(&td_clock_system) > INT64_C(1600000000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_every_day_of_800_years),
		cmocka_unit_test(test_time_known_moments),
		cmocka_unit_test(test_time_wrong_texts_are_refused),
		cmocka_unit_test(test_time_format_of_extremes_stays_in_its_buffer),
		cmocka_unit_test(test_date_there_and_back),
		cmocka_unit_test(test_date_known_moments),
		cmocka_unit_test(test_date_of_extremes),
		cmocka_unit_test(test_days_of_every_month),
		cmocka_unit_test(test_system_clock_grows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
