/* Exact money: an integer of the currency's minor unit, always with two places (2999 is 29.99). */
#ifndef TD_BASE_MONEY_H
#define TD_BASE_MONEY_H

#include "base/buf.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* numeric(12,2) in PostgreSQL: at most 9999999999.99. */
#define TD_MONEY_MAX INT64_C(999999999999)

/* "29.99", "29.9", "29", from 0 to TD_MONEY_MAX. False: a sign, an exponent, more than two places,
 * too large. */
bool td_money_parse(struct td_slice text, int64_t *ret_minor);

/* "29.99"; negative amounts get their sign. */
void td_money_put(struct td_buf *b, int64_t minor);

/* An ISO 4217 code (three capitals) of a currency with exactly two places. */
bool td_money_is_currency(struct td_slice code);

#endif
