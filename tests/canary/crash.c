/* A runner that breaks off after the first of two tests: the second may not be forgotten. */
#include "td_test.h"

#include <unistd.h>

static void test_canary_that_passes(void **state)
{
	(void)state;
}

static void test_canary_that_ends_the_process(void **state)
{
	(void)state;
	_exit(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_canary_that_passes),
		cmocka_unit_test(test_canary_that_ends_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
