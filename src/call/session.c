#include "call/session.h"

#include <sodium.h>

#define TOKEN_BYTES 32

void call_token_make(char out[CALL_TOKEN_SIZE])
{
	unsigned char bytes[TOKEN_BYTES];
	_Static_assert(sodium_base64_ENCODED_LEN(TOKEN_BYTES,
			       sodium_base64_VARIANT_URLSAFE_NO_PADDING) == CALL_TOKEN_SIZE,
		"32 bytes are 43 characters");
	randombytes_buf(bytes, sizeof(bytes));
	(void)sodium_bin2base64(out, CALL_TOKEN_SIZE, bytes, sizeof(bytes),
		sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(bytes, sizeof(bytes));
}

static bool is_of_the_alphabet(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

bool call_token_hash(struct td_slice token, uint8_t out[TD_SHA256_SIZE])
{
	if (token.len != CALL_TOKEN_LEN)
		return false;
	for (size_t i = 0; i < token.len; i++) {
		if (!is_of_the_alphabet(token.ptr[i]))
			return false;
	}
	td_sha256(token, out);
	return true;
}

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
	uint8_t hash[TD_SHA256_SIZE];
	if (!http_cookie(rq, call_cookie_name(calls, cookie), &token) ||
		!call_token_hash(token, hash))
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
