/* The parts of page/: what is read from files (site), what is made of it for one snapshot (view),
 * and how values get into templates (model). Only for page/'s own files and their tests. */
#ifndef TD_PAGE_PAGE_INTERNAL_H
#define TD_PAGE_PAGE_INTERNAL_H

#include "base/arena.h"
#include "base/problem.h"
#include "catalogue/snapshot.h"
#include "page/language.h"
#include "page/locale.h"
#include "page/page.h"
#include "page/template.h"
#include "work/lock.h"
#include "work/thread.h"

#include <stdatomic.h>
#include <stddef.h>

struct http_prepared;
struct http_request;
struct http_problem;

#define PAGE_BODY_MOST (4u * 1024 * 1024) /* bytes of one page */

/* Monthly, yearly: the order of the choice on the page. */
enum page_billing {
	PAGE_MONTHLY,
	PAGE_YEARLY,
	PAGE_BILLING_COUNT,
};

const char *page_billing_name(enum page_billing billing);

/* ---- site: templates, texts and static files, read and checked together; never changes */

struct page_static {
	char *name;                  /* "style.css" */
	char *key;                   /* "style_css": {{static.style_css}} */
	char *hashed;                /* "style.0123456789abcdef.css" */
	char *href;                  /* "/static/style.0123456789abcdef.css" */
	struct http_prepared *kept;  /* for the hashed name: may be kept for ever */
	struct http_prepared *asked; /* for the plain name: asked for each time */
};

struct page_site {
	atomic_uint refs;
	struct tpl_set *templates;
	struct locale *locales[LANGUAGE_MOST]; /* English first */
	struct td_slice codes[LANGUAGE_MOST];  /* of the locales */
	size_t language_count;
	struct page_static *statics;
	size_t static_count;
	struct td_arena arena; /* owns names and the array of statics */
};

/* The compiled-in files, each replaced by the folder's of the same name, and the folder's others.
 * TD_INVALID, TD_TOOBIG: err names the file (with line and column). TD_IO, TD_NOMEM. */
enum td_status page_site_create(const struct page_config *config, struct page_site **ret_site,
	struct td_err *err) TD_MUST_CHECK;

/* Any thread; only somebody who has a reference may take another. NULL is fine for unref. */
struct page_site *page_site_ref(struct page_site *site);
void page_site_unref(struct page_site *site);

/* NULL when there is none of that (plain or hashed) name. */
struct http_prepared *page_site_static(const struct page_site *site, struct td_slice name);

/* ---- view: a site and a snapshot, and the pricing pages made of both; shared by counting */

struct page_view {
	atomic_uint refs;
	struct page_site *site;
	struct catalogue_snapshot *snapshot; /* NULL before the first one */
	struct http_prepared *pricing[LANGUAGE_MOST][PAGE_BILLING_COUNT]; /* NULL likewise */
};

struct page {
	struct page_config config;
	struct td_lock lock; /* guards `view`: held only to count up or to swap */
	struct page_view *view;
	struct td_lock build_lock; /* one view is made at a time; taken before `lock` */

	uint64_t first_stamp;     /* of the folders, before they were read */
	struct td_thread watcher; /* runs where a folder is set */
	bool watching;
	struct td_lock watch_lock;
	struct td_cond watch_cond;
	bool stopping;
};

/* The current view with a reference of the caller's own. */
struct page_view *page_view_acquire(struct page *page);
void page_view_unref(struct page_view *view);

/* Makes a view of site and snapshot (which may be NULL; of both it takes references of its own) and
 * swaps it in. On failure the old one stays. The caller holds build_lock. */
enum td_status page_view_swap(struct page *page, struct page_site *site,
	struct catalogue_snapshot *snapshot, struct td_err *err) TD_MUST_CHECK;

/* ---- model: values for templates; all of it lives in the arena */

/* What every page has. */
struct page_frame {
	const struct page_config *config;
	const struct page_site *site;
	size_t language;         /* index into the site's locales */
	const char *path;        /* "/pricing": where the language links lead */
	const char *keep;        /* "&billing=monthly": what they keep; or "" */
	const char *keep_yearly; /* where the page can switch to yearly by itself; or NULL */
	const char *title_key;   /* a text of the locale; or NULL: title */
	struct td_slice title;
	const char *description_key; /* or NULL */
	bool may_be_indexed;
	bool is_private;        /* of one visitor: no cache keeps it */
	const char *csrf_token; /* of its forms; or NULL */
	bool is_signed_in;      /* there is a session: csrf_token lets it sign out */
	int64_t test_clock_ms;  /* the time that a test has set; 0: none */
};

struct tpl_value *page_model_frame(struct td_arena *arena, const struct page_frame *frame);

/* A value in the locale's form, as a text of `map`. */
void page_model_money(struct td_arena *arena, struct tpl_value *map, const char *name,
	const struct locale *locale, int64_t minor, struct td_slice currency);
void page_model_number(struct td_arena *arena, struct tpl_value *map, const char *name,
	const struct locale *locale, int64_t number);
void page_model_date(struct td_arena *arena, struct tpl_value *map, const char *name,
	const struct locale *locale, int64_t wall_ms);

/* RFC 3339, for <time datetime>. */
void page_model_time(
	struct td_arena *arena, struct tpl_value *map, const char *name, int64_t wall_ms);

/* Name, prices, saving, limits and features of one package, as members of `map`. */
void page_model_package(struct td_arena *arena, struct tpl_value *map, const struct locale *locale,
	const struct catalogue_package *package);

/* The packages, the comparison of their features and the greatest saving. */
void page_model_pricing(struct td_arena *arena, struct tpl_value *root, const struct locale *locale,
	const struct catalogue_package *packages, size_t count);

/* The categories of `page_model_pricing`. */
void page_model_compare(struct td_arena *arena, struct tpl_value *root, const struct locale *locale,
	const struct catalogue_package *packages, size_t count, size_t best);

/* The package that is named "Most popular": the first whose text `highlight` says so; `count` where
 * none does. */
size_t page_model_best(const struct catalogue_package *packages, size_t count);

/* The locale's code as a C string, for catalogue_package_translated(); in the arena. */
const char *page_model_language(struct td_arena *arena, const struct locale *locale);

/* What a problem is called and explained with in the locale's language (`problem.CODE.title`), else
 * in English with `text_lang` = "en". */
void page_model_problem(struct td_arena *arena, struct tpl_value *map, const struct locale *locale,
	const struct td_problem_info *info);

/* ---- pages */

/* The bytes of one page appended to `out`. */
enum td_status page_render(const struct page_frame *frame, const char *template,
	const struct td_arena *arena, const struct tpl_value *root, struct td_buf *out,
	struct td_err *err) TD_MUST_CHECK;

/* The whole pricing page. */
enum td_status page_render_pricing(const struct page_config *config, const struct page_site *site,
	const struct catalogue_package *packages, size_t count, size_t language,
	enum page_billing billing, struct td_buf *out, struct td_err *err) TD_MUST_CHECK;

extern const char page_csp[];

/* "Accept-Language, Cookie" */
extern const char page_vary[];

#endif
