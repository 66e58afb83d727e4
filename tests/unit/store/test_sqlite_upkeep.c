/* What a store does by itself: noticing that its file is gone, opening only what is up to date. */
#include "sqlite_fixture.h"

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
		cmocka_unit_test(test_upkeep_moved_file_is_not_written),
		cmocka_unit_test(test_upkeep_pending_migrations_are_refused_unless_asked_for),
		cmocka_unit_test(test_upkeep_file_is_marked_as_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
