/* Who asks: `Authorization: Bearer td_…` (RFC 6750 section 2.1). Pure; the store says whether the
 * key is in force. */
#ifndef TD_API_AUTH_H
#define TD_API_AUTH_H

#include "base/digest.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `count` is how many Authorization headers there are, `value` the first. False: it holds no key
 * that could be ours, and *ret_why is a sentence with the way out; static storage, nothing of the
 * header in it. */
bool api_auth_read(struct td_slice value, size_t count, uint8_t ret_key_hash[TD_SHA256_SIZE],
	const char **ret_why);

#endif
