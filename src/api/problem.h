/* Refusals of the JSON API: application/problem+json (RFC 9457). What all answers share is in
 * call/problem.h. */
#ifndef TD_API_PROBLEM_H
#define TD_API_PROBLEM_H

#include "app/fault.h"
#include "call/problem.h"
#include "http/http.h"

#include <stdbool.h>

#define API_JSON_TYPE    "application/json"
#define API_PROBLEM_TYPE "application/problem+json"

/* 422 `validation` with every fault; what it points to lives in the request's arena. False: no
 * memory. */
bool api_problem_of_faults(struct http_request *rq, const struct app_faults *faults,
	struct http_problem *ret_problem) TD_MUST_CHECK;

#endif
