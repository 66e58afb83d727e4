/* The compiled-in site, a snapshot of the default packages, and pages made of both. */
#ifndef TD_TESTS_UNIT_PAGE_FIXTURE_H
#define TD_TESTS_UNIT_PAGE_FIXTURE_H

#include "td_test.h"

#include "base/alloc.h"
#include "catalogue/catalogue.h"
#include "page/forms.h"
#include "page/model_account.h"

#include <string.h>

struct page_fixture {
	struct td_arena arena;
	struct page_site *site;
	struct catalogue_snapshot *snapshot;
	char *html;
};

static const struct page_config fixture_config = {.site_name = "Shop <&>"};

static inline int fixture_set_up(void **state)
{
	static struct page_fixture f;
	struct td_err err = TD_ERR_INIT;
	struct store_catalogue rows = {.packages = NULL};
	f = (struct page_fixture){.arena = TD_ARENA_INIT};
	if (page_site_create(&fixture_config, &f.site, &err) != TD_OK ||
		catalogue_load(NULL, &f.arena, NULL, NULL, &rows, &err) != TD_OK)
		fail_msg("%s", err.text);
	/* A store gives ids. */
	for (size_t i = 0; i < rows.package_count; i++)
		rows.packages[i].id = rows.packages[i].slug;
	assert_int_equal(catalogue_snapshot_create(&rows, &f.snapshot, &err), TD_OK);
	*state = &f;
	return 0;
}

static inline int fixture_tear_down(void **state)
{
	struct page_fixture *f = *state;
	td_free(f->html);
	catalogue_snapshot_unref(f->snapshot);
	page_site_unref(f->site);
	td_arena_done(&f->arena);
	return 0;
}

#define PAGE_TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_set_up, fixture_tear_down)

static inline struct page_frame fixture_frame(const struct page_fixture *f, const char *language)
{
	return (struct page_frame){
		.config = &fixture_config,
		.site = f->site,
		.language = language_find(
			f->site->codes, f->site->language_count, td_slice_str(language)),
		.path = "/x",
		.title = TD_SLICE("title"),
		.csrf_token = "TOKEN",
		.is_private = true,
	};
}

static inline struct page_shelf fixture_shelf(
	const struct page_fixture *f, const struct page_frame *frame)
{
	return (struct page_shelf){f->site->locales[frame->language], f->snapshot};
}

/* The page's text, which lives until the next one. */
static inline const char *fixture_render(struct page_fixture *f, const struct page_frame *frame,
	const char *template, const struct tpl_value *root)
{
	struct td_err err = TD_ERR_INIT;
	struct td_buf html = {.limit = PAGE_BODY_MOST};
	if (page_render(frame, template, &f->arena, root, &html, &err) != TD_OK)
		fail_msg("%s", err.text);
	td_free(f->html);
	f->html = td_strdup(td_buf_cstr(&html));
	td_buf_done(&html);
	assert_non_null(f->html);
	return f->html;
}

static inline void assert_has(const char *html, const char *part)
{
	if (strstr(html, part) == NULL)
		fail_msg("the page lacks %s:\n%s", part, html);
}

static inline void assert_lacks(const char *html, const char *part)
{
	if (strstr(html, part) != NULL)
		fail_msg("the page has %s", part);
}

#endif
