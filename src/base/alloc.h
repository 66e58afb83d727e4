/* The only door to the heap; malloc and its family are poisoned elsewhere (tools/check_layers.py
 * looks). A test makes the n-th allocation fail through td_alloc_set_gate(). */
#ifndef TD_BASE_ALLOC_H
#define TD_BASE_ALLOC_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

/* All of them: NULL when there is no memory; the caller owns the result and gives it to td_free().
 */
void *td_alloc(size_t size) TD_MUST_CHECK;
void *td_alloc_zero(size_t size) TD_MUST_CHECK;

/* count * size bytes, zeroed; NULL also where the product does not fit. */
void *td_alloc_array(size_t count, size_t size) TD_MUST_CHECK;

/* On NULL the old block is untouched and still the caller's. */
void *td_realloc_array(void *block, size_t count, size_t size) TD_MUST_CHECK;

/* A copy of `len` bytes with a NUL behind them. */
char *td_strndup(const char *text, size_t len) TD_MUST_CHECK;
char *td_strdup(const char *text) TD_MUST_CHECK;

/* NULL is fine. */
void td_free(void *block);

/* Tests only: asked before every allocation; false makes it fail. NULL: no gate. Set while one
 * thread runs. */
typedef bool td_alloc_gate_fn(void);
void td_alloc_set_gate(td_alloc_gate_fn *gate);

#endif
