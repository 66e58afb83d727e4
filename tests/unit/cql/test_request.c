#include "td_test.h"

#include "cql/protocol/request.h"
#include "cql/protocol/value.h"
#include "fault_alloc.h"
#include "hex.h"

#include <string.h>

#define SELECT     TD_SLICE("SELECT key FROM system.local")
#define SELECT_HEX "53454c454354206b65792046524f4d2073797374656d2e6c6f63616c"
#define ONE_VALUE  "00000004 00000007"

static struct td_buf out = TD_BUF_INIT, text = TD_BUF_INIT, values = TD_BUF_INIT;

static const struct cql_request v4 = {.version = CQL_V4, .stream = 1};
static const struct cql_request v5 = {.version = CQL_V5, .stream = 1};

/* Asserts that the buffer holds exactly these bytes, and empties it. */
static void expect(enum td_status status, const char *digits)
{
	struct td_buf wanted = TD_BUF_INIT, shown = TD_BUF_INIT;
	assert_int_equal(status, TD_OK);
	hex_put(&wanted, digits);
	assert_string_equal(
		hex_text(&text, td_buf_slice(&out)), hex_text(&shown, td_buf_slice(&wanted)));
	td_buf_done(&wanted);
	td_buf_done(&shown);
	td_buf_reset(&out);
}

static struct cql_values some_values(size_t count)
{
	td_buf_reset(&values);
	for (size_t i = 0; i < count; i++)
		cql_bind_int(&values, 7);
	return (struct cql_values){.bytes = td_buf_slice(&values), .count = count};
}

/* What is sent before a connection is up; the vectors of other drivers. */
static void test_request_handshake_vectors(void **state)
{
	(void)state;
	const struct cql_request first4 = {.version = CQL_V4}, first5 = {.version = CQL_V5};
	const struct cql_startup bare = {.lz4 = false};
	const struct cql_startup full = {.driver_name = TD_SLICE("d"),
		.driver_version = TD_SLICE("1"),
		.lz4 = true,
		.throw_on_overload = true};
	expect(cql_put_options(&out, &first5, NULL), "0500000005 00000000");
	expect(cql_put_startup(&out, &first4, &bare, NULL),
		"0400000001 00000016 0001 000b 43514c5f56455253494f4e 0005 332e302e30");
	expect(cql_put_startup(&out, &v5, &full, NULL),
		"0500000101 00000061 0005 000b 43514c5f56455253494f4e 0005 332e302e30"
		"000b 434f4d5052455353494f4e 0003 6c7a34"
		"000b 4452495645525f4e414d45 0001 64"
		"000e 4452495645525f56455253494f4e 0001 31"
		"0011 5448524f575f4f4e5f4f5645524c4f4144 0001 31");
	expect(cql_put_auth_plain(
		       &out, &first4, TD_SLICE("cassandra"), TD_SLICE("cassandra"), NULL),
		"040000000f 00000018 00000014 00 63617373616e647261 00 63617373616e647261");
	expect(cql_put_auth_response(&out, &v4, TD_SLICE("PLAIN"), NULL),
		"040000010f 00000009 00000005 504c41494e");
	expect(cql_put_auth_response(&out, &v4, td_slice(NULL, 0), NULL),
		"040000010f 00000004 ffffffff");
	expect(cql_put_register(&out, &v4, CQL_EVENT_TOPOLOGY | CQL_EVENT_SCHEMA, NULL),
		"040000010b 00000022 0002 000f 544f504f4c4f47595f4348414e4745"
		"000d 534348454d415f4348414e4745");
}

/* A plain query, in both versions; the vectors of other drivers. */
static void test_request_query_vectors(void **state)
{
	(void)state;
	const struct cql_params one = {.consistency = CQL_ONE};
	expect(cql_put_query(&out, &v4, SELECT, &one, NULL),
		"0400000107 00000023 0000001c" SELECT_HEX "0001 00");
	expect(cql_put_query(&out, &v5, SELECT, &one, NULL),
		"0500000107 00000026 0000001c" SELECT_HEX "0001 00000000");
}

/* Every parameter has its flag and its place. */
static void test_request_query_with_everything(void **state)
{
	(void)state;
	struct cql_params p = {.consistency = CQL_LOCAL_QUORUM,
		.serial = CQL_LOCAL_SERIAL,
		.values = some_values(1),
		.skip_metadata = true,
		.page_size = 5000,
		.paging_state = TD_SLICE("ps"),
		.has_timestamp = true,
		.timestamp_us = 258};
	expect(cql_put_query(&out, &v4, TD_SLICE("q"), &p, NULL),
		"0400000107 00000026 00000001 71 0006 3f 0001" ONE_VALUE "00001388"
		"00000002 7073 0009 0000000000000102");
	p.keyspace = TD_SLICE("ks");
	p.has_now = true;
	p.now_s = -2;
	expect(cql_put_query(&out, &v5, TD_SLICE("q"), &p, NULL),
		"0500000107 00000031 00000001 71 0006 000001bf 0001" ONE_VALUE "00001388"
		"00000002 7073 0009 0000000000000102 0002 6b73 fffffffe");
}

/* Null and unset are values; names stand before them. */
static void test_request_query_null_unset_and_names(void **state)
{
	(void)state;
	struct cql_params p = {.consistency = CQL_ONE};
	td_buf_reset(&values);
	cql_bind_null(&values);
	cql_bind_unset(&values);
	p.values = (struct cql_values){.bytes = td_buf_slice(&values), .count = 2};
	expect(cql_put_query(&out, &v4, TD_SLICE("q"), &p, NULL),
		"0400000107 00000012 00000001 71 0001 01 0002 ffffffff fffffffe");
	td_buf_reset(&values);
	cql_put_string(&values, TD_SLICE("a"));
	cql_bind_int(&values, 7);
	p.values = (struct cql_values){td_buf_slice(&values), 1, true};
	expect(cql_put_query(&out, &v4, TD_SLICE("q"), &p, NULL),
		"0400000107 00000015 00000001 71 0001 41 0001 0001 61" ONE_VALUE);
}

/* Tracing and a payload stand before the message, of statements only. */
static void test_request_tracing_and_payload(void **state)
{
	(void)state;
	const struct cql_pair pairs[] = {{TD_SLICE("k"), TD_SLICE("v")}};
	const struct cql_request rq = {CQL_V4, 2, true, pairs, 1};
	const struct cql_params one = {.consistency = CQL_ONE};
	expect(cql_put_query(&out, &rq, TD_SLICE("q"), &one, NULL),
		"0406000207 00000012 0001 0001 6b 00000001 76 00000001 71 0001 00");
	expect(cql_put_options(&out, &rq, NULL), "0400000205 00000000");
}

static void test_request_prepare_and_execute(void **state)
{
	(void)state;
	const struct cql_statement_id s = {TD_SLICE("id"), TD_SLICE("m")};
	struct cql_params p = {.consistency = CQL_ONE, .values = some_values(1)};
	expect(cql_put_prepare(&out, &v4, TD_SLICE("q"), td_slice(NULL, 0), NULL),
		"0400000109 00000005 00000001 71");
	expect(cql_put_prepare(&out, &v5, TD_SLICE("q"), td_slice(NULL, 0), NULL),
		"0500000109 00000009 00000001 71 00000000");
	expect(cql_put_prepare(&out, &v5, TD_SLICE("q"), TD_SLICE("ks"), NULL),
		"0500000109 0000000d 00000001 71 00000001 0002 6b73");
	expect(cql_put_execute(&out, &v4, &s, &p, NULL),
		"040000010a 00000011 0002 6964 0001 01 0001" ONE_VALUE);
	p.skip_metadata = true;
	expect(cql_put_execute(&out, &v5, &s, &p, NULL),
		"050000010a 00000017 0002 6964 0001 6d 0001 00000003 0001" ONE_VALUE);
}

static void test_request_batch(void **state)
{
	(void)state;
	struct cql_batch_row rows[2] = {
		{.cql = TD_SLICE("q")}, {.id = TD_SLICE("id"), .values = some_values(1)}};
	const struct cql_batch batch = {CQL_BATCH_UNLOGGED, rows, 2};
	struct cql_params p = {.consistency = CQL_QUORUM,
		.serial = CQL_SERIAL,
		.has_timestamp = true,
		.timestamp_us = 1};
	expect(cql_put_batch(&out, &v4, &batch, &p, NULL),
		"040000010d 00000027 01 0002 00 00000001 71 0000 01 0002 6964 0001" ONE_VALUE
		"0004 30 0008 0000000000000001");
	p.keyspace = TD_SLICE("ks");
	p.has_now = true;
	p.now_s = 3;
	expect(cql_put_batch(&out, &v5, &batch, &p, NULL),
		"050000010d 00000032 01 0002 00 00000001 71 0000 01 0002 6964 0001" ONE_VALUE
		"0004 000001b0 0008 0000000000000001 0002 6b73 00000003");
}

/* What was refused left the buffer as it was, and says why. */
static void refused(enum td_status status, const struct td_err *err, const char *words)
{
	assert_int_equal(status, TD_INVALID);
	if (strstr(err->text, words) == NULL)
		fail_msg("%s", err->text);
	assert_int_equal(out.len, 1);
	assert_false(out.failed);
}

static void test_request_refuses_bad_parameters(void **state)
{
	(void)state;
	static char long_text[70000];
	struct td_err e = TD_ERR_INIT;
	td_buf_reset(&out);
	td_buf_put_char(&out, 'x');
	struct cql_params p = {.serial = CQL_QUORUM};
	refused(cql_put_query(&out, &v4, SELECT, &p, &e), &e, "SERIAL");
	p = (struct cql_params){.page_size = -1};
	refused(cql_put_query(&out, &v4, SELECT, &p, &e), &e, "page");
	p = (struct cql_params){.has_timestamp = true, .timestamp_us = -1};
	refused(cql_put_query(&out, &v4, SELECT, &p, &e), &e, "timestamp");
	p = (struct cql_params){.keyspace = TD_SLICE("ks")};
	refused(cql_put_query(&out, &v4, SELECT, &p, &e), &e, "version 5");
	refused(cql_put_prepare(&out, &v4, SELECT, TD_SLICE("ks"), &e), &e, "version 5");
	p = (struct cql_params){.has_now = true};
	refused(cql_put_query(&out, &v4, SELECT, &p, &e), &e, "version 5");
	p = (struct cql_params){.keyspace = td_slice(long_text, 65536)};
	refused(cql_put_query(&out, &v5, SELECT, &p, &e), &e, "65535");
	const struct cql_statement_id none = {.id = {"", 0}};
	p = (struct cql_params){.consistency = CQL_ONE};
	refused(cql_put_execute(&out, &v4, &none, &p, &e), &e, "id");
	const struct cql_startup name = {.driver_name = td_slice(long_text, 65536)};
	refused(cql_put_startup(&out, &v4, &name, &e), &e, "65535");
}

static void test_request_refuses_bad_headers(void **state)
{
	(void)state;
	static char long_text[70000];
	struct td_err e = TD_ERR_INIT;
	td_buf_reset(&out);
	td_buf_put_char(&out, 'x');
	const struct cql_request v3 = {.version = (enum cql_version)3};
	const struct cql_request below = {.version = CQL_V4, .stream = -1};
	const struct cql_pair pair = {td_slice(long_text, 65536), {NULL, 0}};
	const struct cql_request payload = {CQL_V4, 0, false, &pair, 1};
	const struct cql_request many = {CQL_V4, 0, false, &pair, 65536};
	refused(cql_put_options(&out, &v3, &e), &e, "version");
	refused(cql_put_options(&out, &below, &e), &e, "stream");
	refused(cql_put_options(&out, &payload, &e), &e, "name");
	refused(cql_put_options(&out, &many, &e), &e, "items");
}

/* Values that are not what was said would shift all that follows. */
static void test_request_refuses_wrong_counts(void **state)
{
	(void)state;
	struct td_err e = TD_ERR_INIT;
	td_buf_reset(&out);
	td_buf_put_char(&out, 'x');
	struct cql_params p = {.values = some_values(2)};
	static const size_t wrong[] = {0, 1, 3, 65536};
	for (size_t i = 0; i < TD_ARRAY_LEN(wrong); i++) {
		p.values.count = wrong[i];
		refused(cql_put_query(&out, &v4, SELECT, &p, &e), &e, "not as many");
	}
	p.values = (struct cql_values){TD_SLICE("\xff\xff\xff\xfd"), 1, false};
	refused(cql_put_query(&out, &v4, SELECT, &p, &e), &e, "not as many");
}

static void test_request_refuses_bad_batches(void **state)
{
	(void)state;
	struct td_err e = TD_ERR_INIT;
	td_buf_reset(&out);
	td_buf_put_char(&out, 'x');
	struct cql_batch_row row = {.id = TD_SLICE("id")};
	struct cql_batch batch = {CQL_BATCH_LOGGED, &row, 1};
	struct cql_params p = {.page_size = 1};
	refused(cql_put_batch(&out, &v4, &batch, &p, &e), &e, "no pages");
	p = (struct cql_params){.consistency = CQL_ONE};
	row.values = some_values(1);
	row.values.has_names = true;
	refused(cql_put_batch(&out, &v4, &batch, &p, &e), &e, "no names");
	row.values = (struct cql_values){.count = 1};
	refused(cql_put_batch(&out, &v4, &batch, &p, &e), &e, "not as many");
	row = (struct cql_batch_row){.id = TD_SLICE("")};
	refused(cql_put_batch(&out, &v4, &batch, &p, &e), &e, "neither");
	batch.row_count = 65536;
	refused(cql_put_batch(&out, &v4, &batch, &p, &e), &e, "65535");
}

/* A password that the server would refuse is not sent, and never told. */
static void test_request_plain_refuses_and_keeps_the_secret(void **state)
{
	(void)state;
	struct td_err e = TD_ERR_INIT;
	td_buf_reset(&out);
	td_buf_put_char(&out, 'x');
	refused(cql_put_auth_plain(&out, &v4, TD_SLICE("u"), TD_SLICE(""), &e), &e, "empty");
	refused(cql_put_auth_plain(&out, &v4, TD_SLICE(""), TD_SLICE("s3cret"), &e), &e, "empty");
	refused(cql_put_auth_plain(&out, &v4, TD_SLICE("u"), TD_SLICE("s3\0cret"), &e), &e, "NUL");
	assert_null(strstr(e.text, "s3"));
}

/* Over the buffer's limit: TOOBIG, and the requests before it stay. */
static void test_request_over_the_limit_is_taken_back(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	struct td_buf small = {.limit = 40};
	const struct cql_params one = {.consistency = CQL_ONE};
	assert_int_equal(cql_put_options(&small, &v4, &err), TD_OK);
	assert_int_equal(cql_put_query(&small, &v4, SELECT, &one, &err), TD_TOOBIG);
	assert_int_equal(small.len, 9);
	assert_false(small.failed);
	assert_int_equal(cql_put_options(&small, &v4, &err), TD_OK);
	small.failed = true;
	assert_int_equal(cql_put_options(&small, &v4, &err), TD_NOMEM);
	td_buf_done(&small);
}

static bool attempt(void *ctx)
{
	(void)ctx;
	struct td_buf b = TD_BUF_INIT;
	struct td_err err = TD_ERR_INIT;
	static char long_text[1000];
	const struct cql_params one = {.consistency = CQL_ONE};
	enum td_status status = cql_put_query(
		&b, &v4, td_slice(long_text, sizeof(long_text)), &one, &err);
	assert_true(status == TD_OK || (status == TD_NOMEM && b.len == 0));
	td_buf_done(&b);
	return status == TD_OK;
}

static void test_request_without_memory(void **state)
{
	(void)state;
	assert_true(fault_alloc_each(attempt, NULL) > 0);
}

static int free_buffers(void **state)
{
	(void)state;
	td_buf_done(&out);
	td_buf_done(&text);
	td_buf_done(&values);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_handshake_vectors),
		cmocka_unit_test(test_request_query_vectors),
		cmocka_unit_test(test_request_query_with_everything),
		cmocka_unit_test(test_request_query_null_unset_and_names),
		cmocka_unit_test(test_request_tracing_and_payload),
		cmocka_unit_test(test_request_prepare_and_execute),
		cmocka_unit_test(test_request_batch),
		cmocka_unit_test(test_request_refuses_bad_parameters),
		cmocka_unit_test(test_request_refuses_bad_headers),
		cmocka_unit_test(test_request_refuses_wrong_counts),
		cmocka_unit_test(test_request_refuses_bad_batches),
		cmocka_unit_test(test_request_plain_refuses_and_keeps_the_secret),
		cmocka_unit_test(test_request_over_the_limit_is_taken_back),
		cmocka_unit_test(test_request_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, free_buffers);
}
