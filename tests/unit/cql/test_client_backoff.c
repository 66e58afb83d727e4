#include "td_test.h"

#include "cql/client/backoff.h"

#include <limits.h>

static void test_it_doubles_up_to_the_most(void **state)
{
	(void)state;
	static const unsigned ceilings[] = {100, 200, 400, 800, 1500, 1500, 1500};
	struct cql_backoff low = {0}, high = {0};
	for (size_t i = 0; i < sizeof(ceilings) / sizeof(ceilings[0]); i++) {
		assert_int_equal(cql_backoff_next(&low, 100, 1500, 0), ceilings[i] / 2);
		assert_int_equal(cql_backoff_next(&high, 100, 1500, UINT32_MAX), ceilings[i]);
	}
}

/* Never below half, never above the ceiling, whatever the chance. */
static void test_chance_stays_within_bounds(void **state)
{
	(void)state;
	uint32_t chance = 1;
	for (unsigned i = 0; i < 10000; i++) {
		struct cql_backoff b = {.ceiling_ms = 1 + i % 2000};
		unsigned wait = cql_backoff_next(&b, 100, 1500, chance);
		assert_true(b.ceiling_ms <= 1500);
		assert_in_range(wait, b.ceiling_ms / 2, b.ceiling_ms);
		chance = chance * 1664525u + 1013904223u;
	}
}

static void test_the_largest_numbers_do_not_overflow(void **state)
{
	(void)state;
	struct cql_backoff b = {.ceiling_ms = UINT_MAX - 1};
	assert_int_equal(cql_backoff_next(&b, 1, UINT_MAX, UINT32_MAX), UINT_MAX);
	assert_int_equal(cql_backoff_next(&b, 1, UINT_MAX, 0), UINT_MAX / 2);
	assert_int_equal(b.ceiling_ms, UINT_MAX);
}

/* After a failure that somebody must mend the most is another one, and then the old one again. */
static void test_the_most_may_change(void **state)
{
	(void)state;
	struct cql_backoff b = {0};
	for (unsigned i = 0; i < 20; i++)
		(void)cql_backoff_next(&b, 100, 10000, 0);
	assert_int_equal(cql_backoff_next(&b, 100, 1500, UINT32_MAX), 1500);
	assert_int_equal(cql_backoff_next(&b, 100, 10000, UINT32_MAX), 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_doubles_up_to_the_most),
		cmocka_unit_test(test_chance_stays_within_bounds),
		cmocka_unit_test(test_the_largest_numbers_do_not_overflow),
		cmocka_unit_test(test_the_most_may_change),
	};
	return cmocka_run_group_tests_name("cql/client/backoff", tests, NULL, NULL);
}
