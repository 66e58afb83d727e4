#include "cql/protocol/lz4_block.h"

#include <lz4.h>

#define PLAIN_LEAST 128 /* bytes; shorter ones are not worth it */
#define RATIO_MOST  255 /* a byte of a block stands for 255 bytes at most */

bool cql_lz4_put(struct td_buf *out, struct td_slice plain)
{
	if (plain.len < PLAIN_LEAST || plain.len > LZ4_MAX_INPUT_SIZE)
		return false;
	/* One byte less than the plain text: what does not fit is not worth it. */
	char *to = td_buf_reserve(out, plain.len - 1);
	if (to == NULL)
		return false;
	int len = LZ4_compress_default(plain.ptr, to, (int)plain.len, (int)plain.len - 1);
	if (len <= 0)
		return false;
	out->len += (size_t)len;
	return true;
}

enum td_status cql_lz4_expand(
	struct td_slice block, size_t plain_len, struct td_buf *out, struct td_err *err)
{
	if (block.len > LZ4_MAX_INPUT_SIZE || plain_len > LZ4_MAX_INPUT_SIZE ||
		plain_len / RATIO_MOST > block.len)
		return td_err_set(err, TD_CORRUPT, "%zu bytes of LZ4 cannot be %zu bytes of text",
			block.len, plain_len);
	char *to = td_buf_reserve(out, plain_len);
	if (to == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for %zu bytes out of LZ4", plain_len);
	int len = LZ4_decompress_safe(block.ptr, to, (int)block.len, (int)plain_len);
	if (len < 0 || (size_t)len != plain_len)
		return td_err_set(
			err, TD_CORRUPT, "a block of LZ4 is damaged: not %zu bytes", plain_len);
	out->len += plain_len;
	return TD_OK;
}
