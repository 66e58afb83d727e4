#include "cql/protocol/value.h"

#include <string.h>

#define LENGTH_NULL  (-1)
#define LENGTH_UNSET (-2)
#define DATE_OF_1970 0x80000000u /* days are counted from 2^31 days before it */

void cql_bind_null(struct td_buf *b)
{
	cql_put_int(b, LENGTH_NULL);
}

void cql_bind_unset(struct td_buf *b)
{
	cql_put_int(b, LENGTH_UNSET);
}

void cql_bind_bytes(struct td_buf *b, struct td_slice bytes)
{
	cql_put_bytes(b, bytes);
}

/* The length and the last `len` bytes of a number of 8. */
static void bind_number(struct td_buf *b, uint64_t value, size_t len)
{
	char bytes[12] = {0, 0, 0, (char)len};
	for (size_t i = 0; i < len; i++)
		bytes[4 + i] = (char)(value >> (8 * (len - 1 - i)));
	td_buf_put(b, bytes, 4 + len);
}

void cql_bind_boolean(struct td_buf *b, bool value)
{
	bind_number(b, value ? 1 : 0, 1);
}

void cql_bind_tinyint(struct td_buf *b, int8_t value)
{
	bind_number(b, (uint64_t)value, 1);
}

void cql_bind_smallint(struct td_buf *b, int16_t value)
{
	bind_number(b, (uint64_t)value, 2);
}

void cql_bind_int(struct td_buf *b, int32_t value)
{
	bind_number(b, (uint64_t)value, 4);
}

void cql_bind_bigint(struct td_buf *b, int64_t value)
{
	bind_number(b, (uint64_t)value, 8);
}

void cql_bind_timestamp(struct td_buf *b, int64_t wall_ms)
{
	cql_bind_bigint(b, wall_ms);
}

void cql_bind_time(struct td_buf *b, int64_t ns)
{
	if (ns < 0 || ns > CQL_TIME_MOST)
		b->failed = true;
	cql_bind_bigint(b, ns);
}

void cql_bind_date(struct td_buf *b, int32_t days)
{
	bind_number(b, (uint32_t)days + DATE_OF_1970, 4);
}

void cql_bind_float(struct td_buf *b, float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof(bits));
	bind_number(b, bits, 4);
}

void cql_bind_double(struct td_buf *b, double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof(bits));
	bind_number(b, bits, 8);
}

void cql_bind_uuid(struct td_buf *b, const uint8_t uuid[16])
{
	cql_put_bytes(b, td_slice((const char *)uuid, 16));
}

void cql_bind_inet(struct td_buf *b, const struct cql_inet *inet)
{
	if (inet->len != 4 && inet->len != 16)
		b->failed = true;
	else
		cql_put_bytes(b, td_slice((const char *)inet->bytes, inet->len));
}

/* Bytes that a number takes as two's complement: its sign must stay in the first bit. */
static size_t varint_size(int64_t value)
{
	size_t len = 1;
	while (len < 8 && value >> (8 * len - 1) != 0 && value >> (8 * len - 1) != -1)
		len++;
	return len;
}

void cql_bind_varint(struct td_buf *b, int64_t value)
{
	bind_number(b, (uint64_t)value, varint_size(value));
}

void cql_bind_decimal(struct td_buf *b, int32_t scale, int64_t unscaled)
{
	char bytes[8];
	size_t len = varint_size(unscaled);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)((uint64_t)unscaled >> (8 * (len - 1 - i)));
	cql_bind_decimal_bytes(b, scale, td_slice(bytes, len));
}

void cql_bind_decimal_bytes(struct td_buf *b, int32_t scale, struct td_slice unscaled)
{
	size_t opened = cql_bind_open(b);
	if (unscaled.len == 0)
		b->failed = true;
	cql_put_int(b, scale);
	td_buf_put_slice(b, unscaled);
	cql_bind_close(b, opened);
}

void cql_bind_duration(struct td_buf *b, const struct cql_duration *duration)
{
	const struct cql_duration *d = duration;
	bool has_minus = d->months < 0 || d->days < 0 || d->ns < 0;
	if (has_minus && (d->months > 0 || d->days > 0 || d->ns > 0))
		b->failed = true;
	size_t opened = cql_bind_open(b);
	cql_put_vint(b, d->months);
	cql_put_vint(b, d->days);
	cql_put_vint(b, d->ns);
	cql_bind_close(b, opened);
}

size_t cql_bind_open(struct td_buf *b)
{
	return cql_put_gap(b);
}

size_t cql_bind_open_list(struct td_buf *b, size_t count)
{
	size_t opened = cql_bind_open(b);
	if (count > INT32_MAX)
		b->failed = true;
	cql_put_int(b, (int32_t)count);
	return opened;
}

size_t cql_bind_open_map(struct td_buf *b, size_t count)
{
	return cql_bind_open_list(b, count);
}

void cql_bind_close(struct td_buf *b, size_t opened)
{
	cql_put_length_at(b, opened);
}

static enum td_status refuse_vector(const struct cql_type *type, struct td_err *err)
{
	return td_err_set(err, TD_INVALID,
		"a vector needs %u elements of its type, none of them null",
		(unsigned)type->dimension);
}

enum td_status cql_bind_vector(
	struct td_buf *b, const struct cql_type *type, struct td_slice elements, struct td_err *err)
{
	struct cql_reader r = cql_reader(elements);
	size_t fixed = cql_type_fixed_size(&type->params[0]), begin = b->len;
	size_t opened = cql_bind_open(b);
	for (uint32_t i = 0; i < type->dimension; i++) {
		struct td_slice element = cql_read_bytes(&r);
		if (r.failed || cql_is_null(element) || (fixed != 0 && element.len != fixed)) {
			b->len = begin;
			return refuse_vector(type, err);
		}
		if (fixed == 0)
			cql_put_unsigned_vint(b, element.len);
		td_buf_put_slice(b, element);
	}
	cql_bind_close(b, opened);
	if (!b->failed && r.left == 0)
		return TD_OK;
	b->len = begin;
	return b->failed ? td_err_set(err, TD_NOMEM, "no memory for a vector")
			 : refuse_vector(type, err);
}
