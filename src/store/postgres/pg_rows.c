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

int64_t pg_time(const PGresult *r, int row, int column)
{
	if (PQgetisnull(r, row, column))
		return 0;
	return pg_time_to_ms(pg_int(r, row, column));
}

bool pg_user(
	const PGresult *r, int row, int column, struct td_arena *arena, struct store_user *ret_user)
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
	return !arena->failed;
}
