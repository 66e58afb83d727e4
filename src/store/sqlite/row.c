#include "store/sqlite/row.h"

#include "base/clock.h"
#include "base/money.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

#define BAD_ROWS_MOST 100

void sqlite_row_spoil(struct sqlite_row *row, int column, const char *why)
{
	if (row->why[0] == '\0')
		(void)snprintf(row->why, sizeof(row->why), "%s %s",
			sqlite3_column_name(row->stmt, column), why);
}

struct td_slice sqlite_row_text(struct sqlite_row *row, int column)
{
	struct td_slice text = sqlite_column_copy(row->stmt, column, &row->op->arena);
	if (sqlite3_column_type(row->stmt, column) == SQLITE_NULL)
		sqlite_row_spoil(row, column, "is NULL");
	else if (text.len != 0 && memchr(text.ptr, '\0', text.len) != NULL)
		sqlite_row_spoil(row, column, "holds a NUL byte");
	else if (!td_utf8_is_valid(text))
		sqlite_row_spoil(row, column, "is not UTF-8");
	return text;
}

struct td_slice sqlite_row_name(struct sqlite_row *row, int column)
{
	struct td_slice text = sqlite_row_text(row, column);
	if (text.len == 0)
		sqlite_row_spoil(row, column, "is empty");
	return text;
}

int64_t sqlite_row_number(struct sqlite_row *row, int column, int64_t least, int64_t most)
{
	int64_t number = sqlite3_column_int64(row->stmt, column);
	if (sqlite3_column_type(row->stmt, column) != SQLITE_INTEGER)
		sqlite_row_spoil(row, column, "is not an integer");
	else if (number < least)
		sqlite_row_spoil(row, column, least == 0 ? "is negative" : "is too small");
	else if (number > most)
		sqlite_row_spoil(row, column, "is too large");
	return number;
}

/* RFC 3339, or as SQLite's datetime() writes it: "2026-01-31 08:00:00", in UTC. */
static bool parse_time(struct td_slice text, int64_t *ret_ms)
{
	char zoned[TD_TIME_TEXT_SIZE + 1];
	if (td_time_parse(text, ret_ms))
		return true;
	if (text.len != 19 || text.ptr[10] != ' ')
		return false;
	(void)snprintf(zoned, sizeof(zoned), "%.10sT%.8sZ", text.ptr, text.ptr + 11);
	return td_time_parse(td_slice_str(zoned), ret_ms);
}

int64_t sqlite_row_time(struct sqlite_row *row, int column)
{
	int64_t ms = 0;
	if (sqlite3_column_type(row->stmt, column) == SQLITE_INTEGER)
		return sqlite3_column_int64(row->stmt, column);
	if (sqlite3_column_type(row->stmt, column) != SQLITE_TEXT ||
		!parse_time(sqlite_column_slice(row->stmt, column), &ms))
		sqlite_row_spoil(row, column, "is not a time");
	return ms;
}

struct td_slice sqlite_row_currency(struct sqlite_row *row, int column)
{
	struct td_slice code = sqlite_row_text(row, column);
	if (!td_money_is_currency(code))
		sqlite_row_spoil(row, column, "is not a currency with two decimal places");
	return code;
}

/* The row's first two texts, for people: what is not printable becomes '?'. */
static struct td_slice name_row(struct sqlite_row *row, bool both)
{
	char key[160];
	struct td_slice a = sqlite_column_slice(row->stmt, both ? 0 : 1);
	int len = snprintf(key, sizeof(key), "%.*s", TD_SLICE_ARG(a));
	if (both && len > 0 && (size_t)len < sizeof(key)) {
		struct td_slice b = sqlite_column_slice(row->stmt, 1);
		(void)snprintf(key + len, sizeof(key) - (size_t)len, "/%.*s", TD_SLICE_ARG(b));
	}
	for (char *c = key; *c != '\0'; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	return td_arena_slice(&row->op->arena, td_slice_str(key));
}

void sqlite_row_note(struct sqlite_row *row, bool both)
{
	struct store_op *op = row->op;
	if (op->out.bad_rows == NULL)
		op->out.bad_rows = td_arena_array(
			&op->arena, BAD_ROWS_MOST, sizeof(*op->out.bad_rows));
	if (op->out.bad_rows == NULL || op->out.bad_row_count == BAD_ROWS_MOST)
		return;
	op->out.bad_rows[op->out.bad_row_count++] = (struct store_bad_row){
		.table = td_slice_str(row->table),
		.key = name_row(row, both),
		.why = td_arena_slice(&op->arena, td_slice_str(row->why)),
	};
}
