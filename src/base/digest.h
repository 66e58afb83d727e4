/* SHA-256 (FIPS 180-4) through libsodium, and hexadecimal text of bytes. */
#ifndef TD_BASE_DIGEST_H
#define TD_BASE_DIGEST_H

#include "base/slice.h"

#include <stdint.h>

#define TD_SHA256_SIZE      32
#define TD_SHA256_TEXT_SIZE 65 /* with its NUL */

void td_sha256(struct td_slice bytes, uint8_t out[TD_SHA256_SIZE]);

/* Lower-case hexadecimal, with a NUL: `out` holds 2 * len + 1 bytes. */
void td_hex(const uint8_t *bytes, size_t len, char *out);

#endif
