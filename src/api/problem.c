#include "api/problem.h"

/* "email: has no @; … (and 2 more in \"errors\")" */
static const char *summarize(struct td_arena *arena, const struct app_faults *faults)
{
	const struct app_fault *first = &faults->items[0];
	const char *where = first->pointer[0] == '/' ? first->pointer + 1 : "The body";
	if (faults->count == 1)
		return td_arena_printf(arena, "%s: %s.", where, first->detail);
	return td_arena_printf(arena, "%s: %s; and %zu more in \"errors\".", where, first->detail,
		faults->count - 1);
}

bool api_problem_of_faults(
	struct http_request *rq, const struct app_faults *faults, struct http_problem *ret_problem)
{
	struct td_arena *arena = http_arena(rq);
	struct http_field_error *errors = td_arena_array(arena, faults->count, sizeof(*errors));
	const char *detail = summarize(arena, faults);
	if (errors == NULL || detail == NULL)
		return false;
	for (size_t i = 0; i < faults->count; i++)
		errors[i] = (struct http_field_error){
			faults->items[i].pointer, faults->items[i].detail};
	*ret_problem = call_problem(TD_PROBLEM_VALIDATION, detail);
	ret_problem->errors = errors;
	ret_problem->error_count = faults->count;
	return true;
}
