#include "td_test.h"

#include "cql/protocol/frame.h"
#include "cql/protocol/result.h"
#include "cql/protocol/value.h"
#include "fault_alloc.h"
#include "hex.h"

#include <string.h>

/* The body of a real server's answer to "SELECT key FROM system.local". */
#define LOCAL                                                                           \
	"00000002 00000001 00000001 0006 73797374656d 0005 6c6f63616c 0003 6b6579 000d" \
	"00000001 00000005 6c6f63616c"
#define KS_T "0002 6b73 0001 74"

static struct td_buf in = TD_BUF_INIT;

static struct td_slice bytes_of(const char *digits)
{
	td_buf_reset(&in);
	hex_put(&in, digits);
	assert_non_null(td_buf_cstr(&in));
	return td_buf_slice(&in);
}

static struct cql_result read_result(const char *digits, unsigned version)
{
	struct cql_result result;
	struct td_err err = TD_ERR_INIT;
	if (cql_result_read(bytes_of(digits), version, &result, &err) != TD_OK)
		fail_msg("%s", err.text);
	return result;
}

/* Cut anywhere, it is damaged: while it is read, or at the row that is not whole. */
static void every_cut_is_corrupt(const char *digits, unsigned version)
{
	struct td_slice whole = bytes_of(digits);
	for (size_t len = 0; len < whole.len; len++) {
		struct cql_result result;
		struct td_slice cells[8];
		enum td_status status = cql_result_read(
			td_slice(whole.ptr, len), version, &result, NULL);
		if (status == TD_OK && result.kind == CQL_RESULT_ROWS) {
			while (cql_rows_next(&result.rows, cells))
				continue;
			status = cql_rows_check(&result.rows, NULL);
		}
		assert_int_equal(status, TD_CORRUPT);
	}
}

static void test_result_small_kinds(void **state)
{
	(void)state;
	assert_int_equal(read_result("00000001", CQL_V4).kind, CQL_RESULT_VOID);
	struct cql_result result = read_result("00000003 0002 6b73", CQL_V4);
	assert_int_equal(result.kind, CQL_RESULT_KEYSPACE);
	assert_true(td_slice_is(result.keyspace, "ks"));
	result = read_result("00000005 0007 43524541544544 0005 5441424c45" KS_T, CQL_V4);
	assert_int_equal(result.kind, CQL_RESULT_SCHEMA);
	assert_int_equal(result.schema.change, CQL_CREATED);
	assert_true(td_slice_is(result.schema.name, "t"));
	every_cut_is_corrupt("00000001", CQL_V4);
	every_cut_is_corrupt("00000003 0002 6b73", CQL_V4);
	every_cut_is_corrupt("00000005 0007 43524541544544 0005 5441424c45" KS_T, CQL_V4);
	static const char *const bad[] = {"00000000", "00000006", "ffffffff"};
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++)
		assert_int_equal(
			cql_result_read(bytes_of(bad[i]), CQL_V4, &result, NULL), TD_CORRUPT);
}

/* Bytes behind what is known belong to a later server. */
static void test_result_trailing_bytes_are_ignored(void **state)
{
	(void)state;
	assert_int_equal(read_result("00000001 cafe", CQL_V5).kind, CQL_RESULT_VOID);
	struct cql_result result = read_result(LOCAL "cafe", CQL_V5);
	struct td_slice cell;
	assert_true(cql_rows_next(&result.rows, &cell));
	assert_false(cql_rows_next(&result.rows, &cell));
	assert_int_equal(cql_rows_check(&result.rows, NULL), TD_OK);
}

/* What a real server answers. */
static void test_result_rows_of_a_server(void **state)
{
	(void)state;
	struct cql_result result = read_result(LOCAL, CQL_V5);
	struct cql_column *columns;
	struct td_arena arena = TD_ARENA_INIT;
	struct td_slice cell;
	assert_int_equal(result.kind, CQL_RESULT_ROWS);
	assert_int_equal(result.rows.metadata.column_count, 1);
	assert_int_equal(result.rows.row_count, 1);
	assert_true(cql_is_null(result.rows.metadata.paging_state));
	assert_int_equal(cql_columns_read(&result.rows.metadata, &arena, &columns, NULL), TD_OK);
	assert_true(td_slice_is(columns[0].keyspace, "system"));
	assert_true(td_slice_is(columns[0].table, "local"));
	assert_true(td_slice_is(columns[0].name, "key"));
	assert_int_equal(columns[0].type.id, CQL_TYPE_VARCHAR);
	assert_true(cql_rows_next(&result.rows, &cell));
	assert_true(td_slice_is(cell, "local"));
	assert_false(cql_rows_next(&result.rows, &cell));
	assert_int_equal(cql_rows_check(&result.rows, NULL), TD_OK);
	td_arena_done(&arena);
	every_cut_is_corrupt(LOCAL, CQL_V5);
}

/* Flags: another page, changed columns, no columns, columns of several tables; nulls. */
static void test_result_rows_flags(void **state)
{
	(void)state;
	struct td_slice cells[2];
	struct cql_column *columns;
	struct td_arena arena = TD_ARENA_INIT;
	static const char bare[] = "00000002 00000006 00000002 00000002 7073 00000002"
				   "00000001 61 ffffffff 00000000 00000001 62";
	struct cql_result result = read_result(bare, CQL_V4);
	assert_true(td_slice_is(result.rows.metadata.paging_state, "ps"));
	assert_false(result.rows.metadata.has_columns);
	assert_int_equal(
		cql_columns_read(&result.rows.metadata, &arena, &columns, NULL), TD_INVALID);
	assert_true(cql_rows_next(&result.rows, cells));
	assert_true(td_slice_is(cells[0], "a"));
	assert_true(cql_is_null(cells[1]));
	assert_true(cql_rows_next(&result.rows, cells));
	assert_false(cql_is_null(cells[0]));
	assert_int_equal(cells[0].len, 0);
	every_cut_is_corrupt(bare, CQL_V4);
	static const char changed[] = "00000002 00000008 00000002 0002 abcd" KS_T "0001 61 0009"
				      "0001 78 0001 79 0001 62 0022 000e 00000000";
	result = read_result(changed, CQL_V5);
	assert_int_equal(result.rows.metadata.new_id.len, 2);
	assert_int_equal(cql_columns_read(&result.rows.metadata, &arena, &columns, NULL), TD_OK);
	assert_true(td_slice_is(columns[0].keyspace, "ks"));
	assert_true(td_slice_is(columns[1].table, "y"));
	assert_int_equal(columns[1].type.id, CQL_TYPE_SET);
	assert_int_equal(columns[1].type.params[0].id, CQL_TYPE_VARINT);
	every_cut_is_corrupt(changed, CQL_V5);
	td_arena_done(&arena);
}

/* Counts that the message cannot hold, and rows without cells, are refused before anything is
 * reserved. */
static void test_result_impossible_counts_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"00000002 00000001 7fffffff" KS_T,
		"00000002 00000001 ffffffff" KS_T,
		"00000002 00000004 00010000 00000000",
		"00000002 00000004 00000001 7fffffff 00000000",
		"00000002 00000004 00000001 00000002 00000000 000000",
		"00000002 00000004 00000002 00000001 00000000",
		"00000002 00000004 00000000 7fffffff",
		"00000002 00000004 00000000 00000001",
		"00000002 00000004 00000001 ffffffff",
		"00000004 0002 6964 00000004 00000000 7fffffff",
		"00000004 0002 6964 00000004 00000000 ffffffff",
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++) {
		struct cql_result result;
		assert_int_equal(
			cql_result_read(bytes_of(bad[i]), CQL_V4, &result, NULL), TD_CORRUPT);
	}
}

/* Two binds, of which the second and the first make the key in this order. */
#define BINDS "00000001 00000002 00000002 0001 0000" KS_T "0001 61 0009 0001 62 000d"

static void test_result_prepared(void **state)
{
	(void)state;
	static const char version4[] = "00000004 0002 6964" BINDS "00000001 00000001" KS_T
				       "0001 63 0002";
	static const char version5[] = "00000004 0002 6964 0003 6d6574" BINDS "00000004 00000000";
	struct cql_result result = read_result(version4, CQL_V4);
	const struct cql_prepared *p = &result.prepared;
	struct cql_column *columns;
	struct td_arena arena = TD_ARENA_INIT;
	assert_int_equal(result.kind, CQL_RESULT_PREPARED);
	assert_true(td_slice_is(p->id, "id"));
	assert_int_equal(p->metadata_id.len, 0);
	assert_int_equal(p->pk_count, 2);
	assert_int_equal(cql_prepared_pk(p, 0), 1);
	assert_int_equal(cql_prepared_pk(p, 1), 0);
	assert_int_equal(cql_columns_read(&p->binds, &arena, &columns, NULL), TD_OK);
	assert_true(td_slice_is(columns[1].name, "b"));
	assert_int_equal(columns[1].type.id, CQL_TYPE_VARCHAR);
	assert_int_equal(cql_columns_read(&p->result, &arena, &columns, NULL), TD_OK);
	assert_int_equal(columns[0].type.id, CQL_TYPE_BIGINT);
	every_cut_is_corrupt(version4, CQL_V4);
	result = read_result(version5, CQL_V5);
	assert_true(td_slice_is(p->metadata_id, "met"));
	assert_int_equal(p->result.column_count, 0);
	assert_false(p->result.has_columns);
	every_cut_is_corrupt(version5, CQL_V5);
	td_arena_done(&arena);
}

/* A key that is made of a value which is not bound, and an empty id, are damage. */
static void test_result_prepared_damaged(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"00000004 0002 6964 00000001 00000001 00000001 0001" KS_T "0001 61 0009"
		"00000004 00000000",
		"00000004 0000 00000004 00000000 00000000 00000004 00000000",
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++) {
		struct cql_result result;
		assert_int_equal(
			cql_result_read(bytes_of(bad[i]), CQL_V4, &result, NULL), TD_CORRUPT);
	}
}

static bool attempt(void *ctx)
{
	const struct cql_result *result = ctx;
	struct cql_column *columns;
	struct td_arena arena = TD_ARENA_INIT;
	enum td_status status = cql_columns_read(&result->rows.metadata, &arena, &columns, NULL);
	assert_true(status == TD_OK || status == TD_NOMEM);
	td_arena_done(&arena);
	return status == TD_OK;
}

static void test_result_columns_without_memory(void **state)
{
	(void)state;
	struct cql_result result = read_result(
		"00000002 00000001 00000002" KS_T
		"0001 61 0030 0001 6b 0001 75 0001 0001 66 0009 0001 62 0021 0009 0031"
		"0002 0009 000d 00000000",
		CQL_V4);
	assert_true(fault_alloc_each(attempt, &result) > 2);
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
		cmocka_unit_test(test_result_small_kinds),
		cmocka_unit_test(test_result_trailing_bytes_are_ignored),
		cmocka_unit_test(test_result_rows_of_a_server),
		cmocka_unit_test(test_result_rows_flags),
		cmocka_unit_test(test_result_impossible_counts_are_refused),
		cmocka_unit_test(test_result_prepared),
		cmocka_unit_test(test_result_prepared_damaged),
		cmocka_unit_test(test_result_columns_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, free_buffers);
}
