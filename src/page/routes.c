#include "page/call.h"

#include <stdio.h>
#include <string.h>

/* ---- pages */

static void get_home(struct http_request *rq, void *ctx)
{
	(void)ctx;
	struct td_slice target = http_target(rq);
	const char *query = target.len > 0 ? memchr(target.ptr, '?', target.len) : NULL;
	size_t len = query != NULL ? target.len - (size_t)(query - target.ptr) : 0;
	const char *to = td_arena_printf(
		http_arena(rq), "/pricing%.*s", (int)len, len > 0 ? query : "");
	http_redirect(rq, 302, to != NULL ? to : "/pricing");
}

/* The same page in every language, with whole addresses, as search engines want them. Without
 * PUBLIC_URL (which puts them into the page) the request's own Host says where we are. */
static void add_alternates(const struct page_visit *v)
{
	struct td_slice host = http_host(v->rq);
	if (v->page->config.public_url != NULL || host.len == 0)
		return;
	struct td_buf links = {.limit = 2048};
	const struct page_site *site = v->view->site;
	const char *scheme = http_is_https(v->rq) ? "https" : "http";
	for (size_t i = 0; i < site->language_count; i++)
		td_buf_printf(&links,
			"<%s://%.*s/pricing?lang=%.*s>; rel=\"alternate\"; hreflang=\"%.*s\", ",
			scheme, TD_SLICE_ARG(host), TD_SLICE_ARG(site->codes[i]),
			TD_SLICE_ARG(site->codes[i]));
	td_buf_printf(&links, "<%s://%.*s/pricing>; rel=\"alternate\"; hreflang=\"x-default\"",
		scheme, TD_SLICE_ARG(host));
	const char *value = td_buf_cstr(&links);
	if (value != NULL)
		(void)!http_add_header(v->rq, "Link", value);
	td_buf_done(&links);
}

static void get_pricing(struct http_request *rq, void *ctx)
{
	struct page_visit v = page_visit_begin(rq, ctx);
	struct http_prepared *prepared = v.view->pricing[v.language][v.billing];
	if (prepared == NULL) {
		page_visit_problem(&v, TD_PROBLEM_STORE_UNAVAILABLE);
	} else {
		add_alternates(&v);
		http_reply_prepared(rq, prepared);
	}
	page_visit_end(&v);
}

static void get_problems(struct http_request *rq, void *ctx)
{
	struct page_visit v = page_visit_begin(rq, ctx);
	struct td_arena *arena = http_arena(rq);
	struct page_frame frame = page_visit_frame(&v, "/problems");
	frame.title_key = "problems.title";
	frame.may_be_indexed = true;
	struct tpl_value *root = page_model_frame(arena, &frame);
	struct tpl_value *list = tpl_put_list(arena, root, "problems");
	for (int i = 0; i < TD_PROBLEM_COUNT; i++)
		page_model_problem(arena, tpl_add_map(arena, list), page_visit_locale(&v),
			td_problem_info((enum td_problem)i));
	page_visit_reply(&v, &frame, 200, "problems", root, NULL);
	page_visit_end(&v);
}

static void get_problem(struct http_request *rq, void *ctx)
{
	struct page_visit v = page_visit_begin(rq, ctx);
	const struct td_problem_info *info = td_problem_find(http_param(rq, "code"));
	if (info == NULL) {
		page_visit_problem(&v, TD_PROBLEM_NOT_FOUND);
		page_visit_end(&v);
		return;
	}
	struct td_arena *arena = http_arena(rq);
	const char *path = td_arena_printf(arena, "/problems/%s", info->code);
	struct page_frame frame = page_visit_frame(&v, path != NULL ? path : "/problems");
	frame.title = td_slice_str(info->code);
	frame.may_be_indexed = true;
	struct tpl_value *root = page_model_frame(arena, &frame);
	page_model_problem(arena, root, page_visit_locale(&v), info);
	page_visit_reply(&v, &frame, 200, "problem", root, NULL);
	page_visit_end(&v);
}

static void reply_static(struct http_request *rq, struct page *page, struct td_slice name)
{
	struct page_view *view = page_view_acquire(page);
	struct http_prepared *prepared = page_site_static(view->site, name);
	if (prepared != NULL) {
		http_reply_prepared(rq, prepared);
	} else {
		const struct http_problem problem = {
			.status = 404,
			.code = td_problem_info(TD_PROBLEM_NOT_FOUND)->code,
			.detail = "There is no static file of this name.",
		};
		http_reply_problem(rq, &problem);
	}
	page_view_unref(view);
}

static void get_static(struct http_request *rq, void *ctx)
{
	reply_static(rq, ctx, http_param(rq, "name"));
}

/* Two names that programs ask for without being told to. */
static void get_robots(struct http_request *rq, void *ctx)
{
	reply_static(rq, ctx, TD_SLICE("robots.txt"));
}

static void get_favicon(struct http_request *rq, void *ctx)
{
	reply_static(rq, ctx, TD_SLICE("favicon.svg"));
}

enum td_status page_add_routes(struct page *page, struct http_server *server, struct td_err *err)
{
	const struct http_route routes[] = {
		{"GET", "/", get_home, page, HTTP_ROUTE_PAGE, 0},
		{"GET", "/pricing", get_pricing, page, HTTP_ROUTE_PAGE, 0},
		{"GET", "/problems", get_problems, page, HTTP_ROUTE_PAGE | HTTP_ROUTE_ALWAYS, 0},
		{"GET", "/problems/{code}", get_problem, page, HTTP_ROUTE_PAGE | HTTP_ROUTE_ALWAYS,
			0},
		{"GET", "/static/{name}", get_static, page, HTTP_ROUTE_ALWAYS, 0},
		{"GET", "/robots.txt", get_robots, page, HTTP_ROUTE_ALWAYS, 0},
		{"GET", "/favicon.ico", get_favicon, page, HTTP_ROUTE_ALWAYS, 0},
	};
	enum td_status status = http_server_add_routes(server, routes, TD_ARRAY_LEN(routes), err);
	if (page->config.calls == NULL)
		return status;
	if (status == TD_OK)
		status = page_add_checkout_routes(page, server, err);
	if (status == TD_OK)
		status = page_add_door_routes(page, server, err);
	if (status == TD_OK)
		status = page_add_account_routes(page, server, err);
	if (status == TD_OK)
		status = page_add_change_routes(page, server, err);
	return status;
}
