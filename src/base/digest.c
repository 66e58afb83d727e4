#include "base/digest.h"

#include <sodium.h>

void td_sha256(struct td_slice bytes, uint8_t out[TD_SHA256_SIZE])
{
	(void)crypto_hash_sha256(out, (const unsigned char *)bytes.ptr, bytes.len);
}

void td_hex(const uint8_t *bytes, size_t len, char *out)
{
	(void)sodium_bin2hex(out, len * 2 + 1, bytes, len);
}
