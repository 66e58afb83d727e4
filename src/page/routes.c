#include "page/page_internal.h"

#include "http/http.h"

#include <stdio.h>
#include <string.h>

/* What a handler works with: the view, whose reference it holds, and the visitor's language. */
struct visit {
	struct http_request *rq;
	struct page *page;
	struct page_view *view;
	size_t language;
	enum page_billing billing;
};

static bool is_https(const struct page *page)
{
	return page->config.public_url != NULL &&
	       strncmp(page->config.public_url, "https://", 8) == 0;
}

static const char *cookie_name(const struct page *page)
{
	return is_https(page) ? "__Host-lang" : "lang";
}

/* A language chosen by ?lang= is remembered for a year. */
static void remember_language(const struct visit *v, struct td_slice cookie)
{
	char value[128];
	struct td_slice code = v->view->site->codes[v->language];
	if (td_slice_equal(code, cookie))
		return;
	(void)snprintf(value, sizeof(value),
		"%s=%.*s; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly%s", cookie_name(v->page),
		TD_SLICE_ARG(code), is_https(v->page) ? "; Secure" : "");
	/* Without the memory for it the page is as good as before. */
	(void)!http_add_header(v->rq, "Set-Cookie", value);
}

static struct visit begin_visit(struct http_request *rq, struct page *page)
{
	struct visit v = {rq, page, page_view_acquire(page), 0, PAGE_MONTHLY};
	const struct page_site *site = v.view->site;
	struct language_wish wish = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
	struct td_slice billing;
	bool asked = http_query(rq, "lang", &wish.query);
	(void)http_cookie(rq, cookie_name(page), &wish.cookie);
	(void)http_header(rq, "Accept-Language", &wish.accept);
	v.language = language_choose(site->codes, site->language_count, &wish);
	if (asked && language_find(site->codes, site->language_count, wish.query) == v.language)
		remember_language(&v, wish.cookie);
	if (http_query(rq, "billing", &billing) && td_slice_is(billing, "yearly"))
		v.billing = PAGE_YEARLY;
	return v;
}

static void end_visit(struct visit *v)
{
	page_view_unref(v->view);
}

static struct page_frame frame_of(const struct visit *v, const char *path)
{
	return (struct page_frame){
		.config = &v->page->config,
		.site = v->view->site,
		.language = v->language,
		.path = path,
	};
}

static const struct locale *locale_of(const struct visit *v)
{
	return v->view->site->locales[v->language];
}

/* A page that is made for this one request. */
static void reply_page(const struct visit *v, const struct page_frame *frame, unsigned status,
	const char *template, const struct tpl_value *root, const struct http_header *more)
{
	struct td_err err = TD_ERR_INIT;
	struct td_buf html = {.limit = PAGE_BODY_MOST};
	struct td_arena *arena = http_arena(v->rq);
	if (page_render(frame, template, arena, root, &html, &err) != TD_OK) {
		td_buf_done(&html);
		http_reply_err(v->rq, &err, "internal-error");
		return;
	}
	const struct http_header headers[] = {
		{"Content-Language", page_model_language(arena, locale_of(v))},
		{more != NULL ? more->name : "Retry-After", more != NULL ? more->value : NULL},
	};
	const struct http_reply reply = {
		.status = status,
		.content_type = "text/html; charset=utf-8",
		.take = &html,
		.cache_control = "no-cache",
		.csp = page_csp,
		.vary = page_vary,
		.headers = headers,
		.header_count = TD_ARRAY_LEN(headers),
	};
	http_reply(v->rq, &reply);
	td_buf_done(&html);
}

/* ---- errors */

/* The first row that fits: by code, else by status; 0 fits all. */
struct error_row {
	const char *code;
	unsigned status;
	const char *words; /* error.WORDS.heading, error.WORDS.text */
};

static const struct error_row error_rows[] = {
	{"package-not-found", 404, "package"},
	{NULL, 404, "not_found"},
	{NULL, 405, "method"},
	{"store-unavailable", 503, "starting"},
	{NULL, 503, "busy"},
	{NULL, 429, "busy"},
	{NULL, 500, "internal"},
};

static const char *error_words(const struct http_problem *problem)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(error_rows); i++) {
		const struct error_row *row = &error_rows[i];
		if (row->status == problem->status &&
			(row->code == NULL || strcmp(row->code, problem->code) == 0))
			return row->words;
	}
	return problem->status >= 500 ? "internal" : "request";
}

/* What was asked for, where a browser takes it as an address of ours ("//host" is not). */
static struct td_slice own_address(const struct http_request *rq)
{
	struct td_slice target = http_target(rq);
	bool is_path = target.len > 0 && target.ptr[0] == '/';
	bool is_host = target.len > 1 && (target.ptr[1] == '/' || target.ptr[1] == '\\');
	return is_path && !is_host ? target : TD_SLICE("/pricing");
}

static void reply_error(const struct visit *v, const struct http_problem *problem)
{
	struct td_arena *arena = http_arena(v->rq);
	const struct locale *locale = locale_of(v);
	const char *words = error_words(problem);
	const char *heading_key = td_arena_printf(arena, "error.%s.heading", words);
	const char *text_key = td_arena_printf(arena, "error.%s.text", words);
	struct page_frame frame = frame_of(v, "/pricing");
	frame.title_key = heading_key;
	struct tpl_value *root = page_model_frame(arena, &frame);
	char number[16];
	(void)snprintf(number, sizeof(number), "%u", problem->status);
	tpl_put_str(arena, root, "status", number);
	if (!arena->failed) {
		tpl_put_text(arena, root, "heading", locale_find_str(locale, heading_key));
		tpl_put_text(arena, root, "text", locale_find_str(locale, text_key));
	}
	bool again = problem->status == 503 || problem->status == 429;
	if (again)
		tpl_put_text(arena, root, "retry", own_address(v->rq));
	(void)snprintf(number, sizeof(number), "%u",
		problem->retry_after_s > 0 ? problem->retry_after_s : 1);
	const struct http_header retry = {"Retry-After", number};
	const struct http_header allow = {"Allow", problem->allow};
	reply_page(v, &frame, problem->status, "error", root,
		again                    ? &retry
		: problem->allow != NULL ? &allow
					 : NULL);
}

bool page_error(struct http_request *rq, const struct http_problem *problem, void *ctx)
{
	struct visit v = begin_visit(rq, ctx);
	reply_error(&v, problem);
	end_visit(&v);
	return true;
}

static void reply_problem(const struct visit *v, enum td_problem problem)
{
	const struct td_problem_info *info = td_problem_info(problem);
	const struct http_problem answer = {.status = (unsigned)info->http, .code = info->code};
	reply_error(v, &answer);
}

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
static void add_alternates(const struct visit *v)
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
	struct visit v = begin_visit(rq, ctx);
	struct http_prepared *prepared = v.view->pricing[v.language][v.billing];
	if (prepared == NULL) {
		reply_problem(&v, TD_PROBLEM_STORE_UNAVAILABLE);
	} else {
		add_alternates(&v);
		http_reply_prepared(rq, prepared);
	}
	end_visit(&v);
}

static void reply_checkout(const struct visit *v, const struct catalogue_package *package)
{
	struct td_arena *arena = http_arena(v->rq);
	const char *path = td_arena_printf(
		arena, "/checkout/%.*s", TD_SLICE_ARG(package->row.slug));
	struct page_frame frame = frame_of(v, path != NULL ? path : "/pricing");
	frame.keep = v->billing == PAGE_YEARLY ? "&billing=yearly" : "&billing=monthly";
	frame.title_key = "checkout.title";
	struct tpl_value *root = page_model_frame(arena, &frame);
	tpl_put_flag(arena, root, "is_yearly", v->billing == PAGE_YEARLY);
	tpl_put_str(arena, root, "billing", page_billing_name(v->billing));
	page_model_package(arena, tpl_put_map(arena, root, "package"), locale_of(v), package);
	reply_page(v, &frame, 200, "checkout", root, NULL);
}

static void get_checkout(struct http_request *rq, void *ctx)
{
	struct visit v = begin_visit(rq, ctx);
	const struct catalogue_package *package =
		v.view->snapshot != NULL
			? catalogue_snapshot_find(v.view->snapshot, http_param(rq, "slug"))
			: NULL;
	if (v.view->snapshot == NULL)
		reply_problem(&v, TD_PROBLEM_STORE_UNAVAILABLE);
	else if (package == NULL || !package->row.is_active)
		reply_problem(&v, TD_PROBLEM_PACKAGE_NOT_FOUND);
	else
		reply_checkout(&v, package);
	end_visit(&v);
}

static void get_problems(struct http_request *rq, void *ctx)
{
	struct visit v = begin_visit(rq, ctx);
	struct td_arena *arena = http_arena(rq);
	struct page_frame frame = frame_of(&v, "/problems");
	frame.title_key = "problems.title";
	frame.may_be_indexed = true;
	struct tpl_value *root = page_model_frame(arena, &frame);
	struct tpl_value *list = tpl_put_list(arena, root, "problems");
	for (int i = 0; i < TD_PROBLEM_COUNT; i++)
		page_model_problem(arena, tpl_add_map(arena, list), locale_of(&v),
			td_problem_info((enum td_problem)i));
	reply_page(&v, &frame, 200, "problems", root, NULL);
	end_visit(&v);
}

static void get_problem(struct http_request *rq, void *ctx)
{
	struct visit v = begin_visit(rq, ctx);
	const struct td_problem_info *info = td_problem_find(http_param(rq, "code"));
	if (info == NULL) {
		reply_problem(&v, TD_PROBLEM_NOT_FOUND);
		end_visit(&v);
		return;
	}
	struct td_arena *arena = http_arena(rq);
	const char *path = td_arena_printf(arena, "/problems/%s", info->code);
	struct page_frame frame = frame_of(&v, path != NULL ? path : "/problems");
	frame.title = td_slice_str(info->code);
	frame.may_be_indexed = true;
	struct tpl_value *root = page_model_frame(arena, &frame);
	page_model_problem(arena, root, locale_of(&v), info);
	reply_page(&v, &frame, 200, "problem", root, NULL);
	end_visit(&v);
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
		{"GET", "/checkout/{slug}", get_checkout, page, HTTP_ROUTE_PAGE, 0},
		{"GET", "/problems", get_problems, page, HTTP_ROUTE_PAGE | HTTP_ROUTE_ALWAYS, 0},
		{"GET", "/problems/{code}", get_problem, page, HTTP_ROUTE_PAGE | HTTP_ROUTE_ALWAYS,
			0},
		{"GET", "/static/{name}", get_static, page, HTTP_ROUTE_ALWAYS, 0},
		{"GET", "/robots.txt", get_robots, page, HTTP_ROUTE_ALWAYS, 0},
		{"GET", "/favicon.ico", get_favicon, page, HTTP_ROUTE_ALWAYS, 0},
	};
	return http_server_add_routes(server, routes, TD_ARRAY_LEN(routes), err);
}
