/* application/x-www-form-urlencoded (the URL standard, section 5): queries and forms. Pure; hostile
 * input. */
#ifndef TD_HTTP_FORM_H
#define TD_HTTP_FORM_H

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct http_pair {
	struct td_slice name;  /* not empty */
	struct td_slice value; /* perhaps empty */
};

struct http_form {
	struct http_pair *pairs; /* in the arena, in the order of the text */
	size_t count;
};

#define HTTP_FORM_PAIRS_MOST 256

/* "a=1&b=x+y%20z": names and values decoded into the arena ('+' is a space), which may be the only
 * allocation. Pieces without a name are left out, "a" is "a=". The order stays, repeats too.
 *   TD_OK       *ret_form lives as long as the arena (and `text`)
 *   TD_INVALID  '%' without two hexadecimal digits, a NUL, not UTF-8
 *   TD_TOOBIG   more than HTTP_FORM_PAIRS_MOST pairs
 *   TD_NOMEM */
enum td_status http_form_decode(
	struct td_slice text, struct td_arena *arena, struct http_form *ret_form) TD_MUST_CHECK;

/* The first value of that name; false, and *ret_value untouched, when there is none. */
bool http_form_get(const struct http_form *form, const char *name, struct td_slice *ret_value);

/* How many values a name has: 2 and more is a repeated one. */
size_t http_form_count(const struct http_form *form, const char *name);

#endif
