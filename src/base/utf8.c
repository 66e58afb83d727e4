#include "base/utf8.h"

#include "base/compiler.h"

#include <string.h>

/* RFC 3629 section 4, as a table of leading bytes: how many follow, and the smallest code point. */
static const struct {
	uint8_t mask, lead;
	unsigned follow;
	uint32_t least;
} forms[] = {
	{0x80, 0x00, 0, 0},
	{0xE0, 0xC0, 1, 0x80},
	{0xF0, 0xE0, 2, 0x800},
	{0xF8, 0xF0, 3, 0x10000},
};

static bool is_scalar(uint32_t code)
{
	return code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
}

bool td_utf8_next(struct td_slice *rest, uint32_t *ret_code_point)
{
	if (rest->len == 0)
		return false;
	const uint8_t *at = (const uint8_t *)rest->ptr;
	for (size_t f = 0; f < TD_ARRAY_LEN(forms); f++) {
		if ((at[0] & forms[f].mask) != forms[f].lead)
			continue;
		if (forms[f].follow >= rest->len)
			return false;
		uint32_t code = at[0] & (uint8_t)~forms[f].mask;
		for (unsigned i = 1; i <= forms[f].follow; i++) {
			if ((at[i] & 0xC0) != 0x80)
				return false;
			code = code << 6 | (at[i] & 0x3F);
		}
		if (code < forms[f].least || !is_scalar(code))
			return false;
		*rest = td_slice_skip(*rest, forms[f].follow + 1);
		*ret_code_point = code;
		return true;
	}
	return false;
}

/* How many of the first bytes are ASCII, in steps of eight: most text is nothing else. */
static size_t count_ascii(struct td_slice text)
{
	size_t count = 0;
	uint64_t bytes;
	for (; text.len - count >= sizeof(bytes); count += sizeof(bytes)) {
		memcpy(&bytes, text.ptr + count, sizeof(bytes));
		if ((bytes & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	return count;
}

bool td_utf8_is_valid(struct td_slice text)
{
	uint32_t code;
	while (text.len > 0) {
		text = td_slice_skip(text, count_ascii(text));
		if (text.len > 0 && !td_utf8_next(&text, &code))
			return false;
	}
	return true;
}

size_t td_utf8_count(struct td_slice text)
{
	size_t count = 0;
	for (size_t i = 0; i < text.len; i++)
		count += ((uint8_t)text.ptr[i] & 0xC0) != 0x80;
	return count;
}

size_t td_utf8_floor(const char *text, size_t len)
{
	/* At most three bytes of an unfinished character can stand at the end. */
	for (size_t back = 1; back <= 4 && back <= len; back++) {
		struct td_slice tail = td_slice(text + len - back, back);
		if (((uint8_t)tail.ptr[0] & 0xC0) == 0x80)
			continue;
		uint32_t code;
		return td_utf8_next(&tail, &code) ? len : len - back;
	}
	return len;
}

bool td_utf8_is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 ||
	       (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) ||
	       (code >= 0xFDD0 && code <= 0xFDEF) || (code & 0xFFFE) == 0xFFFE;
}
