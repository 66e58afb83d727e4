/* Bytes that grow. Sticky: after the first failure (no memory, over the limit) every later write
 * does nothing, and one look at `failed` at the end decides. */
#ifndef TD_BASE_BUF_H
#define TD_BASE_BUF_H

#include "base/compiler.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct td_buf {
	char *ptr;    /* owned; td_buf_done() frees it */
	size_t len;   /* bytes written */
	size_t cap;   /* bytes allocated */
	size_t limit; /* len never passes this; 0: no limit */
	bool failed;
};

#define TD_BUF_INIT         \
	{                   \
		.ptr = NULL \
	}

void td_buf_done(struct td_buf *b);

/* Overwrites its memory, where a secret has been. Empty again. */
void td_buf_wipe(struct td_buf *b);

/* Empty again and not failed; keeps its memory. */
void td_buf_reset(struct td_buf *b);

/* Room for `more` bytes and a NUL behind len: the place to write them, or NULL and failed. */
char *td_buf_reserve(struct td_buf *b, size_t more);

void td_buf_put(struct td_buf *b, const void *bytes, size_t len);
void td_buf_put_str(struct td_buf *b, const char *text);
void td_buf_put_slice(struct td_buf *b, struct td_slice s);
void td_buf_put_char(struct td_buf *b, char c);
void td_buf_put_u64(struct td_buf *b, uint64_t number);
void td_buf_put_i64(struct td_buf *b, int64_t number);
void td_buf_printf(struct td_buf *b, const char *fmt, ...) TD_PRINTF(2, 3);

/* The bytes with a NUL behind them (not counted in len); NULL when failed. Valid until the next
 * write. */
const char *td_buf_cstr(struct td_buf *b);

static inline struct td_slice td_buf_slice(const struct td_buf *b)
{
	return (struct td_slice){b->ptr, b->len};
}

#endif
