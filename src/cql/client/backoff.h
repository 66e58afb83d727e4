/* How long to wait between attempts at something that fails: half of a ceiling that doubles, and a
 * part of the other half by chance, so that many clients do not come back at once. Pure. */
#ifndef TD_CQL_CLIENT_BACKOFF_H
#define TD_CQL_CLIENT_BACKOFF_H

#include <stdint.h>

/* All zero: nothing failed since the last success. */
struct cql_backoff {
	unsigned ceiling_ms;
};

/* The next wait, from first_ms / 2 up to most_ms. `chance`: anything from 0 to UINT32_MAX. */
unsigned cql_backoff_next(
	struct cql_backoff *b, unsigned first_ms, unsigned most_ms, uint32_t chance);

#endif
