#include "td_test.h"

#include "settings/settings_libpq.h"

#include <libpq-fe.h>

static enum td_status check(const char *name, const char *value)
{
	struct connect_url url = {.params = {{name, value}}, .param_count = 1};
	struct td_err err = TD_ERR_INIT;
	return settings_check_libpq(&url, &err);
}

/* Every parameter of the library that is installed is known, with its default as a value. */
static void test_libpq_every_parameter_of_the_library_is_known(void **state)
{
	(void)state;
	PQconninfoOption *options = PQconndefaults();
	assert_non_null(options);
	unsigned count = 0;
	for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
		/* The parser of URLs has its own words for this one. */
		if (strcmp(o->keyword, "hostaddr") == 0)
			continue;
		const char *value = o->compiled != NULL ? o->compiled : "";
		if (check(o->keyword, value) != TD_OK)
			fail_msg("%s=%s is refused", o->keyword, value);
		count++;
	}
	PQconninfoFree(options);
	assert_true(count >= 35);
}

/* libpq's own verdict on a name and a value, without a connection: a socket that cannot be. */
static bool library_takes(const char *name, const char *value)
{
	const char *names[] = {"host", name, NULL}, *values[] = {"/dev/null", value, NULL};
	PGconn *conn = PQconnectStartParams(names, values, 0);
	bool takes = strstr(PQerrorMessage(conn), "connection to server") != NULL;
	PQfinish(conn);
	return takes;
}

/* Words that are parameters' values are taken by both or by none. */
static void test_libpq_values_are_judged_as_the_library_does(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value;
	} rows[] = {
		{"sslmode", "disable"},
		{"sslmode", "prefer"},
		{"sslmode", "verify-full"},
		{"sslmode", "Prefer"},
		{"sslmode", "yes"},
		{"sslmode", ""},
		{"gssencmode", "disable"},
		{"gssencmode", "allow"},
		{"channel_binding", "prefer"},
		{"channel_binding", "on"},
		{"target_session_attrs", "prefer-standby"},
		{"target_session_attrs", "master"},
		{"ssl_min_protocol_version", "TLSv1.1"},
		{"ssl_min_protocol_version", "1.2"},
		{"sslcert", "/no/such/file"},
		{"colour", "blue"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		bool ours = check(rows[i].name, rows[i].value) == TD_OK;
		if (ours != library_takes(rows[i].name, rows[i].value))
			fail_msg("%s=%s: %s by us", rows[i].name, rows[i].value,
				ours ? "taken" : "refused");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libpq_every_parameter_of_the_library_is_known),
		cmocka_unit_test(test_libpq_values_are_judged_as_the_library_does),
	};
	return cmocka_run_group_tests_name("libpq", tests, NULL, NULL);
}
