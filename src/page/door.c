/* Signing in, signing out, and the one-time link that sets a new password. */
#include "page/call.h"

#define FORM_MOST 8192 /* bytes of a body */

/* ---- signing in
 * ---------------------------------------------------------------------------------------- */

static struct td_slice next_of(const struct page_call *pc)
{
	struct td_slice next = page_form_get(&pc->form, "next");
	return page_next_is_ours(next) ? next : td_slice(NULL, 0);
}

static void lead_on(struct page_call *pc)
{
	struct td_slice next = next_of(pc);
	page_visit_redirect(
		&pc->v, next.len > 0 ? td_arena_strndup(http_arena(pc->call.rq), next.ptr, next.len)
				     : "/account");
}

static void show_sign_in(struct page_call *pc, unsigned status)
{
	struct td_arena *arena = http_arena(pc->call.rq);
	struct page_frame frame = page_call_frame(pc, "/sign-in");
	const struct locale *locale = page_visit_locale(&pc->v);
	struct td_slice next = next_of(pc);
	frame.title_key = "sign_in.title";
	const char *escaped = next.len > 0 ? page_next_escaped(arena, next) : NULL;
	if (escaped != NULL)
		frame.keep = td_arena_printf(arena, "&next=%s", escaped);
	struct tpl_value *root = page_model_frame(arena, &frame);
	page_model_sign_in(arena, root, locale, &pc->form, next);
	if (td_slice_is(page_form_get(&pc->form, "notice"), "signed_out"))
		tpl_put_text(arena, root, "notice", locale_find_str(locale, "notice.signed_out"));
	pc->status = status;
	page_call_reply(pc, &frame, "sign_in", root);
}

static void then_get_sign_in(struct page_call *pc)
{
	if (page_call_is_signed_in(pc))
		lead_on(pc);
	else
		show_sign_in(pc, 200);
}

static void get_sign_in(struct http_request *rq, void *page)
{
	page_call_begin(rq, page, page_sign_in_names, then_get_sign_in);
}

static void signed_in(struct call *call, struct app_flow *flow)
{
	struct page_call *pc = page_call_of(call);
	if (flow->refused && flow->problem == TD_PROBLEM_UNAUTHORIZED) {
		page_form_wrong(&pc->form, NULL, "wrong.sign_in");
		show_sign_in(pc, 422);
	} else if (flow->refused) {
		page_call_refuse(pc, flow);
	} else if (page_call_keep_session(pc)) {
		lead_on(pc);
	}
}

/* Under a session that is in force too: it may be another person's, or have been planted. It ends
 * where the new one begins. */
static void then_post_sign_in(struct page_call *pc)
{
	if (!pc->is_genuine) {
		page_form_wrong(&pc->form, NULL, "form.old");
		show_sign_in(pc, 403);
		return;
	}
	page_check_sign_in(&pc->form);
	if (pc->form.wrong_count > 0) {
		show_sign_in(pc, 422);
		return;
	}
	pc->use.sign_in = (struct app_sign_in){
		.email = page_form_get(&pc->form, "email"),
		.password = page_form_get(&pc->form, "password"),
		.address = page_call_address(pc),
		.session = page_call_new_session(pc),
		.memory = pc->v.page->config.password_memory,
	};
	app_sign_in_begin(&pc->use.sign_in);
	call_flow(&pc->call, &pc->use.flow, signed_in);
}

static void post_sign_in(struct http_request *rq, void *page)
{
	page_call_begin(rq, page, page_sign_in_names, then_post_sign_in);
}

/* ---- signing out
 * --------------------------------------------------------------------------------------- */

static void signed_out(struct call *call, struct app_flow *flow)
{
	struct page_call *pc = page_call_of(call);
	(void)flow;
	if (page_call_forget_session(pc))
		page_visit_redirect(&pc->v, "/sign-in?notice=signed_out");
}

static void then_post_sign_out(struct page_call *pc)
{
	if (!page_call_is_signed_in(pc)) {
		page_visit_redirect(&pc->v, "/sign-in?notice=signed_out");
		return;
	}
	if (!page_call_needs_genuine(pc))
		return;
	pc->use.sign_out = (struct app_sign_out){.flow.actor = {NULL, 0}};
	memcpy(pc->use.sign_out.hash, pc->call.session_hash, sizeof(pc->use.sign_out.hash));
	app_sign_out_begin(&pc->use.sign_out);
	call_flow(&pc->call, &pc->use.flow, signed_out);
}

static void post_sign_out(struct http_request *rq, void *page)
{
	page_call_begin(rq, page, page_keep_names, then_post_sign_out);
}

/* Somebody loads the address of a button again. */
static void get_account_instead(struct http_request *rq, void *page)
{
	(void)page;
	http_redirect(rq, 303, "/account");
}

/* ---- the link
 * ------------------------------------------------------------------------------------------ */

static void show_void(struct page_call *pc)
{
	struct td_arena *arena = http_arena(pc->call.rq);
	struct page_frame frame = page_call_frame(pc, "/reset-password");
	frame.title_key = "reset.void.title";
	struct tpl_value *root = page_model_frame(arena, &frame);
	tpl_put_flag(arena, root, "is_void", true);
	pc->status = 404;
	page_call_reply(pc, &frame, "reset", root);
}

static void show_reset(struct page_call *pc)
{
	struct td_arena *arena = http_arena(pc->call.rq);
	struct td_slice token = page_form_get(&pc->form, "token");
	struct page_frame frame = page_call_frame(pc, "/reset-password");
	frame.keep = td_arena_printf(arena, "&token=%.*s", TD_SLICE_ARG(token));
	frame.title_key = "reset.title";
	struct tpl_value *root = page_model_frame(arena, &frame);
	page_model_reset(
		arena, root, page_visit_locale(&pc->v), &pc->form, token, pc->use.reset.email);
	page_call_reply(pc, &frame, "reset", root);
}

static void was_reset(struct call *call, struct app_flow *flow)
{
	struct page_call *pc = page_call_of(call);
	const struct app_reset *reset = &pc->use.reset;
	if (flow->refused)
		show_void(pc);
	else if (reset->password.ptr == NULL)
		show_reset(pc);
	else if (!reset->signed_in)
		page_visit_redirect(&pc->v, "/sign-in");
	else if (page_call_keep_session(pc))
		page_visit_redirect(&pc->v, "/account?notice=password");
}

/* With an empty password the link is only looked at. */
static void use_link(struct page_call *pc, struct td_slice password)
{
	struct td_slice token = page_form_get(&pc->form, "token");
	if (!app_token_is_wellformed(token)) {
		show_void(pc);
		return;
	}
	pc->use.reset = (struct app_reset){
		.password = password.len > 0 ? password : td_slice(NULL, 0),
		.session = page_call_new_session(pc),
		.memory = pc->v.page->config.password_memory,
	};
	app_token_hash(token, pc->use.reset.token_hash);
	app_reset_begin(&pc->use.reset);
	call_flow(&pc->call, &pc->use.flow, was_reset);
}

static void then_get_reset(struct page_call *pc)
{
	use_link(pc, td_slice(NULL, 0));
}

static void get_reset(struct http_request *rq, void *page)
{
	page_call_begin(rq, page, page_reset_names, then_get_reset);
}

static void then_post_reset(struct page_call *pc)
{
	page_check_reset(&pc->form);
	if (!pc->is_genuine) {
		pc->form.wrong_count = 0;
		page_form_wrong(&pc->form, NULL, "form.old");
	}
	if (pc->form.wrong_count == 0) {
		use_link(pc, page_form_get(&pc->form, "password"));
		return;
	}
	pc->status = pc->is_genuine ? 422 : 403;
	use_link(pc, td_slice(NULL, 0));
}

static void post_reset(struct http_request *rq, void *page)
{
	page_call_begin(rq, page, page_reset_names, then_post_reset);
}

enum td_status page_add_door_routes(
	struct page *page, struct http_server *server, struct td_err *err)
{
	const unsigned form = HTTP_ROUTE_PAGE | HTTP_ROUTE_FORM;
	const struct http_route routes[] = {
		{"GET", "/sign-in", get_sign_in, page, HTTP_ROUTE_PAGE, 0},
		{"POST", "/sign-in", post_sign_in, page, form, FORM_MOST},
		{"GET", "/sign-out", get_account_instead, page, HTTP_ROUTE_PAGE, 0},
		{"POST", "/sign-out", post_sign_out, page, form, FORM_MOST},
		{"GET", "/reset-password", get_reset, page, HTTP_ROUTE_PAGE | HTTP_ROUTE_SECRET, 0},
		{"POST", "/reset-password", post_reset, page, form | HTTP_ROUTE_SECRET, FORM_MOST},
	};
	return http_server_add_routes(server, routes, TD_ARRAY_LEN(routes), err);
}
