#include "td_test.h"

#include "cql/protocol/crc.h"
#include "cql/protocol/segment.h"
#include "hex.h"

static struct td_buf in = TD_BUF_INIT, out = TD_BUF_INIT, text = TD_BUF_INIT;

static struct td_slice bytes_of(const char *digits)
{
	td_buf_reset(&in);
	hex_put(&in, digits);
	(void)td_buf_cstr(&in);
	return td_buf_slice(&in);
}

/* The header that a driver of another maker sent: 93 bytes, self-contained. */
static void test_crc24_of_a_captured_header(void **state)
{
	(void)state;
	static const uint8_t header[3] = {0x5d, 0x00, 0x02};
	assert_int_equal(cql_crc24(header, sizeof(header)), 0x6e52c5);
}

struct vector {
	bool lz4, self_contained;
	const char *payload, *wire;
};

/* An empty segment, OPTIONS, and a query, in each of the forms. */
static const struct vector vectors[] = {
	{false, true, "", "000002 6a36c4 d37e7744"},
	{false, true, "050000000500000000", "090002 a4c8c1 050000000500000000 1086284d"},
	{false, false, "050000000500000000", "090000 b91978 050000000500000000 1086284d"},
	{true, true, "050000000500000000", "0900000004 c2b895 050000000500000000 1086284d"},
	{false, true,
		"0500000107 00000026 0000001c 53454c454354206b65792046524f4d2073797374656d2e6c6f"
		"63616c 0001 00000000",
		"2f0002 acf306 0500000107 00000026 0000001c 53454c454354206b65792046524f4d207379"
		"7374656d2e6c6f63616c 0001 00000000 e1f0de95"},
};

static void test_segment_vectors_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < TD_ARRAY_LEN(vectors); i++) {
		struct td_buf wanted = TD_BUF_INIT;
		hex_put(&wanted, vectors[i].wire);
		td_buf_reset(&out);
		cql_segment_put(&out, bytes_of(vectors[i].payload), vectors[i].self_contained,
			vectors[i].lz4);
		assert_true(td_slice_equal(td_buf_slice(&out), td_buf_slice(&wanted)));
		td_buf_done(&wanted);
	}
}

/* Each vector is read whole, wants more at every cut, and is broken by any bit that flips in what a
 * checksum covers. */
static void test_segment_vectors_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < TD_ARRAY_LEN(vectors); i++) {
		struct cql_segment segment;
		struct td_slice wire = bytes_of(vectors[i].wire);
		for (size_t len = 0; len < wire.len; len++)
			assert_int_equal(cql_segment_read(td_slice(wire.ptr, len), vectors[i].lz4,
						 &segment, NULL),
				CQL_MORE);
		assert_int_equal(cql_segment_read(wire, vectors[i].lz4, &segment, NULL), CQL_GIVEN);
		assert_int_equal(segment.is_self_contained, vectors[i].self_contained);
		assert_int_equal(segment.size, wire.len);
		assert_int_equal(segment.plain_len, 0);
		struct td_buf payload = TD_BUF_INIT;
		hex_put(&payload, vectors[i].payload);
		assert_true(td_slice_equal(segment.payload, td_buf_slice(&payload)));
		td_buf_done(&payload);
		for (size_t bit = 0; bit < wire.len * 8; bit++) {
			struct td_err err = TD_ERR_INIT;
			in.ptr[bit / 8] ^= (char)(1 << bit % 8);
			assert_int_equal(
				cql_segment_read(wire, vectors[i].lz4, &segment, &err), CQL_BROKEN);
			assert_int_equal(err.code, TD_CORRUPT);
			in.ptr[bit / 8] ^= (char)(1 << bit % 8);
		}
	}
}

/* LZ4: what shrinks is compressed, what does not is stored. */
static void test_segment_lz4(void **state)
{
	(void)state;
	static char payload[CQL_SEGMENT_MOST];
	struct cql_segment segment;
	td_buf_reset(&out);
	cql_segment_put(&out, td_slice(payload, sizeof(payload)), true, true);
	assert_true(out.len < 2000);
	assert_int_equal(cql_segment_read(td_buf_slice(&out), true, &segment, NULL), CQL_GIVEN);
	assert_int_equal(segment.plain_len, sizeof(payload));
	uint32_t noise = 1;
	for (size_t i = 0; i < sizeof(payload); i++) {
		noise = noise * 1664525u + 1013904223u;
		payload[i] = (char)(noise >> 24);
	}
	td_buf_reset(&out);
	cql_segment_put(&out, td_slice(payload, sizeof(payload)), false, true);
	assert_int_equal(out.len, sizeof(payload) + 5 + 3 + 4);
	assert_int_equal(cql_segment_read(td_buf_slice(&out), true, &segment, NULL), CQL_GIVEN);
	assert_int_equal(segment.plain_len, 0);
	assert_false(segment.is_self_contained);
	assert_memory_equal(segment.payload.ptr, payload, sizeof(payload));
}

static void put_envelope(struct td_buf *to, size_t body_len)
{
	hex_put(to, "0500000107");
	const char len[4] = {(char)(body_len >> 24), (char)(body_len >> 16), (char)(body_len >> 8),
		(char)body_len};
	td_buf_put(to, len, 4);
	for (size_t i = 0; i < body_len; i++)
		td_buf_put_char(to, (char)i);
}

/* The lengths of the segments of what was written, negative where one is a piece. */
static size_t segment_lengths(long *lengths, size_t most)
{
	struct td_slice rest = td_buf_slice(&out);
	size_t count = 0;
	while (rest.len > 0 && count < most) {
		struct cql_segment segment;
		assert_int_equal(cql_segment_read(rest, false, &segment, NULL), CQL_GIVEN);
		long len = (long)segment.payload.len;
		lengths[count++] = segment.is_self_contained ? len : -len;
		rest = td_slice_skip(rest, segment.size);
	}
	return count;
}

/* Small envelopes share a segment up to its limit; a large one is cut and shares none. */
static void test_segment_put_all_packs_and_splits(void **state)
{
	(void)state;
	long lengths[8];
	struct td_buf envelopes = TD_BUF_INIT;
	put_envelope(&envelopes, 91);
	put_envelope(&envelopes, 0);
	put_envelope(&envelopes, CQL_SEGMENT_MOST - 118); /* 100 + 9 + this + 9: exactly full */
	put_envelope(&envelopes, CQL_SEGMENT_MOST - 9);   /* full alone */
	put_envelope(&envelopes, CQL_SEGMENT_MOST - 8);   /* one byte too many */
	put_envelope(&envelopes, 1);
	td_buf_reset(&out);
	cql_segment_put_all(&out, td_buf_slice(&envelopes), false);
	assert_int_equal(segment_lengths(lengths, 8), 5);
	assert_int_equal(lengths[0], CQL_SEGMENT_MOST);
	assert_int_equal(lengths[1], CQL_SEGMENT_MOST);
	assert_int_equal(lengths[2], -CQL_SEGMENT_MOST);
	assert_int_equal(lengths[3], -1);
	assert_int_equal(lengths[4], 10);
	td_buf_done(&envelopes);
}

/* Over the buffer's limit nothing is half written that could be sent. */
static void test_segment_without_room_fails(void **state)
{
	(void)state;
	struct td_buf small = {.limit = 12};
	cql_segment_put(&small, TD_SLICE("abc"), true, false);
	assert_true(small.failed);
	assert_int_equal(small.len, 0);
	td_buf_done(&small);
}

static int free_buffers(void **state)
{
	(void)state;
	td_buf_done(&in);
	td_buf_done(&out);
	td_buf_done(&text);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc24_of_a_captured_header),
		cmocka_unit_test(test_segment_vectors_written),
		cmocka_unit_test(test_segment_vectors_read),
		cmocka_unit_test(test_segment_lz4),
		cmocka_unit_test(test_segment_put_all_packs_and_splits),
		cmocka_unit_test(test_segment_without_room_fails),
	};
	return cmocka_run_group_tests(tests, NULL, free_buffers);
}
