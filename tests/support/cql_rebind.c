#include "cql_rebind.h"

#include "hex.h"

#include <inttypes.h>

static void put_hex(struct td_buf *out, const void *bytes, size_t len)
{
	struct td_buf text = TD_BUF_INIT;
	td_buf_printf(out, "\"%s\"", hex_text(&text, td_slice(bytes, len)));
	td_buf_done(&text);
}

static void put_varint(struct td_buf *json, struct td_slice cell)
{
	int64_t number;
	if (cql_get_varint(cell, &number))
		td_buf_put_i64(json, number);
	else
		put_hex(json, cell.ptr, cell.len);
}

static bool put_number(
	const struct cql_type *type, struct td_slice cell, struct td_buf *json, struct td_buf *b)
{
	int8_t i8;
	int16_t i16;
	int32_t i32;
	int64_t i64 = 0;
	if (type->id == CQL_TYPE_TINYINT && cql_get_tinyint(cell, &i8)) {
		cql_bind_tinyint(b, i8);
		i64 = i8;
	} else if (type->id == CQL_TYPE_SMALLINT && cql_get_smallint(cell, &i16)) {
		cql_bind_smallint(b, i16);
		i64 = i16;
	} else if (type->id == CQL_TYPE_INT && cql_get_int(cell, &i32)) {
		cql_bind_int(b, i32);
		i64 = i32;
	} else if (type->id == CQL_TYPE_DATE && cql_get_date(cell, &i32)) {
		cql_bind_date(b, i32);
		i64 = i32;
	} else if (type->id == CQL_TYPE_TIME && cql_get_time(cell, &i64)) {
		cql_bind_time(b, i64);
	} else if (type->id == CQL_TYPE_TIMESTAMP && cql_get_timestamp(cell, &i64)) {
		cql_bind_timestamp(b, i64);
	} else if ((type->id == CQL_TYPE_BIGINT || type->id == CQL_TYPE_COUNTER) &&
		   cql_get_bigint(cell, &i64)) {
		cql_bind_bigint(b, i64);
	} else {
		return false;
	}
	td_buf_put_i64(json, i64);
	return true;
}

static bool put_fraction(
	const struct cql_type *type, struct td_slice cell, struct td_buf *json, struct td_buf *b)
{
	float f;
	double d;
	int32_t scale;
	int64_t number;
	struct td_slice unscaled;
	if (type->id == CQL_TYPE_FLOAT && cql_get_float(cell, &f)) {
		cql_bind_float(b, f);
		td_buf_printf(json, "%.17g", (double)f);
	} else if (type->id == CQL_TYPE_DOUBLE && cql_get_double(cell, &d)) {
		cql_bind_double(b, d);
		td_buf_printf(json, "%.17g", d);
	} else if (type->id == CQL_TYPE_DECIMAL && cql_get_decimal(cell, &scale, &unscaled)) {
		td_buf_printf(json, "[%d,", scale);
		put_varint(json, unscaled);
		td_buf_put_char(json, ']');
		if (cql_get_varint(unscaled, &number))
			cql_bind_decimal(b, scale, number);
		else
			cql_bind_decimal_bytes(b, scale, unscaled);
	} else if (type->id == CQL_TYPE_VARINT && cell.len > 0) {
		put_varint(json, cell);
		if (cql_get_varint(cell, &number))
			cql_bind_varint(b, number);
		else
			cql_bind_bytes(b, cell);
	} else {
		return false;
	}
	return true;
}

static bool put_other(
	const struct cql_type *type, struct td_slice cell, struct td_buf *json, struct td_buf *b)
{
	bool truth;
	const uint8_t *uuid;
	struct cql_inet inet;
	struct cql_duration d;
	if (type->id == CQL_TYPE_BOOLEAN && cql_get_boolean(cell, &truth)) {
		cql_bind_boolean(b, truth);
		td_buf_put_str(json, truth ? "true" : "false");
	} else if ((type->id == CQL_TYPE_UUID || type->id == CQL_TYPE_TIMEUUID) &&
		   cql_get_uuid(cell, &uuid)) {
		cql_bind_uuid(b, uuid);
		put_hex(json, uuid, 16);
	} else if (type->id == CQL_TYPE_INET && cql_get_inet(cell, &inet)) {
		cql_bind_inet(b, &inet);
		put_hex(json, inet.bytes, inet.len);
	} else if (type->id == CQL_TYPE_DURATION && cql_get_duration(cell, &d)) {
		cql_bind_duration(b, &d);
		td_buf_printf(json, "[%d,%d,%" PRId64 "]", d.months, d.days, d.ns);
	} else {
		return false;
	}
	return true;
}

static void put_parts(
	const struct cql_type *type, struct cql_elements *e, struct td_buf *json, struct td_buf *b)
{
	struct td_slice part;
	td_buf_put_char(json, '[');
	for (size_t i = 0; cql_elements_next(e, &part); i++) {
		size_t param = e->may_end_early ? i : i % type->param_count;
		td_buf_put_str(json, i > 0 ? "," : "");
		cql_rebind(&type->params[param], part, json, b);
	}
	td_buf_put_str(json, e->r.failed || e->r.left > 0 ? "\"damaged\"]" : "]");
}

static void put_nested(
	const struct cql_type *type, struct cql_elements *e, struct td_buf *json, struct td_buf *b)
{
	struct td_buf parts = TD_BUF_INIT;
	struct td_err err = TD_ERR_INIT;
	size_t opened;
	if (type->id == CQL_TYPE_VECTOR) {
		put_parts(type, e, json, &parts);
		if (cql_bind_vector(b, type, td_buf_slice(&parts), &err) != TD_OK)
			b->failed = true;
		td_buf_done(&parts);
		return;
	}
	if (type->id == CQL_TYPE_MAP)
		opened = cql_bind_open_map(b, e->left / 2);
	else if (e->may_end_early)
		opened = cql_bind_open(b);
	else
		opened = cql_bind_open_list(b, e->left);
	put_parts(type, e, json, b);
	cql_bind_close(b, opened);
}

void cql_rebind(
	const struct cql_type *type, struct td_slice cell, struct td_buf *json, struct td_buf *b)
{
	struct cql_elements e;
	if (cql_is_null(cell)) {
		td_buf_put_str(json, "null");
		cql_bind_null(b);
	} else if (cql_get_elements(type, cell, &e)) {
		put_nested(type, &e, json, b);
	} else if (!put_number(type, cell, json, b) && !put_fraction(type, cell, json, b) &&
		   !put_other(type, cell, json, b)) {
		put_hex(json, cell.ptr, cell.len);
		cql_bind_bytes(b, cell);
	}
}
