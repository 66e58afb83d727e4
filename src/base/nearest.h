/* The nearest known word to a mistyped one: "did you mean …?" */
#ifndef TD_BASE_NEAREST_H
#define TD_BASE_NEAREST_H

#include <stddef.h>

/* The candidate within two edits (insert, delete, replace, swap of neighbours; letters compare
 * without case), or NULL when none is that near. Words over 63 characters are near to nothing. */
const char *td_nearest(const char *word, const char *const *candidates, size_t count);

#endif
