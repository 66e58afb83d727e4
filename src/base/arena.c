#include "base/arena.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#define ARENA_FIRST 1008 /* with its header still small enough for glibc's per-thread cache */
#define ARENA_MOST  65536

struct td_arena_block {
	struct td_arena_block *next;
	size_t size; /* of `bytes` */
	_Alignas(max_align_t) char bytes[];
};

/* Built with -Darena=malloc every piece is a block of its own, so that ASan sees an overrun. */
#ifdef TD_ARENA_MALLOC
static size_t next_block_size(const struct td_arena *a, size_t size)
{
	(void)a;
	return size;
}

static size_t rounded(size_t size)
{
	return size;
}

static bool has_room(const struct td_arena *a, size_t size)
{
	(void)a;
	(void)size;
	return false;
}
#else
static size_t next_block_size(const struct td_arena *a, size_t size)
{
	size_t next = a->blocks == NULL ? ARENA_FIRST : a->blocks->size * 2;
	if (next > ARENA_MOST)
		next = ARENA_MOST;
	return size > next ? size : next;
}

static size_t rounded(size_t size)
{
	const size_t align = _Alignof(max_align_t);
	return size == 0 ? align : (size + align - 1) / align * align;
}

static bool has_room(const struct td_arena *a, size_t size)
{
	return a->blocks != NULL && size <= a->blocks->size - a->used;
}
#endif

static bool add_block(struct td_arena *a, size_t size)
{
	size_t limit = a->limit != 0 ? a->limit : SIZE_MAX;
	size_t left = limit - a->total;
	size_t want = next_block_size(a, size);
	if (want > left)
		want = size;
	if (want > left || want > SIZE_MAX - sizeof(struct td_arena_block))
		return false;
	struct td_arena_block *block = td_alloc(sizeof(*block) + want);
	if (block == NULL)
		return false;
	block->next = a->blocks;
	block->size = want;
	a->blocks = block;
	a->used = 0;
	a->total += want;
	return true;
}

static void free_blocks(struct td_arena_block *block)
{
	while (block != NULL) {
		struct td_arena_block *next = block->next;
		td_free(block);
		block = next;
	}
}

void td_arena_done(struct td_arena *a)
{
	free_blocks(a->blocks);
	*a = (struct td_arena){.limit = a->limit};
}

void td_arena_reset(struct td_arena *a)
{
	a->failed = false;
	a->used = 0;
	if (a->blocks == NULL)
		return;
#ifdef TD_ARENA_MALLOC
	td_arena_done(a);
	return;
#endif
	free_blocks(a->blocks->next);
	a->blocks->next = NULL;
	a->total = a->blocks->size;
}

void *td_arena_alloc(struct td_arena *a, size_t size)
{
	if (a->failed || size > SIZE_MAX - _Alignof(max_align_t)) {
		a->failed = true;
		return NULL;
	}
	size_t want = rounded(size);
	if (!has_room(a, want) && !add_block(a, want)) {
		a->failed = true;
		return NULL;
	}
	char *at = a->blocks->bytes + a->used;
	a->used += want;
	memset(at, 0, want);
	return at;
}

void *td_arena_array(struct td_arena *a, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size) {
		a->failed = true;
		return NULL;
	}
	return td_arena_alloc(a, count * size);
}

char *td_arena_strndup(struct td_arena *a, const char *text, size_t len)
{
	if (len == SIZE_MAX) {
		a->failed = true;
		return NULL;
	}
	char *copy = td_arena_alloc(a, len + 1);
	if (copy != NULL && len != 0)
		memcpy(copy, text, len);
	return copy;
}

struct td_slice td_arena_slice(struct td_arena *a, struct td_slice s)
{
	char *copy = td_arena_strndup(a, s.ptr, s.len);
	return copy != NULL ? td_slice(copy, s.len) : td_slice(NULL, 0);
}

char *td_arena_printf(struct td_arena *a, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	va_list again;
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	a->failed = a->failed || len < 0;
	char *text = len < 0 ? NULL : td_arena_alloc(a, (size_t)len + 1);
	if (text != NULL)
		(void)vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	return text;
}
