/* A type and a cell behind it. First byte 1: the type is a class' name up to a NUL. Whatever can be
 * read from the cell is bound again and reads the same; no part lies outside the cell. */
#include "fuzz.h"

#include "cql/protocol/value.h"

static struct td_slice last_cell(const struct td_buf *b)
{
	struct cql_reader r = cql_reader(td_buf_slice(b));
	struct td_slice cell = cql_read_bytes(&r);
	FUZZ_CLAIM(!r.failed && r.left == 0);
	return cell;
}

static void check_again(struct td_buf *b, struct td_slice wanted)
{
	if (!b->failed)
		FUZZ_CLAIM(td_slice_equal(last_cell(b), wanted));
	td_buf_reset(b);
}

static void check_integers(struct td_slice cell, struct td_buf *b)
{
	int8_t i8;
	int16_t i16;
	int32_t i32;
	int64_t i64;
	bool truth;
	if (cql_get_tinyint(cell, &i8)) {
		cql_bind_tinyint(b, i8);
		check_again(b, cell);
	}
	if (cql_get_boolean(cell, &truth)) {
		cql_bind_boolean(b, truth);
		check_again(b, truth ? TD_SLICE("\1") : TD_SLICE("\0"));
	}
	if (cql_get_smallint(cell, &i16)) {
		cql_bind_smallint(b, i16);
		check_again(b, cell);
	}
	if (cql_get_int(cell, &i32)) {
		cql_bind_int(b, i32);
		check_again(b, cell);
	}
	if (cql_get_timestamp(cell, &i64)) {
		cql_bind_timestamp(b, i64);
		check_again(b, cell);
	}
	if (cql_get_date(cell, &i32)) {
		cql_bind_date(b, i32);
		check_again(b, cell);
	}
	if (cql_get_time(cell, &i64)) {
		cql_bind_time(b, i64);
		check_again(b, cell);
	}
}

static void check_numbers(struct td_slice cell, struct td_buf *b)
{
	float f;
	double d;
	int32_t scale;
	int64_t number, again;
	struct td_slice unscaled;
	if (cql_get_float(cell, &f)) {
		cql_bind_float(b, f);
		check_again(b, cell);
	}
	if (cql_get_double(cell, &d)) {
		cql_bind_double(b, d);
		check_again(b, cell);
	}
	if (cql_get_varint(cell, &number)) {
		cql_bind_varint(b, number);
		if (!b->failed)
			FUZZ_CLAIM(last_cell(b).len <= cell.len &&
				   cql_get_varint(last_cell(b), &again) && again == number);
		td_buf_reset(b);
	}
	if (cql_get_decimal(cell, &scale, &unscaled) && cql_get_varint(unscaled, &number)) {
		cql_bind_decimal(b, scale, number);
		if (!b->failed)
			FUZZ_CLAIM(last_cell(b).len <= cell.len);
		td_buf_reset(b);
	}
	if (cql_get_decimal(cell, &scale, &unscaled)) {
		cql_bind_decimal_bytes(b, scale, unscaled);
		check_again(b, cell);
	}
}

static void check_others(struct td_slice cell, struct td_buf *b)
{
	const uint8_t *uuid;
	struct cql_inet inet;
	struct cql_duration duration, again;
	if (cql_get_uuid(cell, &uuid)) {
		cql_bind_uuid(b, uuid);
		check_again(b, cell);
	}
	if (cql_get_inet(cell, &inet)) {
		cql_bind_inet(b, &inet);
		check_again(b, cell);
	}
	if (cql_get_duration(cell, &duration)) {
		cql_bind_duration(b, &duration);
		if (!b->failed)
			FUZZ_CLAIM(cql_get_duration(last_cell(b), &again) &&
				   again.ns == duration.ns && again.days == duration.days &&
				   again.months == duration.months);
		td_buf_reset(b);
	}
	cql_bind_bytes(b, cell);
	check_again(b, cell);
}

/* The same parts put together again are the same cell. */
static void check_rebuilt(const struct cql_type *type, const struct cql_elements *all,
	struct td_slice parts, struct td_slice cell, struct td_buf *b)
{
	struct td_err err = TD_ERR_INIT;
	if (type->id == CQL_TYPE_VECTOR) {
		enum td_status status = cql_bind_vector(b, type, parts, &err);
		FUZZ_CLAIM(status == TD_OK || status == TD_NOMEM);
		if (status == TD_OK)
			FUZZ_CLAIM(last_cell(b).len <= cell.len);
	} else if (!all->may_end_early) {
		bool is_map = type->id == CQL_TYPE_MAP;
		size_t opened = is_map ? cql_bind_open_map(b, all->left / 2)
				       : cql_bind_open_list(b, all->left);
		td_buf_put_slice(b, parts);
		cql_bind_close(b, opened);
		if (!b->failed)
			FUZZ_CLAIM(td_slice_equal(last_cell(b), cell));
	}
	td_buf_reset(b);
}

/* The parts lie in the cell. */
static void check_parts(const struct cql_type *type, struct td_slice cell, struct td_buf *b)
{
	struct cql_elements e;
	struct td_slice part;
	struct td_buf parts = TD_BUF_INIT;
	bool has_null = false;
	if (!cql_get_elements(type, cell, &e))
		return;
	struct cql_elements all = e;
	FUZZ_CLAIM(type->id == CQL_TYPE_VECTOR || e.may_end_early || e.left * 4 <= cell.len);
	while (cql_elements_next(&e, &part)) {
		FUZZ_CLAIM(cql_is_null(part) || fuzz_is_within(part, cell));
		has_null = has_null || cql_is_null(part);
		if (cql_is_null(part))
			cql_bind_null(&parts);
		else
			cql_bind_bytes(&parts, part);
	}
	cell.len -= e.r.left;
	if (!e.r.failed && !parts.failed && !has_null)
		check_rebuilt(type, &all, td_buf_slice(&parts), cell, b);
	td_buf_done(&parts);
}

static bool read_type(
	size_t way, struct cql_reader *r, struct td_arena *arena, struct cql_type *type)
{
	if (way == 0)
		return cql_type_read(r, arena, type);
	struct td_slice rest = cql_reader_rest(r), name;
	if (rest.len == 0 || !td_slice_cut(&rest, '\0', &name))
		return false;
	*r = cql_reader(rest);
	return cql_type_of_class(name, arena, type);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t way = fuzz_choose(&data, &size, 2);
	struct cql_reader r = cql_reader(fuzz_slice(data, size));
	struct td_arena arena = {.limit = 1u << 22};
	struct td_buf b = TD_BUF_INIT;
	struct td_err err = TD_ERR_INIT;
	struct cql_type type;
	if (read_type(way, &r, &arena, &type)) {
		struct td_slice cell = cql_reader_rest(&r);
		check_integers(cell, &b);
		check_numbers(cell, &b);
		check_others(cell, &b);
		check_parts(&type, cell, &b);
		FUZZ_CLAIM((cql_value_check(&type, cell, &err) == TD_OK) == (err.text[0] == '\0'));
	}
	td_buf_done(&b);
	td_arena_done(&arena);
	return 0;
}
