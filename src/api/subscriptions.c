#include "api/subscriptions.h"

#include "api/body.h"
#include "api/problem.h"
#include "api/subscription_json.h"
#include "app/selling.h"
#include "app/text.h"
#include "app/user.h"
#include "base/json.h"
#include "base/utf8.h"

#define ROOT "/user-subscription"

#define LIMIT_DEFAULT 20
#define LIMIT_MOST    100

static const char no_user[] = "No user has this id. PUT " ROOT "/users/{user_id} makes one.";

/* ---- what they send
 * ------------------------------------------------------------------------------------ */

/* A POST's body; each route takes some of the members. Text lives as long as the request. */
struct selling_form {
	struct td_slice user_id, package_slug, billing_cycle, when, reason;
	enum store_cycle cycle;
	enum app_when at;
};

enum selling_member {
	HAS_PACKAGE = 1,
	NEEDS_CYCLE = 2,
	HAS_CYCLE = 4,
	HAS_WHEN = 8,
	HAS_REASON = 16,
};

static size_t list_fields(unsigned members, struct selling_form *form, struct api_field fields[5])
{
	size_t count = 0;
	fields[count++] = (struct api_field){"user_id", false, &form->user_id};
	if ((members & HAS_PACKAGE) != 0)
		fields[count++] = (struct api_field){"package_slug", false, &form->package_slug};
	if ((members & (NEEDS_CYCLE | HAS_CYCLE)) != 0)
		fields[count++] = (struct api_field){
			"billing_cycle", (members & NEEDS_CYCLE) == 0, &form->billing_cycle};
	if ((members & HAS_WHEN) != 0)
		fields[count++] = (struct api_field){"when", true, &form->when};
	if ((members & HAS_REASON) != 0)
		fields[count++] = (struct api_field){"reason", true, &form->reason};
	return count;
}

static void check_required(
	struct app_faults *faults, const char *pointer, struct td_slice text, const char *rule)
{
	if (app_faults_at(faults, pointer))
		return;
	if (text.ptr == NULL)
		app_faults_add(faults, pointer, "is missing; it is required");
	else if (rule != NULL)
		app_faults_add(faults, pointer, rule);
}

static void check_cycle(struct selling_form *form, bool required, struct app_faults *faults)
{
	form->cycle = STORE_CYCLE_NONE;
	if (form->billing_cycle.ptr == NULL && !required)
		return;
	bool known = form->billing_cycle.len > 0 &&
		     store_cycle_find(form->billing_cycle, &form->cycle);
	check_required(faults, "/billing_cycle", form->billing_cycle,
		known ? NULL : "is not a billing cycle; send \"monthly\" or \"yearly\"");
}

static void check_when(struct selling_form *form, struct app_faults *faults)
{
	if (form->when.ptr == NULL)
		return;
	form->at = td_slice_is(form->when, "now") ? APP_NOW : APP_PERIOD_END;
	if (form->at == APP_PERIOD_END && !td_slice_is(form->when, "period_end"))
		app_faults_add(faults, "/when", "is not known; send \"now\" or \"period_end\"");
}

static void check_reason(struct selling_form *form, struct app_faults *faults)
{
	if (form->reason.ptr == NULL)
		return;
	if (td_utf8_is_valid(form->reason))
		form->reason = app_text_trim(form->reason);
	const char *fault = app_reason_fault(form->reason);
	if (fault != NULL)
		app_faults_add(faults, "/reason", fault);
}

static void check_form(struct selling_form *form, unsigned members, struct app_faults *faults)
{
	check_required(faults, "/user_id", form->user_id,
		app_user_id_is_valid(form->user_id) ? NULL : "cannot be used: " APP_USER_ID_RULE);
	if ((members & HAS_PACKAGE) != 0)
		check_required(faults, "/package_slug", form->package_slug,
			form->package_slug.len > 0 ? NULL : "is empty; give a package's slug");
	if ((members & (NEEDS_CYCLE | HAS_CYCLE)) != 0)
		check_cycle(form, (members & NEEDS_CYCLE) != 0, faults);
	check_when(form, faults);
	check_reason(form, faults);
}

/* False: the call has ended. form->at holds the default. */
static bool read_form(struct api_call *call, unsigned members, struct selling_form *form)
{
	struct http_request *rq = api_call_rq(call);
	struct app_faults faults = {.count = 0};
	struct api_field fields[5];
	struct td_err err = TD_ERR_INIT;
	size_t count = list_fields(members, form, fields);
	enum td_status status = api_body_read(
		http_body(rq), http_arena(rq), fields, count, &faults, &err);
	if (status == TD_NOMEM) {
		api_call_submit(call, /* ready= */ false, NULL);
		return false;
	}
	if (status != TD_OK) {
		struct http_problem problem = call_problem(TD_PROBLEM_BAD_REQUEST,
			td_arena_strndup(http_arena(rq), err.text, strlen(err.text)));
		api_call_refuse(call, &problem);
		return false;
	}
	if (!app_faults_at(&faults, ""))
		check_form(form, members, &faults);
	if (faults.count > 0)
		api_call_refuse_faults(call, &faults);
	return faults.count == 0;
}

/* ---- changes
 * ------------------------------------------------------------------------------------------- */

static bool make_changed(
	const struct app_flow *flow, struct td_arena *arena, struct api_answer *ret_answer)
{
	const struct app_selling *selling = (const struct app_selling *)flow;
	ret_answer->status = 200;
	if (selling->verb == APP_SUBSCRIBE) {
		ret_answer->status = 201;
		ret_answer->location = td_arena_printf(
			arena, ROOT "/user/%.*s", TD_SLICE_ARG(selling->result.user_id));
		if (ret_answer->location == NULL)
			return false;
	}
	api_subscription_put(&ret_answer->body, &selling->result);
	return true;
}

static void refuse_no_package(struct api_call *call, struct td_slice slug)
{
	/* Longer ones do not exist, so no more of one is told. */
	struct td_slice shown = td_slice(
		slug.ptr, td_utf8_floor(slug.ptr, slug.len < 64 ? slug.len : 64));
	const char *detail = td_arena_printf(http_arena(api_call_rq(call)),
		"There is no package \"%.*s\" on offer. GET " ROOT
		"/packages lists those that are.",
		TD_SLICE_ARG(shown));
	struct http_problem problem = call_problem(TD_PROBLEM_PACKAGE_NOT_FOUND, detail);
	api_call_refuse_kept(call, &problem);
}

static void refuse_not_yet(struct api_call *call)
{
	struct http_problem problem = call_problem(TD_PROBLEM_STORE_UNAVAILABLE,
		"The packages have not been read from the database yet. Try again in a second.");
	api_call_refuse(call, &problem);
}

static void refuse_no_user(struct api_call *call)
{
	struct http_problem problem = call_problem(TD_PROBLEM_USER_NOT_FOUND, no_user);
	api_call_refuse(call, &problem);
}

/* False: the call has ended. */
static bool find_package(
	struct api_call *call, struct td_slice slug, const struct store_package **ret_package)
{
	const struct catalogue_snapshot *catalogue = api_call_catalogue(call);
	if (catalogue == NULL) {
		refuse_not_yet(call);
		return false;
	}
	const struct catalogue_package *package = catalogue_snapshot_find(catalogue, slug);
	if (package == NULL || !package->row.is_active) {
		refuse_no_package(call, slug);
		return false;
	}
	*ret_package = &package->row;
	return true;
}

struct selling_route {
	const char *route;
	enum app_selling_verb verb;
	unsigned members;
	enum app_when at; /* where `when` is left out */
};

static void sell(struct api_call *call, const struct selling_route *route)
{
	struct selling_form form = {.at = route->at};
	const struct store_package *package = NULL;
	if (!read_form(call, route->members, &form))
		return;
	if (!api_call_may_see(call, form.user_id)) {
		refuse_no_user(call);
		return;
	}
	if (!api_call_once(call, route->route))
		return;
	if ((route->members & HAS_PACKAGE) != 0 && !find_package(call, form.package_slug, &package))
		return;
	struct app_selling *selling = td_arena_alloc(
		http_arena(api_call_rq(call)), sizeof(*selling));
	if (selling == NULL) {
		api_call_submit(call, /* ready= */ false, NULL);
		return;
	}
	selling->verb = route->verb;
	selling->user_id = form.user_id;
	selling->package = package;
	selling->cycle = form.cycle;
	selling->when = form.at;
	selling->reason = form.reason;
	app_selling_begin(selling);
	api_call_flow(call, &selling->flow, make_changed);
}

static void subscribe(struct api_call *call)
{
	static const struct selling_route route = {
		"POST " ROOT "/subscribe", APP_SUBSCRIBE, HAS_PACKAGE | NEEDS_CYCLE, APP_NOW};
	sell(call, &route);
}

static void upgrade(struct api_call *call)
{
	static const struct selling_route route = {
		"POST " ROOT "/upgrade", APP_SWITCH, HAS_PACKAGE | HAS_CYCLE | HAS_WHEN, APP_NOW};
	sell(call, &route);
}

static void cancel(struct api_call *call)
{
	static const struct selling_route route = {
		"POST " ROOT "/cancel", APP_CANCEL, HAS_WHEN | HAS_REASON, APP_PERIOD_END};
	sell(call, &route);
}

static void resume(struct api_call *call)
{
	static const struct selling_route route = {"POST " ROOT "/resume", APP_RESUME, 0, APP_NOW};
	sell(call, &route);
}

static void handle_subscribe(struct http_request *rq, void *ctx)
{
	api_call_begin(ctx, rq, API_KEYS_AND_SESSIONS, subscribe);
}

static void handle_upgrade(struct http_request *rq, void *ctx)
{
	api_call_begin(ctx, rq, API_KEYS_AND_SESSIONS, upgrade);
}

static void handle_cancel(struct http_request *rq, void *ctx)
{
	api_call_begin(ctx, rq, API_KEYS_AND_SESSIONS, cancel);
}

static void handle_resume(struct http_request *rq, void *ctx)
{
	api_call_begin(ctx, rq, API_KEYS_AND_SESSIONS, resume);
}

/* ---- looking
 * ------------------------------------------------------------------------------------------- */

/* A program that knows only the session learns whose it is. */
static void reply_none(struct http_request *rq, struct td_slice user_id)
{
	struct td_buf extra = TD_BUF_INIT;
	struct td_json json = td_json_to(&extra);
	td_json_name(&json, "user_id");
	td_json_slice(&json, user_id);
	td_buf_put_char(&extra, '\0');
	struct http_problem problem = call_problem(TD_PROBLEM_NO_SUBSCRIPTION,
		"This user never had a subscription. POST " ROOT "/subscribe makes one.");
	problem.extra_json = extra.failed ? NULL : extra.ptr;
	http_reply_problem(rq, &problem);
	td_buf_done(&extra);
}

static void reply_no_user(struct http_request *rq)
{
	struct http_problem problem = call_problem(TD_PROBLEM_USER_NOT_FOUND, no_user);
	http_reply_problem(rq, &problem);
}

static void show_current(struct http_request *rq, const struct store_op *op, enum td_status status)
{
	if (status != TD_OK) {
		reply_no_user(rq);
		return;
	}
	if (op->out.subscription_count == 0) {
		reply_none(rq, op->in.user.id);
		return;
	}
	struct store_subscription row = op->out.subscriptions[0];
	struct td_buf body = TD_BUF_INIT;
	app_subscription_view(&row, op->now_ms);
	api_subscription_put(&body, &row);
	const struct http_reply reply = {
		.status = 200, .content_type = API_JSON_TYPE, .take = &body};
	http_reply(rq, &reply);
	td_buf_done(&body);
}

/* False: the call has ended. */
static bool read_user_id(struct api_call *call, struct td_slice *ret_id)
{
	struct td_slice id = http_param(api_call_rq(call), "user_id");
	struct app_faults faults = {.count = 0};
	if (!app_user_id_is_valid(id)) {
		app_faults_add(
			&faults, "/user_id", "in the path cannot be used: " APP_USER_ID_RULE);
		api_call_refuse_faults(call, &faults);
		return false;
	}
	if (!api_call_may_see(call, id)) {
		refuse_no_user(call);
		return false;
	}
	*ret_id = id;
	return true;
}

static void load_current(struct api_call *call, struct td_slice user_id)
{
	struct store_op *op = api_call_op(call, STORE_SUBSCRIPTION_GET);
	if (op != NULL)
		op->in.user.id = td_arena_slice(&op->arena, user_id);
	api_call_submit(call, op != NULL && !op->arena.failed, show_current);
}

static void get_current(struct api_call *call)
{
	struct td_slice id;
	if (read_user_id(call, &id))
		load_current(call, id);
}

/* To whoever has a key "me" is an id like any other. */
static void get_mine(struct api_call *call)
{
	struct td_slice user_id = api_call_user(call);
	load_current(call, user_id.ptr != NULL ? user_id : TD_SLICE("me"));
}

static void handle_current(struct http_request *rq, void *ctx)
{
	api_call_begin(ctx, rq, API_KEYS_AND_SESSIONS, get_current);
}

static void handle_mine(struct http_request *rq, void *ctx)
{
	api_call_begin(ctx, rq, API_KEYS_AND_SESSIONS, get_mine);
}

/* ---- history
 * ------------------------------------------------------------------------------------------- */

static bool make_history(
	const struct app_flow *flow, struct td_arena *arena, struct api_answer *ret_answer)
{
	const struct app_history *history = (const struct app_history *)flow;
	(void)arena;
	ret_answer->status = 200;
	api_history_put(&ret_answer->body, history->items, history->count, history->more);
	return true;
}

static bool read_limit(struct td_slice text, size_t *ret_limit)
{
	size_t limit = 0;
	if (text.len < 1 || text.len > 3)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		limit = limit * 10 + (size_t)(text.ptr[i] - '0');
	}
	*ret_limit = limit;
	return limit >= 1 && limit <= LIMIT_MOST;
}

/* NULL, or what is wrong. */
static const char *read_page(const struct http_request *rq, struct app_history *history)
{
	struct td_slice text;
	history->limit = LIMIT_DEFAULT;
	if (http_query(rq, "limit", &text) &&
		(http_query_count(rq, "limit") > 1 || !read_limit(text, &history->limit)))
		return "?limit= is a number from 1 to 100, given once.";
	if (http_query(rq, "cursor", &text) &&
		(http_query_count(rq, "cursor") > 1 ||
			!api_cursor_read(text, &history->before_seq)))
		return "?cursor= is not one of ours. Take it from \"next_cursor\" of the page "
		       "before, as it is; leave it out for the newest.";
	return NULL;
}

static void get_history(struct api_call *call)
{
	struct http_request *rq = api_call_rq(call);
	struct td_slice id;
	if (!read_user_id(call, &id))
		return;
	struct app_history *history = td_arena_alloc(http_arena(rq), sizeof(*history));
	if (history == NULL) {
		api_call_submit(call, /* ready= */ false, NULL);
		return;
	}
	const char *fault = read_page(rq, history);
	if (fault != NULL) {
		struct http_problem problem = call_problem(TD_PROBLEM_BAD_REQUEST, fault);
		api_call_refuse(call, &problem);
		return;
	}
	history->user_id = id;
	history->log = calls_has_event_log(api_call_base(call)->calls) ? APP_LOG_ALWAYS
								       : APP_LOG_NOWHERE;
	app_history_begin(history);
	api_call_flow(call, &history->flow, make_history);
}

static void handle_history(struct http_request *rq, void *ctx)
{
	api_call_begin(ctx, rq, API_KEYS_AND_SESSIONS, get_history);
}

enum td_status api_subscriptions_add_routes(
	struct api_calls *api, struct http_server *server, struct td_err *err)
{
	const struct http_route routes[] = {
		{"GET", ROOT "/user/{user_id}", handle_current, api, 0, 0},
		{"GET", ROOT "/user/me", handle_mine, api, 0, 0},
		{"GET", ROOT "/user/{user_id}/history", handle_history, api, 0, 0},
		{"POST", ROOT "/subscribe", handle_subscribe, api, HTTP_ROUTE_JSON, 0},
		{"POST", ROOT "/upgrade", handle_upgrade, api, HTTP_ROUTE_JSON, 0},
		{"POST", ROOT "/cancel", handle_cancel, api, HTTP_ROUTE_JSON, 0},
		{"POST", ROOT "/resume", handle_resume, api, HTTP_ROUTE_JSON, 0},
	};
	return http_server_add_routes(server, routes, TD_ARRAY_LEN(routes), err);
}
