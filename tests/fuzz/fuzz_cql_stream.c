/* What a server may send from the first byte on. The first byte chooses: LZ4 or not; protocol 4's
 * frames or protocol 5's segments; those raw or as a list of segments to be given right checksums
 * (a byte: self-contained; two bytes: length in plain, 0 where it is not compressed; a byte:
 * length; the payload); and in how large pieces they come. The same comes out as from the whole. */
#include "fuzz.h"

#include "cql/protocol/crc.h"
#include "cql/protocol/decoder.h"

#define BODY_MOST 65536

enum {
	LZ4 = 1,
	IN_SEGMENTS = 2,
	CHECKSUMS = 4
};

/* What came out: how many envelopes, their bytes, and how it ended. */
struct outcome {
	size_t count;
	uint64_t sum;
	enum cql_next end;
	enum td_status status;
};

static void take_all(struct cql_decoder *d, struct outcome *out)
{
	struct td_err err = TD_ERR_INIT;
	struct cql_frame frame;
	while ((out->end = cql_decoder_next(d, &frame, &err)) == CQL_GIVEN) {
		FUZZ_CLAIM(frame.body.len <= BODY_MOST);
		FUZZ_CLAIM(frame.body.len == frame.header.length || d->lz4);
		out->count++;
		for (size_t i = 0; i < frame.body.len; i++)
			out->sum = out->sum * 31 + (uint8_t)frame.body.ptr[i];
	}
	FUZZ_CLAIM(out->end == CQL_MORE || err.text[0] != '\0');
	out->status = err.code;
}

static struct outcome decode(struct td_slice bytes, size_t step, size_t way)
{
	struct outcome out = {.end = CQL_MORE};
	struct cql_decoder d;
	cql_decoder_init(&d, BODY_MOST);
	if ((way & IN_SEGMENTS) != 0)
		cql_decoder_use_segments(&d, (way & LZ4) != 0);
	else if ((way & LZ4) != 0)
		cql_decoder_use_lz4(&d);
	while (bytes.len > 0 && out.end == CQL_MORE) {
		size_t len = step < bytes.len ? step : bytes.len;
		char *to = cql_decoder_reserve(&d, len);
		if (to == NULL) {
			out.status = TD_NOMEM;
			break;
		}
		memcpy(to, bytes.ptr, len);
		cql_decoder_commit(&d, len);
		bytes = td_slice_skip(bytes, len);
		take_all(&d, &out);
	}
	cql_decoder_done(&d);
	return out;
}

static void check_same(struct td_slice bytes, size_t step, size_t way)
{
	struct outcome whole = decode(bytes, bytes.len, way);
	struct outcome pieces = decode(bytes, step, way);
	if (whole.status == TD_NOMEM || pieces.status == TD_NOMEM)
		return;
	FUZZ_CLAIM(whole.count == pieces.count && whole.sum == pieces.sum);
	FUZZ_CLAIM(whole.end == pieces.end && whole.status == pieces.status);
}

static void put_le(struct td_buf *out, uint64_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		cql_put_byte(out, (uint8_t)(value >> (8 * i)));
}

/* A segment with right checksums, whatever it says and holds. */
static void put_segment(struct td_buf *out, struct cql_reader *r, bool lz4)
{
	uint64_t flag = cql_read_byte(r) & 1, plain_len = cql_read_short(r);
	size_t want = cql_read_byte(r);
	struct td_slice payload = cql_read_slice(r, want < r->left ? want : r->left);
	size_t begin = out->len, head = lz4 ? 5 : 3;
	put_le(out, payload.len | (lz4 ? plain_len << 17 | flag << 34 : flag << 17), head);
	if (!out->failed)
		put_le(out, cql_crc24((const uint8_t *)out->ptr + begin, head), 3);
	td_buf_put_slice(out, payload);
	put_le(out, cql_crc32(payload), 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t way = fuzz_choose(&data, &size, 256), step = way / 8 + 1;
	struct td_slice bytes = fuzz_slice(data, size);
	if ((way & CHECKSUMS) == 0) {
		check_same(bytes, step, way);
		return 0;
	}
	struct td_buf wire = TD_BUF_INIT;
	struct cql_reader r = cql_reader(bytes);
	while (r.left > 0 && !wire.failed)
		put_segment(&wire, &r, (way & LZ4) != 0);
	if (!wire.failed)
		check_same(td_buf_slice(&wire), step, way | IN_SEGMENTS);
	td_buf_done(&wire);
	return 0;
}
