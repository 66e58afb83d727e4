/* States of a call: begun (one reference, the request's) -> submitted (two) -> done -> answered and
 * released, in either order. */
#include "api/call.h"

#include "api/auth.h"
#include "api/idempotency.h"
#include "api/problem.h"
#include "base/alloc.h"
#include "work/lock.h"

#include <stdatomic.h>

struct api_calls {
	const struct td_clock *clock;
	unsigned store_timeout_ms;
	_Atomic(struct store *) store;
	atomic_uint refs; /* one of its owner, one of each call */
	struct td_lock lock;
	struct api_call *first;         /* guarded by lock: calls whose request waits */
	struct api_running_set running; /* guarded by lock */
};

struct api_call {
	struct api_calls *calls;
	struct store_op *op;
	struct http_request *rq; /* until it was woken */
	atomic_uint refs;
	enum td_status status; /* written by done, read by the continuation */
	api_render_fn *render; /* NULL: a refusal */
	struct http_problem refusal;
	struct api_call *prev, *next; /* guarded by calls->lock */
	struct api_running running;   /* guarded by calls->lock */
};

/* ---- what is shared
 * ---------------------------------------------------------------------------- */

struct api_calls *api_calls_create(const struct td_clock *clock, unsigned store_timeout_ms)
{
	struct api_calls *calls = td_alloc_zero(sizeof(*calls));
	if (calls == NULL)
		return NULL;
	calls->clock = clock;
	calls->store_timeout_ms = store_timeout_ms;
	atomic_init(&calls->store, NULL);
	atomic_init(&calls->refs, 1);
	td_lock_init(&calls->lock);
	return calls;
}

void api_calls_set_store(struct api_calls *calls, struct store *store)
{
	atomic_store(&calls->store, store);
}

static void unref_calls(struct api_calls *calls)
{
	if (atomic_fetch_sub(&calls->refs, 1) != 1)
		return;
	td_lock_done(&calls->lock);
	td_free(calls);
}

static void unref_call(struct api_call *call)
{
	if (atomic_fetch_sub(&call->refs, 1) != 1)
		return;
	struct api_calls *calls = call->calls;
	store_op_free(call->op);
	td_free(call);
	unref_calls(calls);
}

static void list_call(struct api_call *call)
{
	struct api_calls *calls = call->calls;
	td_lock_take(&calls->lock);
	call->next = calls->first;
	if (call->next != NULL)
		call->next->prev = call;
	calls->first = call;
	td_lock_give(&calls->lock);
}

static void unlist_call(struct api_call *call)
{
	struct api_calls *calls = call->calls;
	td_lock_take(&calls->lock);
	if (call->prev != NULL)
		call->prev->next = call->next;
	else
		calls->first = call->next;
	if (call->next != NULL)
		call->next->prev = call->prev;
	td_lock_give(&calls->lock);
}

static void stop_running(struct api_call *call)
{
	td_lock_take(&call->calls->lock);
	api_running_remove(&call->calls->running, &call->running);
	td_lock_give(&call->calls->lock);
}

void api_calls_destroy(struct api_calls *calls)
{
	if (calls == NULL)
		return;
	td_lock_take(&calls->lock);
	struct api_call *call = calls->first;
	calls->first = NULL;
	td_lock_give(&calls->lock);
	while (call != NULL) {
		struct api_call *next = call->next;
		unref_call(call);
		call = next;
	}
	unref_calls(calls);
}

/* ---- the store's side
 * -------------------------------------------------------------------------- */

/* After a time-out the operation may still be at work: another request with its Idempotency-Key
 * waits until it was let go. Every other outcome is the last word, and a client may send the next
 * request as soon as it has read it. The request is somebody else's from the moment it wakes. */
static void call_done(struct store_op *op, enum td_status status)
{
	struct api_call *call = op->owner;
	struct http_request *rq = call->rq;
	call->status = status;
	if (status != TD_TIMEOUT)
		stop_running(call);
	http_wake(rq);
}

static void call_release(struct store_op *op)
{
	struct api_call *call = op->owner;
	stop_running(call);
	unref_call(call);
}

/* ---- answers
 * ----------------------------------------------------------------------------------- */

static void reply_denied(struct http_request *rq, const char *why)
{
	struct http_problem problem = api_problem(TD_PROBLEM_UNAUTHORIZED, why);
	http_reply_problem(rq, &problem);
}

static void reply_mismatch(struct http_request *rq)
{
	struct http_problem problem = api_problem(TD_PROBLEM_IDEMPOTENCY_MISMATCH,
		"This Idempotency-Key came with another body before. Send the first body again, or "
		"a new key for a new request.");
	http_reply_problem(rq, &problem);
}

static void reply_answer(
	struct http_request *rq, const struct store_answer *answer, const char *replayed)
{
	char *location = NULL;
	if (answer->location.ptr != NULL) {
		location = td_arena_strndup(
			http_arena(rq), answer->location.ptr, answer->location.len);
		if (location == NULL) {
			api_reply_failure(rq, TD_NOMEM, NULL);
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
static const struct store_answer *find_kept(
	const struct store_idempotency *keep, enum td_status status)
{
	if (keep == NULL)
		return NULL;
	if (status == TD_OK)
		return keep->replayed ? &keep->kept : &keep->on_ok;
	return status == TD_EXISTS ? &keep->on_exists : NULL;
}

static bool is_for_route(enum td_status status)
{
	return status == TD_OK || status == TD_NOTFOUND || status == TD_EXISTS ||
	       status == TD_CONFLICT;
}

/* What every route answers alike; false where it is for the route to say. */
static bool reply_common(struct http_request *rq, const struct store_op *op, enum td_status status)
{
	if (status == TD_DENIED) {
		reply_denied(rq, "The API key is unknown or was revoked. `tools-dashboard apikey "
				 "list` shows the keys in force.");
		return true;
	}
	if (status == TD_MISMATCH) {
		reply_mismatch(rq);
		return true;
	}
	if (!is_for_route(status)) {
		/* After TD_TIMEOUT the operation is not ours to read. */
		api_reply_failure(rq, status, status == TD_TIMEOUT ? NULL : &op->err);
		return true;
	}
	const struct store_answer *kept = find_kept(op->idempotency, status);
	if (kept != NULL)
		reply_answer(rq, kept, op->idempotency->replayed ? "true" : NULL);
	return kept != NULL;
}

static void answer_call(struct api_call *call, struct http_request *rq)
{
	if (reply_common(rq, call->op, call->status))
		return;
	if (call->render != NULL)
		call->render(rq, call->op, call->status);
	else
		http_reply_problem(rq, &call->refusal);
}

static void continue_call(struct http_request *rq, void *ctx)
{
	struct api_call *call = ctx;
	unlist_call(call);
	answer_call(call, rq);
	unref_call(call);
}

/* ---- a call's life
 * ----------------------------------------------------------------------------- */

static struct api_call *create_call(struct api_calls *calls, struct http_request *rq)
{
	struct api_call *call = td_alloc_zero(sizeof(*call));
	struct store_op *op = store_op_new(STORE_AUTHORIZE);
	if (call == NULL || op == NULL) {
		td_free(call);
		store_op_free(op);
		return NULL;
	}
	call->calls = calls;
	call->op = op;
	call->rq = rq;
	atomic_init(&call->refs, 1);
	atomic_fetch_add(&calls->refs, 1);
	op->owner = call;
	op->done = call_done;
	op->release = call_release;
	op->now_ms = td_clock_wall_ms(calls->clock);
	return call;
}

struct api_call *api_call_begin(void *ctx, struct http_request *rq)
{
	struct api_calls *calls = ctx;
	struct store_auth auth = {.kind = STORE_AUTH_KEY};
	struct td_slice value = {NULL, 0};
	const char *why = NULL;
	(void)http_header(rq, "Authorization", &value);
	if (!api_auth_read(value, http_header_count(rq, "Authorization"), auth.hash, &why)) {
		reply_denied(rq, why);
		return NULL;
	}
	struct api_call *call = create_call(calls, rq);
	if (call == NULL) {
		api_reply_failure(rq, TD_NOMEM, NULL);
		return NULL;
	}
	call->op->auth = auth;
	return call;
}

struct store_op *api_call_op(struct api_call *call)
{
	return call->op;
}

/* Nothing of the call was or is with the store. */
static void end_call(struct api_call *call, enum td_status status)
{
	api_reply_failure(call->rq, status, NULL);
	stop_running(call);
	unref_call(call);
}

static void hand_over(struct api_call *call)
{
	struct store *store = atomic_load(&call->calls->store);
	if (store == NULL) {
		end_call(call, TD_UNAVAILABLE);
		return;
	}
	call->op->deadline_ms = td_clock_mono_ms(call->calls->clock) +
				call->calls->store_timeout_ms;
	atomic_fetch_add(&call->refs, 1);
	list_call(call);
	http_await(call->rq, continue_call, call);
	enum td_status status = store_submit(store, call->op);
	if (status == TD_OK)
		return; /* all of it may be gone already */
	unlist_call(call);
	unref_call(call);
	end_call(call, status);
}

void api_call_submit(struct api_call *call, bool ready, api_render_fn *render)
{
	if (!ready) {
		end_call(call, TD_NOMEM);
		return;
	}
	call->render = render;
	hand_over(call);
}

void api_call_refuse(struct api_call *call, const struct http_problem *problem)
{
	call->op->kind = STORE_AUTHORIZE;
	call->op->idempotency = NULL;
	call->render = NULL;
	call->refusal = *problem;
	hand_over(call);
}

void api_call_refuse_faults(struct api_call *call, const struct app_faults *faults)
{
	struct http_problem problem;
	if (api_problem_of_faults(call->rq, faults, &problem))
		api_call_refuse(call, &problem);
	else
		end_call(call, TD_NOMEM);
}

/* ---- repeated requests
 * ------------------------------------------------------------------------- */

static void refuse_key(struct api_call *call)
{
	struct http_problem problem = api_problem(TD_PROBLEM_BAD_REQUEST,
		"The Idempotency-Key cannot be used: it has 1 to 255 visible ASCII characters "
		"without spaces, in quotes or not, and is sent once. A UUID is a good one.");
	api_call_refuse(call, &problem);
}

static void refuse_busy(struct api_call *call)
{
	struct http_problem problem = api_problem(TD_PROBLEM_IDEMPOTENCY_BUSY,
		"The first request with this Idempotency-Key has not ended yet. Send it again "
		"after the time that Retry-After gives.");
	problem.retry_after_s = 1;
	api_call_refuse(call, &problem);
}

/* Keys of different API keys do not meet. */
static struct td_slice make_caller(struct api_call *call)
{
	char hex[TD_SHA256_TEXT_SIZE];
	td_hex(call->op->auth.hash, TD_SHA256_SIZE, hex);
	char *caller = td_arena_printf(&call->op->arena, "key:%s", hex);
	return td_slice_str(caller);
}

static bool fill_idempotency(struct api_call *call, struct store_idempotency *keep,
	const char *route, struct td_slice key)
{
	keep->caller = make_caller(call);
	keep->route = td_slice_str(route);
	keep->key = td_arena_slice(&call->op->arena, key);
	keep->expires_at = call->op->now_ms + API_IDEMPOTENCY_KEPT_MS;
	api_idempotency_fingerprint(td_slice_str(http_method(call->rq)), http_path(call->rq),
		http_body(call->rq), keep->fingerprint);
	return !call->op->arena.failed;
}

static bool start_running(struct api_call *call, const struct store_idempotency *keep)
{
	api_running_init(&call->running, keep->caller, keep->route, keep->key);
	td_lock_take(&call->calls->lock);
	bool added = api_running_add(&call->calls->running, &call->running);
	td_lock_give(&call->calls->lock);
	return added;
}

static struct store_idempotency *create_keep(
	struct api_call *call, const char *route, struct td_slice key, api_answers_fn *make)
{
	struct store_idempotency *keep = td_arena_alloc(&call->op->arena, sizeof(*keep));
	if (keep == NULL || !fill_idempotency(call, keep, route, key) || !make(call->op, keep))
		return NULL;
	return keep;
}

bool api_call_keep(struct api_call *call, const char *route, api_answers_fn *make)
{
	struct td_slice value, key;
	if (!http_header(call->rq, "Idempotency-Key", &value))
		return true;
	if (http_header_count(call->rq, "Idempotency-Key") > 1 ||
		!api_idempotency_key(value, http_arena(call->rq), &key)) {
		refuse_key(call);
		return false;
	}
	struct store_idempotency *keep = create_keep(call, route, key, make);
	if (keep == NULL) {
		end_call(call, TD_NOMEM);
		return false;
	}
	if (!start_running(call, keep)) {
		refuse_busy(call);
		return false;
	}
	call->op->idempotency = keep;
	return true;
}
