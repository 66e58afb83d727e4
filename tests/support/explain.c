#include "explain.h"

#include "app/period.h"

#include <stdio.h>

/* What is known after some rows of the history. */
struct known {
	struct store_subscription s; /* only what a history tells */
	int64_t last_at;
	size_t number;
	char why[300];
};

static bool fault(struct known *k, const char *what)
{
	(void)snprintf(k->why, sizeof(k->why), "row %zu: %s", k->number, what);
	return false;
}

static bool is_same(struct td_slice a, struct td_slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static bool is_by_system(const struct store_history *h)
{
	return td_slice_is(h->actor, "system");
}

static void begin_period(struct known *k, int64_t start_ms)
{
	k->s.current_period_start = start_ms;
	k->s.current_period_end = app_period_end(start_ms, k->s.anchor_day, k->s.cycle);
}

static void take_target(struct known *k, const struct store_history *h)
{
	k->s.package.slug = h->to_package;
	k->s.cycle = h->to_cycle;
	k->s.price = h->price;
	k->s.currency = h->currency;
}

static void forget_plan(struct known *k)
{
	k->s.pending = (struct store_pending){.action = STORE_PENDING_NONE};
}

static bool has_target(struct known *k, const struct store_history *h)
{
	if (h->to_package.len == 0 || h->to_cycle == STORE_CYCLE_NONE || !h->has_price)
		return fault(k, "its package, cycle or price is missing");
	return true;
}

static bool has_no_target(struct known *k, const struct store_history *h)
{
	if (h->to_package.len != 0 || h->to_cycle != STORE_CYCLE_NONE || h->has_price)
		return fault(k, "an end goes on to something");
	return true;
}

/* Same package, cycle and price as before. */
static bool changes_nothing(struct known *k, const struct store_history *h)
{
	if (!is_same(h->to_package, k->s.package.slug) || h->to_cycle != k->s.cycle ||
		h->price != k->s.price || !is_same(h->currency, k->s.currency))
		return fault(k, "package, cycle or price changed");
	return true;
}

static bool is_at_period_end(struct known *k, const struct store_history *h)
{
	if (h->created_at != k->s.current_period_end)
		return fault(k, "the system acts, but the period has not ended just then");
	return true;
}

static bool take_created(struct known *k, const struct store_history *h)
{
	if (k->number != 1 || h->from_package.len != 0 || h->from_cycle != STORE_CYCLE_NONE)
		return fault(k, "it was there before it was created");
	if (!has_target(k, h))
		return false;
	take_target(k, h);
	k->s.status = STORE_ACTIVE;
	k->s.started_at = h->created_at;
	k->s.anchor_day = app_period_anchor(h->created_at);
	begin_period(k, h->created_at);
	return true;
}

static bool take_renewed(struct known *k, const struct store_history *h)
{
	if (!is_by_system(h) || k->s.pending.action != STORE_PENDING_NONE)
		return fault(k, "renewed, but something else was planned");
	if (!is_at_period_end(k, h) || !changes_nothing(k, h))
		return false;
	begin_period(k, h->created_at);
	return true;
}

static bool take_planned_change(struct known *k, const struct store_history *h)
{
	const struct store_pending *p = &k->s.pending;
	if (p->action != STORE_PENDING_CHANGE || !is_same(p->package.slug, h->to_package) ||
		p->cycle != h->to_cycle || p->price != h->price ||
		!is_same(p->currency, h->currency))
		return fault(k, "this is not the change that was planned");
	if (!is_at_period_end(k, h))
		return false;
	take_target(k, h);
	begin_period(k, h->created_at);
	return true;
}

static bool take_change(struct known *k, const struct store_history *h)
{
	enum store_cycle before = k->s.cycle;
	if (!has_target(k, h))
		return false;
	if (is_same(h->to_package, k->s.package.slug) != (h->action == STORE_ACTION_CYCLE_CHANGED))
		return fault(k, "it has the wrong name");
	if (is_by_system(h)) {
		if (!take_planned_change(k, h))
			return false;
	} else {
		take_target(k, h);
		if (h->to_cycle != before) {
			k->s.anchor_day = app_period_anchor(h->created_at);
			begin_period(k, h->created_at);
		}
	}
	forget_plan(k);
	return true;
}

static bool take_plan(struct known *k, const struct store_history *h)
{
	if (is_by_system(h) || !has_target(k, h))
		return fault(k, "a plan needs somebody who plans, and what");
	k->s.pending = (struct store_pending){.action = STORE_PENDING_CHANGE,
		.package = {.slug = h->to_package},
		.cycle = h->to_cycle,
		.price = h->price,
		.currency = h->currency};
	return true;
}

static bool take_cancel_plan(struct known *k, const struct store_history *h)
{
	if (is_by_system(h) || k->s.pending.action == STORE_PENDING_CANCEL)
		return fault(k, "a cancellation is planned twice, or by nobody");
	k->s.pending = (struct store_pending){.action = STORE_PENDING_CANCEL};
	return has_no_target(k, h);
}

static bool take_resumed(struct known *k, const struct store_history *h)
{
	if (is_by_system(h) || k->s.pending.action == STORE_PENDING_NONE)
		return fault(k, "nothing was planned that could be taken back");
	forget_plan(k);
	return changes_nothing(k, h);
}

static bool take_canceled(struct known *k, const struct store_history *h)
{
	if (is_by_system(h) && k->s.pending.action != STORE_PENDING_CANCEL)
		return fault(k, "the system ended it, and nobody had planned that");
	if (is_by_system(h) && !is_at_period_end(k, h))
		return false;
	forget_plan(k);
	k->s.status = STORE_CANCELED;
	k->s.ended_at = h->created_at;
	return has_no_target(k, h);
}

static bool take_by_action(struct known *k, const struct store_history *h)
{
	switch (h->action) {
	case STORE_ACTION_CREATED:
		return take_created(k, h);
	case STORE_ACTION_UPGRADED:
	case STORE_ACTION_DOWNGRADED:
	case STORE_ACTION_CYCLE_CHANGED:
		return take_change(k, h);
	case STORE_ACTION_CHANGE_SCHEDULED:
		return take_plan(k, h);
	case STORE_ACTION_CANCEL_SCHEDULED:
		return take_cancel_plan(k, h);
	case STORE_ACTION_RESUMED:
		return take_resumed(k, h);
	case STORE_ACTION_CANCELED:
		return take_canceled(k, h);
	case STORE_ACTION_RENEWED:
		return take_renewed(k, h);
	case STORE_ACTION_EXPIRED:
	case STORE_ACTION_COUNT:
		break;
	}
	return fault(k, "an action that nobody takes");
}

/* What holds of every row but the first. */
static bool can_follow(struct known *k, const struct store_history *h)
{
	if (!store_status_is_live(k->s.status))
		return fault(k, "something happened after the end");
	if (h->created_at < k->last_at)
		return fault(k, "it is older than the row before it");
	if (h->created_at > k->s.current_period_end ||
		(h->created_at == k->s.current_period_end && !is_by_system(h)))
		return fault(k, "something happened after a period that had not been rolled");
	if (!is_same(h->from_package, k->s.package.slug) || h->from_cycle != k->s.cycle)
		return fault(k, "it does not begin where the row before it ended");
	return true;
}

static bool take(struct known *k, const struct store_history *h)
{
	k->number++;
	if (k->number > 1 && !can_follow(k, h))
		return false;
	k->last_at = h->created_at;
	return take_by_action(k, h);
}

static bool has_same_plan(const struct store_pending *a, const struct store_pending *b)
{
	return a->action == b->action &&
	       (a->action != STORE_PENDING_CHANGE ||
		       (is_same(a->package.slug, b->package.slug) && a->cycle == b->cycle &&
			       a->price == b->price && is_same(a->currency, b->currency)));
}

static bool leads_to(struct known *k, const struct store_subscription *row)
{
	const struct store_subscription *s = &k->s;
	if (row->version != (int64_t)k->number)
		return fault(k, "the version is not the number of rows");
	if (!is_same(row->package.slug, s->package.slug) || row->cycle != s->cycle ||
		row->price != s->price || !is_same(row->currency, s->currency))
		return fault(k, "the subscription has another package, cycle or price");
	if (row->status != s->status || row->ended_at != s->ended_at)
		return fault(k, "the subscription has another status or end");
	if (row->current_period_start != s->current_period_start ||
		row->current_period_end != s->current_period_end ||
		row->anchor_day != s->anchor_day || row->started_at != s->started_at)
		return fault(k, "the subscription has another period");
	if (!has_same_plan(&row->pending, &s->pending) ||
		row->cancel_at_period_end != (s->pending.action == STORE_PENDING_CANCEL))
		return fault(k, "something else is planned for the subscription");
	if (row->updated_at != k->last_at)
		return fault(k, "the subscription was changed at another time");
	return true;
}

static bool has_ended(struct known *k)
{
	return k->s.status == STORE_CANCELED || fault(k, "it has not ended");
}

const char *explain(
	const struct store_subscription *row, const struct store_history *history, size_t count)
{
	static struct known k;
	k = (struct known){.number = 0};
	for (size_t i = 0; i < count; i++) {
		if (!take(&k, &history[i]))
			return k.why;
	}
	bool fits = row != NULL ? leads_to(&k, row) : has_ended(&k);
	return fits ? NULL : k.why;
}
