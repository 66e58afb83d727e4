/* Segments: protocol 5's outer framing, with checksums and perhaps LZ4 (native_protocol_v5.spec
 * section 2.2). Its integers are little-endian. Pure; hostile input. */
#ifndef TD_CQL_PROTOCOL_SEGMENT_H
#define TD_CQL_PROTOCOL_SEGMENT_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

#define CQL_SEGMENT_MOST 131071 /* bytes of a payload, compressed or not */

/* What one step of a decoder came to. */
enum cql_next {
	CQL_GIVEN,  /* here it is */
	CQL_MORE,   /* more bytes are needed */
	CQL_BROKEN, /* damaged; nothing behind it can be trusted: close the connection */
};

struct cql_segment {
	struct td_slice payload; /* as it came; points into the caller's bytes */
	size_t plain_len;        /* bytes of the payload once expanded; 0: it is not compressed */
	bool is_self_contained;  /* whole envelopes; else a piece of one */
	size_t size;             /* bytes of the whole segment, its checksums included */
};

/* The segment at the beginning of `bytes`. `lz4`: the form of the header that COMPRESSION in
 * STARTUP asked for. CQL_BROKEN with err->code TD_CORRUPT: a checksum is wrong. */
enum cql_next cql_segment_read(struct td_slice bytes, bool lz4, struct cql_segment *ret_segment,
	struct td_err *err) TD_MUST_CHECK;

/* Writes one segment behind `out`; `payload` is CQL_SEGMENT_MOST bytes at most and does not lie in
 * `out`. With lz4 it is compressed where that makes it shorter. Look at out->failed. */
void cql_segment_put(struct td_buf *out, struct td_slice payload, bool is_self_contained, bool lz4);

/* Writes whole envelopes, one behind the other, as segments: as many in one as fit, one that is
 * too large for a segment in pieces. Look at out->failed. */
void cql_segment_put_all(struct td_buf *out, struct td_slice envelopes, bool lz4);

#endif
