#include "cql/protocol/segment.h"

#include "cql/protocol/crc.h"
#include "cql/protocol/frame.h"
#include "cql/protocol/lz4_block.h"

#include <string.h>

/* The header is an integer of 24 bits (40 with LZ4): the length on the wire, the length in plain
 * (LZ4 only), one bit for self-contained, the rest padding. */
#define LENGTH_BITS 17
#define LENGTH_MASK 0x1ffffu
#define CRC24_SIZE  3
#define CRC32_SIZE  4

static size_t header_size(bool lz4)
{
	return lz4 ? 5 : 3;
}

static uint64_t load_le(const char *from, size_t len)
{
	uint64_t value = 0;
	for (size_t i = len; i > 0; i--)
		value = value << 8 | (uint8_t)from[i - 1];
	return value;
}

static void store_le(char *to, size_t len, uint64_t value)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (char)(value >> (8 * i));
}

static enum cql_next set_broken(struct td_err *err, const char *what)
{
	(void)td_err_set(
		err, TD_CORRUPT, "a segment is damaged: the checksum of its %s is wrong", what);
	return CQL_BROKEN;
}

enum cql_next cql_segment_read(
	struct td_slice bytes, bool lz4, struct cql_segment *ret_segment, struct td_err *err)
{
	size_t head = header_size(lz4), before = head + CRC24_SIZE;
	if (bytes.len < before)
		return CQL_MORE;
	/* Before the checksum is known to be right, no length is believed. */
	if (load_le(bytes.ptr + head, CRC24_SIZE) != cql_crc24((const uint8_t *)bytes.ptr, head))
		return set_broken(err, "header");
	uint64_t bits = load_le(bytes.ptr, head);
	size_t len = bits & LENGTH_MASK;
	bits >>= LENGTH_BITS;
	struct cql_segment segment = {.size = before + len + CRC32_SIZE};
	if (lz4) {
		segment.plain_len = bits & LENGTH_MASK;
		bits >>= LENGTH_BITS;
	}
	segment.is_self_contained = (bits & 1) != 0;
	if (bytes.len < segment.size)
		return CQL_MORE;
	segment.payload = td_slice(bytes.ptr + before, len);
	if (load_le(bytes.ptr + before + len, CRC32_SIZE) != cql_crc32(segment.payload))
		return set_broken(err, "payload");
	*ret_segment = segment;
	return CQL_GIVEN;
}

static void store_header(char *to, size_t len, size_t plain_len, bool is_self_contained, bool lz4)
{
	size_t head = header_size(lz4);
	uint64_t flag = is_self_contained ? 1 : 0;
	uint64_t bits = lz4 ? plain_len | flag << LENGTH_BITS : flag;
	store_le(to, head, len | bits << LENGTH_BITS);
	store_le(to + head, CRC24_SIZE, cql_crc24((const uint8_t *)to, head));
}

void cql_segment_put(struct td_buf *out, struct td_slice payload, bool is_self_contained, bool lz4)
{
	td_assert(payload.len <= CQL_SEGMENT_MOST);
	size_t begin = out->len, before = header_size(lz4) + CRC24_SIZE;
	if (td_buf_reserve(out, before + payload.len + CRC32_SIZE) == NULL)
		return;
	out->len += before;
	bool packed = lz4 && cql_lz4_put(out, payload);
	if (!packed)
		td_buf_put_slice(out, payload);
	char *at = out->ptr + begin;
	size_t len = out->len - begin - before;
	store_header(at, len, packed ? payload.len : 0, is_self_contained, lz4);
	store_le(at + before + len, CRC32_SIZE, cql_crc32(td_slice(at + before, len)));
	out->len += CRC32_SIZE;
}

/* The bytes of the envelope that `rest` begins with. */
static size_t envelope_size(struct td_slice rest)
{
	td_assert(rest.len >= CQL_HEADER_SIZE);
	size_t length = cql_load_u32((const uint8_t *)rest.ptr + CQL_HEADER_SIZE - 4);
	td_assert(length <= rest.len - CQL_HEADER_SIZE);
	return CQL_HEADER_SIZE + length;
}

static void put_pieces(struct td_buf *out, struct td_slice envelope, bool lz4)
{
	while (envelope.len > 0) {
		size_t len = envelope.len < CQL_SEGMENT_MOST ? envelope.len : CQL_SEGMENT_MOST;
		cql_segment_put(out, td_slice(envelope.ptr, len), false, lz4);
		envelope = td_slice_skip(envelope, len);
	}
}

void cql_segment_put_all(struct td_buf *out, struct td_slice envelopes, bool lz4)
{
	while (envelopes.len > 0) {
		size_t len = 0, next = envelope_size(envelopes);
		if (next > CQL_SEGMENT_MOST) {
			put_pieces(out, td_slice(envelopes.ptr, next), lz4);
			envelopes = td_slice_skip(envelopes, next);
			continue;
		}
		while (len < envelopes.len && (next = envelope_size(td_slice_skip(
						       envelopes, len))) <= CQL_SEGMENT_MOST - len)
			len += next;
		cql_segment_put(out, td_slice(envelopes.ptr, len), true, lz4);
		envelopes = td_slice_skip(envelopes, len);
	}
}
