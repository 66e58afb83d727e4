/* Secrets that a cookie or a link carries: 32 random bytes as base64url (RFC 4648 section 5,
 * without padding). A store keeps only their hashes; they have enough random bits that neither salt
 * nor a slow hash would add anything. Any thread. */
#ifndef TD_APP_SESSION_H
#define TD_APP_SESSION_H

#include "base/digest.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define APP_TOKEN_LEN       43
#define APP_TOKEN_TEXT_SIZE (APP_TOKEN_LEN + 1) /* with its NUL */

/* A new one from libsodium's generator; sodium_init() must have been called. */
void app_token_generate(char out[APP_TOKEN_TEXT_SIZE]);

/* Length, alphabet and the unused bits at the end are right: it may be one of ours. */
bool app_token_is_wellformed(struct td_slice token);

/* What a store keeps and compares. */
void app_token_hash(struct td_slice token, uint8_t out[TD_SHA256_SIZE]);

/* Forms carry a token that follows from the cookie's, so that only a page of ours can have made
 * them for this browser: nothing is kept for it, and the cookie's token cannot be got back from it.
 */
void app_csrf_make(struct td_slice cookie_token, char out[APP_TOKEN_TEXT_SIZE]);

/* In a time that does not depend on what was sent. False for an empty cookie token. */
bool app_csrf_matches(struct td_slice cookie_token, struct td_slice sent);

#endif
