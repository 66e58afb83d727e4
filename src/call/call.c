/* States of a call: begun (one reference, the request's) -> open -> with the store or the pool (one
 * more) -> open -> … -> answered, released, in either order. */
#include "app/period.h"
#include "app/session.h"
#include "base/alloc.h"
#include "call/call_internal.h"
#include "call/problem.h"
#include "call/session.h"

#include <string.h>

static void free_ops(struct call *call)
{
	for (size_t i = 0; i < call->op_count; i++)
		store_op_free(call->ops[i]);
}

static void free_hashes(struct call *call)
{
	while (call->hashes != NULL) {
		struct call_hash *next = call_hash_next(call->hashes);
		call_hash_free(call->hashes);
		call->hashes = next;
	}
}

void call_unref(struct call *call)
{
	if (atomic_fetch_sub(&call->refs, 1) != 1)
		return;
	struct calls *calls = call->calls;
	if (call->class->end != NULL)
		call->class->end(call);
	free_ops(call);
	free_hashes(call);
	td_free(call);
	calls_unref(calls);
}

static void end(struct call *call)
{
	calls_unlist(call);
	call_unref(call);
}

static void fail(struct call *call, const struct store_op *op, enum td_status status)
{
	if (call->class->answer == NULL || !call->class->answer(call, op, status))
		call_reply_failure(call->rq, status, op != NULL ? &op->err : NULL);
}

/* ---- outcomes
 * ------------------------------------------------------------------------------------------ */

static struct store_op *last_op(const struct call *call)
{
	return call->op_count > 0 ? call->ops[call->op_count - 1] : NULL;
}

static bool is_of_the_rules(const struct store_op *op, enum td_status status)
{
	bool replayed = op->idempotency != NULL && op->idempotency->replayed;
	return !replayed && (status == TD_OK || status == TD_NOTFOUND || status == TD_EXISTS ||
				    status == TD_CONFLICT || status == TD_LIMITED);
}

/* A step has run, on the HTTP thread that has the request: nobody can have continued the call
 * meanwhile, so it is ours to end where nobody will wake it. */
static void settle(struct call *call)
{
	if (!call->waits)
		end(call);
}

static void continue_call(struct http_request *rq, void *ctx)
{
	struct call *call = ctx;
	(void)rq;
	call->waits = false;
	call->step(call);
	settle(call);
}

static void await(struct call *call, void (*step)(struct call *call))
{
	call->step = step;
	call->waits = true;
	atomic_fetch_add(&call->refs, 1);
	if (!call->listed)
		calls_list(call);
	http_await(call->rq, continue_call, call);
}

/* Nobody took it, so nobody will wake the request. */
static void take_await_back(struct call *call)
{
	call->waits = false;
	call_unref(call);
}

/* The request is somebody else's from the moment it wakes. */
static void op_done(struct store_op *op, enum td_status status)
{
	struct call *call = op->owner;
	call->status = status;
	http_wake(call->rq);
}

static void op_release(struct store_op *op)
{
	call_unref(op->owner);
}

static void hand_over(struct call *call, struct store_op *op, void (*step)(struct call *call))
{
	struct store *store = op->kind == STORE_EVENTS_LIST ? atomic_load(&call->calls->event_log)
							    : atomic_load(&call->calls->store);
	if (store == NULL) {
		fail(call, NULL, TD_UNAVAILABLE);
		return;
	}
	op->owner = call;
	op->done = op_done;
	op->release = op_release;
	op->deadline_ms = call->deadline_ms;
	await(call, step);
	enum td_status status = store_submit(store, op);
	if (status == TD_OK)
		return;
	take_await_back(call);
	fail(call, NULL, status);
}

/* False: the call has too many. */
static bool own_op(struct call *call, struct store_op *op)
{
	if (call->op_count == CALL_OPS_MOST)
		return false;
	call->ops[call->op_count++] = op;
	return true;
}

/* ---- opening
 * ------------------------------------------------------------------------------------------- */

static void go_on_opening(struct call *call);

static void clock_told(struct call *call)
{
	const struct store_op *op = last_op(call);
	enum td_status status = call->status;
	if (status != TD_OK && status != TD_NOTFOUND) {
		fail(call, status == TD_TIMEOUT ? NULL : op, status);
		return;
	}
	call->has_offset = status == TD_OK;
	call->offset_ms = call->has_offset ? op->out.clock_offset_ms : 0;
	/* Anybody can write into that table. */
	if (__builtin_add_overflow(call->now_ms, call->offset_ms, &call->now_ms) ||
		call->now_ms < 0 || call->now_ms >= APP_PERIOD_LAST) {
		struct td_err err = TD_ERR_INIT;
		(void)td_err_set(&err, TD_CORRUPT,
			"test_clock.offset_ms leads out of the years 1970 to 9989: correct it");
		call_reply_failure(call->rq, TD_CORRUPT, &err);
		return;
	}
	calls_note_offset(call->calls, call->offset_ms);
	go_on_opening(call);
}

static void session_told(struct call *call)
{
	const struct store_op *op = last_op(call);
	if (call->status == TD_OK)
		call->user_id = op->caller.user_id;
	else if (call->status != TD_DENIED) {
		fail(call, call->status == TD_TIMEOUT ? NULL : op, call->status);
		return;
	}
	go_on_opening(call);
}

static void ask_first(struct call *call, enum store_op_kind kind, const struct store_auth *auth,
	void (*step)(struct call *call))
{
	struct store_op *op = call_op(call, kind);
	if (op == NULL) {
		fail(call, NULL, TD_NOMEM);
		return;
	}
	if (auth != NULL)
		op->auth = *auth;
	hand_over(call, op, step);
}

#define WITH_CLOCK 2u /* beside enum call_open_flags */

/* The time comes first: whether a session has expired depends on it. */
static void go_on_opening(struct call *call)
{
	if ((call->opening & WITH_CLOCK) != 0) {
		call->opening &= ~WITH_CLOCK;
		ask_first(call, STORE_CLOCK_GET, NULL, clock_told);
		return;
	}
	if ((call->opening & CALL_WITH_SESSION) != 0) {
		call->opening &= ~(unsigned)CALL_WITH_SESSION;
		struct store_auth auth = {.kind = STORE_AUTH_SESSION};
		struct td_slice token = call_cookie_token(
			call->calls, call->rq, CALL_COOKIE_SESSION);
		if (token.len > 0) {
			app_token_hash(token, auth.hash);
			memcpy(call->session_hash, auth.hash, sizeof(auth.hash));
			ask_first(call, STORE_AUTHORIZE, &auth, session_told);
			return;
		}
	}
	call->opened(call);
}

struct call *call_begin(
	struct calls *calls, struct http_request *rq, const struct call_class *class)
{
	struct call *call = td_alloc_zero(class->size);
	if (call == NULL) {
		call_reply_failure(rq, TD_NOMEM, NULL);
		return NULL;
	}
	call->calls = calls;
	call->rq = rq;
	call->class = class;
	atomic_init(&call->refs, 1);
	calls_ref(calls);
	call->now_ms = td_clock_wall_ms(calls->clock);
	call->deadline_ms = td_clock_mono_ms(calls->clock) + calls->store_timeout_ms;
	return call;
}

void call_open(struct call *call, unsigned flags, call_step_fn *then)
{
	call->opened = then;
	call->opening = flags;
	if (calls_has_test_clock(call->calls))
		call->opening |= WITH_CLOCK;
	go_on_opening(call);
	settle(call);
}

void call_close(struct call *call)
{
	end(call);
}

/* ---- one operation
 * ------------------------------------------------------------------------------------- */

struct store_op *call_op(struct call *call, enum store_op_kind kind)
{
	struct store_op *op = store_op_new(kind);
	if (op == NULL)
		return NULL;
	if (!own_op(call, op)) {
		store_op_free(op);
		return NULL;
	}
	op->now_ms = call->now_ms;
	op->auth = call->auth;
	return op;
}

static void op_told(struct call *call)
{
	const struct store_op *op = last_op(call);
	if (call->status == TD_TIMEOUT)
		fail(call, NULL, TD_TIMEOUT);
	else if (is_of_the_rules(op, call->status))
		call->show(call, op, call->status);
	else
		fail(call, op, call->status);
}

void call_submit(struct call *call, bool ready, call_show_fn *show)
{
	if (!ready) {
		fail(call, NULL, TD_NOMEM);
		return;
	}
	call->show = show;
	hand_over(call, last_op(call), op_told);
}

/* ---- a flow
 * -------------------------------------------------------------------------------------------- */

static void go_on_flow(struct call *call, enum td_status status);

static void flow_op_told(struct call *call)
{
	const struct store_op *op = last_op(call);
	if (call->status == TD_TIMEOUT)
		fail(call, NULL, TD_TIMEOUT);
	else if (is_of_the_rules(op, call->status))
		go_on_flow(call, call->status);
	else
		fail(call, op, call->status);
}

static void run_flow_op(struct call *call)
{
	struct store_op *op = call->flow->op;
	if (!own_op(call, op)) {
		store_op_free(op);
		fail(call, NULL, TD_BUSY);
		return;
	}
	op->auth = call->auth;
	hand_over(call, op, flow_op_told);
}

static void hash_told(struct call *call)
{
	if (call->status != TD_OK) {
		fail(call, NULL, call->status);
		return;
	}
	call_hash_result(call->hashes, &call->flow->hash);
	if (call->flow->hash.status != TD_OK)
		fail(call, NULL, call->flow->hash.status);
	else
		go_on_flow(call, TD_OK);
}

static void run_flow_hash(struct call *call)
{
	struct call_hash *hash = call_hash_create(call, &call->flow->hash);
	if (hash == NULL) {
		fail(call, NULL, TD_NOMEM);
		return;
	}
	await(call, hash_told);
	enum td_status status = call_pool_submit(call->calls->pool, hash);
	if (status == TD_OK)
		return;
	take_await_back(call);
	fail(call, NULL, status);
}

static void end_flow(struct call *call)
{
	struct app_flow *flow = call->flow;
	if (flow->status == TD_OK) {
		call->ended(call, flow);
		return;
	}
	/* It may have failed in the middle of making an operation. */
	bool is_of_op = flow->op == last_op(call);
	if (!is_of_op)
		store_op_free(flow->op);
	fail(call, is_of_op ? flow->op : NULL, flow->status);
}

static void go_on_flow(struct call *call, enum td_status status)
{
	switch (app_flow_next(call->flow, status)) {
	case APP_NEXT_OP:
		run_flow_op(call);
		break;
	case APP_NEXT_HASH:
		run_flow_hash(call);
		break;
	case APP_NEXT_DONE:
		end_flow(call);
		break;
	}
}

void call_flow(struct call *call, struct app_flow *flow, call_flow_fn *ended)
{
	flow->arena = http_arena(call->rq);
	flow->now_ms = call->now_ms;
	call->flow = flow;
	call->ended = ended;
	go_on_flow(call, TD_OK);
}
