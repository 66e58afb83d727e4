#include "td_test.h"

#include "app/period.h"
#include "base/clock.h"
#include "base/compiler.h"

#include <stdio.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)

static int64_t at(const char *text)
{
	int64_t ms = 0;
	if (!td_time_parse(td_slice_str(text), &ms))
		fail_msg("%s is no time", text);
	return ms;
}

static void assert_time(int64_t ms, const char *wanted, const char *of)
{
	char got[TD_TIME_TEXT_SIZE], want[TD_TIME_TEXT_SIZE];
	td_time_format(ms, got);
	td_time_format(at(wanted), want);
	if (strcmp(got, want) != 0)
		fail_msg("%s: %s, not %s", of, got, want);
}

#define M STORE_CYCLE_MONTHLY
#define Y STORE_CYCLE_YEARLY

/* A subscription's periods one after the other, its anchor being the day on which it began. */
static void test_period_vectors(void **state)
{
	(void)state;
	static const struct {
		enum store_cycle cycle;
		const char *starts[8];
	} chains[] = {
		{M, {"2026-01-31T09:30:00Z", "2026-02-28T09:30:00Z", "2026-03-31T09:30:00Z",
			    "2026-04-30T09:30:00Z", "2026-05-31T09:30:00Z"}},
		{M, {"2028-01-31T00:00:00Z", "2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"}},
		{M, {"2027-01-30T23:59:59.999Z", "2027-02-28T23:59:59.999Z",
			    "2027-03-30T23:59:59.999Z", "2027-04-30T23:59:59.999Z"}},
		{M, {"2028-01-29T12:00:00Z", "2028-02-29T12:00:00Z", "2028-03-29T12:00:00Z"}},
		{M, {"2027-01-29T12:00:00Z", "2027-02-28T12:00:00Z", "2027-03-29T12:00:00Z"}},
		{M, {"2024-02-29T12:00:00Z", "2024-03-29T12:00:00Z"}},
		{M, {"2026-10-31T01:00:00Z", "2026-11-30T01:00:00Z", "2026-12-31T01:00:00Z",
			    "2027-01-31T01:00:00Z", "2027-02-28T01:00:00Z"}},
		{M, {"2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"}},
		{M, {"2100-01-29T00:00:00Z", "2100-02-28T00:00:00Z", "2100-03-29T00:00:00Z"}},
		{M, {"1969-12-31T23:00:00Z", "1970-01-31T23:00:00Z", "1970-02-28T23:00:00Z"}},
		{Y, {"2024-02-29T08:00:00Z", "2025-02-28T08:00:00Z", "2026-02-28T08:00:00Z",
			    "2027-02-28T08:00:00Z", "2028-02-29T08:00:00Z"}},
		{Y, {"2026-12-31T23:59:59.999Z", "2027-12-31T23:59:59.999Z"}},
		{Y, {"2096-02-29T08:00:00Z", "2097-02-28T08:00:00Z", "2098-02-28T08:00:00Z",
			    "2099-02-28T08:00:00Z", "2100-02-28T08:00:00Z",
			    "2101-02-28T08:00:00Z"}},
		{Y, {"1999-07-15T08:00:00Z", "2000-07-15T08:00:00Z"}},
	};
	for (size_t c = 0; c < TD_ARRAY_LEN(chains); c++) {
		const char *const *starts = chains[c].starts;
		int anchor = app_period_anchor(at(starts[0]));
		for (size_t i = 0; i + 1 < TD_ARRAY_LEN(chains[c].starts) && starts[i + 1]; i++)
			assert_time(app_period_end(at(starts[i]), anchor, chains[c].cycle),
				starts[i + 1], starts[i]);
	}
}

/* ---- an oracle that only counts days
 * ---------------------------------------------------------------------- */

struct day {
	int year, month, day;
};

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return days[month - 1] + (month == 2 && is_leap(year));
}

static void next_day(struct day *d)
{
	if (++d->day <= days_of(d->year, d->month))
		return;
	d->day = 1;
	if (++d->month <= 12)
		return;
	d->month = 1;
	d->year++;
}

/* Days from `d` to the first day that can end its period: of the next month (or of the same month a
 * year later) the anchor's, or the last. */
static int days_to_end(struct day d, int anchor, enum store_cycle cycle)
{
	const struct day start = d;
	for (int days = 1;; days++) {
		next_day(&d);
		int months = (d.year - start.year) * 12 + d.month - start.month;
		int last = days_of(d.year, d.month);
		if (months == (cycle == Y ? 12 : 1) && d.day == (anchor < last ? anchor : last))
			return days;
	}
}

static void check_day(struct day d, int64_t start)
{
	for (int anchor = 1; anchor <= 31; anchor++) {
		int64_t month = start + days_to_end(d, anchor, M) * DAY_MS;
		assert_int_equal(app_period_end(start, anchor, M), month);
	}
	int64_t year = start + days_to_end(d, d.day, Y) * DAY_MS;
	assert_int_equal(app_period_end(start, d.day, Y), year);
	assert_int_equal(app_period_anchor(start), d.day);
}

/* Every day of these years, with every anchor: 2000 is a leap year, 2100 is none. */
static void test_period_agrees_with_counting_days(void **state)
{
	(void)state;
	static const struct {
		int from, to;
		int64_t day; /* since 1970 */
	} years[] = {{1999, 2030, 10592}, {2095, 2102, 45656}};
	for (size_t i = 0; i < TD_ARRAY_LEN(years); i++) {
		int64_t day = years[i].day;
		for (struct day d = {years[i].from, 1, 1}; d.year < years[i].to; next_day(&d))
			check_day(d, day++ * DAY_MS + INT64_C(12345678));
	}
}

/* ---- many periods in one step
 * ------------------------------------------------------------------------------- */

/* The n-th end is where n steps lead, and the count of periods that have begun is that of the steps
 * up to a moment: just before an end, at it, just after it. */
static void test_period_many_at_once_are_as_many_one_by_one(void **state)
{
	(void)state;
	static const char *const starts[] = {"2024-01-31T10:00:00Z", "2024-02-29T10:00:00Z",
		"2023-12-30T10:00:00Z", "1899-06-15T00:00:00Z", "0004-02-29T23:59:59.999Z"};
	for (size_t s = 0; s < TD_ARRAY_LEN(starts); s++) {
		for (int anchor = 1; anchor <= 31; anchor++) {
			for (enum store_cycle cycle = M; cycle <= Y; cycle++) {
				int64_t start = at(starts[s]), end = start;
				assert_int_equal(
					app_period_count(start, anchor, cycle, start - 1), 0);
				for (int64_t n = 1; n <= 60; n++) {
					int64_t begin = end;
					end = app_period_end(begin, anchor, cycle);
					assert_true(end > begin);
					assert_int_equal(
						app_period_nth_end(start, anchor, cycle, n), end);
					assert_int_equal(
						app_period_count(start, anchor, cycle, begin), n);
					assert_int_equal(
						app_period_count(start, anchor, cycle, end - 1), n);
				}
			}
		}
	}
}

/* None begins at the last moment or later, whatever the clock says. */
static void test_period_none_begins_after_the_last(void **state)
{
	(void)state;
	int64_t start = APP_PERIOD_LAST - 40 * DAY_MS;
	int64_t first = app_period_end(start, 31, M), second = app_period_end(first, 31, M);
	assert_true(first < APP_PERIOD_LAST && second >= APP_PERIOD_LAST);
	assert_int_equal(app_period_count(start, 31, M, APP_PERIOD_LAST), 2);
	assert_int_equal(app_period_count(start, 31, M, INT64_MAX), 2);
	assert_int_equal(app_period_count(APP_PERIOD_LAST, 31, M, INT64_MAX), 0);
	assert_int_equal(app_period_count(INT64_MAX, 31, Y, INT64_MAX), 0);
}

/* Anchors that no day has, and times far outside: the next period begins later all the same. */
static void test_period_of_hostile_rows_goes_on(void **state)
{
	(void)state;
	static const int anchors[] = {INT32_MIN, -40, 0, 32, INT32_MAX};
	static const int64_t starts[] = {INT64_MIN, INT64_C(-62135596800001), -1, 0,
		INT64_C(951782400000) /* 29 February 2000 */, APP_PERIOD_LAST - 1};
	for (size_t a = 0; a < TD_ARRAY_LEN(anchors); a++) {
		int nearest = anchors[a] < 1 ? 1 : 31;
		for (size_t s = 0; s < TD_ARRAY_LEN(starts); s++) {
			for (enum store_cycle cycle = M; cycle <= Y; cycle++) {
				int64_t end = app_period_end(starts[s], anchors[a], cycle);
				assert_true(end > starts[s]);
				assert_int_equal(end, app_period_end(starts[s], nearest, cycle));
				assert_true(app_period_count(starts[s], anchors[a], cycle,
						    APP_PERIOD_LAST) > 0);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_period_vectors),
		cmocka_unit_test(test_period_agrees_with_counting_days),
		cmocka_unit_test(test_period_many_at_once_are_as_many_one_by_one),
		cmocka_unit_test(test_period_none_begins_after_the_last),
		cmocka_unit_test(test_period_of_hostile_rows_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
