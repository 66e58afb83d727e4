#include "td_test.h"

#include "store/postgres/pg_classify.h"

#include <string.h>

struct row {
	const char *message;
	enum pg_stage stage;
	enum connect_class class;
	const char *for_people;
};

#define AT "connection to server at \"127.0.0.1\", port 5432 failed: "

static const struct row rows[] = {
	{AT "Connection refused\n\tIs the server running on that host and accepting TCP/IP "
	    "connections?\n",
		PG_STAGE_TCP, CONNECT_REFUSED, "Connection refused (errno 111)"},
	{AT "No route to host\n", PG_STAGE_TCP, CONNECT_UNREACHABLE,
		"No route to host (errno 113)"},
	{AT "server closed the connection unexpectedly\n\tThis probably means the server "
	    "terminated abnormally\n",
		PG_STAGE_HANDSHAKE, CONNECT_CLOSED, "server closed the connection unexpectedly"},
	{AT "received invalid response to SSL negotiation: H\n", PG_STAGE_HANDSHAKE,
		CONNECT_NOT_THE_SERVER, "received invalid response to SSL negotiation: H"},
	{AT "expected authentication request from server, but received H\n", PG_STAGE_HANDSHAKE,
		CONNECT_NOT_THE_SERVER, NULL},
	{AT "server does not support SSL, but SSL was required\n", PG_STAGE_HANDSHAKE, CONNECT_TLS,
		NULL},
	{AT "FATAL:  28P01: password authentication failed for user \"u\"\nLOCATION:  auth_failed, "
	    "auth.c:335\n",
		PG_STAGE_HANDSHAKE, CONNECT_PASSWORD,
		"password authentication failed for user \"u\" (SQLSTATE 28P01)"},
	{AT "FATAL:  28000: role \"x\" does not exist\nLOCATION:  x\n", PG_STAGE_HANDSHAKE,
		CONNECT_ROLE, NULL},
	{AT "FATAL:  28000: no pg_hba.conf entry for host \"h\", user \"u\", database \"d\", no "
	    "encryption\n",
		PG_STAGE_HANDSHAKE, CONNECT_TLS, NULL},
	{AT "FATAL:  28000: no pg_hba.conf entry for host \"h\", user \"u\", database \"d\", SSL "
	    "encryption\n" AT "FATAL:  28000: no pg_hba.conf entry for host \"h\", user \"u\", "
	    "database \"d\", no encryption\n",
		PG_STAGE_HANDSHAKE, CONNECT_ROLE, NULL},
	{AT "FATAL:  3D000: database \"nope\" does not exist\n", PG_STAGE_HANDSHAKE,
		CONNECT_DATABASE, "database \"nope\" does not exist (SQLSTATE 3D000)"},
	{AT "FATAL:  57P03: the database system is starting up\n", PG_STAGE_HANDSHAKE,
		CONNECT_STARTING, NULL},
	{AT "FATAL:  53300: sorry, too many clients already\n", PG_STAGE_HANDSHAKE,
		CONNECT_TOO_MANY, NULL},
	{AT "\xD0\x92\xD0\x90\xD0\x96\xD0\x9D\xD0\x9E:  53300: \xD1\x85\n", PG_STAGE_HANDSHAKE,
		CONNECT_TOO_MANY, NULL},
	{AT "FATAL:  42501: permission denied for database \"d\"\n", PG_STAGE_HANDSHAKE,
		CONNECT_PERMISSION, NULL},
	{AT "FATAL:  XX000: cache lookup failed\n", PG_STAGE_HANDSHAKE, CONNECT_SERVER_ERROR,
		"cache lookup failed (SQLSTATE XX000)"},
	{AT "FATAL:  XX001: invalid page\n", PG_STAGE_HANDSHAKE, CONNECT_SERVER_ERROR, NULL},
	{AT "FATAL:  3F000: no schema\n", PG_STAGE_HANDSHAKE, CONNECT_SERVER_ERROR, NULL},
	{AT "FATAL:  55000: database \"d\" is not currently accepting connections\n",
		PG_STAGE_HANDSHAKE, CONNECT_SERVER_ERROR, NULL},
	{"", PG_STAGE_TCP, CONNECT_UNKNOWN, ""},
};

/* Every message of libpq's is named for what it is, by its SQLSTATE where it has one. */
static void test_classify_names_each_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		char text[300];
		print_message("%s\n", rows[i].message);
		assert_int_equal(pg_classify(rows[i].message, rows[i].stage), rows[i].class);
		pg_message_for_people(rows[i].message, text, sizeof(text));
		if (rows[i].for_people != NULL)
			assert_string_equal(text, rows[i].for_people);
	}
}

/* Of several hosts the last one's SQLSTATE counts; text that only looks like one does not. */
static void test_find_sqlstate_takes_the_last_one(void **state)
{
	(void)state;
	char found[6];
	assert_true(pg_find_sqlstate("a FATAL:  28P01: x\nb FATAL:  57P03: y\n", found));
	assert_string_equal(found, "57P03");
	assert_false(pg_find_sqlstate("FATAL: 28P01: x", found));
	assert_false(pg_find_sqlstate("FATAL:  28p01: x", found));
	assert_false(pg_find_sqlstate("FATAL:  28P", found));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classify_names_each_message),
		cmocka_unit_test(test_find_sqlstate_takes_the_last_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
