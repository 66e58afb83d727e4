/* Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07): what it may be, what tells a
 * repeated request from another one, and which requests with a key are running in this process. */
#ifndef TD_API_IDEMPOTENCY_H
#define TD_API_IDEMPOTENCY_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define API_IDEMPOTENCY_KEPT_MS INT64_C(86400000) /* 24 hours */

/* The key in a header's value: 1 to 255 visible ASCII characters as they are, or between quotes as
 * a string of RFC 8941 (\" and \\ are one character); both forms of a key are the same key. The
 * result may be in the arena. False: not such a value (or no memory). */
bool api_idempotency_key(struct td_slice value, struct td_arena *arena, struct td_slice *ret_key);

/* SHA-256 over method, path and body, each with its length before it. */
void api_idempotency_fingerprint(struct td_slice method, struct td_slice path, struct td_slice body,
	uint8_t out[TD_SHA256_SIZE]);

/* ---- running requests
 * -------------------------------------------------------------------------- */

/* One running request; part of whoever runs it. */
struct api_running {
	uint8_t digest[TD_SHA256_SIZE];
	struct api_running *next;
	bool listed;
};

#define API_RUNNING_BUCKETS 256

/* A set of them. Its owner's lock guards it. */
struct api_running_set {
	struct api_running *buckets[API_RUNNING_BUCKETS];
};

/* Which key of which caller on which route. Any thread. */
void api_running_init(struct api_running *running, struct td_slice caller, struct td_slice route,
	struct td_slice key);

/* False: one like it is there already, and `running` was not added. */
bool api_running_add(struct api_running_set *set, struct api_running *running);

/* One that is not listed is fine. */
void api_running_remove(struct api_running_set *set, struct api_running *running);

#endif
