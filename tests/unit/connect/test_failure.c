#include "td_test.h"

#include "connect/failure.h"

#include <errno.h>
#include <string.h>

/* The forms of this machine's own address, with and without a port. */
static void test_loopback_is_known_in_every_form(void **state)
{
	(void)state;
	static const char *const yes[] = {"localhost", "LOCALHOST", "localhost:5432",
		"db.localhost", "127.0.0.1", "127.8.9.10:5432", "::1", "[::1]:5432",
		"::ffff:127.0.0.1"};
	static const char *const no[] = {"postgresql", "128.0.0.1", "127.example.org",
		"localhost.example.org", "::2", "10.0.0.1:5432", ""};
	for (size_t i = 0; i < TD_ARRAY_LEN(yes); i++)
		assert_true(connect_is_loopback(yes[i]));
	for (size_t i = 0; i < TD_ARRAY_LEN(no); i++)
		assert_false(connect_is_loopback(no[i]));
}

/* The mistake that this project began with: localhost inside a container. */
static void test_advice_for_loopback_in_a_container_names_the_service(void **state)
{
	(void)state;
	char text[400];
	struct connect_place place = {
		"PostgreSQL", "postgresql", "DATABASE_URL", "localhost", true};
	connect_advice(CONNECT_REFUSED, &place, text, sizeof(text));
	assert_non_null(strstr(text, "Inside a container localhost is the container itself"));
	assert_non_null(strstr(text, "postgresql"));
	assert_non_null(strstr(text, "DATABASE_URL"));
	place.in_container = false;
	connect_advice(CONNECT_REFUSED, &place, text, sizeof(text));
	assert_null(strstr(text, "container"));
}

/* Each class says something to do, in words of its own. */
static void test_advice_of_every_class_differs(void **state)
{
	(void)state;
	char texts[CONNECT_CLASS_COUNT][400];
	struct connect_place place = {"PostgreSQL", "postgresql", "DATABASE_URL", "db", false};
	for (int c = 0; c < CONNECT_CLASS_COUNT; c++) {
		connect_advice((enum connect_class)c, &place, texts[c], sizeof(texts[c]));
		assert_true(strlen(texts[c]) > 10);
		assert_null(strstr(texts[c], "%s"));
		for (int d = 0; d < c; d++)
			assert_string_not_equal(texts[c], texts[d]);
	}
}

/* doctor's identifiers, which the log names, too. */
static void test_checks_are_those_of_doctor(void **state)
{
	(void)state;
	static const char *const rows[][3] = {{"postgres", "tcp", "postgres.tcp"},
		{"postgres", "database", "postgres.database"},
		{"cassandra", "database", "cassandra.keyspace"}, {"cassandra", "config", "config"}};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		char id[CONNECT_CHECK_SIZE];
		connect_check_id(rows[i][0], rows[i][1], id);
		assert_string_equal(id, rows[i][2]);
	}
}

/* Who answers was reached: only what a socket may say belongs to tcp. */
static void test_an_answer_is_no_failure_of_tcp(void **state)
{
	(void)state;
	assert_string_equal(connect_class_layer(CONNECT_SERVER_ERROR), "protocol");
	assert_int_equal(connect_class_of_errno(EMFILE), CONNECT_UNKNOWN);
	assert_string_equal(connect_class_layer(CONNECT_UNKNOWN), "tcp");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loopback_is_known_in_every_form),
		cmocka_unit_test(test_advice_for_loopback_in_a_container_names_the_service),
		cmocka_unit_test(test_advice_of_every_class_differs),
		cmocka_unit_test(test_checks_are_those_of_doctor),
		cmocka_unit_test(test_an_answer_is_no_failure_of_tcp),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
