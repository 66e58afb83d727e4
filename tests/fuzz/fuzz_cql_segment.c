/* One segment of a server, as it is and with the checksums put right; and the bytes as a request,
 * repeated as often as the first byte says, written as segments and read again. */
#include "fuzz.h"

#include "cql/protocol/crc.h"
#include "cql/protocol/frame.h"
#include "cql/protocol/lz4_block.h"
#include "cql/protocol/segment.h"

static void check_read(struct td_slice bytes, bool lz4)
{
	struct cql_segment segment;
	struct td_err err = TD_ERR_INIT;
	enum cql_next next = cql_segment_read(bytes, lz4, &segment, &err);
	FUZZ_CLAIM(next != CQL_BROKEN || err.code == TD_CORRUPT);
	if (next != CQL_GIVEN)
		return;
	FUZZ_CLAIM(segment.size <= bytes.len && segment.plain_len <= CQL_SEGMENT_MOST);
	FUZZ_CLAIM(fuzz_is_within(segment.payload, bytes));
}

/* The header's checksum put right; without that no length would ever be believed. */
static void check_mended(uint8_t *bytes, size_t size, bool lz4)
{
	size_t head = lz4 ? 5 : 3;
	if (size < head + 3)
		return;
	uint32_t crc = cql_crc24(bytes, head);
	for (size_t i = 0; i < 3; i++)
		bytes[head + i] = (uint8_t)(crc >> (8 * i));
	check_read(fuzz_slice(bytes, size), lz4);
}

/* Reads all segments and gathers their payloads. */
static void gather(struct td_slice rest, bool lz4, struct td_buf *whole)
{
	while (rest.len > 0) {
		struct cql_segment segment;
		struct td_err err = TD_ERR_INIT;
		FUZZ_CLAIM(cql_segment_read(rest, lz4, &segment, &err) == CQL_GIVEN);
		FUZZ_CLAIM(segment.plain_len == 0 || segment.plain_len > segment.payload.len);
		if (segment.plain_len == 0)
			td_buf_put_slice(whole, segment.payload);
		else if (cql_lz4_expand(segment.payload, segment.plain_len, whole, &err) != TD_OK)
			FUZZ_CLAIM(err.code == TD_NOMEM && (whole->failed = true));
		rest = td_slice_skip(rest, segment.size);
	}
}

static void check_round_trip(struct td_slice bytes, size_t copies, bool lz4)
{
	struct td_buf plain = TD_BUF_INIT, out = TD_BUF_INIT, whole = TD_BUF_INIT;
	td_buf_put(&plain, "\x05\x00\x00\x01\x07", 5);
	size_t gap = cql_put_gap(&plain);
	for (size_t i = 0; i < copies; i++)
		td_buf_put_slice(&plain, bytes);
	cql_put_length_at(&plain, gap);
	td_buf_put(&plain, "\x05\x00\x00\x01\x05\x00\x00\x00\x00", CQL_HEADER_SIZE);
	if (!plain.failed)
		cql_segment_put_all(&out, td_buf_slice(&plain), lz4);
	if (!plain.failed && !out.failed)
		gather(td_buf_slice(&out), lz4, &whole);
	FUZZ_CLAIM(plain.failed || out.failed || whole.failed ||
		   td_slice_equal(td_buf_slice(&whole), td_buf_slice(&plain)));
	td_buf_done(&whole);
	td_buf_done(&out);
	td_buf_done(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t copy[4096];
	size_t way = fuzz_choose(&data, &size, 256),
	       len = size < sizeof(copy) ? size : sizeof(copy);
	struct td_slice bytes = fuzz_slice(data, size);
	bool lz4 = (way & 1) != 0;
	check_read(bytes, lz4);
	if (len != 0)
		memcpy(copy, data, len);
	check_mended(copy, len, lz4);
	/* Above 131071 bytes an envelope is cut: few inputs are that large, so they are repeated.
	 */
	check_round_trip(bytes, way > 250 ? 1000 : way / 16, lz4);
	return 0;
}
