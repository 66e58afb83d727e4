#include "page/page_internal.h"

#include "base/alloc.h"
#include "base/compress.h"
#include "http/http.h"

#include <stdio.h>

static struct http_prepared *prepare(
	const struct page_site *site, size_t language, struct td_slice html)
{
	struct td_buf gzip = TD_BUF_INIT, br = TD_BUF_INIT;
	struct http_prepared *prepared = NULL;
	char code[32];
	(void)snprintf(code, sizeof(code), "%.*s", TD_SLICE_ARG(site->codes[language]));
	const struct http_header headers[] = {{"Content-Language", code}};
	if (td_compress_gzip(html, &gzip) && td_compress_br(html, &br)) {
		const struct http_prepared_config config = {
			.content_type = "text/html; charset=utf-8",
			.identity = html,
			.gzip = td_buf_slice(&gzip),
			.br = td_buf_slice(&br),
			.csp = page_csp,
			.vary = page_vary,
			.headers = headers,
			.header_count = TD_ARRAY_LEN(headers),
		};
		prepared = http_prepared_create(&config);
	}
	td_buf_done(&gzip);
	td_buf_done(&br);
	return prepared;
}

static enum td_status prepare_pricing(const struct page_config *config, struct page_view *view,
	size_t language, enum page_billing billing, struct td_err *err)
{
	size_t count;
	const struct catalogue_package *packages = catalogue_snapshot_list(view->snapshot, &count);
	struct td_buf html = {.limit = PAGE_BODY_MOST};
	enum td_status status = page_render_pricing(
		config, view->site, packages, count, language, billing, &html, err);
	if (status == TD_OK) {
		struct http_prepared *made = prepare(view->site, language, td_buf_slice(&html));
		view->pricing[language][billing] = made;
		if (made == NULL)
			status = td_err_set(err, TD_NOMEM, "no memory for a page");
	}
	td_buf_done(&html);
	return status;
}

static enum td_status make_view(const struct page_config *config, struct page_site *site,
	struct catalogue_snapshot *snapshot, struct page_view **ret_view, struct td_err *err)
{
	struct page_view *view = td_alloc_zero(sizeof(*view));
	if (view == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for pages");
	atomic_init(&view->refs, 1);
	view->site = page_site_ref(site);
	view->snapshot = snapshot != NULL ? catalogue_snapshot_ref(snapshot) : NULL;
	enum td_status status = TD_OK;
	for (size_t i = 0; snapshot != NULL && i < site->language_count; i++) {
		for (int b = 0; b < PAGE_BILLING_COUNT && status == TD_OK; b++)
			status = prepare_pricing(config, view, i, (enum page_billing)b, err);
	}
	if (status != TD_OK) {
		page_view_unref(view);
		return status;
	}
	*ret_view = view;
	return TD_OK;
}

struct page_view *page_view_acquire(struct page *page)
{
	td_lock_take(&page->lock);
	struct page_view *view = page->view;
	atomic_fetch_add_explicit(&view->refs, 1, memory_order_relaxed);
	td_lock_give(&page->lock);
	return view;
}

void page_view_unref(struct page_view *view)
{
	if (view == NULL || atomic_fetch_sub_explicit(&view->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < LANGUAGE_MOST; i++) {
		for (int b = 0; b < PAGE_BILLING_COUNT; b++)
			http_prepared_unref(view->pricing[i][b]);
	}
	catalogue_snapshot_unref(view->snapshot);
	page_site_unref(view->site);
	td_free(view);
}

enum td_status page_view_swap(struct page *page, struct page_site *site,
	struct catalogue_snapshot *snapshot, struct td_err *err)
{
	struct page_view *fresh = NULL;
	enum td_status status = make_view(&page->config, site, snapshot, &fresh, err);
	if (status != TD_OK)
		return status;
	td_lock_take(&page->lock);
	struct page_view *old = page->view;
	page->view = fresh;
	td_lock_give(&page->lock);
	page_view_unref(old);
	return TD_OK;
}
