#include "api/subscription_json.h"

#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- members
 * ------------------------------------------------------------------------------------------- */

static void put_text(struct td_json *j, const char *name, struct td_slice text)
{
	td_json_name(j, name);
	if (text.ptr != NULL)
		td_json_slice(j, text);
	else
		td_json_null(j);
}

/* "" in the maps of store/rows.h: there is none. */
static void put_word(struct td_json *j, const char *name, const char *word)
{
	td_json_member_str(j, name, word[0] != '\0' ? word : NULL);
}

/* 0: there is no such time. */
static void put_time(struct td_json *j, const char *name, int64_t wall_ms)
{
	td_json_name(j, name);
	if (wall_ms != 0)
		td_json_time(j, wall_ms);
	else
		td_json_null(j);
}

/* ---- a subscription
 * ------------------------------------------------------------------------------------ */

static void put_pending(struct td_json *j, const struct store_pending *pending)
{
	td_json_name(j, "pending_change");
	if (pending->action == STORE_PENDING_NONE) {
		td_json_null(j);
		return;
	}
	td_json_open(j, '{');
	put_word(j, "action", store_pending_word(pending->action));
	put_text(j, "package_slug", pending->package.slug);
	put_word(j, "billing_cycle", store_cycle_word(pending->cycle));
	put_time(j, "at", pending->at);
	td_json_close(j, '}');
}

static void put_times(struct td_json *j, const struct store_subscription *row)
{
	td_json_member_time(j, "started_at", row->started_at);
	td_json_member_time(j, "current_period_start", row->current_period_start);
	td_json_member_time(j, "current_period_end", row->current_period_end);
	put_pending(j, &row->pending);
	td_json_member_bool(j, "cancel_at_period_end", row->cancel_at_period_end);
	put_time(j, "canceled_at", row->canceled_at);
	put_time(j, "ended_at", row->ended_at);
}

void api_subscription_put(struct td_buf *out, const struct store_subscription *row)
{
	struct td_json j = td_json_to(out);
	td_json_open(&j, '{');
	put_text(&j, "id", row->id);
	put_text(&j, "user_id", row->user_id);
	put_text(&j, "package_id", row->package.id);
	put_text(&j, "package_slug", row->package.slug);
	put_text(&j, "package_name", row->package.name);
	td_json_member_str(&j, "status", store_status_word(row->status));
	td_json_member_str(&j, "billing_cycle", store_cycle_word(row->cycle));
	td_json_member_money(&j, "price", row->price);
	put_text(&j, "currency", row->currency);
	put_times(&j, row);
	td_json_member_i64(&j, "rate_limit_per_hour", row->package.rate_limit_per_hour);
	td_json_member_i64(&j, "rate_limit_per_day", row->package.rate_limit_per_day);
	td_json_member_i64(&j, "version", row->version);
	td_json_member_time(&j, "created_at", row->created_at);
	td_json_member_time(&j, "updated_at", row->updated_at);
	td_json_close(&j, '}');
	td_buf_put_char(out, '\n');
}

/* ---- cursors: the place of the last item that was shown
 * ------------------------------------------------------------------------------------------- */

#define CURSOR_DIGITS 18
#define CURSOR_SIZE   (CURSOR_DIGITS + 3)

static void make_cursor(int64_t seq, char out[CURSOR_SIZE])
{
	(void)snprintf(out, CURSOR_SIZE, "p%" PRId64, seq);
}

bool api_cursor_read(struct td_slice cursor, int64_t *ret_before_seq)
{
	int64_t seq = 0;
	if (cursor.len < 2 || cursor.len > 1 + CURSOR_DIGITS || cursor.ptr[0] != 'p' ||
		cursor.ptr[1] == '0')
		return false;
	for (size_t i = 1; i < cursor.len; i++) {
		if (cursor.ptr[i] < '0' || cursor.ptr[i] > '9')
			return false;
		seq = seq * 10 + (cursor.ptr[i] - '0');
	}
	*ret_before_seq = seq;
	return true;
}

/* ---- history
 * ------------------------------------------------------------------------------------------- */

static void put_item(struct td_json *j, const struct store_history *item)
{
	td_json_open(j, '{');
	put_text(j, "id", item->id);
	put_text(j, "subscription_id", item->subscription_id);
	put_text(j, "user_id", item->user_id);
	td_json_member_str(j, "action", store_action_word(item->action));
	put_text(j, "from_package", item->from_package);
	put_text(j, "to_package", item->to_package);
	put_word(j, "from_cycle", store_cycle_word(item->from_cycle));
	put_word(j, "to_cycle", store_cycle_word(item->to_cycle));
	td_json_name(j, "price");
	if (item->has_price)
		td_json_money(j, item->price);
	else
		td_json_null(j);
	put_text(j, "currency", item->currency);
	put_text(j, "reason", item->reason);
	put_text(j, "actor", item->actor);
	td_json_member_time(j, "created_at", item->created_at);
	td_json_close(j, '}');
}

void api_history_put(struct td_buf *out, const struct store_history *items, size_t count, bool more)
{
	struct td_json j = td_json_to(out);
	char cursor[CURSOR_SIZE];
	td_json_open(&j, '{');
	td_json_name(&j, "items");
	td_json_open(&j, '[');
	for (size_t i = 0; i < count; i++)
		put_item(&j, &items[i]);
	td_json_close(&j, ']');
	more = more && count > 0;
	if (more)
		make_cursor(items[count - 1].seq, cursor);
	td_json_member_str(&j, "next_cursor", more ? cursor : NULL);
	td_json_close(&j, '}');
	td_buf_put_char(out, '\n');
}
