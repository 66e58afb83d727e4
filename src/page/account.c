/* /account: what there is, what happened; ending it, and taking back what is planned. */
#include "page/change.h"

#include <stdio.h>

#define FORM_MOST     8192 /* bytes of a body */
#define HISTORY_SHOWN 20

/* ---- the page
 * ------------------------------------------------------------------------------------------ */

/* Words for ?notice=, which only we write; another word shows nothing. */
static const char *const notices[] = {"subscribed", "already", "changed", "change_planned",
	"canceled", "cancel_planned", "kept", "nothing", "stale", "password"};

static void put_notice(struct td_arena *arena, struct tpl_value *root, const struct page_call *pc)
{
	struct td_slice asked = page_form_get(&pc->form, "notice");
	for (size_t i = 0; i < TD_ARRAY_LEN(notices); i++) {
		char key[32];
		(void)snprintf(key, sizeof(key), "notice.%s", notices[i]);
		if (td_slice_is(asked, notices[i]))
			tpl_put_text(arena, root, "notice",
				locale_find_str(page_visit_locale(&pc->v), key));
	}
}

static void put_pages(struct td_arena *arena, struct tpl_value *root, const struct page_call *pc)
{
	const struct app_overview *o = &pc->use.overview;
	const char *language = page_model_language(arena, page_visit_locale(&pc->v));
	if (o->before_seq > 0)
		tpl_put_str(arena, root, "newest_href",
			td_arena_printf(arena, "/account?lang=%s#history", language));
	if (o->history.more)
		tpl_put_str(arena, root, "older_href",
			td_arena_printf(arena, "/account?before=%lld&lang=%s#history",
				(long long)o->history.older_before, language));
}

static void show_account(struct call *call, struct app_flow *flow)
{
	struct page_call *pc = page_call_of(call);
	const struct app_overview *o = &pc->use.overview;
	struct td_arena *arena = http_arena(call->rq);
	struct page_shelf shelf = page_call_shelf(pc);
	struct page_frame frame = page_call_frame(pc, "/account");
	if (flow->refused) {
		page_call_refuse(pc, flow);
		return;
	}
	frame.title_key = "account.title";
	struct tpl_value *root = page_model_frame(arena, &frame);
	page_model_user(arena, root, &o->user);
	if (o->history.subscription != NULL)
		page_model_subscription(arena, tpl_put_map(arena, root, "subscription"), &shelf,
			o->history.subscription);
	page_model_history(arena, root, &shelf, o->history.items, o->history.count);
	tpl_put_flag(arena, root, "has_history", o->history.count > 0);
	tpl_put_flag(arena, root, "has_no_history", o->history.count == 0 && !o->history.more);
	put_notice(arena, root, pc);
	put_pages(arena, root, pc);
	page_call_reply(pc, &frame, "account", root);
}

static void then_get_account(struct page_call *pc)
{
	if (page_call_needs_user(pc))
		page_call_overview(pc, HISTORY_SHOWN,
			page_number(page_form_get(&pc->form, "before")), show_account);
}

static const char *const account_names[] = {"before", "notice", NULL};

static void get_account(struct http_request *rq, void *page)
{
	page_call_begin(rq, page, account_names, then_get_account);
}

/* ---- ending it
 * ----------------------------------------------------------------------------------------- */

static void show_cancel(struct call *call, struct app_flow *flow)
{
	struct page_call *pc = page_call_of(call);
	struct td_arena *arena = http_arena(call->rq);
	const struct store_subscription *row = pc->use.overview.history.subscription;
	struct page_shelf shelf = page_call_shelf(pc);
	struct page_frame frame = page_call_frame(pc, "/account/cancel");
	if (flow->refused) {
		page_call_refuse(pc, flow);
		return;
	}
	if (row == NULL || !store_status_is_live(row->status)) {
		page_visit_redirect(&pc->v, "/account");
		return;
	}
	frame.title_key = "cancel.title";
	struct tpl_value *root = page_model_frame(arena, &frame);
	page_model_subscription(arena, tpl_put_map(arena, root, "subscription"), &shelf, row);
	page_model_cancel(arena, root, page_visit_locale(&pc->v), &pc->form);
	page_call_reply(pc, &frame, "cancel", root);
}

static void then_get_cancel(struct page_call *pc)
{
	if (page_call_needs_user(pc))
		page_call_overview(pc, 1, 0, show_cancel);
}

static void get_cancel(struct http_request *rq, void *page)
{
	page_call_begin(rq, page, page_cancel_names, then_get_cancel);
}

static void then_post_cancel(struct page_call *pc)
{
	if (!page_call_needs_user(pc) || !page_call_needs_genuine(pc))
		return;
	page_check_cancel(&pc->form);
	if (pc->form.wrong_count > 0) {
		pc->status = 422;
		page_call_overview(pc, 1, 0, show_cancel);
		return;
	}
	struct td_slice reason = page_form_trimmed(&pc->form, "reason");
	const struct app_selling wish = {
		.verb = APP_CANCEL,
		.when = page_form_when(&pc->form),
		.reason = reason.len > 0 ? reason : td_slice(NULL, 0),
	};
	page_confirm(pc, &wish);
}

static void post_cancel(struct http_request *rq, void *page)
{
	page_call_begin(rq, page, page_cancel_names, then_post_cancel);
}

/* ---- taking back
 * --------------------------------------------------------------------------------------- */

static void then_post_keep(struct page_call *pc)
{
	const struct app_selling wish = {.verb = APP_RESUME};
	if (page_call_needs_user(pc) && page_call_needs_genuine(pc))
		page_confirm(pc, &wish);
}

static void post_keep(struct http_request *rq, void *page)
{
	page_call_begin(rq, page, page_keep_names, then_post_keep);
}

/* Somebody loads the address of the button again. */
static void get_keep(struct http_request *rq, void *page)
{
	(void)page;
	http_redirect(rq, 303, "/account");
}

enum td_status page_add_account_routes(
	struct page *page, struct http_server *server, struct td_err *err)
{
	const unsigned form = HTTP_ROUTE_PAGE | HTTP_ROUTE_FORM;
	const struct http_route routes[] = {
		{"GET", "/account", get_account, page, HTTP_ROUTE_PAGE, 0},
		{"GET", "/account/cancel", get_cancel, page, HTTP_ROUTE_PAGE, 0},
		{"POST", "/account/cancel", post_cancel, page, form, FORM_MOST},
		{"GET", "/account/keep", get_keep, page, HTTP_ROUTE_PAGE, 0},
		{"POST", "/account/keep", post_keep, page, form, FORM_MOST},
	};
	return http_server_add_routes(server, routes, TD_ARRAY_LEN(routes), err);
}
