#include "td_test.h"

#include "app/period.h"
#include "app/test_clock.h"

#define REAL   INT64_C(1800000000000)
#define DAY_MS INT64_C(86400000)

struct run {
	struct app_test_clock clock;
	struct store_op *ops[8]; /* all that it asked for; freed at the end */
	size_t count;
};

static struct run begin(bool has_offset, int64_t offset_ms)
{
	struct run run = {.clock = {.real_ms = REAL,
				  .has_offset = has_offset,
				  .offset_ms = offset_ms,
				  .flow = {.now_ms = REAL + offset_ms}}};
	app_test_clock_begin(&run.clock);
	return run;
}

static enum app_next next(struct run *run, enum td_status status)
{
	enum app_next next = app_flow_next(&run->clock.flow, status);
	if (next == APP_NEXT_OP) {
		assert_true(run->count < TD_ARRAY_LEN(run->ops));
		run->ops[run->count++] = run->clock.flow.op;
	}
	return next;
}

static const struct store_op *last(const struct run *run)
{
	assert_true(run->count > 0);
	return run->ops[run->count - 1];
}

static void end(struct run *run)
{
	for (size_t i = 0; i < run->count; i++)
		store_op_free(run->ops[i]);
}

static void test_clock_advances(void **state)
{
	(void)state;
	struct run run = begin(true, DAY_MS);
	run.clock.advance_ms = 31 * DAY_MS;
	assert_int_equal(next(&run, TD_OK), APP_NEXT_OP);
	assert_int_equal(last(&run)->kind, STORE_CLOCK_SET);
	assert_int_equal(last(&run)->in.clock.offset_ms, 32 * DAY_MS);
	assert_int_equal(last(&run)->in.clock.expected_ms, DAY_MS);
	assert_int_equal(next(&run, TD_OK), APP_NEXT_DONE);
	assert_null(run.clock.fault);
	assert_int_equal(run.clock.now_ms, REAL + 32 * DAY_MS);
	end(&run);
}

static void test_clock_is_set_where_none_was(void **state)
{
	(void)state;
	struct run run = begin(false, 0);
	run.clock.sets = true;
	run.clock.set_ms = REAL + 5;
	assert_int_equal(next(&run, TD_OK), APP_NEXT_OP);
	assert_int_equal(last(&run)->in.clock.offset_ms, 5);
	assert_true(last(&run)->in.clock.expected_ms == STORE_CLOCK_ABSENT);
	assert_int_equal(next(&run, TD_OK), APP_NEXT_DONE);
	end(&run);
}

/* Whoever loses reads what the other has set, and advances that. */
static void test_clock_goes_on_from_what_others_set(void **state)
{
	(void)state;
	struct run run = begin(true, 0);
	run.clock.advance_ms = DAY_MS;
	assert_int_equal(next(&run, TD_OK), APP_NEXT_OP);
	assert_int_equal(next(&run, TD_CONFLICT), APP_NEXT_OP);
	assert_int_equal(last(&run)->kind, STORE_CLOCK_GET);
	run.ops[run.count - 1]->out.clock_offset_ms = 10 * DAY_MS;
	assert_int_equal(next(&run, TD_OK), APP_NEXT_OP);
	assert_int_equal(last(&run)->in.clock.offset_ms, 11 * DAY_MS);
	assert_int_equal(last(&run)->in.clock.expected_ms, 10 * DAY_MS);
	assert_int_equal(next(&run, TD_OK), APP_NEXT_DONE);
	assert_int_equal(run.clock.now_ms, REAL + 11 * DAY_MS);
	end(&run);
}

static void expect_fault(bool sets, int64_t ms, const char *word)
{
	struct run run = begin(true, DAY_MS);
	run.clock.sets = sets;
	run.clock.set_ms = sets ? ms : 0;
	run.clock.advance_ms = sets ? 0 : ms;
	assert_int_equal(next(&run, TD_OK), APP_NEXT_DONE);
	assert_non_null(run.clock.fault);
	assert_non_null(strstr(run.clock.fault, word));
	end(&run);
}

static void test_clock_has_its_limits(void **state)
{
	(void)state;
	expect_fault(true, REAL + DAY_MS - 1, "forward only");
	expect_fault(true, INT64_MIN, "forward only");
	expect_fault(true, APP_PERIOD_LAST, "too far");
	expect_fault(true, INT64_MAX, "too far");
	expect_fault(false, APP_PERIOD_LAST, "too far");
	expect_fault(false, INT64_MAX, "too long");
}

static void test_clock_starts_once(void **state)
{
	(void)state;
	struct store_op *op = store_op_new(STORE_CLOCK_GET);
	assert_non_null(op);
	app_test_clock_start(op, REAL - DAY_MS, REAL);
	assert_int_equal(op->kind, STORE_CLOCK_SET);
	assert_int_equal(op->in.clock.offset_ms, -DAY_MS);
	assert_true(op->in.clock.expected_ms == STORE_CLOCK_ABSENT);
	store_op_free(op);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_advances),
		cmocka_unit_test(test_clock_is_set_where_none_was),
		cmocka_unit_test(test_clock_goes_on_from_what_others_set),
		cmocka_unit_test(test_clock_has_its_limits),
		cmocka_unit_test(test_clock_starts_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
