/* Cuts what a server sends into envelopes, whatever pieces it comes in: protocol 4's frames, and
 * protocol 5's segments from the switch on.
 *
 * Memory: three buffers that grow with what has come, never with what a header announces: at most
 * the limit of a body and CQL_FEED_MOST for what came, the same once more for a body that is put
 * together or expanded. One thread at a time. */
#ifndef TD_CQL_PROTOCOL_DECODER_H
#define TD_CQL_PROTOCOL_DECODER_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "cql/protocol/frame.h"
#include "cql/protocol/segment.h"

#include <stdbool.h>
#include <stddef.h>

#define CQL_FEED_MOST (1u << 20) /* bytes that fit behind what cql_decoder_next() left over */

struct cql_decoder {
	bool lz4;             /* bodies or segments may be compressed */
	bool has_segments;    /* since cql_decoder_use_segments() */
	bool is_whole_given;  /* `whole` was handed out: empty it */
	bool is_inner_plain;  /* the inner range lies in `plain`, not in `input` */
	size_t body_most;     /* bytes */
	struct td_buf input;  /* what came */
	size_t input_at;      /* where the first byte that is still needed stands */
	size_t segment_size;  /* of the segment at input_at whose envelopes are being given */
	size_t inner_at;      /* envelopes of that segment that were not given: from here … */
	size_t inner_end;     /* … to here; in `plain`, or from input_at on */
	struct td_buf whole;  /* the pieces of an envelope that takes several segments */
	struct td_buf plain;  /* a body or segment, expanded */
	struct td_err broken; /* why nothing more comes; TD_OK: nothing is wrong */
};

/* `body_most`: the largest body that is taken, up to CQL_BODY_MOST. Give it to
 * cql_decoder_done(). */
void cql_decoder_init(struct cql_decoder *d, size_t body_most);
void cql_decoder_done(struct cql_decoder *d);

/* Protocol 4, when STARTUP with COMPRESSION lz4 is sent: bodies may be compressed from now on, and
 * servers compress the answer to STARTUP already. */
void cql_decoder_use_lz4(struct cql_decoder *d);

/* Protocol 5, right after READY or AUTHENTICATE was given in answer to STARTUP: all that follows
 * is in segments (v5.spec section 2.3.1). */
void cql_decoder_use_segments(struct cql_decoder *d, bool lz4);

/* A place for `len` more bytes (up to CQL_FEED_MOST), for recv(); then say how many came. NULL: no
 * memory, or what came before was not taken out. */
char *cql_decoder_reserve(struct cql_decoder *d, size_t len) TD_MUST_CHECK;
void cql_decoder_commit(struct cql_decoder *d, size_t len);

/* The next envelope; its body is valid until the next call of any of these functions.
 *   CQL_MORE    none is whole
 *   CQL_BROKEN  *err says why (TD_CORRUPT, TD_TOOBIG: err->native is the stream, TD_NOMEM), now
 *               and ever after */
enum cql_next cql_decoder_next(
	struct cql_decoder *d, struct cql_frame *ret_frame, struct td_err *err) TD_MUST_CHECK;

#endif
