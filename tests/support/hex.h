/* Bytes written as hexadecimal digits, spaces between them as one likes. */
#ifndef TD_TESTS_SUPPORT_HEX_H
#define TD_TESTS_SUPPORT_HEX_H

#include "base/buf.h"
#include "base/slice.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Behind what `out` holds. */
static inline void hex_put(struct td_buf *out, const char *digits)
{
	static const char all[] = "0123456789abcdef";
	unsigned value = 0, count = 0;
	for (; *digits != '\0'; digits++) {
		const char *at = strchr(all, tolower((unsigned char)*digits));
		if (at == NULL)
			continue;
		value = value << 4 | (unsigned)(at - all);
		if (++count % 2 == 0)
			td_buf_put_char(out, (char)value);
	}
}

/* In lower case without spaces; valid until the next call with the same buffer. */
static inline const char *hex_text(struct td_buf *out, struct td_slice bytes)
{
	td_buf_reset(out);
	for (size_t i = 0; i < bytes.len; i++)
		td_buf_printf(out, "%02x", (unsigned)(unsigned char)bytes.ptr[i]);
	return td_buf_cstr(out);
}

#endif
