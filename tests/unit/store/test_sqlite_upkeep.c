/* What a store does by itself: deleting kept answers that have expired, noticing that its file is
 * gone, opening only what is up to date. */
#include "sqlite_fixture.h"

#include <stdatomic.h>
#include <time.h>

/* The system's clock, and a leap that the test sets. */
static _Atomic int64_t leap_ms;

static int64_t leaping_wall(void *ctx)
{
	(void)ctx;
	return td_clock_wall_ms(&td_clock_system) + atomic_load(&leap_ms);
}

static uint64_t leaping_mono(void *ctx)
{
	(void)ctx;
	return td_clock_mono_ms(&td_clock_system) + (uint64_t)atomic_load(&leap_ms);
}

static const struct td_clock leaping = {leaping_wall, leaping_mono, NULL};

static struct store_op *leaping_op(enum store_op_kind kind)
{
	struct store_op *op = store_op_new(kind);
	assert_non_null(op);
	op->now_ms = td_clock_wall_ms(&leaping);
	op->deadline_ms = td_clock_mono_ms(&leaping) + 10000;
	return op;
}

static struct store_op *create_kept(const char *id, int64_t keep_ms)
{
	struct store_op *op = leaping_op(STORE_USER_CREATE);
	op->in.user.id = td_slice_str(id);
	op->in.user.email = td_slice_str(id);
	op->in.user.first_name = op->in.user.last_name = TD_SLICE("x");
	op->idempotency = td_arena_alloc(&op->arena, sizeof(*op->idempotency));
	assert_non_null(op->idempotency);
	op->idempotency->caller = op->idempotency->route = TD_SLICE("r");
	op->idempotency->key = td_slice_str(id);
	op->idempotency->expires_at = op->now_ms + keep_ms;
	op->idempotency->on_ok = (struct store_answer){201, TD_SLICE("{}"), {NULL, 0}};
	return op;
}

static int64_t count_rows(const struct fixture *f, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 5000);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	int64_t count = sqlite3_column_int64(stmt, 0);
	assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return count;
}

/* Answers that have expired go, the others stay. */
static void test_upkeep_expired_answers_are_swept(void **state)
{
	(void)state;
	struct fixture f;
	fixture_make(&f);
	struct store_sqlite_config config = fixture_config(&f);
	struct store *store = NULL;
	config.clock = &leaping;
	assert_int_equal(store_sqlite_open(&config, &store, NULL), TD_OK);
	struct store_op *op = create_kept("a@b", 1000);
	assert_int_equal(store_call(store, &op, NULL), TD_OK);
	store_op_free(op);
	op = create_kept("c@d", 1000000);
	assert_int_equal(store_call(store, &op, NULL), TD_OK);
	store_op_free(op);
	assert_int_equal(count_rows(&f, "SELECT count(*) FROM idempotency"), 2);
	atomic_store(&leap_ms, 61000);
	uint64_t until = td_clock_mono_ms(&td_clock_system) + 5000;
	while (count_rows(&f, "SELECT count(*) FROM idempotency") != 1) {
		struct timespec pause = {0, 10000000};
		assert_true(td_clock_mono_ms(&td_clock_system) < until);
		(void)nanosleep(&pause, NULL);
	}
	assert_int_equal(count_rows(&f, "SELECT key = 'c@d' FROM idempotency"), 1);
	store_destroy(store);
	fixture_remove(&f);
}

static enum td_status put_user(struct store *store, const char *id, struct td_err *err)
{
	struct store_op *op = fixture_op(STORE_USER_PUT);
	op->in.user.id = op->in.user.email = td_slice_str(id);
	op->in.user.first_name = op->in.user.last_name = TD_SLICE("x");
	enum td_status status = store_call(store, &op, err);
	store_op_free(op);
	return status;
}

/* A write into a file that has no name any more would be lost: it is refused. */
static void test_upkeep_moved_file_is_not_written(void **state)
{
	(void)state;
	struct fixture f;
	char aside[160];
	struct td_err err = TD_ERR_INIT;
	fixture_make(&f);
	struct store *store = fixture_open(&f);
	assert_int_equal(put_user(store, "a@b", &err), TD_OK);
	(void)snprintf(aside, sizeof(aside), "%s.aside", f.path);
	assert_int_equal(rename(f.path, aside), 0);
	assert_int_equal(put_user(store, "c@d", &err), TD_UNAVAILABLE);
	assert_non_null(strstr(err.text, "moved or deleted"));
	assert_int_equal(rename(aside, f.path), 0);
	assert_int_equal(put_user(store, "c@d", &err), TD_OK);
	store_destroy(store);
	assert_int_equal(count_rows(&f, "SELECT count(*) FROM users"), 2);
	fixture_remove(&f);
}

/* Who does not migrate gets an error that says who does; the plan shows what is to be done. */
static void test_upkeep_pending_migrations_are_refused_unless_asked_for(void **state)
{
	(void)state;
	struct fixture f;
	struct td_err err = TD_ERR_INIT;
	struct td_arena arena = TD_ARENA_INIT;
	struct migrate_plan plan;
	struct store *store = NULL;
	fixture_make(&f);
	struct store_sqlite_config config = fixture_config(&f);
	assert_int_equal(store_sqlite_plan(&config, &arena, &plan, &err), TD_OK);
	assert_int_equal(plan.pending, plan.count);
	assert_int_not_equal(access(f.path, F_OK), 0);
	assert_int_equal(store_sqlite_migrate(&config, &err), TD_OK);
	fixture_exec(&f,
		"DELETE FROM schema_migrations WHERE version ="
		" (SELECT max(version) FROM schema_migrations)",
		false);
	assert_int_equal(store_sqlite_plan(&config, &arena, &plan, &err), TD_OK);
	assert_int_equal(plan.pending, 1);
	config.migrate = false;
	assert_int_equal(store_sqlite_open(&config, &store, &err), TD_SCHEMA);
	assert_non_null(strstr(err.text, "tools-dashboard migrate"));
	assert_string_equal(err.check, "sqlite.migrations");
	td_arena_done(&arena);
	fixture_remove(&f);
}

/* Ours is marked as ours, from the first commit on. */
static void test_upkeep_file_is_marked_as_ours(void **state)
{
	(void)state;
	struct fixture f;
	fixture_make(&f);
	store_destroy(fixture_open(&f));
	assert_int_equal(count_rows(&f, "PRAGMA application_id"), STORE_SQLITE_APPLICATION_ID);
	fixture_remove(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_upkeep_expired_answers_are_swept),
		cmocka_unit_test(test_upkeep_moved_file_is_not_written),
		cmocka_unit_test(test_upkeep_pending_migrations_are_refused_unless_asked_for),
		cmocka_unit_test(test_upkeep_file_is_marked_as_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
