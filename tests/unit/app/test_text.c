#include "td_test.h"

#include "app/text.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Addresses that mail systems deliver to are taken. */
static void test_email_ordinary_addresses_are_taken(void **state)
{
	(void)state;
	static const char *const good[] = {"a@b.co", "ana.maria@example.com",
		"first+tag@sub.example.co.uk", "o'hara@example.org", "x_y-z@ex-ample.com",
		"!#$%&'*+-/=?^_`{|}~@example.com", "1@2.example", "A@EXAMPLE.COM",
		("jos\xC3\xA9@ma\xC3\xB1"
		 "ana.es"),
		"\xE7\x94\xA8\xE6\x88\xB7@\xE4\xBE\x8B\xE5\xAD\x90.\xE6\xB5\x8B\xE8\xAF\x95",
		"a@xn--bcher-kva.example", "a@b.c1"};
	for (size_t i = 0; i < COUNT(good); i++) {
		const char *fault = app_email_fault(td_slice_str(good[i]));
		if (fault != NULL)
			fail_msg("%s: %s", good[i], fault);
	}
}

/* Everything else has a sentence. */
static void test_email_others_are_refused_with_a_sentence(void **state)
{
	(void)state;
	const struct td_slice bad[] = {TD_SLICE(""), TD_SLICE("@"), TD_SLICE("a"), TD_SLICE("a@"),
		TD_SLICE("@b.co"), TD_SLICE("a@b"), TD_SLICE("a@b."), TD_SLICE("a@.b"),
		TD_SLICE("a@b..co"), TD_SLICE(".a@b.co"), TD_SLICE("a.@b.co"),
		TD_SLICE("a..b@b.co"), TD_SLICE("a b@b.co"), TD_SLICE("a@b c.co"),
		TD_SLICE("a@b@c.co"), TD_SLICE("\"a b\"@b.co"), TD_SLICE("a@[127.0.0.1]"),
		TD_SLICE("a@127.0.0.1"), TD_SLICE("a@-b.co"), TD_SLICE("a@b-.co"),
		TD_SLICE("a@b_c.co"), TD_SLICE("a,b@c.co"), TD_SLICE("a@b.co\n"),
		TD_SLICE("a\0b@b.co"), TD_SLICE("a@b.co\0"), TD_SLICE("a\xFF@b.co"),
		TD_SLICE("a\xE2\x80\xAE@b.co"), TD_SLICE("a\xE2\x80\x8B@b.co"),
		TD_SLICE("<a@b.co>"), TD_SLICE("a@b.co, c@d.co"), TD_SLICE("a@b.123"),
		TD_SLICE("a(comment)@b.co"), TD_SLICE("a\\b@b.co"), TD_SLICE("a@b.co'--")};
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (app_email_fault(bad[i]) == NULL)
			fail_msg("taken: %.*s", TD_SLICE_ARG(bad[i]));
	}
}

static struct td_slice make_email(char *out, size_t local, size_t label, size_t labels)
{
	size_t len = 0;
	memset(out, 'a', local);
	len += local;
	out[len++] = '@';
	for (size_t i = 0; i < labels; i++) {
		memset(out + len, 'b', label);
		len += label;
		out[len++] = '.';
	}
	memcpy(out + len, "co", 2);
	return td_slice(out, len + 2);
}

/* Each limit holds at its last byte. */
static void test_email_limits(void **state)
{
	(void)state;
	char text[512];
	assert_null(app_email_fault(make_email(text, 64, 63, 1)));
	assert_non_null(app_email_fault(make_email(text, 65, 63, 1)));
	assert_non_null(app_email_fault(make_email(text, 64, 64, 1)));
	assert_null(app_email_fault(make_email(text, 59, 63, 3)));     /* 254 */
	assert_non_null(app_email_fault(make_email(text, 60, 63, 3))); /* 255 */
}

/* Names of all scripts are taken, also with joiners inside. */
static void test_text_names_of_people_are_taken(void **state)
{
	(void)state;
	static const char *const good[] = {"Ana", "O'Hara", "Jos\xC3\xA9", "\xE6\x9D\x8E",
		"Robert'); DROP TABLE users;--", "<script>alert(1)</script>", "\\\"",
		"\xD9\x85\xE2\x80\x8C\xD8\xA7", "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB"};
	for (size_t i = 0; i < COUNT(good); i++)
		assert_null(app_text_fault(td_slice_str(good[i])));
}

/* What would break a line, a log, a page or looks like nothing is refused. */
static void test_text_controls_and_blanks_are_refused(void **state)
{
	(void)state;
	const struct td_slice bad[] = {TD_SLICE(""), TD_SLICE(" "), TD_SLICE("\xC2\xA0"),
		TD_SLICE("\xE2\x80\x8B"), TD_SLICE("\xEF\xBB\xBF"), TD_SLICE("\xE3\x85\xA4"),
		TD_SLICE("a\nb"), TD_SLICE("a\tb"), TD_SLICE("a\0"), TD_SLICE("\x7F"),
		TD_SLICE("a\xC2\x85"), TD_SLICE("a\xE2\x80\xA8"), TD_SLICE("a\xE2\x80\xAE"),
		TD_SLICE("\xE2\x81\xA6x"), TD_SLICE("\xC0\x80"), TD_SLICE("\xED\xA0\x80"),
		TD_SLICE("a\xF4\x90\x80\x80"), TD_SLICE("a\xC3")};
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (app_text_fault(bad[i]) == NULL)
			fail_msg("taken: case %zu", i);
	}
}

static void check_trim(const char *text, const char *expected)
{
	struct td_slice trimmed = app_text_trim(td_slice_str(text));
	assert_true(td_slice_is(trimmed, expected));
}

/* Spaces of any script go from both ends, never from inside; nothing else goes. */
static void test_text_trim(void **state)
{
	(void)state;
	check_trim("", "");
	check_trim("   ", "");
	check_trim(" a b ", "a b");
	check_trim("\xC2\xA0\xE3\x80\x80"
		   "a\xE2\x80\xAF",
		"a");
	check_trim("\ta\n", "\ta\n");
	check_trim("a", "a");
	assert_int_equal(app_text_trim((struct td_slice){NULL, 0}).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_email_ordinary_addresses_are_taken),
		cmocka_unit_test(test_email_others_are_refused_with_a_sentence),
		cmocka_unit_test(test_email_limits),
		cmocka_unit_test(test_text_names_of_people_are_taken),
		cmocka_unit_test(test_text_controls_and_blanks_are_refused),
		cmocka_unit_test(test_text_trim),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
