#include "td_test.h"

#include "base/compiler.h"
#include "http/form.h"

#include <stdio.h>

/* The pairs as "name=value;name=value;", or the failure's name. */
static const char *decode(const char *text)
{
	static char out[512];
	struct td_arena arena = TD_ARENA_INIT;
	struct http_form form = {.pairs = NULL};
	enum td_status status = http_form_decode(td_slice_str(text), &arena, &form);
	char *at = out;
	*at = '\0';
	for (size_t i = 0; status == TD_OK && i < form.count; i++)
		at += sprintf(at, "%.*s=%.*s;", TD_SLICE_ARG(form.pairs[i].name),
			TD_SLICE_ARG(form.pairs[i].value));
	td_arena_done(&arena);
	return status == TD_OK ? out : td_status_name(status);
}

/* Names and values come out decoded and in order; pieces without a name are left out. */
static void test_form_decode_vectors(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"", ""},
		{"a=1", "a=1;"},
		{"a=1&b=2", "a=1;b=2;"},
		{"a", "a=;"},
		{"a=", "a=;"},
		{"=1", ""},
		{"&&a=1&&", "a=1;"},
		{"a=1&a=2", "a=1;a=2;"},
		{"a=b=c", "a=b=c;"},
		{"a+b=c+d", "a b=c d;"},
		{"a%20b=%2B%26%3D", "a b=+&=;"},
		{"n=%C3%A9", "n=é;"},
		{"email=a%40b.example&x=%25", "email=a@b.example;x=%;"},
		{"a=%", "INVALID"},
		{"a=%4", "INVALID"},
		{"%zz=1", "INVALID"},
		{"a=%00", "INVALID"},
		{"a=%ff", "INVALID"},
		{"ok=1&%c0%80=1", "INVALID"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++)
		assert_string_equal(decode(rows[i][0]), rows[i][1]);
}

/* Raw bytes that are not UTF-8 are refused too. */
static void test_form_refuses_raw_bytes_that_are_not_utf8(void **state)
{
	(void)state;
	assert_string_equal(decode("a=\xff"), "INVALID");
	assert_string_equal(decode("a=\xc3\xa9"), "a=é;");
}

/* As many pairs as the limit are taken, one more is not. */
static void test_form_limit_of_pairs(void **state)
{
	(void)state;
	static char text[HTTP_FORM_PAIRS_MOST * 2 + 3];
	for (int i = 0; i < HTTP_FORM_PAIRS_MOST; i++)
		memcpy(text + 2 * i, "a&", 2);
	struct td_arena arena = TD_ARENA_INIT;
	struct http_form form;
	assert_int_equal(http_form_decode(td_slice_str(text), &arena, &form), TD_OK);
	assert_int_equal(form.count, HTTP_FORM_PAIRS_MOST);
	strcat(text, "a");
	assert_int_equal(http_form_decode(td_slice_str(text), &arena, &form), TD_TOOBIG);
	td_arena_done(&arena);
}

/* A repeated name can be told; the first value is given. */
static void test_form_get_and_count(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	struct http_form form;
	struct td_slice value;
	assert_int_equal(http_form_decode(TD_SLICE("a=1&b=2&a=3"), &arena, &form), TD_OK);
	assert_true(http_form_get(&form, "a", &value));
	assert_true(td_slice_is(value, "1"));
	assert_int_equal(http_form_count(&form, "a"), 2);
	assert_int_equal(http_form_count(&form, "c"), 0);
	assert_false(http_form_get(&form, "c", &value));
	td_arena_done(&arena);
}

/* An arena that is too small is told as no memory. */
static void test_form_without_memory(void **state)
{
	(void)state;
	struct td_arena arena = {.limit = 16};
	struct http_form form;
	assert_int_equal(
		http_form_decode(TD_SLICE("aaaaaaaaaaaaaaaaaaaa=1"), &arena, &form), TD_NOMEM);
	td_arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form_decode_vectors),
		cmocka_unit_test(test_form_refuses_raw_bytes_that_are_not_utf8),
		cmocka_unit_test(test_form_limit_of_pairs),
		cmocka_unit_test(test_form_get_and_count),
		cmocka_unit_test(test_form_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
