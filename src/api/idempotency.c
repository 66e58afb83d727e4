#include "api/idempotency.h"

#include <sodium.h>

#define KEY_MAX 255

static bool is_visible(char c)
{
	return c >= 0x21 && c <= 0x7E;
}

/* What stands between the quotes, without the backslashes of its escapes. */
static bool unquote(struct td_slice inner, struct td_arena *arena, struct td_slice *ret_key)
{
	char *out = td_arena_alloc(arena, inner.len + 1);
	if (out == NULL)
		return false;
	size_t len = 0;
	for (size_t i = 0; i < inner.len; i++) {
		char c = inner.ptr[i];
		if (c == '"')
			return false;
		if (c == '\\') {
			if (++i == inner.len || (inner.ptr[i] != '"' && inner.ptr[i] != '\\'))
				return false;
			c = inner.ptr[i];
		}
		out[len++] = c;
	}
	*ret_key = td_slice(out, len);
	return true;
}

bool api_idempotency_key(struct td_slice value, struct td_arena *arena, struct td_slice *ret_key)
{
	struct td_slice key = value;
	if (value.len > 0 && value.ptr[0] == '"') {
		/* Twice the limit holds every escaped key: more is not worth the memory. */
		if (value.len < 2 || value.len > 2 * KEY_MAX + 2 ||
			value.ptr[value.len - 1] != '"' ||
			!unquote(td_slice(value.ptr + 1, value.len - 2), arena, &key))
			return false;
	}
	if (key.len < 1 || key.len > KEY_MAX)
		return false;
	for (size_t i = 0; i < key.len; i++) {
		if (!is_visible(key.ptr[i]))
			return false;
	}
	*ret_key = key;
	return true;
}

static void digest_part(crypto_hash_sha256_state *state, struct td_slice part)
{
	uint64_t len = part.len;
	uint8_t prefix[8];
	for (size_t i = 0; i < sizeof(prefix); i++, len >>= 8)
		prefix[i] = (uint8_t)len;
	(void)crypto_hash_sha256_update(state, prefix, sizeof(prefix));
	(void)crypto_hash_sha256_update(state, (const unsigned char *)part.ptr, part.len);
}

/* The lengths keep "ab" + "c" apart from "a" + "bc". */
static void digest_parts(
	struct td_slice a, struct td_slice b, struct td_slice c, uint8_t out[TD_SHA256_SIZE])
{
	crypto_hash_sha256_state state;
	(void)crypto_hash_sha256_init(&state);
	digest_part(&state, a);
	digest_part(&state, b);
	digest_part(&state, c);
	(void)crypto_hash_sha256_final(&state, out);
}

void api_idempotency_fingerprint(struct td_slice method, struct td_slice path, struct td_slice body,
	uint8_t out[TD_SHA256_SIZE])
{
	digest_parts(method, path, body, out);
}

void api_running_init(struct api_running *running, struct td_slice caller, struct td_slice route,
	struct td_slice key)
{
	digest_parts(caller, route, key, running->digest);
	running->next = NULL;
	running->listed = false;
}

static struct api_running **bucket_of(
	struct api_running_set *set, const struct api_running *running)
{
	return &set->buckets[running->digest[0] % API_RUNNING_BUCKETS];
}

bool api_running_add(struct api_running_set *set, struct api_running *running)
{
	struct api_running **bucket = bucket_of(set, running);
	for (const struct api_running *at = *bucket; at != NULL; at = at->next) {
		if (memcmp(at->digest, running->digest, sizeof(at->digest)) == 0)
			return false;
	}
	running->next = *bucket;
	running->listed = true;
	*bucket = running;
	return true;
}

void api_running_remove(struct api_running_set *set, struct api_running *running)
{
	if (!running->listed)
		return;
	struct api_running **at = bucket_of(set, running);
	while (*at != running)
		at = &(*at)->next;
	*at = running->next;
	running->listed = false;
}
