#include "call/problem.h"

#include "base/log.h"

struct http_problem call_problem(enum td_problem problem, const char *detail)
{
	const struct td_problem_info *info = td_problem_info(problem);
	return (struct http_problem){.status = (unsigned)info->http,
		.code = info->code,
		.title = info->title,
		.detail = detail};
}

struct http_problem call_problem_of_flow(const struct app_flow *flow)
{
	struct http_problem problem = call_problem(flow->problem, flow->detail);
	if (flow->retry_ms > 0)
		problem.retry_after_s = (unsigned)((flow->retry_ms + 999) / 1000);
	return problem;
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
	td_log_fields(err->told ? TD_LOG_DEBUG : TD_LOG_ERROR, "call.failed", fields,
		"A request could not be answered: %s",
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

void call_reply_failure(struct http_request *rq, enum td_status status, const struct td_err *err)
{
	struct td_err failure = TD_ERR_INIT;
	if (err != NULL)
		failure = *err;
	failure.code = status;
	if (is_fault(status))
		log_fault(rq, &failure);
	const struct td_problem_info *info = td_problem_info(problem_of(status));
	struct http_problem problem = call_problem(problem_of(status), NULL);
	problem.detail = td_arena_printf(http_arena(rq), "%s %s", info->happened, info->remedy);
	http_reply_problem(rq, &problem);
}
