#include "td_test.h"

#include "base/alloc.h"
#include "page/template.h"
#include "page/value.h"

#include <stdio.h>
#include <string.h>

struct fixture {
	struct td_arena arena;
	struct tpl_value *root;
	struct td_buf out;
	struct td_err err;
};

static struct td_slice find_text(const void *ctx, struct td_slice key)
{
	(void)ctx;
	if (td_slice_is(key, "greeting"))
		return TD_SLICE("Hello, {who.name} & all");
	if (td_slice_is(key, "broken"))
		return TD_SLICE("a } b");
	if (td_slice_is(key, "nested.key"))
		return TD_SLICE("deep");
	return (struct td_slice){NULL, 0};
}

static const struct tpl_texts texts = {find_text, NULL};

static int set_up(void **state)
{
	struct fixture *f = td_alloc_zero(sizeof(*f));
	assert_non_null(f);
	f->root = tpl_map(&f->arena);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	td_arena_done(&f->arena);
	td_buf_done(&f->out);
	td_free(f);
	return 0;
}

/* Parses `text` as "page" beside a partial named "part", and renders it. */
static enum td_status run(struct fixture *f, const char *text, const char *part)
{
	const struct tpl_source sources[] = {
		{TD_SLICE("page"), td_slice_str(text)},
		{TD_SLICE("part"), td_slice_str(part)},
	};
	struct tpl_set *set = NULL;
	td_buf_reset(&f->out);
	enum td_status status = tpl_set_create(sources, 2, &set, &f->err);
	if (status == TD_OK)
		status = tpl_render(set, "page", f->root, &texts, &f->out, &f->err);
	tpl_set_destroy(set);
	return status;
}

static void assert_shows(struct fixture *f, const char *text, const char *expected)
{
	assert_int_equal(run(f, text, "[{{name}}]"), TD_OK);
	assert_string_equal(f->out.len > 0 ? td_buf_cstr(&f->out) : "", expected);
}

static void assert_refused(struct fixture *f, const char *text, const char *message)
{
	assert_int_equal(run(f, text, "part"), TD_INVALID);
	assert_string_equal(f->err.text, message);
}

/* Each of the five special characters becomes an entity, everything else stays. */
static void test_template_values_are_escaped(void **state)
{
	struct fixture *f = *state;
	tpl_put_str(&f->arena, f->root, "x", "<b title='a'>\"&amp;\"</b> ñ/=`{{y}}");
	assert_shows(
		f, "{{x}}", "&lt;b title=&#39;a&#39;&gt;&quot;&amp;amp;&quot;&lt;/b&gt; ñ/=`{{y}}");
}

/* No byte of any kind passes as one of the five. */
static void test_template_escape_of_every_byte(void **state)
{
	struct fixture *f = *state;
	for (int c = 1; c < 256; c++) {
		char one = (char)c;
		td_buf_reset(&f->out);
		tpl_escape(&f->out, td_slice(&one, 1));
		bool special = strchr("&<>\"'", c) != NULL;
		assert_int_equal(f->out.len > 1, special);
		assert_int_equal(f->out.ptr[0], special ? '&' : one);
	}
}

/* A missing value, a list or a map shows nothing. */
static void test_template_missing_values_are_empty(void **state)
{
	struct fixture *f = *state;
	(void)tpl_put_map(&f->arena, f->root, "m");
	(void)tpl_put_list(&f->arena, f->root, "l");
	assert_shows(f, "a{{no}}b{{m}}c{{l}}d{{m.no.deeper}}e{{.}}", "abcde");
}

/* Names are found from the inside out; dots go inwards only. */
static void test_template_names_are_found_outwards(void **state)
{
	struct fixture *f = *state;
	tpl_put_str(&f->arena, f->root, "name", "outer");
	struct tpl_value *map = tpl_put_map(&f->arena, f->root, "map");
	tpl_put_str(&f->arena, map, "in", "inner");
	assert_shows(f, "{{#map}}{{in}} {{name}} {{map.in}}{{map.name}}{{/map}}{{in}}",
		"inner outer inner");
}

/* A list gives a round for each item; texts of a list are {{.}}. */
static void test_template_sections_go_over_lists(void **state)
{
	struct fixture *f = *state;
	struct tpl_value *list = tpl_put_list(&f->arena, f->root, "list");
	tpl_add_text(&f->arena, list, TD_SLICE("a"));
	tpl_add_text(&f->arena, list, TD_SLICE("<"));
	struct tpl_value *maps = tpl_put_list(&f->arena, f->root, "maps");
	tpl_put_str(&f->arena, tpl_add_map(&f->arena, maps), "name", "one");
	tpl_put_str(&f->arena, tpl_add_map(&f->arena, maps), "name", "two");
	assert_shows(
		f, "{{#list}}{{.}},{{/list}}{{#maps}}{{> part}}{{/maps}}", "a,&lt;,[one][two]");
}

/* Missing, false, empty text and empty list are false; the inverted section shows then only. */
static void test_template_inverted_sections(void **state)
{
	struct fixture *f = *state;
	tpl_put_flag(&f->arena, f->root, "no", false);
	tpl_put_flag(&f->arena, f->root, "yes", true);
	tpl_put_str(&f->arena, f->root, "empty", NULL);
	(void)tpl_put_list(&f->arena, f->root, "none");
	assert_shows(f,
		"{{^no}}1{{/no}}{{^yes}}2{{/yes}}{{^empty}}3{{/empty}}{{^none}}4{{/none}}"
		"{{^missing}}5{{/missing}}{{#yes}}6{{/yes}}{{#no}}7{{/no}}{{#empty}}8{{/empty}}",
		"13456");
}

/* Texts of the locale take values, escaped like all else; unknown keys are empty. */
static void test_template_texts_take_values(void **state)
{
	struct fixture *f = *state;
	struct tpl_value *who = tpl_put_map(&f->arena, f->root, "who");
	tpl_put_str(&f->arena, who, "name", "<Ana>");
	assert_shows(f, "{{t.greeting}}|{{t.nested.key}}|{{t.none}}|{{ t.broken }}",
		"Hello, &lt;Ana&gt; &amp; all|deep||a } b");
}

/* A section, partial or comment alone on its line takes the line with it; a value does not. */
static void test_template_lone_tags_take_their_line(void **state)
{
	struct fixture *f = *state;
	tpl_put_str(&f->arena, f->root, "name", "N");
	assert_shows(f,
		"a\n  {{#name}}\n  b\r\n\t{{/name}} \r\nc\n{{! gone }}\n{{name}}\n{{> part}}",
		"a\n  b\r\nc\nN\n[N]");
	assert_shows(f, "x {{#name}} y {{/name}} z\n", "x  y  z\n");
	assert_shows(f, "{{#name}}{{/name}}\n", "\n");
}

/* Braces that are no tag are text. */
static void test_template_single_braces_are_text(void **state)
{
	struct fixture *f = *state;
	assert_shows(f, "a { b } c }} {", "a { b } c }} {");
	assert_shows(f, "", "");
}

/* Each mistake is named with template, line and column. */
static void test_template_mistakes_are_named(void **state)
{
	struct fixture *f = *state;
	assert_refused(f, "a\n  {{x", "page:2:3: a tag is not closed with }}");
	assert_refused(f, "{{#a}}\n{{#b}}\n{{/a}}",
		"page:3:1: another section has to be closed first, not \"a\"");
	assert_refused(f, "{{/a}}", "page:1:1: no section is open that this could close: \"a\"");
	assert_refused(f, "\n {{^a}}", "page:2:2: this section is never closed: \"a\"");
	assert_refused(f, "{{}}", "page:1:1: not a name: \" \"");
	assert_refused(f, "{{A}}", "page:1:1: not a name: \"A\"");
	assert_refused(f, "{{a..b}}", "page:1:1: not a name: \"a..b\"");
	assert_refused(f, "{{#a b}}", "page:1:1: not a name: \"a b\"");
	assert_refused(f, "{{> ../x}}", "page:1:1: not a name: \"../x\"");
	assert_refused(f, "ab{{> none}}", "page:1:3: there is no template named \"none\"");
	assert_refused(f, "{{> page}}", "page:1:1: a partial includes itself: \"page\"");
	const char *raw =
		"page:1:1: raw values ({{{, {{&) and other delimiters ({{=) are not supported";
	assert_refused(f, "{{{x}}}", raw);
	assert_refused(f, "{{&x}}", raw);
	assert_refused(f, "{{=<% %>=}}", raw);
}

/* A circle through two templates is found too. */
static void test_template_circles_are_refused(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(run(f, "{{> part}}", "x\n{{> page}}"), TD_INVALID);
	assert_string_equal(f->err.text, "part:2:1: a partial includes itself: \"page\"");
}

/* Two templates of one name are refused. */
static void test_template_names_are_unique(void **state)
{
	struct fixture *f = *state;
	const struct tpl_source sources[] = {
		{TD_SLICE("a"), TD_SLICE("1")}, {TD_SLICE("a"), TD_SLICE("2")}};
	struct tpl_set *set = NULL;
	assert_int_equal(tpl_set_create(sources, 2, &set, &f->err), TD_INVALID);
	assert_null(set);
}

/* Sections inside each other up to the limit, one more is refused. */
static void test_template_depth_is_limited(void **state)
{
	struct fixture *f = *state;
	struct td_buf text = TD_BUF_INIT;
	for (int depth = TPL_SECTION_MOST; depth <= TPL_SECTION_MOST + 1; depth++) {
		td_buf_reset(&text);
		for (int i = 0; i < depth; i++)
			td_buf_put_str(&text, "{{#a}}");
		for (int i = 0; i < depth; i++)
			td_buf_put_str(&text, "{{/a}}");
		assert_int_equal(run(f, td_buf_cstr(&text), ""),
			depth == TPL_SECTION_MOST ? TD_OK : TD_TOOBIG);
	}
	td_buf_done(&text);
}

/* Partials inside each other up to the limit, one more is refused. */
static void test_template_partial_depth_is_limited(void **state)
{
	struct fixture *f = *state;
	struct tpl_source sources[TPL_PARTIAL_MOST + 2];
	char names[TPL_PARTIAL_MOST + 2][8], bodies[TPL_PARTIAL_MOST + 2][16];
	for (size_t count = TPL_PARTIAL_MOST + 1; count <= TPL_PARTIAL_MOST + 2; count++) {
		for (size_t i = 0; i < count; i++) {
			(void)snprintf(names[i], sizeof(names[i]), "p%zu", i);
			(void)snprintf(bodies[i], sizeof(bodies[i]), "{{> p%zu}}", i + 1);
			sources[i] = (struct tpl_source){td_slice_str(names[i]),
				i + 1 < count ? td_slice_str(bodies[i]) : TD_SLICE("end")};
		}
		struct tpl_set *set = NULL;
		assert_int_equal(tpl_set_create(sources, count, &set, &f->err),
			count == TPL_PARTIAL_MOST + 1 ? TD_OK : TD_TOOBIG);
		tpl_set_destroy(set);
	}
}

/* A page that would never end, or not fit, ends with an error. */
static void test_template_size_and_steps_are_limited(void **state)
{
	struct fixture *f = *state;
	struct tpl_value *list = tpl_put_list(&f->arena, f->root, "l");
	for (int i = 0; i < 60; i++)
		tpl_add_text(&f->arena, list, TD_SLICE("x"));
	assert_int_equal(run(f, "{{#l}}{{#l}}{{#l}}{{#l}}{{/l}}{{/l}}{{/l}}{{/l}}", ""), TD_TOOBIG);
	f->out.limit = 1000;
	assert_int_equal(run(f, "{{#l}}{{#l}}{{.}}{{/l}}{{/l}}", ""), TD_TOOBIG);
}

/* Too long a source and too many templates are refused. */
static void test_template_source_is_limited(void **state)
{
	struct fixture *f = *state;
	char *text = td_alloc_zero(TPL_SOURCE_MOST + 1);
	assert_non_null(text);
	memset(text, 'a', TPL_SOURCE_MOST + 1);
	struct tpl_source source = {TD_SLICE("big"), td_slice(text, TPL_SOURCE_MOST + 1)};
	struct tpl_set *set = NULL;
	assert_int_equal(tpl_set_create(&source, 1, &set, &f->err), TD_TOOBIG);
	assert_int_equal(tpl_set_create(&source, TPL_COUNT_MOST + 1, &set, &f->err), TD_TOOBIG);
	source.text.len = TPL_SOURCE_MOST;
	assert_int_equal(tpl_set_create(&source, 1, &set, &f->err), TD_OK);
	tpl_set_destroy(set);
	td_free(text);
}

/* A key that no locale has is found before the page is shown. */
static void test_template_texts_are_checked(void **state)
{
	struct fixture *f = *state;
	const struct tpl_source source = {TD_SLICE("a"), TD_SLICE("{{t.greeting}}\n{{t.nope}}")};
	struct tpl_set *set = NULL;
	assert_int_equal(tpl_set_create(&source, 1, &set, &f->err), TD_OK);
	assert_int_equal(tpl_set_check_texts(set, &texts, &f->err), TD_INVALID);
	assert_string_equal(f->err.text, "a:2:1: no locale has the text \"nope\"");
	assert_true(tpl_set_has(set, "a"));
	assert_false(tpl_set_has(set, "b"));
	assert_int_equal(tpl_render(set, "b", f->root, NULL, &f->out, &f->err), TD_NOTFOUND);
	tpl_set_destroy(set);
}

static unsigned allocations_left;

static bool count_down(void)
{
	return allocations_left-- > 0;
}

/* Without memory at any point: TD_NOMEM, and nothing is lost. */
static void test_template_without_memory_fails_cleanly(void **state)
{
	struct fixture *f = *state;
	const struct tpl_source source = {TD_SLICE("a"), TD_SLICE("{{t.greeting}} {{x}}")};
	enum td_status status = TD_NOMEM;
	for (unsigned n = 0; status != TD_OK && n < 20; n++) {
		struct tpl_set *set = NULL;
		allocations_left = n;
		td_alloc_set_gate(count_down);
		status = tpl_set_create(&source, 1, &set, &f->err);
		td_alloc_set_gate(NULL);
		assert_true(status == TD_OK || status == TD_NOMEM);
		tpl_set_destroy(set);
	}
	assert_int_equal(status, TD_OK);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(test_template_values_are_escaped),
		ROW(test_template_escape_of_every_byte),
		ROW(test_template_missing_values_are_empty),
		ROW(test_template_names_are_found_outwards),
		ROW(test_template_sections_go_over_lists),
		ROW(test_template_inverted_sections),
		ROW(test_template_texts_take_values),
		ROW(test_template_lone_tags_take_their_line),
		ROW(test_template_single_braces_are_text),
		ROW(test_template_mistakes_are_named),
		ROW(test_template_circles_are_refused),
		ROW(test_template_names_are_unique),
		ROW(test_template_depth_is_limited),
		ROW(test_template_partial_depth_is_limited),
		ROW(test_template_size_and_steps_are_limited),
		ROW(test_template_source_is_limited),
		ROW(test_template_texts_are_checked),
		ROW(test_template_without_memory_fails_cleanly),
	};
#undef ROW
	return cmocka_run_group_tests(tests, NULL, NULL);
}
