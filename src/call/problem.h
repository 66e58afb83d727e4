/* Refusals and failures as answers, with the titles and codes of base/problem.h: JSON (RFC 9457),
 * or a page where the route is one (HTTP_ROUTE_PAGE). */
#ifndef TD_CALL_PROBLEM_H
#define TD_CALL_PROBLEM_H

#include "app/flow.h"
#include "base/err.h"
#include "base/problem.h"
#include "http/http.h"

/* Status, code and title of a problem; `detail` is borrowed. */
struct http_problem call_problem(enum td_problem problem, const char *detail);

/* What a flow's rules refused, with its Retry-After. */
struct http_problem call_problem_of_flow(const struct app_flow *flow);

/* Answers an outcome that is nobody's wish: busy, away, too late, broken. What went wrong inside is
 * logged with the request's id (for who debugs, where it was told of before) and never sent. `err`
 * may be NULL. */
void call_reply_failure(struct http_request *rq, enum td_status status, const struct td_err *err);

#endif
