/* Rules for text that people type: what may be in it, and where it ends. */
#ifndef TD_APP_TEXT_H
#define TD_APP_TEXT_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* Without the spaces of any script (Unicode's Zs) at both ends. `text` must be valid UTF-8. */
struct td_slice app_text_trim(struct td_slice text);

/* One line: valid UTF-8, none of td_utf8_is_control, at least one character that shows. NULL, or a
 * sentence for the field's owner; static storage. `text` is taken as it is: trim it before. */
const char *app_text_fault(struct td_slice text);

/* An address like those that mail systems take today: a subset of RFC 5321's Mailbox with RFC
 * 6531's UTF-8. Local part: a dot-atom of at most 64 bytes; domain: two or more labels of letters,
 * digits and hyphens, the last not a number. No quoted local parts, comments or address literals;
 * at most 254 bytes in all. NULL or a sentence, as above. */
const char *app_email_fault(struct td_slice email);

#endif
