#include "td_test.h"

#include "cql/client/timers.h"

#include <string.h>

#define COUNT 500

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void test_nothing_set_waits_for_ever(void **state)
{
	(void)state;
	struct cql_timers timers = {NULL};
	struct cql_timer timer = {.fire = NULL};
	assert_int_equal(cql_timers_wait_ms(&timers, 5), -1);
	assert_null(cql_timers_take(&timers, UINT64_MAX));
	cql_timers_clear(&timers, &timer);
}

static void test_the_wait_is_until_the_earliest(void **state)
{
	(void)state;
	struct cql_timers timers = {NULL};
	struct cql_timer early = {.fire = NULL}, late = {.fire = NULL}, far = {.fire = NULL};
	cql_timers_set(&timers, &far, UINT64_MAX);
	assert_int_equal(cql_timers_wait_ms(&timers, 0), 60000);
	cql_timers_set(&timers, &late, 300);
	cql_timers_set(&timers, &early, 200);
	assert_int_equal(cql_timers_wait_ms(&timers, 100), 100);
	assert_int_equal(cql_timers_wait_ms(&timers, 200), 0);
	assert_int_equal(cql_timers_wait_ms(&timers, 900), 0);
	assert_null(cql_timers_take(&timers, 199));
	assert_ptr_equal(cql_timers_take(&timers, 200), &early);
	assert_false(early.is_set);
	/* One that is set already moves. */
	cql_timers_set(&timers, &late, 1000);
	assert_null(cql_timers_take(&timers, 999));
	assert_ptr_equal(cql_timers_take(&timers, 1000), &late);
}

/* Whatever is set, moved, cleared and taken in whatever order: it comes as a plain list says. */
static void test_they_come_as_a_plain_list_says(void **state)
{
	(void)state;
	static struct cql_timer all[COUNT];
	memset(all, 0, sizeof(all));
	struct cql_timers timers = {NULL};
	uint64_t due[COUNT] = {0}; /* 0: not set */
	uint32_t seed = 7;
	for (int step = 0; step < 20000; step++) {
		size_t i = next_random(&seed) % COUNT;
		uint32_t what = next_random(&seed) % 8;
		if (what < 5) {
			due[i] = 1 + next_random(&seed) % 1000;
			cql_timers_set(&timers, &all[i], due[i]);
		} else if (what < 7) {
			due[i] = 0;
			cql_timers_clear(&timers, &all[i]);
		} else {
			uint64_t least = UINT64_MAX;
			for (size_t k = 0; k < COUNT; k++)
				least = due[k] != 0 && due[k] < least ? due[k] : least;
			struct cql_timer *first = cql_timers_take(&timers, UINT64_MAX - 1);
			if (least == UINT64_MAX) {
				assert_null(first);
				continue;
			}
			assert_non_null(first);
			assert_int_equal(first->due_ms, least);
			assert_int_equal(due[first - all], least);
			due[first - all] = 0;
		}
		assert_int_equal(all[i].is_set, due[i] != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_set_waits_for_ever),
		cmocka_unit_test(test_the_wait_is_until_the_earliest),
		cmocka_unit_test(test_they_come_as_a_plain_list_says),
	};
	return cmocka_run_group_tests_name("cql/client/timers", tests, NULL, NULL);
}
