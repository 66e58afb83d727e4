#include "td_test.h"

#include "base/buf.h"
#include "migrate/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct migrate_file parse_ok(struct td_arena *arena, const char *name, struct td_slice bytes)
{
	struct migrate_file file;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(
		migrate_file_parse(td_slice_str(name), bytes, SQL_SQLITE, arena, &file, &err),
		TD_OK);
	return file;
}

static void parse_refused(const char *name, struct td_slice bytes, const char *words)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct migrate_file file;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(
		migrate_file_parse(td_slice_str(name), bytes, SQL_SQLITE, &arena, &file, &err),
		TD_INVALID);
	assert_non_null(strstr(err.text, name));
	if (strstr(err.text, words) == NULL)
		fail_msg("%s: not in \"%s\"", words, err.text);
	td_arena_done(&arena);
}

/* A byte-order mark and CR LF do not change the hash; any other byte does. */
static void test_file_mark_and_crlf_keep_the_hash(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	struct migrate_file a = parse_ok(&arena, "001_a.sql", TD_SLICE("A;\nB;\n"));
	struct migrate_file b = parse_ok(&arena, "001_a.sql",
		TD_SLICE("\xEF\xBB\xBF"
			 "A;\r\nB;\r\n"));
	struct migrate_file c = parse_ok(&arena, "001_a.sql", TD_SLICE("A;\nB; \n"));
	assert_memory_equal(a.hash, b.hash, TD_SHA256_SIZE);
	assert_memory_not_equal(a.hash, c.hash, TD_SHA256_SIZE);
	assert_int_equal(b.statement_count, 2);
	td_arena_done(&arena);
}

/* A file that holds nothing to run is a migration like any other. */
static void test_file_empty_or_comments_only_is_fine(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	assert_int_equal(parse_ok(&arena, "001_a.sql", TD_SLICE("")).statement_count, 0);
	assert_int_equal(
		parse_ok(&arena, "001_a.sql", TD_SLICE("\xEF\xBB\xBF")).statement_count, 0);
	assert_int_equal(
		parse_ok(&arena, "002_b.sql", TD_SLICE("-- x;\n/* y */")).statement_count, 0);
	assert_true(parse_ok(&arena, "003_c.sql", TD_SLICE(" -- migrate: no-transaction\nVACUUM"))
			    .no_transaction);
	assert_int_equal(parse_ok(&arena, "1000_d.sql", TD_SLICE("")).number, 1000);
	td_arena_done(&arena);
}

/* What must not be run is refused by the file's name, and by line where there is one. */
static void test_file_unfit_bytes_are_refused_by_name(void **state)
{
	(void)state;
	parse_refused("001_a.sql", TD_SLICE("A;\n\0"), "line 2 holds a NUL");
	parse_refused("001_a.sql", TD_SLICE("A;\n\xC3("), "line 2 is not UTF-8");
	parse_refused("001_a.sql",
		TD_SLICE("\xFF\xFE"
			 "A\0"),
		"UTF-16");
	parse_refused("001_a.sql", TD_SLICE("\xFE\xFF\0A"), "UTF-16");
	parse_refused("001_a.sql", TD_SLICE("A;\n\nbegin;"), "line 3: begin");
	parse_refused("001_a.sql", TD_SLICE("A; COMMIT"), "COMMIT");
	parse_refused("001_a.sql", TD_SLICE("ROLLBACK TO x"), "ROLLBACK");
	parse_refused("001_a.sql", TD_SLICE("A '"), "line 1: a string");
	static const char *const names[] = {"a.sql", "01_a.sql", "000_a.sql", "001.sql", "001_.sql",
		"001a.sql", "001_a b.sql", "0000000001_a.sql", "001_a.txt", "x/001_a.sql"};
	for (size_t i = 0; i < TD_ARRAY_LEN(names); i++)
		parse_refused(names[i], TD_SLICE(""), "the name must be like");
}

/* ---- a folder */

struct folder {
	char path[64];
};

static void write_file(const struct folder *f, const char *name, const char *text)
{
	char path[256];
	(void)snprintf(path, sizeof(path), "%s/sqlite/%s", f->path, name);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static void folder_make(struct folder *f)
{
	char path[128];
	(void)snprintf(f->path, sizeof(f->path), "/tmp/td-migrate-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	(void)snprintf(path, sizeof(path), "%s/sqlite", f->path);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void folder_remove(const struct folder *f, const char *const *names, size_t count)
{
	char path[256];
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(path, sizeof(path), "%s/sqlite/%s", f->path, names[i]);
		assert_int_equal(unlink(path), 0);
	}
	(void)snprintf(path, sizeof(path), "%s/sqlite", f->path);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(f->path), 0);
}

/* Ordered by number, not by name; gaps and files of other kinds are fine. */
static void test_load_orders_by_number(void **state)
{
	(void)state;
	static const char *const names[] = {"1000_c.sql", "999_b.sql", "001_a.sql", "notes.txt"};
	struct folder f;
	folder_make(&f);
	for (size_t i = 0; i < TD_ARRAY_LEN(names); i++)
		write_file(&f, names[i], "A");
	struct td_arena arena = TD_ARENA_INIT;
	struct migrate_set set;
	assert_int_equal(migrate_load(f.path, "sqlite/", SQL_SQLITE, &arena, &set, NULL), TD_OK);
	assert_int_equal(set.count, 3);
	assert_true(td_slice_is(set.files[0].name, "001_a.sql"));
	assert_true(td_slice_is(set.files[1].name, "999_b.sql"));
	assert_true(td_slice_is(set.files[2].name, "1000_c.sql"));
	td_arena_done(&arena);
	folder_remove(&f, names, TD_ARRAY_LEN(names));
}

static void test_load_same_number_is_refused_by_names(void **state)
{
	(void)state;
	static const char *const names[] = {"001_a.sql", "0001_b.sql"};
	struct folder f;
	folder_make(&f);
	write_file(&f, names[0], "A");
	write_file(&f, names[1], "B");
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	struct migrate_set set;
	assert_int_equal(
		migrate_load(f.path, "sqlite/", SQL_SQLITE, &arena, &set, &err), TD_INVALID);
	assert_non_null(strstr(err.text, "001_a.sql"));
	assert_non_null(strstr(err.text, "0001_b.sql"));
	td_arena_done(&arena);
	folder_remove(&f, names, TD_ARRAY_LEN(names));
}

static void test_load_without_files_is_refused(void **state)
{
	(void)state;
	struct folder f;
	folder_make(&f);
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	struct migrate_set set;
	assert_int_equal(
		migrate_load(f.path, "sqlite/", SQL_SQLITE, &arena, &set, &err), TD_SCHEMA);
	assert_non_null(strstr(err.text, "SCHEMA_DIR"));
	td_arena_done(&arena);
	folder_remove(&f, NULL, 0);
}

/* The compiled-in files are themselves fit. */
static void test_load_compiled_in_files_are_fit(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	struct migrate_set set;
	if (migrate_load(NULL, "sqlite/", SQL_SQLITE, &arena, &set, &err) != TD_OK)
		fail_msg("%s", err.text);
	assert_true(set.count >= 4);
	td_arena_done(&arena);
}

/* ---- protocol, against a database of memory */

#define MOST 8

struct fake {
	struct td_arena arena;
	struct migrate_file files[MOST];
	struct migrate_set set;
	struct migrate_applied applied[MOST];
	size_t applied_count;
	bool locked;
	int busy_tries, pauses_left;
	int fail_at;     /* apply of this number fails */
	int conflict_at; /* apply of this number finds that another process did it */
	struct td_buf log;
};

static void add_file(struct fake *f, const char *name, const char *text)
{
	f->files[f->set.count++] = parse_ok(&f->arena, name, td_slice_str(text));
	f->set.files = f->files;
}

static void record(struct fake *f, const struct migrate_file *file)
{
	struct migrate_applied *a = &f->applied[f->applied_count++];
	*a = (struct migrate_applied){.number = file->number, .name = file->name, .applied_at = 1};
	memcpy(a->hash, file->hash, TD_SHA256_SIZE);
}

static enum td_status fake_try_lock(void *ctx, struct td_err *err)
{
	struct fake *f = ctx;
	assert_false(f->locked);
	if (f->busy_tries > 0) {
		f->busy_tries--;
		return td_err_set(err, TD_BUSY, "pid 7");
	}
	f->locked = true;
	return TD_OK;
}

static bool fake_pause(void *ctx)
{
	struct fake *f = ctx;
	return f->pauses_left-- > 0;
}

static void fake_unlock(void *ctx)
{
	struct fake *f = ctx;
	assert_true(f->locked);
	f->locked = false;
}

static enum td_status fake_read(void *ctx, struct td_arena *arena,
	struct migrate_applied **ret_applied, size_t *ret_count, struct td_err *err)
{
	struct fake *f = ctx;
	(void)arena;
	(void)err;
	assert_true(f->locked);
	*ret_applied = f->applied;
	*ret_count = f->applied_count;
	return TD_OK;
}

static enum td_status fake_apply(void *ctx, const struct migrate_file *file, struct td_err *err)
{
	struct fake *f = ctx;
	assert_true(f->locked);
	if ((int)file->number == f->conflict_at) {
		f->conflict_at = 0;
		record(f, file);
		return TD_CONFLICT;
	}
	if ((int)file->number == f->fail_at)
		return td_err_set(err, TD_IO, "no such table");
	record(f, file);
	return TD_OK;
}

static void fake_observe(void *ctx, const struct migrate_event *event)
{
	struct fake *f = ctx;
	char text[MIGRATE_EVENT_TEXT_SIZE];
	migrate_event_text(event, text);
	td_buf_put_str(&f->log, text);
	td_buf_put_char(&f->log, '\n');
}

static enum td_status fake_run(struct fake *f, enum migrate_newer newer, struct td_err *err)
{
	struct migrate_config config = {&f->set, SQL_SQLITE, newer, {fake_observe, f}};
	struct migrate_port port = {
		f, fake_try_lock, fake_pause, fake_unlock, fake_read, fake_apply};
	td_buf_reset(&f->log);
	enum td_status status = migrate_run(&config, &port, err);
	assert_false(f->locked);
	return status;
}

static int fake_setup(void **state)
{
	static struct fake fake;
	fake = (struct fake){.locked = false};
	add_file(&fake, "001_a.sql", "A");
	add_file(&fake, "002_b.sql", "B");
	*state = &fake;
	return 0;
}

static int fake_teardown(void **state)
{
	struct fake *f = *state;
	td_buf_done(&f->log);
	td_arena_done(&f->arena);
	return 0;
}

/* The lines that people and scripts wait for, word for word. */
static void test_run_tells_the_lines_of_the_contract(void **state)
{
	struct fake *f = *state;
	assert_int_equal(fake_run(f, MIGRATE_NEWER_REFUSED, NULL), TD_OK);
	assert_string_equal(td_buf_cstr(&f->log), "Running 2 migration files...\n"
						  "Executing migration: 001_a.sql\n"
						  "Migration 001_a.sql completed successfully\n"
						  "Executing migration: 002_b.sql\n"
						  "Migration 002_b.sql completed successfully\n");
	assert_int_equal(fake_run(f, MIGRATE_NEWER_REFUSED, NULL), TD_OK);
	assert_string_equal(td_buf_cstr(&f->log), "Schema is up to date (2 migrations)\n");
	assert_int_equal(f->applied_count, 2);
}

/* A failed file is named; those before it stay, and the next run goes on from there. */
static void test_run_goes_on_after_a_failed_file(void **state)
{
	struct fake *f = *state;
	struct td_err err = TD_ERR_INIT;
	f->fail_at = 2;
	assert_int_equal(fake_run(f, MIGRATE_NEWER_REFUSED, &err), TD_IO);
	assert_string_equal(err.text, "migration 002_b.sql: no such table");
	f->fail_at = 0;
	assert_int_equal(fake_run(f, MIGRATE_NEWER_REFUSED, NULL), TD_OK);
	assert_int_equal(f->applied_count, 2);
}

static void check_refused(struct fake *f, const char *words)
{
	struct td_err err = TD_ERR_INIT;
	size_t before = f->applied_count;
	assert_int_equal(fake_run(f, MIGRATE_NEWER_REFUSED, &err), TD_SCHEMA);
	assert_int_equal(f->applied_count, before);
	if (strstr(err.text, words) == NULL)
		fail_msg("%s: not in \"%s\"", words, err.text);
}

static void test_run_refuses_an_edited_file_by_name(void **state)
{
	struct fake *f = *state;
	record(f, &f->files[0]);
	f->applied[0].hash[31] ^= 1;
	check_refused(f, "001_a.sql was edited");
}

static void test_run_refuses_a_missing_file_by_name(void **state)
{
	struct fake *f = *state;
	record(f, &f->files[0]);
	f->set.files = &f->files[1];
	f->set.count = 1;
	check_refused(f, "001_a.sql was applied, but its file is missing");
}

static void test_run_refuses_a_renamed_file_by_name(void **state)
{
	struct fake *f = *state;
	record(f, &f->files[0]);
	f->applied[0].name = TD_SLICE("001_old.sql");
	check_refused(f, "001_old.sql");
}

static void test_run_refuses_a_late_file_by_name(void **state)
{
	struct fake *f = *state;
	record(f, &f->files[1]);
	check_refused(f, "001_a.sql is new");
}

static void test_run_refuses_an_unfinished_file_by_name(void **state)
{
	struct fake *f = *state;
	record(f, &f->files[0]);
	f->applied[0].unfinished = true;
	check_refused(f, "001_a.sql was begun");
}

/* A newer database is refused, or accepted and left alone, even with files of ours pending. */
static void test_run_newer_database_follows_the_policy(void **state)
{
	struct fake *f = *state;
	record(f, &f->files[0]);
	record(f, &f->files[1]);
	f->applied[1].number = 3;
	f->applied[1].name = TD_SLICE("003_future.sql");
	check_refused(f, "003_future.sql");
	assert_int_equal(fake_run(f, MIGRATE_NEWER_ACCEPTED, NULL), TD_OK);
	assert_int_equal(f->applied_count, 2);
	assert_non_null(strstr(td_buf_cstr(&f->log), "newer version"));
}

/* Another process has the lock: it is waited for, and told; without end only while pause() says
 * so. */
static void test_run_waits_for_the_lock(void **state)
{
	struct fake *f = *state;
	struct td_err err = TD_ERR_INIT;
	f->busy_tries = 5;
	f->pauses_left = 10;
	assert_int_equal(fake_run(f, MIGRATE_NEWER_REFUSED, &err), TD_OK);
	assert_non_null(strstr(td_buf_cstr(&f->log), "Waiting for the lock"));
	f->busy_tries = 5;
	f->pauses_left = 2;
	assert_int_equal(fake_run(f, MIGRATE_NEWER_REFUSED, &err), TD_BUSY);
	assert_string_equal(err.text, "pid 7");
}

/* Somebody migrated in between: what is left is decided anew. */
static void test_run_conflict_begins_again(void **state)
{
	struct fake *f = *state;
	f->conflict_at = 1;
	assert_int_equal(fake_run(f, MIGRATE_NEWER_REFUSED, NULL), TD_OK);
	assert_int_equal(f->applied_count, 2);
	assert_int_equal(f->applied[1].number, 2);
}

#define WITH_FAKE(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_mark_and_crlf_keep_the_hash),
		cmocka_unit_test(test_file_empty_or_comments_only_is_fine),
		cmocka_unit_test(test_file_unfit_bytes_are_refused_by_name),
		cmocka_unit_test(test_load_orders_by_number),
		cmocka_unit_test(test_load_same_number_is_refused_by_names),
		cmocka_unit_test(test_load_without_files_is_refused),
		cmocka_unit_test(test_load_compiled_in_files_are_fit),
		WITH_FAKE(test_run_tells_the_lines_of_the_contract),
		WITH_FAKE(test_run_goes_on_after_a_failed_file),
		WITH_FAKE(test_run_refuses_an_edited_file_by_name),
		WITH_FAKE(test_run_refuses_a_missing_file_by_name),
		WITH_FAKE(test_run_refuses_a_renamed_file_by_name),
		WITH_FAKE(test_run_refuses_a_late_file_by_name),
		WITH_FAKE(test_run_refuses_an_unfinished_file_by_name),
		WITH_FAKE(test_run_newer_database_follows_the_policy),
		WITH_FAKE(test_run_waits_for_the_lock),
		WITH_FAKE(test_run_conflict_begins_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
