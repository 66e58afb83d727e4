/* The sweeper over a store in memory, which can be told to fail in each of its ways. How it does on
 * real stores, and beside other processes, is for the integration tests. */
#include "td_test.h"

#include "app/period.h"
#include "base/alloc.h"
#include "base/compiler.h"
#include "fault_alloc.h"
#include "service/sweeper.h"
#include "wait_until.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define DAY       INT64_C(86400000)
#define ROWS_MOST 1500
#define WAIT_MS   10000

/* ---- a store in memory
 * --------------------------------------------------------------------------------- */

enum row_kind {
	ROW_GOOD,
	ROW_BAD,       /* cannot be read */
	ROW_FAILS,     /* cannot be written */
	ROW_CONFLICTS, /* somebody else is always faster */
};

struct memory_store {
	struct store store; /* first */
	/* Set before the sweeper starts. */
	char ids[ROWS_MOST][8];
	struct store_subscription rows[ROWS_MOST]; /* by the end of their period */
	enum row_kind kinds[ROWS_MOST];
	size_t count;
	int64_t offset_ms;

	_Atomic int refuses; /* an enum td_status that all operations end with; TD_OK: none */
	atomic_bool lease_is_others, lease_is_back;
	atomic_uint expired; /* rows to be deleted */
	atomic_uint ops, clock_gets, changes, reports, bad_reports, works_reports;
	_Atomic size_t most_rows; /* of history, between two looks */
	size_t rows_since;
};

static enum td_status get_due(struct memory_store *m, struct store_op *op)
{
	struct store_subscription *list = td_arena_array(&op->arena, op->in.limit, sizeof(*list));
	struct store_bad_row *bad = td_arena_array(&op->arena, op->in.limit, sizeof(*bad));
	if (list == NULL || bad == NULL)
		return TD_NOMEM;
	m->rows_since = 0;
	for (size_t i = 0; i < m->count; i++) {
		bool is_due = store_status_is_live(m->rows[i].status) &&
			      m->rows[i].current_period_end <= op->in.due_ms;
		if (!is_due || op->out.subscription_count + op->out.bad_row_count == op->in.limit)
			continue;
		op->out.left_out += m->kinds[i] == ROW_BAD;
		if (m->kinds[i] == ROW_BAD)
			bad[op->out.bad_row_count++] = (struct store_bad_row){
				.table = TD_SLICE("user_subscriptions"),
				.key = m->rows[i].id,
				.why = TD_SLICE("odd")};
		else
			list[op->out.subscription_count++] = m->rows[i];
	}
	op->out.subscriptions = list;
	op->out.bad_rows = bad;
	return TD_OK;
}

static enum td_status change(struct memory_store *m, struct store_op *op)
{
	const struct store_subscription *s = op->in.subscription;
	atomic_fetch_add(&m->changes, 1);
	m->rows_since += op->in.history_count;
	if (m->rows_since > atomic_load(&m->most_rows))
		atomic_store(&m->most_rows, m->rows_since);
	for (size_t i = 0; i < m->count; i++) {
		struct store_subscription *row = &m->rows[i];
		if (!td_slice_equal(row->id, s->id))
			continue;
		if (m->kinds[i] == ROW_FAILS)
			return td_err_set(&op->err, TD_INTERNAL, "the row is refused");
		if (m->kinds[i] == ROW_CONFLICTS || row->version != op->in.version)
			return TD_CONFLICT;
		row->version = s->version;
		row->status = s->status;
		row->current_period_start = s->current_period_start;
		row->current_period_end = s->current_period_end;
		return TD_OK;
	}
	return TD_CONFLICT;
}

static enum td_status sweep(struct memory_store *m, struct store_op *op)
{
	unsigned there = atomic_load(&m->expired);
	unsigned now = there < op->in.limit ? there : (unsigned)op->in.limit;
	atomic_fetch_sub(&m->expired, now);
	op->out.swept = now;
	return TD_OK;
}

static enum td_status take_lease(struct memory_store *m, const struct store_op *op)
{
	if (atomic_load(&m->lease_is_others))
		return TD_CONFLICT;
	atomic_store(&m->lease_is_back, op->in.lease.expires_at <= op->in.lease.now_ms);
	return TD_OK;
}

static enum td_status run(struct memory_store *m, struct store_op *op)
{
	atomic_fetch_add(&m->ops, 1);
	enum td_status refuses = (enum td_status)atomic_load(&m->refuses);
	if (refuses != TD_OK)
		return refuses;
	switch ((unsigned)op->kind) {
	case STORE_SUBSCRIPTION_DUE:
		return get_due(m, op);
	case STORE_SUBSCRIPTION_CHANGE:
		return change(m, op);
	case STORE_SWEEP:
		return sweep(m, op);
	case STORE_LEASE_TAKE:
		return take_lease(m, op);
	case STORE_CLOCK_GET:
		atomic_fetch_add(&m->clock_gets, 1);
		op->out.clock_offset_ms = m->offset_ms;
		return m->offset_ms != 0 ? TD_OK : TD_NOTFOUND;
	default:
		return TD_INTERNAL;
	}
}

static enum td_status submit(struct store *store, struct store_op *op)
{
	enum td_status status = run((struct memory_store *)store, op);
	op->done(op, status);
	op->release(op);
	return TD_OK;
}

static const struct store_class memory_class = {.submit = submit};

static struct memory_store *memory_make(void)
{
	struct memory_store *m = td_alloc_zero(sizeof(*m));
	assert_non_null(m);
	m->store = (struct store){.class = &memory_class, .clock = &td_clock_system};
	return m;
}

static int64_t real_ms(void)
{
	return td_clock_wall_ms(&td_clock_system);
}

/* A live subscription whose period has ended `ago_ms` ago. */
static struct store_subscription *add_row(
	struct memory_store *m, enum row_kind kind, int64_t ago_ms)
{
	assert_true(m->count < ROWS_MOST);
	size_t i = m->count++;
	(void)snprintf(m->ids[i], sizeof(m->ids[i]), "s%zu", i);
	m->kinds[i] = kind;
	m->rows[i] = (struct store_subscription){
		.id = td_slice_str(m->ids[i]),
		.user_id = td_slice_str(m->ids[i]),
		.package = {.id = TD_SLICE("p"), .slug = TD_SLICE("basic")},
		.status = STORE_ACTIVE,
		.cycle = STORE_CYCLE_MONTHLY,
		.price = 1000,
		.currency = TD_SLICE("USD"),
		.anchor_day = app_period_anchor(real_ms() - ago_ms),
		.current_period_start = real_ms() - ago_ms - 28 * DAY,
		.current_period_end = real_ms() - ago_ms,
		.version = 1,
	};
	return &m->rows[i];
}

/* ---- running it
 * ---------------------------------------------------------------------------------------- */

static void report(void *ctx, const struct store_bad_row *row, const struct td_err *err)
{
	struct memory_store *m = ctx;
	atomic_fetch_add(row != NULL   ? &m->bad_reports
			 : err != NULL ? &m->reports
				       : &m->works_reports,
		1);
}

static struct sweeper *start_with(struct memory_store *m, unsigned round_ms, bool has_test_clock)
{
	const struct sweeper_config config = {
		.store = &m->store,
		.clock = &td_clock_system,
		.store_timeout_ms = 1000,
		.round_ms = round_ms,
		.has_test_clock = has_test_clock,
		.report = report,
		.ctx = m,
	};
	struct sweeper *sweeper = NULL;
	assert_int_equal(sweeper_create(&config, &sweeper, NULL), TD_OK);
	return sweeper;
}

static struct sweeper *start(struct memory_store *m)
{
	return start_with(m, 20, /* has_test_clock= */ false);
}

struct wish {
	struct sweeper *sweeper;
	uint64_t rolled, failures, deleted;
	int64_t last_after_ms; /* 0: whenever */
};

static bool is_granted(void *ctx)
{
	const struct wish *wish = ctx;
	struct sweeper_stats stats;
	sweeper_get_stats(wish->sweeper, &stats);
	return stats.rolled >= wish->rolled && stats.failures >= wish->failures &&
	       stats.deleted >= wish->deleted &&
	       (wish->last_after_ms == 0 || stats.last_ms > wish->last_after_ms);
}

static void wait_for(struct wish wish)
{
	if (!wait_until(is_granted, &wish, WAIT_MS)) {
		struct sweeper_stats stats;
		sweeper_get_stats(wish.sweeper, &stats);
		fail_msg("%llu rolled, %llu failures, %llu deleted",
			(unsigned long long)stats.rolled, (unsigned long long)stats.failures,
			(unsigned long long)stats.deleted);
	}
}

/* A whole round begins after this one, and works. */
static void wait_for_round(struct sweeper *sweeper)
{
	for (int i = 0; i < 2; i++) {
		struct sweeper_stats stats;
		sweeper_get_stats(sweeper, &stats);
		int64_t after = stats.last_ms > 0 ? stats.last_ms : 1;
		wait_for((struct wish){.sweeper = sweeper, .last_after_ms = after});
	}
}

static struct sweeper_stats stop(struct sweeper *sweeper)
{
	struct sweeper_stats stats;
	sweeper_get_stats(sweeper, &stats);
	sweeper_destroy(sweeper);
	return stats;
}

/* ---- tests
 * -----------------------------------------------------------------------------------------------
 */

/* What is due is rolled until it is not; what is not due is left alone. */
static void test_rolls_what_is_due(void **state)
{
	(void)state;
	struct memory_store *m = memory_make();
	for (int i = 0; i < 20; i++)
		(void)add_row(m, ROW_GOOD, DAY);
	(void)add_row(m, ROW_GOOD, -DAY);
	struct sweeper *sweeper = start(m);
	wait_for((struct wish){.sweeper = sweeper, .rolled = 20});
	wait_for_round(sweeper);
	struct sweeper_stats stats = stop(sweeper);
	assert_int_equal(stats.rolled, 20);
	assert_int_equal(stats.failures | stats.conflicts | stats.stuck, 0);
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(m->rows[i].version, 2);
		assert_true(m->rows[i].current_period_end > real_ms());
	}
	assert_int_equal(m->rows[20].version, 1);
	assert_int_equal(atomic_load(&m->reports), 0);
	td_free(m);
}

/* A pause of ten years: each period has its row of history, and no commit has too many of them. */
static void test_catches_up_in_bounded_writes(void **state)
{
	(void)state;
	struct memory_store *m = memory_make();
	for (int i = 0; i < 200; i++)
		(void)add_row(m, ROW_GOOD, 3653 * DAY);
	struct sweeper *sweeper = start(m);
	wait_for((struct wish){.sweeper = sweeper, .rolled = 400});
	(void)stop(sweeper);
	for (size_t i = 0; i < m->count; i++)
		assert_in_range(m->rows[i].version, 121, 122);
	assert_in_range(atomic_load(&m->most_rows), 64, 1024 + 64);
	td_free(m);
}

/* However many rows cannot be read, or written, or are taken by others: those behind them are
 * rolled in the same round, and each trouble is told once. */
static void test_stuck_rows_keep_nobody_waiting(void **state)
{
	(void)state;
	struct memory_store *m = memory_make();
	for (int i = 0; i < 400; i++) {
		(void)add_row(m, ROW_BAD, 3 * DAY);
		(void)add_row(m, ROW_FAILS, 3 * DAY);
		(void)add_row(m, ROW_CONFLICTS, 3 * DAY);
	}
	for (int i = 0; i < 10; i++)
		(void)add_row(m, ROW_GOOD, DAY);
	struct sweeper *sweeper = start(m);
	wait_for((struct wish){.sweeper = sweeper, .rolled = 10, .failures = 3});
	struct sweeper_stats stats = stop(sweeper);
	assert_int_equal(stats.rolled, 10);
	assert_int_equal(stats.stuck, 1200);
	assert_int_equal(atomic_load(&m->bad_reports), 400);
	assert_int_equal(atomic_load(&m->reports), 1);
	td_free(m);
}

/* One row's failure is told, and that it is over, too; meanwhile what has expired is deleted. */
static void test_a_failing_row_is_told_once_and_stops_nothing(void **state)
{
	(void)state;
	struct memory_store *m = memory_make();
	(void)add_row(m, ROW_FAILS, DAY);
	atomic_store(&m->expired, 5);
	struct sweeper *sweeper = start(m);
	wait_for((struct wish){.sweeper = sweeper, .failures = 4, .deleted = 5});
	assert_int_equal(atomic_load(&m->reports), 1);
	assert_int_equal(atomic_load(&m->works_reports), 0);
	atomic_store(&m->lease_is_others, true); /* so that its row is not touched */
	wait_for_round(sweeper);
	assert_int_equal(atomic_load(&m->works_reports), 1);
	(void)stop(sweeper);
	td_free(m);
}

/* Away, or full: one look a round, nothing said (the store does that), and on it goes afterwards.
 */
static void test_a_store_that_is_away_is_not_pestered(void **state)
{
	(void)state;
	static const enum td_status outcomes[] = {TD_UNAVAILABLE, TD_TIMEOUT, TD_BUSY};
	for (size_t i = 0; i < TD_ARRAY_LEN(outcomes); i++) {
		struct memory_store *m = memory_make();
		(void)add_row(m, ROW_GOOD, DAY);
		atomic_store(&m->refuses, (int)outcomes[i]);
		struct sweeper *sweeper = start(m);
		wait_for((struct wish){.sweeper = sweeper, .failures = 3});
		struct sweeper_stats stats;
		unsigned ops = atomic_load(&m->ops);
		sweeper_get_stats(sweeper, &stats);
		assert_true(ops <= stats.failures + 1);
		atomic_store(&m->refuses, (int)TD_OK);
		wait_for((struct wish){.sweeper = sweeper, .rolled = 1});
		(void)stop(sweeper);
		assert_int_equal(atomic_load(&m->reports) + atomic_load(&m->works_reports), 0);
		td_free(m);
	}
}

/* While another process has the lease nothing is written; when it is free, this one goes on. */
static void test_waits_while_another_has_the_lease(void **state)
{
	(void)state;
	struct memory_store *m = memory_make();
	(void)add_row(m, ROW_GOOD, DAY);
	atomic_store(&m->expired, 3);
	atomic_store(&m->lease_is_others, true);
	struct sweeper *sweeper = start(m);
	wait_for_round(sweeper);
	assert_int_equal(atomic_load(&m->changes), 0);
	assert_int_equal(atomic_load(&m->expired), 3);
	atomic_store(&m->lease_is_others, false);
	wait_for((struct wish){.sweeper = sweeper, .rolled = 1, .deleted = 3});
	(void)stop(sweeper);
	assert_int_equal(atomic_load(&m->reports), 0);
	td_free(m);
}

/* Its end is at once although a round lasts an hour, and leaves the lease to others. */
static void test_stops_at_once_and_gives_the_lease_back(void **state)
{
	(void)state;
	struct memory_store *m = memory_make();
	(void)add_row(m, ROW_GOOD, DAY);
	struct sweeper *sweeper = start_with(m, 3600000, /* has_test_clock= */ false);
	wait_for((struct wish){.sweeper = sweeper, .rolled = 1});
	assert_false(atomic_load(&m->lease_is_back));
	uint64_t begun = td_clock_mono_ns();
	(void)stop(sweeper);
	assert_true(td_clock_mono_ns() - begun < UINT64_C(2000000000));
	assert_true(atomic_load(&m->lease_is_back));
	td_free(m);
}

/* More than one operation deletes: it goes on until there is no more. */
static void test_deletes_all_that_has_expired(void **state)
{
	(void)state;
	struct memory_store *m = memory_make();
	atomic_store(&m->expired, 4321);
	struct sweeper *sweeper = start_with(m, 3600000, /* has_test_clock= */ false);
	wait_for((struct wish){.sweeper = sweeper, .deleted = 4321});
	(void)stop(sweeper);
	td_free(m);
}

/* With a test clock it is the store's time that counts; without, nobody asks for it. */
static void test_follows_the_clock_in_the_store(void **state)
{
	(void)state;
	struct memory_store *m = memory_make();
	(void)add_row(m, ROW_GOOD, -40 * DAY);
	m->offset_ms = 41 * DAY;
	struct sweeper *sweeper = start(m);
	wait_for_round(sweeper);
	assert_int_equal(atomic_load(&m->clock_gets) + atomic_load(&m->changes), 0);
	(void)stop(sweeper);
	sweeper = start_with(m, 20, /* has_test_clock= */ true);
	wait_for((struct wish){.sweeper = sweeper, .rolled = 1});
	(void)stop(sweeper);
	assert_true(m->rows[0].current_period_end > real_ms() + 41 * DAY);
	td_free(m);
}

/* Wherever memory ends, the round fails and a later one does what is due. */
static void test_goes_on_after_memory_was_short(void **state)
{
	(void)state;
	for (size_t n = 3; n < 40; n++) {
		struct memory_store *m = memory_make();
		(void)add_row(m, ROW_GOOD, 40 * DAY);
		fault_alloc_at(n);
		struct sweeper *sweeper = start_with(m, 1, /* has_test_clock= */ true);
		wait_for((struct wish){.sweeper = sweeper, .rolled = 1});
		sweeper_destroy(sweeper);
		(void)fault_alloc_end();
		assert_in_range(m->rows[0].version, 2, 3);
		td_free(m);
	}
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rolls_what_is_due),
		cmocka_unit_test(test_catches_up_in_bounded_writes),
		cmocka_unit_test(test_stuck_rows_keep_nobody_waiting),
		cmocka_unit_test(test_a_failing_row_is_told_once_and_stops_nothing),
		cmocka_unit_test(test_a_store_that_is_away_is_not_pestered),
		cmocka_unit_test(test_waits_while_another_has_the_lease),
		cmocka_unit_test(test_stops_at_once_and_gives_the_lease_back),
		cmocka_unit_test(test_deletes_all_that_has_expired),
		cmocka_unit_test(test_follows_the_clock_in_the_store),
		cmocka_unit_test(test_goes_on_after_memory_was_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
