#include "fault_alloc.h"
#include "td_test.h"
#include "wait_until.h"

#include "base/clock.h"
#include "work/ticker.h"

#include <stdatomic.h>

#define LIMIT_MS 10000

struct counter {
	_Atomic unsigned ticks;
	_Atomic uint64_t last_ms;
	_Atomic bool backwards;
};

static void count(void *ctx, uint64_t now_ms)
{
	struct counter *c = ctx;
	if (now_ms < atomic_load(&c->last_ms))
		atomic_store(&c->backwards, true);
	atomic_store(&c->last_ms, now_ms);
	atomic_fetch_add(&c->ticks, 1);
}

static bool has_ticked_thrice(void *ctx)
{
	struct counter *c = ctx;
	return atomic_load(&c->ticks) >= 3;
}

static struct td_ticker *make(unsigned period_ms)
{
	struct td_ticker *ticker = NULL;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(td_ticker_create(period_ms, &ticker, &err), TD_OK);
	return ticker;
}

static void add(struct td_ticker *ticker, struct counter *c)
{
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(td_ticker_add(ticker, count, c, &err), TD_OK);
}

static void test_ticker_calls_each_function_again_and_again(void **state)
{
	(void)state;
	struct counter one = {0}, two = {0};
	struct td_ticker *ticker = make(1);
	add(ticker, &one);
	add(ticker, &two);
	assert_true(wait_until(has_ticked_thrice, &one, LIMIT_MS));
	assert_true(wait_until(has_ticked_thrice, &two, LIMIT_MS));
	td_ticker_destroy(ticker);
	assert_false(atomic_load(&one.backwards));
	assert_true(atomic_load(&one.last_ms) <= td_clock_mono_ms(&td_clock_system));
}

/* What was taken out is not called any more, and what remains still is. */
static void test_ticker_removed_function_is_never_called_again(void **state)
{
	(void)state;
	struct counter gone = {0}, stays = {0};
	struct td_ticker *ticker = make(1);
	add(ticker, &gone);
	add(ticker, &stays);
	assert_true(wait_until(has_ticked_thrice, &gone, LIMIT_MS));
	td_ticker_remove(ticker, count, &gone);
	unsigned ticks = atomic_load(&gone.ticks);
	atomic_store(&stays.ticks, 0);
	assert_true(wait_until(has_ticked_thrice, &stays, LIMIT_MS));
	assert_int_equal(atomic_load(&gone.ticks), ticks);
	td_ticker_remove(ticker, count, &gone);
	td_ticker_destroy(ticker);
}

static void test_ticker_serves_32_functions_and_refuses_the_next(void **state)
{
	(void)state;
	struct counter c = {0};
	struct td_err err = TD_ERR_INIT;
	struct td_ticker *ticker = make(10000);
	for (unsigned i = 0; i < 32; i++)
		add(ticker, &c);
	assert_int_equal(td_ticker_add(ticker, count, &c, &err), TD_BUSY);
	td_ticker_remove(ticker, count, &c);
	add(ticker, &c);
	td_ticker_destroy(ticker);
	td_ticker_destroy(NULL);
}

static bool make_one(void *ctx)
{
	(void)ctx;
	struct td_ticker *ticker = NULL;
	struct td_err err = TD_ERR_INIT;
	if (td_ticker_create(10000, &ticker, &err) != TD_OK)
		return false;
	td_ticker_destroy(ticker);
	return true;
}

static void test_ticker_without_memory_says_so(void **state)
{
	(void)state;
	assert_int_equal(fault_alloc_each(make_one, NULL), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ticker_calls_each_function_again_and_again),
		cmocka_unit_test(test_ticker_removed_function_is_never_called_again),
		cmocka_unit_test(test_ticker_serves_32_functions_and_refuses_the_next),
		cmocka_unit_test(test_ticker_without_memory_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
