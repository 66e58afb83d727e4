#include "api/call.h"

#include "api/auth.h"
#include "api/idempotency.h"
#include "api/problem.h"
#include "base/alloc.h"
#include "call/origin.h"
#include "call/session.h"
#include "work/lock.h"

#include <stdatomic.h>

struct api_calls {
	struct calls *calls;
	struct catalogue_holder *holder;
	atomic_uint refs; /* one of its owner, one of each call */
	struct td_lock lock;
	struct api_running_set running; /* guarded by lock */
};

struct api_call {
	struct call call; /* first */
	struct api_calls *api;
	api_step_fn *start;
	api_render_fn *render;
	api_make_fn *make;
	struct http_problem refusal;
	struct catalogue_snapshot *catalogue; /* a reference, or NULL */
	struct app_keeper keeper;

	/* Of the Idempotency-Key; in the request's arena. */
	struct td_slice caller, key; /* key: a NULL pointer where there is none */
	const char *route;
	struct api_running running; /* guarded by api->lock */
};

static struct api_call *of(struct call *call)
{
	return TD_CONTAINER_OF(call, struct api_call, call);
}

/* ---- what is shared
 * ------------------------------------------------------------------------------------ */

struct api_calls *api_calls_create(struct calls *calls, struct catalogue_holder *holder)
{
	struct api_calls *api = td_alloc_zero(sizeof(*api));
	if (api == NULL)
		return NULL;
	api->calls = calls;
	api->holder = holder;
	atomic_init(&api->refs, 1);
	td_lock_init(&api->lock);
	return api;
}

static void unref(struct api_calls *api)
{
	if (atomic_fetch_sub(&api->refs, 1) != 1)
		return;
	td_lock_done(&api->lock);
	td_free(api);
}

void api_calls_destroy(struct api_calls *api)
{
	if (api != NULL)
		unref(api);
}

/* ---- answers
 * ------------------------------------------------------------------------------------------- */

static void reply_denied(struct http_request *rq, const char *why)
{
	struct http_problem problem = call_problem(TD_PROBLEM_UNAUTHORIZED, why);
	http_reply_problem(rq, &problem);
}

static void reply_mismatch(struct http_request *rq)
{
	struct http_problem problem = call_problem(TD_PROBLEM_IDEMPOTENCY_MISMATCH,
		"This Idempotency-Key came with another body before. Send the first body again, or "
		"a new key for a new request.");
	http_reply_problem(rq, &problem);
}

static void reply_kept(
	struct http_request *rq, const struct store_answer *answer, const char *replayed)
{
	char *location = NULL;
	if (answer->location.ptr != NULL) {
		location = td_arena_strndup(
			http_arena(rq), answer->location.ptr, answer->location.len);
		if (location == NULL) {
			call_reply_failure(rq, TD_NOMEM, NULL);
			return;
		}
	}
	const struct http_header headers[] = {
		{"Location", location}, {"Idempotency-Replayed", replayed}};
	const struct http_reply reply = {.status = (unsigned)answer->http_status,
		.content_type = answer->http_status >= 400 ? API_PROBLEM_TYPE : API_JSON_TYPE,
		.body = answer->body,
		.headers = headers,
		.header_count = TD_ARRAY_LEN(headers)};
	http_reply(rq, &reply);
}

/* NULL: the outcome has no kept answer. */
static const struct store_answer *find_kept(const struct store_op *op, enum td_status status)
{
	const struct store_idempotency *keep = op != NULL ? op->idempotency : NULL;
	if (keep == NULL)
		return NULL;
	if (status == TD_OK)
		return &keep->on_ok;
	return status == TD_EXISTS ? &keep->on_exists : NULL;
}

/* ---- a call's life
 * ------------------------------------------------------------------------------------- */

static void stop_running(struct api_call *call)
{
	if (call->key.ptr == NULL)
		return;
	td_lock_take(&call->api->lock);
	api_running_remove(&call->api->running, &call->running);
	td_lock_give(&call->api->lock);
}

static void end_call(struct call *base)
{
	struct api_call *call = of(base);
	stop_running(call);
	catalogue_snapshot_unref(call->catalogue);
	unref(call->api);
}

/* After a time-out the operation may still be at work: another request with its Idempotency-Key
 * waits until it was let go. Every other outcome is the last word, and a client may send the next
 * request as soon as it has read it. */
static bool answer_common(struct call *base, const struct store_op *op, enum td_status status)
{
	struct api_call *call = of(base);
	if (status != TD_TIMEOUT)
		stop_running(call);
	if (status == TD_DENIED)
		reply_denied(base->rq,
			"The API key is unknown or was revoked. `tools-dashboard apikey list` "
			"shows the keys in force.");
	else if (status == TD_MISMATCH)
		reply_mismatch(base->rq);
	else if (status == TD_OK)
		reply_kept(base->rq, &op->idempotency->kept, "true");
	else
		return false;
	return true;
}

static const struct call_class api_class = {
	.size = sizeof(struct api_call), .answer = answer_common, .end = end_call};

/* The request must be told apart from a page of another site that sends the user's cookie along. */
static void start_call(struct call *base)
{
	struct api_call *call = of(base);
	const char *foreign = NULL;
	bool by_key = base->auth.kind == STORE_AUTH_KEY;
	if (!by_key && base->user_id.ptr == NULL) {
		reply_denied(base->rq, "The session has ended. Sign in again, or send an API key.");
		return;
	}
	if (!by_key && strcmp(http_method(base->rq), "GET") != 0 &&
		strcmp(http_method(base->rq), "HEAD") != 0)
		foreign = call_origin_fault(base->calls, base->rq);
	if (foreign != NULL) {
		struct http_problem problem = call_problem(TD_PROBLEM_FORBIDDEN, foreign);
		http_reply_problem(base->rq, &problem);
		return;
	}
	call->start(call);
}

/* False: the request has been answered. */
static bool find_caller(struct api_calls *api, struct http_request *rq, enum api_callers callers,
	struct store_auth *ret_auth)
{
	struct td_slice value = {NULL, 0};
	const char *why = NULL;
	size_t count = http_header_count(rq, "Authorization");
	*ret_auth = (struct store_auth){.kind = STORE_AUTH_NONE};
	if (count == 0 && callers == API_KEYS_AND_SESSIONS &&
		call_cookie_token(api->calls, rq, CALL_COOKIE_SESSION).ptr != NULL)
		return true;
	(void)http_header(rq, "Authorization", &value);
	if (!api_auth_read(value, count, ret_auth->hash, &why)) {
		reply_denied(rq, why);
		return false;
	}
	ret_auth->kind = STORE_AUTH_KEY;
	return true;
}

void api_call_begin(
	void *ctx, struct http_request *rq, enum api_callers callers, api_step_fn *start)
{
	struct api_calls *api = ctx;
	struct store_auth auth;
	if (!find_caller(api, rq, callers, &auth))
		return;
	struct call *base = call_begin(api->calls, rq, &api_class);
	if (base == NULL)
		return;
	struct api_call *call = of(base);
	call->api = api;
	atomic_fetch_add(&api->refs, 1);
	call->start = start;
	base->auth = auth;
	call_open(base, auth.kind == STORE_AUTH_KEY ? 0 : CALL_WITH_SESSION, start_call);
}

struct http_request *api_call_rq(const struct api_call *call)
{
	return call->call.rq;
}

struct call *api_call_base(struct api_call *call)
{
	return &call->call;
}

struct td_slice api_call_user(const struct api_call *call)
{
	return call->call.user_id;
}

bool api_call_may_see(const struct api_call *call, struct td_slice user_id)
{
	return call->call.user_id.ptr == NULL || td_slice_equal(call->call.user_id, user_id);
}

const struct catalogue_snapshot *api_call_catalogue(struct api_call *call)
{
	if (call->catalogue == NULL && call->api->holder != NULL)
		call->catalogue = catalogue_holder_acquire(call->api->holder);
	return call->catalogue;
}

/* ---- one operation
 * ------------------------------------------------------------------------------------- */

struct store_op *api_call_op(struct api_call *call, enum store_op_kind kind)
{
	return call_op(&call->call, kind);
}

static void show_op(struct call *base, const struct store_op *op, enum td_status status)
{
	struct api_call *call = of(base);
	const struct store_answer *kept = find_kept(op, status);
	stop_running(call);
	if (kept != NULL)
		reply_kept(base->rq, kept, NULL);
	else
		call->render(base->rq, op, status);
}

void api_call_submit(struct api_call *call, bool ready, api_render_fn *render)
{
	call->render = render;
	call_submit(&call->call, ready, show_op);
}

/* ---- repeated requests
 * --------------------------------------------------------------------------------- */

static void refuse_key(struct api_call *call)
{
	struct http_problem problem = call_problem(TD_PROBLEM_BAD_REQUEST,
		"The Idempotency-Key cannot be used: it has 1 to 255 visible ASCII characters "
		"without spaces, in quotes or not, and is sent once. A UUID is a good one.");
	api_call_refuse(call, &problem);
}

static void refuse_busy(struct api_call *call)
{
	struct http_problem problem = call_problem(TD_PROBLEM_IDEMPOTENCY_BUSY,
		"The first request with this Idempotency-Key has not ended yet. Send it again "
		"after the time that Retry-After gives.");
	problem.retry_after_s = 1;
	api_call_refuse(call, &problem);
}

/* Keys of different callers do not meet. */
static struct td_slice make_caller(const struct call *base)
{
	char hex[TD_SHA256_TEXT_SIZE];
	td_hex(base->auth.hash, TD_SHA256_SIZE, hex);
	char *caller = base->auth.kind == STORE_AUTH_KEY
			       ? td_arena_printf(http_arena(base->rq), "key:%s", hex)
			       : td_arena_printf(http_arena(base->rq), "user:%.*s",
					 TD_SLICE_ARG(base->user_id));
	return td_slice_str(caller);
}

static bool start_running(struct api_call *call, const char *route, struct td_slice key)
{
	api_running_init(&call->running, call->caller, td_slice_str(route), key);
	td_lock_take(&call->api->lock);
	bool added = api_running_add(&call->api->running, &call->running);
	td_lock_give(&call->api->lock);
	return added;
}

bool api_call_once(struct api_call *call, const char *route)
{
	struct http_request *rq = call->call.rq;
	struct td_slice value, key;
	if (!http_header(rq, "Idempotency-Key", &value))
		return true;
	if (http_header_count(rq, "Idempotency-Key") > 1 ||
		!api_idempotency_key(value, http_arena(rq), &key)) {
		refuse_key(call);
		return false;
	}
	call->caller = make_caller(&call->call);
	if (call->caller.ptr == NULL) {
		call_submit(&call->call, /* ready= */ false, NULL);
		return false;
	}
	if (!start_running(call, route, key)) {
		refuse_busy(call);
		return false;
	}
	call->route = route;
	call->key = key;
	return true;
}

static bool identify(void *ctx, struct store_op *op, struct store_idempotency *keep)
{
	struct api_call *call = ctx;
	struct http_request *rq = call->call.rq;
	keep->caller = td_arena_slice(&op->arena, call->caller);
	keep->route = td_slice_str(call->route);
	keep->key = td_arena_slice(&op->arena, call->key);
	keep->expires_at = op->now_ms + API_IDEMPOTENCY_KEPT_MS;
	api_idempotency_fingerprint(
		td_slice_str(http_method(rq)), http_path(rq), http_body(rq), keep->fingerprint);
	return !op->arena.failed;
}

bool api_call_keep(struct api_call *call, struct store_op *op, api_answers_fn *make)
{
	if (call->key.ptr == NULL)
		return true;
	struct store_idempotency *keep = td_arena_alloc(&op->arena, sizeof(*keep));
	if (keep == NULL || !identify(call, op, keep) || !make(op, keep))
		return false;
	op->idempotency = keep;
	return true;
}

/* ---- refusals
 * ------------------------------------------------------------------------------------------ */

static void show_refusal(struct call *base, const struct store_op *op, enum td_status status)
{
	struct api_call *call = of(base);
	const struct store_answer *kept = find_kept(op, status);
	stop_running(call);
	if (kept != NULL)
		reply_kept(base->rq, kept, NULL);
	else
		http_reply_problem(base->rq, &call->refusal);
}

/* A session was asked for already. */
void api_call_refuse(struct api_call *call, const struct http_problem *problem)
{
	struct call *base = &call->call;
	call->refusal = *problem;
	if (base->auth.kind == STORE_AUTH_NONE)
		show_refusal(base, NULL, TD_OK);
	else
		call_submit(base, call_op(base, STORE_AUTHORIZE) != NULL, show_refusal);
}

void api_call_refuse_faults(struct api_call *call, const struct app_faults *faults)
{
	struct http_problem problem;
	if (api_problem_of_faults(call->call.rq, faults, &problem))
		api_call_refuse(call, &problem);
	else
		call_submit(&call->call, /* ready= */ false, NULL);
}

static bool keep_problem(
	const struct http_problem *problem, struct td_arena *arena, struct store_answer *ret_answer)
{
	struct td_buf body = TD_BUF_INIT;
	http_problem_put(&body, problem);
	*ret_answer = (struct store_answer){.http_status = (int)problem->status,
		.body = td_arena_slice(arena, td_buf_slice(&body))};
	bool ok = !body.failed && !arena->failed;
	td_buf_done(&body);
	return ok;
}

void api_call_refuse_kept(struct api_call *call, const struct http_problem *problem)
{
	if (call->key.ptr == NULL) {
		api_call_refuse(call, problem);
		return;
	}
	struct store_op *op = call_op(&call->call, STORE_ANSWER_KEEP);
	struct store_idempotency *keep = op != NULL ? td_arena_alloc(&op->arena, sizeof(*keep))
						    : NULL;
	bool ready = keep != NULL && identify(call, op, keep) &&
		     keep_problem(problem, &op->arena, &keep->on_ok);
	if (ready)
		op->idempotency = keep;
	call_submit(&call->call, ready, show_refusal);
}

/* ---- a use case
 * ---------------------------------------------------------------------------------------- */

static bool keep_flow(
	const struct app_flow *flow, struct td_arena *arena, struct store_answer *ret_answer)
{
	const struct api_call *call = flow->keeper->ctx;
	if (flow->refused) {
		struct http_problem problem = call_problem_of_flow(flow);
		return keep_problem(&problem, arena, ret_answer);
	}
	struct api_answer answer = {.body = TD_BUF_INIT};
	bool ok = call->make(flow, arena, &answer) && !answer.body.failed;
	*ret_answer = (struct store_answer){.http_status = (int)answer.status,
		.body = td_arena_slice(arena, td_buf_slice(&answer.body)),
		.location = td_slice_str(answer.location)};
	td_buf_done(&answer.body);
	return ok && !arena->failed;
}

static void reply_flow(struct api_call *call, const struct app_flow *flow)
{
	struct http_request *rq = call->call.rq;
	struct api_answer answer = {.body = TD_BUF_INIT};
	if (!call->make(flow, http_arena(rq), &answer) || answer.body.failed) {
		td_buf_done(&answer.body);
		call_reply_failure(rq, TD_NOMEM, NULL);
		return;
	}
	const struct http_header headers[] = {{"Location", answer.location}};
	const struct http_reply reply = {.status = answer.status,
		.content_type = answer.status >= 400 ? API_PROBLEM_TYPE : API_JSON_TYPE,
		.take = &answer.body,
		.headers = headers,
		.header_count = TD_ARRAY_LEN(headers)};
	http_reply(rq, &reply);
	td_buf_done(&answer.body);
}

static void show_flow(struct call *base, struct app_flow *flow)
{
	struct api_call *call = of(base);
	const struct store_answer *kept = find_kept(flow->op, TD_OK);
	stop_running(call);
	if (kept != NULL && kept->http_status != 0) {
		reply_kept(base->rq, kept, NULL);
	} else if (flow->refused) {
		struct http_problem problem = call_problem_of_flow(flow);
		http_reply_problem(base->rq, &problem);
	} else {
		reply_flow(call, flow);
	}
}

void api_call_flow(struct api_call *call, struct app_flow *flow, api_make_fn *make)
{
	call->make = make;
	if (call->call.auth.kind == STORE_AUTH_NONE)
		flow->actor = TD_SLICE("user");
	if (call->key.ptr != NULL) {
		call->keeper = (struct app_keeper){identify, keep_flow, call};
		flow->keeper = &call->keeper;
	}
	call_flow(&call->call, flow, show_flow);
}
