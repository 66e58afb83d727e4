/* A test that fails: the runner must count it. */
#include "td_test.h"

static void test_canary_that_fails(void **state)
{
	(void)state;
	assert_true(false);
}

static void test_canary_that_passes(void **state)
{
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_canary_that_fails),
		cmocka_unit_test(test_canary_that_passes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
