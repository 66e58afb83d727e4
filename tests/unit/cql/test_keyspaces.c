#include "cql/protocol/keyspaces.h"
#include "fault_alloc.h"
#include "server_tables.h"

#include <string.h>

static const struct made_column columns[] = {
	{"replication", "0021 000d 000d"}, {"durable_writes", "0004"}, {"keyspace_name", "000d"}};

static struct td_buf in = TD_BUF_INIT;
static struct td_arena arena = TD_ARENA_INIT;

static int clean(void **state)
{
	(void)state;
	td_arena_done(&arena);
	arena = (struct td_arena)TD_ARENA_INIT;
	td_buf_done(&in);
	return 0;
}

static struct td_slice message_of(const char *digits)
{
	td_buf_reset(&in);
	hex_put(&in, digits);
	assert_non_null(td_buf_cstr(&in));
	return td_buf_slice(&in);
}

static enum td_status read_keyspaces(struct td_slice message,
	const struct cql_keyspace **ret_keyspaces, size_t *ret_count, struct td_err *err)
{
	struct cql_result result;
	enum td_status status = cql_result_read(message, CQL_V4, &result, err);
	return status != TD_OK ? status
			       : cql_keyspaces_read(&result, &arena, ret_keyspaces, ret_count, err);
}

static void test_keyspaces_of_a_server(void **state)
{
	(void)state;
	const struct cql_keyspace *all = NULL;
	size_t count = 0;
	assert_int_equal(
		read_keyspaces(message_of(server_41_keyspaces), &all, &count, NULL), TD_OK);
	/* Nothing may point into the message. */
	memset(in.ptr, 0xee, in.len);
	assert_int_equal(count, 6);
	const struct cql_keyspace *shop = cql_keyspace_find(all, count, TD_SLICE("shop"));
	assert_non_null(shop);
	assert_int_equal(shop->replication.strategy, CQL_STRATEGY_NETWORK);
	assert_int_equal(shop->replication.dc_count, 1);
	assert_true(td_slice_is(shop->replication.dcs[0].name, "datacenter1"));
	assert_int_equal(shop->replication.dcs[0].factor, 3);
	assert_false(shop->replication.failed);
	const struct cql_keyspace *found = cql_keyspace_find(
		all, count, TD_SLICE("system_distributed"));
	assert_int_equal(found->replication.strategy, CQL_STRATEGY_SIMPLE);
	assert_int_equal(found->replication.factor, 3);
	found = cql_keyspace_find(all, count, TD_SLICE("system"));
	assert_int_equal(found->replication.strategy, CQL_STRATEGY_LOCAL);
	assert_null(cql_keyspace_find(all, count, TD_SLICE("sho")));
}

static void test_keyspaces_null_and_empty(void **state)
{
	(void)state;
	static const char *const cells[] = {
		NULL, NULL, "'a", "", "01", "'b", "00000000", "00", "'c"};
	const struct cql_keyspace *all = NULL;
	size_t count = 0;
	put_table(&in, columns, 3, cells, 3);
	assert_int_equal(read_keyspaces(td_buf_slice(&in), &all, &count, NULL), TD_OK);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(all[i].replication.strategy, CQL_STRATEGY_UNKNOWN);
	assert_true(td_slice_is(all[2].name, "c"));
	put_table(&in, columns, 3, NULL, 0);
	assert_int_equal(read_keyspaces(td_buf_slice(&in), &all, &count, NULL), TD_OK);
	assert_int_equal(count, 0);
	assert_null(cql_keyspace_find(all, count, TD_SLICE("a")));
}

static void test_keyspaces_damaged(void **state)
{
	(void)state;
	static const char *const bad[][3] = {
		{NULL, NULL, NULL},
		{NULL, NULL, ""},
		{"00", NULL, "'a"},
		{"7fffffff 00000000 00000000", NULL, "'a"},
		{"00000001 00000000 00000001", NULL, "'a"},
		{"00000001 7fffffff 00000000", NULL, "'a"},
		{"ffffffff", NULL, "'a"},
	};
	static const struct made_column wrong[] = {{"replication", "0021 000d 0009"}};
	const struct cql_keyspace *all = NULL;
	size_t count = 0;
	struct td_err err = TD_ERR_INIT;
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++) {
		put_table(&in, columns, 3, bad[i], 1);
		assert_int_equal(read_keyspaces(td_buf_slice(&in), &all, &count, &err), TD_CORRUPT);
		assert_string_equal(err.text,
			"a row of system_schema.keyspaces has no name or a damaged replication");
	}
	put_table(&in, wrong, 1, NULL, 0);
	assert_int_equal(read_keyspaces(td_buf_slice(&in), &all, &count, &err), TD_CORRUPT);
	assert_string_equal(
		err.text, "system_schema.keyspaces has a column replication of the type map");
	struct td_slice whole = message_of(server_41_keyspaces);
	for (size_t len = 0; len < whole.len; len++)
		assert_int_equal(
			read_keyspaces(td_slice(whole.ptr, len), &all, &count, NULL), TD_CORRUPT);
}

static void test_keyspaces_every_hostile_length(void **state)
{
	(void)state;
	static const uint8_t lengths[][4] = {{0x7f, 0xff, 0xff, 0xff}, {0x80, 0, 0, 0},
		{0, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 0, 9}};
	size_t len = message_of(server_41_keyspaces).len;
	for (size_t at = 0; at + 4 <= len; at++) {
		for (size_t i = 0; i < TD_ARRAY_LEN(lengths); i++) {
			const struct cql_keyspace *all = NULL;
			size_t count = 0;
			char kept[4];
			memcpy(kept, in.ptr + at, 4);
			memcpy(in.ptr + at, lengths[i], 4);
			enum td_status status = read_keyspaces(
				td_buf_slice(&in), &all, &count, NULL);
			assert_true(status == TD_OK || status == TD_CORRUPT);
			memcpy(in.ptr + at, kept, 4);
			td_arena_reset(&arena);
		}
	}
}

static void test_keyspaces_limits(void **state)
{
	(void)state;
	static const struct made_column name[] = {{"keyspace_name", "000d"}};
	static const char *cells[CQL_KEYSPACES_MOST + 1];
	const struct cql_keyspace *all = NULL;
	size_t count = 0;
	struct td_err err = TD_ERR_INIT;
	for (size_t i = 0; i < TD_ARRAY_LEN(cells); i++)
		cells[i] = "'k";
	put_table(&in, name, 1, cells, CQL_KEYSPACES_MOST);
	assert_int_equal(read_keyspaces(td_buf_slice(&in), &all, &count, &err), TD_OK);
	put_table(&in, name, 1, cells, CQL_KEYSPACES_MOST + 1);
	assert_int_equal(read_keyspaces(td_buf_slice(&in), &all, &count, &err), TD_TOOBIG);
	assert_string_equal(err.text, "the server has 4097 keyspaces, more than 4096");
	td_arena_done(&arena);
	arena.limit = 1000;
	assert_int_equal(
		read_keyspaces(message_of(server_41_keyspaces), &all, &count, &err), TD_NOMEM);
}

static bool attempt(void *ctx)
{
	const struct cql_result *result = ctx;
	const struct cql_keyspace *all = NULL;
	size_t count = 0;
	struct td_arena own = TD_ARENA_INIT;
	enum td_status status = cql_keyspaces_read(result, &own, &all, &count, NULL);
	assert_true(status == TD_OK || status == TD_NOMEM);
	td_arena_done(&own);
	return status == TD_OK;
}

static void test_keyspaces_without_memory(void **state)
{
	(void)state;
	struct cql_result result = result_of(message_of(server_41_keyspaces));
	assert_true(fault_alloc_each(attempt, &result) > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_keyspaces_of_a_server, clean),
		cmocka_unit_test_teardown(test_keyspaces_null_and_empty, clean),
		cmocka_unit_test_teardown(test_keyspaces_damaged, clean),
		cmocka_unit_test_teardown(test_keyspaces_every_hostile_length, clean),
		cmocka_unit_test_teardown(test_keyspaces_limits, clean),
		cmocka_unit_test_teardown(test_keyspaces_without_memory, clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
