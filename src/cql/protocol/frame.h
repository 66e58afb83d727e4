/* Envelopes: the 9-byte header and the body behind it, "frame" in protocol 4
 * (native_protocol_v4.spec section 2, v5.spec section 2.1). Pure; hostile input. */
#ifndef TD_CQL_PROTOCOL_FRAME_H
#define TD_CQL_PROTOCOL_FRAME_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "cql/protocol/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CQL_HEADER_SIZE  9
#define CQL_BODY_MOST    (256u << 20) /* bytes; the protocol's own limit of a body */
#define CQL_STREAM_MOST  32767        /* requests count their streams from 0 */
#define CQL_STREAM_EVENT (-1)         /* what the server sends unasked */

/* What we speak. A reply may carry a server's own version instead. */
enum cql_version {
	CQL_V4 = 4,
	CQL_V5 = 5,
};

enum cql_opcode {
	CQL_OP_ERROR = 0x00,
	CQL_OP_STARTUP = 0x01,
	CQL_OP_READY = 0x02,
	CQL_OP_AUTHENTICATE = 0x03,
	CQL_OP_OPTIONS = 0x05,
	CQL_OP_SUPPORTED = 0x06,
	CQL_OP_QUERY = 0x07,
	CQL_OP_RESULT = 0x08,
	CQL_OP_PREPARE = 0x09,
	CQL_OP_EXECUTE = 0x0a,
	CQL_OP_REGISTER = 0x0b,
	CQL_OP_EVENT = 0x0c,
	CQL_OP_BATCH = 0x0d,
	CQL_OP_AUTH_CHALLENGE = 0x0e,
	CQL_OP_AUTH_RESPONSE = 0x0f,
	CQL_OP_AUTH_SUCCESS = 0x10,
};

/* Bits of a header's flags. */
enum {
	CQL_FLAG_COMPRESSED = 0x01, /* protocol 4 only; protocol 5 compresses segments */
	CQL_FLAG_TRACING = 0x02,
	CQL_FLAG_PAYLOAD = 0x04,
	CQL_FLAG_WARNINGS = 0x08,
};

struct cql_header {
	uint8_t version; /* without the direction's bit */
	uint8_t flags;
	int16_t stream; /* CQL_STREAM_EVENT, or that of the request */
	enum cql_opcode opcode;
	size_t length; /* bytes of the body */
};

/* The header of a server's envelope from its first 9 bytes.
 *   TD_CORRUPT  not CQL (the text says what it looks like), no answer, an opcode that no server
 *               sends, a stream or length below zero
 *   TD_TOOBIG   a body over `body_most` bytes; err->native is its stream */
enum td_status cql_header_parse(struct td_slice bytes, size_t body_most,
	struct cql_header *ret_header, struct td_err *err) TD_MUST_CHECK;

/* Looks at the first bytes of an answer, at least one: TD_OK where it may be CQL, TD_CORRUPT with
 * a text that names whose port this seems to be (HTTP, TLS, PostgreSQL, MySQL, Redis, SSH …). */
enum td_status cql_header_sniff(struct td_slice bytes, struct td_err *err) TD_MUST_CHECK;

/* "RESULT"; "unknown". Static storage. */
const char *cql_opcode_name(unsigned opcode);

struct cql_frame {
	struct cql_header header;
	struct td_slice body; /* header.length bytes, or what they were before compression */
};

/* What stands before the message, each where its flag is set, and the message. All of it points
 * into the frame's body. */
struct cql_body {
	const uint8_t *tracing_id; /* 16 bytes, or NULL */
	struct cql_items warnings; /* strings */
	struct cql_items payload;  /* pairs of a string and bytes */
	struct td_slice message;
};

/* TD_CORRUPT: what the flags announce does not fit into the body. */
enum td_status cql_body_open(
	const struct cql_frame *frame, struct cql_body *ret_body, struct td_err *err) TD_MUST_CHECK;

/* The body of a protocol 4 frame whose flag says that it is compressed: a length and an LZ4 block,
 * written in plain behind `out`. TD_CORRUPT, TD_TOOBIG (over body_most), TD_NOMEM. */
enum td_status cql_body_expand(struct td_slice body, size_t body_most, struct td_buf *out,
	struct td_err *err) TD_MUST_CHECK;

/* Writes a copy of a protocol 4 request behind `out`, its body compressed where that makes it
 * shorter. STARTUP and OPTIONS stay as they are. Look at out->failed. */
void cql_envelope_compress(struct td_buf *out, struct td_slice envelope);

#endif
