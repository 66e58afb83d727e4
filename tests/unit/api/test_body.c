#include "td_test.h"

#include "api/body.h"

#include <stdio.h>
#include <string.h>

struct fixture {
	struct td_arena arena;
	struct app_faults faults;
	struct td_err err;
	struct td_slice email, company;
};

static enum td_status read_bytes(struct fixture *f, struct td_slice body)
{
	const struct api_field fields[] = {
		{"email", false, &f->email}, {"company", true, &f->company}};
	td_arena_reset(&f->arena);
	f->faults.count = 0;
	f->err = (struct td_err)TD_ERR_INIT;
	return api_body_read(body, &f->arena, fields, 2, &f->faults, &f->err);
}

static enum td_status read_text(struct fixture *f, const char *body)
{
	return read_bytes(f, td_slice_str(body));
}

/* Members come out as they were sent, escapes resolved; what is left out has a NULL pointer. */
static void test_body_reads_members(void **state)
{
	(void)state;
	struct fixture f = {.arena = TD_ARENA_INIT};
	assert_int_equal(read_text(&f, " {\"email\": \"a\\u00f1\\n\\ud83d\\ude00\"} "), TD_OK);
	assert_int_equal(f.faults.count, 0);
	assert_true(td_slice_is(f.email, "a\xC3\xB1\n\xF0\x9F\x98\x80"));
	assert_null(f.company.ptr);
	assert_int_equal(read_text(&f, "{\"email\":\"\",\"company\":null}"), TD_OK);
	assert_int_equal(f.faults.count, 0);
	assert_non_null(f.email.ptr);
	assert_int_equal(f.email.len, 0);
	assert_null(f.company.ptr);
	assert_int_equal(read_text(&f, "{\"email\":\"a\\u0000b\"}"), TD_OK);
	assert_int_equal(f.email.len, 3);
	td_arena_done(&f.arena);
}

/* What is no JSON is told with its place, and nothing is read. */
static void test_body_syntax_errors_name_line_and_column(void **state)
{
	(void)state;
	struct fixture f = {.arena = TD_ARENA_INIT};
	assert_int_equal(read_text(&f, "{\"email\":\n  \"a\",}"), TD_INVALID);
	assert_non_null(strstr(f.err.text, "line 2"));
	assert_non_null(strstr(f.err.text, "column"));
	static const char *const bad[] = {"{", "}", "{\"email\"}", "{\"email\":\"a\"} x", "nul",
		"{'email':'a'}", "{\"email\":\"a\",\"email\":\"b\"}", "{\"a\":1e999}",
		"{\"email\":\"\\ud800\"}", "{\"email\":\"a\nb\"}", "[1,]", "\xEF\xBB\xBF{}",
		"{\"a\":99999999999999999999}", "{\"\\u0000\":1}", "{\"email\":\"a\" // c\n}", " "};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(read_text(&f, bad[i]), TD_INVALID);
		assert_true(strlen(f.err.text) > 0);
		assert_null(f.email.ptr);
	}
	td_arena_done(&f.arena);
}

/* Empty, not UTF-8, too deep: each has words of its own. */
static void test_body_other_refusals(void **state)
{
	(void)state;
	struct fixture f = {.arena = TD_ARENA_INIT};
	assert_int_equal(read_bytes(&f, (struct td_slice){NULL, 0}), TD_INVALID);
	assert_non_null(strstr(f.err.text, "empty"));
	assert_int_equal(read_text(&f, "{\"email\":\"a\xFF\"}"), TD_INVALID);
	assert_non_null(strstr(f.err.text, "UTF-8: byte 12"));
	char deep[200];
	memset(deep, '[', 17);
	memset(deep + 17, ']', 17);
	assert_int_equal(read_bytes(&f, td_slice(deep, 34)), TD_INVALID);
	assert_non_null(strstr(f.err.text, "nested"));
	assert_int_equal(read_bytes(&f, td_slice(deep + 1, 32)), TD_OK);
	assert_int_equal(read_text(&f, "{\"email\":\"[[[[[[[[[[[[[[[[[[[[[\\\"[[\"}"), TD_OK);
	td_arena_done(&f.arena);
}

/* A document that is no object, a wrong type, an unknown member: all at once, each at its place. */
static void test_body_faults_have_pointers(void **state)
{
	(void)state;
	struct fixture f = {.arena = TD_ARENA_INIT};
	assert_int_equal(
		read_text(&f, "{\"email\":1,\"compny\":\"x\",\"a/b~c\":2,\"company\":[]}"), TD_OK);
	assert_int_equal(f.faults.count, 4);
	assert_string_equal(f.faults.items[0].pointer, "/email");
	assert_string_equal(f.faults.items[0].detail, "is a number; a string is expected");
	assert_string_equal(f.faults.items[1].pointer, "/compny");
	assert_non_null(strstr(f.faults.items[1].detail, "did you mean \"company\"?"));
	assert_string_equal(f.faults.items[2].pointer, "/a~1b~0c");
	assert_non_null(strstr(f.faults.items[2].detail, "email, company"));
	assert_string_equal(f.faults.items[3].pointer, "/company");
	assert_int_equal(read_text(&f, "[{}]"), TD_OK);
	assert_int_equal(f.faults.count, 1);
	assert_string_equal(f.faults.items[0].pointer, "");
	assert_string_equal(f.faults.items[0].detail, "is an array; an object is expected");
	assert_int_equal(read_text(&f, "{\"email\":null}"), TD_OK);
	assert_int_equal(f.faults.count, 1);
	td_arena_done(&f.arena);
}

/* Names that are no good as a pointer, and more faults than anybody reads, stay bounded. */
static void test_body_many_and_long_unknown_members(void **state)
{
	(void)state;
	struct fixture f = {.arena = TD_ARENA_INIT};
	char body[8192];
	size_t len = (size_t)sprintf(body, "{\"%0200d\":1", 0);
	for (int i = 0; i < 200; i++)
		len += (size_t)sprintf(body + len, ",\"x%d\":1", i);
	body[len++] = '}';
	assert_int_equal(read_bytes(&f, td_slice(body, len)), TD_OK);
	assert_int_equal(f.faults.count, APP_FAULTS_MOST);
	assert_string_equal(f.faults.items[0].pointer, "");
	assert_non_null(strstr(f.faults.items[0].detail, "200 bytes"));
	td_arena_done(&f.arena);
}

/* No memory is said so, at whatever point it runs out. */
static void test_body_out_of_memory(void **state)
{
	(void)state;
	struct fixture f = {.arena = TD_ARENA_INIT};
	f.arena.limit = 1;
	assert_int_equal(read_text(&f, "{\"email\":\"a\"}"), TD_NOMEM);
	assert_int_equal(read_text(&f, "{\"emial\":\"a\"}"), TD_NOMEM);
	td_arena_done(&f.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body_reads_members),
		cmocka_unit_test(test_body_syntax_errors_name_line_and_column),
		cmocka_unit_test(test_body_other_refusals),
		cmocka_unit_test(test_body_faults_have_pointers),
		cmocka_unit_test(test_body_many_and_long_unknown_members),
		cmocka_unit_test(test_body_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
