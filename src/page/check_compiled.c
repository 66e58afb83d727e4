/* Run by the build: the compiled-in templates, texts and static files go together, and the pricing
 * page can be made of the default catalogue in every language. Says what is wrong and ends with 1,
 * so that a broken template is a broken build. */
#include "page/page_internal.h"

#include "assets/assets.h"
#include "base/alloc.h"
#include "catalogue/catalogue.h"

#include <stdio.h>

static enum td_status check_pricing(
	const struct page_site *site, struct catalogue_snapshot *snapshot, struct td_err *err)
{
	const struct page_config config = {.public_url = "https://example.org"};
	size_t count;
	const struct catalogue_package *packages = catalogue_snapshot_list(snapshot, &count);
	enum td_status status = TD_OK;
	for (size_t i = 0; i < site->language_count && status == TD_OK; i++) {
		struct td_buf html = {.limit = PAGE_BODY_MOST};
		status = page_render_pricing(
			&config, site, packages, count, i, PAGE_MONTHLY, &html, err);
		td_buf_done(&html);
	}
	return status;
}

static enum td_status check(struct td_err *err)
{
	const struct page_config config = {.public_url = NULL};
	struct td_arena arena = TD_ARENA_INIT;
	struct store_catalogue rows = {.packages = NULL};
	struct page_site *site = NULL;
	struct catalogue_snapshot *snapshot = NULL;
	enum td_status status = page_site_create(&config, &site, err);
	if (status == TD_OK)
		status = catalogue_load(NULL, &arena, NULL, NULL, &rows, err);
	if (status == TD_OK)
		status = catalogue_snapshot_create(&rows, &snapshot, err);
	if (status == TD_OK)
		status = check_pricing(site, snapshot, err);
	catalogue_snapshot_unref(snapshot);
	page_site_unref(site);
	td_arena_done(&arena);
	return status;
}

/* usage: check_compiled STAMP: writes the file STAMP when all is well */
int main(int argc, char **argv)
{
	struct td_err err = TD_ERR_INIT;
	if (argc != 2 || check(&err) != TD_OK) {
		(void)fprintf(stderr, "templates: %s\n", err.text);
		return 1;
	}
	FILE *stamp = fopen(argv[1], "w");
	if (stamp == NULL || fclose(stamp) != 0) {
		(void)fprintf(stderr, "cannot write %s\n", argv[1]);
		return 1;
	}
	return 0;
}
