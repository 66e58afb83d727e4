#include "td_test.h"

#include "base/compiler.h"
#include "http/syntax.h"

/* A token is made of exactly the characters that RFC 9110 section 5.6.2 lists. */
static void test_token_takes_exactly_the_listed_characters(void **state)
{
	(void)state;
	static const char listed[] =
		"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	for (unsigned c = 0; c < 256; c++) {
		char text[1] = {(char)c};
		bool is_listed = c != 0 && strchr(listed, (int)c) != NULL;
		assert_int_equal(http_is_token(td_slice(text, 1)), is_listed);
	}
	assert_false(http_is_token(td_slice("", 0)));
	assert_true(http_is_token(TD_SLICE("Content-Length")));
	assert_false(http_is_token(TD_SLICE("Content Length")));
}

/* A field's value may hold the tab and everything above, but no control. */
static void test_field_value_refuses_controls(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		char text[3] = {'a', (char)c, 'b'};
		bool is_fine = c == '\t' || (c >= 0x20 && c != 0x7f);
		assert_int_equal(http_is_field_value(td_slice(text, 3)), is_fine);
	}
	assert_true(http_is_field_value(td_slice("", 0)));
}

static void check_decoded(const char *text, bool plus, const char *wanted)
{
	char out[64];
	size_t len = 0;
	bool ok = http_percent_decode(td_slice_str(text), plus, out, &len);
	assert_int_equal(ok, wanted != NULL);
	if (wanted != NULL)
		assert_true(td_slice_is(td_slice(out, len), wanted));
}

/* Percent-decoding gives UTF-8 without NUL, or nothing. */
static void test_percent_decode_vectors(void **state)
{
	(void)state;
	check_decoded("", false, "");
	check_decoded("abc", false, "abc");
	check_decoded("a%20b+c", false, "a b+c");
	check_decoded("a%20b+c", true, "a b c");
	check_decoded("%2F%2f", false, "//");
	check_decoded("%c3%A9", false, "é");
	check_decoded("%e2%82%ac", false, "€");
	check_decoded("%41%42%43", false, "ABC");
	check_decoded("%", false, NULL);
	check_decoded("%4", false, NULL);
	check_decoded("a%4", false, NULL);
	check_decoded("%4g", false, NULL);
	check_decoded("%zz", false, NULL);
	check_decoded("%00", false, NULL);
	check_decoded("a%00b", false, NULL);
	check_decoded("%c3", false, NULL);
	check_decoded("%c0%af", false, NULL);
	check_decoded("%ed%a0%80", false, NULL);
	check_decoded("%ff", false, NULL);
}

/* Decoding may happen in place. */
static void test_percent_decode_in_place(void **state)
{
	(void)state;
	char text[] = "a%20b%2Fc";
	size_t len = 0;
	assert_true(http_percent_decode(td_slice_str(text), false, text, &len));
	assert_true(td_slice_is(td_slice(text, len), "a b/c"));
}

/* Host is a name, an IPv4 address or a bracketed IPv6 address, and perhaps a port. */
static void test_host_syntax(void **state)
{
	(void)state;
	static const char *const good[] = {"h", "example.com", "a-b.c_d", "127.0.0.1", "h:0",
		"h:80", "h:65535", "h:", "[::1]", "[::1]:80", "[2001:db8::7]", "[::ffff:1.2.3.4]:1",
		"h.", "xn--bcher-kva.example"};
	static const char *const wrong[] = {"", " ", ":80", "h:65536", "h:123456", "h:8x",
		"h:80:81", "h h", "h/", "u@h", "h?", "h#", "h,h", "[", "[]", "[::1", "[::1]x",
		"[::1]:x", "[g::]", "[1.2.3.4]", "[fe80::1%25eth0]", ".h", "http://h", "h\\",
		"h%2e", "é", "[::1]:65536"};
	for (size_t i = 0; i < TD_ARRAY_LEN(good); i++)
		assert_true(http_is_host(td_slice_str(good[i])));
	for (size_t i = 0; i < TD_ARRAY_LEN(wrong); i++)
		assert_false(http_is_host(td_slice_str(wrong[i])));
	char long_name[256];
	memset(long_name, 'a', sizeof(long_name));
	assert_true(http_is_host(td_slice(long_name, 255)));
	assert_false(http_is_host(td_slice(long_name, 256)));
}

/* The same host without case, and with the scheme's own port written or not. */
static void test_same_host(void **state)
{
	(void)state;
	assert_true(http_same_host(TD_SLICE("H.example"), TD_SLICE("h.EXAMPLE"), 80));
	assert_true(http_same_host(TD_SLICE("h"), TD_SLICE("h:80"), 80));
	assert_true(http_same_host(TD_SLICE("h:"), TD_SLICE("h"), 80));
	assert_true(http_same_host(TD_SLICE("[::1]:443"), TD_SLICE("[::1]"), 443));
	assert_false(http_same_host(TD_SLICE("h"), TD_SLICE("h:81"), 80));
	assert_false(http_same_host(TD_SLICE("h"), TD_SLICE("hh"), 80));
	assert_false(http_same_host(TD_SLICE("h:80"), TD_SLICE("h:443"), 80));
}

static void check_target(const char *raw, const char *path, const char *query)
{
	struct http_target_parts parts;
	assert_true(http_target_parse(td_slice_str(raw), &parts));
	assert_true(td_slice_is(parts.path, path));
	assert_int_equal(parts.query.ptr != NULL, query != NULL);
	if (query != NULL)
		assert_true(td_slice_is(parts.query, query));
}

/* Origin, absolute and asterisk form are taken apart. */
static void test_target_forms(void **state)
{
	(void)state;
	struct http_target_parts parts;
	check_target("/", "/", NULL);
	check_target("/a/b?", "/a/b", "");
	check_target("/a?b=c?d", "/a", "b=c?d");
	check_target("//x", "//x", NULL);
	check_target("/a%2Fb", "/a%2Fb", NULL);
	check_target("/a:b@c;d=e,f!$&'()*+~", "/a:b@c;d=e,f!$&'()*+~", NULL);
	check_target("/?q={a|b}\"<>\\^`[]", "/", "q={a|b}\"<>\\^`[]");
	check_target("http://h/x?y", "/x", "y");
	check_target("http://h", "/", NULL);
	check_target("http://h?y", "/", "y");
	check_target("*", "*", NULL);
	assert_true(http_target_parse(TD_SLICE("HTTPS://H:8/x"), &parts));
	assert_int_equal(parts.form, HTTP_TARGET_ABSOLUTE);
	assert_int_equal(parts.default_port, 443);
	assert_true(td_slice_is(parts.authority, "H:8"));
	assert_true(http_target_parse(TD_SLICE("*"), &parts));
	assert_int_equal(parts.form, HTTP_TARGET_ASTERISK);
}

/* What is neither form, or has a character that a target may not have, is refused. */
static void test_target_refusals(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "a", "a/b", "h:80", "?a", "**", "/a b", "/a\tb",
		"/a\"b", "/a<b", "/a>b", "/a\\b", "/a^b", "/a`b", "/a{b", "/a|b", "/a}b", "/[a]",
		"/a#b", "/a?b#c", "/é", "/a?é", "/a\x7f", "/a\x01", "/%", "/%4", "/%4x", "/a?%",
		"/%00", "/a?b=%00", "ftp://h/", "http:/h/", "http:///x", "http://u@h/",
		"http://h:99999/", "http://[::1/", "https//h/", "http://"};
	struct http_target_parts parts;
	for (size_t i = 0; i < TD_ARRAY_LEN(wrong); i++)
		assert_false(http_target_parse(td_slice_str(wrong[i]), &parts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token_takes_exactly_the_listed_characters),
		cmocka_unit_test(test_field_value_refuses_controls),
		cmocka_unit_test(test_percent_decode_vectors),
		cmocka_unit_test(test_percent_decode_in_place),
		cmocka_unit_test(test_host_syntax),
		cmocka_unit_test(test_same_host),
		cmocka_unit_test(test_target_forms),
		cmocka_unit_test(test_target_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
