#include "app/period.h"

#include "base/clock.h"

#define MONTHS_OF_YEAR 12

int app_period_anchor(int64_t wall_ms)
{
	return td_date_of(wall_ms).day;
}

/* Of a row that somebody else wrote. */
static int anchor_within(int anchor_day)
{
	return anchor_day < 1 ? 1 : anchor_day > 31 ? 31 : anchor_day;
}

static int64_t months_of(enum store_cycle cycle)
{
	return cycle == STORE_CYCLE_YEARLY ? MONTHS_OF_YEAR : 1;
}

/* Months since the year 0. */
static int64_t month_number(const struct td_date *date)
{
	return date->year * MONTHS_OF_YEAR + date->month - 1;
}

/* Rounds down before the year 0 too. */
static void set_month(struct td_date *date, int64_t number)
{
	int64_t month = number % MONTHS_OF_YEAR;
	month += month < 0 ? MONTHS_OF_YEAR : 0;
	date->year = (number - month) / MONTHS_OF_YEAR;
	date->month = (int)month + 1;
}

int64_t app_period_nth_end(int64_t start_ms, int anchor_day, enum store_cycle cycle, int64_t count)
{
	struct td_date date = td_date_of(start_ms);
	set_month(&date, month_number(&date) + count * months_of(cycle));
	int most = td_days_of_month(date.year, date.month);
	int anchor = anchor_within(anchor_day);
	date.day = anchor < most ? anchor : most;
	return td_date_to_ms(&date);
}

int64_t app_period_end(int64_t start_ms, int anchor_day, enum store_cycle cycle)
{
	return app_period_nth_end(start_ms, anchor_day, cycle, 1);
}

/* The month tells it but for one: the anchor may come before or after. */
int64_t app_period_count(int64_t start_ms, int anchor_day, enum store_cycle cycle, int64_t until_ms)
{
	int64_t last_ms = until_ms < APP_PERIOD_LAST ? until_ms : APP_PERIOD_LAST - 1;
	if (start_ms > last_ms)
		return 0;
	struct td_date start = td_date_of(start_ms), last = td_date_of(last_ms);
	int64_t count = (month_number(&last) - month_number(&start)) / months_of(cycle);
	bool ends_before = count == 0 ||
			   app_period_nth_end(start_ms, anchor_day, cycle, count) <= last_ms;
	return count + ends_before;
}
