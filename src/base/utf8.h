/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef TD_BASE_UTF8_H
#define TD_BASE_UTF8_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes one character off *rest. False, and *rest unchanged, where the bytes are not UTF-8 or there
 * are none. */
bool td_utf8_next(struct td_slice *rest, uint32_t *ret_code_point);

bool td_utf8_is_valid(struct td_slice text);

/* Characters (code points); `text` must be valid. */
size_t td_utf8_count(struct td_slice text);

/* The greatest n <= len at which cutting `text` splits no character. */
size_t td_utf8_floor(const char *text, size_t len);

/* True where a person's text may not hold the character: C0 and C1 controls, DEL, U+2028, U+2029,
 * the bidirectional overrides, non-characters. */
bool td_utf8_is_control(uint32_t code_point);

#endif
