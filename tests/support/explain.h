/* Reads a subscription's history as an auditor would, without the code that wrote it: whether each
 * row can follow the one before it, and whether together they lead to the subscription as it
 * stands. */
#ifndef TD_TESTS_SUPPORT_EXPLAIN_H
#define TD_TESTS_SUPPORT_EXPLAIN_H

#include "store/rows.h"

#include <stddef.h>

/* `history` in the order in which it was written, all of it of `row`. Beside each step it is
 * checked that periods have neither gap nor overlap, that prices are those that were promised, and
 * that the version is the number of rows. `row` NULL: only that the history is whole, and ends.
 * NULL, or what does not fit (static storage that the next call overwrites). */
const char *explain(
	const struct store_subscription *row, const struct store_history *history, size_t count);

#endif
