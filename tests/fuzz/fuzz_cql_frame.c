/* One envelope of a server: its header, what stands before the message, a compressed body. The
 * first byte chooses the flags that a body is opened with; and the bytes as a request's body are
 * compressed and expanded again. */
#include "fuzz.h"

#include "cql/protocol/frame.h"

#define BODY_MOST 65536

static void check_header(struct td_slice bytes)
{
	struct cql_header header;
	struct td_err err = TD_ERR_INIT;
	if (cql_header_parse(bytes, BODY_MOST, &header, &err) != TD_OK) {
		FUZZ_CLAIM(err.text[0] != '\0');
		return;
	}
	FUZZ_CLAIM(header.length <= BODY_MOST && bytes.len >= CQL_HEADER_SIZE);
	FUZZ_CLAIM(header.stream >= CQL_STREAM_EVENT);
	FUZZ_CLAIM(cql_opcode_name(header.opcode)[0] != 'u');
}

static void check_body(struct td_slice bytes, uint8_t flags)
{
	struct td_err err = TD_ERR_INIT;
	struct cql_frame frame = {.header.flags = flags, .body = bytes};
	struct cql_body body;
	if (cql_body_open(&frame, &body, &err) != TD_OK) {
		FUZZ_CLAIM(err.text[0] != '\0');
		return;
	}
	FUZZ_CLAIM(fuzz_is_within(body.message, bytes));
	struct cql_reader r = cql_reader(body.warnings.bytes);
	for (size_t i = 0; i < body.warnings.count; i++)
		(void)cql_read_string(&r);
	FUZZ_CLAIM(!r.failed && r.left == 0);
	r = cql_reader(body.payload.bytes);
	for (size_t i = 0; i < body.payload.count; i++) {
		(void)cql_read_string(&r);
		(void)cql_read_bytes(&r);
	}
	FUZZ_CLAIM(!r.failed && r.left == 0);
}

static void check_expanded(struct td_slice bytes)
{
	struct td_buf out = TD_BUF_INIT;
	struct td_err err = TD_ERR_INIT;
	enum td_status status = cql_body_expand(bytes, BODY_MOST, &out, &err);
	FUZZ_CLAIM(out.len <= BODY_MOST && out.cap <= 2 * BODY_MOST);
	FUZZ_CLAIM((status == TD_OK) == (err.text[0] == '\0'));
	td_buf_done(&out);
}

/* A request that is compressed opens to what it was. */
static void check_compressed(struct td_slice bytes, uint8_t opcode)
{
	struct td_buf plain = TD_BUF_INIT, out = TD_BUF_INIT, opened = TD_BUF_INIT;
	struct td_err err = TD_ERR_INIT;
	td_buf_put(&plain, "\x04\x00\x00\x01", 4);
	cql_put_byte(&plain, opcode);
	cql_put_long_string(&plain, bytes);
	if (!plain.failed)
		cql_envelope_compress(&out, td_buf_slice(&plain));
	struct td_slice body = td_slice_skip(td_buf_slice(&out), CQL_HEADER_SIZE);
	if (!plain.failed && !out.failed && (out.ptr[1] & CQL_FLAG_COMPRESSED) != 0 &&
		cql_body_expand(body, bytes.len, &opened, &err) == TD_OK)
		body = td_buf_slice(&opened);
	FUZZ_CLAIM(plain.failed || out.failed || err.code != TD_OK || td_slice_equal(body, bytes));
	FUZZ_CLAIM(err.code == TD_OK || err.code == TD_NOMEM);
	td_buf_done(&opened);
	td_buf_done(&out);
	td_buf_done(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t way = (uint8_t)fuzz_choose(&data, &size, 256);
	struct td_slice bytes = fuzz_slice(data, size);
	check_header(bytes);
	check_body(bytes, way);
	check_expanded(bytes);
	check_compressed(bytes, way % 16);
	return 0;
}
