#include "base/clock.h"

#include <time.h>

static int64_t system_wall_ms(void *ctx)
{
	(void)ctx;
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t td_clock_mono_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t system_mono_ms(void *ctx)
{
	(void)ctx;
	return td_clock_mono_ns() / 1000000u;
}

const struct td_clock td_clock_system = {.wall_ms = system_wall_ms, .mono_ms = system_mono_ms};

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar, and back: the era of 400
 * years begins on 1 March, so that the leap day is the last of its year. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t of_era = days - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;
	*ret_day = (int)(of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (int)(month < 10 ? month + 3 : month - 9);
	*ret_year = year + era * 400 + (*ret_month <= 2);
}

#define DAY_MS INT64_C(86400000)

struct td_date td_date_of(int64_t wall_ms)
{
	struct td_date date;
	int64_t days = wall_ms / DAY_MS;
	date.of_day_ms = wall_ms % DAY_MS;
	if (date.of_day_ms < 0) {
		date.of_day_ms += DAY_MS;
		days--;
	}
	civil_from_days(days, &date.year, &date.month, &date.day);
	return date;
}

int64_t td_date_to_ms(const struct td_date *date)
{
	return days_from_civil(date->year, date->month, date->day) * DAY_MS + date->of_day_ms;
}

int td_days_of_month(int64_t year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return month == 2 && leap ? 29 : days[month - 1];
}

/* By hand, because every user that is shown has two times, and printf takes ten times as long. */
static char *put_digits(char *out, unsigned value, size_t count, char after)
{
	for (size_t i = count; i-- > 0; value /= 10)
		out[i] = (char)('0' + value % 10);
	out[count] = after;
	return out + count + 1;
}

void td_time_format(int64_t wall_ms, char out[TD_TIME_TEXT_SIZE])
{
	struct td_date date = td_date_of(wall_ms);
	int64_t of_day = date.of_day_ms / 1000;
	char *at = put_digits(out, (unsigned)((uint64_t)date.year % 10000u), 4, '-');
	at = put_digits(at, (unsigned)date.month, 2, '-');
	at = put_digits(at, (unsigned)date.day, 2, 'T');
	at = put_digits(at, (unsigned)(of_day / 3600), 2, ':');
	at = put_digits(at, (unsigned)(of_day / 60 % 60), 2, ':');
	at = put_digits(at, (unsigned)(of_day % 60), 2, '.');
	at = put_digits(at, (unsigned)(date.of_day_ms % 1000), 3, 'Z');
	*at = '\0';
}

static bool take_digits(struct td_slice *rest, size_t count, int *ret)
{
	int value = 0;
	if (rest->len < count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (rest->ptr[i] < '0' || rest->ptr[i] > '9')
			return false;
		value = value * 10 + (rest->ptr[i] - '0');
	}
	*rest = td_slice_skip(*rest, count);
	*ret = value;
	return true;
}

static bool take_char(struct td_slice *rest, char c)
{
	if (rest->len == 0 || rest->ptr[0] != c)
		return false;
	*rest = td_slice_skip(*rest, 1);
	return true;
}

/* ".123456789" or nothing. */
static bool take_fraction(struct td_slice *rest, int *ret_ms)
{
	*ret_ms = 0;
	if (!take_char(rest, '.'))
		return true;
	int scale = 100, digits = 0, one;
	for (; digits < 9 && take_digits(rest, 1, &one); digits++) {
		*ret_ms += one * scale;
		scale /= 10;
	}
	return digits > 0;
}

static bool take_offset(struct td_slice *rest, int *ret_minutes)
{
	*ret_minutes = 0;
	if (take_char(rest, 'Z') || take_char(rest, 'z'))
		return true;
	int sign = take_char(rest, '+') ? 1 : take_char(rest, '-') ? -1 : 0;
	int hours, minutes;
	if (sign == 0 || !take_digits(rest, 2, &hours) || !take_char(rest, ':') ||
		!take_digits(rest, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_minutes = sign * (hours * 60 + minutes);
	return true;
}

bool td_time_parse(struct td_slice text, int64_t *ret_wall_ms)
{
	int year, month, day, hour, minute, second, ms, offset;
	if (!take_digits(&text, 4, &year) || !take_char(&text, '-') ||
		!take_digits(&text, 2, &month) || !take_char(&text, '-') ||
		!take_digits(&text, 2, &day))
		return false;
	if (!take_char(&text, 'T') && !take_char(&text, 't') && !take_char(&text, ' '))
		return false;
	if (!take_digits(&text, 2, &hour) || !take_char(&text, ':') ||
		!take_digits(&text, 2, &minute) || !take_char(&text, ':') ||
		!take_digits(&text, 2, &second))
		return false;
	if (!take_fraction(&text, &ms) || !take_offset(&text, &offset) || text.len != 0)
		return false;
	if (month < 1 || month > 12 || day < 1 || day > td_days_of_month(year, month) ||
		hour > 23 || minute > 59 || second > 59)
		return false;
	int64_t days = days_from_civil(year, month, day);
	int64_t seconds = days * 86400 + hour * 3600 + minute * 60 + second - (int64_t)offset * 60;
	*ret_wall_ms = seconds * 1000 + ms;
	return true;
}
