#include "td_test.h"

#include "base/problem.h"

#include <string.h>

/* Every code is found by its name, is written as a path segment, and no two are alike. */
static void test_problem_codes_are_unique_and_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < TD_PROBLEM_COUNT; i++) {
		const struct td_problem_info *info = td_problem_info((enum td_problem)i);
		assert_ptr_equal(td_problem_find(td_slice_str(info->code)), info);
		assert_int_equal(
			strspn(info->code, "abcdefghijklmnopqrstuvwxyz-"), strlen(info->code));
	}
	assert_null(td_problem_find(TD_SLICE("no-such-code")));
	assert_null(td_problem_find(TD_SLICE("")));
}

/* Each says what happened and what to do, and has a status of a failure. */
static void test_problem_rows_are_complete(void **state)
{
	(void)state;
	for (size_t i = 0; i < TD_PROBLEM_COUNT; i++) {
		const struct td_problem_info *info = td_problem_info((enum td_problem)i);
		assert_in_range(info->http, 400, 599);
		assert_true(strlen(info->title) > 5);
		assert_true(strlen(info->happened) > 20);
		assert_true(strlen(info->remedy) > 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_problem_codes_are_unique_and_found),
		cmocka_unit_test(test_problem_rows_are_complete),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
