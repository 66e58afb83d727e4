#include "store/postgres/pg_store_internal.h"

static uint64_t big_endian(const char *at, int length)
{
	uint64_t value = 0;
	for (int i = 0; i < length; i++)
		value = value << 8 | (uint8_t)at[i];
	return value;
}

struct td_slice pg_text(const PGresult *r, int row, int column, struct td_arena *arena)
{
	if (PQgetisnull(r, row, column))
		return td_slice(NULL, 0);
	return td_arena_slice(
		arena, td_slice(PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column)));
}

int64_t pg_int(const PGresult *r, int row, int column)
{
	int length = PQgetlength(r, row, column);
	uint64_t value = big_endian(PQgetvalue(r, row, column), length < 8 ? length : 8);
	return length == 4 ? (int32_t)(uint32_t)value : (int64_t)value;
}

bool pg_bool(const PGresult *r, int row, int column)
{
	return PQgetlength(r, row, column) == 1 && PQgetvalue(r, row, column)[0] != 0;
}

/* 0001-01-01 and the end of 9999. */
#define TIME_LEAST INT64_C(-62135596800000)
#define TIME_MOST  INT64_C(253402300799999)

int64_t pg_time(const PGresult *r, int row, int column)
{
	if (PQgetisnull(r, row, column))
		return 0;
	int64_t ms = pg_time_to_ms(pg_int(r, row, column));
	if (ms < TIME_LEAST)
		return TIME_LEAST;
	return ms > TIME_MOST ? TIME_MOST : ms;
}

bool pg_is_time(const PGresult *r, int row, int column)
{
	if (PQgetisnull(r, row, column))
		return false;
	int64_t ms = pg_time_to_ms(pg_int(r, row, column));
	return ms >= TIME_LEAST && ms <= TIME_MOST;
}

void pg_tell_bad_row(struct pg_store *s, const struct store_bad_row *row)
{
	td_lock_take(&s->lock);
	bool is_new = store_bad_told_add(&s->bad_told, row);
	td_lock_give(&s->lock);
	if (is_new && s->config.bad_row != NULL)
		s->config.bad_row(s->config.bad_row_ctx, row);
}

static void tell_bad_user(struct pg_store *s, struct td_slice id, const char *why)
{
	const struct store_bad_row row = {
		.table = TD_SLICE("users"), .key = id, .why = td_slice_str(why)};
	pg_tell_bad_row(s, &row);
}

enum td_status pg_user(struct pg_store *s, const PGresult *r, int row, int column,
	struct td_arena *arena, struct store_user *ret_user)
{
	*ret_user = (struct store_user){
		.id = pg_text(r, row, column, arena),
		.email = pg_text(r, row, column + 1, arena),
		.first_name = pg_text(r, row, column + 2, arena),
		.last_name = pg_text(r, row, column + 3, arena),
		.company = pg_text(r, row, column + 4, arena),
		.created_at = pg_time(r, row, column + 5),
		.updated_at = pg_time(r, row, column + 6),
	};
	if (arena->failed)
		return TD_NOMEM;
	if (pg_is_time(r, row, column + 5) && pg_is_time(r, row, column + 6))
		return TD_OK;
	tell_bad_user(s, ret_user->id,
		pg_is_time(r, row, column + 5) ? "updated_at is not a time"
					       : "created_at is not a time");
	return TD_NOTFOUND;
}
