/* The encoding of a code point, made the other way round than base/utf8.c reads it. */
#ifndef TD_TESTS_SUPPORT_UTF8_ENCODE_H
#define TD_TESTS_SUPPORT_UTF8_ENCODE_H

#include <stddef.h>
#include <stdint.h>

/* Up to 0x1FFFFF, surrogates too. Returns the length. */
static inline size_t utf8_encode(uint32_t code, char out[4])
{
	static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	for (size_t i = len - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code & 0x3F));
		code >>= 6;
	}
	out[0] = (char)(lead[len] | code);
	return len;
}

#endif
