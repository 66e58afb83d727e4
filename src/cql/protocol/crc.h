/* The two checksums of protocol 5's segments (native_protocol_v5.spec section 2.2). */
#ifndef TD_CQL_PROTOCOL_CRC_H
#define TD_CQL_PROTOCOL_CRC_H

#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

/* CRC-24 of a segment's header: initial value 0x875060, polynomial 0x1974f0b. 24 bits. */
uint32_t cql_crc24(const uint8_t *bytes, size_t len);

/* CRC-32 of a segment's payload: the one of zlib over the bytes fa 2d 55 ca and then the payload.
 */
uint32_t cql_crc32(struct td_slice payload);

#endif
