/* The one list of problems that an answer can name (RFC 9457): `code` in the body, the last part of
 * `type`, and the name of the page `/problems/CODE` that explains it. http/, api/ and page/ all
 * take status, title and texts from here. Add a row, never change a code that was released. */
#ifndef TD_BASE_PROBLEM_H
#define TD_BASE_PROBLEM_H

#include "base/slice.h"

#include <stddef.h>

/*    name, code, HTTP status, title, what happened, what to do */
#define TD_PROBLEM_MAP(X)                                                                          \
	X(BAD_REQUEST, "bad-request", 400, "The request cannot be understood",                     \
		"A part of the request (its path, a parameter, a header or the JSON of "           \
		"its body) is not well formed, so nothing was done.",                              \
		"Read \"detail\" in the answer: it names the part. Correct it and send "           \
		"the request again; sending the same request again will not help.")                \
	X(UNAUTHORIZED, "unauthorized", 401, "An API key is needed",                               \
		"The request has no API key, or the key is not known here or was revoked.",        \
		"Send the header \"Authorization: Bearer td_…\" with a key made by "             \
		"\"tools-dashboard apikey create --name NAME\".")                                  \
	X(FORBIDDEN, "forbidden", 403, "This is not permitted",                                    \
		"Who asks is known, but may not do this.",                                         \
		"Ask whoever operates this service for a key or an account that may.")             \
	X(NOT_FOUND, "not-found", 404, "There is nothing at this address",                         \
		"No page and no part of the API has this address.",                                \
		"Compare the address with /openapi.json, which lists every one of the "            \
		"API.")                                                                            \
	X(PACKAGE_NOT_FOUND, "package-not-found", 404, "There is no such package",                 \
		"No package with this slug is on offer. It may have been renamed or "              \
		"retired.",                                                                        \
		"Take the slug from GET /user-subscription/packages, which lists what is "         \
		"on offer.")                                                                       \
	X(USER_NOT_FOUND, "user-not-found", 404, "There is no such user",                          \
		"No user with this id or e-mail address is known here.",                           \
		"Check the id, or make the user first: PUT "                                       \
		"/user-subscription/users/{user_id}.")                                             \
	X(NO_SUBSCRIPTION, "no-subscription", 404, "The user has no subscription",                 \
		"The user is known, but has no subscription (for a change: none that is "          \
		"running).",                                                                       \
		"Make one with POST /user-subscription/subscribe.")                                \
	X(METHOD_NOT_ALLOWED, "method-not-allowed", 405, "This address does not take that method", \
		"The address exists, but not for the method of the request.",                      \
		"Use one of the methods that the header Allow of the answer names.")               \
	X(REQUEST_TIMEOUT, "request-timeout", 408, "The request took too long to arrive",          \
		"The whole request did not arrive within the time that this service "              \
		"waits for one.",                                                                  \
		"Send it again. If the connection is slow, send a smaller body.")                  \
	X(EMAIL_TAKEN, "email-taken", 409, "The e-mail address belongs to another user",           \
		"Another user already has this e-mail address, and two users cannot "              \
		"share one.",                                                                      \
		"Use another address, or find its user with GET "                                  \
		"/user-subscription/users?email=….")                                               \
	X(ALREADY_SUBSCRIBED, "already-subscribed", 409, "The user has a subscription already",    \
		"A user has at most one running subscription, and this user has one.",             \
		"Change it with POST /user-subscription/upgrade, or cancel it first.")             \
	X(NO_CHANGE, "no-change", 409, "That is what the user has already",                        \
		"Package and billing cycle are those that the subscription has, or that are "      \
		"planned already. Nothing was done.",                                              \
		"Choose another package or cycle; POST /user-subscription/resume takes back "      \
		"what is planned.")                                                                \
	X(NOTHING_PLANNED, "nothing-planned", 409, "Nothing is planned",                           \
		"There is no cancellation and no change to take back.",                            \
		"Look at \"pending_change\" in GET /user-subscription/user/{user_id}: it is "      \
		"null.")                                                                           \
	X(IDEMPOTENCY_BUSY, "idempotency-busy", 409, "The same request is still running",          \
		"A request with this Idempotency-Key is still being worked on.",                   \
		"Wait as long as Retry-After says, then send it again with the same key: "         \
		"you will get the first one's answer.")                                            \
	X(LENGTH_REQUIRED, "length-required", 411, "The request must say how long its body is",    \
		"A request body was sent in chunks, or without a Content-Length.",                 \
		"Send the body whole, with a Content-Length header.")                              \
	X(PAYLOAD_TOO_LARGE, "payload-too-large", 413, "The request body is too large",            \
		"The body is larger than this service takes (the setting HTTP_MAX_BODY).",         \
		"Send less. Whoever operates the service may raise HTTP_MAX_BODY.")                \
	X(URI_TOO_LONG, "uri-too-long", 414, "The address of the request is too long",             \
		"The path and query together are longer than this service takes.",                 \
		"Shorten the query.")                                                              \
	X(UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", 415, "The body must be JSON",          \
		"The request body is declared as something other than what this address "          \
		"takes.",                                                                          \
		"Send JSON in UTF-8 with the header \"Content-Type: application/json\".")          \
	X(EXPECTATION_FAILED, "expectation-failed", 417, "The expectation cannot be met",          \
		"The request has an Expect header other than 100-continue.",                       \
		"Leave the header Expect out.")                                                    \
	X(VALIDATION, "validation", 422, "Some fields are not right",                              \
		"The body is JSON, but fields are missing, unknown or have values that "           \
		"cannot be taken. Nothing was stored.",                                            \
		"\"errors\" in the answer names every field by JSON pointer and says "             \
		"what is wrong; correct them all and send the request again.")                     \
	X(IDEMPOTENCY_MISMATCH, "idempotency-mismatch", 422,                                       \
		"The Idempotency-Key was used for another request",                                \
		"A request with this Idempotency-Key was answered before, and its body "           \
		"was different. Nothing was done.",                                                \
		"Use a new key for a new request; repeat the old body exactly to get its "         \
		"answer.")                                                                         \
	X(TOO_MANY_REQUESTS, "too-many-requests", 429, "Too many requests",                        \
		"More requests came than this service takes from one side in this time.",          \
		"Wait as long as Retry-After says, then go on more slowly.")                       \
	X(HEADERS_TOO_LARGE, "headers-too-large", 431, "The request's headers are too large",      \
		"The header fields together are larger than this service takes.",                  \
		"Send fewer or shorter headers; often it is old cookies that fill them.")          \
	X(INTERNAL_ERROR, "internal-error", 500, "Something went wrong on our side",               \
		"The service met a fault that it did not expect. The log of the service "          \
		"names it.",                                                                       \
		"Try again later. If it stays, tell whoever operates the service the "             \
		"time and the address.")                                                           \
	X(METHOD_UNKNOWN, "method-unknown", 501, "The method is not known",                        \
		"The request's method is none that this service knows.",                           \
		"Use GET, HEAD, POST, PUT, DELETE or OPTIONS.")                                    \
	X(STORE_UNAVAILABLE, "store-unavailable", 503, "The data cannot be reached just now",      \
		"The database that the answer needs is starting, away or too slow. A "             \
		"write may or may not have happened.",                                             \
		"Wait as long as Retry-After says, then send the same request again; a "           \
		"POST with the same Idempotency-Key.")                                             \
	X(OVERLOADED, "overloaded", 503, "Too much is waiting",                                    \
		"More work waits than can be done in time, or the service is being "               \
		"stopped. The request was not begun.",                                             \
		"Wait as long as Retry-After says, then send the same request again.")

enum td_problem {
#define TD_PROBLEM_ENUM(name, code, http, title, happened, remedy) TD_PROBLEM_##name,
	TD_PROBLEM_MAP(TD_PROBLEM_ENUM)
#undef TD_PROBLEM_ENUM
	TD_PROBLEM_COUNT
};

struct td_problem_info {
	const char *code; /* "email-taken" */
	int http;
	const char *title;
	const char *happened, *remedy; /* sentences for the page that explains it */
};

/* Static storage. */
const struct td_problem_info *td_problem_info(enum td_problem problem);

/* NULL when there is none of that code. */
const struct td_problem_info *td_problem_find(struct td_slice code);

#endif
