/* Which of the languages that we have does a visitor want? Pure. */
#ifndef TD_PAGE_LANGUAGE_H
#define TD_PAGE_LANGUAGE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

#define LANGUAGE_MOST 8 /* languages at once */

/* What a request says about languages; empty slices where it says nothing. */
struct language_wish {
	struct td_slice query;  /* ?lang= */
	struct td_slice cookie; /* the value of the cookie `lang` */
	struct td_slice accept; /* Accept-Language */
};

/* The index of the language for this visitor: the query's, else the cookie's, else the one
 * that Accept-Language likes best (RFC 9110 12.5.4, looked up as RFC 4647 3.4: "es-MX" finds "es"),
 * else 0. A value that is no language of ours counts as not given. `codes` are lower case. */
size_t language_choose(
	const struct td_slice *codes, size_t count, const struct language_wish *wish);

/* The index of the code or of what it begins with ("es-MX", "ES"); `count` where there is none. */
size_t language_find(const struct td_slice *codes, size_t count, struct td_slice wanted);

/* The same for Accept-Language alone; `count` where nothing in it fits. At most the first 64
 * elements are looked at; one that is not well formed is skipped. */
size_t language_accept(const struct td_slice *codes, size_t count, struct td_slice header);

/* A weight of RFC 9110 12.4.2 ("0.8", "1", "1.000") in thousandths. False: not one. */
bool language_weight(struct td_slice text, unsigned *ret_thousandths);

#endif
