#include "store/postgres/pg_array.h"

/* 1970-01-01 to 2000-01-01. */
#define PG_EPOCH_MS INT64_C(946684800000)

enum head {
	HEAD_DIMENSIONS = 0,
	HEAD_HAS_NULLS = 4,
	HEAD_TYPE = 8,
	HEAD_COUNT = 12,
	HEAD_LOWER_BOUND = 16,
	HEAD_SIZE = 20,
};

static void write_u32(char *to, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		to[i] = (char)(value >> (24 - 8 * i));
}

static void put_u32(struct td_buf *b, uint32_t value)
{
	char bytes[4];
	write_u32(bytes, value);
	td_buf_put(b, bytes, sizeof(bytes));
}

static void put_u64(struct td_buf *b, uint64_t value)
{
	put_u32(b, (uint32_t)(value >> 32));
	put_u32(b, (uint32_t)value);
}

void pg_array_begin(struct pg_array *a, enum pg_type type)
{
	static const char head[HEAD_SIZE];
	*a = (struct pg_array){.type = type};
	td_buf_put(&a->buf, head, sizeof(head));
}

void pg_array_done(struct pg_array *a)
{
	td_buf_done(&a->buf);
}

void pg_array_put_null(struct pg_array *a)
{
	put_u32(&a->buf, UINT32_MAX);
	a->count++;
}

void pg_array_put_bytes(struct pg_array *a, const uint8_t *bytes, size_t len)
{
	if (len > INT32_MAX) {
		a->buf.failed = true;
		return;
	}
	put_u32(&a->buf, (uint32_t)len);
	td_buf_put(&a->buf, bytes, len);
	a->count++;
}

void pg_array_put_text(struct pg_array *a, struct td_slice text)
{
	if (text.ptr == NULL)
		pg_array_put_null(a);
	else
		pg_array_put_bytes(a, (const uint8_t *)text.ptr, text.len);
}

void pg_array_put_int(struct pg_array *a, int64_t number)
{
	put_u32(&a->buf, 8);
	put_u64(&a->buf, (uint64_t)number);
	a->count++;
}

void pg_array_put_bool(struct pg_array *a, bool value)
{
	put_u32(&a->buf, 1);
	td_buf_put_char(&a->buf, value ? 1 : 0);
	a->count++;
}

void pg_array_put_time(struct pg_array *a, int64_t wall_ms)
{
	if (wall_ms == 0)
		pg_array_put_null(a);
	else
		pg_array_put_int(a, pg_time_from_ms(wall_ms));
}

bool pg_array_end(struct pg_array *a)
{
	if (a->buf.failed)
		return false;
	write_u32(a->buf.ptr + HEAD_DIMENSIONS, 1);
	write_u32(a->buf.ptr + HEAD_HAS_NULLS, 1);
	write_u32(a->buf.ptr + HEAD_TYPE, (uint32_t)a->type);
	write_u32(a->buf.ptr + HEAD_COUNT, a->count);
	write_u32(a->buf.ptr + HEAD_LOWER_BOUND, 1);
	return true;
}

int64_t pg_time_from_ms(int64_t wall_ms)
{
	return (wall_ms - PG_EPOCH_MS) * 1000;
}

int64_t pg_time_to_ms(int64_t pg_us)
{
	int64_t ms = pg_us / 1000;
	return (pg_us % 1000 < 0 ? ms - 1 : ms) + PG_EPOCH_MS;
}
