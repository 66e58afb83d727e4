/* Authorization and Idempotency-Key. */
#include "fuzz.h"

#include "api/auth.h"
#include "api/idempotency.h"

/* A key that runs is running until it is done. */
static void run_twice(struct td_slice key)
{
	static struct api_running_set set;
	struct api_running one, two, other;
	api_running_init(&one, TD_SLICE("caller"), TD_SLICE("route"), key);
	api_running_init(&two, TD_SLICE("caller"), TD_SLICE("route"), key);
	api_running_init(&other, TD_SLICE("caller"), key, TD_SLICE("route"));
	FUZZ_CLAIM(api_running_add(&set, &one));
	FUZZ_CLAIM(!api_running_add(&set, &two));
	FUZZ_CLAIM(td_slice_is(key, "route") != api_running_add(&set, &other));
	api_running_remove(&set, &other);
	api_running_remove(&set, &two);
	api_running_remove(&set, &one);
	uint8_t print[TD_SHA256_SIZE], same[TD_SHA256_SIZE];
	api_idempotency_fingerprint(key, TD_SLICE("/x"), key, print);
	api_idempotency_fingerprint(key, TD_SLICE("/x"), key, same);
	FUZZ_CLAIM(memcmp(print, same, sizeof(print)) == 0);
}

static void read_key(struct td_slice value)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct td_slice key;
	if (api_idempotency_key(value, &arena, &key)) {
		FUZZ_CLAIM(key.len >= 1 && key.len <= 255);
		for (size_t i = 0; i < key.len; i++)
			FUZZ_CLAIM(key.ptr[i] > 0x20 && key.ptr[i] < 0x7F);
		run_twice(key);
	}
	td_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t way = fuzz_choose(&data, &size, 4);
	struct td_slice value = fuzz_slice(data, size);
	uint8_t hash[TD_SHA256_SIZE];
	const char *why = NULL;
	if (way == 0)
		read_key(value);
	else if (!api_auth_read(value, way - 1, hash, &why))
		FUZZ_CLAIM(why != NULL && why[0] != '\0');
	return 0;
}
