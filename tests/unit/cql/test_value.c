#include "td_test.h"

#include "cql/protocol/value.h"
#include "hex.h"

#include <math.h>
#include <string.h>

static struct td_buf in = TD_BUF_INIT, out = TD_BUF_INIT, text = TD_BUF_INIT;
static struct td_arena arena = TD_ARENA_INIT;

static struct td_slice cell_of(const char *digits)
{
	td_buf_reset(&in);
	hex_put(&in, digits);
	assert_non_null(td_buf_cstr(&in));
	return td_buf_slice(&in);
}

/* The one cell that was bound; its bytes are asserted. */
static struct td_slice bound(const char *digits)
{
	struct td_buf wanted = TD_BUF_INIT, shown = TD_BUF_INIT;
	assert_false(out.failed);
	struct cql_reader r = cql_reader(td_buf_slice(&out));
	struct td_slice cell = cql_read_bytes(&r);
	assert_false(r.failed);
	assert_int_equal(r.left, 0);
	hex_put(&wanted, digits);
	assert_string_equal(hex_text(&text, cell), hex_text(&shown, td_buf_slice(&wanted)));
	td_buf_done(&wanted);
	td_buf_done(&shown);
	out.len = 0;
	return cell;
}

/* An [option] as hexadecimal, or a class. */
static struct cql_type type_of(const char *option)
{
	struct cql_type type;
	if (option[0] >= 'A') {
		assert_true(cql_type_of_class(td_slice_str(option), &arena, &type));
		assert_int_not_equal(type.id, CQL_TYPE_CUSTOM);
		return type;
	}
	struct td_slice bytes = cell_of(option);
	char *copy = td_arena_strndup(&arena, bytes.ptr, bytes.len);
	struct cql_reader r = cql_reader(td_slice(copy, bytes.len));
	assert_true(cql_type_read(&r, &arena, &type));
	return type;
}

static void test_value_null_and_unset(void **state)
{
	(void)state;
	td_buf_reset(&out);
	cql_bind_null(&out);
	cql_bind_unset(&out);
	cql_bind_bytes(&out, td_slice(NULL, 0));
	cql_bind_bytes(&out, TD_SLICE("a"));
	assert_string_equal(
		hex_text(&text, td_buf_slice(&out)), "fffffffffffffffeffffffff0000000161");
	td_buf_reset(&out);
}

/* Two's complement, big-endian, both ways. */
static void test_value_integers(void **state)
{
	(void)state;
	bool truth;
	int8_t i8;
	int16_t i16;
	int32_t i32;
	int64_t i64;
	cql_bind_boolean(&out, true);
	assert_true(cql_get_boolean(bound("01"), &truth) && truth);
	cql_bind_boolean(&out, false);
	assert_true(cql_get_boolean(bound("00"), &truth) && !truth);
	assert_true(cql_get_boolean(cell_of("ff"), &truth) && truth);
	cql_bind_tinyint(&out, -128);
	assert_true(cql_get_tinyint(bound("80"), &i8) && i8 == -128);
	cql_bind_smallint(&out, -2);
	assert_true(cql_get_smallint(bound("fffe"), &i16) && i16 == -2);
	cql_bind_int(&out, INT32_MIN);
	assert_true(cql_get_int(bound("80000000"), &i32) && i32 == INT32_MIN);
	cql_bind_bigint(&out, INT64_MIN);
	assert_true(cql_get_bigint(bound("8000000000000000"), &i64) && i64 == INT64_MIN);
	cql_bind_timestamp(&out, -1);
	assert_true(cql_get_timestamp(bound("ffffffffffffffff"), &i64) && i64 == -1);
}

static void test_value_floats(void **state)
{
	(void)state;
	float f;
	double d;
	cql_bind_float(&out, 1.5f);
	assert_true(cql_get_float(bound("3fc00000"), &f) && fabsf(f - 1.5f) < 0.001f);
	cql_bind_float(&out, -INFINITY);
	assert_true(cql_get_float(bound("ff800000"), &f) && isinf(f));
	cql_bind_double(&out, -2.0);
	assert_true(cql_get_double(bound("c000000000000000"), &d) && fabs(d + 2.0) < 0.001);
	assert_true(cql_get_double(cell_of("7ff8000000000000"), &d) && isnan(d));
}

/* 2^31 is 1970-01-01; a day has so many nanoseconds and no more. */
static void test_value_dates_and_times(void **state)
{
	(void)state;
	int32_t days;
	int64_t ns;
	cql_bind_date(&out, 0);
	assert_true(cql_get_date(bound("80000000"), &days) && days == 0);
	cql_bind_date(&out, INT32_MIN);
	assert_true(cql_get_date(bound("00000000"), &days) && days == INT32_MIN);
	cql_bind_date(&out, INT32_MAX);
	assert_true(cql_get_date(bound("ffffffff"), &days) && days == INT32_MAX);
	cql_bind_date(&out, -1);
	assert_true(cql_get_date(bound("7fffffff"), &days) && days == -1);
	cql_bind_time(&out, CQL_TIME_MOST);
	assert_true(cql_get_time(bound("00004e94914effff"), &ns) && ns == CQL_TIME_MOST);
	assert_false(cql_get_time(cell_of("00004e94914f0000"), &ns));
	assert_false(cql_get_time(cell_of("ffffffffffffffff"), &ns));
	cql_bind_time(&out, CQL_TIME_MOST + 1);
	assert_true(out.failed);
	td_buf_reset(&out);
	cql_bind_time(&out, -1);
	assert_true(out.failed);
	td_buf_reset(&out);
}

static void test_value_uuid_and_inet(void **state)
{
	(void)state;
	static const uint8_t uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	const uint8_t *got;
	struct cql_inet inet = {.len = 4, .bytes = {127, 0, 0, 1}};
	cql_bind_uuid(&out, uuid);
	assert_true(cql_get_uuid(bound("0102030405060708090a0b0c0d0e0f10"), &got));
	assert_memory_equal(got, uuid, 16);
	assert_false(cql_get_uuid(cell_of("01"), &got));
	cql_bind_inet(&out, &inet);
	assert_true(cql_get_inet(bound("7f000001"), &inet));
	assert_int_equal(inet.len, 4);
	assert_int_equal(inet.port, -1);
	assert_true(cql_get_inet(cell_of("00000000000000000000000000000001"), &inet));
	assert_int_equal(inet.len, 16);
	assert_false(cql_get_inet(cell_of("7f00000101"), &inet));
	inet.len = 5;
	cql_bind_inet(&out, &inet);
	assert_true(out.failed);
	td_buf_reset(&out);
}

struct number {
	int64_t value;
	const char *digits;
};

/* The vectors of the specification, and the ends of each length. */
static void test_value_varint_vectors(void **state)
{
	(void)state;
	static const struct number rows[] = {{0, "00"}, {1, "01"}, {127, "7f"}, {128, "0080"},
		{129, "0081"}, {255, "00ff"}, {256, "0100"}, {-1, "ff"}, {-128, "80"},
		{-129, "ff7f"}, {-32769, "ff7fff"}, {32767, "7fff"}, {32768, "008000"},
		{INT64_MAX, "7fffffffffffffff"}, {INT64_MIN, "8000000000000000"},
		{INT64_MAX >> 8, "7fffffffffffff"}, {(INT64_MAX >> 8) + 1, "0080000000000000"}};
	int64_t value;
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		cql_bind_varint(&out, rows[i].value);
		assert_true(cql_get_varint(bound(rows[i].digits), &value));
		assert_true(value == rows[i].value);
	}
	assert_true(cql_get_varint(cell_of("000000000000000000007f"), &value) && value == 127);
	assert_true(cql_get_varint(cell_of("ffffffffffffffffffff80"), &value) && value == -128);
	assert_false(cql_get_varint(cell_of("008000000000000000"), &value));
	assert_false(cql_get_varint(cell_of("ff7fffffffffffffff"), &value));
	assert_false(cql_get_varint(cell_of(""), &value));
}

static void test_value_decimal(void **state)
{
	(void)state;
	int32_t scale;
	int64_t number;
	struct td_slice unscaled;
	cql_bind_decimal(&out, 2, -129);
	assert_true(cql_get_decimal(bound("00000002 ff7f"), &scale, &unscaled));
	assert_int_equal(scale, 2);
	assert_true(cql_get_varint(unscaled, &number) && number == -129);
	cql_bind_decimal_bytes(&out, -3, TD_SLICE("\x01\0\0\0\0\0\0\0\0"));
	assert_true(cql_get_decimal(bound("fffffffd 010000000000000000"), &scale, &unscaled));
	assert_int_equal(unscaled.len, 9);
	assert_false(cql_get_decimal(cell_of("00000002"), &scale, &unscaled));
	cql_bind_decimal_bytes(&out, 0, TD_SLICE(""));
	assert_true(out.failed);
	td_buf_reset(&out);
}

static void test_value_duration(void **state)
{
	(void)state;
	struct cql_duration d = {1, 2, 3};
	cql_bind_duration(&out, &d);
	assert_true(cql_get_duration(bound("02 04 06"), &d));
	assert_int_equal(d.months, 1);
	assert_true(d.ns == 3);
	d = (struct cql_duration){INT32_MIN, -65, INT64_MIN};
	cql_bind_duration(&out, &d);
	assert_true(cql_get_duration(bound("f0ffffffff 8081 ffffffffffffffffff"), &d));
	assert_true(d.months == INT32_MIN && d.days == -65 && d.ns == INT64_MIN);
	static const char *const bad[] = {
		"02 04", "02 04 06 00", "02 03 06", "f100000000 00 00", ""};
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++)
		assert_false(cql_get_duration(cell_of(bad[i]), &d));
	d = (struct cql_duration){1, -1, 0};
	cql_bind_duration(&out, &d);
	assert_true(out.failed);
	td_buf_reset(&out);
}

/* Null, empty and another length are no number. */
static void test_value_wrong_lengths_are_refused(void **state)
{
	(void)state;
	static char bytes[17];
	for (size_t len = 0; len <= 17; len++) {
		struct td_slice cell = td_slice(len != 0 ? bytes : NULL, len);
		bool b;
		int8_t i8;
		int16_t i16;
		int32_t i32;
		int64_t i64;
		float f;
		double d;
		assert_int_equal(cql_get_boolean(cell, &b), len == 1);
		assert_int_equal(cql_get_tinyint(cell, &i8), len == 1);
		assert_int_equal(cql_get_smallint(cell, &i16), len == 2);
		assert_int_equal(cql_get_int(cell, &i32), len == 4);
		assert_int_equal(cql_get_date(cell, &i32), len == 4);
		assert_int_equal(cql_get_float(cell, &f), len == 4);
		assert_int_equal(cql_get_bigint(cell, &i64), len == 8);
		assert_int_equal(cql_get_time(cell, &i64), len == 8);
		assert_int_equal(cql_get_double(cell, &d), len == 8);
	}
}

/* The parts, as hexadecimal with spaces between; "-" is null. */
static const char *parts_of(const struct cql_type *type, struct td_slice cell)
{
	struct cql_elements e;
	struct td_slice part;
	struct td_buf hex = TD_BUF_INIT;
	td_buf_reset(&text);
	if (!cql_get_elements(type, cell, &e))
		return "refused";
	while (cql_elements_next(&e, &part)) {
		td_buf_put_str(&text, text.len > 0 ? " " : "");
		td_buf_put_str(&text, cql_is_null(part) ? "-" : hex_text(&hex, part));
	}
	td_buf_done(&hex);
	td_buf_put_str(&text, e.r.failed ? "!" : "");
	return td_buf_cstr(&text);
}

static void test_value_collections(void **state)
{
	(void)state;
	struct cql_type list = type_of("0020 0009"), map = type_of("0021 0014 000d");
	size_t opened = cql_bind_open_list(&out, 2);
	cql_bind_int(&out, 1);
	cql_bind_int(&out, 2);
	cql_bind_close(&out, opened);
	struct td_slice cell = bound("00000002 00000004 00000001 00000004 00000002");
	assert_string_equal(parts_of(&list, cell), "00000001 00000002");
	opened = cql_bind_open_map(&out, 1);
	cql_bind_tinyint(&out, 5);
	cql_bind_bytes(&out, TD_SLICE("ab"));
	cql_bind_close(&out, opened);
	cell = bound("00000001 00000001 05 00000002 6162");
	assert_string_equal(parts_of(&map, cell), "05 6162");
	assert_string_equal(parts_of(&list, cell_of("00000000")), "");
	static const char *const bad[] = {"", "000000", "00000001", "7fffffff 00000000", "ffffffff",
		"00000002 00000000 000000"};
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++)
		assert_string_equal(parts_of(&list, cell_of(bad[i])), "refused");
	assert_string_equal(parts_of(&map, cell_of("00000001 00000000")), "refused");
	assert_string_equal(parts_of(&list, cell_of("00000001 00000005 00")), "!");
	struct cql_type simple = type_of("0009");
	assert_string_equal(parts_of(&simple, cell_of("00000001")), "refused");
}

/* Fields that are left out at the end are null. */
static void test_value_tuples(void **state)
{
	(void)state;
	struct cql_type tuple = type_of("0031 0003 0009 000d 0009");
	struct cql_type udt = type_of("0030 0002 6b73 0001 75 0002 0001 66 0009 0001 67 0009");
	size_t opened = cql_bind_open(&out);
	cql_bind_int(&out, 1);
	cql_bind_null(&out);
	cql_bind_close(&out, opened);
	struct td_slice cell = bound("00000004 00000001 ffffffff");
	assert_string_equal(parts_of(&tuple, cell), "00000001 - -");
	assert_string_equal(parts_of(&udt, cell), "00000001 -");
	assert_string_equal(parts_of(&tuple, cell_of("00000004 0000")), "!");
}

/* Elements without lengths where all are of one size, else each behind its length. */
static void test_value_vectors(void **state)
{
	(void)state;
	struct td_buf elements = TD_BUF_INIT;
	struct cql_type floats = type_of("VectorType(FloatType, 2)");
	struct cql_type texts = type_of("VectorType(UTF8Type, 2)");
	cql_bind_float(&elements, 1.0f);
	cql_bind_float(&elements, 2.0f);
	assert_int_equal(cql_bind_vector(&out, &floats, td_buf_slice(&elements), NULL), TD_OK);
	struct td_slice cell = bound("3f800000 40000000");
	assert_string_equal(parts_of(&floats, cell), "3f800000 40000000");
	td_buf_reset(&elements);
	cql_bind_bytes(&elements, TD_SLICE("a"));
	cql_bind_bytes(&elements, TD_SLICE(""));
	assert_int_equal(cql_bind_vector(&out, &texts, td_buf_slice(&elements), NULL), TD_OK);
	cell = bound("01 61 00");
	assert_string_equal(parts_of(&texts, cell), "61 ");
	assert_string_equal(parts_of(&floats, cell_of("3f800000 400000")), "refused");
	assert_string_equal(parts_of(&floats, cell_of("3f800000")), "refused");
	assert_string_equal(parts_of(&texts, cell_of("01")), "refused");
	assert_string_equal(parts_of(&texts, cell_of("02 61")), "!");
	assert_string_equal(parts_of(&texts, cell_of("ff ffffffffffffffff")), "!");
	td_buf_done(&elements);
}

/* Another number of elements, null, another size: nothing is written. */
static void test_value_vectors_refused(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	struct cql_type floats = type_of("VectorType(FloatType, 2)");
	static const char *const bad[] = {"00000004 00000000", "00000004 00000000 ffffffff",
		"00000004 00000000 00000008 0000000000000000",
		"00000004 00000000 00000004 00000000 00000004 00000000", ""};
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++) {
		assert_int_equal(cql_bind_vector(&out, &floats, cell_of(bad[i]), &err), TD_INVALID);
		assert_int_equal(out.len, 0);
		assert_non_null(strstr(err.text, "2 elements"));
	}
	struct td_buf small = {.limit = 6};
	assert_int_equal(cql_bind_vector(&small, &floats,
				 cell_of("00000004 00000000 00000004 00000000"), &err),
		TD_NOMEM);
	td_buf_done(&small);
}

struct check_row {
	const char *option, *good, *bad;
};

/* Down to the last part. */
static void test_value_check(void **state)
{
	(void)state;
	static const struct check_row rows[] = {{"0001", "61", "c3a9"},
		{"0002", "0000000000000001", "01"}, {"0003", "ff", NULL}, {"0004", "01", "0101"},
		{"0005", "0000000000000001", "01"}, {"0006", "0000000001", "00000000"},
		{"0007", "0000000000000001", "01"}, {"0008", "00000001", "01"},
		{"0009", "00000001", "01"}, {"000a", "c3a9", "c3"},
		{"000b", "0000000000000001", "01"},
		{"000c", "00112233445566778899aabbccddeeff", "00"}, {"000d", "c3a9", "ff"},
		{"000e", "00", NULL}, {"0010", "7f000001", "7f"}, {"0011", "80000000", "80"},
		{"0012", "0000000000000000", "8000000000000000"}, {"0013", "0001", "01"},
		{"0014", "01", "0001"}, {"0015", "020406", "0204"},
		{"0020 0009", "00000001 00000004 00000001", "00000001 00000001 01"},
		{"0020 0009", "00000001 00000000", "00000001 00000004 00000001 00"},
		{"0021 0014 000d", "00000001 00000001 01 00000001 61",
			"00000001 00000001 61 00000001 ff"},
		{"0031 0002 0009 0014", "00000004 00000001 00000001 01", "00000001 01 00000001 01"},
		{"0031 0002 0009 0014", "00000004 00000001", "00000004 000000"},
		{"0031 0000", "00", NULL}, {"VectorType(FloatType, 1)", "3f800000", "3f80000000"},
		{"VectorType(ByteType, 1)", "01 05", "02 0505"}};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_err err = TD_ERR_INIT;
		struct cql_type type = type_of(rows[i].option);
		assert_int_equal(cql_value_check(&type, td_slice(NULL, 0), &err), TD_OK);
		assert_int_equal(cql_value_check(&type, cell_of(""), &err), TD_OK);
		if (cql_value_check(&type, cell_of(rows[i].good), &err) != TD_OK)
			fail_msg("row %zu: %s", i, err.text);
		if (rows[i].bad != NULL &&
			cql_value_check(&type, cell_of(rows[i].bad), &err) != TD_CORRUPT)
			fail_msg("row %zu is taken", i);
	}
}

static int free_buffers(void **state)
{
	(void)state;
	td_buf_done(&in);
	td_buf_done(&out);
	td_buf_done(&text);
	td_arena_done(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_value_null_and_unset),
		cmocka_unit_test(test_value_integers),
		cmocka_unit_test(test_value_floats),
		cmocka_unit_test(test_value_dates_and_times),
		cmocka_unit_test(test_value_uuid_and_inet),
		cmocka_unit_test(test_value_varint_vectors),
		cmocka_unit_test(test_value_decimal),
		cmocka_unit_test(test_value_duration),
		cmocka_unit_test(test_value_wrong_lengths_are_refused),
		cmocka_unit_test(test_value_collections),
		cmocka_unit_test(test_value_tuples),
		cmocka_unit_test(test_value_vectors),
		cmocka_unit_test(test_value_vectors_refused),
		cmocka_unit_test(test_value_check),
	};
	return cmocka_run_group_tests(tests, NULL, free_buffers);
}
