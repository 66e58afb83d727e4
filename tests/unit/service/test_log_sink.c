#include "td_test.h"

#include "fake_clock.h"
#include "service/log_sink.h"

#include <string.h>

static struct fake_clock fake;

static const char *format(
	const struct log_sink_config *config, const struct td_log_line *line, struct td_buf *out)
{
	td_buf_reset(out);
	log_sink_format(config, line, out);
	return td_buf_cstr(out);
}

static struct td_log_line line_of(enum td_log_level level, const char *message)
{
	return (struct td_log_line){.level = level, .event = "a.b", .message = message};
}

/* Warnings and errors begin with their level, information with nothing. */
static void test_text_begins_with_the_level(void **state)
{
	(void)state;
	struct td_buf out = TD_BUF_INIT;
	const struct log_sink_config config = {.clock = &fake.clock};
	struct td_log_line line = line_of(TD_LOG_INFO, "Running 4 migration files...");
	assert_string_equal(format(&config, &line, &out), "Running 4 migration files...\n");
	line.level = TD_LOG_WARNING;
	assert_string_equal(
		format(&config, &line, &out), "warning: Running 4 migration files...\n");
	line.level = TD_LOG_ERROR;
	assert_string_equal(format(&config, &line, &out), "error: Running 4 migration files...\n");
	td_buf_done(&out);
}

/* The time stands first, in UTC with milliseconds, where it is asked for. */
static void test_text_with_a_time(void **state)
{
	(void)state;
	struct td_buf out = TD_BUF_INIT;
	const struct log_sink_config config = {.clock = &fake.clock, .time = true};
	struct td_log_line line = line_of(TD_LOG_ERROR, "no");
	assert_string_equal(format(&config, &line, &out), "1970-01-01T00:00:01.500Z error: no\n");
	td_buf_done(&out);
}

/* Values with spaces, quotes, '=' or nothing in them are quoted; absent ones are left out. */
static void test_text_fields(void **state)
{
	(void)state;
	struct td_buf out = TD_BUF_INIT;
	const struct log_sink_config config = {.clock = &fake.clock};
	const struct td_log_field fields[] = {{"check", "sqlite.open"}, {"a", "two words"},
		{"b", ""}, {"c", NULL}, {"d", "q\"\\"}, {"e", "x=y"}, {"f", "\xC3\xB1"}};
	struct td_log_line line = line_of(TD_LOG_INFO, "m");
	line.fields = fields;
	line.field_count = TD_ARRAY_LEN(fields);
	assert_string_equal(format(&config, &line, &out),
		"m check=sqlite.open a=\"two words\" b=\"\" "
		"d=\"q\\\"\\\\\" e=\"x=y\" f=\xC3\xB1\n");
	td_buf_done(&out);
}

/* Nothing in a message or a value can begin another line or reach a terminal. */
static void test_no_byte_escapes_its_line(void **state)
{
	(void)state;
	struct td_buf out = TD_BUF_INIT;
	const struct log_sink_config config = {.clock = &fake.clock};
	for (unsigned byte = 1; byte < 256; byte++) {
		const char text[] = {'a', (char)byte, 'b', '\0'};
		const struct td_log_field fields[] = {{"k", text}};
		struct td_log_line line = line_of(TD_LOG_INFO, text);
		line.fields = fields;
		line.field_count = 1;
		const char *got = format(&config, &line, &out);
		assert_int_equal(strcspn(got, "\n"), strlen(got) - 1);
		for (const char *c = got; *c != '\n'; c++)
			assert_true((unsigned char)*c >= 0x20 && (unsigned char)*c < 0x7f);
	}
	struct td_log_line line = line_of(
		TD_LOG_INFO, "a\nerror: b\r\x1b[2J\xE2\x80\xA8\xC2\x9B\xFF");
	assert_string_equal(
		format(&config, &line, &out), "a\\nerror: b\\u000d\\u001b[2J\\u2028\\u009b\\xff\n");
	td_buf_done(&out);
}

/* JSON: time, level, message, event, then the fields. */
static void test_json_line(void **state)
{
	(void)state;
	struct td_buf out = TD_BUF_INIT;
	const struct log_sink_config config = {.clock = &fake.clock, .json = true, .colour = true};
	const struct td_log_field fields[] = {{"check", "x"}, {"none", NULL}};
	struct td_log_line line = line_of(TD_LOG_WARNING, "a\n\"b\"");
	line.fields = fields;
	line.field_count = 2;
	assert_string_equal(format(&config, &line, &out),
		"{\"time\":\"1970-01-01T00:00:01.500Z\",\"level\":\"warning\",\"message\":"
		"\"a\\n\\\"b\\\"\",\"event\":\"a.b\",\"check\":\"x\"}\n");
	td_buf_done(&out);
}

/* Whoever collects the lines and puts a time before them shows in the environment. */
static void test_time_is_left_to_the_collector(void **state)
{
	(void)state;
	const char *const journal[] = {"A=b", "JOURNAL_STREAM=8:1", NULL};
	const char *const container[] = {"container=podman", NULL};
	assert_false(log_sink_wants_time(journal));
	assert_false(log_sink_wants_time(container));
	assert_string_equal(environment_get(journal, "A"), "b");
	assert_null(environment_get(journal, "JOURNAL"));
	assert_null(environment_get(NULL, "A"));
}

int main(void)
{
	fake_clock_init(&fake, 1500, 0);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_begins_with_the_level),
		cmocka_unit_test(test_text_with_a_time),
		cmocka_unit_test(test_text_fields),
		cmocka_unit_test(test_no_byte_escapes_its_line),
		cmocka_unit_test(test_json_line),
		cmocka_unit_test(test_time_is_left_to_the_collector),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
