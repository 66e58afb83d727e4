/* Memory that is given back all at once: one arena a request or operation. One thread at a time.
 * Sticky: after a failure every later call fails too, and `failed` tells at the end. */
#ifndef TD_BASE_ARENA_H
#define TD_BASE_ARENA_H

#include "base/compiler.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

struct td_arena_block;

struct td_arena {
	struct td_arena_block *blocks; /* newest first; owned */
	size_t used;                   /* bytes taken from the newest block */
	size_t total;                  /* bytes of all blocks */
	size_t limit;                  /* total never passes this; 0: no limit */
	bool failed;
};

#define TD_ARENA_INIT          \
	{                      \
		.blocks = NULL \
	}

void td_arena_done(struct td_arena *a);

/* Everything given out is gone; one block is kept for the next use. */
void td_arena_reset(struct td_arena *a);

/* Zeroed, aligned for any type; NULL when there is no memory or the limit is reached. */
void *td_arena_alloc(struct td_arena *a, size_t size) TD_MUST_CHECK;

/* count * size, NULL also where the product does not fit. */
void *td_arena_array(struct td_arena *a, size_t count, size_t size) TD_MUST_CHECK;

/* A copy with a NUL behind it (a NUL byte inside stays inside). NULL as above. */
char *td_arena_strndup(struct td_arena *a, const char *text, size_t len) TD_MUST_CHECK;

/* The copy as a slice; an empty slice with a NULL pointer when it failed. */
struct td_slice td_arena_slice(struct td_arena *a, struct td_slice s);

/* NULL as above. */
char *td_arena_printf(struct td_arena *a, const char *fmt, ...) TD_PRINTF(2, 3) TD_MUST_CHECK;

#endif
