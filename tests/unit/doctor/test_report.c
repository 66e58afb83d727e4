#include "td_test.h"

#include "doctor/doctor_internal.h"

#include <stdio.h>
#include <string.h>

static struct doctor_check *add(
	struct doctor_report *report, const char *id, enum doctor_status status)
{
	struct doctor_check *check = doctor_add(report, id, "db:1");
	assert_non_null(check);
	check->status = status;
	(void)snprintf(check->message, sizeof(check->message), "said");
	return check;
}

static const char *json_of(const struct doctor_report *report, struct td_buf *out)
{
	td_buf_reset(out);
	doctor_write_json(report, out);
	return td_buf_cstr(out);
}

/* The worst counts; what is skipped does not. */
static void test_the_whole_is_as_bad_as_its_worst(void **state)
{
	(void)state;
	struct doctor_report report = {.count = 0};
	assert_int_equal(doctor_report_status(&report), DOCTOR_OK);
	(void)add(&report, "config", DOCTOR_OK);
	(void)add(&report, "postgres.dns", DOCTOR_SKIP);
	assert_int_equal(doctor_report_status(&report), DOCTOR_OK);
	(void)add(&report, "postgres.tcp", DOCTOR_WARN);
	assert_int_equal(doctor_report_status(&report), DOCTOR_WARN);
	(void)add(&report, "postgres.tls", DOCTOR_FAIL);
	(void)add(&report, "postgres.auth", DOCTOR_OK);
	assert_int_equal(doctor_report_status(&report), DOCTOR_FAIL);
	doctor_report_done(&report);
}

static void test_json_has_every_member(void **state)
{
	(void)state;
	struct doctor_report report = {.is_in_container = true};
	struct td_buf out = TD_BUF_INIT;
	struct doctor_check *check = add(&report, "cassandra.schema_agreement", DOCTOR_FAIL);
	(void)snprintf(check->cause, sizeof(check->cause), "\"why\"");
	check->duration_ms = 7;
	const char *text = json_of(&report, &out);
	assert_non_null(strstr(text, "{\"status\":\"fail\",\"version\":\""));
	assert_non_null(strstr(text, "\"in_container\":true,\"checks\":["));
	assert_non_null(strstr(text,
		"{\"id\":\"cassandra.schema_agreement\",\"target\":\"db:1\",\"status\":\"fail\","
		"\"duration_ms\":7,\"message\":\"said\",\"cause\":\"\\\"why\\\"\",\"fix\":\"\","
		"\"docs\":\"docs/OPERATIONS.md#cassandraschema_agreement\"}"));
	td_buf_done(&out);
	doctor_report_done(&report);
}

/* What a server says cannot move a cursor or begin a line. */
static void test_text_is_safe_and_leaves_out_what_there_is_none_of(void **state)
{
	(void)state;
	struct doctor_report report = {.count = 0};
	struct td_buf out = TD_BUF_INIT;
	struct doctor_check *check = add(&report, "postgres.tls", DOCTOR_FAIL);
	(void)snprintf(check->message, sizeof(check->message), "a\x1b[2Jb\nok    forged");
	(void)snprintf(check->fix, sizeof(check->fix), "one\ntwo");
	add(&report, "postgres.schema_agreement", DOCTOR_SKIP)->is_silent = true;
	doctor_write_text(&report, /* colour= */ false, &out);
	const char *text = td_buf_cstr(&out);
	assert_null(strchr(text, '\x1b'));
	assert_null(strstr(text, "\nok "));
	assert_null(strstr(text, "schema_agreement"));
	assert_non_null(strstr(text, "      fix:   one\n             two\n"));
	assert_non_null(strstr(text, "\n0 ok, 0 warnings, 1 failed, 0 skipped ("));
	td_buf_done(&out);
	doctor_report_done(&report);
}

static void expect_causes_of_their_own(const struct doctor_engine *engine)
{
	for (int c = 0; c < CONNECT_CLASS_COUNT; c++) {
		assert_non_null(doctor_cause(engine, (enum connect_class)c));
		for (int d = 0; d < c; d++)
			assert_string_not_equal(doctor_cause(engine, (enum connect_class)c),
				doctor_cause(engine, (enum connect_class)d));
	}
}

static void test_every_class_has_a_cause_of_its_own(void **state)
{
	(void)state;
	expect_causes_of_their_own(&doctor_postgres);
	expect_causes_of_their_own(&doctor_cassandra);
	assert_string_not_equal(doctor_cause(&doctor_cassandra, CONNECT_TOO_MANY),
		doctor_cause(&doctor_postgres, CONNECT_TOO_MANY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_whole_is_as_bad_as_its_worst),
		cmocka_unit_test(test_json_has_every_member),
		cmocka_unit_test(test_text_is_safe_and_leaves_out_what_there_is_none_of),
		cmocka_unit_test(test_every_class_has_a_cause_of_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
