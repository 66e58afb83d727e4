#include "app/flow.h"

#include "app/password.h"

enum app_next app_flow_next(struct app_flow *flow, enum td_status status)
{
	return flow->step(flow, status);
}

bool app_flow_op(struct app_flow *flow, enum store_op_kind kind)
{
	flow->op = store_op_new(kind);
	if (flow->op == NULL)
		return false;
	flow->op->now_ms = flow->now_ms;
	return true;
}

bool app_flow_keep(struct app_flow *flow)
{
	const struct app_keeper *keeper = flow->keeper;
	struct store_op *op = flow->op;
	if (keeper == NULL)
		return true;
	struct store_idempotency *keep = td_arena_alloc(&op->arena, sizeof(*keep));
	if (keep == NULL || !keeper->identify(keeper->ctx, op, keep))
		return false;
	op->idempotency = keep;
	return op->kind == STORE_ANSWER_FIND || keeper->render(flow, &op->arena, &keep->on_ok);
}

enum app_next app_flow_done(struct app_flow *flow)
{
	flow->status = TD_OK;
	return APP_NEXT_DONE;
}

enum app_next app_flow_fail(struct app_flow *flow, enum td_status status)
{
	flow->status = status;
	return APP_NEXT_DONE;
}

enum app_next app_flow_no_memory(struct app_flow *flow)
{
	return app_flow_fail(flow, TD_NOMEM);
}

/* The answer is kept; what the rules said stands. */
static enum app_next end_refused(struct app_flow *flow, enum td_status status)
{
	(void)status;
	return app_flow_done(flow);
}

enum app_next app_flow_refuse(struct app_flow *flow, enum td_problem problem, const char *detail)
{
	flow->refused = true;
	flow->problem = problem;
	flow->detail = detail;
	if (flow->keeper == NULL)
		return app_flow_done(flow);
	flow->step = end_refused;
	return app_flow_op(flow, STORE_ANSWER_KEEP) && app_flow_keep(flow)
		       ? APP_NEXT_OP
		       : app_flow_no_memory(flow);
}

/* ---- without HTTP
 * -------------------------------------------------------------------------------------- */

static bool is_of_the_rules(const struct store_op *op, enum td_status status)
{
	bool replayed = op->idempotency != NULL && op->idempotency->replayed;
	return !replayed && (status == TD_OK || status == TD_NOTFOUND || status == TD_EXISTS ||
				    status == TD_CONFLICT || status == TD_LIMITED);
}

static enum td_status run_op(struct app_flow *flow, struct store *store, uint64_t deadline_ms,
	struct app_flow_ops *ops, struct td_err *err)
{
	if (ops->count == TD_ARRAY_LEN(ops->list)) {
		store_op_free(flow->op);
		flow->op = NULL;
		return td_err_set(err, TD_CONFLICT, "others change the same row again and again");
	}
	flow->op->deadline_ms = deadline_ms;
	enum td_status status = store_call(store, &flow->op, err);
	if (flow->op != NULL)
		ops->list[ops->count++] = flow->op;
	return status;
}

/* It may have failed in the middle of making an operation. */
static enum td_status end_run(
	struct app_flow *flow, const struct app_flow_ops *ops, struct td_err *err)
{
	const struct store_op *last = ops->count > 0 ? ops->list[ops->count - 1] : NULL;
	if (flow->status == TD_OK)
		return TD_OK;
	if (flow->op != last)
		store_op_free(flow->op);
	else if (err != NULL && last != NULL && last->err.code == flow->status) {
		*err = last->err;
		return flow->status;
	}
	return td_err_set(err, flow->status, "%s", td_status_words(flow->status));
}

enum td_status app_flow_run(struct app_flow *flow, struct store *store, uint64_t deadline_ms,
	struct app_flow_ops *ops, struct td_err *err)
{
	enum td_status status = TD_OK;
	for (;;) {
		enum app_next next = app_flow_next(flow, status);
		if (next == APP_NEXT_DONE)
			return end_run(flow, ops, err);
		status = TD_OK;
		if (next == APP_NEXT_HASH) {
			app_password_work(&flow->hash);
			continue;
		}
		status = run_op(flow, store, deadline_ms, ops, err);
		if (flow->op == NULL || !is_of_the_rules(flow->op, status))
			return status;
	}
}

void app_flow_ops_free(struct app_flow_ops *ops)
{
	for (size_t i = 0; i < ops->count; i++)
		store_op_free(ops->list[i]);
	ops->count = 0;
}
