#include "base/uuid.h"

#include <sodium.h>

static bool is_dash_place(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

void td_uuid_v7_make(int64_t wall_ms, const uint8_t random[10], char out[TD_UUID_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[16];
	for (unsigned i = 0; i < 6; i++)
		bytes[i] = (uint8_t)((uint64_t)wall_ms >> (40 - 8 * i));
	memcpy(bytes + 6, random, 10);
	bytes[6] = (uint8_t)(0x70 | (bytes[6] & 0x0F)); /* version 7 */
	bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3F)); /* variant 10 */
	size_t at = 0;
	for (size_t i = 0; i < 16; i++) {
		if (is_dash_place(at))
			out[at++] = '-';
		out[at++] = digits[bytes[i] >> 4];
		out[at++] = digits[bytes[i] & 0x0F];
	}
	out[at] = '\0';
}

void td_uuid_v7(int64_t wall_ms, char out[TD_UUID_TEXT_SIZE])
{
	uint8_t random[10];
	randombytes_buf(random, sizeof(random));
	td_uuid_v7_make(wall_ms, random, out);
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool td_uuid_is_valid(struct td_slice text)
{
	if (text.len != TD_UUID_TEXT_SIZE - 1)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (is_dash_place(i) ? text.ptr[i] != '-' : !is_hex(text.ptr[i]))
			return false;
	}
	return true;
}
