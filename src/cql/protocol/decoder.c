/* Invariants between calls:
 *  1. input_at <= input.len; what stands before it is not needed any more.
 *  2. inner_at <= inner_end; where they differ, a self-contained segment is being given, and it
 *     stays in `input` until its last envelope is out: offsets, because `input` may move.
 *  3. `whole` holds less than one envelope, or the one that was just given. */
#include "cql/protocol/decoder.h"

#include "cql/protocol/lz4_block.h"

#include <string.h>

#define KEPT_MOST (1u << 20) /* bytes of an empty buffer that are kept for the next answer */

void cql_decoder_init(struct cql_decoder *d, size_t body_most)
{
	size_t most = body_most < CQL_BODY_MOST ? body_most : CQL_BODY_MOST;
	*d = (struct cql_decoder){.body_most = most};
	d->whole.limit = most + CQL_HEADER_SIZE + CQL_SEGMENT_MOST;
	d->plain.limit = most > CQL_SEGMENT_MOST ? most : CQL_SEGMENT_MOST;
	d->input.limit = d->whole.limit + CQL_FEED_MOST;
}

void cql_decoder_done(struct cql_decoder *d)
{
	td_buf_done(&d->input);
	td_buf_done(&d->whole);
	td_buf_done(&d->plain);
}

void cql_decoder_use_lz4(struct cql_decoder *d)
{
	d->lz4 = true;
}

void cql_decoder_use_segments(struct cql_decoder *d, bool lz4)
{
	d->has_segments = true;
	d->lz4 = lz4;
}

static void empty(struct td_buf *b)
{
	if (b->cap > KEPT_MOST)
		td_buf_done(b);
	td_buf_reset(b);
}

/* Moves what is still needed to the front where that saves memory. */
static void make_room(struct cql_decoder *d, size_t len)
{
	struct td_buf *in = &d->input;
	if (d->input_at == in->len)
		empty(in);
	else if (len >= in->cap - in->len) {
		memmove(in->ptr, in->ptr + d->input_at, in->len - d->input_at);
		in->len -= d->input_at;
	} else
		return;
	d->input_at = 0;
}

char *cql_decoder_reserve(struct cql_decoder *d, size_t len)
{
	if (d->input_at > 0)
		make_room(d, len);
	char *to = td_buf_reserve(&d->input, len);
	d->input.failed = false;
	return to;
}

void cql_decoder_commit(struct cql_decoder *d, size_t len)
{
	td_assert(len <= d->input.cap - d->input.len);
	d->input.len += len;
}

static struct td_slice input_rest(const struct cql_decoder *d)
{
	return td_slice_skip(td_buf_slice(&d->input), d->input_at);
}

static enum cql_next set_broken(struct cql_decoder *d, const char *what)
{
	(void)td_err_set(&d->broken, TD_CORRUPT, "%s", what);
	return CQL_BROKEN;
}

/* The envelope at the beginning of `bytes`, body as it came. */
static enum cql_next read_envelope(
	struct cql_decoder *d, struct td_slice bytes, struct cql_frame *frame)
{
	if (bytes.len == 0)
		return CQL_MORE;
	if (bytes.len < CQL_HEADER_SIZE)
		return cql_header_sniff(bytes, &d->broken) == TD_OK ? CQL_MORE : CQL_BROKEN;
	if (cql_header_parse(bytes, d->body_most, &frame->header, &d->broken) != TD_OK)
		return CQL_BROKEN;
	if (bytes.len - CQL_HEADER_SIZE < frame->header.length)
		return CQL_MORE;
	frame->body = td_slice(bytes.ptr + CQL_HEADER_SIZE, frame->header.length);
	return CQL_GIVEN;
}

static enum cql_next next_frame(struct cql_decoder *d, struct cql_frame *frame)
{
	enum cql_next next = read_envelope(d, input_rest(d), frame);
	if (next != CQL_GIVEN)
		return next;
	d->input_at += CQL_HEADER_SIZE + frame->header.length;
	if ((frame->header.flags & CQL_FLAG_COMPRESSED) == 0 || frame->header.length == 0)
		return CQL_GIVEN;
	if (!d->lz4)
		return set_broken(d, "a body is compressed, which was not agreed on");
	empty(&d->plain);
	if (cql_body_expand(frame->body, d->body_most, &d->plain, &d->broken) != TD_OK) {
		d->broken.native = frame->header.stream;
		return CQL_BROKEN;
	}
	frame->body = td_buf_slice(&d->plain);
	return CQL_GIVEN;
}

/* The next envelope of the self-contained segment that is being given. */
static enum cql_next next_inner(struct cql_decoder *d, struct cql_frame *frame)
{
	const char *base = d->is_inner_plain ? d->plain.ptr : d->input.ptr + d->input_at;
	struct td_slice rest = td_slice(base + d->inner_at, d->inner_end - d->inner_at);
	enum cql_next next = read_envelope(d, rest, frame);
	if (next == CQL_MORE)
		return set_broken(d, "a self-contained segment ends within an envelope");
	if (next == CQL_GIVEN)
		d->inner_at += CQL_HEADER_SIZE + frame->header.length;
	return next;
}

/* A piece of a large envelope: CQL_GIVEN with the last one. */
static enum cql_next add_piece(
	struct cql_decoder *d, struct td_slice payload, struct cql_frame *frame)
{
	td_buf_put_slice(&d->whole, payload);
	if (d->whole.failed) {
		(void)td_err_set(&d->broken, TD_NOMEM, "no memory for an answer of %zu bytes",
			d->whole.len + payload.len);
		return CQL_BROKEN;
	}
	enum cql_next next = read_envelope(d, td_buf_slice(&d->whole), frame);
	if (next != CQL_GIVEN)
		return next;
	if (d->whole.len != CQL_HEADER_SIZE + frame->header.length)
		return set_broken(d, "a segment goes on behind the envelope that it is a piece of");
	d->is_whole_given = true;
	return CQL_GIVEN;
}

/* The payload of a segment, expanded where it is compressed. */
static enum td_status open_segment(
	struct cql_decoder *d, const struct cql_segment *segment, struct td_slice *ret_payload)
{
	*ret_payload = segment->payload;
	if (segment->plain_len == 0)
		return TD_OK;
	empty(&d->plain);
	enum td_status status = cql_lz4_expand(
		segment->payload, segment->plain_len, &d->plain, &d->broken);
	*ret_payload = td_buf_slice(&d->plain);
	return status;
}

static enum cql_next take_segment(
	struct cql_decoder *d, const struct cql_segment *segment, struct cql_frame *frame)
{
	struct td_slice payload;
	if (open_segment(d, segment, &payload) != TD_OK)
		return CQL_BROKEN;
	if (!segment->is_self_contained) {
		d->input_at += segment->size;
		return add_piece(d, payload, frame);
	}
	if (d->whole.len != 0)
		return set_broken(
			d, "a self-contained segment stands among the pieces of an envelope");
	d->segment_size = segment->size;
	d->is_inner_plain = segment->plain_len != 0;
	d->inner_at = d->is_inner_plain ? 0 : (size_t)(payload.ptr - input_rest(d).ptr);
	d->inner_end = d->inner_at + payload.len;
	return CQL_MORE;
}

static enum cql_next next_segment(struct cql_decoder *d, struct cql_frame *frame)
{
	if (d->is_whole_given) {
		empty(&d->whole);
		d->is_whole_given = false;
	}
	for (;;) {
		if (d->inner_at < d->inner_end)
			return next_inner(d, frame);
		d->input_at += d->segment_size;
		d->segment_size = 0;
		struct cql_segment segment;
		enum cql_next next = cql_segment_read(input_rest(d), d->lz4, &segment, &d->broken);
		if (next == CQL_GIVEN)
			next = take_segment(d, &segment, frame);
		else
			return next;
		if (next != CQL_MORE)
			return next;
	}
}

enum cql_next cql_decoder_next(
	struct cql_decoder *d, struct cql_frame *ret_frame, struct td_err *err)
{
	enum cql_next next = CQL_BROKEN;
	struct cql_frame frame;
	if (d->broken.code == TD_OK)
		next = d->has_segments ? next_segment(d, &frame) : next_frame(d, &frame);
	if (next == CQL_GIVEN)
		*ret_frame = frame;
	else if (next == CQL_BROKEN && err != NULL)
		*err = d->broken;
	return next;
}
