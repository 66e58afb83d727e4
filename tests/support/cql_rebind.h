/* A value of any type, read by the functions of its type and bound again by those that write it:
 * what comes in must come out. */
#ifndef TD_TESTS_SUPPORT_CQL_REBIND_H
#define TD_TESTS_SUPPORT_CQL_REBIND_H

#include "cql/protocol/value.h"

/* Writes the value behind `json` and, bound, behind `b`. Bytes, texts, addresses and UUIDs are
 * hexadecimal strings in the JSON, a number too large for 64 bits too; a decimal is [scale,
 * unscaled], a duration [months, days, ns], a map [key, value, …]. */
void cql_rebind(
	const struct cql_type *type, struct td_slice cell, struct td_buf *json, struct td_buf *b);

#endif
