#include "cql/protocol/value.h"

#include "base/utf8.h"

#include <string.h>

#define DATE_OF_1970  0x80000000u
#define ELEMENT_LEAST 4 /* bytes of an element: its length */

/* The cell as a big-endian number of `len` bytes, its sign kept. */
static bool get_number(struct td_slice cell, size_t len, int64_t *ret_value)
{
	if (cell.len != len || len == 0)
		return false;
	uint64_t value = (uint8_t)cell.ptr[0] >= 0x80 ? UINT64_MAX : 0;
	for (size_t i = 0; i < len; i++)
		value = value << 8 | (uint8_t)cell.ptr[i];
	*ret_value = (int64_t)value;
	return true;
}

bool cql_get_boolean(struct td_slice cell, bool *ret_value)
{
	int64_t value;
	if (!get_number(cell, 1, &value))
		return false;
	*ret_value = value != 0;
	return true;
}

bool cql_get_tinyint(struct td_slice cell, int8_t *ret_value)
{
	int64_t value;
	if (!get_number(cell, 1, &value))
		return false;
	*ret_value = (int8_t)value;
	return true;
}

bool cql_get_smallint(struct td_slice cell, int16_t *ret_value)
{
	int64_t value;
	if (!get_number(cell, 2, &value))
		return false;
	*ret_value = (int16_t)value;
	return true;
}

bool cql_get_int(struct td_slice cell, int32_t *ret_value)
{
	if (cell.len != 4)
		return false;
	*ret_value = (int32_t)cql_load_u32((const uint8_t *)cell.ptr);
	return true;
}

bool cql_get_bigint(struct td_slice cell, int64_t *ret_value)
{
	return get_number(cell, 8, ret_value);
}

bool cql_get_timestamp(struct td_slice cell, int64_t *ret_wall_ms)
{
	return cql_get_bigint(cell, ret_wall_ms);
}

bool cql_get_time(struct td_slice cell, int64_t *ret_ns)
{
	int64_t ns;
	if (!cql_get_bigint(cell, &ns) || ns < 0 || ns > CQL_TIME_MOST)
		return false;
	*ret_ns = ns;
	return true;
}

bool cql_get_date(struct td_slice cell, int32_t *ret_days)
{
	if (cell.len != 4)
		return false;
	*ret_days = (int32_t)(cql_load_u32((const uint8_t *)cell.ptr) - DATE_OF_1970);
	return true;
}

bool cql_get_float(struct td_slice cell, float *ret_value)
{
	if (cell.len != 4)
		return false;
	uint32_t bits = cql_load_u32((const uint8_t *)cell.ptr);
	memcpy(ret_value, &bits, sizeof(bits));
	return true;
}

bool cql_get_double(struct td_slice cell, double *ret_value)
{
	int64_t bits;
	if (!cql_get_bigint(cell, &bits))
		return false;
	memcpy(ret_value, &bits, sizeof(bits));
	return true;
}

bool cql_get_uuid(struct td_slice cell, const uint8_t **ret_uuid)
{
	if (cell.len != 16)
		return false;
	*ret_uuid = (const uint8_t *)cell.ptr;
	return true;
}

bool cql_get_inet(struct td_slice cell, struct cql_inet *ret_inet)
{
	if (cell.len != 4 && cell.len != 16)
		return false;
	*ret_inet = (struct cql_inet){.len = (uint8_t)cell.len, .port = -1};
	memcpy(ret_inet->bytes, cell.ptr, cell.len);
	return true;
}

bool cql_get_varint(struct td_slice cell, int64_t *ret_value)
{
	/* Bytes in front that only repeat the sign are allowed. */
	while (cell.len > 8 && ((cell.ptr[0] == 0 && (cell.ptr[1] & 0x80) == 0) ||
				       ((uint8_t)cell.ptr[0] == 0xff && (cell.ptr[1] & 0x80) != 0)))
		cell = td_slice_skip(cell, 1);
	return cell.len <= 8 && get_number(cell, cell.len, ret_value);
}

bool cql_get_decimal(struct td_slice cell, int32_t *ret_scale, struct td_slice *ret_unscaled)
{
	if (cell.len < 5 || !cql_get_int(td_slice(cell.ptr, 4), ret_scale))
		return false;
	*ret_unscaled = td_slice_skip(cell, 4);
	return true;
}

bool cql_get_duration(struct td_slice cell, struct cql_duration *ret_duration)
{
	struct cql_reader r = cql_reader(cell);
	int64_t months = cql_read_vint(&r), days = cql_read_vint(&r), ns = cql_read_vint(&r);
	bool has_minus = months < 0 || days < 0 || ns < 0;
	if (r.failed || r.left != 0 || months != (int32_t)months || days != (int32_t)days ||
		(has_minus && (months > 0 || days > 0 || ns > 0)))
		return false;
	*ret_duration = (struct cql_duration){(int32_t)months, (int32_t)days, ns};
	return true;
}

/* The count that a list, set or map begins with, `parts` for each. */
static bool get_counted(struct cql_elements *e, size_t parts)
{
	size_t count = cql_read_size(&e->r);
	if (e->r.failed || count > e->r.left / ELEMENT_LEAST / parts)
		return false;
	e->left = count * parts;
	return true;
}

/* Every element takes a byte at least, unless all have no size. */
static bool get_vector(struct cql_elements *e, const struct cql_type *type)
{
	e->fixed_size = cql_type_fixed_size(&type->params[0]);
	e->has_vints = e->fixed_size == 0;
	e->left = type->dimension;
	if (e->has_vints)
		return e->left <= e->r.left;
	return e->r.left % e->fixed_size == 0 && e->r.left / e->fixed_size == e->left;
}

bool cql_get_elements(
	const struct cql_type *type, struct td_slice cell, struct cql_elements *ret_elements)
{
	struct cql_elements e = {.r = cql_reader(cell)};
	bool good = false;
	if (cql_is_null(cell) || cell.len == 0)
		return false;
	switch ((unsigned)type->id) {
	case CQL_TYPE_LIST:
	case CQL_TYPE_SET:
		good = get_counted(&e, 1);
		break;
	case CQL_TYPE_MAP:
		good = get_counted(&e, 2);
		break;
	case CQL_TYPE_TUPLE:
	case CQL_TYPE_UDT:
		e.left = type->param_count;
		e.may_end_early = true;
		good = true;
		break;
	case CQL_TYPE_VECTOR:
		good = get_vector(&e, type);
		break;
	default:
		break;
	}
	if (good)
		*ret_elements = e;
	return good;
}

bool cql_elements_next(struct cql_elements *e, struct td_slice *ret_cell)
{
	if (e->left == 0 || e->r.failed)
		return false;
	struct td_slice cell = {NULL, 0};
	if (e->fixed_size != 0) {
		cell = cql_read_slice(&e->r, e->fixed_size);
	} else if (e->has_vints) {
		uint64_t len = cql_read_unsigned_vint(&e->r);
		if (len > e->r.left)
			cql_reader_fail(&e->r);
		else
			cell = cql_read_slice(&e->r, (size_t)len);
	} else if (!e->may_end_early || e->r.left > 0) {
		cell = cql_read_bytes(&e->r);
	}
	if (e->r.failed)
		return false;
	e->left--;
	*ret_cell = cell;
	return true;
}

static bool is_ascii(struct td_slice cell)
{
	for (size_t i = 0; i < cell.len; i++)
		if ((uint8_t)cell.ptr[i] >= 0x80)
			return false;
	return true;
}

/* A type without parameters; the cell is neither null nor empty. */
static bool is_simple_value(const struct cql_type *type, struct td_slice cell)
{
	int64_t number;
	int32_t scale;
	struct td_slice unscaled;
	struct cql_duration duration;
	switch ((unsigned)type->id) {
	case CQL_TYPE_ASCII:
		return is_ascii(cell);
	case CQL_TYPE_TEXT:
	case CQL_TYPE_VARCHAR:
		return td_utf8_is_valid(cell);
	case CQL_TYPE_DECIMAL:
		return cql_get_decimal(cell, &scale, &unscaled);
	case CQL_TYPE_INET:
		return cell.len == 4 || cell.len == 16;
	case CQL_TYPE_DATE:
		return cell.len == 4;
	case CQL_TYPE_TIME:
		return cql_get_time(cell, &number);
	case CQL_TYPE_SMALLINT:
		return cell.len == 2;
	case CQL_TYPE_TINYINT:
		return cell.len == 1;
	case CQL_TYPE_COUNTER:
		return cell.len == 8;
	case CQL_TYPE_DURATION:
		return cql_get_duration(cell, &duration);
	default:
		/* 0: any bytes (blob, varint, custom). */
		return cql_type_fixed_size(type) == 0 || cql_type_fixed_size(type) == cell.len;
	}
}

static bool is_nested(const struct cql_type *type)
{
	return type->param_count > 0 || type->id == CQL_TYPE_TUPLE || type->id == CQL_TYPE_UDT;
}

/* The depth is that of the type, which its reader bounds. */
static bool is_value(const struct cql_type *type, struct td_slice cell)
{
	struct cql_elements e;
	struct td_slice part;
	if (cql_is_null(cell) || cell.len == 0)
		return true;
	if (!is_nested(type))
		return is_simple_value(type, cell);
	if (!cql_get_elements(type, cell, &e))
		return false;
	/* Fields left out are null; those behind the last one came with a later ALTER TYPE. */
	bool by_field = e.may_end_early;
	for (size_t i = 0; !(by_field && e.r.left == 0) && cql_elements_next(&e, &part); i++) {
		size_t param = by_field ? i : i % type->param_count;
		if (!is_value(&type->params[param], part))
			return false;
	}
	return !e.r.failed && (e.r.left == 0 || by_field);
}

enum td_status cql_value_check(
	const struct cql_type *type, struct td_slice cell, struct td_err *err)
{
	if (is_value(type, cell))
		return TD_OK;
	return td_err_set(err, TD_CORRUPT, "%zu bytes are no value of type %s", cell.len,
		cql_type_name(type->id));
}
