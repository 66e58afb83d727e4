/* The HTML pages: pricing in every language and billing cycle, made once for each catalogue
 * snapshot; checkout; static files under names that change with their content; pages for errors and
 * for problem codes. */
#ifndef TD_PAGE_PAGE_H
#define TD_PAGE_PAGE_H

#include "base/clock.h"
#include "base/compiler.h"
#include "base/err.h"
#include "catalogue/snapshot.h"

#include <stdbool.h>

struct calls;
struct page;
struct http_problem;
struct http_request;
struct http_server;

/* Something that an operator should read, once for each cause: a broken template on disk ("the last
 * good one is served"). Any thread; `message` is valid during the call. */
typedef void page_report_fn(void *ctx, const char *message);

struct page_config {
	const char *site_name;     /* NULL: "Tools Dashboard" */
	const char *public_url;    /* NULL: none was set */
	const char *templates_dir; /* the three: NULL: the compiled-in files */
	const char *static_dir;
	const char *locales_dir;
	const struct td_clock *clock;
	struct calls *calls;    /* checkout, account, signing in; NULL: those pages are not there */
	int64_t session_ttl_ms; /* how long a sign-in lasts */
	bool has_test_clock;    /* every page says so */
	size_t password_memory; /* bytes, for hashing one */
	page_report_fn *report; /* NULL: nobody */
	void *report_ctx;
};

/* Reads templates, texts and static files. `config` is copied, what it points to is borrowed until
 * destroy.
 *   TD_OK       *ret_page is the caller's; page_destroy()
 *   TD_INVALID  err names the file, line and column, or the key
 *   TD_IO       a folder cannot be read; TD_TOOBIG, TD_NOMEM */
enum td_status page_create(
	const struct page_config *config, struct page **ret_page, struct td_err *err) TD_MUST_CHECK;

/* After the server has stopped. NULL is fine. */
void page_destroy(struct page *page);

/* Before the server starts. */
enum td_status page_add_routes(
	struct page *page, struct http_server *server, struct td_err *err) TD_MUST_CHECK;

/* catalogue_changed_fn's shape: makes the pages anew and swaps them. Slow (it compresses): not on
 * an HTTP thread or a ticker. */
void page_catalogue_changed(void *page, struct catalogue_snapshot *snapshot);

/* http_error_page_fn's shape: answers with a page that says what is wrong. */
bool page_error(struct http_request *rq, const struct http_problem *problem, void *page);

#endif
