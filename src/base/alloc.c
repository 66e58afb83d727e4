#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static td_alloc_gate_fn *alloc_gate; /* written by tests before threads start */

static bool may_allocate(void)
{
	return alloc_gate == NULL || alloc_gate();
}

void td_alloc_set_gate(td_alloc_gate_fn *gate)
{
	alloc_gate = gate;
}

void *td_alloc(size_t size)
{
	return may_allocate() ? malloc(size != 0 ? size : 1) : NULL;
}

void *td_alloc_zero(size_t size)
{
	return may_allocate() ? calloc(1, size != 0 ? size : 1) : NULL;
}

void *td_alloc_array(size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size)
		return NULL;
	return td_alloc_zero(count * size);
}

void *td_realloc_array(void *block, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size)
		return NULL;
	size_t bytes = count * size;
	return may_allocate() ? realloc(block, bytes != 0 ? bytes : 1) : NULL;
}

char *td_strndup(const char *text, size_t len)
{
	if (len == SIZE_MAX)
		return NULL;
	char *copy = td_alloc(len + 1);
	if (copy == NULL)
		return NULL;
	if (len != 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *td_strdup(const char *text)
{
	return td_strndup(text, strlen(text));
}

void td_free(void *block)
{
	free(block);
}
