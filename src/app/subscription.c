#include "app/subscription.h"

#include "app/period.h"
#include "app/text.h"
#include "base/utf8.h"
#include "base/uuid.h"

#define REASON_MOST 1000

#define SYSTEM TD_SLICE("system")

/* ---- changes
 * ------------------------------------------------------------------------------------------- */

void app_change_begin(struct app_change *change, struct td_arena *arena,
	const struct store_subscription *row, struct td_slice actor)
{
	*change = (struct app_change){
		.row = *row, .loaded_version = row->version, .arena = arena, .actor = actor};
}

static bool make_room(struct app_change *change)
{
	if (change->count < change->capacity)
		return true;
	size_t capacity = change->capacity == 0 ? 1 : change->capacity * 4;
	struct store_history *history = td_arena_array(change->arena, capacity, sizeof(*history));
	if (history == NULL)
		return false;
	if (change->count > 0)
		memcpy(history, change->history, change->count * sizeof(*history));
	change->history = history;
	change->capacity = capacity;
	return true;
}

static struct td_slice make_id(struct td_arena *arena, int64_t now_ms)
{
	char id[TD_UUID_TEXT_SIZE];
	td_uuid_v7(now_ms, id);
	return td_arena_slice(arena, td_slice_str(id));
}

/* A row that somebody else wrote may be at the end of the numbers. */
static void add_versions(struct store_subscription *row, int64_t count)
{
	if (__builtin_add_overflow(row->version, count, &row->version))
		row->version = INT64_MAX;
}

/* The one door: a new version with its row of history. `before` is the row as it was. */
static struct store_history *add_step(struct app_change *change, enum store_action action,
	const struct store_subscription *before, int64_t at_ms, struct td_slice actor)
{
	struct store_subscription *row = &change->row;
	if (!make_room(change))
		return NULL;
	struct store_history *step = &change->history[change->count];
	*step = (struct store_history){
		.id = make_id(change->arena, at_ms),
		.subscription_id = row->id,
		.user_id = row->user_id,
		.action = action,
		.from_package = before->package.slug,
		.to_package = row->package.slug,
		.from_cycle = before->cycle,
		.to_cycle = row->cycle,
		.has_price = true,
		.price = row->price,
		.currency = row->currency,
		.actor = actor,
		.created_at = at_ms,
	};
	if (step->id.ptr == NULL)
		return NULL;
	change->count++;
	add_versions(row, 1);
	row->updated_at = at_ms;
	return step;
}

/* An end has nothing to go on to. */
static void leave_target_out(struct store_history *step)
{
	step->to_package = td_slice(NULL, 0);
	step->to_cycle = STORE_CYCLE_NONE;
	step->has_price = false;
	step->currency = td_slice(NULL, 0);
}

/* A clock that was set back does not write history into the past. A row that was changed after the
 * end of its period is none of ours, and its time counts for nothing. */
static int64_t not_before(const struct store_subscription *row, int64_t now_ms)
{
	bool is_sane = row->updated_at < row->current_period_end &&
		       row->updated_at < APP_PERIOD_LAST;
	return is_sane && row->updated_at > now_ms ? row->updated_at : now_ms;
}

static struct store_package_part part_of(const struct store_package *package)
{
	return (struct store_package_part){
		.id = package->id,
		.slug = package->slug,
		.name = package->name,
		.rate_limit_per_hour = package->rate_limit_per_hour,
		.rate_limit_per_day = package->rate_limit_per_day,
	};
}

static void forget_plan(struct store_subscription *row)
{
	row->pending = (struct store_pending){.action = STORE_PENDING_NONE};
	row->cancel_at_period_end = false;
}

int64_t app_package_price(const struct store_package *package, enum store_cycle cycle)
{
	return cycle == STORE_CYCLE_YEARLY ? package->price_yearly : package->price_monthly;
}

/* ---- a new one
 * ----------------------------------------------------------------------------------------- */

enum app_rule app_subscription_start(struct app_change *change, struct td_arena *arena,
	struct td_slice user_id, const struct store_package *package, enum store_cycle cycle,
	int64_t now_ms, struct td_slice actor)
{
	int anchor_day = app_period_anchor(now_ms);
	const struct store_subscription row = {
		.id = make_id(arena, now_ms),
		.user_id = user_id,
		.package = part_of(package),
		.status = STORE_ACTIVE,
		.cycle = cycle,
		.price = app_package_price(package, cycle),
		.currency = package->currency,
		.started_at = now_ms,
		.anchor_day = anchor_day,
		.current_period_start = now_ms,
		.current_period_end = app_period_end(now_ms, anchor_day, cycle),
		.created_at = now_ms,
	};
	app_change_begin(change, arena, &row, actor);
	const struct store_subscription nothing = {.cycle = STORE_CYCLE_NONE};
	bool added = row.id.ptr != NULL &&
		     add_step(change, STORE_ACTION_CREATED, &nothing, now_ms, actor) != NULL;
	return added ? APP_RULE_OK : APP_RULE_NOMEM;
}

/* ---- the end of a period
 * ------------------------------------------------------------------------------- */

bool app_subscription_is_due(const struct store_subscription *row, int64_t now_ms)
{
	return store_status_is_live(row->status) && row->current_period_end <= now_ms &&
	       row->current_period_end < APP_PERIOD_LAST;
}

static int64_t yearly_amount(int64_t price, enum store_cycle cycle)
{
	return cycle == STORE_CYCLE_MONTHLY ? price * 12 : price;
}

/* What the change from one row to another is called. Equal prices are no step down. */
static enum store_action name_change(
	const struct store_subscription *before, const struct store_subscription *after)
{
	if (td_slice_equal(before->package.id, after->package.id))
		return STORE_ACTION_CYCLE_CHANGED;
	return yearly_amount(after->price, after->cycle) <
			       yearly_amount(before->price, before->cycle)
		       ? STORE_ACTION_DOWNGRADED
		       : STORE_ACTION_UPGRADED;
}

static void begin_period(struct store_subscription *row, int64_t start_ms)
{
	row->current_period_start = start_ms;
	row->current_period_end = app_period_end(start_ms, row->anchor_day, row->cycle);
}

static void end_at(struct store_subscription *row, int64_t at_ms)
{
	forget_plan(row);
	row->status = STORE_CANCELED;
	row->ended_at = at_ms;
	if (row->canceled_at == 0)
		row->canceled_at = at_ms;
}

static bool is_to_end(const struct store_subscription *row)
{
	return row->cancel_at_period_end || row->pending.action == STORE_PENDING_CANCEL;
}

/* With half a plan, which none of us wrote, the period is renewed. */
static bool is_to_change(const struct store_subscription *row)
{
	const struct store_pending *pending = &row->pending;
	return pending->action == STORE_PENDING_CHANGE && pending->package.id.ptr != NULL &&
	       pending->currency.ptr != NULL && pending->cycle != STORE_CYCLE_NONE;
}

/* One period's end; the action that it is. */
static enum store_action roll_once(struct store_subscription *row)
{
	const struct store_subscription before = *row;
	if (is_to_end(row)) {
		end_at(row, before.current_period_end);
		return STORE_ACTION_CANCELED;
	}
	enum store_action action = STORE_ACTION_RENEWED;
	if (is_to_change(row)) {
		row->package = before.pending.package;
		row->cycle = before.pending.cycle;
		row->price = before.pending.price;
		row->currency = before.pending.currency;
		action = name_change(&before, row);
	}
	forget_plan(row);
	if (row->status == STORE_TRIALING)
		row->status = STORE_ACTIVE;
	begin_period(row, before.current_period_end);
	return action;
}

enum app_rule app_subscription_roll(struct app_change *change, int64_t now_ms)
{
	struct store_subscription *row = &change->row;
	for (unsigned i = 0; i < APP_STEPS_MOST && app_subscription_is_due(row, now_ms); i++) {
		const struct store_subscription before = *row;
		enum store_action action = roll_once(row);
		struct store_history *step = add_step(
			change, action, &before, before.current_period_end, SYSTEM);
		if (step == NULL)
			return APP_RULE_NOMEM;
		if (action == STORE_ACTION_CANCELED)
			leave_target_out(step);
	}
	return APP_RULE_OK;
}

/* All that a period's end does to a row on which nothing is planned any more, `count` times. */
static void renew_often(struct store_subscription *row, int64_t count)
{
	int64_t first_ms = row->current_period_end;
	row->current_period_start = count > 1 ? app_period_nth_end(first_ms, row->anchor_day,
							row->cycle, count - 1)
					      : first_ms;
	row->current_period_end = app_period_nth_end(first_ms, row->anchor_day, row->cycle, count);
	row->updated_at = row->current_period_start;
	add_versions(row, count);
}

void app_subscription_view(struct store_subscription *row, int64_t now_ms)
{
	if (!app_subscription_is_due(row, now_ms))
		return;
	row->updated_at = row->current_period_end;
	add_versions(row, 1);
	(void)roll_once(row);
	if (!app_subscription_is_due(row, now_ms))
		return;
	renew_often(row,
		app_period_count(row->current_period_end, row->anchor_day, row->cycle, now_ms));
}

/* ---- what a user asks for
 * ------------------------------------------------------------------------------ */

static bool is_planned(const struct store_subscription *row, const struct store_package *package,
	enum store_cycle cycle)
{
	return row->pending.action == STORE_PENDING_CHANGE && row->pending.cycle == cycle &&
	       td_slice_equal(row->pending.package.id, package->id);
}

static enum app_rule switch_later(struct app_change *change, const struct store_package *package,
	enum store_cycle cycle, int64_t at_ms)
{
	struct store_subscription *row = &change->row;
	const struct store_subscription before = *row;
	if (is_planned(row, package, cycle))
		return APP_RULE_NO_CHANGE;
	forget_plan(row);
	row->canceled_at = 0;
	row->pending = (struct store_pending){
		.action = STORE_PENDING_CHANGE,
		.package = part_of(package),
		.cycle = cycle,
		.price = app_package_price(package, cycle),
		.currency = package->currency,
		.at = row->current_period_end,
	};
	struct store_history *step = add_step(
		change, STORE_ACTION_CHANGE_SCHEDULED, &before, at_ms, change->actor);
	if (step == NULL)
		return APP_RULE_NOMEM;
	step->to_package = row->pending.package.slug;
	step->to_cycle = cycle;
	step->price = row->pending.price;
	step->currency = row->pending.currency;
	return APP_RULE_OK;
}

static enum app_rule switch_at_once(struct app_change *change, const struct store_package *package,
	enum store_cycle cycle, int64_t at_ms)
{
	struct store_subscription *row = &change->row;
	const struct store_subscription before = *row;
	forget_plan(row);
	row->canceled_at = 0;
	row->package = part_of(package);
	row->cycle = cycle;
	row->price = app_package_price(package, cycle);
	row->currency = package->currency;
	if (cycle != before.cycle) {
		row->anchor_day = app_period_anchor(at_ms);
		begin_period(row, at_ms);
	}
	return add_step(change, name_change(&before, row), &before, at_ms, change->actor) != NULL
		       ? APP_RULE_OK
		       : APP_RULE_NOMEM;
}

enum app_rule app_subscription_switch(struct app_change *change,
	const struct store_package *package, enum store_cycle cycle, enum app_when when,
	int64_t now_ms)
{
	const struct store_subscription *row = &change->row;
	int64_t at_ms = not_before(row, now_ms);
	if (!store_status_is_live(row->status))
		return APP_RULE_NOT_LIVE;
	if (row->cycle == cycle && td_slice_equal(row->package.id, package->id))
		return APP_RULE_NO_CHANGE;
	return when == APP_NOW ? switch_at_once(change, package, cycle, at_ms)
			       : switch_later(change, package, cycle, at_ms);
}

enum app_rule app_subscription_cancel(
	struct app_change *change, enum app_when when, struct td_slice reason, int64_t now_ms)
{
	struct store_subscription *row = &change->row;
	const struct store_subscription before = *row;
	int64_t at_ms = not_before(row, now_ms);
	if (!store_status_is_live(row->status))
		return APP_RULE_NOT_LIVE;
	if (when == APP_PERIOD_END && is_to_end(row))
		return APP_RULE_OK;
	if (!is_to_end(row))
		row->canceled_at = at_ms;
	if (when == APP_NOW) {
		end_at(row, at_ms);
	} else {
		row->cancel_at_period_end = true;
		row->pending = (struct store_pending){
			.action = STORE_PENDING_CANCEL, .at = row->current_period_end};
	}
	struct store_history *step = add_step(change,
		when == APP_NOW ? STORE_ACTION_CANCELED : STORE_ACTION_CANCEL_SCHEDULED, &before,
		at_ms, change->actor);
	if (step == NULL)
		return APP_RULE_NOMEM;
	leave_target_out(step);
	step->reason = reason;
	return APP_RULE_OK;
}

enum app_rule app_subscription_resume(struct app_change *change, int64_t now_ms)
{
	struct store_subscription *row = &change->row;
	const struct store_subscription before = *row;
	if (!store_status_is_live(row->status))
		return APP_RULE_NOT_LIVE;
	if (!is_to_end(row) && row->pending.action == STORE_PENDING_NONE)
		return APP_RULE_NOTHING_PLANNED;
	forget_plan(row);
	row->canceled_at = 0;
	return add_step(change, STORE_ACTION_RESUMED, &before, not_before(row, now_ms),
		       change->actor) != NULL
		       ? APP_RULE_OK
		       : APP_RULE_NOMEM;
}

const char *app_reason_fault(struct td_slice reason)
{
	const char *fault = app_text_fault(reason);
	if (fault == NULL && td_utf8_count(reason) > REASON_MOST)
		fault = "is too long; at most 1000 characters are taken";
	return fault;
}
