#include "page/call.h"

#include "call/origin.h"
#include "call/problem.h"
#include "call/session.h"
#include "http/address.h"

#include <string.h>

#define USER_ACTOR TD_SLICE("user")

static void end_call(struct call *call)
{
	page_visit_end(&page_call_of(call)->v);
}

static const struct call_class page_call_class = {
	.size = sizeof(struct page_call),
	.end = end_call,
};

struct page_call *page_call_of(struct call *call)
{
	return TD_CONTAINER_OF(call, struct page_call, call);
}

/* ---- the beginning
 * ------------------------------------------------------------------------------------ */

static bool is_post(const struct http_request *rq)
{
	return strcmp(http_method(rq), "POST") == 0;
}

static struct td_slice query_of(const struct http_request *rq)
{
	struct td_slice target = http_target(rq), path;
	(void)td_slice_cut(&target, '?', &path);
	return target;
}

/* A page whose address is a secret tells nobody where it is, not even us: there the form's token
 * has to do. */
static bool is_foreign(const struct page_call *pc)
{
	struct http_request *rq = pc->call.rq;
	bool may_hide = (http_route_flags(rq) & HTTP_ROUTE_SECRET) != 0;
	return call_origin_fault(pc->call.calls, rq) != NULL &&
	       !(may_hide && call_origin_is_hidden(rq));
}

/* False: refused, and answered. */
static bool read_request(struct page_call *pc, const char *const *names)
{
	struct http_request *rq = pc->call.rq;
	if (is_post(rq) && is_foreign(pc)) {
		page_visit_problem(&pc->v, TD_PROBLEM_FORBIDDEN);
		return false;
	}
	struct td_slice text = is_post(rq) ? http_body(rq) : query_of(rq);
	if (page_form_read(&pc->form, text, http_arena(rq), names))
		return true;
	page_visit_problem(&pc->v, TD_PROBLEM_BAD_REQUEST);
	return false;
}

static struct td_slice cookie_of(const struct page_call *pc)
{
	return call_cookie_token(pc->call.calls, pc->call.rq,
		page_call_is_signed_in(pc) ? CALL_COOKIE_SESSION : CALL_COOKIE_CSRF);
}

/* A visitor without a cookie for forms gets one. */
static bool make_cookie(struct page_call *pc)
{
	char token[APP_TOKEN_TEXT_SIZE];
	app_token_generate(token);
	pc->token = td_arena_slice(http_arena(pc->call.rq), td_slice_str(token));
	return pc->token.ptr != NULL &&
	       call_cookie_set(pc->call.calls, pc->call.rq, CALL_COOKIE_CSRF, pc->token, 0);
}

static bool has_dead_session(const struct page_call *pc)
{
	struct td_slice value;
	return !page_call_is_signed_in(pc) &&
	       http_cookie(
		       pc->call.rq, call_cookie_name(pc->call.calls, CALL_COOKIE_SESSION), &value);
}

static void opened(struct call *call)
{
	struct page_call *pc = page_call_of(call);
	bool ok = true;
	pc->token = cookie_of(pc);
	pc->is_genuine = is_post(call->rq) &&
			 app_csrf_matches(pc->token, page_form_get(&pc->form, "csrf_token"));
	if (has_dead_session(pc))
		ok = call_cookie_set(
			call->calls, call->rq, CALL_COOKIE_SESSION, td_slice(NULL, 0), 0);
	if (pc->token.len == 0)
		ok = ok && make_cookie(pc);
	app_csrf_make(pc->token, pc->csrf_token);
	if (ok)
		pc->then(pc);
	else
		call_reply_failure(call->rq, TD_NOMEM, NULL);
}

void page_call_begin(
	struct http_request *rq, struct page *page, const char *const *names, page_then_fn *then)
{
	struct call *call = call_begin(page->config.calls, rq, &page_call_class);
	if (call == NULL)
		return;
	struct page_call *pc = page_call_of(call);
	pc->v = page_visit_begin(rq, page);
	pc->then = then;
	if (read_request(pc, names))
		call_open(call, CALL_WITH_SESSION, opened);
	else
		call_close(call);
}

/* ---- who asks
 * ------------------------------------------------------------------------------------------ */

bool page_call_is_signed_in(const struct page_call *pc)
{
	return pc->call.user_id.ptr != NULL;
}

bool page_call_needs_user(struct page_call *pc)
{
	if (page_call_is_signed_in(pc))
		return true;
	struct http_request *rq = pc->call.rq;
	struct td_slice next = http_target(rq);
	if (is_post(rq) || !page_next_is_ours(next))
		next = TD_SLICE("/account");
	const char *escaped = page_next_escaped(http_arena(rq), next);
	page_visit_redirect(&pc->v, td_arena_printf(http_arena(rq), "/sign-in?next=%s",
					    escaped != NULL ? escaped : "/account"));
	return false;
}

bool page_call_needs_genuine(struct page_call *pc)
{
	if (!pc->is_genuine)
		page_visit_problem(&pc->v, TD_PROBLEM_FORBIDDEN);
	return pc->is_genuine;
}

struct td_slice page_call_address(const struct page_call *pc)
{
	struct http_address address;
	char text[HTTP_ADDRESS_TEXT_SIZE];
	const char *remote = http_remote_address(pc->call.rq);
	if (!http_address_parse(td_slice_str(remote), &address))
		return td_slice_str(remote);
	struct http_address group = http_address_group(&address);
	http_address_format(&group, text);
	return td_arena_slice(http_arena(pc->call.rq), td_slice_str(text));
}

/* ---- sessions
 * ------------------------------------------------------------------------------------------ */

struct app_new_session page_call_new_session(struct page_call *pc)
{
	struct app_new_session session = {.ttl_ms = pc->v.page->config.session_ttl_ms};
	struct td_slice old = call_cookie_token(pc->call.calls, pc->call.rq, CALL_COOKIE_SESSION);
	app_token_generate(pc->session_token);
	app_token_hash(td_slice_str(pc->session_token), session.hash);
	if (old.len > 0)
		app_token_hash(old, session.old_hash);
	return session;
}

static bool set_cookies(struct page_call *pc, struct td_slice session_token, int64_t ttl_ms)
{
	struct call *call = &pc->call;
	if (call_cookie_set(call->calls, call->rq, CALL_COOKIE_SESSION, session_token, ttl_ms) &&
		call_cookie_set(call->calls, call->rq, CALL_COOKIE_CSRF, td_slice(NULL, 0), 0))
		return true;
	call_reply_failure(call->rq, TD_NOMEM, NULL);
	return false;
}

bool page_call_keep_session(struct page_call *pc)
{
	return set_cookies(pc, td_slice_str(pc->session_token), pc->v.page->config.session_ttl_ms);
}

bool page_call_forget_session(struct page_call *pc)
{
	return set_cookies(pc, td_slice(NULL, 0), 0);
}

/* ---- answers
 * ------------------------------------------------------------------------------------------- */

struct page_frame page_call_frame(const struct page_call *pc, const char *path)
{
	struct page_frame frame = page_visit_frame(&pc->v, path != NULL ? path : "/account");
	frame.is_private = true;
	frame.csrf_token = pc->csrf_token;
	frame.is_signed_in = page_call_is_signed_in(pc);
	frame.test_clock_ms = pc->call.has_offset ? pc->call.now_ms : 0;
	return frame;
}

struct page_shelf page_call_shelf(const struct page_call *pc)
{
	return (struct page_shelf){page_visit_locale(&pc->v), pc->v.view->snapshot};
}

void page_call_reply(const struct page_call *pc, const struct page_frame *frame,
	const char *template, const struct tpl_value *root)
{
	page_visit_reply(&pc->v, frame, pc->status != 0 ? pc->status : 200, template, root, NULL);
}

void page_call_refuse(const struct page_call *pc, const struct app_flow *flow)
{
	struct http_problem problem = call_problem_of_flow(flow);
	page_visit_error(&pc->v, &problem);
}

void page_call_overview(
	struct page_call *pc, size_t history_limit, int64_t before_seq, call_flow_fn *ended)
{
	pc->use.overview = (struct app_overview){
		.flow.actor = USER_ACTOR,
		.user_id = pc->call.user_id,
		.history_limit = history_limit,
		.before_seq = before_seq,
		.log = calls_has_event_log(pc->call.calls) ? APP_LOG_WHEN_OLDER : APP_LOG_NOWHERE,
	};
	app_overview_begin(&pc->use.overview);
	call_flow(&pc->call, &pc->use.flow, ended);
}
