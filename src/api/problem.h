/* Refusals and failures as answers of the API: application/problem+json (RFC 9457), with the titles
 * and codes of base/problem.h. */
#ifndef TD_API_PROBLEM_H
#define TD_API_PROBLEM_H

#include "app/fault.h"
#include "base/err.h"
#include "base/problem.h"
#include "http/http.h"

#include <stdbool.h>

#define API_JSON_TYPE    "application/json"
#define API_PROBLEM_TYPE "application/problem+json"

/* Status, code and title of a problem; `detail` is borrowed. */
struct http_problem api_problem(enum td_problem problem, const char *detail);

/* 422 `validation` with every fault; what it points to lives in the request's arena. False: no
 * memory. */
bool api_problem_of_faults(struct http_request *rq, const struct app_faults *faults,
	struct http_problem *ret_problem) TD_MUST_CHECK;

/* Answers an outcome that is nobody's wish: busy, away, too late, broken. What went wrong inside is
 * logged with the request's id and never sent. `err` may be NULL. */
void api_reply_failure(struct http_request *rq, enum td_status status, const struct td_err *err);

#endif
