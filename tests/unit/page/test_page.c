#include "td_test.h"

#include "http/http.h"
#include "page/page_internal.h"
#include "temp_dir.h"
#include "wait_until.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS  40
#define READERS 3

static struct catalogue_snapshot *snapshot_of(const char *name)
{
	struct td_err err = TD_ERR_INIT;
	struct catalogue_snapshot *snapshot = NULL;
	struct store_package row = {.id = TD_SLICE("0190a000-0000-7000-8000-000000000001"),
		.slug = TD_SLICE("one"),
		.name = td_slice_str(name),
		.description = TD_SLICE(""),
		.currency = TD_SLICE("USD"),
		.is_active = true};
	const struct store_catalogue rows = {.packages = &row, .package_count = 1};
	assert_int_equal(catalogue_snapshot_create(&rows, &snapshot, &err), TD_OK);
	return snapshot;
}

static bool shows(struct page *page, const char *part)
{
	struct page_view *view = page_view_acquire(page);
	struct td_slice body = {NULL, 0};
	if (view->pricing[0][PAGE_MONTHLY] != NULL)
		body = http_prepared_body(view->pricing[0][PAGE_MONTHLY]);
	bool found = body.ptr != NULL && memmem(body.ptr, body.len, part, strlen(part)) != NULL;
	page_view_unref(view);
	return found;
}

static struct page *create(const struct page_config *config)
{
	struct td_err err = TD_ERR_INIT;
	struct page *page = NULL;
	if (page_create(config, &page, &err) != TD_OK)
		fail_msg("%s", err.text);
	return page;
}

/* Before the first snapshot there is no pricing page; then each snapshot's. */
static void test_page_follows_the_snapshot(void **state)
{
	(void)state;
	const struct page_config config = {.clock = &td_clock_system};
	struct page *page = create(&config);
	struct page_view *first = page_view_acquire(page);
	assert_null(first->pricing[0][PAGE_MONTHLY]);
	page_view_unref(first);
	struct catalogue_snapshot *one = snapshot_of("Alpha"), *two = snapshot_of("Beta");
	page_catalogue_changed(page, one);
	assert_true(shows(page, "Continue with Alpha"));
	page_catalogue_changed(page, two);
	assert_true(shows(page, "Continue with Beta"));
	assert_false(shows(page, "Alpha"));
	catalogue_snapshot_unref(one);
	catalogue_snapshot_unref(two);
	page_destroy(page);
}

struct race {
	struct page *page;
	atomic_bool stop;
	atomic_uint torn;
};

static void read_all_the_time(void *ctx)
{
	struct race *race = ctx;
	while (!atomic_load(&race->stop)) {
		struct page_view *view = page_view_acquire(race->page);
		struct td_slice body = http_prepared_body(view->pricing[1][PAGE_YEARLY]);
		bool alpha = memmem(body.ptr, body.len, "Alpha", 5) != NULL;
		bool beta = memmem(body.ptr, body.len, "Beta", 4) != NULL;
		if (alpha == beta)
			atomic_fetch_add(&race->torn, 1);
		page_view_unref(view);
	}
}

/* Readers beside swaps always hold one whole page (TSan watches). */
static void test_page_swaps_beside_readers(void **state)
{
	(void)state;
	const struct page_config config = {.clock = &td_clock_system};
	struct td_err err = TD_ERR_INIT;
	struct race race = {.page = create(&config)};
	struct catalogue_snapshot *both[] = {snapshot_of("Alpha"), snapshot_of("Beta")};
	struct td_thread readers[READERS];
	page_catalogue_changed(race.page, both[0]);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(
			td_thread_start(&readers[i], "reader", read_all_the_time, &race, &err),
			TD_OK);
	for (int i = 0; i < ROUNDS; i++)
		page_catalogue_changed(race.page, both[i % 2]);
	atomic_store(&race.stop, true);
	for (int i = 0; i < READERS; i++)
		td_thread_join(&readers[i]);
	assert_int_equal(atomic_load(&race.torn), 0);
	page_destroy(race.page);
	catalogue_snapshot_unref(both[0]);
	catalogue_snapshot_unref(both[1]);
}

struct reports {
	struct td_lock lock;
	unsigned count;
	char last[512];
};

static void note(void *ctx, const char *message)
{
	struct reports *reports = ctx;
	td_lock_take(&reports->lock);
	reports->count++;
	(void)snprintf(reports->last, sizeof(reports->last), "%s", message);
	td_lock_give(&reports->lock);
}

static unsigned count_reports(struct reports *reports)
{
	td_lock_take(&reports->lock);
	unsigned count = reports->count;
	td_lock_give(&reports->lock);
	return count;
}

struct watched {
	struct page *page;
	struct reports reports;
};

static bool is_changed(void *ctx)
{
	return shows(((struct watched *)ctx)->page, "CHANGED");
}

static bool is_changed_again(void *ctx)
{
	return shows(((struct watched *)ctx)->page, "AGAIN");
}

static bool is_reported(void *ctx)
{
	return count_reports(&((struct watched *)ctx)->reports) > 0;
}

/* A template that changes on disk shows; a broken one is said once, and the last good one stays. */
static void test_page_reads_changed_templates(void **state)
{
	(void)state;
	struct temp_dir dir;
	struct watched w = {.reports = {.count = 0}};
	td_lock_init(&w.reports.lock);
	temp_dir_make(&dir);
	const struct page_config config = {.clock = &td_clock_system,
		.templates_dir = dir.path,
		.report = note,
		.report_ctx = &w.reports};
	struct catalogue_snapshot *snapshot = snapshot_of("Alpha");
	w.page = create(&config);
	page_catalogue_changed(w.page, snapshot);
	assert_true(shows(w.page, "Alpha"));
	temp_dir_write_text(&dir, "pricing.html", "CHANGED {{#packages}}{{name}}{{/packages}}");
	assert_true(wait_until(is_changed, &w, 10000));
	assert_true(shows(w.page, "CHANGED Alpha"));
	temp_dir_write_text(&dir, "pricing.html", "line\n {{#packages}}");
	assert_true(wait_until(is_reported, &w, 10000));
	assert_true(shows(w.page, "CHANGED Alpha"));
	temp_dir_write_text(&dir, "pricing.html", "AGAIN, and longer");
	assert_true(wait_until(is_changed_again, &w, 10000));
	assert_int_equal(count_reports(&w.reports), 1);
	assert_string_equal(w.reports.last,
		"the last good pages stay in use: pricing:2:2: this section is never closed: "
		"\"packages\"");
	page_destroy(w.page);
	catalogue_snapshot_unref(snapshot);
	td_lock_done(&w.reports.lock);
	temp_dir_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page_follows_the_snapshot),
		cmocka_unit_test(test_page_swaps_beside_readers),
		cmocka_unit_test(test_page_reads_changed_templates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
