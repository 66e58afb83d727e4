#include "td_test.h"

#include "store/cassandra/cas_classify.h"

#include <string.h>

static const char *reason(enum cql_failure failure, const char *address, const char *text)
{
	static struct connect_failure to;
	const struct cql_attempt_failure from = {
		.address = address, .failure = failure, .text = text, .times = 1};
	cas_failure_of(&from, &to);
	assert_string_equal(to.address, address);
	return to.reason;
}

/* Each class of the client's has one here, and a person's mistake is tried more slowly. */
static void test_every_failure_has_a_class(void **state)
{
	(void)state;
	for (int i = 0; i <= CQL_FAILURE_NOMEM; i++) {
		enum cql_failure failure = (enum cql_failure)i;
		enum connect_class class = cas_classify(failure);
		if (cql_failure_is_setting(failure))
			assert_int_equal(connect_class_pace(class), CONNECT_SLOW);
		else
			assert_int_equal(connect_class_pace(class), CONNECT_FAST);
	}
	assert_int_equal(cas_classify(CQL_FAILURE_AUTH), CONNECT_PASSWORD);
	assert_int_equal(cas_classify(CQL_FAILURE_AUTH_UNAVAILABLE), CONNECT_STARTING);
	assert_int_equal(cas_classify(CQL_FAILURE_NOT_CQL), CONNECT_NOT_THE_SERVER);
	assert_int_equal(cas_classify(CQL_FAILURE_VERSION), CONNECT_TOO_OLD);
	assert_int_equal(cas_classify(CQL_FAILURE_TLS_EXPECTED), CONNECT_TLS);
	assert_int_equal(cas_classify(CQL_FAILURE_DATA_CENTRE), CONNECT_DATA_CENTRE);
	assert_int_equal(cas_classify(CQL_FAILURE_SERVER), CONNECT_SERVER_ERROR);
}

/* Address and layer stand in every reason, each once. */
static void test_reasons_name_address_and_layer(void **state)
{
	(void)state;
	assert_string_equal(reason(CQL_FAILURE_REFUSED, "127.0.0.1:1",
				    "127.0.0.1:1: cannot connect: Connection refused (errno 111)"),
		"connect to 127.0.0.1:1: Connection refused (errno 111)");
	assert_string_equal(reason(CQL_FAILURE_AUTH, "[::1]:9042", "[::1]:9042: not you"),
		"log in at [::1]:9042: not you");
	assert_string_equal(reason(CQL_FAILURE_SERVER, "a:9042", "a:9042: out of order"),
		"log in at a:9042: out of order");
	assert_string_equal(reason(CQL_FAILURE_NAME, "x:9042", "x:9042: look up x: no address"),
		"look up x: no address");
	assert_string_equal(reason(CQL_FAILURE_DATA_CENTRE, "local data centre", "none in \"a\""),
		"none in \"a\"");
}

static void test_long_texts_are_cut(void **state)
{
	(void)state;
	char text[2000];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_true(strlen(reason(CQL_FAILURE_SERVER, "a:1", text)) < 400);
	assert_true(strlen(reason(CQL_FAILURE_NAME, "a:1", text)) < 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_failure_has_a_class),
		cmocka_unit_test(test_reasons_name_address_and_layer),
		cmocka_unit_test(test_long_texts_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
