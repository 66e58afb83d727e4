#include "td_test.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "catalogue/refresh.h"
#include "work/lock.h"

#include <stdatomic.h>
#include <string.h>

#define S(text) TD_SLICE(text)

/* A store that fails, hangs or answers at once, as the test says: the real ones cannot be made to
 * do so at a moment of one's choice. */
struct fake {
	struct store store;
	store_changed_fn *changed;
	void *changed_ctx;

	struct td_lock lock;
	struct td_cond told;
	/* Guarded by lock. */
	enum td_status next;   /* what submit answers */
	bool hangs;            /* the next operation is kept */
	struct store_op *kept; /* done and release are still to be called */
	int64_t price;
	bool has_bad_row;
	size_t reads, changes, failures, recoveries, bad_rows;
};

static void answer(struct store_op *op, int64_t price, bool has_bad_row)
{
	struct store_package *row = td_arena_alloc(&op->arena, sizeof(*row));
	*row = (struct store_package){.id = S("id"),
		.slug = S("a"),
		.name = S("A"),
		.description = S(""),
		.currency = S("USD"),
		.price_monthly = price,
		.is_active = true};
	op->out.catalogue = (struct store_catalogue){.packages = row, .package_count = 1};
	if (has_bad_row) {
		op->out.bad_rows = td_arena_alloc(&op->arena, sizeof(struct store_bad_row));
		op->out.bad_rows[0] = (struct store_bad_row){.table = S("subscription_packages"),
			.key = S("b"),
			.why = S("a price below 0")};
		op->out.bad_row_count = 1;
	}
}

static enum td_status fake_submit(struct store *store, struct store_op *op)
{
	struct fake *fake = (struct fake *)store;
	assert_int_equal(op->kind, STORE_CATALOGUE_READ);
	td_lock_take(&fake->lock);
	enum td_status status = fake->next;
	bool hangs = fake->hangs && status == TD_OK;
	fake->reads++;
	if (hangs)
		fake->kept = op;
	else if (status == TD_OK)
		answer(op, fake->price, fake->has_bad_row);
	td_cond_wake_all(&fake->told);
	td_lock_give(&fake->lock);
	if (status == TD_OK && !hangs) {
		op->done(op, TD_OK);
		op->release(op);
	}
	return status;
}

static void fake_set_changed(struct store *store, store_changed_fn *fn, void *ctx)
{
	struct fake *fake = (struct fake *)store;
	fake->changed = fn;
	fake->changed_ctx = ctx;
}

static const struct store_class fake_class = {
	.submit = fake_submit, .set_changed = fake_set_changed};

static void note_changed(void *ctx, struct catalogue_snapshot *snapshot)
{
	struct fake *fake = ctx;
	(void)snapshot;
	td_lock_take(&fake->lock);
	fake->changes++;
	td_cond_wake_all(&fake->told);
	td_lock_give(&fake->lock);
}

static void note_report(void *ctx, const struct store_bad_row *row, const struct td_err *err)
{
	struct fake *fake = ctx;
	td_lock_take(&fake->lock);
	if (row != NULL)
		fake->bad_rows++;
	else if (err != NULL)
		fake->failures++;
	else
		fake->recoveries++;
	td_cond_wake_all(&fake->told);
	td_lock_give(&fake->lock);
}

struct stage {
	struct fake fake;
	struct catalogue_holder *holder;
	struct catalogue_refresher *refresher;
};

static void begin(struct stage *s, unsigned refresh_ms)
{
	memset(s, 0, sizeof(*s));
	s->fake.store = (struct store){&fake_class, &td_clock_system};
	td_lock_init(&s->fake.lock);
	td_cond_init(&s->fake.told);
	s->fake.price = 100;
	s->holder = catalogue_holder_create();
	struct catalogue_refresher_config config = {.store = &s->fake.store,
		.holder = s->holder,
		.clock = &td_clock_system,
		.source = "fake",
		.refresh_ms = refresh_ms,
		.store_timeout_ms = 1000,
		.report = note_report,
		.report_ctx = &s->fake};
	assert_int_equal(catalogue_refresher_create(&config, &s->refresher, NULL), TD_OK);
	catalogue_refresher_observe(s->refresher, note_changed, &s->fake);
}

static void start(struct stage *s)
{
	assert_int_equal(catalogue_refresher_start(s->refresher, NULL), TD_OK);
}

static void end(struct stage *s)
{
	catalogue_refresher_stop(s->refresher);
	if (s->fake.kept != NULL) {
		s->fake.kept->done(s->fake.kept, TD_STOPPING);
		s->fake.kept->release(s->fake.kept);
	}
	catalogue_refresher_destroy(s->refresher);
	catalogue_holder_destroy(s->holder);
	td_cond_done(&s->fake.told);
	td_lock_done(&s->fake.lock);
}

/* Waits until the counter reaches the number; fails after 10 s. */
static void await(struct stage *s, const size_t *counter, size_t number)
{
	uint64_t deadline = td_clock_mono_ns() + UINT64_C(10000000000);
	bool in_time = true;
	td_lock_take(&s->fake.lock);
	while (*counter < number && in_time)
		in_time = td_cond_wait_until(&s->fake.told, &s->fake.lock, deadline);
	td_lock_give(&s->fake.lock);
	assert_true(in_time);
}

static void set_price(struct stage *s, int64_t price)
{
	td_lock_take(&s->fake.lock);
	s->fake.price = price;
	td_lock_give(&s->fake.lock);
}

static int64_t served_price(struct stage *s)
{
	struct catalogue_snapshot *snapshot = catalogue_holder_acquire(s->holder);
	assert_non_null(snapshot);
	int64_t price = catalogue_snapshot_find(snapshot, S("a"))->row.price_monthly;
	catalogue_snapshot_unref(snapshot);
	return price;
}

/* It reads at once, and again when the store says so; observers hear of it only when the content
 * differs. */
static void test_refresh_swaps_only_what_differs(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 60000);
	start(&s);
	await(&s, &s.fake.changes, 1);
	s.fake.changed(s.fake.changed_ctx);
	await(&s, &s.fake.reads, 2);
	set_price(&s, 200);
	s.fake.changed(s.fake.changed_ctx);
	await(&s, &s.fake.changes, 2);
	catalogue_refresher_stop(s.refresher);
	assert_int_equal(served_price(&s), 200);
	struct catalogue_state now;
	catalogue_refresher_get_state(s.refresher, &now);
	assert_int_equal(now.swaps, 2);
	assert_true(now.has_snapshot);
	assert_false(now.degraded);
	assert_int_equal(now.packages, 1);
	end(&s);
}

/* Without any word of the store it looks again within the period. */
static void test_refresh_reads_within_the_period(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 50);
	start(&s);
	await(&s, &s.fake.changes, 1);
	set_price(&s, 300);
	await(&s, &s.fake.changes, 2);
	end(&s);
}

/* While reading fails the last good one is served, the failure is told once, and so is its end. */
static void test_refresh_keeps_the_last_good_one(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 20);
	start(&s);
	await(&s, &s.fake.changes, 1);
	td_lock_take(&s.fake.lock);
	s.fake.next = TD_UNAVAILABLE;
	size_t reads = s.fake.reads;
	td_lock_give(&s.fake.lock);
	await(&s, &s.fake.reads, reads + 5);
	assert_int_equal(served_price(&s), 100);
	struct catalogue_state now;
	catalogue_refresher_get_state(s.refresher, &now);
	assert_true(now.degraded);
	assert_int_equal(now.last_error.code, TD_UNAVAILABLE);
	td_lock_take(&s.fake.lock);
	s.fake.next = TD_OK;
	td_lock_give(&s.fake.lock);
	await(&s, &s.fake.recoveries, 1);
	catalogue_refresher_stop(s.refresher);
	assert_int_equal(s.fake.failures, 1);
	assert_int_equal(s.fake.changes, 1);
	end(&s);
}

/* A bad row is told once, however often it is read, and again when it was right in between. */
static void test_refresh_tells_a_bad_row_once(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 20);
	s.fake.has_bad_row = true;
	start(&s);
	await(&s, &s.fake.reads, 4);
	td_lock_take(&s.fake.lock);
	assert_int_equal(s.fake.bad_rows, 1);
	s.fake.has_bad_row = false;
	size_t reads = s.fake.reads;
	td_lock_give(&s.fake.lock);
	await(&s, &s.fake.reads, reads + 2);
	td_lock_take(&s.fake.lock);
	s.fake.has_bad_row = true;
	td_lock_give(&s.fake.lock);
	await(&s, &s.fake.bad_rows, 2);
	end(&s);
}

/* A store that hangs is not waited for by the stop, and the operation is freed when it lets go. */
static void test_refresh_stop_gives_up_a_hanging_read(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 60000);
	s.fake.hangs = true;
	start(&s);
	await(&s, &s.fake.reads, 1);
	catalogue_refresher_stop(s.refresher);
	assert_null(catalogue_holder_acquire(s.holder));
	end(&s);
}

/* A read that passed its deadline is a failure at once, though the store still holds it. */
static void test_refresh_timeout_goes_on_without_the_operation(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 50);
	s.fake.hangs = true;
	start(&s);
	await(&s, &s.fake.reads, 1);
	td_lock_take(&s.fake.lock);
	struct store_op *late = s.fake.kept;
	s.fake.kept = NULL;
	s.fake.hangs = false;
	td_lock_give(&s.fake.lock);
	late->done(late, TD_TIMEOUT);
	await(&s, &s.fake.failures, 1);
	await(&s, &s.fake.changes, 1);
	late->release(late);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refresh_swaps_only_what_differs),
		cmocka_unit_test(test_refresh_reads_within_the_period),
		cmocka_unit_test(test_refresh_keeps_the_last_good_one),
		cmocka_unit_test(test_refresh_tells_a_bad_row_once),
		cmocka_unit_test(test_refresh_stop_gives_up_a_hanging_read),
		cmocka_unit_test(test_refresh_timeout_goes_on_without_the_operation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
