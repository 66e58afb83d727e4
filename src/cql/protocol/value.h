/* Values of every type both ways (native_protocol_v4.spec and v5.spec section 6).
 *
 * Writing: each cql_bind_…() puts one value with its length behind what a td_buf holds: that is
 * what cql_values takes, and what the elements of a collection and the fields of a tuple are made
 * of. What a type cannot hold makes the buffer failed.
 *
 * Reading: each cql_get_…() takes one cell and gives true with the value. False: it is null, empty
 * (which servers have for most types, and which is neither null nor zero) or not of this type;
 * cql_is_null() and the length tell them apart. No memory; what is read points into the cell. */
#ifndef TD_CQL_PROTOCOL_VALUE_H
#define TD_CQL_PROTOCOL_VALUE_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "cql/protocol/type.h"
#include "cql/protocol/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CQL_TIME_MOST INT64_C(86399999999999) /* ns since midnight */

/* Writes a tombstone; not allowed within collections. */
void cql_bind_null(struct td_buf *b);

/* Leaves a column as it is. Not for the partition key, not within other values. */
void cql_bind_unset(struct td_buf *b);

/* ascii, text, varchar, blob, custom: bytes as they are. A NULL ptr is null. */
void cql_bind_bytes(struct td_buf *b, struct td_slice bytes);

void cql_bind_boolean(struct td_buf *b, bool value);
void cql_bind_tinyint(struct td_buf *b, int8_t value);
void cql_bind_smallint(struct td_buf *b, int16_t value);
void cql_bind_int(struct td_buf *b, int32_t value);

/* bigint, counter; timestamp in ms since 1970 UTC; time in ns since midnight. */
void cql_bind_bigint(struct td_buf *b, int64_t value);
void cql_bind_timestamp(struct td_buf *b, int64_t wall_ms);
void cql_bind_time(struct td_buf *b, int64_t ns);

/* Days since 1970-01-01. */
void cql_bind_date(struct td_buf *b, int32_t days);

void cql_bind_float(struct td_buf *b, float value);
void cql_bind_double(struct td_buf *b, double value);

/* uuid and timeuuid, in the order that their text has. */
void cql_bind_uuid(struct td_buf *b, const uint8_t uuid[16]);

/* The address alone: the type has no port. len must be 4 or 16. */
void cql_bind_inet(struct td_buf *b, const struct cql_inet *inet);

/* In as few bytes as it takes. */
void cql_bind_varint(struct td_buf *b, int64_t value);

/* unscaled * 10^-scale. Larger ones: cql_bind_decimal_bytes() with the unscaled number as two's
 * complement, most significant byte first, at least one byte. A larger varint is such bytes
 * alone: cql_bind_bytes(). */
void cql_bind_decimal(struct td_buf *b, int32_t scale, int64_t unscaled);
void cql_bind_decimal_bytes(struct td_buf *b, int32_t scale, struct td_slice unscaled);

/* The three must not differ in sign. */
struct cql_duration {
	int32_t months;
	int32_t days;
	int64_t ns;
};

void cql_bind_duration(struct td_buf *b, const struct cql_duration *duration);

/* A value made of others: open it, bind its parts, and give what opening returned to
 * cql_bind_close(). A list or set has `count` elements, a map `count` pairs of key and value. A
 * tuple or UDT is cql_bind_open() and a value, perhaps null, for each field; those left out at the
 * end are null. */
size_t cql_bind_open(struct td_buf *b);
size_t cql_bind_open_list(struct td_buf *b, size_t count);
size_t cql_bind_open_map(struct td_buf *b, size_t count);
void cql_bind_close(struct td_buf *b, size_t opened);

/* A vector: `elements` are its values as cql_bind_…() wrote them into another buffer. TD_INVALID:
 * not type->dimension of them, one is null or of another size than the type has; TD_NOMEM:
 * the buffer is failed. Nothing is written then. */
enum td_status cql_bind_vector(struct td_buf *b, const struct cql_type *type,
	struct td_slice elements, struct td_err *err) TD_MUST_CHECK;

bool cql_get_boolean(struct td_slice cell, bool *ret_value);
bool cql_get_tinyint(struct td_slice cell, int8_t *ret_value);
bool cql_get_smallint(struct td_slice cell, int16_t *ret_value);
bool cql_get_int(struct td_slice cell, int32_t *ret_value);
bool cql_get_bigint(struct td_slice cell, int64_t *ret_value);
bool cql_get_timestamp(struct td_slice cell, int64_t *ret_wall_ms);
bool cql_get_time(struct td_slice cell, int64_t *ret_ns);
bool cql_get_date(struct td_slice cell, int32_t *ret_days);
bool cql_get_float(struct td_slice cell, float *ret_value);
bool cql_get_double(struct td_slice cell, double *ret_value);

/* 16 bytes of the cell. */
bool cql_get_uuid(struct td_slice cell, const uint8_t **ret_uuid);

/* port is -1. */
bool cql_get_inet(struct td_slice cell, struct cql_inet *ret_inet);

/* False too where it does not fit: the cell then is the number, two's complement, most significant
 * byte first. */
bool cql_get_varint(struct td_slice cell, int64_t *ret_value);

/* The unscaled number as cql_get_varint() takes it. */
bool cql_get_decimal(struct td_slice cell, int32_t *ret_scale, struct td_slice *ret_unscaled);

bool cql_get_duration(struct td_slice cell, struct cql_duration *ret_duration);

/* What cql_elements_next() walks: the parts of a value that is made of others. */
struct cql_elements {
	struct cql_reader r;
	size_t left;        /* parts that were not given */
	size_t fixed_size;  /* of each part, VECTOR; 0: lengths stand before them */
	bool has_vints;     /* VECTOR: these lengths are [unsigned vint] */
	bool may_end_early; /* TUPLE, UDT: parts left out at the end are null */
};

/* LIST, SET, MAP (`left` counts keys and values then), TUPLE, UDT, VECTOR. False as above, and for
 * a count that the cell cannot hold. */
bool cql_get_elements(
	const struct cql_type *type, struct td_slice cell, struct cql_elements *ret_elements);

/* The next part, its type is type->params[0] (MAP: 0 and 1 in turns; TUPLE, UDT: each its own).
 * False: there is none, or e->r.failed: the cell ends within it. */
bool cql_elements_next(struct cql_elements *e, struct td_slice *ret_cell);

/* TD_CORRUPT: the cell is not a value of the type, down to its last part; null and empty ones
 * are. */
enum td_status cql_value_check(
	const struct cql_type *type, struct td_slice cell, struct td_err *err) TD_MUST_CHECK;

#endif
