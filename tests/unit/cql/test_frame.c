#include "td_test.h"

#include "cql/protocol/frame.h"
#include "hex.h"

static struct td_buf in = TD_BUF_INIT, out = TD_BUF_INIT, text = TD_BUF_INIT;

static struct td_slice bytes_of(const char *digits)
{
	td_buf_reset(&in);
	hex_put(&in, digits);
	(void)td_buf_cstr(&in);
	return td_buf_slice(&in);
}

/* The answer of a real server to a query, and the header of an event. */
static void test_header_of_answers(void **state)
{
	(void)state;
	struct cql_header header;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(
		cql_header_parse(bytes_of("8508000108 0000002f"), 1024, &header, &err), TD_OK);
	assert_int_equal(header.version, 5);
	assert_int_equal(header.flags, CQL_FLAG_WARNINGS);
	assert_int_equal(header.stream, 1);
	assert_int_equal(header.opcode, CQL_OP_RESULT);
	assert_int_equal(header.length, 47);
	assert_int_equal(
		cql_header_parse(bytes_of("8400ffff0c 00000000"), 1024, &header, &err), TD_OK);
	assert_int_equal(header.stream, CQL_STREAM_EVENT);
}

/* Versions are the server's own: an error may come in one that we do not speak. */
static void test_header_of_another_version_is_taken(void **state)
{
	(void)state;
	struct cql_header header;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(
		cql_header_parse(bytes_of("8610000000 00000004"), 1024, &header, &err), TD_OK);
	assert_int_equal(header.version, 6);
	assert_int_equal(
		cql_header_parse(bytes_of("8300000000 00000004"), 1024, &header, &err), TD_OK);
}

struct bad_row {
	const char *digits;
	enum td_status status;
	const char *words;
};

/* A header that cannot be believed names what is wrong. */
static void test_header_damaged_is_refused(void **state)
{
	(void)state;
	static const struct bad_row rows[] = {
		{"8400000108 80000000", TD_CORRUPT, "damaged"},
		{"8400000108 ffffffff", TD_CORRUPT, "damaged"},
		{"8400fffe08 00000000", TD_CORRUPT, "stream -2"},
		{"8400000104 00000000", TD_CORRUPT, "opcode 04"},
		{"8400000107 00000000", TD_CORRUPT, "QUERY"},
		{"8400000120 00000000", TD_CORRUPT, "opcode 20"},
		{"8400000108 00000401", TD_TOOBIG, "1025 bytes is over the limit of 1024"},
		{"0400000108 00000000", TD_CORRUPT, "a request of CQL"},
		{"8400000108 000000", TD_CORRUPT, "damaged"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct cql_header header;
		struct td_err err = TD_ERR_INIT;
		assert_int_equal(cql_header_parse(bytes_of(rows[i].digits), 1024, &header, &err),
			rows[i].status);
		if (strstr(err.text, rows[i].words) == NULL)
			fail_msg("%s: %s", rows[i].digits, err.text);
	}
}

/* Whose port it seems to be. */
static void test_sniff_names_other_servers(void **state)
{
	(void)state;
	const struct {
		struct td_slice bytes;
		const char *words;
	} rows[] = {
		{TD_SLICE("HTTP/1.1 400 Bad Request\r\n"), "HTTP"},
		{TD_SLICE("<html>"), "HTML"},
		{TD_SLICE("\x15\x03\x01\x00\x02\x02\x46"), "TLS alert"},
		{TD_SLICE("\x16\x03\x03\x00\x40"), "TLS handshake"},
		{TD_SLICE("SSH-2.0-OpenSSH"), "SSH"},
		{TD_SLICE("-ERR unknown command"), "Redis"},
		{TD_SLICE("220 mail ready"), "SMTP"},
		{TD_SLICE("ERROR\r\n"), "memcached"},
		{TD_SLICE("\x4a\x00\x00\x00\x0a"
			  "8.0.36"),
			"MySQL"},
		{TD_SLICE("E\x00\x00\x00\x84"
			  "SFATAL"),
			"PostgreSQL"},
		{TD_SLICE("AMQP\x00\x00\x09\x01"), "AMQP"},
		{TD_SLICE("\xff\xff"), "byte ff"},
		{TD_SLICE("\x80"), "byte 80"},
		{TD_SLICE(""), "byte 00"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_err err = TD_ERR_INIT;
		assert_int_equal(cql_header_sniff(rows[i].bytes, &err), TD_CORRUPT);
		if (strstr(err.text, rows[i].words) == NULL)
			fail_msg("row %zu: %s", i, err.text);
	}
	assert_int_equal(cql_header_sniff(TD_SLICE("\x84"), NULL), TD_OK);
}

/* Tracing, warnings and payload stand before the message in this order, each by its flag. */
static void test_body_open_prefixes(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	struct cql_body body;
	struct cql_frame frame = {
		.header.flags = CQL_FLAG_TRACING | CQL_FLAG_WARNINGS | CQL_FLAG_PAYLOAD};
	frame.body = bytes_of("00112233445566778899aabbccddeeff 0001 0003 6f6e65"
			      "0001 0001 6b 00000001 76 00000001");
	assert_int_equal(cql_body_open(&frame, &body, &err), TD_OK);
	assert_int_equal(body.tracing_id[15], 0xff);
	assert_int_equal(body.warnings.count, 1);
	assert_int_equal(body.payload.count, 1);
	assert_string_equal(hex_text(&text, body.message), "00000001");
	frame.header.flags = 0;
	assert_int_equal(cql_body_open(&frame, &body, &err), TD_OK);
	assert_null(body.tracing_id);
	assert_int_equal(body.warnings.count, 0);
	assert_int_equal(body.message.len, frame.body.len);
	frame.header.flags = CQL_FLAG_WARNINGS;
	frame.body = bytes_of("0002 0001 61");
	assert_int_equal(cql_body_open(&frame, &body, &err), TD_CORRUPT);
}

/* Protocol 4's compressed bodies: the length in plain, then a block. */
static void test_body_expand_vectors(void **state)
{
	(void)state;
	static const struct bad_row rows[] = {
		{"00000005 50 68656c6c6f", TD_OK, "68656c6c6f"},
		{"00000000", TD_OK, ""},
		{"00000006 50 68656c6c6f", TD_CORRUPT, "damaged"},
		{"00000004 50 68656c6c6f", TD_CORRUPT, "damaged"},
		{"00000005 50 68656c6c", TD_CORRUPT, "damaged"},
		{"00000005", TD_CORRUPT, "damaged"},
		{"000003ff 50 68", TD_CORRUPT, "cannot be"},
		{"00000401 50 68656c6c6f", TD_TOOBIG, "over the limit"},
		{"ffffffff 50 68656c6c6f", TD_CORRUPT, "ends early"},
		{"0000", TD_CORRUPT, "ends early"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_err err = TD_ERR_INIT;
		td_buf_reset(&out);
		assert_int_equal(cql_body_expand(bytes_of(rows[i].digits), 1024, &out, &err),
			rows[i].status);
		if (rows[i].status == TD_OK)
			assert_string_equal(hex_text(&text, td_buf_slice(&out)), rows[i].words);
		else
			assert_non_null(strstr(err.text, rows[i].words));
	}
}

/* A request is compressed where that saves bytes; STARTUP never is. */
static void test_envelope_compress(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	struct td_buf plain = TD_BUF_INIT;
	hex_put(&plain, "0400000107 000000c8");
	for (int i = 0; i < 200; i++)
		td_buf_put_char(&plain, (char)('a' + i % 3));
	assert_non_null(td_buf_cstr(&plain));
	td_buf_reset(&out);
	cql_envelope_compress(&out, td_buf_slice(&plain));
	assert_true(out.len < plain.len);
	assert_int_equal(out.ptr[1], CQL_FLAG_COMPRESSED);
	assert_int_equal(cql_load_u32((const uint8_t *)out.ptr + 5), out.len - 9);
	td_buf_reset(&text);
	assert_int_equal(
		cql_body_expand(td_slice_skip(td_buf_slice(&out), 9), 1024, &text, &err), TD_OK);
	assert_true(td_slice_equal(td_buf_slice(&text), td_slice_skip(td_buf_slice(&plain), 9)));
	plain.ptr[4] = CQL_OP_STARTUP;
	td_buf_reset(&out);
	cql_envelope_compress(&out, td_buf_slice(&plain));
	assert_true(td_slice_equal(td_buf_slice(&out), td_buf_slice(&plain)));
	td_buf_reset(&out);
	cql_envelope_compress(&out, bytes_of("0400000107 00000001 61"));
	assert_string_equal(hex_text(&text, td_buf_slice(&out)), "04000001070000000161");
	td_buf_done(&plain);
}

static void test_opcode_names(void **state)
{
	(void)state;
	assert_string_equal(cql_opcode_name(CQL_OP_ERROR), "ERROR");
	assert_string_equal(cql_opcode_name(CQL_OP_AUTH_SUCCESS), "AUTH_SUCCESS");
	assert_string_equal(cql_opcode_name(4), "unknown");
	assert_string_equal(cql_opcode_name(17), "unknown");
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
		cmocka_unit_test(test_header_of_answers),
		cmocka_unit_test(test_header_of_another_version_is_taken),
		cmocka_unit_test(test_header_damaged_is_refused),
		cmocka_unit_test(test_sniff_names_other_servers),
		cmocka_unit_test(test_body_open_prefixes),
		cmocka_unit_test(test_body_expand_vectors),
		cmocka_unit_test(test_envelope_compress),
		cmocka_unit_test(test_opcode_names),
	};
	return cmocka_run_group_tests(tests, NULL, free_buffers);
}
