#include "page/model_account.h"

#include "base/clock.h"

#include <string.h>

/* ---- parts
 * ------------------------------------------------------------------------------------------- */

/* The name in the page's language, where the catalogue still has the package. */
static struct td_slice name_of(struct td_arena *arena, const struct page_shelf *shelf,
	struct td_slice slug, struct td_slice otherwise)
{
	const struct catalogue_package *package =
		shelf->snapshot != NULL ? catalogue_snapshot_find(shelf->snapshot, slug) : NULL;
	return package != NULL
		       ? catalogue_package_translated(package, "name",
				 page_model_language(arena, shelf->locale), package->row.name)
		       : otherwise;
}

static struct td_slice cycle_text(const struct locale *locale, enum store_cycle cycle)
{
	if (cycle == STORE_CYCLE_NONE)
		return td_slice(NULL, 0);
	return locale_find_str(
		locale, cycle == STORE_CYCLE_YEARLY ? "cycle.yearly" : "cycle.monthly");
}

static struct td_slice per_text(const struct locale *locale, enum store_cycle cycle)
{
	return locale_find_str(
		locale, cycle == STORE_CYCLE_YEARLY ? "price.a_year" : "price.a_month");
}

void page_model_user(struct td_arena *arena, struct tpl_value *root, const struct store_user *user)
{
	struct tpl_value *map = tpl_put_map(arena, root, "user");
	tpl_put_text(arena, map, "first_name", user->first_name);
	tpl_put_text(arena, map, "last_name", user->last_name);
	tpl_put_text(arena, map, "email", user->email);
	tpl_put_text(arena, map, "company", user->company);
}

/* ---- a subscription
 * ---------------------------------------------------------------------------------- */

static void put_status(struct td_arena *arena, struct tpl_value *map, const struct locale *locale,
	const struct store_subscription *row)
{
	bool is_live = store_status_is_live(row->status);
	const char *key = is_live && row->cancel_at_period_end
				  ? "status.ending"
				  : td_arena_printf(
					    arena, "status.%s", store_status_word(row->status));
	tpl_put_flag(arena, map, "is_live", is_live);
	tpl_put_flag(arena, map, "is_ending", is_live && row->cancel_at_period_end);
	if (key != NULL)
		tpl_put_text(arena, map, "status", locale_find_str(locale, key));
}

/* What comes at the period's end. */
static void put_next(struct td_arena *arena, struct tpl_value *map, const struct page_shelf *shelf,
	const struct store_subscription *row)
{
	const struct store_pending *pending = &row->pending;
	bool is_change = pending->action == STORE_PENDING_CHANGE;
	tpl_put_flag(arena, map, "is_changing", is_change);
	tpl_put_flag(arena, map, "is_planned", pending->action != STORE_PENDING_NONE);
	tpl_put_text(arena, map, "next_package",
		is_change ? name_of(arena, shelf, pending->package.slug, pending->package.name)
			  : td_slice(NULL, 0));
	tpl_put_text(arena, map, "next_cycle",
		cycle_text(shelf->locale, is_change ? pending->cycle : row->cycle));
	tpl_put_text(arena, map, "next_per",
		per_text(shelf->locale, is_change ? pending->cycle : row->cycle));
	if (is_change)
		page_model_money(
			arena, map, "next_price", shelf->locale, pending->price, pending->currency);
	else
		page_model_money(
			arena, map, "next_price", shelf->locale, row->price, row->currency);
}

void page_model_subscription(struct td_arena *arena, struct tpl_value *map,
	const struct page_shelf *shelf, const struct store_subscription *row)
{
	const struct locale *locale = shelf->locale;
	tpl_put_text(arena, map, "id", row->id);
	tpl_put_str(arena, map, "version", td_arena_printf(arena, "%lld", (long long)row->version));
	tpl_put_text(
		arena, map, "package", name_of(arena, shelf, row->package.slug, row->package.name));
	put_status(arena, map, locale, row);
	tpl_put_text(arena, map, "cycle", cycle_text(locale, row->cycle));
	tpl_put_text(arena, map, "per", per_text(locale, row->cycle));
	tpl_put_flag(arena, map, "is_yearly", row->cycle == STORE_CYCLE_YEARLY);
	page_model_money(arena, map, "price", locale, row->price, row->currency);
	page_model_number(arena, map, "per_hour", locale, row->package.rate_limit_per_hour);
	page_model_number(arena, map, "per_day", locale, row->package.rate_limit_per_day);
	page_model_date(arena, map, "started_at", locale, row->started_at);
	page_model_date(arena, map, "period_start", locale, row->current_period_start);
	page_model_date(arena, map, "period_end", locale, row->current_period_end);
	if (row->ended_at != 0)
		page_model_date(arena, map, "ended_at", locale, row->ended_at);
	put_next(arena, map, shelf, row);
}

/* ---- history
 * ------------------------------------------------------------------------------------------ */

static void put_actor(struct td_arena *arena, struct tpl_value *map, struct td_slice actor)
{
	bool is_user = td_slice_is(actor, "user");
	bool is_system = td_slice_is(actor, "system");
	tpl_put_flag(arena, map, "by_user", is_user);
	tpl_put_flag(arena, map, "by_system", is_system);
	tpl_put_flag(arena, map, "by_api", !is_user && !is_system);
	tpl_put_text(arena, map, "actor",
		td_slice_has_prefix(actor, "api:") ? td_slice_skip(actor, 4) : actor);
}

static void put_item(struct td_arena *arena, struct tpl_value *map, const struct page_shelf *shelf,
	const struct store_history *item)
{
	const struct locale *locale = shelf->locale;
	enum store_cycle cycle = item->to_cycle != STORE_CYCLE_NONE ? item->to_cycle
								    : item->from_cycle;
	tpl_put_flag(arena, map, store_action_word(item->action), true);
	tpl_put_text(
		arena, map, "from", name_of(arena, shelf, item->from_package, item->from_package));
	tpl_put_text(arena, map, "to", name_of(arena, shelf, item->to_package, item->to_package));
	tpl_put_text(arena, map, "from_cycle", cycle_text(locale, item->from_cycle));
	tpl_put_text(arena, map, "to_cycle", cycle_text(locale, item->to_cycle));
	tpl_put_flag(arena, map, "has_price", item->has_price);
	if (item->has_price)
		page_model_money(arena, map, "price", locale, item->price, item->currency);
	tpl_put_text(arena, map, "per", per_text(locale, cycle));
	tpl_put_text(arena, map, "reason", item->reason);
	page_model_date(arena, map, "date", locale, item->created_at);
	page_model_time(arena, map, "time", item->created_at);
	put_actor(arena, map, item->actor);
}

void page_model_history(struct td_arena *arena, struct tpl_value *root,
	const struct page_shelf *shelf, const struct store_history *items, size_t count)
{
	struct tpl_value *list = tpl_put_list(arena, root, "history");
	for (size_t i = 0; i < count; i++)
		put_item(arena, tpl_add_map(arena, list), shelf, &items[i]);
}

/* ---- changes
 * ------------------------------------------------------------------------------------------ */

/* One line of "before and after". */
struct preview_row {
	const char *label; /* key of the locale */
	const char *before, *after;
};

/* The buffer's text in the arena, and its failure too. */
static const char *take_text(struct td_arena *arena, struct td_buf *text)
{
	const char *copy = text->failed ? NULL : td_arena_strndup(arena, text->ptr, text->len);
	if (text->failed)
		arena->failed = true;
	td_buf_done(text);
	return copy;
}

static const char *amount_text(
	struct td_arena *arena, const struct locale *locale, const struct store_subscription *row)
{
	struct td_buf text = TD_BUF_INIT;
	locale_put_money(locale, &text, row->price, row->currency);
	td_buf_put_char(&text, ' ');
	td_buf_put_slice(&text, per_text(locale, row->cycle));
	return take_text(arena, &text);
}

static const char *number_text(struct td_arena *arena, const struct locale *locale, int64_t number)
{
	struct td_buf text = TD_BUF_INIT;
	locale_put_number(locale, &text, number);
	return take_text(arena, &text);
}

static const char *copy_text(struct td_arena *arena, struct td_slice text)
{
	return td_arena_strndup(arena, text.ptr != NULL ? text.ptr : "", text.len);
}

static void put_rows(struct td_arena *arena, struct tpl_value *root, const struct page_shelf *shelf,
	const struct store_subscription *was, const struct store_subscription *is)
{
	const struct locale *locale = shelf->locale;
	const struct preview_row rows[] = {
		{"preview.package",
			copy_text(
				arena, name_of(arena, shelf, was->package.slug, was->package.name)),
			copy_text(
				arena, name_of(arena, shelf, is->package.slug, is->package.name))},
		{"checkout.period", copy_text(arena, cycle_text(locale, was->cycle)),
			copy_text(arena, cycle_text(locale, is->cycle))},
		{"checkout.price", amount_text(arena, locale, was), amount_text(arena, locale, is)},
		{"limits.hour", number_text(arena, locale, was->package.rate_limit_per_hour),
			number_text(arena, locale, is->package.rate_limit_per_hour)},
		{"limits.day", number_text(arena, locale, was->package.rate_limit_per_day),
			number_text(arena, locale, is->package.rate_limit_per_day)},
	};
	struct tpl_value *list = tpl_put_list(arena, root, "rows");
	for (size_t i = 0; i < TD_ARRAY_LEN(rows) && !arena->failed; i++) {
		struct tpl_value *map = tpl_add_map(arena, list);
		tpl_put_text(arena, map, "label", locale_find_str(locale, rows[i].label));
		tpl_put_str(arena, map, "before", rows[i].before);
		tpl_put_str(arena, map, "after", rows[i].after);
		tpl_put_flag(arena, map, "is_changed", strcmp(rows[i].before, rows[i].after) != 0);
	}
}

/* The row as it will be once what is planned has come. */
static struct store_subscription planned(const struct store_subscription *row)
{
	struct store_subscription then = *row;
	then.package = row->pending.package;
	then.cycle = row->pending.cycle;
	then.price = row->pending.price;
	then.currency = row->pending.currency;
	return then;
}

void page_model_preview(struct td_arena *arena, struct tpl_value *root,
	const struct page_shelf *shelf, const struct store_subscription *before,
	const struct store_subscription *after, int64_t now_ms)
{
	const struct locale *locale = shelf->locale;
	bool is_later = after->pending.action == STORE_PENDING_CHANGE;
	bool is_new_period = after->current_period_start != before->current_period_start;
	struct store_subscription then = is_later ? planned(after) : *after;
	put_rows(arena, root, shelf, before, &then);
	tpl_put_flag(arena, root, "is_later", is_later);
	tpl_put_flag(arena, root, "is_new_period", !is_later && is_new_period);
	tpl_put_flag(arena, root, "is_same_period", !is_later && !is_new_period);
	tpl_put_flag(arena, root, "drops_plan", before->pending.action != STORE_PENDING_NONE);
	page_model_date(arena, root, "at", locale, is_later ? after->pending.at : now_ms);
	page_model_date(arena, root, "period_start", locale, after->current_period_start);
	page_model_date(arena, root, "period_end", locale, after->current_period_end);
	page_model_date(arena, root, "next_at", locale, after->current_period_end);
	page_model_money(arena, root, "next_price", locale, then.price, then.currency);
	page_model_money(arena, root, "to_pay", locale, 0, then.currency);
}

void page_model_choices(struct td_arena *arena, struct tpl_value *root,
	const struct page_shelf *shelf, const struct store_subscription *row, struct td_slice slug)
{
	size_t count = 0;
	const struct catalogue_package *packages =
		shelf->snapshot != NULL ? catalogue_snapshot_list(shelf->snapshot, &count) : NULL;
	struct tpl_value *list = tpl_put_list(arena, root, "choices");
	for (size_t i = 0; i < count; i++) {
		struct tpl_value *map = tpl_add_map(arena, list);
		page_model_package(arena, map, shelf->locale, &packages[i]);
		tpl_put_flag(arena, map, "is_current",
			td_slice_equal(packages[i].row.id, row->package.id));
		tpl_put_flag(arena, map, "is_chosen", td_slice_equal(packages[i].row.slug, slug));
	}
}
