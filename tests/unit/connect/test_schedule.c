#include "td_test.h"

#include "connect/schedule.h"

/* 2, 4, 8, 16, 32 seconds, then the closing try: 62 s in all. */
static void test_schedule_default_waits_sixty_two_seconds(void **state)
{
	(void)state;
	static const int64_t wanted[] = {2000, 4000, 8000, 16000, 32000};
	struct connect_schedule s = {.max_retries = 5, .initial_ms = 2000, .max_ms = 32000};
	int64_t wait_ms = 0, sum = 0;
	for (size_t i = 0; i < 5; i++) {
		assert_true(connect_schedule_next(&s, &wait_ms));
		assert_int_equal(wait_ms, wanted[i]);
		assert_int_equal(s.failed, (int64_t)i + 1);
		sum += wait_ms;
	}
	assert_int_equal(sum, 62000);
	assert_false(connect_schedule_next(&s, &wait_ms));
}

/* -1 never ends, and the wait stays at its greatest. */
static void test_schedule_without_end_stays_at_the_greatest_wait(void **state)
{
	(void)state;
	struct connect_schedule s = {.max_retries = -1, .initial_ms = 2000, .max_ms = 5000};
	int64_t wait_ms = 0;
	for (int i = 0; i < 1000; i++)
		assert_true(connect_schedule_next(&s, &wait_ms));
	assert_int_equal(wait_ms, 5000);
}

/* 0 retries: one try and no wait. */
static void test_schedule_zero_retries_is_one_try(void **state)
{
	(void)state;
	struct connect_schedule s = {.max_retries = 0, .initial_ms = 2000, .max_ms = 5000};
	int64_t wait_ms;
	assert_false(connect_schedule_next(&s, &wait_ms));
}

/* Whatever chance says, the wait is between half of the ceiling and the ceiling, which stops at 1.5
 * s or 10 s. */
static void test_backoff_stays_within_its_bounds(void **state)
{
	(void)state;
	static const uint32_t chances[] = {0, 1, UINT32_MAX / 2, UINT32_MAX};
	for (size_t c = 0; c < 4; c++) {
		struct connect_backoff fast = {0}, slow = {0};
		for (int i = 0; i < 30; i++) {
			int64_t ms = connect_backoff_next(&fast, CONNECT_FAST, chances[c]);
			assert_in_range(ms, 50, 1500);
			ms = connect_backoff_next(&slow, CONNECT_SLOW, chances[c]);
			assert_in_range(ms, 50, 10000);
		}
		assert_in_range(connect_backoff_next(&fast, CONNECT_FAST, chances[c]), 750, 1500);
		connect_backoff_reset(&fast);
		assert_in_range(connect_backoff_next(&fast, CONNECT_FAST, chances[c]), 50, 100);
	}
}

/* Not all at once, and none much too early. */
static void test_lifetime_is_four_fifths_to_all_of_it(void **state)
{
	(void)state;
	assert_int_equal(connect_lifetime(1000, 0), 1000);
	assert_int_equal(connect_lifetime(1000, UINT32_MAX), 800);
	assert_in_range(connect_lifetime(2700000, UINT32_MAX / 2), 2429000, 2431000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schedule_default_waits_sixty_two_seconds),
		cmocka_unit_test(test_schedule_without_end_stays_at_the_greatest_wait),
		cmocka_unit_test(test_schedule_zero_retries_is_one_try),
		cmocka_unit_test(test_backoff_stays_within_its_bounds),
		cmocka_unit_test(test_lifetime_is_four_fifths_to_all_of_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
