/* Where Cassandra's Murmur3Partitioner puts a partition key on the ring. Pure; no memory; any
 * thread. */
#ifndef TD_CQL_PROTOCOL_TOKEN_H
#define TD_CQL_PROTOCOL_TOKEN_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The token of a routing key: the first half of MurmurHash3 x64 128 with seed 0, in which the bytes
 * behind the last whole block of 16 count as signed ones, as in Cassandra. Never INT64_MIN. */
int64_t cql_token(struct td_slice key);

/* Writes the routing key of a partition key of `count` columns behind what `b` holds: the value
 * alone where there is one, else each with its length before and a zero byte behind it. The buffer
 * is failed where there is no column, where one is null (ptr NULL), and where one of several is
 * over 65535 bytes. */
void cql_routing_key_put(struct td_buf *b, const struct td_slice *values, size_t count);

/* A token as system.local and system.peers have it: "-9223372036854775807". False: it is none. */
bool cql_token_parse(struct td_slice text, int64_t *ret_token) TD_MUST_CHECK;

#endif
