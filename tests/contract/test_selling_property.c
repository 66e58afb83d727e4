/* Any sequence of what users ask for and of what time does, on both stores at once: each user has
 * at most one live subscription, each history explains its subscription without the code that wrote
 * it, and in the end both stores tell the same. A failure names its seed; TD_SEED runs it again. */
#include "contract_selling.h"
#include "postgres_db.h"
#include "sqlite_db.h"

#include "app/selling.h"
#include "base/buf.h"
#include "explain.h"
#include "store/postgres/pg_library.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USERS        4
#define STEPS        50
#define HISTORY_MOST 4000
#define DAY          SELLING_DAY

/* ---- one store
 * -------------------------------------------------------------------------------------------- */

struct world {
	struct contract *c;
	struct store *stores[2]; /* as two processes would have it */
	struct store_package packages[3];
	uint64_t seed, random;
	int64_t now_ms;
	unsigned step;
};

static unsigned random_below(struct world *w, unsigned limit)
{
	w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(w->random >> 33) % limit;
}

static const char *user_id(const struct world *w, unsigned user)
{
	static char id[40];
	(void)snprintf(id, sizeof(id), "s%" PRIu64 "-u%u", w->seed, user);
	return id;
}

static void put_packages(struct world *w)
{
	static const char *const slugs[] = {"one", "two", "ten"};
	static const int64_t prices[] = {1000, 2000, 1000};
	struct store_change changes[TD_ARRAY_LEN(slugs)];
	for (size_t i = 0; i < TD_ARRAY_LEN(slugs); i++) {
		w->packages[i] = (struct store_package){
			.id = td_slice_str(slugs[i]),
			.slug = td_slice_str(slugs[i]),
			.name = td_slice_str(slugs[i]),
			.description = TD_SLICE(""),
			.currency = TD_SLICE("USD"),
			.price_monthly = prices[i],
			.price_yearly = prices[i] * (i == 2 ? 12 : 10),
			.rate_limit_per_hour = 1,
			.rate_limit_per_day = 1,
			.is_active = true,
		};
		changes[i] = (struct store_change){
			.kind = STORE_PUT_PACKAGE, .package = w->packages[i]};
	}
	struct store_op *op = contract_op(STORE_CATALOGUE_APPLY);
	op->in.changes = changes;
	op->in.change_count = TD_ARRAY_LEN(changes);
	contract_expect(w->c->store, op, TD_OK);
}

static void world_open(struct world *w, const struct contract_factory *factory)
{
	void *state = NULL;
	contract_factory = factory;
	assert_int_equal(contract_setup(&state), 0);
	*w = (struct world){.c = state};
	w->stores[0] = w->c->store;
	w->stores[1] = contract_open(w->c, /* small= */ false);
}

static void world_close(struct world *w)
{
	void *state = w->c;
	contract_close(w->c, w->stores[1]);
	assert_int_equal(contract_teardown(&state), 0);
}

/* ---- what happens
 * --------------------------------------------------------------------------------------- */

static void run_flow(struct world *w, struct app_flow *flow, struct app_flow_ops *ops)
{
	struct td_err err = TD_ERR_INIT;
	uint64_t deadline_ms = td_clock_mono_ms(&td_clock_system) + 20000;
	/* Which of the two has no meaning, but that it is not always the same. */
	struct store *store = w->stores[w->step % 2];
	ops->count = 0;
	enum td_status status = app_flow_run(flow, store, deadline_ms, ops, &err);
	if (status != TD_OK)
		fail_msg("%s, seed %" PRIu64 ", step %u: %s", w->c->factory->name, w->seed, w->step,
			err.text);
}

static struct app_flow flow_of(struct world *w, struct td_arena *arena)
{
	return (struct app_flow){.arena = arena, .now_ms = w->now_ms, .actor = TD_SLICE("user")};
}

/* Mostly what can be done; refusals are part of it. */
static void ask(struct world *w, unsigned user)
{
	static const enum app_selling_verb verbs[] = {APP_SUBSCRIBE, APP_SUBSCRIBE, APP_SWITCH,
		APP_SWITCH, APP_SWITCH, APP_CANCEL, APP_RESUME};
	struct td_arena arena = TD_ARENA_INIT;
	struct app_flow_ops ops;
	struct app_selling selling = {
		.flow = flow_of(w, &arena),
		.verb = verbs[random_below(w, TD_ARRAY_LEN(verbs))],
		.user_id = td_slice_str(user_id(w, user)),
		.package = &w->packages[random_below(w, TD_ARRAY_LEN(w->packages))],
		.cycle = random_below(w, 2) == 0 ? STORE_CYCLE_MONTHLY : STORE_CYCLE_YEARLY,
		.when = random_below(w, 3) == 0 ? APP_NOW : APP_PERIOD_END,
		.reason = td_slice(NULL, 0),
	};
	app_selling_begin(&selling);
	run_flow(w, &selling.flow, &ops);
	app_flow_ops_free(&ops);
	td_arena_done(&arena);
}

/* Writes down what is due, as a look at the history does. */
static void look(struct world *w, unsigned user)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct app_flow_ops ops;
	struct app_history history = {
		.flow = flow_of(w, &arena), .user_id = td_slice_str(user_id(w, user)), .limit = 1};
	app_history_begin(&history);
	run_flow(w, &history.flow, &ops);
	app_flow_ops_free(&ops);
	td_arena_done(&arena);
}

/* Some days, now and then some years; or the clock is set back a little. */
static void pass_time(struct world *w)
{
	unsigned kind = random_below(w, 12);
	if (kind == 0)
		w->now_ms -= (int64_t)random_below(w, 3 * 86400) * 1000;
	else if (kind == 1)
		w->now_ms += (int64_t)random_below(w, 1200) * DAY;
	else
		w->now_ms += (int64_t)random_below(w, 15 * 86400) * 1000;
	/* Packages get dearer: what is sold and what is planned keeps its price. */
	if (kind == 2)
		w->packages[random_below(w, 3)].price_monthly += 1 + (int64_t)random_below(w, 500);
}

/* ---- what is there then
 * ------------------------------------------------------------------------------- */

static void put_row(struct td_buf *out, const struct store_subscription *s)
{
	td_buf_printf(out,
		"  row %.*s %s %s %" PRId64 " %.*s from %" PRId64 " anchor %d period %" PRId64
		" %" PRId64 " plan %s %.*s %s %" PRId64 " %.*s %" PRId64 " cancels %d %" PRId64
		" %" PRId64 " version %" PRId64 " at %" PRId64 " %" PRId64 "\n",
		TD_SLICE_ARG(s->package.slug), store_status_word(s->status),
		store_cycle_word(s->cycle), s->price, TD_SLICE_ARG(s->currency), s->started_at,
		s->anchor_day, s->current_period_start, s->current_period_end,
		store_pending_word(s->pending.action), TD_SLICE_ARG(s->pending.package.slug),
		store_cycle_word(s->pending.cycle), s->pending.price,
		TD_SLICE_ARG(s->pending.currency), s->pending.at, s->cancel_at_period_end,
		s->canceled_at, s->ended_at, s->version, s->created_at, s->updated_at);
}

static void put_step(struct td_buf *out, const struct store_history *h)
{
	td_buf_printf(out,
		"  %s %.*s %s to %.*s %s price %d %" PRId64 " %.*s by %.*s at %" PRId64 "\n",
		store_action_word(h->action), TD_SLICE_ARG(h->from_package),
		store_cycle_word(h->from_cycle), TD_SLICE_ARG(h->to_package),
		store_cycle_word(h->to_cycle), h->has_price, h->price, TD_SLICE_ARG(h->currency),
		TD_SLICE_ARG(h->actor), h->created_at);
}

struct told {
	struct td_arena arena;
	struct store_history *steps; /* oldest first */
	size_t count;
};

/* In pages of 100, so that paging is looked at too; texts stay in the pages' operations. */
static void read_history(
	struct world *w, const char *user, struct told *told, struct app_flow_ops *pages)
{
	struct store_history *all = td_arena_array(&told->arena, HISTORY_MOST, sizeof(*all));
	assert_non_null(all);
	size_t at = HISTORY_MOST;
	int64_t before_seq = 0;
	bool more = true;
	while (more) {
		struct store_op *op = selling_history(w->c, user, 100, before_seq);
		assert_true(pages->count < TD_ARRAY_LEN(pages->list));
		pages->list[pages->count++] = op;
		for (size_t i = 0; i < op->out.history_count; i++) {
			assert_true(at > 0);
			all[--at] = op->out.history[i];
			before_seq = op->out.history[i].seq;
		}
		more = op->out.more;
	}
	told->steps = all + at;
	told->count = HISTORY_MOST - at;
}

static void explain_or_fail(const struct world *w, const char *user,
	const struct store_subscription *row, const struct store_history *steps, size_t count)
{
	const char *why = explain(row, steps, count);
	if (why != NULL)
		fail_msg("%s, seed %" PRIu64 ", step %u, user %s: %s", w->c->factory->name, w->seed,
			w->step, user, why);
}

/* One subscription after the other: each but the last has ended before the next began. */
static void check_history(const struct world *w, const char *user, const struct told *told,
	const struct store_subscription *row)
{
	size_t begin = 0;
	for (size_t i = 1; i <= told->count; i++) {
		const struct store_history *before = &told->steps[i - 1], *next = &told->steps[i];
		if (i < told->count &&
			td_slice_equal(before->subscription_id, next->subscription_id))
			continue;
		explain_or_fail(
			w, user, i < told->count ? NULL : row, &told->steps[begin], i - begin);
		begin = i;
	}
	if (told->count > 0)
		assert_true(td_slice_equal(told->steps[told->count - 1].subscription_id, row->id));
}

static void check_user(struct world *w, unsigned user, struct td_buf *out)
{
	struct told told = {.arena = TD_ARENA_INIT};
	struct app_flow_ops pages = {.count = 0};
	const char *id = user_id(w, user);
	struct store_op *op = selling_get(w->c, id);
	const struct store_subscription *row = op->out.subscription_count > 0
						       ? &op->out.subscriptions[0]
						       : NULL;
	read_history(w, id, &told, &pages);
	assert_int_equal(row == NULL, told.count == 0);
	check_history(w, id, &told, row);
	td_buf_printf(out, "user %u\n", user);
	for (size_t i = 0; i < told.count; i++)
		put_step(out, &told.steps[i]);
	if (row != NULL)
		put_row(out, row);
	store_op_free(op);
	app_flow_ops_free(&pages);
	td_arena_done(&told.arena);
}

/* All that both stores must tell alike; the identifiers are each store's own. */
static void live(struct world *w, uint64_t seed, struct td_buf *out)
{
	w->seed = w->random = seed;
	w->now_ms = CONTRACT_NOW;
	put_packages(w);
	for (unsigned user = 0; user < USERS; user++)
		selling_make_user(w->c, user_id(w, user));
	for (w->step = 0; w->step < STEPS; w->step++) {
		unsigned user = random_below(w, USERS);
		pass_time(w);
		if (random_below(w, 8) == 0)
			look(w, user);
		else
			ask(w, user);
	}
	for (unsigned user = 0; user < USERS; user++) {
		look(w, user);
		check_user(w, user, out);
	}
	assert_false(out->failed);
}

/* ---- the test
 * ------------------------------------------------------------------------------------------- */

static struct world sqlite, postgres;

static int open_worlds(void **state)
{
	(void)state;
	world_open(&sqlite, &sqlitedb_factory);
	world_open(&postgres, &pgdb_factory);
	return 0;
}

static int close_worlds(void **state)
{
	(void)state;
	world_close(&postgres);
	world_close(&sqlite);
	return 0;
}

static bool is_long(void)
{
	const char *text = getenv("TD_LONG");
	return text != NULL && strcmp(text, "1") == 0;
}

static void test_any_sequence_is_explained_and_the_same_on_both_stores(void **state)
{
	(void)state;
	const char *text = getenv("TD_SEED");
	uint64_t first = text != NULL ? strtoull(text, NULL, 10)
				      : (uint64_t)td_clock_wall_ms(&td_clock_system) * 1000;
	unsigned rounds = text != NULL ? 1 : is_long() ? 1000 : 20;
	print_message("%u sequences%s from seed %" PRIu64 "\n", rounds,
		rounds == 20 ? " (1000 with --long)" : "", first);
	for (unsigned i = 0; i < rounds; i++) {
		struct td_buf one = TD_BUF_INIT, other = TD_BUF_INIT;
		live(&sqlite, first + i, &one);
		live(&postgres, first + i, &other);
		bool same = td_slice_equal(td_buf_slice(&one), td_buf_slice(&other));
		if (!same)
			print_message("sqlite:\n%.*spostgresql:\n%.*s",
				TD_SLICE_ARG(td_buf_slice(&one)),
				TD_SLICE_ARG(td_buf_slice(&other)));
		td_buf_done(&one);
		td_buf_done(&other);
		if (!same)
			fail_msg("seed %" PRIu64 ": the stores differ", first + i);
	}
}

int main(void)
{
	if (sodium_init() < 0 || pg_library_load(NULL) != TD_OK || !pgdb_start())
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_any_sequence_is_explained_and_the_same_on_both_stores, open_worlds,
			close_worlds),
	};
	int failed = cmocka_run_group_tests_name("selling", tests, NULL, NULL);
	pgdb_stop();
	return failed == 0 ? 0 : 1;
}
