/* Flows that are driven to their end with blocking calls, over a store that answers by script. */
#include "td_test.h"

#include "app/flow.h"
#include "app/password.h"
#include "base/alloc.h"
#include "base/compiler.h"

#include <sodium.h>
#include <string.h>

/* ---- a store that says what it was told to say
 * ------------------------------------------------------------ */

struct script_store {
	struct store store; /* first */
	const enum td_status *outcomes;
	size_t count, used;
	bool refuses; /* to take operations */
	bool replays; /* the last outcome is a replay */
	uint64_t deadline_ms;
};

static enum td_status submit(struct store *store, struct store_op *op)
{
	struct script_store *s = (struct script_store *)store;
	if (s->refuses)
		return TD_BUSY;
	s->deadline_ms = op->deadline_ms;
	enum td_status status = s->used < s->count ? s->outcomes[s->used] : TD_OK;
	s->used++;
	if (s->replays && s->used == s->count)
		op->idempotency->replayed = true;
	op->done(op, status);
	op->release(op);
	return TD_OK;
}

static const struct store_class script_class = {.submit = submit};

static struct script_store script_make(const enum td_status *outcomes, size_t count)
{
	return (struct script_store){.store = {.class = &script_class, .clock = &td_clock_system},
		.outcomes = outcomes,
		.count = count};
}

/* ---- flows for it
 * -------------------------------------------------------------------------------------- */

/* Asks `left` times, then is done; notes the last outcome that it was told. */
struct counting {
	struct app_flow flow; /* first */
	size_t left;
	enum td_status told;
	bool keeps, fails;
};

static enum app_next count_on(struct app_flow *flow, enum td_status status)
{
	struct counting *c = (struct counting *)flow;
	c->told = status;
	if (c->left == 0 && c->fails)
		return app_flow_fail(
			flow, td_err_set(&flow->op->err, TD_CORRUPT, "the row is odd"));
	if (c->left-- == 0)
		return app_flow_done(flow);
	if (!app_flow_op(flow, STORE_ANSWER_FIND) || (c->keeps && !app_flow_keep(flow)))
		return app_flow_no_memory(flow);
	return APP_NEXT_OP;
}

static struct counting counting_make(struct td_arena *arena, size_t count)
{
	return (struct counting){
		.flow = {.step = count_on, .arena = arena, .now_ms = 77}, .left = count};
}

static struct td_arena arena;
static struct app_flow_ops ops;

static int ops_setup(void **state)
{
	(void)state;
	arena = (struct td_arena)TD_ARENA_INIT;
	ops.count = 0;
	return 0;
}

static int ops_teardown(void **state)
{
	(void)state;
	app_flow_ops_free(&ops);
	td_arena_done(&arena);
	return 0;
}

/* ---- tests
 * -----------------------------------------------------------------------------------------------
 */

static void test_run_goes_to_the_end_and_keeps_the_operations(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	struct script_store s = script_make(NULL, 0);
	struct counting c = counting_make(&arena, 3);
	assert_int_equal(app_flow_run(&c.flow, &s.store, 12345, &ops, &err), TD_OK);
	assert_int_equal(s.used, 3);
	assert_int_equal(ops.count, 3);
	assert_int_equal(s.deadline_ms, 12345);
	assert_int_equal(ops.list[0]->now_ms, 77);
}

/* These are the rules' business: the flow is told, and goes on. */
static void test_run_tells_outcomes_of_the_rules(void **state)
{
	(void)state;
	static const enum td_status outcomes[] = {
		TD_OK, TD_NOTFOUND, TD_EXISTS, TD_CONFLICT, TD_LIMITED};
	for (size_t i = 0; i < TD_ARRAY_LEN(outcomes); i++) {
		struct td_err err = TD_ERR_INIT;
		struct script_store s = script_make(&outcomes[i], 1);
		struct counting c = counting_make(&arena, 1);
		assert_int_equal(app_flow_run(&c.flow, &s.store, 1, &ops, &err), TD_OK);
		assert_int_equal(c.told, outcomes[i]);
	}
}

/* All others end it, with the store's words. */
static void test_run_ends_with_outcomes_of_the_store(void **state)
{
	(void)state;
	static const enum td_status outcomes[] = {TD_DENIED, TD_MISMATCH, TD_UNAVAILABLE, TD_BUSY,
		TD_STOPPING, TD_IO, TD_CORRUPT, TD_INTERNAL, TD_TIMEOUT};
	for (size_t i = 0; i < TD_ARRAY_LEN(outcomes); i++) {
		struct td_err err = TD_ERR_INIT;
		struct script_store s = script_make(&outcomes[i], 1);
		struct counting c = counting_make(&arena, 2);
		assert_int_equal(app_flow_run(&c.flow, &s.store, 1, &ops, &err), outcomes[i]);
		assert_int_equal(err.code, outcomes[i]);
		assert_int_equal(s.used, 1);
	}
}

/* An operation that the store does not take is not lost. */
static void test_run_of_a_full_store(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	struct script_store s = script_make(NULL, 0);
	struct counting c = counting_make(&arena, 1);
	s.refuses = true;
	assert_int_equal(app_flow_run(&c.flow, &s.store, 1, &ops, &err), TD_BUSY);
	assert_int_equal(ops.count, 1);
}

/* Two that change one row for ever do not hold a thread for ever. */
static void test_run_gives_up_after_many_operations(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	struct script_store s = script_make(NULL, 0);
	struct counting c = counting_make(&arena, 1000000);
	assert_int_equal(app_flow_run(&c.flow, &s.store, 1, &ops, &err), TD_CONFLICT);
	assert_int_equal(err.code, TD_CONFLICT);
	assert_int_equal(s.used, TD_ARRAY_LEN(ops.list));
}

/* A flow that fails says why: in its operation's words, or for want of memory. */
static void test_run_of_a_flow_that_fails(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	struct script_store s = script_make(NULL, 0);
	struct counting c = counting_make(&arena, 1);
	c.fails = true;
	assert_int_equal(app_flow_run(&c.flow, &s.store, 1, &ops, &err), TD_CORRUPT);
	assert_string_equal(err.text, "the row is odd");
}

static bool cannot_identify(void *ctx, struct store_op *op, struct store_idempotency *keep)
{
	(void)ctx;
	(void)op;
	(void)keep;
	return false;
}

static void test_run_without_memory(void **state)
{
	(void)state;
	const struct app_keeper keeper = {.identify = cannot_identify};
	struct td_err err = TD_ERR_INIT;
	struct script_store s = script_make(NULL, 0);
	struct counting c = counting_make(&arena, 1);
	c.keeps = true;
	c.flow.keeper = &keeper;
	assert_int_equal(app_flow_run(&c.flow, &s.store, 1, &ops, &err), TD_NOMEM);
	assert_int_equal(err.code, TD_NOMEM);
	assert_int_equal(ops.count, 0);
}

static bool identify(void *ctx, struct store_op *op, struct store_idempotency *keep)
{
	(void)ctx;
	(void)op;
	keep->key = TD_SLICE("key");
	return true;
}

/* What was kept is the answer: the flow is not asked any more. */
static void test_run_ends_with_a_replay(void **state)
{
	(void)state;
	static const enum td_status outcomes[] = {TD_NOTFOUND, TD_OK};
	const struct app_keeper keeper = {.identify = identify};
	struct td_err err = TD_ERR_INIT;
	struct script_store s = script_make(outcomes, 2);
	struct counting c = counting_make(&arena, 5);
	s.replays = true;
	c.keeps = true;
	c.flow.keeper = &keeper;
	assert_int_equal(app_flow_run(&c.flow, &s.store, 1, &ops, &err), TD_OK);
	assert_int_equal(s.used, 2);
	assert_int_equal(c.told, TD_NOTFOUND);
}

/* ---- hashing
 * --------------------------------------------------------------------------------------------- */

static enum app_next hash_done(struct app_flow *flow, enum td_status status)
{
	assert_int_equal(status, TD_OK);
	assert_int_equal(flow->hash.status, TD_OK);
	assert_true(flow->hash.made[0] == '$');
	return app_flow_done(flow);
}

static enum app_next hash_begin(struct app_flow *flow, enum td_status status)
{
	(void)status;
	flow->hash = (struct app_hash_job){.password = TD_SLICE("a phrase"), .memory = 8192};
	flow->step = hash_done;
	return APP_NEXT_HASH;
}

static void test_run_hashes_by_itself(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	struct script_store s = script_make(NULL, 0);
	struct app_flow flow = {.step = hash_begin, .arena = &arena};
	assert_int_equal(app_flow_run(&flow, &s.store, 1, &ops, &err), TD_OK);
	assert_int_equal(s.used, 0);
}

#define FLOW_TEST(fn) cmocka_unit_test_setup_teardown(fn, ops_setup, ops_teardown)

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		FLOW_TEST(test_run_goes_to_the_end_and_keeps_the_operations),
		FLOW_TEST(test_run_tells_outcomes_of_the_rules),
		FLOW_TEST(test_run_ends_with_outcomes_of_the_store),
		FLOW_TEST(test_run_of_a_full_store),
		FLOW_TEST(test_run_gives_up_after_many_operations),
		FLOW_TEST(test_run_of_a_flow_that_fails),
		FLOW_TEST(test_run_without_memory),
		FLOW_TEST(test_run_ends_with_a_replay),
		FLOW_TEST(test_run_hashes_by_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
