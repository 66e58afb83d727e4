#include "base/compress.h"

#define ZLIB_CONST
#include <brotli/encode.h>
#include <limits.h>
#include <zlib.h>

/* Less of a gain is not worth a second copy. */
static size_t room_for(struct td_slice in)
{
	return in.len - in.len / 10;
}

bool td_compress_gzip(struct td_slice in, struct td_buf *out)
{
	td_buf_reset(out);
	if (in.len > UINT_MAX / 2)
		return true;
	char *room = td_buf_reserve(out, room_for(in) + 1);
	if (room == NULL)
		return false;
	z_stream z = {.next_in = (const Bytef *)in.ptr,
		.avail_in = (uInt)in.len,
		.next_out = (Bytef *)room,
		.avail_out = (uInt)room_for(in)};
	int with_gzip_header = MAX_WBITS + 16;
	if (deflateInit2(&z, 9, Z_DEFLATED, with_gzip_header, 9, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	if (deflate(&z, Z_FINISH) == Z_STREAM_END)
		out->len = z.total_out;
	(void)deflateEnd(&z);
	return true;
}

bool td_compress_br(struct td_slice in, struct td_buf *out)
{
	td_buf_reset(out);
	size_t len = room_for(in);
	char *room = td_buf_reserve(out, len + 1);
	if (room == NULL)
		return false;
	int window = 14;
	while (window < 22 && ((size_t)1 << window) < in.len)
		window++;
	if (BrotliEncoderCompress(9, window, BROTLI_MODE_TEXT, in.len, (const uint8_t *)in.ptr,
		    &len, (uint8_t *)room) == BROTLI_TRUE)
		out->len = len;
	return true;
}
