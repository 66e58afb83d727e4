#include "td_test.h"

#include "base/compress.h"

#include <brotli/decode.h>
#include <string.h>
#include <zlib.h>

static char plain[40000];

static struct td_slice text_of(size_t len)
{
	static const char words[] = "<li>Requests an hour</li><li>Requests a day</li>";
	for (size_t i = 0; i < len; i++)
		plain[i] = words[(i + i / 977) % (sizeof(words) - 1)];
	return td_slice(plain, len);
}

/* What is unpacked is what was packed, for gzip with its header and for brotli. */
static void test_compress_comes_back(void **state)
{
	(void)state;
	static unsigned char back[sizeof(plain)];
	struct td_buf out = TD_BUF_INIT;
	for (size_t len = 500; len <= sizeof(plain); len = len * 3 + 7) {
		struct td_slice text = text_of(len);
		assert_true(td_compress_gzip(text, &out));
		assert_true(out.len > 0 && out.len < len / 2);
		z_stream z = {.next_in = (Bytef *)out.ptr,
			.avail_in = (uInt)out.len,
			.next_out = back,
			.avail_out = sizeof(back)};
		assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
		assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
		assert_int_equal(z.total_out, len);
		assert_memory_equal(back, plain, len);
		(void)inflateEnd(&z);
		assert_true(td_compress_br(text, &out));
		assert_true(out.len > 0 && out.len < len / 2);
		size_t size = sizeof(back);
		assert_int_equal(
			BrotliDecoderDecompress(out.len, (const uint8_t *)out.ptr, &size, back),
			BROTLI_DECODER_RESULT_SUCCESS);
		assert_int_equal(size, len);
		assert_memory_equal(back, plain, len);
	}
	td_buf_done(&out);
}

/* The same input gives the same bytes, so that an ETag of the content stands for them. */
static void test_compress_is_repeatable(void **state)
{
	(void)state;
	struct td_buf one = TD_BUF_INIT, two = TD_BUF_INIT;
	struct td_slice text = text_of(5000);
	assert_true(td_compress_gzip(text, &one) && td_compress_gzip(text, &two));
	assert_true(td_slice_equal(td_buf_slice(&one), td_buf_slice(&two)));
	assert_true(td_compress_br(text, &one) && td_compress_br(text, &two));
	assert_true(td_slice_equal(td_buf_slice(&one), td_buf_slice(&two)));
	td_buf_done(&one);
	td_buf_done(&two);
}

/* What gets hardly smaller is not kept twice; nothing stays nothing. */
static void test_compress_without_gain_is_empty(void **state)
{
	(void)state;
	struct td_buf out = TD_BUF_INIT;
	const struct td_slice rows[] = {TD_SLICE(""), TD_SLICE("a"), TD_SLICE("q8!zK#0v-x")};
	for (size_t i = 0; i < 3; i++) {
		td_buf_put_str(&out, "old");
		assert_true(td_compress_gzip(rows[i], &out));
		assert_int_equal(out.len, 0);
		td_buf_put_str(&out, "old");
		assert_true(td_compress_br(rows[i], &out));
		assert_int_equal(out.len, 0);
	}
	td_buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compress_comes_back),
		cmocka_unit_test(test_compress_is_repeatable),
		cmocka_unit_test(test_compress_without_gain_is_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
