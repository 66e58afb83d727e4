#include "td_test.h"

#include "cql/protocol/decoder.h"
#include "fault_alloc.h"
#include "hex.h"

#include <stdlib.h>
#include <string.h>

#define BODY_MOST (1u << 20)

static struct td_buf wire = TD_BUF_INIT, got = TD_BUF_INIT;

/* Which framing a stream has from its first frame on. */
enum mode {
	FRAMES,       /* protocol 4 */
	FRAMES_LZ4,   /* protocol 4, bodies compressed */
	SEGMENTS,     /* protocol 5 */
	SEGMENTS_LZ4, /* protocol 5, segments compressed */
};

static void put_envelope(struct td_buf *to, unsigned stream, size_t body_len)
{
	td_buf_put(to, "\x84\x00", 2);
	cql_put_short(to, (uint16_t)stream);
	cql_put_byte(to, CQL_OP_RESULT);
	cql_put_int(to, (int32_t)body_len);
	for (size_t i = 0; i < body_len; i++)
		td_buf_put_char(to, (char)('a' + i % 7 + stream % 5));
}

/* Three small envelopes, one of 300 000 bytes, one small; as `mode` frames them. */
static void make_wire(enum mode mode, size_t large)
{
	struct td_buf plain = TD_BUF_INIT;
	const size_t lens[] = {0, 10, 200, large, 1};
	td_buf_reset(&wire);
	for (unsigned i = 0; i < TD_ARRAY_LEN(lens); i++) {
		size_t begin = plain.len;
		put_envelope(&plain, i, lens[i]);
		if (mode == FRAMES_LZ4)
			cql_envelope_compress(&wire, td_slice_skip(td_buf_slice(&plain), begin));
	}
	if (mode == FRAMES)
		td_buf_put_slice(&wire, td_buf_slice(&plain));
	else if (mode != FRAMES_LZ4)
		cql_segment_put_all(&wire, td_buf_slice(&plain), mode == SEGMENTS_LZ4);
	assert_non_null(td_buf_cstr(&wire));
	td_buf_done(&plain);
}

static void init(struct cql_decoder *d, enum mode mode)
{
	cql_decoder_init(d, BODY_MOST);
	if (mode == FRAMES_LZ4)
		cql_decoder_use_lz4(d);
	else if (mode != FRAMES)
		cql_decoder_use_segments(d, mode == SEGMENTS_LZ4);
}

static bool feed(struct cql_decoder *d, struct td_slice bytes)
{
	char *to = cql_decoder_reserve(d, bytes.len);
	if (to == NULL)
		return false;
	memcpy(to, bytes.ptr, bytes.len);
	cql_decoder_commit(d, bytes.len);
	return true;
}

/* "stream:length:sum;" for each envelope that is whole, behind `got`. */
static enum cql_next drain(struct cql_decoder *d, struct td_err *err)
{
	struct cql_frame frame;
	enum cql_next next;
	while ((next = cql_decoder_next(d, &frame, err)) == CQL_GIVEN) {
		unsigned sum = 0;
		for (size_t i = 0; i < frame.body.len; i++)
			sum = sum * 31 + (unsigned char)frame.body.ptr[i];
		td_buf_printf(&got, "%d:%zu:%x;", frame.header.stream, frame.body.len, sum);
	}
	return next;
}

/* Everything in pieces of `step` bytes. */
static const char *decode(enum mode mode, size_t step)
{
	struct cql_decoder d;
	init(&d, mode);
	td_buf_reset(&got);
	struct td_slice rest = td_buf_slice(&wire);
	while (rest.len > 0) {
		size_t len = step < rest.len ? step : rest.len;
		assert_true(feed(&d, td_slice(rest.ptr, len)));
		struct td_err err = TD_ERR_INIT;
		if (drain(&d, &err) != CQL_MORE)
			fail_msg("%s", err.text);
		rest = td_slice_skip(rest, len);
	}
	cql_decoder_done(&d);
	return td_buf_cstr(&got);
}

/* Bytes may come in any pieces, in every framing: the envelopes are the same. */
static void test_decoder_any_pieces_give_same_envelopes(void **state)
{
	(void)state;
	static const size_t steps[] = {1, 2, 3, 7, 8, 9, 10, 100, 4096, 131072};
	make_wire(FRAMES, 300000);
	char *wanted = strdup(decode(FRAMES, wire.len));
	assert_memory_equal(wanted, "0:0:0;1:10:", 11);
	for (enum mode mode = FRAMES; mode <= SEGMENTS_LZ4; mode++) {
		make_wire(mode, 300000);
		assert_string_equal(decode(mode, wire.len), wanted);
		for (size_t i = 0; i < TD_ARRAY_LEN(steps); i++)
			assert_string_equal(decode(mode, steps[i]), wanted);
	}
	free(wanted);
}

/* Cut in two at each byte. */
static void test_decoder_every_cut(void **state)
{
	(void)state;
	make_wire(FRAMES, 500);
	char *wanted = strdup(decode(FRAMES, wire.len));
	for (enum mode mode = FRAMES; mode <= SEGMENTS_LZ4; mode++) {
		make_wire(mode, 500);
		for (size_t cut = 1; cut <= wire.len; cut++)
			assert_string_equal(decode(mode, cut), wanted);
	}
	free(wanted);
}

/* The answer to STARTUP is the last one without a segment, whatever came with it. */
static void test_decoder_switch_with_bytes_behind(void **state)
{
	(void)state;
	struct cql_decoder d;
	struct cql_frame frame;
	struct td_buf ready = TD_BUF_INIT;
	struct td_err err = TD_ERR_INIT;
	make_wire(SEGMENTS, 100);
	hex_put(&ready, "8500000002 00000000");
	cql_decoder_init(&d, BODY_MOST);
	assert_true(feed(&d, td_buf_slice(&ready)));
	assert_true(feed(&d, td_buf_slice(&wire)));
	assert_int_equal(cql_decoder_next(&d, &frame, &err), CQL_GIVEN);
	assert_int_equal(frame.header.opcode, CQL_OP_READY);
	cql_decoder_use_segments(&d, false);
	td_buf_reset(&got);
	assert_int_equal(drain(&d, &err), CQL_MORE);
	assert_memory_equal(td_buf_cstr(&got), "0:0:0;1:10:", 11);
	cql_decoder_done(&d);
	td_buf_done(&ready);
}

/* An empty self-contained segment says nothing. */
static void test_decoder_empty_segment_is_ignored(void **state)
{
	(void)state;
	td_buf_reset(&wire);
	hex_put(&wire, "000002 6a36c4 d37e7744");
	cql_segment_put(&wire, TD_SLICE("\x85\0\0\0\x02\0\0\0\0"), true, false);
	assert_string_equal(decode(SEGMENTS, 1), "0:0:0;");
}

struct broken_row {
	enum mode mode;
	const char *payload; /* SEGMENTS: one segment; FRAMES: the bytes */
	bool self_contained;
	const char *words;
};

/* What breaks the rules of framing ends the stream, and it stays ended. */
static void test_decoder_broken_streams(void **state)
{
	(void)state;
	static const struct broken_row rows[] = {
		{FRAMES, "48545450 2f312e31 20343030", false, "HTTP"},
		{FRAMES, "15", false, "byte 15"},
		{FRAMES, "8400000008 00100001", false, "over the limit"},
		{FRAMES, "8401000008 00000006 00000001 1061", false, "not agreed on"},
		{FRAMES_LZ4, "8401000008 00000006 000000ff 1061", false, "damaged"},
		{FRAMES_LZ4, "8401000008 00000006 7fffffff 1061", false, "over the limit"},
		{SEGMENTS, "8500000008 00000001", true, "ends within an envelope"},
		{SEGMENTS, "85000000", true, "ends within an envelope"},
		{SEGMENTS, "0500000008 00000000", true, "a request of CQL"},
		{SEGMENTS, "8500000008 00000000 85", false, "goes on behind"},
		{SEGMENTS, "8500000008 7fffffff", false, "over the limit"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct cql_decoder d;
		struct cql_frame frame;
		struct td_err err = TD_ERR_INIT, again = TD_ERR_INIT;
		td_buf_reset(&wire);
		td_buf_reset(&got);
		hex_put(&got, rows[i].payload);
		if (rows[i].mode == SEGMENTS)
			cql_segment_put(&wire, td_buf_slice(&got), rows[i].self_contained, false);
		else
			td_buf_put_slice(&wire, td_buf_slice(&got));
		init(&d, rows[i].mode);
		assert_true(feed(&d, td_buf_slice(&wire)));
		assert_int_equal(cql_decoder_next(&d, &frame, &err), CQL_BROKEN);
		if (strstr(err.text, rows[i].words) == NULL)
			fail_msg("row %zu: %s", i, err.text);
		assert_int_equal(cql_decoder_next(&d, &frame, &again), CQL_BROKEN);
		assert_string_equal(again.text, err.text);
		cql_decoder_done(&d);
	}
}

/* A segment of whole envelopes may not come among the pieces of a large one. */
static void test_decoder_pieces_are_not_interrupted(void **state)
{
	(void)state;
	struct cql_decoder d;
	struct td_err err = TD_ERR_INIT;
	td_buf_reset(&wire);
	cql_segment_put(&wire,
		TD_SLICE("\x85\0\0\0\x08\0\0\0\x05"
			 "abc"),
		false, false);
	cql_segment_put(&wire, TD_SLICE("\x85\0\0\0\x02\0\0\0\0"), true, false);
	init(&d, SEGMENTS);
	assert_true(feed(&d, td_buf_slice(&wire)));
	assert_int_equal(drain(&d, &err), CQL_BROKEN);
	assert_non_null(strstr(err.text, "among the pieces"));
	cql_decoder_done(&d);
}

/* A header that announces much reserves nothing. */
static void test_decoder_reserves_what_came(void **state)
{
	(void)state;
	struct cql_decoder d;
	struct td_err err = TD_ERR_INIT;
	cql_decoder_init(&d, CQL_BODY_MOST);
	assert_true(feed(&d, TD_SLICE("\x84\0\0\0\x08\x0f\xff\xff\xff"
				      "abc")));
	assert_int_equal(drain(&d, &err), CQL_MORE);
	assert_true(d.input.cap + d.whole.cap + d.plain.cap < 1024);
	cql_decoder_done(&d);
	cql_decoder_init(&d, CQL_BODY_MOST);
	cql_decoder_use_segments(&d, false);
	td_buf_reset(&wire);
	cql_segment_put(&wire,
		TD_SLICE("\x84\0\0\0\x08\x0f\xff\xff\xff"
			 "abc"),
		false, false);
	assert_true(feed(&d, td_buf_slice(&wire)));
	assert_int_equal(drain(&d, &err), CQL_MORE);
	assert_true(d.input.cap + d.whole.cap + d.plain.cap < 1024);
	cql_decoder_done(&d);
}

/* Who feeds and takes nothing out is told so before memory runs away. */
static void test_decoder_feed_is_bounded(void **state)
{
	(void)state;
	struct cql_decoder d;
	cql_decoder_init(&d, 100);
	assert_non_null(cql_decoder_reserve(&d, CQL_FEED_MOST));
	cql_decoder_commit(&d, CQL_FEED_MOST);
	assert_null(cql_decoder_reserve(&d, CQL_FEED_MOST));
	cql_decoder_done(&d);
}

static bool attempt(void *ctx)
{
	enum mode mode = *(const enum mode *)ctx;
	struct cql_decoder d;
	struct td_err err = TD_ERR_INIT;
	init(&d, mode);
	td_buf_reset(&got);
	bool worked = feed(&d, td_buf_slice(&wire));
	if (worked) {
		struct cql_frame frame;
		enum cql_next next;
		while ((next = cql_decoder_next(&d, &frame, &err)) == CQL_GIVEN)
			continue;
		worked = next == CQL_MORE;
		assert_true(worked || err.code == TD_NOMEM);
	}
	cql_decoder_done(&d);
	return worked;
}

/* Without memory the stream ends with TD_NOMEM. */
static void test_decoder_without_memory(void **state)
{
	(void)state;
	for (enum mode mode = FRAMES; mode <= SEGMENTS_LZ4; mode++) {
		make_wire(mode, 300000);
		assert_true(fault_alloc_each(attempt, &mode) > 0);
	}
}

static int free_buffers(void **state)
{
	(void)state;
	td_buf_done(&wire);
	td_buf_done(&got);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decoder_any_pieces_give_same_envelopes),
		cmocka_unit_test(test_decoder_every_cut),
		cmocka_unit_test(test_decoder_switch_with_bytes_behind),
		cmocka_unit_test(test_decoder_empty_segment_is_ignored),
		cmocka_unit_test(test_decoder_broken_streams),
		cmocka_unit_test(test_decoder_pieces_are_not_interrupted),
		cmocka_unit_test(test_decoder_reserves_what_came),
		cmocka_unit_test(test_decoder_feed_is_bounded),
		cmocka_unit_test(test_decoder_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, free_buffers);
}
