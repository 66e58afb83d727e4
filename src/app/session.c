#include "app/session.h"

#include <sodium.h>

#define TOKEN_BYTES 32

static void write_token(const uint8_t bytes[TOKEN_BYTES], char out[APP_TOKEN_TEXT_SIZE])
{
	_Static_assert(sodium_base64_ENCODED_LEN(TOKEN_BYTES,
			       sodium_base64_VARIANT_URLSAFE_NO_PADDING) == APP_TOKEN_TEXT_SIZE,
		"a token fits");
	(void)sodium_bin2base64(out, APP_TOKEN_TEXT_SIZE, bytes, TOKEN_BYTES,
		sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void app_token_generate(char out[APP_TOKEN_TEXT_SIZE])
{
	uint8_t bytes[TOKEN_BYTES];
	randombytes_buf(bytes, sizeof(bytes));
	write_token(bytes, out);
	sodium_memzero(bytes, sizeof(bytes));
}

bool app_token_is_wellformed(struct td_slice token)
{
	uint8_t bytes[TOKEN_BYTES];
	size_t len = 0;
	bool is_one = token.len == APP_TOKEN_LEN &&
		      sodium_base642bin(bytes, sizeof(bytes), token.ptr, token.len, NULL, &len,
			      NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
		      len == sizeof(bytes);
	sodium_memzero(bytes, sizeof(bytes));
	return is_one;
}

void app_token_hash(struct td_slice token, uint8_t out[TD_SHA256_SIZE])
{
	td_sha256(token, out);
}

void app_csrf_make(struct td_slice cookie_token, char out[APP_TOKEN_TEXT_SIZE])
{
	static const char purpose[] = "csrf:";
	uint8_t digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;
	_Static_assert(sizeof(digest) == TOKEN_BYTES, "a digest is as long as a token");
	(void)crypto_hash_sha256_init(&state);
	(void)crypto_hash_sha256_update(&state, (const uint8_t *)purpose, sizeof(purpose) - 1);
	if (cookie_token.len > 0)
		(void)crypto_hash_sha256_update(
			&state, (const uint8_t *)cookie_token.ptr, cookie_token.len);
	(void)crypto_hash_sha256_final(&state, digest);
	write_token(digest, out);
}

bool app_csrf_matches(struct td_slice cookie_token, struct td_slice sent)
{
	char expected[APP_TOKEN_TEXT_SIZE];
	if (cookie_token.len == 0 || sent.len != APP_TOKEN_LEN)
		return false;
	app_csrf_make(cookie_token, expected);
	return sodium_memcmp(expected, sent.ptr, APP_TOKEN_LEN) == 0;
}
