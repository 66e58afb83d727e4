#include "td_test.h"

#include "app/period.h"
#include "app/subscription.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "explain.h"
#include "fault_alloc.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY   INT64_C(86400000)
#define START INT64_C(1769850000000) /* 2026-01-31T09:00:00Z */

#define M STORE_CYCLE_MONTHLY
#define Y STORE_CYCLE_YEARLY

#define TEXT(literal)                                        \
	{                                                    \
		.ptr = (literal), .len = sizeof(literal) - 1 \
	}
#define PACKAGE(word, monthly, yearly)                                                         \
	{                                                                                      \
		.id = TEXT("p-" word), .slug = TEXT(word), .name = TEXT("The " word),          \
		.currency = TEXT("USD"), .price_monthly = (monthly), .price_yearly = (yearly), \
		.rate_limit_per_hour = (monthly) / 10, .is_active = true,                      \
	}

static const struct store_package packages[] = {
	PACKAGE("basic", 1000, 10000),
	PACKAGE("plus", 2000, 20000),
	PACKAGE("twin", 1000, 12000),
};
#define BASIC (&packages[0])
#define PLUS  (&packages[1])
#define TWIN  (&packages[2])

static struct td_arena arena;

static int arena_setup(void **state)
{
	(void)state;
	arena = (struct td_arena)TD_ARENA_INIT;
	return 0;
}

static int arena_teardown(void **state)
{
	(void)state;
	td_arena_done(&arena);
	return 0;
}

static const struct td_slice user = {"user", 4};

static struct app_change start_change(const struct store_package *package, enum store_cycle cycle)
{
	struct app_change change;
	assert_int_equal(app_subscription_start(
				 &change, &arena, TD_SLICE("u1"), package, cycle, START, user),
		APP_RULE_OK);
	return change;
}

static struct store_subscription start(const struct store_package *package, enum store_cycle cycle)
{
	return start_change(package, cycle).row;
}

static struct app_change begin(const struct store_subscription *row)
{
	struct app_change change;
	app_change_begin(&change, &arena, row, user);
	return change;
}

static const struct store_history *last(const struct app_change *change)
{
	assert_true(change->count > 0);
	return &change->history[change->count - 1];
}

static void assert_slice(struct td_slice got, const char *wanted)
{
	if (!td_slice_is(got, wanted))
		fail_msg("\"%.*s\" is not \"%s\"", TD_SLICE_ARG(got), wanted);
}

static struct store_subscription rolled(struct store_subscription row, int64_t now_ms)
{
	app_subscription_view(&row, now_ms);
	return row;
}

/* All but the text's address. */
static bool is_same_row(const struct store_subscription *a, const struct store_subscription *b)
{
	return td_slice_equal(a->id, b->id) && td_slice_equal(a->user_id, b->user_id) &&
	       td_slice_equal(a->package.id, b->package.id) &&
	       td_slice_equal(a->package.slug, b->package.slug) && a->status == b->status &&
	       a->package.rate_limit_per_hour == b->package.rate_limit_per_hour &&
	       a->cycle == b->cycle && a->price == b->price &&
	       td_slice_equal(a->currency, b->currency) && a->started_at == b->started_at &&
	       a->anchor_day == b->anchor_day &&
	       a->current_period_start == b->current_period_start &&
	       a->current_period_end == b->current_period_end &&
	       a->pending.action == b->pending.action && a->pending.at == b->pending.at &&
	       a->pending.price == b->pending.price && a->pending.cycle == b->pending.cycle &&
	       td_slice_equal(a->pending.package.id, b->pending.package.id) &&
	       a->cancel_at_period_end == b->cancel_at_period_end &&
	       a->canceled_at == b->canceled_at && a->ended_at == b->ended_at &&
	       a->version == b->version && a->created_at == b->created_at &&
	       a->updated_at == b->updated_at;
}

/* ---- a new one
 * ----------------------------------------------------------------------------------------- */

static void test_start_makes_a_live_row_and_its_first_history(void **state)
{
	(void)state;
	struct app_change change = start_change(PLUS, Y);
	const struct store_subscription *row = &change.row;
	assert_int_equal(change.loaded_version, 0);
	assert_int_equal(row->version, 1);
	assert_int_equal(row->status, STORE_ACTIVE);
	assert_int_equal(row->price, 20000);
	assert_int_equal(row->anchor_day, 31);
	assert_int_equal(row->current_period_start, START);
	assert_int_equal(row->current_period_end, START + 365 * DAY);
	assert_int_equal(row->pending.action, STORE_PENDING_NONE);
	assert_int_equal(row->canceled_at | row->ended_at, 0);
	assert_int_equal(change.count, 1);
	const struct store_history *h = last(&change);
	assert_int_equal(h->action, STORE_ACTION_CREATED);
	assert_null(h->from_package.ptr);
	assert_slice(h->to_package, "plus");
	assert_slice(h->actor, "user");
	assert_true(td_slice_equal(h->subscription_id, row->id));
	assert_null(explain(row, change.history, change.count));
}

/* ---- every verb in every state
 * ------------------------------------------------------------------------- */

enum state_name {
	PLAIN,
	ENDING,       /* its cancellation is planned */
	FLAG_ONLY,    /* so says the flag, but no plan: another client's */
	PENDING_ONLY, /* so says the plan, but not the flag */
	CHANGING,     /* a change to PLUS, monthly, is planned */
	TRIAL,
	PAST_DUE,
	CANCELED,
	EXPIRED,
	STATE_COUNT,
};

static struct store_subscription make_state(enum state_name name)
{
	struct store_subscription row = start(BASIC, M);
	struct app_change change = begin(&row);
	if (name == ENDING)
		assert_int_equal(app_subscription_cancel(
					 &change, APP_PERIOD_END, td_slice(NULL, 0), START + DAY),
			APP_RULE_OK);
	if (name == CHANGING)
		assert_int_equal(
			app_subscription_switch(&change, PLUS, M, APP_PERIOD_END, START + DAY),
			APP_RULE_OK);
	row = change.row;
	if (name == FLAG_ONLY)
		row.cancel_at_period_end = true;
	if (name == PENDING_ONLY)
		row.pending.action = STORE_PENDING_CANCEL;
	row.status = name == TRIAL      ? STORE_TRIALING
		     : name == PAST_DUE ? STORE_PAST_DUE
		     : name == CANCELED ? STORE_CANCELED
		     : name == EXPIRED  ? STORE_EXPIRED
					: row.status;
	return row;
}

static enum app_rule switch_same_now(struct app_change *c)
{
	return app_subscription_switch(c, BASIC, M, APP_NOW, START + 2 * DAY);
}

static enum app_rule switch_same_later(struct app_change *c)
{
	return app_subscription_switch(c, BASIC, M, APP_PERIOD_END, START + 2 * DAY);
}

static enum app_rule switch_now(struct app_change *c)
{
	return app_subscription_switch(c, PLUS, M, APP_NOW, START + 2 * DAY);
}

static enum app_rule switch_later(struct app_change *c)
{
	return app_subscription_switch(c, PLUS, M, APP_PERIOD_END, START + 2 * DAY);
}

static enum app_rule switch_cycle_later(struct app_change *c)
{
	return app_subscription_switch(c, PLUS, Y, APP_PERIOD_END, START + 2 * DAY);
}

static enum app_rule cancel_now(struct app_change *c)
{
	return app_subscription_cancel(c, APP_NOW, TD_SLICE("why"), START + 2 * DAY);
}

static enum app_rule cancel_later(struct app_change *c)
{
	return app_subscription_cancel(c, APP_PERIOD_END, TD_SLICE("why"), START + 2 * DAY);
}

static enum app_rule resume(struct app_change *c)
{
	return app_subscription_resume(c, START + 2 * DAY);
}

/* How a rule ends, in one character: a change's outcome, or why there is none. */
static char outcome_of(enum app_rule rule, const struct app_change *change)
{
	if (rule == APP_RULE_NOT_LIVE)
		return 'x';
	if (rule == APP_RULE_NO_CHANGE)
		return '=';
	if (rule == APP_RULE_NOTHING_PLANNED)
		return '0';
	if (rule != APP_RULE_OK)
		return '!';
	if (change->count == 0)
		return '.';
	if (!store_status_is_live(change->row.status))
		return 'E';
	return change->row.pending.action == STORE_PENDING_CHANGE   ? 'c'
	       : change->row.pending.action == STORE_PENDING_CANCEL ? 'e'
								    : 'L';
}

/* x not live, = no change, 0 nothing planned, . so already; else what is there then: L live without
 * a plan, c a planned change, e a planned end, E the end. */
static void test_every_verb_in_every_state(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum app_rule (*verb)(struct app_change *change);
		const char *outcomes; /* of PLAIN, ENDING, … in their order */
	} rows[] = {
		{"switch to the same at once", switch_same_now, "=======xx"},
		{"switch to the same at the end", switch_same_later, "=======xx"},
		{"switch at once", switch_now, "LLLLLLLxx"},
		{"switch at the end", switch_later, "cccc=ccxx"},
		{"switch cycle at the end", switch_cycle_later, "cccccccxx"},
		{"cancel at once", cancel_now, "EEEEEEExx"},
		{"cancel at the end", cancel_later, "e...eeexx"},
		{"resume", resume, "0LLLL00xx"},
	};
	for (size_t r = 0; r < TD_ARRAY_LEN(rows); r++) {
		assert_int_equal(strlen(rows[r].outcomes), STATE_COUNT);
		for (enum state_name name = PLAIN; name < STATE_COUNT; name++) {
			const struct store_subscription row = make_state(name);
			struct app_change change = begin(&row);
			char got = outcome_of(rows[r].verb(&change), &change);
			if (got != rows[r].outcomes[name])
				fail_msg("%s in state %d: %c, not %c", rows[r].name, name, got,
					rows[r].outcomes[name]);
			bool writes = strchr("LceE", got) != NULL;
			assert_int_equal(change.count, writes);
			assert_int_equal(change.row.version, row.version + writes);
			assert_int_equal(change.loaded_version, row.version);
			if (!writes)
				assert_true(is_same_row(&change.row, &row));
		}
	}
}

/* Where a change or its taking back leaves a plan's traces, they are gone: the flag, the moment of
 * the cancellation, what was planned. */
static void test_a_new_plan_takes_the_place_of_the_old(void **state)
{
	(void)state;
	static enum app_rule (*const verbs[])(struct app_change *) = {
		switch_now, switch_cycle_later, resume};
	for (enum state_name name = ENDING; name <= CHANGING; name++) {
		for (size_t v = 0; v < TD_ARRAY_LEN(verbs); v++) {
			const struct store_subscription row = make_state(name);
			struct app_change change = begin(&row);
			assert_int_equal(verbs[v](&change), APP_RULE_OK);
			assert_false(change.row.cancel_at_period_end);
			assert_int_equal(change.row.canceled_at, 0);
			assert_true(change.row.pending.action != STORE_PENDING_CANCEL);
		}
	}
	const struct store_subscription changing = make_state(CHANGING);
	struct app_change change = begin(&changing);
	assert_int_equal(cancel_later(&change), APP_RULE_OK);
	assert_true(change.row.cancel_at_period_end);
	assert_null(change.row.pending.package.id.ptr);
	assert_int_equal(change.row.pending.price, 0);
	assert_int_equal(change.row.pending.at, change.row.current_period_end);
}

/* ---- what a change says and costs
 * ---------------------------------------------------------------------- */

static void test_a_change_is_named_by_what_a_year_costs(void **state)
{
	(void)state;
	static const struct {
		const struct store_package *from, *to;
		enum store_cycle from_cycle, to_cycle;
		enum store_action action;
	} rows[] = {
		{BASIC, PLUS, M, M, STORE_ACTION_UPGRADED},
		{PLUS, BASIC, M, M, STORE_ACTION_DOWNGRADED},
		{BASIC, TWIN, M, M, STORE_ACTION_UPGRADED},   /* as dear: no step down */
		{BASIC, TWIN, M, Y, STORE_ACTION_UPGRADED},   /* 12 × 1000 and 12000 */
		{TWIN, BASIC, M, Y, STORE_ACTION_DOWNGRADED}, /* 12000 and 10000 */
		{BASIC, PLUS, Y, M, STORE_ACTION_UPGRADED},
		{BASIC, BASIC, M, Y, STORE_ACTION_CYCLE_CHANGED},
		{BASIC, BASIC, Y, M, STORE_ACTION_CYCLE_CHANGED},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		const struct store_subscription row = start(rows[i].from, rows[i].from_cycle);
		struct app_change now = begin(&row), later = begin(&row);
		assert_int_equal(app_subscription_switch(
					 &now, rows[i].to, rows[i].to_cycle, APP_NOW, START + DAY),
			APP_RULE_OK);
		assert_int_equal(last(&now)->action, rows[i].action);
		assert_int_equal(app_subscription_switch(&later, rows[i].to, rows[i].to_cycle,
					 APP_PERIOD_END, START + DAY),
			APP_RULE_OK);
		assert_int_equal(last(&later)->action, STORE_ACTION_CHANGE_SCHEDULED);
		assert_int_equal(
			app_subscription_roll(&later, row.current_period_end), APP_RULE_OK);
		assert_int_equal(last(&later)->action, rows[i].action);
		assert_slice(last(&later)->actor, "system");
	}
}

/* Another package at once keeps the period; another cycle begins one, with an anchor of its own. */
static void test_only_a_change_of_cycle_begins_a_period(void **state)
{
	(void)state;
	const struct store_subscription row = start(BASIC, M);
	int64_t now_ms = START + 12 * DAY; /* 12 February */
	struct app_change same = begin(&row), other = begin(&row);
	assert_int_equal(app_subscription_switch(&same, PLUS, M, APP_NOW, now_ms), APP_RULE_OK);
	assert_int_equal(same.row.current_period_start, row.current_period_start);
	assert_int_equal(same.row.current_period_end, row.current_period_end);
	assert_int_equal(same.row.anchor_day, 31);
	assert_int_equal(same.row.price, 2000);
	assert_int_equal(app_subscription_switch(&other, PLUS, Y, APP_NOW, now_ms), APP_RULE_OK);
	assert_int_equal(other.row.current_period_start, now_ms);
	assert_int_equal(other.row.current_period_end, now_ms + 365 * DAY);
	assert_int_equal(other.row.anchor_day, 12);
	assert_int_equal(other.row.price, 20000);
}

/* The packages get dearer: who is there pays what they paid, who planned pays what was promised,
 * and a change at once costs what it costs by then. */
static void test_prices_are_those_that_were_promised(void **state)
{
	(void)state;
	struct store_package dearer = *PLUS;
	dearer.price_monthly = 7777;
	const struct store_subscription row = start(BASIC, M);
	struct store_subscription later_row = rolled(row, START + 700 * DAY);
	assert_int_equal(later_row.price, 1000);

	const struct store_subscription planned = make_state(CHANGING);
	struct store_subscription changed = rolled(planned, START + 700 * DAY);
	assert_slice(changed.package.slug, "plus");
	assert_int_equal(changed.price, 2000);

	struct app_change change = begin(&planned);
	assert_int_equal(app_subscription_switch(&change, &dearer, M, APP_NOW, START + 2 * DAY),
		APP_RULE_OK);
	assert_int_equal(change.row.price, 7777);
	/* The same plan again is no change, although it would cost more now. */
	change = begin(&planned);
	assert_int_equal(
		app_subscription_switch(&change, &dearer, M, APP_PERIOD_END, START + 2 * DAY),
		APP_RULE_NO_CHANGE);
}

/* ---- time
 * ------------------------------------------------------------------------------------------ */

/* A clock that was set back writes no history into the past, and begins no period there. */
static void test_a_clock_set_back_does_not_go_back_in_history(void **state)
{
	(void)state;
	const struct store_subscription first = start(BASIC, M);
	struct app_change change = begin(&first);
	assert_int_equal(
		app_subscription_switch(&change, PLUS, M, APP_NOW, START + 5 * DAY), APP_RULE_OK);
	const struct store_subscription row = change.row;
	static enum app_rule (*const verbs[])(struct app_change *) = {
		switch_same_now, switch_same_later, cancel_now, cancel_later};
	for (size_t v = 0; v < TD_ARRAY_LEN(verbs); v++) {
		change = begin(&row);
		assert_int_equal(verbs[v](&change), APP_RULE_OK);
		assert_int_equal(last(&change)->created_at, START + 5 * DAY);
		assert_int_equal(change.row.updated_at, START + 5 * DAY);
	}
	change = begin(&row);
	assert_int_equal(app_subscription_switch(&change, PLUS, Y, APP_NOW, START), APP_RULE_OK);
	assert_int_equal(change.row.current_period_start, START + 5 * DAY);
}

/* The end is that of the period, and the moment at which somebody cancelled stays. */
static void test_the_end_comes_when_the_period_ends(void **state)
{
	(void)state;
	const struct store_subscription row = make_state(ENDING);
	struct store_subscription before = rolled(row, row.current_period_end - 1);
	assert_true(store_status_is_live(before.status));
	struct app_change change = begin(&row);
	assert_int_equal(app_subscription_roll(&change, START + 9000 * DAY), APP_RULE_OK);
	assert_int_equal(change.count, 1);
	assert_int_equal(change.row.status, STORE_CANCELED);
	assert_int_equal(change.row.ended_at, row.current_period_end);
	assert_int_equal(change.row.canceled_at, START + DAY);
	assert_int_equal(last(&change)->action, STORE_ACTION_CANCELED);
	assert_int_equal(last(&change)->created_at, row.current_period_end);
	assert_slice(last(&change)->actor, "system");
	assert_null(last(&change)->to_package.ptr);
	assert_false(last(&change)->has_price);
}

/* A trial goes on as an active subscription, and what is past due stays so. */
static void test_a_trial_ends_with_its_period(void **state)
{
	(void)state;
	struct store_subscription trial = make_state(TRIAL), due = make_state(PAST_DUE);
	assert_int_equal(rolled(trial, trial.current_period_end - 1).status, STORE_TRIALING);
	assert_int_equal(rolled(trial, trial.current_period_end).status, STORE_ACTIVE);
	assert_int_equal(rolled(due, due.current_period_end).status, STORE_PAST_DUE);
}

static void test_what_has_ended_is_never_due(void **state)
{
	(void)state;
	struct store_subscription row = make_state(CANCELED);
	assert_false(app_subscription_is_due(&row, START + 900 * DAY));
	struct app_change change = begin(&row);
	assert_int_equal(app_subscription_roll(&change, START + 900 * DAY), APP_RULE_OK);
	assert_int_equal(change.count, 0);
}

/* ---- any sequence
 * --------------------------------------------------------------------------------------- */

static uint64_t seed_state;

static unsigned random_below(unsigned limit)
{
	seed_state = seed_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(seed_state >> 33) % limit;
}

static void random_verb(struct app_change *change, int64_t now_ms)
{
	const struct store_package *package = &packages[random_below(TD_ARRAY_LEN(packages))];
	enum app_when when = random_below(3) == 0 ? APP_NOW : APP_PERIOD_END;
	enum app_rule rule = APP_RULE_OK;
	switch (random_below(4)) {
	case 0:
	case 1:
		rule = app_subscription_switch(
			change, package, random_below(2) == 0 ? M : Y, when, now_ms);
		break;
	case 2:
		when = random_below(8) == 0 ? APP_NOW : APP_PERIOD_END;
		rule = app_subscription_cancel(change, when, td_slice(NULL, 0), now_ms);
		break;
	default:
		rule = app_subscription_resume(change, now_ms);
	}
	assert_true(rule != APP_RULE_NOMEM);
}

/* Some days, or some years; now and then the clock is set back a little. */
static int64_t random_step(void)
{
	if (random_below(10) == 0)
		return -(int64_t)random_below(3 * 86400) * 1000;
	return random_below(6) == 0 ? random_below(1500) * DAY
				    : (int64_t)random_below(20 * 86400) * 1000;
}

static void roll_to(struct app_change *change, int64_t now_ms)
{
	do {
		assert_int_equal(app_subscription_roll(change, now_ms), APP_RULE_OK);
	} while (app_subscription_is_due(&change->row, now_ms));
}

/* However a subscription is treated: the history explains it, and the version counts it. */
static void test_history_explains_any_sequence(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 400; seed++) {
		seed_state = seed;
		struct app_change change = start_change(
			&packages[random_below(3)], random_below(2) == 0 ? M : Y);
		int64_t now_ms = START;
		for (unsigned i = 0; i < 40; i++) {
			now_ms += random_step();
			roll_to(&change, now_ms);
			random_verb(&change, now_ms);
			const char *why = explain(&change.row, change.history, change.count);
			if (why != NULL)
				fail_msg("seed %u, step %u: %s", seed, i, why);
		}
		td_arena_reset(&arena);
	}
}

/* Rolling with stops anywhere leads where rolling at once does, and so does only looking. */
static void test_looking_tells_what_rolling_does(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 1000; seed++) {
		seed_state = seed;
		struct app_change change = start_change(
			&packages[random_below(3)], random_below(2) == 0 ? M : Y);
		random_verb(&change, START + DAY);
		if (random_below(4) == 0)
			change.row.status = STORE_TRIALING;
		change.row.anchor_day = 1 + (int)random_below(31);
		const struct store_subscription row = change.row;
		int64_t until = START + (int64_t)random_below(9000) * DAY, at_ms = START;
		struct store_subscription stepped = row;
		while (at_ms < until) {
			at_ms += 1 + (int64_t)random_below(300) * DAY;
			int64_t stop = at_ms < until ? at_ms : until;
			app_subscription_view(&stepped, stop);
			roll_to(&change, stop);
			if (!is_same_row(&stepped, &change.row))
				fail_msg("seed %u: seen and rolled differ", seed);
		}
		struct store_subscription once = rolled(row, until);
		if (!is_same_row(&once, &change.row))
			fail_msg("seed %u: one step and many differ", seed);
		td_arena_reset(&arena);
	}
}

/* One roll brings no more than APP_STEPS_MOST rows; the next goes on where it stopped. */
static void test_catching_up_takes_several_writes(void **state)
{
	(void)state;
	const struct store_subscription row = start(BASIC, M);
	int64_t now_ms = START + 6000 * DAY;
	struct store_subscription at = row;
	size_t writes = 0;
	while (app_subscription_is_due(&at, now_ms)) {
		struct app_change change = begin(&at);
		assert_int_equal(app_subscription_roll(&change, now_ms), APP_RULE_OK);
		assert_true(change.count > 0 && change.count <= APP_STEPS_MOST);
		assert_int_equal(change.row.version, at.version + (int64_t)change.count);
		at = change.row;
		writes++;
	}
	assert_int_equal(writes, 4); /* 197 months */
	struct store_subscription seen = rolled(row, now_ms);
	assert_true(is_same_row(&at, &seen));
}

/* ---- rows that others wrote
 * ---------------------------------------------------------------------------- */

/* From the year 1 to the last takes no longer than a month; so does a time that no calendar has. */
static void test_looking_over_millennia_takes_no_time(void **state)
{
	(void)state;
	static const int64_t ends[] = {INT64_MIN, INT64_C(-62135596800000), 0};
	uint64_t begun = td_clock_mono_ns();
	for (unsigned i = 0; i < 3000; i++) {
		struct store_subscription row = start(BASIC, i % 2 == 0 ? M : Y);
		row.current_period_end = ends[i % TD_ARRAY_LEN(ends)];
		app_subscription_view(&row, INT64_MAX);
		assert_true(row.current_period_end >= APP_PERIOD_LAST);
		assert_true(row.current_period_end < APP_PERIOD_LAST + 366 * DAY);
		assert_true(row.current_period_start < APP_PERIOD_LAST);
	}
	/* One by one they would be more than ten million million. */
	assert_true(td_clock_mono_ns() - begun < UINT64_C(5000000000));
}

/* Half a plan is none: the period is renewed, so that the row can be written at all. */
static void test_half_a_plan_is_renewed(void **state)
{
	(void)state;
	const struct store_subscription whole = make_state(CHANGING);
	for (unsigned i = 0; i < 3; i++) {
		struct store_subscription row = whole;
		if (i == 0)
			row.pending.package = (struct store_package_part){.id = {NULL, 0}};
		else if (i == 1)
			row.pending.cycle = STORE_CYCLE_NONE;
		else
			row.pending.currency = td_slice(NULL, 0);
		struct app_change change = begin(&row);
		assert_int_equal(
			app_subscription_roll(&change, row.current_period_end), APP_RULE_OK);
		assert_int_equal(last(&change)->action, STORE_ACTION_RENEWED);
		assert_slice(change.row.package.slug, "basic");
		assert_int_equal(change.row.cycle, M);
		assert_int_equal(change.row.pending.action, STORE_PENDING_NONE);
	}
}

static const int64_t odd_times[] = {INT64_MIN, INT64_C(-62135596800000), 0, START - 1, START,
	START + 40 * DAY, APP_PERIOD_LAST - 1, APP_PERIOD_LAST, INT64_C(253402300799999)};

static int64_t odd_time(void)
{
	return odd_times[random_below(TD_ARRAY_LEN(odd_times))];
}

static struct store_subscription odd_row(void)
{
	static const int anchors[] = {INT32_MIN, 0, 1, 15, 30, 31, 32, INT32_MAX};
	static const int64_t versions[] = {INT64_MIN, 0, 1, INT64_MAX - 1, INT64_MAX};
	struct store_subscription row = make_state(random_below(STATE_COUNT));
	row.anchor_day = anchors[random_below(TD_ARRAY_LEN(anchors))];
	row.version = versions[random_below(TD_ARRAY_LEN(versions))];
	row.current_period_start = odd_time();
	row.current_period_end = odd_time();
	row.updated_at = odd_time();
	row.canceled_at = odd_time();
	row.pending.at = odd_time();
	row.pending.action = random_below(STORE_PENDING_COUNT);
	row.pending.cycle = random_below(STORE_CYCLE_COUNT);
	row.cancel_at_period_end = random_below(3) == 0;
	row.price = random_below(2) == 0 ? 0 : INT64_C(999999999999);
	return row;
}

/* Whatever stands in a row: rolling goes forward and ends, and what the rules write is no odder
 * than before: its end comes after its start, and its cycle is one. */
static void test_odd_rows_end_and_get_no_odder(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 20000; seed++) {
		seed_state = seed;
		const struct store_subscription row = odd_row();
		int64_t now_ms = START + (int64_t)random_below(90) * DAY;
		struct app_change change = begin(&row);
		assert_int_equal(app_subscription_roll(&change, now_ms), APP_RULE_OK);
		assert_true(change.count <= APP_STEPS_MOST);
		struct store_subscription seen = rolled(row, now_ms);
		assert_false(app_subscription_is_due(&seen, now_ms));
		random_verb(&change, now_ms);
		assert_true(change.row.cycle != STORE_CYCLE_NONE);
		if (change.row.current_period_start != row.current_period_start)
			assert_true(
				change.row.current_period_end > change.row.current_period_start);
		td_arena_reset(&arena);
	}
}

/* Somebody's time in the far future does not carry ours there. */
static void test_a_change_in_the_far_future_counts_for_nothing(void **state)
{
	(void)state;
	struct store_subscription row = start(BASIC, M);
	row.updated_at = INT64_C(253402300799999);
	struct app_change change = begin(&row);
	assert_int_equal(
		app_subscription_switch(&change, PLUS, Y, APP_NOW, START + DAY), APP_RULE_OK);
	assert_int_equal(change.row.current_period_start, START + DAY);
	assert_int_equal(change.row.updated_at, START + DAY);
}

/* ---- without memory
 * ------------------------------------------------------------------------------------ */

static bool start_and_roll(void *ctx)
{
	(void)ctx;
	struct td_arena own = TD_ARENA_INIT;
	struct app_change change;
	enum app_rule rule = app_subscription_start(
		&change, &own, TD_SLICE("u1"), BASIC, M, START, user);
	if (rule == APP_RULE_OK)
		rule = app_subscription_switch(&change, PLUS, M, APP_PERIOD_END, START + DAY);
	if (rule == APP_RULE_OK)
		rule = app_subscription_cancel(
			&change, APP_PERIOD_END, td_slice(NULL, 0), START + DAY);
	if (rule == APP_RULE_OK)
		rule = app_subscription_resume(&change, START + 2 * DAY);
	if (rule == APP_RULE_OK)
		rule = app_subscription_switch(&change, PLUS, Y, APP_NOW, START + 3 * DAY);
	if (rule == APP_RULE_OK)
		rule = app_subscription_roll(&change, START + 2000 * DAY);
	td_arena_done(&own);
	assert_true(rule == APP_RULE_OK || rule == APP_RULE_NOMEM);
	return rule == APP_RULE_OK;
}

static void test_without_memory_a_rule_says_so(void **state)
{
	(void)state;
	assert_true(fault_alloc_each(start_and_roll, NULL) >= 2);
}

#define RULE_TEST(fn) cmocka_unit_test_setup_teardown(fn, arena_setup, arena_teardown)

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		RULE_TEST(test_start_makes_a_live_row_and_its_first_history),
		RULE_TEST(test_every_verb_in_every_state),
		RULE_TEST(test_a_new_plan_takes_the_place_of_the_old),
		RULE_TEST(test_a_change_is_named_by_what_a_year_costs),
		RULE_TEST(test_only_a_change_of_cycle_begins_a_period),
		RULE_TEST(test_prices_are_those_that_were_promised),
		RULE_TEST(test_a_clock_set_back_does_not_go_back_in_history),
		RULE_TEST(test_the_end_comes_when_the_period_ends),
		RULE_TEST(test_a_trial_ends_with_its_period),
		RULE_TEST(test_what_has_ended_is_never_due),
		RULE_TEST(test_history_explains_any_sequence),
		RULE_TEST(test_looking_tells_what_rolling_does),
		RULE_TEST(test_catching_up_takes_several_writes),
		RULE_TEST(test_looking_over_millennia_takes_no_time),
		RULE_TEST(test_half_a_plan_is_renewed),
		RULE_TEST(test_odd_rows_end_and_get_no_odder),
		RULE_TEST(test_a_change_in_the_far_future_counts_for_nothing),
		RULE_TEST(test_without_memory_a_rule_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
