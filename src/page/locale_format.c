#include "page/locale.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

struct pair {
	const char *name;
	struct td_slice value;
};

static struct td_slice text_or(const struct locale *locale, const char *key, const char *otherwise)
{
	struct td_slice text = locale_find_str(locale, key);
	return text.ptr != NULL ? text : td_slice_str(otherwise);
}

/* A text of the locale with its `{name}` filled in; not escaped: the template does that. */
static void put_pattern(
	struct td_buf *out, struct td_slice pattern, const struct pair *pairs, size_t count)
{
	struct td_slice before, name;
	while (pattern.len > 0 && tpl_text_next(&pattern, &before, &name)) {
		td_buf_put_slice(out, before);
		for (size_t i = 0; i < count; i++) {
			if (td_slice_is(name, pairs[i].name))
				td_buf_put_slice(out, pairs[i].value);
		}
	}
}

/* Digits in groups of three, where there are at least format.group_from of them. */
static void put_grouped(const struct locale *locale, struct td_buf *out, uint64_t number)
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, number);
	struct td_slice least = text_or(locale, "format.group_from", "4");
	size_t from = least.len == 1 && least.ptr[0] >= '1' && least.ptr[0] <= '9'
			      ? (size_t)(least.ptr[0] - '0')
			      : 4;
	struct td_slice group = text_or(locale, "format.group", "");
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0 && len >= from)
			td_buf_put_slice(out, group);
		td_buf_put_char(out, digits[i]);
	}
}

static uint64_t magnitude(int64_t number)
{
	return number < 0 ? UINT64_C(0) - (uint64_t)number : (uint64_t)number;
}

void locale_put_number(const struct locale *locale, struct td_buf *out, int64_t number)
{
	if (number < 0)
		td_buf_put_char(out, '-');
	put_grouped(locale, out, magnitude(number));
}

static struct td_slice find_symbol(const struct locale *locale, struct td_slice currency)
{
	char key[32];
	int len = snprintf(key, sizeof(key), "format.symbol.%.*s", TD_SLICE_ARG(currency));
	if (len < 0 || (size_t)len >= sizeof(key))
		return (struct td_slice){NULL, 0};
	for (char *at = key; *at != '\0'; at++) {
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at + ('a' - 'A'));
	}
	return locale_find_str(locale, key);
}

void locale_put_money(
	const struct locale *locale, struct td_buf *out, int64_t minor, struct td_slice currency)
{
	char room[64];
	struct td_buf amount = TD_BUF_INIT;
	uint64_t cents = magnitude(minor);
	int len = snprintf(room, sizeof(room), "%.*s%02u",
		TD_SLICE_ARG(text_or(locale, "format.decimal", ".")), (unsigned)(cents % 100));
	put_grouped(locale, &amount, cents / 100);
	td_buf_put(&amount, room, len > 0 && (size_t)len < sizeof(room) ? (size_t)len : 0);
	struct td_slice symbol = find_symbol(locale, currency);
	const struct pair pairs[] = {
		{"amount", td_buf_slice(&amount)},
		{"symbol", symbol},
		{"code", currency},
	};
	if (minor < 0)
		td_buf_put_char(out, '-');
	if (amount.failed)
		out->failed = true;
	put_pattern(out,
		symbol.ptr != NULL ? text_or(locale, "format.money", "{symbol}{amount}")
				   : text_or(locale, "format.money_code", "{code} {amount}"),
		pairs, TD_ARRAY_LEN(pairs));
	td_buf_done(&amount);
}

void locale_put_percent(const struct locale *locale, struct td_buf *out, int64_t percent)
{
	char number[24];
	int len = snprintf(number, sizeof(number), "%" PRId64, percent);
	const struct pair pairs[] = {{"number", td_slice(number, (size_t)len)}};
	put_pattern(
		out, text_or(locale, "format.percent", "{number}%"), pairs, TD_ARRAY_LEN(pairs));
}

void locale_put_date(const struct locale *locale, struct td_buf *out, int64_t wall_ms)
{
	char text[TD_TIME_TEXT_SIZE];
	td_time_format(wall_ms, text);
	char key[32];
	unsigned number = (unsigned)(text[5] - '0') * 10 + (unsigned)(text[6] - '0');
	(void)snprintf(key, sizeof(key), "format.month.%u", number);
	struct td_slice month = locale_find_str(locale, key);
	if (month.ptr == NULL)
		month = td_slice(text + 5, 2);
	struct td_slice day = {text + 8, 2};
	if (day.ptr[0] == '0')
		day = td_slice_skip(day, 1);
	const struct pair pairs[] = {
		{"day", day},
		{"month", month},
		{"year", {text, 4}},
	};
	put_pattern(out, text_or(locale, "format.date", "{year}-{month}-{day}"), pairs,
		TD_ARRAY_LEN(pairs));
}
