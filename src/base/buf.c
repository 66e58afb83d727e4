#include "base/buf.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BUF_FIRST 256

void td_buf_done(struct td_buf *b)
{
	td_free(b->ptr);
	*b = (struct td_buf){.limit = b->limit};
}

void td_buf_wipe(struct td_buf *b)
{
	if (b->ptr != NULL)
		explicit_bzero(b->ptr, b->cap);
	td_buf_reset(b);
}

void td_buf_reset(struct td_buf *b)
{
	b->len = 0;
	b->failed = false;
}

static size_t grown_cap(const struct td_buf *b, size_t needed)
{
	size_t cap = b->cap != 0 ? b->cap : BUF_FIRST;
	while (cap < needed)
		cap = cap > SIZE_MAX / 2 ? needed : cap * 2;
	return cap;
}

/* Room for `more` bytes and a NUL; the NUL does not count towards the limit. */
char *td_buf_reserve(struct td_buf *b, size_t more)
{
	size_t limit = b->limit != 0 && b->limit < SIZE_MAX ? b->limit : SIZE_MAX - 1;
	if (b->failed || more > limit - b->len) {
		b->failed = true;
		return NULL;
	}
	size_t needed = b->len + more + 1;
	if (needed > b->cap) {
		size_t cap = grown_cap(b, needed);
		char *ptr = td_realloc_array(b->ptr, cap, 1);
		if (ptr == NULL) {
			b->failed = true;
			return NULL;
		}
		b->ptr = ptr;
		b->cap = cap;
	}
	return b->ptr + b->len;
}

void td_buf_put(struct td_buf *b, const void *bytes, size_t len)
{
	char *to = td_buf_reserve(b, len);
	if (to == NULL || len == 0)
		return;
	memcpy(to, bytes, len);
	b->len += len;
}

void td_buf_put_str(struct td_buf *b, const char *text)
{
	td_buf_put(b, text, strlen(text));
}

void td_buf_put_slice(struct td_buf *b, struct td_slice s)
{
	td_buf_put(b, s.ptr, s.len);
}

void td_buf_put_char(struct td_buf *b, char c)
{
	td_buf_put(b, &c, 1);
}

void td_buf_put_u64(struct td_buf *b, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	td_buf_put(b, digits + at, sizeof(digits) - at);
}

void td_buf_put_i64(struct td_buf *b, int64_t number)
{
	if (number < 0) {
		td_buf_put_char(b, '-');
		td_buf_put_u64(b, ~(uint64_t)number + 1);
	} else {
		td_buf_put_u64(b, (uint64_t)number);
	}
}

void td_buf_printf(struct td_buf *b, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	va_list again;
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	char *to = len < 0 ? NULL : td_buf_reserve(b, (size_t)len);
	if (to != NULL) {
		(void)vsnprintf(to, (size_t)len + 1, fmt, again);
		b->len += (size_t)len;
	} else {
		b->failed = true;
	}
	va_end(again);
}

const char *td_buf_cstr(struct td_buf *b)
{
	char *end = td_buf_reserve(b, 0);
	if (end == NULL)
		return NULL;
	*end = '\0';
	return b->ptr;
}
