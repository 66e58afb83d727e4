/* Arrays as binary parameters: how one statement takes a whole batch (unnest). One dimension; each
 * element is a length and its bytes, in network order (PostgreSQL 15,
 * src/backend/utils/adt/arrayfuncs.c describes the form: dimensions, a flag for nulls, the
 * element's type, size and lower bound). Sticky through the buffer. */
#ifndef TD_STORE_POSTGRES_PG_ARRAY_H
#define TD_STORE_POSTGRES_PG_ARRAY_H

#include "base/buf.h"
#include "base/slice.h"

#include <stdint.h>

enum pg_type {
	PG_BOOL = 16,
	PG_BYTEA = 17,
	PG_INT8 = 20,
	PG_TEXT = 25,
	PG_TIMESTAMPTZ = 1184,
};

struct pg_array {
	struct td_buf buf;
	enum pg_type type;
	uint32_t count;
};

/* Give it to pg_array_done(). */
void pg_array_begin(struct pg_array *a, enum pg_type type);
void pg_array_done(struct pg_array *a);

void pg_array_put_null(struct pg_array *a);
void pg_array_put_text(struct pg_array *a, struct td_slice text); /* a NULL pointer is null */
void pg_array_put_bytes(struct pg_array *a, const uint8_t *bytes, size_t len);
void pg_array_put_int(struct pg_array *a, int64_t number);
void pg_array_put_bool(struct pg_array *a, bool value);
void pg_array_put_time(struct pg_array *a, int64_t wall_ms); /* 0 is null */

/* Fills in the head; the bytes are ready then. False: no memory. */
bool pg_array_end(struct pg_array *a);

/* Microseconds since 2000-01-01, which is how the server counts. */
int64_t pg_time_from_ms(int64_t wall_ms);
int64_t pg_time_to_ms(int64_t pg_us);

#endif
