/* Borrowed bytes: a pointer and a length, no NUL promised. Valid as long as whoever lent them says.
 */
#ifndef TD_BASE_SLICE_H
#define TD_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct td_slice {
	const char *ptr;
	size_t len;
};

/* A string literal as a slice; printf's "%.*s" takes TD_SLICE_ARG(s). */
#define TD_SLICE(literal) ((struct td_slice){(literal), sizeof(literal) - 1})
#define TD_SLICE_ARG(s)   (int)(s).len, (s).ptr

static inline struct td_slice td_slice(const char *ptr, size_t len)
{
	return (struct td_slice){ptr, len};
}

/* NULL gives an empty slice. */
static inline struct td_slice td_slice_str(const char *text)
{
	return (struct td_slice){text, text != NULL ? strlen(text) : 0};
}

static inline bool td_slice_equal(struct td_slice a, struct td_slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool td_slice_is(struct td_slice a, const char *text)
{
	return td_slice_equal(a, td_slice_str(text));
}

/* ASCII letters compare without case. */
static inline bool td_slice_is_nocase(struct td_slice a, const char *text)
{
	size_t len = strlen(text);
	return a.len == len && (len == 0 || strncasecmp(a.ptr, text, len) == 0);
}

static inline bool td_slice_has_prefix(struct td_slice a, const char *prefix)
{
	size_t len = strlen(prefix);
	return a.len >= len && (len == 0 || memcmp(a.ptr, prefix, len) == 0);
}

/* What follows the first n bytes; empty where there are fewer. */
static inline struct td_slice td_slice_skip(struct td_slice a, size_t n)
{
	size_t skipped = n < a.len ? n : a.len;
	/* NULL + 0 is undefined in C. */
	return (struct td_slice){skipped != 0 ? a.ptr + skipped : a.ptr, a.len - skipped};
}

/* Without spaces and tabs at both ends. */
static inline struct td_slice td_slice_trim(struct td_slice a)
{
	while (a.len > 0 && (a.ptr[0] == ' ' || a.ptr[0] == '\t'))
		a = td_slice_skip(a, 1);
	while (a.len > 0 && (a.ptr[a.len - 1] == ' ' || a.ptr[a.len - 1] == '\t'))
		a.len--;
	return a;
}

/* Cuts what stands before the first `stop` off *rest, and `stop` with it. Without a `stop`: all of
 * it. False when *rest was used up before (its pointer is then NULL). */
static inline bool td_slice_cut(struct td_slice *rest, char stop, struct td_slice *ret_piece)
{
	if (rest->ptr == NULL)
		return false;
	const char *at = rest->len == 0 ? NULL : memchr(rest->ptr, stop, rest->len);
	if (at == NULL) {
		*ret_piece = *rest;
		*rest = (struct td_slice){NULL, 0};
		return true;
	}
	size_t len = (size_t)(at - rest->ptr);
	*ret_piece = (struct td_slice){rest->ptr, len};
	*rest = td_slice_skip(*rest, len + 1);
	return true;
}

#endif
