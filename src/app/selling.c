/* SUBSCRIBE goes straight to the insert, and looks only where somebody stands in the way:
 *
 *	insert ── ok ──► done
 *	  ▲  └─ exists ─► load ─ live ─► refused
 *	  │                 │ ended, but not rolled yet
 *	  └──── roll ◄──────┘
 *
 * All others load first, and begin again where the row changed meanwhile:
 *
 *	(find what is kept) ─► load ─► rules ─► write ── ok ──► done
 *	                        ▲                 │
 *	                        └─── conflict ────┘
 */
#include "app/selling.h"

static struct app_selling *selling_of(struct app_flow *flow)
{
	return TD_CONTAINER_OF(flow, struct app_selling, flow);
}

/* An operation may outlive the flow's arena (a store that hangs), so it gets copies. */
static struct td_slice copy(struct td_arena *arena, struct td_slice text)
{
	return text.ptr != NULL ? td_arena_slice(arena, text) : text;
}

static void copy_subscription(struct td_arena *arena, struct store_subscription *row)
{
	row->id = copy(arena, row->id);
	row->user_id = copy(arena, row->user_id);
	row->package.id = copy(arena, row->package.id);
	row->currency = copy(arena, row->currency);
	row->pending.package.id = copy(arena, row->pending.package.id);
	row->pending.currency = copy(arena, row->pending.currency);
}

static void copy_history(struct td_arena *arena, struct store_history *row)
{
	row->id = copy(arena, row->id);
	row->subscription_id = copy(arena, row->subscription_id);
	row->user_id = copy(arena, row->user_id);
	row->from_package = copy(arena, row->from_package);
	row->to_package = copy(arena, row->to_package);
	row->currency = copy(arena, row->currency);
	row->reason = copy(arena, row->reason);
	row->actor = copy(arena, row->actor);
}

bool app_flow_put_change(struct store_op *op, const struct app_change *change)
{
	struct store_subscription *row = td_arena_alloc(&op->arena, sizeof(*row));
	struct store_history *history = td_arena_array(&op->arena, change->count, sizeof(*history));
	if (row == NULL || history == NULL)
		return false;
	*row = change->row;
	copy_subscription(&op->arena, row);
	for (size_t i = 0; i < change->count; i++) {
		history[i] = change->history[i];
		copy_history(&op->arena, &history[i]);
	}
	op->in.subscription = row;
	op->in.version = change->loaded_version;
	op->in.history = history;
	op->in.history_count = change->count;
	return !op->arena.failed;
}

bool app_flow_write(struct app_flow *flow, const struct app_change *change)
{
	bool is_new = change->loaded_version == 0;
	return app_flow_op(flow, is_new ? STORE_SUBSCRIBE : STORE_SUBSCRIPTION_CHANGE) &&
	       app_flow_put_change(flow->op, change);
}

bool app_flow_load(struct app_flow *flow, struct td_slice user_id)
{
	if (!app_flow_op(flow, STORE_SUBSCRIPTION_GET))
		return false;
	flow->op->in.user.id = td_arena_slice(&flow->op->arena, user_id);
	return !flow->op->arena.failed;
}

/* The live subscription that was loaded, or the latest; NULL: there is none. */
static const struct store_subscription *loaded(const struct app_flow *flow)
{
	return flow->op->out.subscription_count > 0 ? &flow->op->out.subscriptions[0] : NULL;
}

static bool is_live(const struct store_subscription *row)
{
	return row != NULL && store_status_is_live(row->status);
}

/* Somebody else wrote a row that cannot be read: none is known to be there, nor that there is none.
 * To look again would never end. */
static bool is_unreadable(const struct store_op *op, enum td_status status)
{
	return status == TD_OK && op->out.bad_row_count > 0;
}

static enum app_next fail_unreadable(struct app_flow *flow)
{
	struct store_op *op = flow->op;
	const struct store_bad_row *row = &op->out.bad_rows[0];
	enum td_status status = td_err_set(&op->err, TD_CORRUPT, "%.*s %.*s breaks the rules: %.*s",
		TD_SLICE_ARG(row->table), TD_SLICE_ARG(row->key), TD_SLICE_ARG(row->why));
	op->err.told = row->told;
	return app_flow_fail(flow, status);
}

static enum app_next refuse_unknown_user(struct app_flow *flow)
{
	return app_flow_refuse(flow, TD_PROBLEM_USER_NOT_FOUND,
		"No user has this id. PUT /user-subscription/users/{user_id} makes one.");
}

static enum app_next go_on(struct app_flow *flow, bool ready, app_step_fn *step)
{
	flow->step = step;
	return ready ? APP_NEXT_OP : app_flow_no_memory(flow);
}

/* ---- subscribing
 * --------------------------------------------------------------------------------------- */

static enum app_next subscribe_inserted(struct app_flow *flow, enum td_status status);
static enum app_next subscribe_loaded(struct app_flow *flow, enum td_status status);

static enum app_next subscribe_insert(struct app_flow *flow, enum td_status status)
{
	struct app_selling *s = selling_of(flow);
	(void)status;
	enum app_rule rule = app_subscription_start(&s->change, flow->arena, s->user_id, s->package,
		s->cycle, flow->now_ms, flow->actor);
	s->result = s->change.row;
	return go_on(flow,
		rule == APP_RULE_OK && app_flow_write(flow, &s->change) && app_flow_keep(flow),
		subscribe_inserted);
}

static enum app_next subscribe_inserted(struct app_flow *flow, enum td_status status)
{
	struct app_selling *s = selling_of(flow);
	if (status == TD_OK) {
		s->written = true;
		return app_flow_done(flow);
	}
	if (status == TD_NOTFOUND && flow->op->out.missing == STORE_MISSING_PACKAGE)
		return app_flow_refuse(flow, TD_PROBLEM_PACKAGE_NOT_FOUND,
			"No package with this slug is on offer any more.");
	if (status == TD_NOTFOUND)
		return refuse_unknown_user(flow);
	return go_on(flow, app_flow_load(flow, s->user_id), subscribe_loaded);
}

/* Whoever stands in the way may have come to an end that nobody has written down yet. */
static enum app_next subscribe_loaded(struct app_flow *flow, enum td_status status)
{
	struct app_selling *s = selling_of(flow);
	const struct store_subscription *there = loaded(flow);
	if (is_unreadable(flow->op, status))
		return fail_unreadable(flow);
	if (status != TD_OK || !is_live(there))
		return subscribe_insert(flow, TD_OK);
	s->result = *there;
	app_subscription_view(&s->result, flow->now_ms);
	if (is_live(&s->result))
		return app_flow_refuse(flow, TD_PROBLEM_ALREADY_SUBSCRIBED,
			"This user has a running subscription. POST /user-subscription/upgrade "
			"changes it.");
	app_change_begin(&s->change, flow->arena, there, flow->actor);
	enum app_rule rule = app_subscription_roll(&s->change, flow->now_ms);
	return go_on(
		flow, rule == APP_RULE_OK && app_flow_write(flow, &s->change), subscribe_insert);
}

/* ---- changing what is there
 * ---------------------------------------------------------------------------- */

static enum app_next change_load(struct app_flow *flow, enum td_status status);

static enum app_rule apply(struct app_selling *s)
{
	int64_t now_ms = s->flow.now_ms;
	enum store_cycle cycle = s->cycle != STORE_CYCLE_NONE ? s->cycle : s->change.row.cycle;
	switch (s->verb) {
	case APP_SWITCH:
		return app_subscription_switch(&s->change, s->package, cycle, s->when, now_ms);
	case APP_CANCEL:
		return app_subscription_cancel(&s->change, s->when, s->reason, now_ms);
	case APP_RESUME:
		return app_subscription_resume(&s->change, now_ms);
	case APP_SUBSCRIBE:
		break;
	}
	return APP_RULE_NOT_LIVE;
}

static enum app_next refuse_by_rule(struct app_flow *flow, enum app_rule rule)
{
	switch (rule) {
	case APP_RULE_NOT_LIVE:
		return app_flow_refuse(flow, TD_PROBLEM_NO_SUBSCRIPTION,
			"This user has no running subscription. POST /user-subscription/subscribe "
			"makes one.");
	case APP_RULE_NO_CHANGE:
		return app_flow_refuse(flow, TD_PROBLEM_NO_CHANGE,
			"The subscription has this package and billing cycle, or they are planned "
			"already.");
	case APP_RULE_NOTHING_PLANNED:
		return app_flow_refuse(flow, TD_PROBLEM_NOTHING_PLANNED,
			"No cancellation and no change is planned for this subscription.");
	case APP_RULE_OK:
	case APP_RULE_NOMEM:
		break;
	}
	return app_flow_no_memory(flow);
}

static enum app_next change_written(struct app_flow *flow, enum td_status status)
{
	if (status != TD_OK)
		return change_load(flow, TD_OK);
	selling_of(flow)->written = true;
	return app_flow_done(flow);
}

static enum app_next change_kept(struct app_flow *flow, enum td_status status)
{
	(void)status;
	return app_flow_done(flow);
}

/* It is so already: nothing to write but the answer that is kept. */
static enum app_next change_nothing(struct app_flow *flow)
{
	if (flow->keeper == NULL)
		return app_flow_done(flow);
	return go_on(
		flow, app_flow_op(flow, STORE_ANSWER_KEEP) && app_flow_keep(flow), change_kept);
}

static enum app_next change_loaded(struct app_flow *flow, enum td_status status)
{
	struct app_selling *s = selling_of(flow);
	const struct store_subscription *there = loaded(flow);
	if (status == TD_NOTFOUND)
		return refuse_unknown_user(flow);
	if (is_unreadable(flow->op, status))
		return fail_unreadable(flow);
	if (!is_live(there))
		return refuse_by_rule(flow, APP_RULE_NOT_LIVE);
	app_change_begin(&s->change, flow->arena, there, flow->actor);
	if (app_subscription_roll(&s->change, flow->now_ms) != APP_RULE_OK)
		return app_flow_no_memory(flow);
	/* More has to be caught up with than one write takes. */
	if (app_subscription_is_due(&s->change.row, flow->now_ms))
		return go_on(flow, app_flow_write(flow, &s->change), change_load);
	enum app_rule rule = apply(s);
	if (rule != APP_RULE_OK)
		return refuse_by_rule(flow, rule);
	s->result = s->change.row;
	if (s->change.count == 0)
		return change_nothing(flow);
	return go_on(flow, app_flow_write(flow, &s->change) && app_flow_keep(flow), change_written);
}

static enum app_next change_load(struct app_flow *flow, enum td_status status)
{
	(void)status;
	return go_on(flow, app_flow_load(flow, selling_of(flow)->user_id), change_loaded);
}

/* A repeated request must not meet the rules again: they would say what came of the first. */
static enum app_next change_find(struct app_flow *flow, enum td_status status)
{
	if (flow->keeper == NULL)
		return change_load(flow, status);
	return go_on(
		flow, app_flow_op(flow, STORE_ANSWER_FIND) && app_flow_keep(flow), change_load);
}

void app_selling_begin(struct app_selling *selling)
{
	selling->written = false;
	selling->flow.step = selling->verb == APP_SUBSCRIBE ? subscribe_insert : change_find;
}

/* ---- history
 * ------------------------------------------------------------------------------------------- */

static struct app_history *history_of(struct app_flow *flow)
{
	return TD_CONTAINER_OF(flow, struct app_history, flow);
}

static enum app_next history_load(struct app_flow *flow, enum td_status status);

/* Where the next page begins. */
static int64_t before_last(const struct app_history *h)
{
	if (h->count > 0)
		return h->items[h->count - 1].seq;
	return h->before_seq > 0 ? h->before_seq : APP_HISTORY_NEWEST;
}

static enum app_next history_done(struct app_flow *flow)
{
	struct app_history *h = history_of(flow);
	h->older_before = h->more ? before_last(h) : 0;
	return app_flow_done(flow);
}

/* Rows of both, one behind the other. */
static bool append(struct app_history *h, const struct store_op *older)
{
	size_t room = h->limit - h->count, count = older->out.history_count;
	if (count > room)
		count = room;
	struct store_history *all = td_arena_array(
		h->flow.arena, h->count + count + 1, sizeof(*all));
	if (all == NULL)
		return false;
	for (size_t i = 0; i < h->count; i++)
		all[i] = h->items[i];
	for (size_t i = 0; i < count; i++)
		all[h->count + i] = older->out.history[i];
	h->more = older->out.more || older->out.history_count > count;
	h->items = all;
	h->count += count;
	return true;
}

static enum app_next history_found(struct app_flow *flow, enum td_status status)
{
	(void)status;
	return append(history_of(flow), flow->op) ? history_done(flow) : app_flow_no_memory(flow);
}

/* A full page asks for one row all the same, to know whether there is another page. */
static enum app_next history_find(struct app_flow *flow, struct store_span span)
{
	struct app_history *h = history_of(flow);
	if (!app_flow_op(flow, STORE_EVENTS_LIST))
		return app_flow_no_memory(flow);
	flow->op->in.user.id = td_arena_slice(&flow->op->arena, h->user_id);
	flow->op->in.limit = h->count < h->limit ? h->limit - h->count : 1;
	flow->op->in.before_seq = before_last(h);
	flow->op->in.span = span;
	return go_on(flow, !flow->op->arena.failed, history_found);
}

static enum app_next history_listed(struct app_flow *flow, enum td_status status)
{
	struct app_history *h = history_of(flow);
	if (status == TD_NOTFOUND)
		return refuse_unknown_user(flow);
	struct store_span trimmed = flow->op->out.trimmed;
	h->items = flow->op->out.history;
	h->count = flow->op->out.history_count;
	h->more = flow->op->out.more;
	if (h->more || trimmed.to_ms == 0 || h->log == APP_LOG_NOWHERE)
		return history_done(flow);
	if (h->log == APP_LOG_WHEN_OLDER && h->before_seq == 0) {
		h->more = true;
		return history_done(flow);
	}
	return history_find(flow, trimmed);
}

static enum app_next history_list(struct app_flow *flow)
{
	struct app_history *h = history_of(flow);
	if (!app_flow_op(flow, STORE_HISTORY_LIST))
		return app_flow_no_memory(flow);
	flow->op->in.user.id = td_arena_slice(&flow->op->arena, h->user_id);
	flow->op->in.limit = h->limit;
	flow->op->in.before_seq = h->before_seq;
	return go_on(flow, !flow->op->arena.failed, history_listed);
}

static enum app_next history_loaded(struct app_flow *flow, enum td_status status)
{
	struct app_history *h = history_of(flow);
	const struct store_subscription *there = loaded(flow);
	if (status == TD_NOTFOUND)
		return refuse_unknown_user(flow);
	if (there == NULL || !app_subscription_is_due(there, flow->now_ms)) {
		h->subscription = there;
		return history_list(flow);
	}
	app_change_begin(&h->change, flow->arena, there, flow->actor);
	enum app_rule rule = app_subscription_roll(&h->change, flow->now_ms);
	return go_on(flow, rule == APP_RULE_OK && app_flow_write(flow, &h->change), history_load);
}

static enum app_next history_load(struct app_flow *flow, enum td_status status)
{
	(void)status;
	return go_on(flow, app_flow_load(flow, history_of(flow)->user_id), history_loaded);
}

/* What has ended is written down first, so that history and state tell the same. */
void app_history_begin(struct app_history *history)
{
	history->flow.step = history_load;
}
