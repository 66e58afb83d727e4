#include "api/problem.h"

#include "base/log.h"

struct http_problem api_problem(enum td_problem problem, const char *detail)
{
	const struct td_problem_info *info = td_problem_info(problem);
	return (struct http_problem){.status = (unsigned)info->http,
		.code = info->code,
		.title = info->title,
		.detail = detail};
}

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
	*ret_problem = api_problem(TD_PROBLEM_VALIDATION, detail);
	ret_problem->errors = errors;
	ret_problem->error_count = faults->count;
	return true;
}

/* Faults of ours or of the disk: somebody must look at them. The rest passes by itself, and is
 * counted where it happens. */
static bool is_fault(enum td_status status)
{
	return td_status_http(status) == 500 || status == TD_NOMEM;
}

static void log_fault(struct http_request *rq, const struct td_err *err)
{
	const struct td_log_field fields[] = {{"request", http_request_id(rq)},
		{"route", http_route_pattern(rq)},
		{"check", err->check[0] != '\0' ? err->check : NULL}, {NULL, NULL}};
	td_log_fields(TD_LOG_ERROR, "api.failed", fields, "A request could not be answered: %s",
		err->text[0] != '\0' ? err->text : td_status_words(err->code));
}

/* One table from outcomes of a store to answers; what is not in it is a fault of ours. */
static enum td_problem problem_of(enum td_status status)
{
	static const struct {
		enum td_status status;
		enum td_problem problem;
	} rows[] = {
		{TD_TIMEOUT, TD_PROBLEM_STORE_UNAVAILABLE},
		{TD_UNAVAILABLE, TD_PROBLEM_STORE_UNAVAILABLE},
		{TD_BUSY, TD_PROBLEM_OVERLOADED},
		{TD_STOPPING, TD_PROBLEM_OVERLOADED},
		{TD_NOMEM, TD_PROBLEM_OVERLOADED},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		if (rows[i].status == status)
			return rows[i].problem;
	}
	return TD_PROBLEM_INTERNAL_ERROR;
}

void api_reply_failure(struct http_request *rq, enum td_status status, const struct td_err *err)
{
	struct td_err failure = TD_ERR_INIT;
	if (err != NULL)
		failure = *err;
	failure.code = status;
	if (is_fault(status))
		log_fault(rq, &failure);
	const struct td_problem_info *info = td_problem_info(problem_of(status));
	struct http_problem problem = api_problem(problem_of(status), NULL);
	problem.detail = td_arena_printf(http_arena(rq), "%s %s", info->happened, info->remedy);
	http_reply_problem(rq, &problem);
}
