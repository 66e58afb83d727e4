/* Cookies that carry a token (app/session.h): of a session, and of a visitor's forms. */
#ifndef TD_CALL_SESSION_H
#define TD_CALL_SESSION_H

#include "base/slice.h"
#include "call/call.h"

#include <stdbool.h>
#include <stdint.h>

enum call_cookie {
	CALL_COOKIE_SESSION,
	CALL_COOKIE_CSRF, /* of who is not signed in */
	CALL_COOKIE_COUNT,
};

/* "session", or "__Host-session" where PUBLIC_URL is https. Static storage. */
const char *call_cookie_name(const struct calls *calls, enum call_cookie cookie);

/* The cookie's token in the request, or an empty slice with a NULL pointer where there is none that
 * could be ours. */
struct td_slice call_cookie_token(
	const struct calls *calls, struct http_request *rq, enum call_cookie cookie);

/* Sets the cookie for `ttl_ms` (0: until the browser ends): HttpOnly, SameSite=Lax, Path=/, Secure
 * where PUBLIC_URL is https. An empty token deletes it. False: no memory. */
bool call_cookie_set(const struct calls *calls, struct http_request *rq, enum call_cookie cookie,
	struct td_slice token, int64_t ttl_ms) TD_MUST_CHECK;

#endif
