/* The notations of the CQL native protocol (native_protocol_v4.spec and v5.spec section 3) both
 * ways. Integers are big-endian.
 *
 * Reading: in place from the caller's bytes, never past their end, no memory. Sticky: after the
 * first failure every later read gives 0 or nothing, so that a decoder may read a whole message
 * and look at `failed` once. What it gives points into the caller's bytes. One thread at a time.
 *
 * Writing: behind what a td_buf holds, which is sticky in the same way: a length that its notation
 * cannot hold makes the buffer failed, as no memory does. */
#ifndef TD_CQL_PROTOCOL_WIRE_H
#define TD_CQL_PROTOCOL_WIRE_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* [consistency] (section 3). */
enum cql_consistency {
	CQL_ANY = 0,
	CQL_ONE = 1,
	CQL_TWO = 2,
	CQL_THREE = 3,
	CQL_QUORUM = 4,
	CQL_ALL = 5,
	CQL_LOCAL_QUORUM = 6,
	CQL_EACH_QUORUM = 7,
	CQL_SERIAL = 8,
	CQL_LOCAL_SERIAL = 9,
	CQL_LOCAL_ONE = 10,
};

/* "LOCAL_QUORUM"; "unknown" for what is none of them. Static storage. */
const char *cql_consistency_name(unsigned consistency);

struct cql_reader {
	const uint8_t *at;
	size_t left; /* bytes from `at` that are still unread */
	bool failed;
};

static inline struct cql_reader cql_reader(struct td_slice bytes)
{
	return (struct cql_reader){(const uint8_t *)bytes.ptr, bytes.len, false};
}

/* Reads no more: every later read fails. */
static inline void cql_reader_fail(struct cql_reader *r)
{
	r->left = 0;
	r->failed = true;
}

/* TD_OK, or TD_CORRUPT with "WHAT ends early or has a length that does not fit". */
enum td_status cql_reader_check(
	const struct cql_reader *r, const char *what, struct td_err *err) TD_MUST_CHECK;

/* What is still unread. */
static inline struct td_slice cql_reader_rest(const struct cql_reader *r)
{
	return td_slice((const char *)r->at, r->left);
}

/* The next n bytes; NULL and failed where there are fewer. n = 0 never fails and may give NULL. */
static inline const uint8_t *cql_read_raw(struct cql_reader *r, size_t n)
{
	if (n > r->left) {
		cql_reader_fail(r);
		return NULL;
	}
	const uint8_t *p = r->at;
	if (n != 0)
		r->at += n;
	r->left -= n;
	return p;
}

static inline struct td_slice cql_read_slice(struct cql_reader *r, size_t n)
{
	const uint8_t *p = cql_read_raw(r, n);
	return td_slice((const char *)p, p != NULL ? n : 0);
}

static inline uint8_t cql_read_byte(struct cql_reader *r)
{
	const uint8_t *p = cql_read_raw(r, 1);
	return p != NULL ? p[0] : 0;
}

static inline uint16_t cql_read_short(struct cql_reader *r)
{
	const uint8_t *p = cql_read_raw(r, 2);
	return (uint16_t)(p != NULL ? p[0] << 8 | p[1] : 0);
}

static inline uint32_t cql_load_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline int32_t cql_read_int(struct cql_reader *r)
{
	const uint8_t *p = cql_read_raw(r, 4);
	return p != NULL ? (int32_t)cql_load_u32(p) : 0;
}

static inline int64_t cql_read_long(struct cql_reader *r)
{
	const uint8_t *p = cql_read_raw(r, 8);
	return p != NULL ? (int64_t)((uint64_t)cql_load_u32(p) << 32 | cql_load_u32(p + 4)) : 0;
}

/* [int] that may not be negative: a count or a length. */
static inline size_t cql_read_size(struct cql_reader *r)
{
	int32_t n = cql_read_int(r);
	if (n < 0)
		cql_reader_fail(r);
	return n < 0 ? 0 : (size_t)n;
}

/* [string], [short bytes]. */
static inline struct td_slice cql_read_string(struct cql_reader *r)
{
	return cql_read_slice(r, cql_read_short(r));
}

/* [long string]. */
static inline struct td_slice cql_read_long_string(struct cql_reader *r)
{
	return cql_read_slice(r, cql_read_size(r));
}

/* [bytes]: a slice whose ptr is NULL is null; an empty one has a ptr. */
static inline struct td_slice cql_read_bytes(struct cql_reader *r)
{
	int32_t n = cql_read_int(r);
	return n < 0 ? td_slice(NULL, 0) : cql_read_slice(r, (size_t)n);
}

/* As cql_read_bytes says it. */
static inline bool cql_is_null(struct td_slice bytes)
{
	return bytes.ptr == NULL;
}

/* [uuid]: 16 bytes; NULL when failed. */
static inline const uint8_t *cql_read_uuid(struct cql_reader *r)
{
	return cql_read_raw(r, 16);
}

/* [unsigned vint], [vint] (v5 section 3): up to 9 bytes. */
uint64_t cql_read_unsigned_vint(struct cql_reader *r);
int64_t cql_read_vint(struct cql_reader *r);

/* [inet] and, with port -1, [inetaddr]. */
struct cql_inet {
	uint8_t len;       /* 4 or 16; 0 when reading failed */
	uint8_t bytes[16]; /* network order; the first `len` count */
	int32_t port;      /* 0 to 65535; -1: there is none */
};

struct cql_inet cql_read_inet(struct cql_reader *r);
struct cql_inet cql_read_inetaddr(struct cql_reader *r);

/* A list or map that was walked to its end: reading `count` items from `bytes` cannot fail. */
struct cql_items {
	size_t count;
	struct td_slice bytes;
};

/* [string list], [string map], [string multimap], [bytes map]. */
struct cql_items cql_read_string_list(struct cql_reader *r);
struct cql_items cql_read_string_map(struct cql_reader *r);
struct cql_items cql_read_string_multimap(struct cql_reader *r);
struct cql_items cql_read_bytes_map(struct cql_reader *r);

void cql_put_byte(struct td_buf *b, uint8_t value);
void cql_put_short(struct td_buf *b, uint16_t value);
void cql_put_int(struct td_buf *b, int32_t value);
void cql_put_long(struct td_buf *b, int64_t value);

/* [string], [short bytes]: up to 65535 bytes. */
void cql_put_string(struct td_buf *b, struct td_slice text);

/* [long string]: up to 2^31 - 1 bytes. */
void cql_put_long_string(struct td_buf *b, struct td_slice text);

/* [bytes]: null where ptr is NULL; up to 2^31 - 1 bytes. */
void cql_put_bytes(struct td_buf *b, struct td_slice bytes);

void cql_put_unsigned_vint(struct td_buf *b, uint64_t value);
void cql_put_vint(struct td_buf *b, int64_t value);

struct cql_pair {
	struct td_slice name;
	struct td_slice value;
};

/* [string map] and [bytes map]: up to 65535 pairs; in the latter a value's NULL ptr is null. */
void cql_put_string_map(struct td_buf *b, const struct cql_pair *pairs, size_t count);
void cql_put_bytes_map(struct td_buf *b, const struct cql_pair *pairs, size_t count);

/* [string list]: up to 65535. */
void cql_put_string_list(struct td_buf *b, const struct td_slice *texts, size_t count);

/* Room for an [int] that is known later: where it stands, for cql_put_length_at(). */
size_t cql_put_gap(struct td_buf *b);

/* Writes the number of bytes behind the gap at `at` into it. */
void cql_put_length_at(struct td_buf *b, size_t at);

#endif
