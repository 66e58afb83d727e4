/* Subscriptions and their history as the API shows them. Pure. */
#ifndef TD_API_SUBSCRIPTION_JSON_H
#define TD_API_SUBSCRIPTION_JSON_H

#include "base/buf.h"
#include "base/slice.h"
#include "store/rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With a line end. The row is as it stands now (app_subscription_view). */
void api_subscription_put(struct td_buf *out, const struct store_subscription *row);

/* {"items": […], "next_cursor": …}, with a line end. `more`: older ones are there. */
void api_history_put(
	struct td_buf *out, const struct store_history *items, size_t count, bool more);

/* What next_cursor says. False: it is none of ours. */
bool api_cursor_read(struct td_slice cursor, int64_t *ret_before_seq);

#endif
