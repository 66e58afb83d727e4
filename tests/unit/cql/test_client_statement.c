/* Which partition a statement's values belong to, and what is written for a query. */
#include "fault_alloc.h"
#include "td_test.h"

#include "base/compiler.h"
#include "cql/client/encode.h"
#include "cql/client/statement.h"
#include "cql/protocol/token.h"
#include "cql/protocol/value.h"

#include <string.h>

static uint16_t places[] = {2, 0, 1};

static bool token_of(size_t pk_count, const struct cql_values *values, int64_t *ret_token)
{
	const struct cql_statement statement = {.pk = places, .pk_count = pk_count};
	struct td_buf scratch = TD_BUF_INIT;
	bool found = cql_statement_token(&statement, values, &scratch, ret_token);
	td_buf_done(&scratch);
	return found;
}

static void test_a_key_of_one_value(void **state)
{
	(void)state;
	struct td_buf b = TD_BUF_INIT;
	int64_t token = 0;
	cql_bind_null(&b);
	cql_bind_unset(&b);
	cql_bind_bytes(&b, TD_SLICE("key"));
	struct cql_values values = {.bytes = td_buf_slice(&b), .count = 3};
	assert_true(token_of(1, &values, &token));
	assert_true(token == cql_token(TD_SLICE("key")));
	assert_false(token_of(0, &values, &token)); /* the key is not known */
	td_buf_done(&b);
}

static void test_a_key_of_several_values_in_its_own_order(void **state)
{
	(void)state;
	struct td_buf b = TD_BUF_INIT, key = TD_BUF_INIT;
	const struct td_slice parts[] = {TD_SLICE("third"), TD_SLICE("first"), TD_SLICE("second")};
	int64_t token = 0;
	cql_bind_bytes(&b, parts[1]);
	cql_bind_bytes(&b, parts[2]);
	cql_bind_bytes(&b, parts[0]);
	const struct cql_values values = {.bytes = td_buf_slice(&b), .count = 3};
	cql_routing_key_put(&key, parts, 3);
	assert_true(token_of(3, &values, &token));
	assert_true(token == cql_token(td_buf_slice(&key)));
	td_buf_done(&key);
	td_buf_done(&b);
}

static void test_what_cannot_be_routed(void **state)
{
	(void)state;
	struct td_buf b = TD_BUF_INIT;
	int64_t token = 0;
	cql_bind_bytes(&b, TD_SLICE("a"));
	cql_bind_bytes(&b, TD_SLICE("b"));
	struct cql_values values = {.bytes = td_buf_slice(&b), .count = 2};
	assert_false(token_of(1, &values, &token)); /* too few */
	cql_bind_unset(&b);
	values = (struct cql_values){.bytes = td_buf_slice(&b), .count = 3};
	assert_false(token_of(3, &values, &token)); /* unset */
	b.len -= 4;
	cql_bind_null(&b);
	values.bytes = td_buf_slice(&b);
	assert_false(token_of(3, &values, &token)); /* null */
	b.len -= 4;
	cql_bind_bytes(&b, TD_SLICE("c"));
	values = (struct cql_values){.bytes = td_buf_slice(&b), .count = 3, .has_names = true};
	assert_false(token_of(3, &values, &token)); /* by names: in any order */
	values = (struct cql_values){.bytes = td_slice(b.ptr, b.len - 1), .count = 3};
	assert_false(token_of(3, &values, &token)); /* damaged */
	td_buf_done(&b);
}

/* ---- what is written */

static struct cql_statement known(const char *id)
{
	struct cql_statement s = {.is_known = true, .id = td_slice_str(id)};
	td_buf_put_str(&s.metadata_id, "meta");
	return s;
}

static void test_a_statement_without_its_columns_id_is_not_known_in_version_5(void **state)
{
	(void)state;
	struct cql_statement s = {.is_known = true};
	struct cql_query q = CQL_QUERY_INIT;
	q.statement = &s;
	assert_null(cql_query_unknown(&q, CQL_V4));
	assert_ptr_equal(cql_query_unknown(&q, CQL_V5), &s);
	td_buf_put_str(&s.metadata_id, "meta");
	assert_null(cql_query_unknown(&q, CQL_V5));
	s.is_known = false;
	assert_ptr_equal(cql_query_unknown(&q, CQL_V4), &s);
	td_buf_done(&s.metadata_id);
}

static void test_what_a_batch_lacks(void **state)
{
	(void)state;
	struct cql_statement a = known("aaaa"), b = known("bbbb");
	const struct cql_batch_entry entries[] = {
		{.text = TD_SLICE("INSERT")}, {.statement = &a}, {.statement = &b}};
	struct cql_query q = CQL_QUERY_INIT;
	q.batch = entries;
	q.batch_count = 3;
	assert_null(cql_query_unknown(&q, CQL_V5));
	b.is_known = false;
	assert_ptr_equal(cql_query_unknown(&q, CQL_V5), &b);
	struct cql_error error = {.id = TD_SLICE("bbbb")};
	assert_ptr_equal(cql_query_forgotten(&q, &error), &b);
	error.id = TD_SLICE("cccc");
	assert_null(cql_query_forgotten(&q, &error));
	td_buf_done(&a.metadata_id);
	td_buf_done(&b.metadata_id);
}

static void assert_written(
	const struct cql_query *q, enum cql_version version, const void *body, size_t len)
{
	struct td_buf out = TD_BUF_INIT;
	assert_int_equal(cql_query_put(q, 258, version, &out, NULL), TD_OK);
	assert_int_equal(out.len, 9 + len);
	assert_int_equal((uint8_t)out.ptr[0], version);
	assert_memory_equal(out.ptr + 9, body, len);
	td_buf_done(&out);
}

#define WRITES(q, version, literal) assert_written(q, version, literal, sizeof(literal) - 1)

static void test_the_bytes_of_each_kind(void **state)
{
	(void)state;
	struct cql_statement s = known("id");
	struct cql_query q = CQL_QUERY_INIT;
	q.text = TD_SLICE("SELECT");
	WRITES(&q, CQL_V5, "\0\0\0\6SELECT\0\6\0\0\0\x20\0\0\0\0\0\0\1\2");
	WRITES(&q, CQL_V4, "\0\0\0\6SELECT\0\6\x20\0\0\0\0\0\0\1\2");
	q.statement = &s; /* goes before the text; version 5 skips the columns, 4 does not */
	WRITES(&q, CQL_V5, "\0\2id\0\4meta\0\6\0\0\0\x22\0\0\0\0\0\0\1\2");
	WRITES(&q, CQL_V4, "\0\2id\0\6\x20\0\0\0\0\0\0\1\2");
	const struct cql_batch_entry entry = {.statement = &s};
	q.statement = NULL;
	q.batch = &entry;
	q.batch_count = 1;
	WRITES(&q, CQL_V4, "\0\0\1\1\0\2id\0\0\0\6\x20\0\0\0\0\0\0\1\2");
	td_buf_done(&s.metadata_id);
}

static void test_the_servers_own_clock(void **state)
{
	(void)state;
	struct td_buf out = TD_BUF_INIT;
	struct cql_query q = CQL_QUERY_INIT;
	q.text = TD_SLICE("S");
	assert_int_equal(cql_query_put(&q, -1, CQL_V4, &out, NULL), TD_OK);
	assert_memory_equal(out.ptr + 9, "\0\0\0\1S\0\6\0", out.len - 9);
	assert_int_equal(out.len, 9 + 8);
	td_buf_done(&out);
}

static bool put_batch(void *ctx)
{
	struct td_buf out = TD_BUF_INIT;
	enum td_status status = cql_query_put(ctx, 1, CQL_V5, &out, NULL);
	assert_true(status == TD_OK || status == TD_NOMEM);
	td_buf_done(&out);
	return status == TD_OK;
}

static void test_no_memory_is_told(void **state)
{
	(void)state;
	const struct cql_batch_entry entry = {.text = TD_SLICE("INSERT")};
	struct cql_query q = CQL_QUERY_INIT;
	q.batch = &entry;
	q.batch_count = 1;
	assert_true(fault_alloc_each(put_batch, &q) >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_of_one_value),
		cmocka_unit_test(test_a_key_of_several_values_in_its_own_order),
		cmocka_unit_test(test_what_cannot_be_routed),
		cmocka_unit_test(test_a_statement_without_its_columns_id_is_not_known_in_version_5),
		cmocka_unit_test(test_what_a_batch_lacks),
		cmocka_unit_test(test_the_bytes_of_each_kind),
		cmocka_unit_test(test_the_servers_own_clock),
		cmocka_unit_test(test_no_memory_is_told),
	};
	return cmocka_run_group_tests_name("cql/client/statement", tests, NULL, NULL);
}
