/* The flows are driven by hand, as a store would answer: each way that a user's other requests,
 * other processes and repeated requests can come between. */
#include "td_test.h"

#include "app/selling.h"
#include "base/compiler.h"
#include "fault_alloc.h"

#include <sodium.h>
#include <string.h>

#define NOW INT64_C(1800000000000)
#define DAY INT64_C(86400000)

static const struct store_package plus = {
	.id = {"p-plus", 6},
	.slug = {"plus", 4},
	.name = {"Plus", 4},
	.currency = {"USD", 3},
	.price_monthly = 2000,
	.price_yearly = 20000,
	.is_active = true,
};

/* What there is, and the operations that a flow asked for. */
struct drive {
	struct td_arena arena;
	struct store_op *ops[32];
	size_t count;
	struct store_subscription row;
	struct store_bad_row bad;
	unsigned identified, rendered; /* by the keeper */
	const struct app_flow *shown;
};

static int drive_setup(void **state)
{
	static struct drive drive;
	drive = (struct drive){
		.arena = TD_ARENA_INIT,
		.row = {.id = TD_SLICE("s1"),
			.user_id = TD_SLICE("u1"),
			.package = {.id = TD_SLICE("p-basic"), .slug = TD_SLICE("basic")},
			.status = STORE_ACTIVE,
			.cycle = STORE_CYCLE_MONTHLY,
			.price = 900,
			.currency = TD_SLICE("USD"),
			.started_at = NOW - 10 * DAY,
			.anchor_day = 5,
			.current_period_start = NOW - 10 * DAY,
			.current_period_end = NOW + 21 * DAY,
			.version = 3,
			.created_at = NOW - 10 * DAY,
			.updated_at = NOW - 2 * DAY},
		.bad = {.table = TD_SLICE("user_subscriptions"),
			.key = TD_SLICE("s1"),
			.why = TD_SLICE("is odd")},
	};
	*state = &drive;
	return 0;
}

static int drive_teardown(void **state)
{
	struct drive *d = *state;
	for (size_t i = 0; i < d->count; i++)
		store_op_free(d->ops[i]);
	td_arena_done(&d->arena);
	return 0;
}

/* ---- driving
 * ------------------------------------------------------------------------------------------- */

static struct app_flow flow_of(struct drive *d)
{
	return (struct app_flow){.arena = &d->arena, .now_ms = NOW, .actor = TD_SLICE("user")};
}

static struct app_selling selling_make(struct drive *d, enum app_selling_verb verb)
{
	struct app_selling s = {
		.flow = flow_of(d),
		.verb = verb,
		.user_id = TD_SLICE("u1"),
		.package = &plus,
		.cycle = verb == APP_SUBSCRIBE ? STORE_CYCLE_MONTHLY : STORE_CYCLE_NONE,
		.when = APP_PERIOD_END,
	};
	return s;
}

/* The flow goes on, and what it asks for next is an operation of that kind. */
static struct store_op *expect_op(
	struct drive *d, struct app_flow *flow, enum td_status status, enum store_op_kind kind)
{
	assert_int_equal(app_flow_next(flow, status), APP_NEXT_OP);
	if (flow->op->kind != kind)
		fail_msg("%s, not %s", store_op_name(flow->op->kind), store_op_name(kind));
	assert_int_equal(flow->op->now_ms, NOW);
	assert_true(d->count < TD_ARRAY_LEN(d->ops));
	d->ops[d->count++] = flow->op;
	return flow->op;
}

/* It loads, and finds the row as it stands in `d`. */
static void expect_load(struct drive *d, struct app_flow *flow, enum td_status status)
{
	struct store_op *op = expect_op(d, flow, status, STORE_SUBSCRIPTION_GET);
	assert_true(td_slice_is(op->in.user.id, "u1"));
	struct store_subscription *row = td_arena_alloc(&op->arena, sizeof(*row));
	assert_non_null(row);
	*row = d->row;
	op->out.subscriptions = row;
	op->out.subscription_count = 1;
}

/* It writes over the version that it loaded, and all that it writes is its own. */
static const struct store_op *expect_write(
	struct drive *d, struct app_flow *flow, enum td_status status)
{
	const struct store_op *op = expect_op(d, flow, status, STORE_SUBSCRIPTION_CHANGE);
	assert_int_equal(op->in.version, d->row.version);
	assert_int_equal(
		op->in.subscription->version, d->row.version + (int64_t)op->in.history_count);
	assert_true(td_slice_is(op->in.subscription->id, "s1"));
	assert_ptr_not_equal(op->in.subscription->id.ptr, d->row.id.ptr);
	assert_ptr_not_equal(op->in.history[0].subscription_id.ptr, d->row.id.ptr);
	return op;
}

static void expect_done(struct app_flow *flow, enum td_status status)
{
	assert_int_equal(app_flow_next(flow, status), APP_NEXT_DONE);
	assert_int_equal(flow->status, TD_OK);
	assert_false(flow->refused);
}

static void expect_refused(struct app_flow *flow, enum td_status status, enum td_problem problem)
{
	assert_int_equal(app_flow_next(flow, status), APP_NEXT_DONE);
	assert_int_equal(flow->status, TD_OK);
	assert_true(flow->refused);
	assert_int_equal(flow->problem, problem);
	assert_non_null(flow->detail);
}

/* ---- subscribing
 * --------------------------------------------------------------------------------------- */

static void test_subscribe_is_one_operation(void **state)
{
	struct drive *d = *state;
	struct app_selling s = selling_make(d, APP_SUBSCRIBE);
	app_selling_begin(&s);
	const struct store_op *op = expect_op(d, &s.flow, TD_OK, STORE_SUBSCRIBE);
	assert_true(td_slice_is(op->in.subscription->package.id, "p-plus"));
	assert_int_equal(op->in.subscription->price, 2000);
	assert_int_equal(op->in.subscription->version, 1);
	assert_int_equal(op->in.history_count, 1);
	assert_int_equal(op->in.history[0].action, STORE_ACTION_CREATED);
	expect_done(&s.flow, TD_OK);
	assert_true(s.written);
	assert_true(td_slice_is(s.result.package.slug, "plus"));
}

static void test_subscribe_where_one_is_live_is_refused(void **state)
{
	struct drive *d = *state;
	struct app_selling s = selling_make(d, APP_SUBSCRIBE);
	app_selling_begin(&s);
	(void)expect_op(d, &s.flow, TD_OK, STORE_SUBSCRIBE);
	expect_load(d, &s.flow, TD_EXISTS);
	expect_refused(&s.flow, TD_OK, TD_PROBLEM_ALREADY_SUBSCRIBED);
	assert_true(td_slice_is(s.result.package.slug, "basic"));
	assert_false(s.written);
}

/* What stands in the way has come to its planned end, which nobody has written down yet: it is
 * written first, although another process may do so at the same moment. */
static void test_subscribe_after_an_end_that_is_due(void **state)
{
	struct drive *d = *state;
	for (int i = 0; i < 2; i++) {
		struct app_selling s = selling_make(d, APP_SUBSCRIBE);
		d->row.current_period_end = NOW - DAY;
		d->row.cancel_at_period_end = true;
		app_selling_begin(&s);
		(void)expect_op(d, &s.flow, TD_OK, STORE_SUBSCRIBE);
		expect_load(d, &s.flow, TD_EXISTS);
		const struct store_op *op = expect_write(d, &s.flow, TD_OK);
		assert_int_equal(op->in.subscription->status, STORE_CANCELED);
		assert_int_equal(op->in.subscription->ended_at, NOW - DAY);
		(void)expect_op(d, &s.flow, i == 0 ? TD_OK : TD_CONFLICT, STORE_SUBSCRIBE);
		expect_done(&s.flow, TD_OK);
		assert_true(td_slice_is(s.result.package.slug, "plus"));
	}
}

/* It ended between the insert and the look; and it may come back: the flow goes round. */
static void test_subscribe_goes_round_while_others_change(void **state)
{
	struct drive *d = *state;
	struct app_selling s = selling_make(d, APP_SUBSCRIBE);
	app_selling_begin(&s);
	(void)expect_op(d, &s.flow, TD_OK, STORE_SUBSCRIBE);
	d->row.status = STORE_CANCELED;
	expect_load(d, &s.flow, TD_EXISTS);
	(void)expect_op(d, &s.flow, TD_OK, STORE_SUBSCRIBE);
	d->row.status = STORE_ACTIVE;
	expect_load(d, &s.flow, TD_EXISTS);
	expect_refused(&s.flow, TD_OK, TD_PROBLEM_ALREADY_SUBSCRIBED);
}

/* One that is renewed stands in the way as it stands now, not as it was written last. */
static void test_subscribe_where_one_was_renewed_is_refused(void **state)
{
	struct drive *d = *state;
	struct app_selling s = selling_make(d, APP_SUBSCRIBE);
	d->row.current_period_end = NOW - 40 * DAY;
	app_selling_begin(&s);
	(void)expect_op(d, &s.flow, TD_OK, STORE_SUBSCRIBE);
	expect_load(d, &s.flow, TD_EXISTS);
	expect_refused(&s.flow, TD_OK, TD_PROBLEM_ALREADY_SUBSCRIBED);
	assert_true(s.result.current_period_end > NOW);
}

static void test_subscribe_of_what_is_missing(void **state)
{
	struct drive *d = *state;
	static const struct {
		enum store_missing missing;
		enum td_problem problem;
	} rows[] = {
		{STORE_MISSING_USER, TD_PROBLEM_USER_NOT_FOUND},
		{STORE_MISSING_PACKAGE, TD_PROBLEM_PACKAGE_NOT_FOUND},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct app_selling s = selling_make(d, APP_SUBSCRIBE);
		app_selling_begin(&s);
		expect_op(d, &s.flow, TD_OK, STORE_SUBSCRIBE)->out.missing = rows[i].missing;
		expect_refused(&s.flow, TD_NOTFOUND, rows[i].problem);
	}
}

/* ---- changing
 * ----------------------------------------------------------------------------------------- */

static void test_change_loads_decides_and_writes(void **state)
{
	struct drive *d = *state;
	static const enum store_action actions[] = {[APP_SWITCH] = STORE_ACTION_CHANGE_SCHEDULED,
		[APP_CANCEL] = STORE_ACTION_CANCEL_SCHEDULED,
		[APP_RESUME] = STORE_ACTION_RESUMED};
	for (enum app_selling_verb verb = APP_SWITCH; verb <= APP_RESUME; verb++) {
		struct app_selling s = selling_make(d, verb);
		d->row.cancel_at_period_end = verb == APP_RESUME;
		app_selling_begin(&s);
		expect_load(d, &s.flow, TD_OK);
		const struct store_op *op = expect_write(d, &s.flow, TD_OK);
		assert_int_equal(op->in.history_count, 1);
		assert_int_equal(op->in.history[0].action, actions[verb]);
		assert_null(op->idempotency);
		expect_done(&s.flow, TD_OK);
		assert_true(s.written);
		assert_int_equal(s.result.version, 4);
	}
}

/* Somebody else was faster: the rules decide again about what there is then. */
static void test_change_after_a_conflict_decides_anew(void **state)
{
	struct drive *d = *state;
	struct app_selling s = selling_make(d, APP_SWITCH);
	app_selling_begin(&s);
	expect_load(d, &s.flow, TD_OK);
	(void)expect_write(d, &s.flow, TD_OK);
	d->row.version = 7;
	expect_load(d, &s.flow, TD_CONFLICT);
	assert_int_equal(expect_write(d, &s.flow, TD_OK)->in.version, 7);
	d->row.package = (struct store_package_part){.id = plus.id, .slug = plus.slug};
	expect_load(d, &s.flow, TD_CONFLICT);
	expect_refused(&s.flow, TD_OK, TD_PROBLEM_NO_CHANGE);
}

static void test_change_after_it_ended_meanwhile(void **state)
{
	struct drive *d = *state;
	struct app_selling s = selling_make(d, APP_CANCEL);
	app_selling_begin(&s);
	expect_load(d, &s.flow, TD_OK);
	(void)expect_write(d, &s.flow, TD_OK);
	d->row.status = STORE_CANCELED;
	expect_load(d, &s.flow, TD_CONFLICT);
	expect_refused(&s.flow, TD_OK, TD_PROBLEM_NO_SUBSCRIPTION);
}

/* What has ended by now is written with the change, in one operation. */
static void test_change_rolls_first(void **state)
{
	struct drive *d = *state;
	struct app_selling s = selling_make(d, APP_SWITCH);
	d->row.current_period_end = NOW - 40 * DAY;
	app_selling_begin(&s);
	expect_load(d, &s.flow, TD_OK);
	const struct store_op *op = expect_write(d, &s.flow, TD_OK);
	assert_int_equal(op->in.history_count, 3);
	assert_int_equal(op->in.history[0].action, STORE_ACTION_RENEWED);
	assert_int_equal(op->in.history[1].action, STORE_ACTION_RENEWED);
	assert_int_equal(op->in.history[2].action, STORE_ACTION_CHANGE_SCHEDULED);
	assert_true(op->in.subscription->pending.at > NOW);
}

/* Its planned end has come: there is nothing to change, and no change is written over it. */
static void test_change_of_what_has_ended(void **state)
{
	struct drive *d = *state;
	struct app_selling s = selling_make(d, APP_RESUME);
	d->row.current_period_end = NOW;
	d->row.cancel_at_period_end = true;
	app_selling_begin(&s);
	expect_load(d, &s.flow, TD_OK);
	expect_refused(&s.flow, TD_OK, TD_PROBLEM_NO_SUBSCRIPTION);
}

/* Years to catch up with: several writes, and then the change. A conflict in between is no harm. */
static void test_change_that_catches_up_in_several_writes(void **state)
{
	struct drive *d = *state;
	struct app_selling s = selling_make(d, APP_SWITCH);
	d->row.current_period_end = NOW - 3000 * DAY; /* 99 months */
	app_selling_begin(&s);
	expect_load(d, &s.flow, TD_OK);
	const struct store_op *op = expect_write(d, &s.flow, TD_OK);
	assert_int_equal(op->in.history_count, APP_STEPS_MOST);
	expect_load(d, &s.flow, TD_CONFLICT);
	op = expect_write(d, &s.flow, TD_OK);
	d->row = *op->in.subscription;
	expect_load(d, &s.flow, TD_OK);
	op = expect_write(d, &s.flow, TD_OK);
	assert_true(op->in.history_count > 1 && op->in.history_count < APP_STEPS_MOST);
	expect_done(&s.flow, TD_OK);
}

static void test_change_of_nobody(void **state)
{
	struct drive *d = *state;
	for (enum app_selling_verb verb = APP_SWITCH; verb <= APP_RESUME; verb++) {
		struct app_selling s = selling_make(d, verb);
		app_selling_begin(&s);
		(void)expect_op(d, &s.flow, TD_OK, STORE_SUBSCRIPTION_GET);
		expect_refused(&s.flow, TD_NOTFOUND, TD_PROBLEM_USER_NOT_FOUND);
		app_selling_begin(&s);
		s.flow.refused = false;
		(void)expect_op(d, &s.flow, TD_OK, STORE_SUBSCRIPTION_GET);
		expect_refused(&s.flow, TD_OK, TD_PROBLEM_NO_SUBSCRIPTION);
	}
}

/* It is planned already: nothing is written. */
static void test_cancel_twice_writes_once(void **state)
{
	struct drive *d = *state;
	struct app_selling s = selling_make(d, APP_CANCEL);
	d->row.cancel_at_period_end = true;
	app_selling_begin(&s);
	expect_load(d, &s.flow, TD_OK);
	expect_done(&s.flow, TD_OK);
	assert_false(s.written);
	assert_int_equal(s.result.version, 3);
}

/* A row that cannot be read is neither there nor not there, so nothing is done, and nobody looks
 * again and again. */
static void test_an_unreadable_row_ends_the_flow(void **state)
{
	struct drive *d = *state;
	for (enum app_selling_verb verb = APP_SUBSCRIBE; verb <= APP_RESUME; verb++) {
		struct app_selling s = selling_make(d, verb);
		app_selling_begin(&s);
		enum td_status status = TD_OK;
		if (verb == APP_SUBSCRIBE) {
			(void)expect_op(d, &s.flow, TD_OK, STORE_SUBSCRIBE);
			status = TD_EXISTS;
		}
		struct store_op *op = expect_op(d, &s.flow, status, STORE_SUBSCRIPTION_GET);
		op->out.bad_rows = &d->bad;
		op->out.bad_row_count = op->out.left_out = 1;
		assert_int_equal(app_flow_next(&s.flow, TD_OK), APP_NEXT_DONE);
		assert_int_equal(s.flow.status, TD_CORRUPT);
		assert_ptr_equal(s.flow.op, op);
		assert_string_equal(op->err.text, "user_subscriptions s1 breaks the rules: is odd");
	}
}

/* ---- answers that are kept
 * ----------------------------------------------------------------------------- */

static bool identify(void *ctx, struct store_op *op, struct store_idempotency *keep)
{
	struct drive *d = ctx;
	(void)op;
	d->identified++;
	keep->key = TD_SLICE("key");
	return true;
}

static bool render(
	const struct app_flow *flow, struct td_arena *arena, struct store_answer *ret_answer)
{
	struct drive *d = flow->keeper->ctx;
	(void)arena;
	d->rendered++;
	d->shown = flow;
	ret_answer->http_status = flow->refused ? 409 : 200;
	return true;
}

static struct app_keeper keeper_of(struct drive *d)
{
	return (struct app_keeper){.identify = identify, .render = render, .ctx = d};
}

/* A first look at what is kept; then the write keeps the answer to what it does. */
static void test_kept_change_looks_first_and_keeps_with_the_write(void **state)
{
	struct drive *d = *state;
	const struct app_keeper keeper = keeper_of(d);
	struct app_selling s = selling_make(d, APP_SWITCH);
	s.flow.keeper = &keeper;
	app_selling_begin(&s);
	const struct store_op *op = expect_op(d, &s.flow, TD_OK, STORE_ANSWER_FIND);
	assert_true(td_slice_is(op->idempotency->key, "key"));
	assert_int_equal(d->rendered, 0);
	expect_load(d, &s.flow, TD_NOTFOUND);
	assert_null(d->ops[d->count - 1]->idempotency);
	op = expect_write(d, &s.flow, TD_OK);
	assert_int_equal(op->idempotency->on_ok.http_status, 200);
	/* After a conflict the answer is made anew. */
	d->row.version = 9;
	expect_load(d, &s.flow, TD_CONFLICT);
	(void)expect_write(d, &s.flow, TD_OK);
	assert_int_equal(d->rendered, 2);
	expect_done(&s.flow, TD_OK);
}

/* What is only catching up keeps nothing: a kept answer would be replayed in the place of the
 * change. */
static void test_catching_up_keeps_no_answer(void **state)
{
	struct drive *d = *state;
	const struct app_keeper keeper = keeper_of(d);
	struct app_selling s = selling_make(d, APP_SWITCH);
	s.flow.keeper = &keeper;
	d->row.current_period_end = NOW - 3000 * DAY;
	app_selling_begin(&s);
	(void)expect_op(d, &s.flow, TD_OK, STORE_ANSWER_FIND);
	expect_load(d, &s.flow, TD_NOTFOUND);
	assert_null(expect_write(d, &s.flow, TD_OK)->idempotency);
	assert_int_equal(d->rendered, 0);
}

static void test_kept_subscribe_keeps_with_the_insert(void **state)
{
	struct drive *d = *state;
	const struct app_keeper keeper = keeper_of(d);
	struct app_selling s = selling_make(d, APP_SUBSCRIBE);
	s.flow.keeper = &keeper;
	app_selling_begin(&s);
	const struct store_op *op = expect_op(d, &s.flow, TD_OK, STORE_SUBSCRIBE);
	assert_int_equal(op->idempotency->on_ok.http_status, 200);
	expect_load(d, &s.flow, TD_EXISTS);
	/* The refusal is kept, too, in an operation of its own. */
	op = expect_op(d, &s.flow, TD_OK, STORE_ANSWER_KEEP);
	assert_int_equal(op->idempotency->on_ok.http_status, 409);
	assert_int_equal(app_flow_next(&s.flow, TD_OK), APP_NEXT_DONE);
	assert_true(s.flow.refused);
	assert_int_equal(s.flow.status, TD_OK);
}

/* Each refusal of the rules is kept. */
static void test_every_refusal_is_kept(void **state)
{
	struct drive *d = *state;
	const struct app_keeper keeper = keeper_of(d);
	static const struct {
		enum app_selling_verb verb;
		enum td_status loaded;
		enum store_status status;
		enum td_problem problem;
	} rows[] = {
		{APP_SWITCH, TD_NOTFOUND, STORE_ACTIVE, TD_PROBLEM_USER_NOT_FOUND},
		{APP_CANCEL, TD_OK, STORE_CANCELED, TD_PROBLEM_NO_SUBSCRIPTION},
		{APP_RESUME, TD_OK, STORE_EXPIRED, TD_PROBLEM_NO_SUBSCRIPTION},
		{APP_RESUME, TD_OK, STORE_ACTIVE, TD_PROBLEM_NOTHING_PLANNED},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct app_selling s = selling_make(d, rows[i].verb);
		s.flow.keeper = &keeper;
		d->row.status = rows[i].status;
		app_selling_begin(&s);
		(void)expect_op(d, &s.flow, TD_OK, STORE_ANSWER_FIND);
		expect_load(d, &s.flow, TD_NOTFOUND);
		const struct store_op *op = expect_op(
			d, &s.flow, rows[i].loaded, STORE_ANSWER_KEEP);
		assert_int_equal(op->idempotency->on_ok.http_status, 409);
		expect_refused(&s.flow, TD_OK, rows[i].problem);
	}
}

/* Nothing was to be done, and that answer is kept. */
static void test_a_change_that_is_so_already_is_kept(void **state)
{
	struct drive *d = *state;
	const struct app_keeper keeper = keeper_of(d);
	struct app_selling s = selling_make(d, APP_CANCEL);
	s.flow.keeper = &keeper;
	d->row.cancel_at_period_end = true;
	app_selling_begin(&s);
	(void)expect_op(d, &s.flow, TD_OK, STORE_ANSWER_FIND);
	expect_load(d, &s.flow, TD_NOTFOUND);
	(void)expect_op(d, &s.flow, TD_OK, STORE_ANSWER_KEEP);
	expect_done(&s.flow, TD_OK);
	assert_false(s.written);
}

/* ---- history
 * ------------------------------------------------------------------------------------------- */

static struct app_history history_make(struct drive *d)
{
	struct app_history h = {
		.flow = flow_of(d),
		.user_id = TD_SLICE("u1"),
		.limit = 20,
		.before_seq = 77,
	};
	app_history_begin(&h);
	return h;
}

static void test_history_lists_what_there_is(void **state)
{
	struct drive *d = *state;
	struct app_history h = history_make(d);
	struct store_history item = {.id = TD_SLICE("h1")};
	expect_load(d, &h.flow, TD_OK);
	struct store_op *op = expect_op(d, &h.flow, TD_OK, STORE_HISTORY_LIST);
	assert_int_equal(op->in.limit, 20);
	assert_int_equal(op->in.before_seq, 77);
	op->out.history = &item;
	op->out.history_count = 1;
	op->out.more = true;
	expect_done(&h.flow, TD_OK);
	assert_int_equal(h.count, 1);
	assert_true(h.more);
	assert_true(td_slice_is(h.subscription->id, "s1"));
}

/* What is due is written first, again where somebody else was faster, and in several writes where
 * it is much. */
static void test_history_writes_what_is_due(void **state)
{
	struct drive *d = *state;
	struct app_history h = history_make(d);
	d->row.current_period_end = NOW - 3000 * DAY;
	expect_load(d, &h.flow, TD_OK);
	const struct store_op *op = expect_write(d, &h.flow, TD_OK);
	expect_load(d, &h.flow, TD_CONFLICT);
	op = expect_write(d, &h.flow, TD_OK);
	d->row = *op->in.subscription;
	expect_load(d, &h.flow, TD_OK);
	op = expect_write(d, &h.flow, TD_OK);
	d->row = *op->in.subscription;
	expect_load(d, &h.flow, TD_OK);
	(void)expect_op(d, &h.flow, TD_OK, STORE_HISTORY_LIST);
	expect_done(&h.flow, TD_OK);
}

static void test_history_of_nobody(void **state)
{
	struct drive *d = *state;
	struct app_history h = history_make(d);
	(void)expect_op(d, &h.flow, TD_OK, STORE_SUBSCRIPTION_GET);
	expect_refused(&h.flow, TD_NOTFOUND, TD_PROBLEM_USER_NOT_FOUND);
	/* Deleted in between. */
	h = history_make(d);
	expect_load(d, &h.flow, TD_OK);
	(void)expect_op(d, &h.flow, TD_OK, STORE_HISTORY_LIST);
	expect_refused(&h.flow, TD_NOTFOUND, TD_PROBLEM_USER_NOT_FOUND);
}

/* What the records answer: rows with these numbers, downwards; and whether others were trimmed. */
static void answer_rows(
	struct drive *d, struct store_op *op, int64_t newest, size_t count, bool trimmed)
{
	struct store_history *rows = td_arena_array(&d->arena, count + 1, sizeof(*rows));
	for (size_t i = 0; i < count; i++)
		rows[i] = (struct store_history){.id = TD_SLICE("h"), .seq = newest - (int64_t)i};
	op->out.history = rows;
	op->out.history_count = count;
	if (trimmed)
		op->out.trimmed = (struct store_span){NOW - 90 * DAY, NOW - 30 * DAY};
}

static struct store_op *list_records(
	struct drive *d, struct app_history *h, int64_t newest, size_t count, bool trimmed)
{
	expect_load(d, &h->flow, TD_OK);
	struct store_op *op = expect_op(d, &h->flow, TD_OK, STORE_HISTORY_LIST);
	answer_rows(d, op, newest, count, trimmed);
	return op;
}

static void expect_seqs(const struct app_history *h, int64_t newest, size_t count)
{
	assert_int_equal(h->count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(h->items[i].seq, newest - (int64_t)i);
}

/* The records end within the page, and the log goes on behind them. */
static void test_history_goes_on_in_the_log(void **state)
{
	struct drive *d = *state;
	struct app_history h = history_make(d);
	h.log = APP_LOG_ALWAYS;
	(void)list_records(d, &h, 76, 5, true);
	struct store_op *op = expect_op(d, &h.flow, TD_OK, STORE_EVENTS_LIST);
	assert_true(td_slice_is(op->in.user.id, "u1"));
	assert_int_equal(op->in.limit, 15);
	assert_int_equal(op->in.before_seq, 72);
	assert_int_equal(op->in.span.from_ms, NOW - 90 * DAY);
	assert_int_equal(op->in.span.to_ms, NOW - 30 * DAY);
	answer_rows(d, op, 71, 15, false);
	op->out.more = true;
	expect_done(&h.flow, TD_OK);
	expect_seqs(&h, 76, 20);
	assert_true(h.more);
	assert_int_equal(h.older_before, 57);
}

/* A page that the records fill asks whether there is another one. */
static void test_history_asks_the_log_for_another_page(void **state)
{
	struct drive *d = *state;
	for (size_t there = 0; there < 2; there++) {
		struct app_history h = history_make(d);
		h.log = APP_LOG_ALWAYS;
		(void)list_records(d, &h, 76, 20, true);
		struct store_op *op = expect_op(d, &h.flow, TD_OK, STORE_EVENTS_LIST);
		assert_int_equal(op->in.limit, 1);
		answer_rows(d, op, 56, there, false);
		expect_done(&h.flow, TD_OK);
		expect_seqs(&h, 76, 20);
		assert_int_equal(h.more, there);
		assert_int_equal(h.older_before, there ? 57 : 0);
	}
}

static void test_history_leaves_the_log_alone_where_it_has_nothing(void **state)
{
	struct drive *d = *state;
	for (int trimmed = 0; trimmed < 2; trimmed++) {
		struct app_history h = history_make(d);
		h.log = trimmed ? APP_LOG_NOWHERE : APP_LOG_ALWAYS;
		(void)list_records(d, &h, 76, 3, trimmed);
		expect_done(&h.flow, TD_OK);
		assert_false(h.more);
	}
}

/* The first page does without the log, and leads to it even where it shows nothing. */
static void test_history_asks_the_log_when_older_is_wanted(void **state)
{
	struct drive *d = *state;
	for (size_t count = 0; count < 2; count++) {
		struct app_history h = history_make(d);
		h.log = APP_LOG_WHEN_OLDER;
		h.before_seq = 0;
		(void)list_records(d, &h, 76, count, true);
		expect_done(&h.flow, TD_OK);
		assert_true(h.more);
		assert_int_equal(h.older_before, count > 0 ? 76 : APP_HISTORY_NEWEST);
	}
	struct app_history h = history_make(d);
	h.log = APP_LOG_WHEN_OLDER;
	h.before_seq = APP_HISTORY_NEWEST;
	(void)list_records(d, &h, 76, 0, true);
	struct store_op *op = expect_op(d, &h.flow, TD_OK, STORE_EVENTS_LIST);
	assert_int_equal(op->in.before_seq, APP_HISTORY_NEWEST);
	answer_rows(d, op, 9, 9, false);
	expect_done(&h.flow, TD_OK);
	expect_seqs(&h, 9, 9);
	assert_false(h.more);
}

/* ---- without memory
 * ------------------------------------------------------------------------------------ */

/* How a flow's operations end, in their order; and what a load finds. */
struct script {
	struct drive *d;
	enum app_selling_verb verb;
	const enum td_status *outcomes;
	size_t count;
};

static void answer(struct drive *d, struct store_op *op)
{
	if (op->kind != STORE_SUBSCRIPTION_GET)
		return;
	op->out.subscriptions = &d->row;
	op->out.subscription_count = 1;
}

static bool drive_script(void *ctx)
{
	const struct script *script = ctx;
	const struct app_keeper keeper = keeper_of(script->d);
	struct td_arena arena = TD_ARENA_INIT;
	struct app_selling s = selling_make(script->d, script->verb);
	struct store_op *ops[16];
	size_t count = 0;
	s.flow.arena = &arena;
	s.flow.keeper = &keeper;
	app_selling_begin(&s);
	enum td_status status = TD_OK;
	while (app_flow_next(&s.flow, status) == APP_NEXT_OP) {
		assert_true(count < script->count);
		ops[count] = s.flow.op;
		answer(script->d, s.flow.op);
		status = script->outcomes[count++];
	}
	if (s.flow.status != TD_OK && (count == 0 || s.flow.op != ops[count - 1]))
		store_op_free(s.flow.op);
	for (size_t i = 0; i < count; i++)
		store_op_free(ops[i]);
	td_arena_done(&arena);
	assert_true(s.flow.status == TD_OK || s.flow.status == TD_NOMEM);
	return s.flow.status == TD_OK && count == script->count;
}

/* Every allocation of every way: the flow ends with TD_NOMEM, and nothing is lost. */
static void test_without_memory_every_flow_says_so(void **state)
{
	struct drive *d = *state;
	static const enum td_status subscribes[] = {TD_EXISTS, TD_OK, TD_OK, TD_OK};
	static const enum td_status changes[] = {TD_NOTFOUND, TD_OK, TD_CONFLICT, TD_OK, TD_OK};
	static const enum td_status refusals[] = {TD_NOTFOUND, TD_NOTFOUND, TD_OK};
	d->row.current_period_end = NOW - DAY;
	d->row.cancel_at_period_end = true;
	struct script script = {d, APP_SUBSCRIBE, subscribes, TD_ARRAY_LEN(subscribes)};
	assert_true(fault_alloc_each(drive_script, &script) > 10);
	d->row.cancel_at_period_end = false;
	script = (struct script){d, APP_SWITCH, changes, TD_ARRAY_LEN(changes)};
	assert_true(fault_alloc_each(drive_script, &script) > 10);
	script = (struct script){d, APP_CANCEL, refusals, TD_ARRAY_LEN(refusals)};
	assert_true(fault_alloc_each(drive_script, &script) > 3);
}

#define DRIVEN(test) cmocka_unit_test_setup_teardown(test, drive_setup, drive_teardown)

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		DRIVEN(test_subscribe_is_one_operation),
		DRIVEN(test_subscribe_where_one_is_live_is_refused),
		DRIVEN(test_subscribe_after_an_end_that_is_due),
		DRIVEN(test_subscribe_goes_round_while_others_change),
		DRIVEN(test_subscribe_where_one_was_renewed_is_refused),
		DRIVEN(test_subscribe_of_what_is_missing),
		DRIVEN(test_change_loads_decides_and_writes),
		DRIVEN(test_change_after_a_conflict_decides_anew),
		DRIVEN(test_change_after_it_ended_meanwhile),
		DRIVEN(test_change_rolls_first),
		DRIVEN(test_change_of_what_has_ended),
		DRIVEN(test_change_that_catches_up_in_several_writes),
		DRIVEN(test_change_of_nobody),
		DRIVEN(test_cancel_twice_writes_once),
		DRIVEN(test_an_unreadable_row_ends_the_flow),
		DRIVEN(test_kept_change_looks_first_and_keeps_with_the_write),
		DRIVEN(test_catching_up_keeps_no_answer),
		DRIVEN(test_kept_subscribe_keeps_with_the_insert),
		DRIVEN(test_every_refusal_is_kept),
		DRIVEN(test_a_change_that_is_so_already_is_kept),
		DRIVEN(test_history_lists_what_there_is),
		DRIVEN(test_history_writes_what_is_due),
		DRIVEN(test_history_of_nobody),
		DRIVEN(test_history_goes_on_in_the_log),
		DRIVEN(test_history_asks_the_log_for_another_page),
		DRIVEN(test_history_leaves_the_log_alone_where_it_has_nothing),
		DRIVEN(test_history_asks_the_log_when_older_is_wanted),
		DRIVEN(test_without_memory_every_flow_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
