/* LZ4 blocks, as the bodies of protocol 4 and the segments of protocol 5 carry them. The only file
 * that knows liblz4. */
#ifndef TD_CQL_PROTOCOL_LZ4_BLOCK_H
#define TD_CQL_PROTOCOL_LZ4_BLOCK_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* Writes `plain` as one block behind `out`. False, and `out` as it was, where that would be no
 * shorter than `plain`, or where plain is shorter than 128 bytes: the time is worth more than what
 * it saves. No memory: false and out->failed. */
bool cql_lz4_put(struct td_buf *out, struct td_slice plain) TD_MUST_CHECK;

/* Writes the `plain_len` bytes that the block holds behind `out`.
 *   TD_CORRUPT  the block is damaged, or holds another number of bytes
 *   TD_NOMEM    no memory, or over the buffer's limit
 * A plain_len that no block of this length can hold is refused before memory is reserved. */
enum td_status cql_lz4_expand(struct td_slice block, size_t plain_len, struct td_buf *out,
	struct td_err *err) TD_MUST_CHECK;

#endif
