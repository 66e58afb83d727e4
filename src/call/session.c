#include "call/session.h"

#include "app/session.h"

const char *call_cookie_name(const struct calls *calls, enum call_cookie cookie)
{
	static const char *const names[CALL_COOKIE_COUNT][2] = {
		[CALL_COOKIE_SESSION] = {"session", "__Host-session"},
		[CALL_COOKIE_CSRF] = {"csrf", "__Host-csrf"},
	};
	return names[cookie][calls_is_https(calls)];
}

struct td_slice call_cookie_token(
	const struct calls *calls, struct http_request *rq, enum call_cookie cookie)
{
	struct td_slice token;
	if (!http_cookie(rq, call_cookie_name(calls, cookie), &token) ||
		!app_token_is_wellformed(token))
		return td_slice(NULL, 0);
	return token;
}

bool call_cookie_set(const struct calls *calls, struct http_request *rq, enum call_cookie cookie,
	struct td_slice token, int64_t ttl_ms)
{
	const char *life = "";
	if (token.len == 0)
		life = "; Max-Age=0";
	else if (ttl_ms > 0)
		life = td_arena_printf(
			http_arena(rq), "; Max-Age=%lld", (long long)(ttl_ms / 1000));
	if (life == NULL)
		return false;
	const char *value = td_arena_printf(http_arena(rq),
		"%s=%.*s; Path=/; HttpOnly; SameSite=Lax%s%s", call_cookie_name(calls, cookie),
		TD_SLICE_ARG(token), life, calls_is_https(calls) ? "; Secure" : "");
	return value != NULL && http_add_header(rq, "Set-Cookie", value);
}
