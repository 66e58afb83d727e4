/* Authorization and Idempotency-Key. */
#include "fuzz.h"

#include "api/auth.h"
#include "api/idempotency.h"

static void read_key(struct td_slice value)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct td_slice key;
	if (api_idempotency_key(value, &arena, &key)) {
		FUZZ_CLAIM(key.len >= 1 && key.len <= 255);
		for (size_t i = 0; i < key.len; i++)
			FUZZ_CLAIM(key.ptr[i] > 0x20 && key.ptr[i] < 0x7F);
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
