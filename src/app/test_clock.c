#include "app/test_clock.h"

#include "app/period.h"

static struct app_test_clock *clock_of(struct app_flow *flow)
{
	return TD_CONTAINER_OF(flow, struct app_test_clock, flow);
}

/* NULL, or why it cannot be. */
static const char *find_offset(struct app_test_clock *c, int64_t *ret_offset_ms)
{
	int64_t before_ms = c->real_ms + c->offset_ms;
	int64_t now_ms = c->set_ms;
	if (!c->sets && __builtin_add_overflow(before_ms, c->advance_ms, &now_ms))
		return "is too long; the clock stops before the year 9990";
	if (now_ms < before_ms)
		return "is before the time that the clock shows; it goes forward only";
	if (now_ms >= APP_PERIOD_LAST)
		return "is too far; the clock stops before the year 9990";
	c->now_ms = now_ms;
	*ret_offset_ms = now_ms - c->real_ms;
	return NULL;
}

static enum app_next clock_read(struct app_flow *flow, enum td_status status);

static enum app_next clock_written(struct app_flow *flow, enum td_status status)
{
	if (status == TD_OK)
		return app_flow_done(flow);
	flow->step = clock_read;
	return app_flow_op(flow, STORE_CLOCK_GET) ? APP_NEXT_OP : app_flow_no_memory(flow);
}

static enum app_next clock_write(struct app_flow *flow, enum td_status status)
{
	struct app_test_clock *c = clock_of(flow);
	int64_t offset_ms = 0;
	(void)status;
	c->fault = find_offset(c, &offset_ms);
	if (c->fault != NULL)
		return app_flow_done(flow);
	flow->step = clock_written;
	if (!app_flow_op(flow, STORE_CLOCK_SET))
		return app_flow_no_memory(flow);
	flow->op->in.clock = (struct store_clock_set){.offset_ms = offset_ms,
		.expected_ms = c->has_offset ? c->offset_ms : STORE_CLOCK_ABSENT};
	if (!app_flow_keep(flow))
		return app_flow_no_memory(flow);
	/* The answer is kept as long as any other, by the clock that it sets. */
	if (flow->op->idempotency != NULL)
		flow->op->idempotency->expires_at += c->now_ms - flow->now_ms;
	return APP_NEXT_OP;
}

/* Somebody else was faster. */
static enum app_next clock_read(struct app_flow *flow, enum td_status status)
{
	struct app_test_clock *c = clock_of(flow);
	c->has_offset = status == TD_OK;
	c->offset_ms = c->has_offset ? flow->op->out.clock_offset_ms : 0;
	return clock_write(flow, TD_OK);
}

/* A repeated request must not meet the clock as the first one left it. */
static enum app_next clock_find(struct app_flow *flow, enum td_status status)
{
	if (flow->keeper == NULL)
		return clock_write(flow, status);
	flow->step = clock_write;
	return app_flow_op(flow, STORE_ANSWER_FIND) && app_flow_keep(flow)
		       ? APP_NEXT_OP
		       : app_flow_no_memory(flow);
}

void app_test_clock_begin(struct app_test_clock *clock)
{
	clock->fault = NULL;
	clock->flow.step = clock_find;
}

void app_test_clock_start(struct store_op *op, int64_t start_ms, int64_t real_ms)
{
	op->kind = STORE_CLOCK_SET;
	op->in.clock = (struct store_clock_set){
		.offset_ms = start_ms - real_ms, .expected_ms = STORE_CLOCK_ABSENT};
}
