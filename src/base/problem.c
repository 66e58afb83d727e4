#include "base/problem.h"

#include "base/compiler.h"

static const struct td_problem_info problems[TD_PROBLEM_COUNT] = {
#define TD_PROBLEM_ROW(name, code, http, title, happened, remedy) \
	[TD_PROBLEM_##name] = {code, http, title, happened, remedy},
	TD_PROBLEM_MAP(TD_PROBLEM_ROW)
#undef TD_PROBLEM_ROW
};

const struct td_problem_info *td_problem_info(enum td_problem problem)
{
	td_assert(problem < TD_PROBLEM_COUNT);
	return &problems[problem];
}

const struct td_problem_info *td_problem_find(struct td_slice code)
{
	for (size_t i = 0; i < TD_PROBLEM_COUNT; i++) {
		if (td_slice_is(code, problems[i].code))
			return &problems[i];
	}
	return NULL;
}
