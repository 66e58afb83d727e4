#include "app/period.h"

#include "base/clock.h"

int app_period_anchor(int64_t wall_ms)
{
	return td_date_of(wall_ms).day;
}

int64_t app_period_end(int64_t start_ms, int anchor_day, enum store_cycle cycle)
{
	struct td_date date = td_date_of(start_ms);
	if (cycle == STORE_CYCLE_YEARLY) {
		date.year++;
	} else if (date.month == 12) {
		date.year++;
		date.month = 1;
	} else {
		date.month++;
	}
	int most = td_days_of_month(date.year, date.month);
	date.day = anchor_day < most ? anchor_day : most;
	return td_date_to_ms(&date);
}
