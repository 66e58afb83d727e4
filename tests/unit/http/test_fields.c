#include "td_test.h"

#include "base/compiler.h"
#include "http/fields.h"

#define ALL (1u << HTTP_IDENTITY | 1u << HTTP_GZIP | 1u << HTTP_BR)

/* The highest q wins, of equals br before gzip before identity. */
static void test_encoding_choose_vectors(void **state)
{
	(void)state;
	static const struct {
		const char *header;
		enum http_encoding wanted;
	} rows[] = {
		{"", HTTP_IDENTITY},
		{"gzip", HTTP_GZIP},
		{"GZIP", HTTP_GZIP},
		{"x-gzip", HTTP_GZIP},
		{"br", HTTP_BR},
		{"gzip, deflate, br", HTTP_BR},
		{"gzip, deflate, br, zstd", HTTP_BR},
		{"gzip;q=1, br;q=0.5", HTTP_GZIP},
		{"gzip;q=0.5,br;q=0.501", HTTP_BR},
		{"br;q=0, gzip", HTTP_GZIP},
		{"br;q=0.000, gzip;q=0", HTTP_IDENTITY},
		{"*", HTTP_BR},
		{"*;q=0", HTTP_IDENTITY},
		{"*;q=0.5, br;q=0", HTTP_GZIP},
		{"gzip;q=0.2, identity;q=0.5", HTTP_IDENTITY},
		{"identity", HTTP_IDENTITY},
		{"identity;q=0, gzip", HTTP_GZIP},
		{"identity;q=0", HTTP_IDENTITY},
		{"deflate", HTTP_IDENTITY},
		{" gzip ; q=0.9 , br ; Q=0.8 ", HTTP_GZIP},
		{",,,", HTTP_IDENTITY},
		{";q=1", HTTP_IDENTITY},
		{"gzipped", HTTP_IDENTITY},
		{"gzip;q=2", HTTP_GZIP},
		{"gzip;q=abc", HTTP_GZIP},
		{"gzip;q=", HTTP_GZIP},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++)
		assert_int_equal(
			http_encoding_choose(td_slice_str(rows[i].header), ALL), rows[i].wanted);
}

/* What is not offered is never chosen. */
static void test_encoding_choose_only_what_is_offered(void **state)
{
	(void)state;
	assert_int_equal(http_encoding_choose(TD_SLICE("br"), 1u << HTTP_GZIP), HTTP_IDENTITY);
	assert_int_equal(http_encoding_choose(TD_SLICE("br, gzip"), 1u << HTTP_GZIP), HTTP_GZIP);
	assert_int_equal(http_encoding_choose(TD_SLICE("br, gzip"), 0), HTTP_IDENTITY);
}

/* A browser's Accept prefers HTML; curl's, and a program's, do not. */
static void test_accept_prefers_html(void **state)
{
	(void)state;
	assert_true(http_accept_prefers_html(
		TD_SLICE("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")));
	assert_true(http_accept_prefers_html(TD_SLICE("application/json;q=0.5, text/html")));
	assert_true(http_accept_prefers_html(TD_SLICE("text/html, application/json")));
	assert_false(http_accept_prefers_html(TD_SLICE("application/json, text/html")));
	assert_false(http_accept_prefers_html(TD_SLICE("*/*")));
	assert_false(http_accept_prefers_html(TD_SLICE("text/html;q=0")));
	assert_false(http_accept_prefers_html(TD_SLICE("")));
}

/* Weak comparison in a list, and the star. */
static void test_etag_matches(void **state)
{
	(void)state;
	struct td_slice tag = TD_SLICE("\"abc\"");
	static const char *const same[] = {"*", " * ", "\"abc\"", "W/\"abc\"", "\"x\", \"abc\"",
		"\"x\",\"abc\"", "W/\"x\" , W/\"abc\"", ", ,\"abc\"", "\"a,b\", \"abc\""};
	static const char *const other[] = {"", " ", "abc", "\"ABC\"", "\"abc", "\"abcd\"",
		"\"ab\"", "x \"abc\"", "w/\"abc\"", "\"x\" y, \"abc\"", "**", "\"\"", "\""};
	for (size_t i = 0; i < TD_ARRAY_LEN(same); i++)
		assert_true(http_etag_matches(td_slice_str(same[i]), tag));
	for (size_t i = 0; i < TD_ARRAY_LEN(other); i++)
		assert_false(http_etag_matches(td_slice_str(other[i]), tag));
}

static const char *cookie(const char *cookies, const char *name)
{
	static char out[64];
	struct td_slice value;
	if (!http_cookie_find(td_slice_str(cookies), name, &value))
		return NULL;
	memcpy(out, value.ptr, value.len);
	out[value.len] = '\0';
	return out;
}

/* A cookie is found by its exact name, the first one, without its quotes. */
static void test_cookie_find(void **state)
{
	(void)state;
	assert_string_equal(cookie("a=1; b=2", "a"), "1");
	assert_string_equal(cookie("a=1; b=2", "b"), "2");
	assert_string_equal(cookie("a=1;b=2", "b"), "2");
	assert_string_equal(cookie("a=\"x y\"", "a"), "x y");
	assert_string_equal(cookie("a=b=c", "a"), "b=c");
	assert_string_equal(cookie("a=", "a"), "");
	assert_string_equal(cookie("a=1; a=2", "a"), "1");
	assert_string_equal(cookie("__Host-session=x", "__Host-session"), "x");
	assert_string_equal(cookie("junk; a=1", "a"), "1");
	assert_string_equal(cookie("a=\"", "a"), "\"");
	assert_null(cookie("A=1", "a"));
	assert_null(cookie("aa=1", "a"));
	assert_null(cookie("a", "a"));
	assert_null(cookie("", "a"));
	assert_null(cookie("b=a=1", "a"));
}

/* The media type alone, or with UTF-8 as its charset. */
static void test_media_type(void **state)
{
	(void)state;
	static const char *const good[] = {"application/json", "Application/JSON",
		"application/json; charset=utf-8", "application/json;charset=UTF-8",
		"application/json; charset=\"utf-8\"", " application/json ",
		"application/json; q=1", "application/json;"};
	static const char *const wrong[] = {"", "text/plain", "application/jsonx",
		"application/json/x", "application/json; charset=latin1",
		"application/json; charset=", "application/json, text/plain",
		"application/problem+json", "application/json; charset"};
	for (size_t i = 0; i < TD_ARRAY_LEN(good); i++)
		assert_true(http_media_type_is(td_slice_str(good[i]), "application/json"));
	for (size_t i = 0; i < TD_ARRAY_LEN(wrong); i++)
		assert_false(http_media_type_is(td_slice_str(wrong[i]), "application/json"));
}

/* The last element, trimmed. */
static void test_list_last(void **state)
{
	(void)state;
	assert_true(td_slice_is(http_list_last(TD_SLICE("a, b ,c ")), "c"));
	assert_true(td_slice_is(http_list_last(TD_SLICE("a")), "a"));
	assert_true(td_slice_is(http_list_last(TD_SLICE("a,")), ""));
	assert_true(td_slice_is(http_list_last(TD_SLICE("")), ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encoding_choose_vectors),
		cmocka_unit_test(test_encoding_choose_only_what_is_offered),
		cmocka_unit_test(test_accept_prefers_html),
		cmocka_unit_test(test_etag_matches),
		cmocka_unit_test(test_cookie_find),
		cmocka_unit_test(test_media_type),
		cmocka_unit_test(test_list_last),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
