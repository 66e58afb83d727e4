#include "td_test.h"

#include "base/compiler.h"
#include "base/err.h"
#include "cql/client/timestamps.h"
#include "work/thread.h"

#include <stdlib.h>

#define THREADS 4
#define EACH    20000

static void test_a_clock_that_is_set_back_gives_no_smaller_ones(void **state)
{
	(void)state;
	int64_t first = cql_timestamp_next(5000000000000000);
	assert_int_equal(first, 5000000000000000);
	assert_int_equal(cql_timestamp_next(4000000000000000), first + 1);
	assert_int_equal(cql_timestamp_next(INT64_MIN), first + 2);
	assert_int_equal(cql_timestamp_next(first + 2), first + 3);
	assert_int_equal(cql_timestamp_next(first + 1000), first + 1000);
}

static void test_now_is_in_microseconds(void **state)
{
	(void)state;
	int64_t now = cql_timestamp_now_us();
	assert_true(now > 1700000000000000 && now < 5000000000000000);
}

static int64_t taken[THREADS][EACH];

static void take_many(void *arg)
{
	int64_t *mine = arg;
	for (size_t i = 0; i < EACH; i++)
		mine[i] = cql_timestamp_next(1);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static void test_no_two_threads_get_the_same(void **state)
{
	(void)state;
	struct td_thread threads[THREADS];
	struct td_err err = TD_ERR_INIT;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(
			td_thread_start(&threads[i], "stamps", take_many, taken[i], &err), TD_OK);
	for (size_t i = 0; i < THREADS; i++)
		td_thread_join(&threads[i]);
	for (size_t i = 0; i < THREADS; i++) {
		for (size_t k = 1; k < EACH; k++)
			assert_true(taken[i][k] > taken[i][k - 1]);
	}
	int64_t *all = &taken[0][0];
	qsort(all, (size_t)THREADS * EACH, sizeof(all[0]), compare);
	for (size_t i = 1; i < (size_t)THREADS * EACH; i++)
		assert_true(all[i] > all[i - 1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_clock_that_is_set_back_gives_no_smaller_ones),
		cmocka_unit_test(test_now_is_in_microseconds),
		cmocka_unit_test(test_no_two_threads_get_the_same),
	};
	return cmocka_run_group_tests_name("cql/client/timestamps", tests, NULL, NULL);
}
