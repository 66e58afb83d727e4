/* API keys: "td_", 26 random characters and 6 of a checksum, all of 0-9A-Za-z. 26 of 62 characters
 * are 154 bits. The checksum (the first 32 bits of SHA-256 over what stands before it, in base 62)
 * tells a mistyped or cut key from a wrong one without asking a store, and lets scanners of leaked
 * secrets be sure. Only the hash of a key is ever stored. */
#ifndef TD_APP_APIKEY_H
#define TD_APP_APIKEY_H

#include "base/digest.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define APIKEY_PREFIX    "td_"
#define APIKEY_RANDOM    26
#define APIKEY_CHECKSUM  6
#define APIKEY_LEN       (sizeof(APIKEY_PREFIX) - 1 + APIKEY_RANDOM + APIKEY_CHECKSUM)
#define APIKEY_TEXT_SIZE (APIKEY_LEN + 1) /* with its NUL */

/* A new key from libsodium's generator; sodium_init() must have been called. Any thread. The caller
 * shows it once and wipes it (apikey_wipe). */
void apikey_generate(char out[APIKEY_TEXT_SIZE]);

/* Length, prefix, alphabet and checksum are right: it may be a key of ours. */
bool apikey_is_wellformed(struct td_slice key);

/* What the store keeps and compares: SHA-256 of the whole text. The key has enough random bits that
 * neither salt nor a slow hash would add anything. */
void apikey_hash(struct td_slice key, uint8_t out[TD_SHA256_SIZE]);

/* Zeroes that the compiler does not take away. */
void apikey_wipe(char *key, size_t len);

/* What `apikey create --name` takes: 1 to 100 characters, UTF-8, no control characters, no space at
 * either end. On false *ret_why says what is wrong and what to do; static storage. */
bool apikey_check_name(struct td_slice name, const char **ret_why);

#endif
