#include "td_test.h"

#include "cql/protocol/error.h"
#include "cql/protocol/frame.h"
#include "hex.h"

#include <string.h>

static struct td_buf in = TD_BUF_INIT;

static struct td_slice error_of(uint32_t code, const char *digits)
{
	td_buf_reset(&in);
	cql_put_int(&in, (int32_t)code);
	cql_put_string(&in, TD_SLICE("why"));
	hex_put(&in, digits);
	return td_buf_slice(&in);
}

static struct cql_error read_error(uint32_t code, const char *digits, unsigned version)
{
	struct cql_error e;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(cql_error_read(error_of(code, digits), version, &e, &err), TD_OK);
	assert_int_equal((uint32_t)e.code, code);
	assert_true(td_slice_is(e.message, "why"));
	return e;
}

/* Every body, with all of its fields. */
static void test_error_unavailable_and_timeouts(void **state)
{
	(void)state;
	struct cql_error e = read_error(0x1000, "0004 00000005 00000003", CQL_V4);
	assert_true(e.has_detail);
	assert_int_equal(e.consistency, CQL_QUORUM);
	assert_int_equal(e.required, 5);
	assert_int_equal(e.received, 3);
	e = read_error(0x1100, "0006 00000001 00000002 0006 53494d504c45", CQL_V4);
	assert_int_equal(e.received, 1);
	assert_int_equal(e.required, 2);
	assert_true(td_slice_is(e.write_type, "SIMPLE"));
	e = read_error(0x1100, "0008 00000001 00000002 0003 434153 0007", CQL_V5);
	assert_true(e.has_detail);
	assert_int_equal(e.contentions, 7);
	e = read_error(0x1100, "0008 00000001 00000002 0003 434153", CQL_V4);
	assert_true(e.has_detail);
	assert_int_equal(e.contentions, 0);
	e = read_error(0x1200, "0006 00000001 00000002 01", CQL_V4);
	assert_true(e.data_present);
	e = read_error(0x1700, "0008 00000001 00000002", CQL_V5);
	assert_int_equal(e.consistency, CQL_SERIAL);
}

/* Until version 4 a number of failures, since version 5 the reason of each node. */
static void test_error_failures(void **state)
{
	(void)state;
	struct cql_error e = read_error(0x1300, "0006 00000001 00000002 00000003 00", CQL_V4);
	assert_int_equal(e.failures, 3);
	assert_int_equal(e.reasons.count, 0);
	e = read_error(0x1300,
		"0006 00000001 00000002 00000002 04 7f000001 0001"
		"10 00000000000000000000000000000001 0002 01",
		CQL_V5);
	assert_true(e.has_detail);
	assert_int_equal(e.failures, 2);
	assert_int_equal(e.reasons.count, 2);
	assert_int_equal(e.reasons.bytes.len, 26);
	assert_true(e.data_present);
	e = read_error(0x1500, "0006 00000000 00000002 00000001 0005 4241544348", CQL_V4);
	assert_int_equal(e.failures, 1);
	assert_true(td_slice_is(e.write_type, "BATCH"));
	e = read_error(
		0x1500, "0006 00000000 00000002 00000001 04 7f000001 0000 0004 56494557", CQL_V5);
	assert_true(td_slice_is(e.write_type, "VIEW"));
}

static void test_error_names(void **state)
{
	(void)state;
	struct cql_error e = read_error(0x1400, "0002 6b73 0001 66 0001 0003 696e74", CQL_V4);
	assert_true(td_slice_is(e.keyspace, "ks"));
	assert_true(td_slice_is(e.name, "f"));
	assert_int_equal(e.argument_types.count, 1);
	e = read_error(0x2400, "0002 6b73 0000", CQL_V4);
	assert_true(e.has_detail);
	assert_int_equal(e.name.len, 0);
	e = read_error(0x2500, "0002 abcd", CQL_V4);
	assert_int_equal(e.id.len, 2);
}

/* Codes without a body, and one that nobody knows. */
static void test_error_without_detail(void **state)
{
	(void)state;
	static const uint32_t codes[] = {0, 0xa, 0x100, 0x1001, 0x1002, 0x1003, 0x1600, 0x2000,
		0x2100, 0x2200, 0x2300, 0x7777, 0xffffffff};
	for (size_t i = 0; i < TD_ARRAY_LEN(codes); i++) {
		(void)read_error(codes[i], "", CQL_V4);
		(void)read_error(codes[i], "0011", CQL_V5);
	}
}

/* A detail that is cut off leaves code and sentence; nothing of it is given. */
static void test_error_cut_detail_keeps_the_sentence(void **state)
{
	(void)state;
	static const struct {
		uint32_t code;
		const char *digits;
	} rows[] = {{0x1000, "0004 00000005 000000"}, {0x1100, "0006 00000001 00000002 0006 53"},
		{0x1200, "0006 00000001 00000002"}, {0x1300, "0006 00000001 00000002 7fffffff"},
		{0x1300, "0006 00000001 00000002 00000001 05"}, {0x1400, "0002 6b73 0001"},
		{0x1500, "0006 00000001 00000002 00000001"}, {0x1700, "0006"},
		{0x2400, "0002 6b73"}, {0x2500, "0003 6162"}};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct cql_error e = read_error(rows[i].code, rows[i].digits, CQL_V5);
		assert_false(e.has_detail);
		assert_int_equal(e.consistency, 0);
		assert_int_equal(e.keyspace.len, 0);
	}
	struct cql_error e;
	struct td_slice whole = error_of(0, "");
	for (size_t len = 0; len < whole.len; len++)
		assert_int_equal(
			cql_error_read(td_slice(whole.ptr, len), CQL_V4, &e, NULL), TD_CORRUPT);
}

/* For people: name, code, sentence, numbers. */
static void test_error_tell(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	struct cql_error e = read_error(0x1000, "0004 00000005 00000003", CQL_V4);
	assert_int_equal(cql_error_tell(&e, &err), TD_UNAVAILABLE);
	assert_int_equal(err.native, 0x1000);
	assert_string_equal(err.text, "Cassandra: unavailable (0x1000): why (QUORUM needs 5 "
				      "replicas, 3 alive)");
	e = read_error(0x1200, "0006 00000001 00000002 01", CQL_V4);
	assert_int_equal(cql_error_tell(&e, &err), TD_TIMEOUT);
	assert_non_null(strstr(err.text, "(LOCAL_QUORUM needs 2 replicas, 1 answered)"));
	e = read_error(0x1300, "0006 00000001 00000002 00000003 00", CQL_V4);
	assert_int_equal(cql_error_tell(&e, &err), TD_IO);
	assert_non_null(strstr(err.text, "3 failed"));
	e = read_error(0x7777, "", CQL_V4);
	assert_int_equal(cql_error_tell(&e, &err), TD_INTERNAL);
	assert_string_equal(err.text, "Cassandra: unknown error (0x7777): why");
	assert_int_equal(cql_error_tell(&e, NULL), TD_INTERNAL);
}

/* A long sentence is cut between characters. */
static void test_error_tell_cuts_a_long_sentence(void **state)
{
	(void)state;
	static char sentence[601] = "x";
	struct td_err err = TD_ERR_INIT;
	for (size_t i = 1; i < 601; i += 2)
		memcpy(sentence + i, "\xc3\xa9", 2);
	const struct cql_error e = {.code = 0x2200, .message = td_slice(sentence, 601)};
	assert_int_equal(cql_error_tell(&e, &err), TD_INVALID);
	assert_memory_equal(err.text + strlen(err.text) - 2, "\xc3\xa9", 2);
	assert_true(strlen(err.text) < 400);
}

static void test_error_status_of_codes(void **state)
{
	(void)state;
	assert_int_equal(cql_error_status(CQL_ERROR_OVERLOADED), TD_BUSY);
	assert_int_equal(cql_error_status(CQL_ERROR_UNPREPARED), TD_NOTFOUND);
	assert_int_equal(cql_error_status(CQL_ERROR_AUTHENTICATION), TD_DENIED);
	assert_int_equal(cql_error_status(CQL_ERROR_EXISTS), TD_EXISTS);
	assert_int_equal(cql_error_status(12345), TD_INTERNAL);
	assert_string_equal(
		cql_error_name(CQL_ERROR_CAS_UNKNOWN), "CAS write with unknown outcome");
}

static int free_buffers(void **state)
{
	(void)state;
	td_buf_done(&in);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error_unavailable_and_timeouts),
		cmocka_unit_test(test_error_failures),
		cmocka_unit_test(test_error_names),
		cmocka_unit_test(test_error_without_detail),
		cmocka_unit_test(test_error_cut_detail_keeps_the_sentence),
		cmocka_unit_test(test_error_tell),
		cmocka_unit_test(test_error_tell_cuts_a_long_sentence),
		cmocka_unit_test(test_error_status_of_codes),
	};
	return cmocka_run_group_tests(tests, NULL, free_buffers);
}
