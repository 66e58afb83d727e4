/* What an analyzer does not see from another file: what these functions give back, and that memory
 * is the heap's. It is included before each file of src/ that is analyzed, but for those that
 * define them. */
#ifndef TD_TOOLS_MODELS_H
#define TD_TOOLS_MODELS_H

#include "base/alloc.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

#define td_err_set(err, status, ...) \
	(td_err_set(err, status, __VA_ARGS__), (enum td_status)(status))
#define td_err_errno(err, status, number, ...) \
	(td_err_errno(err, status, number, __VA_ARGS__), (enum td_status)(status))

#define td_alloc(size)                       malloc(size)
#define td_alloc_zero(size)                  calloc(1, size)
#define td_alloc_array(count, size)          calloc(count, size)
#define td_realloc_array(block, count, size) reallocarray(block, count, size)
#define td_strndup(text, len)                strndup(text, len)
#define td_strdup(text)                      strdup(text)
#define td_free(block)                       free(block)

#endif
