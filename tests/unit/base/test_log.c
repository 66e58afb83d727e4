#include "td_test.h"

#include "base/log.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

struct seen {
	unsigned lines;
	enum td_log_level level;
	char event[64], message[4096], key[64], value[64];
	size_t field_count;
};

static void keep(void *ctx, const struct td_log_line *line)
{
	struct seen *seen = ctx;
	seen->lines++;
	seen->level = line->level;
	seen->field_count = line->field_count;
	(void)snprintf(seen->event, sizeof(seen->event), "%s", line->event);
	(void)snprintf(seen->message, sizeof(seen->message), "%s", line->message);
	if (line->field_count > 0 && line->fields[0].value != NULL) {
		(void)snprintf(seen->key, sizeof(seen->key), "%s", line->fields[0].key);
		(void)snprintf(seen->value, sizeof(seen->value), "%s", line->fields[0].value);
	}
}

static void test_log_without_a_sink_drops_lines(void **state)
{
	(void)state;
	td_log_set_sink(NULL, NULL);
	assert_false(td_log_is_on(TD_LOG_ERROR));
	td_log(TD_LOG_ERROR, "x", "nobody listens to %d", 1);
}

static void test_log_lines_below_the_level_are_dropped(void **state)
{
	(void)state;
	struct seen seen = {0};
	td_log_set_sink(keep, &seen);
	td_log_set_level(TD_LOG_WARNING);
	td_log(TD_LOG_INFO, "a.b", "quiet");
	assert_int_equal(seen.lines, 0);
	td_log(TD_LOG_WARNING, "a.b", "loud %s", "enough");
	assert_int_equal(seen.lines, 1);
	assert_int_equal(seen.level, TD_LOG_WARNING);
	assert_string_equal(seen.event, "a.b");
	assert_string_equal(seen.message, "loud enough");
	assert_int_equal(seen.field_count, 0);
	td_log_set_level(TD_LOG_INFO);
	td_log_set_sink(NULL, NULL);
}

static void test_log_fields_are_counted(void **state)
{
	(void)state;
	struct seen seen = {0};
	td_log_set_sink(keep, &seen);
	struct td_log_field fields[] = {{"k", "v"}, {"left", NULL}, {NULL, NULL}};
	td_log_fields(TD_LOG_INFO, "e", fields, "m");
	assert_int_equal(seen.field_count, 2);
	assert_string_equal(seen.key, "k");
	assert_string_equal(seen.value, "v");
	td_log_set_sink(NULL, NULL);
}

/* An error's text comes after what was tried, its layer as check=ID. */
static void test_log_err_names_the_check(void **state)
{
	(void)state;
	struct seen seen = {0};
	td_log_set_sink(keep, &seen);
	struct td_err err = TD_ERR_INIT;
	(void)td_err_set(&err, TD_IO, "no");
	td_err_check(&err, "sqlite.writable");
	td_log_err(TD_LOG_ERROR, "e", "open", &err);
	assert_string_equal(seen.message, "open: no");
	assert_string_equal(seen.key, "check");
	assert_string_equal(seen.value, "sqlite.writable");
	td_log_err(TD_LOG_ERROR, "e", "", &err);
	assert_string_equal(seen.message, "no");
	td_log_set_sink(NULL, NULL);
}

static void test_log_long_message_is_cut_at_a_character(void **state)
{
	(void)state;
	struct seen seen = {0};
	td_log_set_sink(keep, &seen);
	char text[4001];
	for (size_t i = 0; i < 4000; i += 2)
		memcpy(text + i, "\xC3\xB1", 3);
	td_log(TD_LOG_INFO, "e", "x%s", text);
	assert_true(strlen(seen.message) >= 2000 && strlen(seen.message) < 2048);
	assert_true(td_utf8_is_valid(td_slice_str(seen.message)));
	td_log_set_sink(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_without_a_sink_drops_lines),
		cmocka_unit_test(test_log_lines_below_the_level_are_dropped),
		cmocka_unit_test(test_log_fields_are_counted),
		cmocka_unit_test(test_log_err_names_the_check),
		cmocka_unit_test(test_log_long_message_is_cut_at_a_character),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
