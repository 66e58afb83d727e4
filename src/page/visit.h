/* What every handler of a page begins and ends with: the view it works on, the visitor's language,
 * and the ways to answer. Only for page/'s own files. */
#ifndef TD_PAGE_VISIT_H
#define TD_PAGE_VISIT_H

#include "http/http.h"
#include "page/page_internal.h"

/* Plain data; whoever began it ends it with page_visit_end(). */
struct page_visit {
	struct http_request *rq;
	struct page *page;
	struct page_view *view; /* with a reference of its own */
	size_t language;
	enum page_billing billing;
};

struct page_visit page_visit_begin(struct http_request *rq, struct page *page);
void page_visit_end(struct page_visit *v);

struct page_frame page_visit_frame(const struct page_visit *v, const char *path);
const struct locale *page_visit_locale(const struct page_visit *v);

/* A page that is made for this one request. `more` may be NULL. */
void page_visit_reply(const struct page_visit *v, const struct page_frame *frame, unsigned status,
	const char *template, const struct tpl_value *root, const struct http_header *more);

/* A page that says what is wrong, with the words of the locale for that status and code. */
void page_visit_error(const struct page_visit *v, const struct http_problem *problem);
void page_visit_problem(const struct page_visit *v, enum td_problem problem);

/* 303 to an address of ours. */
void page_visit_redirect(const struct page_visit *v, const char *to);

/* A package that is on offer; NULL: there is none, or no catalogue yet, and the request has been
 * answered. */
const struct catalogue_package *page_visit_package(
	const struct page_visit *v, struct td_slice slug) TD_MUST_CHECK;

/* True where PUBLIC_URL begins with https: cookies are Secure then, with the prefix __Host-. */
bool page_is_https(const struct page *page);

/* Sets a cookie for the whole site: HttpOnly, SameSite=Lax. max_age_s: 0 removes it, -1 keeps it
 * until the browser ends. False: no memory. */
bool page_set_cookie(const struct page_visit *v, const char *name, const char *value,
	int64_t max_age_s) TD_MUST_CHECK;

/* The cookie of that name, with its prefix where there is one. */
bool page_get_cookie(const struct page_visit *v, const char *name, struct td_slice *ret_value);

#endif
