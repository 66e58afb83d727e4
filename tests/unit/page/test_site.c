#include "td_test.h"

#include "page/page_internal.h"
#include "temp_dir.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static void write_into(const struct temp_dir *dir, const char *name, const char *text)
{
	temp_dir_write_text(dir, name, text);
}

static enum td_status create(const struct page_config *config, struct td_err *err)
{
	struct page_site *site = NULL;
	enum td_status status = page_site_create(config, &site, err);
	page_site_unref(site);
	return status;
}

/* A broken template is refused with its name, line and column. */
static void test_site_broken_template_is_named(void **state)
{
	(void)state;
	struct temp_dir dir;
	struct td_err err = TD_ERR_INIT;
	temp_dir_make(&dir);
	write_into(&dir, "error.html", "<p>\n{{#a}}");
	const struct page_config config = {.templates_dir = dir.path};
	assert_int_equal(create(&config, &err), TD_INVALID);
	assert_string_equal(err.text, "error:2:1: this section is never closed: \"a\"");
	write_into(&dir, "error.html", "{{t.no_such_text}}");
	assert_int_equal(create(&config, &err), TD_INVALID);
	assert_string_equal(err.text, "error:1:1: no locale has the text \"no_such_text\"");
	write_into(&dir, "error.html", "{{t.skip}}");
	assert_int_equal(create(&config, &err), TD_OK);
	temp_dir_remove(&dir);
}

/* A language of its own needs nothing but its file; a broken one is named. */
static void test_site_locales_are_added(void **state)
{
	(void)state;
	struct temp_dir dir;
	struct td_err err = TD_ERR_INIT;
	struct page_site *site = NULL;
	temp_dir_make(&dir);
	write_into(&dir, "fr.json", "{\"language.name\": \"Français\"}");
	const struct page_config config = {.locales_dir = dir.path};
	assert_int_equal(page_site_create(&config, &site, &err), TD_OK);
	assert_int_equal(site->language_count, 3);
	assert_true(td_slice_is(site->codes[0], "en"));
	assert_true(language_find(site->codes, 3, TD_SLICE("fr-CA")) < 3);
	page_site_unref(site);
	write_into(&dir, "fr.json", "{\"a\": 1}");
	assert_int_equal(create(&config, &err), TD_INVALID);
	assert_string_equal(err.text, "locale fr: \"a\" has to be a text");
	temp_dir_remove(&dir);
}

/* A static file of the folder replaces the one of its name, under another address. */
static void test_site_statics_are_replaced(void **state)
{
	(void)state;
	struct temp_dir dir;
	struct td_err err = TD_ERR_INIT;
	struct page_site *built = NULL, *own = NULL;
	temp_dir_make(&dir);
	write_into(&dir, "style.css", "body{color:red}");
	write_into(&dir, "more.txt", "x");
	const struct page_config plain = {.static_dir = NULL}, config = {.static_dir = dir.path};
	assert_int_equal(page_site_create(&plain, &built, &err), TD_OK);
	assert_int_equal(page_site_create(&config, &own, &err), TD_OK);
	assert_int_equal(own->static_count, built->static_count + 1);
	assert_non_null(page_site_static(own, TD_SLICE("favicon.svg")));
	assert_non_null(page_site_static(own, TD_SLICE("more.txt")));
	for (size_t i = 0; i < built->static_count; i++) {
		if (strcmp(built->statics[i].name, "style.css") == 0)
			assert_null(page_site_static(own, td_slice_str(built->statics[i].hashed)));
	}
	page_site_unref(own);
	page_site_unref(built);
	temp_dir_remove(&dir);
}

/* A folder that is not there is refused. */
static void test_site_missing_folder_is_refused(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	const struct page_config config = {.templates_dir = "/nonexistent/folder"};
	assert_int_equal(create(&config, &err), TD_IO);
	assert_non_null(strstr(err.text, "/nonexistent/folder"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_site_broken_template_is_named),
		cmocka_unit_test(test_site_locales_are_added),
		cmocka_unit_test(test_site_statics_are_replaced),
		cmocka_unit_test(test_site_missing_folder_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
