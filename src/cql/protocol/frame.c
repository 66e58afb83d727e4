#include "cql/protocol/frame.h"

#include "cql/protocol/lz4_block.h"

#include <string.h>

#define LENGTH_AT 5 /* in the header */

/* What other servers say first, or answer to bytes that they do not understand. */
static const struct {
	const char *bytes;
	size_t len, from; /* compared with what stands at `from` */
	const char *name;
} foreign[] = {
	{"HTTP/", 5, 0, "HTTP"},
	{"<", 1, 0, "HTML or XML"},
	{"\x15\x03", 2, 0, "a TLS alert: the server expects TLS, or refuses ours"},
	{"\x16\x03", 2, 0, "a TLS handshake"},
	{"SSH-", 4, 0, "SSH"},
	{"-ERR", 4, 0, "Redis"},
	{"220", 3, 0, "SMTP or FTP"},
	{"ERROR\r\n", 7, 0, "memcached"},
	{"\x00\x00\x00\x0a", 4, 1, "MySQL"},
	{"\x00\x00\x01\xff", 4, 1, "MySQL"},
	{"E\x00", 2, 0, "PostgreSQL"},
	{"N", 1, 0, "PostgreSQL"},
	{"AMQP", 4, 0, "AMQP"},
};

static const char *foreign_name(struct td_slice bytes)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(foreign); i++) {
		struct td_slice part = td_slice_skip(bytes, foreign[i].from);
		if (part.len >= foreign[i].len &&
			memcmp(part.ptr, foreign[i].bytes, foreign[i].len) == 0)
			return foreign[i].name;
	}
	return NULL;
}

enum td_status cql_header_sniff(struct td_slice bytes, struct td_err *err)
{
	uint8_t first = bytes.len > 0 ? (uint8_t)bytes.ptr[0] : 0;
	if (first > 0x80 && first < 0x90)
		return TD_OK;
	const char *name = foreign_name(bytes);
	if (name != NULL)
		return td_err_set(err, TD_CORRUPT,
			"this is not Cassandra's port: the answer looks like %s", name);
	if (first < 0x10)
		return td_err_set(err, TD_CORRUPT,
			"the other side sent a request of CQL, not an answer (byte %02x)", first);
	return td_err_set(err, TD_CORRUPT,
		"this is not Cassandra's port: the answer begins with byte %02x", first);
}

const char *cql_opcode_name(unsigned opcode)
{
	static const char *const names[] = {"ERROR", "STARTUP", "READY", "AUTHENTICATE", NULL,
		"OPTIONS", "SUPPORTED", "QUERY", "RESULT", "PREPARE", "EXECUTE", "REGISTER",
		"EVENT", "BATCH", "AUTH_CHALLENGE", "AUTH_RESPONSE", "AUTH_SUCCESS"};
	const char *name = opcode < TD_ARRAY_LEN(names) ? names[opcode] : NULL;
	return name != NULL ? name : "unknown";
}

static bool is_answer(uint8_t opcode)
{
	static const uint8_t answers[] = {CQL_OP_ERROR, CQL_OP_READY, CQL_OP_AUTHENTICATE,
		CQL_OP_SUPPORTED, CQL_OP_RESULT, CQL_OP_EVENT, CQL_OP_AUTH_CHALLENGE,
		CQL_OP_AUTH_SUCCESS};
	return memchr(answers, opcode, sizeof(answers)) != NULL;
}

enum td_status cql_header_parse(
	struct td_slice bytes, size_t body_most, struct cql_header *ret_header, struct td_err *err)
{
	enum td_status status = cql_header_sniff(bytes, err);
	if (status != TD_OK)
		return status;
	struct cql_reader r = cql_reader(bytes);
	uint8_t version = cql_read_byte(&r) & 0x7f, flags = cql_read_byte(&r);
	int16_t stream = (int16_t)cql_read_short(&r);
	uint8_t opcode = cql_read_byte(&r);
	int32_t length = cql_read_int(&r);
	if (r.failed || length < 0 || stream < CQL_STREAM_EVENT)
		return td_err_set(err, TD_CORRUPT,
			"a header of CQL is damaged: stream %d, length %d", stream, length);
	if (!is_answer(opcode))
		return td_err_set(err, TD_CORRUPT,
			"a header of CQL is damaged: no server answers with opcode %02x (%s)",
			opcode, cql_opcode_name(opcode));
	if ((size_t)length > body_most) {
		(void)td_err_set(err, TD_TOOBIG, "an answer of %d bytes is over the limit of %zu",
			length, body_most);
		if (err != NULL)
			err->native = stream;
		return TD_TOOBIG;
	}
	*ret_header = (struct cql_header){version, flags, stream, opcode, (size_t)length};
	return TD_OK;
}

enum td_status cql_body_open(
	const struct cql_frame *frame, struct cql_body *ret_body, struct td_err *err)
{
	struct cql_reader r = cql_reader(frame->body);
	struct cql_body body = {.tracing_id = NULL};
	uint8_t flags = frame->header.flags;
	if ((flags & CQL_FLAG_TRACING) != 0)
		body.tracing_id = cql_read_uuid(&r);
	if ((flags & CQL_FLAG_WARNINGS) != 0)
		body.warnings = cql_read_string_list(&r);
	if ((flags & CQL_FLAG_PAYLOAD) != 0)
		body.payload = cql_read_bytes_map(&r);
	body.message = cql_reader_rest(&r);
	enum td_status status = cql_reader_check(&r, "what stands before a message", err);
	if (status == TD_OK)
		*ret_body = body;
	return status;
}

enum td_status cql_body_expand(
	struct td_slice body, size_t body_most, struct td_buf *out, struct td_err *err)
{
	struct cql_reader r = cql_reader(body);
	size_t len = cql_read_size(&r);
	enum td_status status = cql_reader_check(&r, "a compressed body", err);
	if (status != TD_OK || len == 0)
		return status;
	if (len > body_most)
		return td_err_set(err, TD_TOOBIG, "an answer of %zu bytes is over the limit of %zu",
			len, body_most);
	return cql_lz4_expand(cql_reader_rest(&r), len, out, err);
}

void cql_envelope_compress(struct td_buf *out, struct td_slice envelope)
{
	size_t begin = out->len;
	struct td_slice body = td_slice_skip(envelope, CQL_HEADER_SIZE);
	uint8_t opcode = (uint8_t)envelope.ptr[LENGTH_AT - 1];
	td_buf_put(out, envelope.ptr, LENGTH_AT);
	size_t length_at = cql_put_gap(out);
	cql_put_int(out, (int32_t)body.len);
	if (opcode != CQL_OP_STARTUP && opcode != CQL_OP_OPTIONS && cql_lz4_put(out, body) &&
		out->len - begin < envelope.len) {
		out->ptr[begin + 1] |= CQL_FLAG_COMPRESSED;
		cql_put_length_at(out, length_at);
	} else if (!out->failed) {
		out->len = begin;
		td_buf_put_slice(out, envelope);
	}
}
