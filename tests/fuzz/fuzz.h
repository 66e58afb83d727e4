/* What every fuzz target shares. A target is one function over any bytes: it may not crash, leak,
 * hang, or break one of the claims that it makes with FUZZ_CLAIM. */
#ifndef TD_TESTS_FUZZ_FUZZ_H
#define TD_TESTS_FUZZ_FUZZ_H

#include "base/compiler.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Something that must hold whatever the bytes were. */
#define FUZZ_CLAIM(claim) td_assert(claim)

static inline struct td_slice fuzz_slice(const uint8_t *data, size_t size)
{
	return td_slice((const char *)data, size);
}

/* The first byte chooses among `count` ways; the rest is the input. Nothing: way 0. */
static inline size_t fuzz_choose(const uint8_t **data, size_t *size, size_t count)
{
	if (*size == 0)
		return 0;
	size_t way = **data % count;
	(*data)++;
	(*size)--;
	return way;
}

/* True where `inner` lies within `outer`, its end included. */
static inline bool fuzz_is_within(struct td_slice inner, struct td_slice outer)
{
	return inner.len <= outer.len && (uintptr_t)inner.ptr >= (uintptr_t)outer.ptr &&
	       (uintptr_t)inner.ptr - (uintptr_t)outer.ptr <= outer.len - inner.len;
}

#endif
