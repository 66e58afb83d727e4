#include "td_test.h"

#include "cql/protocol/response.h"
#include "hex.h"

#include <string.h>

static struct td_buf in = TD_BUF_INIT;

static struct td_slice bytes_of(const char *digits)
{
	td_buf_reset(&in);
	hex_put(&in, digits);
	assert_non_null(td_buf_cstr(&in));
	return td_buf_slice(&in);
}

/* "NAME=VALUE,VALUE;…" as SUPPORTED has it. */
static struct td_slice supported_of(const char *text)
{
	struct td_slice rest = td_slice_str(text), option, name, value;
	uint16_t count = 0;
	td_buf_reset(&in);
	for (const char *c = text; *c != '\0'; c++)
		count = (uint16_t)(count + (*c == ';'));
	cql_put_short(&in, count);
	while (count-- > 0 && td_slice_cut(&rest, ';', &option)) {
		struct td_slice list[16];
		size_t values = 0;
		(void)td_slice_cut(&option, '=', &name);
		while (td_slice_cut(&option, ',', &value))
			list[values++] = value;
		cql_put_string(&in, name);
		cql_put_string_list(&in, list, values);
	}
	return td_buf_slice(&in);
}

static unsigned version_of(const char *text, unsigned most)
{
	struct cql_items options;
	assert_int_equal(cql_supported_read(supported_of(text), &options, NULL), TD_OK);
	return cql_supported_version(&options, most);
}

/* What a server of 4.1 supports. */
static void test_supported_of_a_server(void **state)
{
	(void)state;
	struct cql_items options;
	assert_int_equal(
		cql_supported_read(supported_of("PROTOCOL_VERSIONS=3/v3,4/v4,5/v5,6/v6-beta;"
						"COMPRESSION=snappy,lz4;CQL_VERSION=3.4.6;"),
			&options, NULL),
		TD_OK);
	assert_int_equal(options.count, 3);
	assert_true(cql_supported_has(&options, "COMPRESSION", "lz4"));
	assert_false(cql_supported_has(&options, "COMPRESSION", "zip"));
	assert_false(cql_supported_has(&options, "compression", "lz4"));
	assert_int_equal(cql_supported_version(&options, 5), 5);
	assert_int_equal(cql_supported_version(&options, 4), 4);
	assert_int_equal(cql_supported_version(&options, 6), 5);
}

/* A beta is never chosen, nor what is not written as a version. */
static void test_supported_version_vectors(void **state)
{
	(void)state;
	assert_int_equal(version_of("COMPRESSION=lz4;", 5), 0);
	assert_int_equal(version_of("PROTOCOL_VERSIONS=3/v3,4/v4,5/v5-beta;", 5), 4);
	assert_int_equal(version_of("PROTOCOL_VERSIONS=6/v6-beta;", 9), 0);
	assert_int_equal(version_of("PROTOCOL_VERSIONS=five/v5,/v4,4,9999/v9,;", 5), 0);
	assert_int_equal(version_of("PROTOCOL_VERSIONS=4/v4,3/v3;", 5), 4);
}

static void test_supported_cut_is_corrupt(void **state)
{
	(void)state;
	struct cql_items options;
	struct td_slice whole = supported_of("COMPRESSION=snappy,lz4;CQL_VERSION=3.4.6;");
	for (size_t len = 0; len < whole.len; len++)
		assert_int_equal(
			cql_supported_read(td_slice(whole.ptr, len), &options, NULL), TD_CORRUPT);
}

/* A password goes to classes that are known, whatever else ends like one. */
static void test_authenticate(void **state)
{
	(void)state;
	struct td_slice name;
	struct td_err err = TD_ERR_INIT;
	td_buf_reset(&in);
	cql_put_string(&in, TD_SLICE("org.apache.cassandra.auth.PasswordAuthenticator"));
	assert_int_equal(cql_authenticate_read(td_buf_slice(&in), &name, &err), TD_OK);
	assert_true(cql_authenticator_is_known(name));
	assert_false(cql_authenticator_is_known(TD_SLICE("evil.PasswordAuthenticator")));
	assert_false(cql_authenticator_is_known(TD_SLICE("")));
	assert_int_equal(cql_authenticate_read(bytes_of("0003 6162"), &name, &err), TD_CORRUPT);
	assert_non_null(strstr(err.text, "AUTHENTICATE"));
}

static void test_auth_tokens(void **state)
{
	(void)state;
	struct td_slice token;
	assert_int_equal(cql_auth_read(bytes_of("ffffffff"), &token, NULL), TD_OK);
	assert_true(cql_is_null(token));
	assert_int_equal(cql_auth_read(bytes_of("00000002 6162"), &token, NULL), TD_OK);
	assert_true(td_slice_is(token, "ab"));
	assert_int_equal(cql_auth_read(bytes_of("00000003 6162"), &token, NULL), TD_CORRUPT);
}

struct row {
	const char *type, *words[5]; /* strings behind each other; NULL ends them */
	const char *tail;            /* hexadecimal */
};

static struct td_slice event_of(const struct row *row)
{
	td_buf_reset(&in);
	cql_put_string(&in, td_slice_str(row->type));
	for (size_t i = 0; i < 5 && row->words[i] != NULL; i++)
		cql_put_string(&in, td_slice_str(row->words[i]));
	hex_put(&in, row->tail);
	return td_buf_slice(&in);
}

/* Nodes come, go, wake up and fall: with their address. */
static void test_event_of_nodes(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"TOPOLOGY_CHANGE", {"NEW_NODE"}, "04 7f000002 00002352"},
		{"TOPOLOGY_CHANGE", {"REMOVED_NODE"}, "04 7f000002 00002352"},
		{"TOPOLOGY_CHANGE", {"MOVED_NODE"}, "04 7f000002 00002352"},
		{"STATUS_CHANGE", {"UP"}, "04 7f000002 00002352"},
		{"STATUS_CHANGE", {"DOWN"}, "04 7f000002 00002352"},
		{"STATUS_CHANGE", {"SLEEPY"}, "04 7f000002 00002352"},
	};
	static const enum cql_change changes[] = {CQL_NEW_NODE, CQL_REMOVED_NODE, CQL_MOVED_NODE,
		CQL_UP, CQL_DOWN, CQL_CHANGE_UNKNOWN};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct cql_event event;
		struct td_slice whole = event_of(&rows[i]);
		assert_int_equal(cql_event_read(whole, &event, NULL), TD_OK);
		assert_int_equal(event.type, i < 3 ? CQL_EVENT_IS_TOPOLOGY : CQL_EVENT_IS_STATUS);
		assert_int_equal(event.change, changes[i]);
		assert_int_equal(event.node.len, 4);
		assert_int_equal(event.node.port, 9042);
		for (size_t len = 0; len < whole.len; len++)
			assert_int_equal(
				cql_event_read(td_slice(whole.ptr, len), &event, NULL), TD_CORRUPT);
	}
}

/* Each target has the names that belong to it. */
static void test_event_of_schema(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"SCHEMA_CHANGE", {"CREATED", "KEYSPACE", "ks"}, ""},
		{"SCHEMA_CHANGE", {"UPDATED", "TABLE", "ks", "t"}, ""},
		{"SCHEMA_CHANGE", {"DROPPED", "TYPE", "ks", "t"}, ""},
		{"SCHEMA_CHANGE", {"CREATED", "FUNCTION", "ks", "f"},
			"0002 0003 696e74 0004 74657874"},
		{"SCHEMA_CHANGE", {"CREATED", "AGGREGATE", "ks", "a"}, "0000"},
	};
	static const enum cql_target targets[] = {CQL_TARGET_KEYSPACE, CQL_TARGET_TABLE,
		CQL_TARGET_TYPE, CQL_TARGET_FUNCTION, CQL_TARGET_AGGREGATE};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct cql_event event;
		struct td_slice whole = event_of(&rows[i]);
		assert_int_equal(cql_event_read(whole, &event, NULL), TD_OK);
		assert_int_equal(event.type, CQL_EVENT_IS_SCHEMA);
		assert_int_equal(event.schema.target, targets[i]);
		assert_int_equal(event.change, event.schema.change);
		assert_true(td_slice_is(event.schema.keyspace, "ks"));
		assert_int_equal(event.schema.name.len, i == 0 ? 0 : 1);
		assert_int_equal(event.schema.argument_types.count, i == 3 ? 2 : 0);
		for (size_t len = 0; len < whole.len; len++)
			assert_int_equal(
				cql_event_read(td_slice(whole.ptr, len), &event, NULL), TD_CORRUPT);
	}
}

/* What a later server says is no error. */
static void test_event_unknown_is_taken(void **state)
{
	(void)state;
	static const struct row later = {"WEATHER_CHANGE", {"RAIN"}, "00"};
	static const struct row target = {"SCHEMA_CHANGE", {"CREATED", "INDEX", "ks"}, "0001 69"};
	struct cql_event event;
	assert_int_equal(cql_event_read(event_of(&later), &event, NULL), TD_OK);
	assert_int_equal(event.type, CQL_EVENT_IS_UNKNOWN);
	assert_int_equal(cql_event_read(event_of(&target), &event, NULL), TD_OK);
	assert_int_equal(event.schema.target, CQL_TARGET_UNKNOWN);
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
		cmocka_unit_test(test_supported_of_a_server),
		cmocka_unit_test(test_supported_version_vectors),
		cmocka_unit_test(test_supported_cut_is_corrupt),
		cmocka_unit_test(test_authenticate),
		cmocka_unit_test(test_auth_tokens),
		cmocka_unit_test(test_event_of_nodes),
		cmocka_unit_test(test_event_of_schema),
		cmocka_unit_test(test_event_unknown_is_taken),
	};
	return cmocka_run_group_tests(tests, NULL, free_buffers);
}
