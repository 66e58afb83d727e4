#include "cql/protocol/crc.h"

#include <zlib.h>

#define CRC24_INIT 0x875060u
#define CRC24_POLY 0x1974f0bu

uint32_t cql_crc24(const uint8_t *bytes, size_t len)
{
	uint32_t crc = CRC24_INIT;
	for (size_t i = 0; i < len; i++) {
		crc ^= (uint32_t)bytes[i] << 16;
		for (int bit = 0; bit < 8; bit++) {
			crc <<= 1;
			if ((crc & 0x1000000u) != 0)
				crc ^= CRC24_POLY;
		}
	}
	return crc;
}

uint32_t cql_crc32(struct td_slice payload)
{
	static const uint8_t first[4] = {0xfa, 0x2d, 0x55, 0xca};
	uLong crc = crc32_z(0, first, sizeof(first));
	if (payload.len != 0)
		crc = crc32_z(crc, (const uint8_t *)payload.ptr, payload.len);
	return (uint32_t)crc;
}
