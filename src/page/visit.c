#include "page/visit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- cookies */

bool page_is_https(const struct page *page)
{
	return page->config.public_url != NULL &&
	       strncmp(page->config.public_url, "https://", 8) == 0;
}

static const char *cookie_prefix(const struct page *page)
{
	return page_is_https(page) ? "__Host-" : "";
}

bool page_set_cookie(
	const struct page_visit *v, const char *name, const char *value, int64_t max_age_s)
{
	char age[40] = "";
	if (max_age_s >= 0)
		(void)snprintf(age, sizeof(age), "; Max-Age=%" PRId64, max_age_s);
	const char *line = td_arena_printf(http_arena(v->rq),
		"%s%s=%s; Path=/%s; SameSite=Lax; HttpOnly%s", cookie_prefix(v->page), name, value,
		age, page_is_https(v->page) ? "; Secure" : "");
	return line != NULL && http_add_header(v->rq, "Set-Cookie", line);
}

bool page_get_cookie(const struct page_visit *v, const char *name, struct td_slice *ret_value)
{
	char whole[64];
	(void)snprintf(whole, sizeof(whole), "%s%s", cookie_prefix(v->page), name);
	return http_cookie(v->rq, whole, ret_value);
}

/* ---- the visitor */

/* A language chosen by ?lang= is remembered for a year. Without the memory for it the page is as
 * good as before. */
static void remember_language(const struct page_visit *v, struct td_slice cookie)
{
	char value[32];
	struct td_slice code = v->view->site->codes[v->language];
	(void)snprintf(value, sizeof(value), "%.*s", TD_SLICE_ARG(code));
	if (!td_slice_equal(code, cookie))
		(void)!page_set_cookie(v, "lang", value, INT64_C(365) * 24 * 60 * 60);
}

struct page_visit page_visit_begin(struct http_request *rq, struct page *page)
{
	struct page_visit v = {rq, page, page_view_acquire(page), 0, PAGE_MONTHLY};
	const struct page_site *site = v.view->site;
	struct language_wish wish = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
	struct td_slice billing;
	bool asked = http_query(rq, "lang", &wish.query);
	(void)page_get_cookie(&v, "lang", &wish.cookie);
	(void)http_header(rq, "Accept-Language", &wish.accept);
	v.language = language_choose(site->codes, site->language_count, &wish);
	if (asked && language_find(site->codes, site->language_count, wish.query) == v.language)
		remember_language(&v, wish.cookie);
	if (http_query(rq, "billing", &billing) && td_slice_is(billing, "yearly"))
		v.billing = PAGE_YEARLY;
	return v;
}

void page_visit_end(struct page_visit *v)
{
	page_view_unref(v->view);
}

struct page_frame page_visit_frame(const struct page_visit *v, const char *path)
{
	return (struct page_frame){
		.config = &v->page->config,
		.site = v->view->site,
		.language = v->language,
		.path = path,
	};
}

const struct locale *page_visit_locale(const struct page_visit *v)
{
	return v->view->site->locales[v->language];
}

/* ---- answers */

void page_visit_reply(const struct page_visit *v, const struct page_frame *frame, unsigned status,
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
		{"Content-Language", page_model_language(arena, page_visit_locale(v))},
		{more != NULL ? more->name : "Retry-After", more != NULL ? more->value : NULL},
	};
	const struct http_reply reply = {
		.status = status,
		.content_type = "text/html; charset=utf-8",
		.take = &html,
		.cache_control = frame->is_private ? NULL : "no-cache",
		.csp = page_csp,
		.vary = page_vary,
		.headers = headers,
		.header_count = TD_ARRAY_LEN(headers),
	};
	http_reply(v->rq, &reply);
	td_buf_done(&html);
}

void page_visit_redirect(const struct page_visit *v, const char *to)
{
	http_redirect(v->rq, 303, to != NULL ? to : "/pricing");
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
	{NULL, 403, "forbidden"},
	{"store-unavailable", 503, "starting"},
	{NULL, 503, "busy"},
	{"too-many-requests", 429, "throttled"},
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

/* In whole minutes, so that nobody comes too early. */
static void put_wait(struct td_arena *arena, struct tpl_value *root, unsigned seconds)
{
	unsigned minutes = (seconds + 59) / 60;
	char number[16];
	(void)snprintf(number, sizeof(number), "%u", minutes);
	tpl_put_flag(arena, root, "wait_one", minutes <= 1);
	tpl_put_str(arena, root, "wait_minutes", minutes > 1 ? number : NULL);
}

void page_visit_error(const struct page_visit *v, const struct http_problem *problem)
{
	struct td_arena *arena = http_arena(v->rq);
	const struct locale *locale = page_visit_locale(v);
	const char *words = error_words(problem);
	const char *heading_key = td_arena_printf(arena, "error.%s.heading", words);
	const char *text_key = td_arena_printf(arena, "error.%s.text", words);
	struct page_frame frame = page_visit_frame(v, "/pricing");
	frame.title_key = heading_key;
	frame.is_private = true; /* it shows what was asked for, and that may be a secret */
	struct tpl_value *root = page_model_frame(arena, &frame);
	char number[16];
	(void)snprintf(number, sizeof(number), "%u", problem->status);
	tpl_put_str(arena, root, "status", number);
	if (!arena->failed) {
		tpl_put_text(arena, root, "heading", locale_find_str(locale, heading_key));
		tpl_put_text(arena, root, "text", locale_find_str(locale, text_key));
	}
	if (strcmp(words, "throttled") == 0)
		put_wait(arena, root, problem->retry_after_s);
	bool again = problem->status == 503 || problem->status == 429;
	if (again)
		tpl_put_text(arena, root, "retry", own_address(v->rq));
	(void)snprintf(number, sizeof(number), "%u",
		problem->retry_after_s > 0 ? problem->retry_after_s : 1);
	const struct http_header retry = {"Retry-After", number};
	const struct http_header allow = {"Allow", problem->allow};
	page_visit_reply(v, &frame, problem->status, "error", root,
		again                    ? &retry
		: problem->allow != NULL ? &allow
					 : NULL);
}

bool page_error(struct http_request *rq, const struct http_problem *problem, void *ctx)
{
	struct page_visit v = page_visit_begin(rq, ctx);
	page_visit_error(&v, problem);
	page_visit_end(&v);
	return true;
}

void page_visit_problem(const struct page_visit *v, enum td_problem problem)
{
	const struct td_problem_info *info = td_problem_info(problem);
	const struct http_problem answer = {.status = (unsigned)info->http, .code = info->code};
	page_visit_error(v, &answer);
}

const struct catalogue_package *page_visit_package(const struct page_visit *v, struct td_slice slug)
{
	const struct catalogue_package *package =
		v->view->snapshot != NULL ? catalogue_snapshot_find(v->view->snapshot, slug) : NULL;
	if (package != NULL && package->row.is_active)
		return package;
	page_visit_problem(v, v->view->snapshot != NULL ? TD_PROBLEM_PACKAGE_NOT_FOUND
							: TD_PROBLEM_STORE_UNAVAILABLE);
	return NULL;
}
