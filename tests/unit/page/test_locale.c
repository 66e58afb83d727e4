#include "td_test.h"

#include "assets/assets.h"
#include "base/arena.h"
#include "base/problem.h"
#include "page/locale.h"

#include <stdio.h>
#include <string.h>

static struct locale *english, *spanish;

static struct locale *load(const char *code, const struct locale *fallback)
{
	struct td_err err = TD_ERR_INIT;
	struct locale *locale = NULL;
	char path[32];
	(void)snprintf(path, sizeof(path), "%s.json", code);
	const struct asset *file = asset_find(ASSET_LOCALES, path);
	assert_non_null(file);
	if (locale_create(td_slice_str(code), file->bytes, fallback, &locale, &err) != TD_OK)
		fail_msg("%s", err.text);
	return locale;
}

static int set_up(void **state)
{
	(void)state;
	english = load("en", NULL);
	spanish = load("es", english);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	locale_destroy(spanish);
	locale_destroy(english);
	return 0;
}

static const char *money(const struct locale *locale, int64_t minor, const char *currency)
{
	static char text[64];
	struct td_buf out = TD_BUF_INIT;
	locale_put_money(locale, &out, minor, td_slice_str(currency));
	(void)snprintf(text, sizeof(text), "%s", td_buf_cstr(&out));
	td_buf_done(&out);
	return text;
}

#define NBSP "\xC2\xA0"

/* As the Unicode CLDR has it (compared with Intl in tests/browser). */
static void test_locale_money_by_language(void **state)
{
	(void)state;
	assert_string_equal(money(english, 2999, "USD"), "$29.99");
	assert_string_equal(money(english, 0, "USD"), "$0.00");
	assert_string_equal(money(english, 299900, "USD"), "$2,999.00");
	assert_string_equal(money(english, 999999999999, "EUR"), "€9,999,999,999.99");
	assert_string_equal(money(english, 1205, "CHF"), "CHF" NBSP "12.05");
	assert_string_equal(money(english, -150, "USD"), "-$1.50");
	assert_string_equal(money(spanish, 2999, "USD"), "29,99" NBSP "US$");
	assert_string_equal(money(spanish, 299900, "USD"), "2999,00" NBSP "US$");
	assert_string_equal(money(spanish, 1234567, "EUR"), "12.345,67" NBSP "€");
	assert_string_equal(money(spanish, 1205, "CHF"), "12,05" NBSP "CHF");
	assert_string_equal(money(spanish, -150, "EUR"), "-1,50" NBSP "€");
}

static void assert_written(void (*put)(const struct locale *, struct td_buf *, int64_t),
	const struct locale *locale, int64_t value, const char *expected)
{
	struct td_buf out = TD_BUF_INIT;
	put(locale, &out, value);
	assert_string_equal(td_buf_cstr(&out), expected);
	td_buf_done(&out);
}

/* Spanish groups from five digits on. */
static void test_locale_numbers_are_grouped(void **state)
{
	(void)state;
	assert_written(locale_put_number, english, 100, "100");
	assert_written(locale_put_number, english, 2000, "2,000");
	assert_written(locale_put_number, english, 100000, "100,000");
	assert_written(locale_put_number, english, -1234567, "-1,234,567");
	assert_written(locale_put_number, english, INT64_MIN, "-9,223,372,036,854,775,808");
	assert_written(locale_put_number, spanish, 2000, "2000");
	assert_written(locale_put_number, spanish, 10000, "10.000");
	assert_written(locale_put_percent, english, 17, "17%");
	assert_written(locale_put_percent, spanish, 17, "17" NBSP "%");
}

/* The day in UTC, in the language's order. */
static void test_locale_dates(void **state)
{
	(void)state;
	assert_written(locale_put_date, english, INT64_C(1795478400000), "November 24, 2026");
	assert_written(locale_put_date, spanish, INT64_C(1795478399999), "23 de noviembre de 2026");
	assert_written(locale_put_date, spanish, 0, "1 de enero de 1970");
}

/* The placeholders of a text, joined; `{a} {b}` and `{b} {a}` differ only in order. */
static size_t count_placeholder(struct td_slice text, struct td_slice wanted)
{
	size_t count = 0;
	struct td_slice before, name;
	while (text.len > 0 && tpl_text_next(&text, &before, &name))
		count += td_slice_equal(name, wanted) && name.len > 0;
	return count;
}

/* Both languages have the same keys with the same placeholders. Only the words for problems are
 * Spanish alone: the English ones are in base/problem.h. */
static void test_locale_languages_have_the_same_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < locale_count(english); i++) {
		struct td_slice key = locale_key(english, i), before, name;
		bool found = false;
		for (size_t k = 0; k < locale_count(spanish) && !found; k++)
			found = td_slice_equal(locale_key(spanish, k), key);
		if (!found)
			fail_msg("es.json lacks %.*s", TD_SLICE_ARG(key));
		struct td_slice text = locale_find(english, key), other = locale_find(spanish, key);
		struct td_slice whole = text;
		while (text.len > 0 && tpl_text_next(&text, &before, &name)) {
			if (name.len > 0 &&
				count_placeholder(whole, name) != count_placeholder(other, name))
				fail_msg("%.*s: {%.*s} is not in both", TD_SLICE_ARG(key),
					TD_SLICE_ARG(name));
		}
	}
	for (size_t i = 0; i < locale_count(spanish); i++) {
		struct td_slice key = locale_key(spanish, i);
		if (!td_slice_has_prefix(key, "problem.") && locale_find(english, key).ptr == NULL)
			fail_msg("en.json lacks %.*s", TD_SLICE_ARG(key));
	}
}

/* A problem that is explained in Spanish is explained whole, and is one that exists. */
static void test_locale_problems_are_translated_whole(void **state)
{
	(void)state;
	static const char *const parts[] = {"title", "happened", "remedy"};
	size_t known = 0, total = 0;
	for (int i = 0; i < TD_PROBLEM_COUNT; i++) {
		size_t found = 0;
		for (size_t k = 0; k < 3; k++) {
			char key[96];
			(void)snprintf(key, sizeof(key), "problem.%s.%s",
				td_problem_info((enum td_problem)i)->code, parts[k]);
			for (char *at = key; *at != '\0'; at++)
				*at = *at == '-' ? '_' : *at;
			found += locale_find_str(spanish, key).len > 0;
		}
		assert_true(found == 0 || found == 3);
		known += found;
	}
	for (size_t i = 0; i < locale_count(spanish); i++)
		total += td_slice_has_prefix(locale_key(spanish, i), "problem.");
	assert_int_equal(known, total);
	assert_true(total > 60);
}

static void assert_refused(const char *json, enum td_status status, const char *message)
{
	struct td_err err = TD_ERR_INIT;
	struct locale *locale = NULL;
	assert_int_equal(
		locale_create(TD_SLICE("xx"), td_slice_str(json), NULL, &locale, &err), status);
	assert_null(locale);
	if (strstr(err.text, message) == NULL)
		fail_msg("%s", err.text);
}

/* A file that is wrong is refused with the line or the key. */
static void test_locale_mistakes_are_named(void **state)
{
	(void)state;
	assert_refused("{\n\"a\": }", TD_INVALID, "locale xx: line 2");
	assert_refused("", TD_INVALID, "locale xx: line 1");
	assert_refused("[]", TD_INVALID, "not a JSON object");
	assert_refused("{\"a\": 1}", TD_INVALID, "\"a\" has to be a text");
	assert_refused("{\"A b\": \"x\"}", TD_INVALID, "\"A b\" is not a key");
	assert_refused("{\"a\": \"x {y\"}", TD_INVALID, "\"a\": a brace without its partner");
	assert_refused("{\"a\": \"x }\"}", TD_INVALID, "\"a\": a brace without its partner");
	assert_refused("{\"a\": \"{X}\"}", TD_INVALID, "\"a\": a brace without its partner");
	assert_refused("{\"a\": \"1\", \"a\": \"2\"}", TD_INVALID, "line 1");
}

/* A text over the limit, and too many texts. */
static void test_locale_sizes_are_limited(void **state)
{
	(void)state;
	struct td_buf json = TD_BUF_INIT;
	td_buf_put_str(&json, "{\"a\": \"");
	for (int i = 0; i <= LOCALE_TEXT_MOST; i++)
		td_buf_put_char(&json, 'x');
	td_buf_put_str(&json, "\"}");
	assert_refused(td_buf_cstr(&json), TD_TOOBIG, "\"a\" is over 4096 bytes");
	td_buf_reset(&json);
	for (int i = 0; i <= LOCALE_KEY_MOST; i++)
		td_buf_printf(&json, "%c\"k%d\": \"\"", i == 0 ? '{' : ',', i);
	td_buf_put_char(&json, '}');
	assert_refused(td_buf_cstr(&json), TD_TOOBIG, "more than 1000 texts");
	td_buf_done(&json);
}

/* What a language lacks is said in English; an empty text is a text. */
static void test_locale_missing_keys_fall_back(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	struct locale *half = NULL;
	assert_int_equal(locale_create(TD_SLICE("xx"), TD_SLICE("{\"skip\": \"\", \"own\": \"1\"}"),
				 english, &half, &err),
		TD_OK);
	assert_true(td_slice_is(locale_find_str(half, "card.continue"), "Continue"));
	assert_non_null(locale_find_str(half, "skip").ptr);
	assert_int_equal(locale_find_str(half, "skip").len, 0);
	assert_null(locale_find_str(half, "nowhere").ptr);
	assert_true(td_slice_is(locale_code(half), "xx"));
	struct tpl_texts texts = locale_texts(half);
	assert_true(td_slice_is(texts.find(texts.ctx, TD_SLICE("own")), "1"));
	locale_destroy(half);
}

/* Without any format key numbers are written plainly. */
static void test_locale_without_formats_is_plain(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	struct locale *bare = NULL;
	assert_int_equal(locale_create(TD_SLICE("xx"), TD_SLICE("{}"), NULL, &bare, &err), TD_OK);
	assert_string_equal(money(bare, 123456, "USD"), "USD 1234.56");
	assert_written(locale_put_date, bare, 0, "1970-01-1");
	locale_destroy(bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_locale_money_by_language),
		cmocka_unit_test(test_locale_numbers_are_grouped),
		cmocka_unit_test(test_locale_dates),
		cmocka_unit_test(test_locale_languages_have_the_same_keys),
		cmocka_unit_test(test_locale_problems_are_translated_whole),
		cmocka_unit_test(test_locale_mistakes_are_named),
		cmocka_unit_test(test_locale_sizes_are_limited),
		cmocka_unit_test(test_locale_missing_keys_fall_back),
		cmocka_unit_test(test_locale_without_formats_is_plain),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
