#include "page/page_internal.h"

#include "assets/assets.h"
#include "base/alloc.h"

#include <stdio.h>

#define WATCH_PERIOD_NS UINT64_C(1000000000)

static void report(struct page *page, const char *what, const struct td_err *err)
{
	char text[TD_ERR_TEXT_MAX + 128];
	if (page->config.report == NULL)
		return;
	(void)snprintf(text, sizeof(text), "%s: %s", what, err->text);
	page->config.report(page->config.report_ctx, text);
}

/* Differs when any file of the three folders does. */
static uint64_t stamp_folders(const struct page_config *config)
{
	return asset_folder_stamp(config->templates_dir) * 31 * 31 +
	       asset_folder_stamp(config->static_dir) * 31 +
	       asset_folder_stamp(config->locales_dir);
}

static enum td_status reload(struct page *page, struct td_err *err)
{
	struct page_site *site = NULL;
	enum td_status status = page_site_create(&page->config, &site, err);
	if (status != TD_OK)
		return status;
	td_lock_take(&page->build_lock);
	struct page_view *now = page_view_acquire(page);
	status = page_view_swap(page, site, now->snapshot, err);
	page_view_unref(now);
	td_lock_give(&page->build_lock);
	page_site_unref(site);
	return status;
}

/* Until stopping: looks at the folders each second and reads them again when something changed. A
 * state of the folders that is broken is said once, and the last good one stays. */
static void watch(void *ctx)
{
	struct page *page = ctx;
	uint64_t known = page->first_stamp;
	td_lock_take(&page->watch_lock);
	while (!page->stopping) {
		(void)td_cond_wait_until(
			&page->watch_cond, &page->watch_lock, td_clock_mono_ns() + WATCH_PERIOD_NS);
		if (page->stopping)
			break;
		td_lock_give(&page->watch_lock);
		uint64_t stamp = stamp_folders(&page->config);
		if (stamp != known) {
			struct td_err err = TD_ERR_INIT;
			if (reload(page, &err) != TD_OK)
				report(page, "the last good pages stay in use", &err);
			known = stamp;
		}
		td_lock_take(&page->watch_lock);
	}
	td_lock_give(&page->watch_lock);
}

static bool has_folder(const struct page_config *config)
{
	return config->templates_dir != NULL || config->static_dir != NULL ||
	       config->locales_dir != NULL;
}

static enum td_status start(struct page *page, struct td_err *err)
{
	struct page_site *site = NULL;
	page->first_stamp = stamp_folders(&page->config); /* before reading */
	enum td_status status = page_site_create(&page->config, &site, err);
	if (status == TD_OK)
		status = page_view_swap(page, site, NULL, err);
	page_site_unref(site);
	if (status != TD_OK || !has_folder(&page->config))
		return status;
	status = td_thread_start(&page->watcher, "page-watch", watch, page, err);
	page->watching = status == TD_OK;
	return status;
}

enum td_status page_create(
	const struct page_config *config, struct page **ret_page, struct td_err *err)
{
	struct page *page = td_alloc_zero(sizeof(*page));
	if (page == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for pages");
	page->config = *config;
	td_lock_init(&page->lock);
	td_lock_init(&page->build_lock);
	td_lock_init(&page->watch_lock);
	td_cond_init(&page->watch_cond);
	enum td_status status = start(page, err);
	if (status != TD_OK) {
		page_destroy(page);
		return status;
	}
	*ret_page = page;
	return TD_OK;
}

static void stop_watching(struct page *page)
{
	if (!page->watching)
		return;
	td_lock_take(&page->watch_lock);
	page->stopping = true;
	td_cond_wake_all(&page->watch_cond);
	td_lock_give(&page->watch_lock);
	td_thread_join(&page->watcher);
}

void page_destroy(struct page *page)
{
	if (page == NULL)
		return;
	stop_watching(page);
	page_view_unref(page->view);
	td_cond_done(&page->watch_cond);
	td_lock_done(&page->watch_lock);
	td_lock_done(&page->build_lock);
	td_lock_done(&page->lock);
	td_free(page);
}

void page_catalogue_changed(void *ctx, struct catalogue_snapshot *snapshot)
{
	struct page *page = ctx;
	struct td_err err = TD_ERR_INIT;
	td_lock_take(&page->build_lock);
	struct page_view *now = page_view_acquire(page);
	if (page_view_swap(page, now->site, snapshot, &err) != TD_OK)
		report(page, "the pricing page could not be made anew", &err);
	page_view_unref(now);
	td_lock_give(&page->build_lock);
}
