/* A page that needs to know who asks, or a store: one request from its handler to its answer. A
 * handler calls page_call_begin(); then `then` runs, and either answers or goes on with call_flow()
 * (call/call.h). Only for page/'s own files. */
#ifndef TD_PAGE_CALL_H
#define TD_PAGE_CALL_H

#include "app/account.h"
#include "app/session.h"
#include "call/call.h"
#include "page/forms.h"
#include "page/model_account.h"
#include "page/visit.h"

struct page_call;
typedef void page_then_fn(struct page_call *pc);

struct page_call {
	struct call call; /* first */
	struct page_visit v;
	struct page_form form; /* of a POST its body, else the query */
	page_then_fn *then;

	/* Known when `then` runs. */
	struct td_slice token;                /* of the cookie that forms are bound to */
	char csrf_token[APP_TOKEN_TEXT_SIZE]; /* for forms of the answer */
	bool is_genuine;                      /* a form of ours, made for this browser */

	/* What a page needs while it waits. */
	const struct catalogue_package *package;
	struct app_user_form user;
	unsigned status; /* of the page that is shown in the end */
	char session_token[APP_TOKEN_TEXT_SIZE];
	union {
		struct app_flow flow; /* the first member of them all */
		struct app_checkout checkout;
		struct app_selling selling;
		struct app_sign_in sign_in;
		struct app_sign_out sign_out;
		struct app_reset reset;
		struct app_overview overview;
		struct app_confirm confirm;
	} use;
};

/* Reads the form (of these names, which end with NULL), refuses what comes from another site, finds
 * out who is signed in. A request that is refused has been answered. */
void page_call_begin(
	struct http_request *rq, struct page *page, const char *const *names, page_then_fn *then);

struct page_call *page_call_of(struct call *call);

bool page_call_is_signed_in(const struct page_call *pc);

/* False: nobody is signed in, and the browser was led to signing in, from where it comes back. */
bool page_call_needs_user(struct page_call *pc) TD_MUST_CHECK;

/* False: the form was not made by us for this browser, and has been refused. */
bool page_call_needs_genuine(struct page_call *pc) TD_MUST_CHECK;

/* A page of one visitor: nobody keeps it, its forms are bound to the browser. */
struct page_frame page_call_frame(const struct page_call *pc, const char *path);
struct page_shelf page_call_shelf(const struct page_call *pc);

/* Answers with pc->status (0: 200). */
void page_call_reply(const struct page_call *pc, const struct page_frame *frame,
	const char *template, const struct tpl_value *root);

/* What a flow was refused for, as a page. */
void page_call_refuse(const struct page_call *pc, const struct app_flow *flow);

/* A new session's token, for pc->session_token; the one that there is ends. */
struct app_new_session page_call_new_session(struct page_call *pc);

/* The browser keeps that session; what its forms were bound to before goes. False: no memory, and
 * the request has been answered. */
bool page_call_keep_session(struct page_call *pc) TD_MUST_CHECK;

/* False: as above. */
bool page_call_forget_session(struct page_call *pc) TD_MUST_CHECK;

/* Who is counted where a password is tried: the address, of IPv6 its /64. In the arena. */
struct td_slice page_call_address(const struct page_call *pc);

/* Begins the overview of who is signed in. */
void page_call_overview(
	struct page_call *pc, size_t history_limit, int64_t before_seq, call_flow_fn *ended);

/* ---- routes, one file each */

enum td_status page_add_checkout_routes(
	struct page *page, struct http_server *server, struct td_err *err) TD_MUST_CHECK;
enum td_status page_add_door_routes(
	struct page *page, struct http_server *server, struct td_err *err) TD_MUST_CHECK;
enum td_status page_add_account_routes(
	struct page *page, struct http_server *server, struct td_err *err) TD_MUST_CHECK;
enum td_status page_add_change_routes(
	struct page *page, struct http_server *server, struct td_err *err) TD_MUST_CHECK;

#endif
