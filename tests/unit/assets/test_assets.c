#include "fault_alloc.h"
#include "td_test.h"
#include "temp_dir.h"

#include "assets/assets.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct loaded {
	struct td_arena arena;
	struct asset_file *files;
	size_t count;
	struct td_err err;
	enum td_status status;
};

static void load(struct loaded *l, const char *folder, const char *prefix)
{
	*l = (struct loaded){.count = 0};
	l->status = asset_load(
		ASSET_TEMPLATES, folder, prefix, &l->arena, &l->files, &l->count, &l->err);
}

/* Every set but perhaps the catalogue's has more than one file; each is found by its path. */
static void test_assets_every_compiled_file_is_found(void **state)
{
	(void)state;
	for (unsigned set = 0; set < ASSET_SET_COUNT; set++) {
		size_t count = 0;
		const struct asset *files = asset_compiled((enum asset_set)set, &count);
		assert_true(count > 0);
		for (size_t i = 0; i < count; i++) {
			assert_ptr_equal(asset_find((enum asset_set)set, files[i].path), &files[i]);
			assert_non_null(files[i].bytes.ptr);
			if (i > 0)
				assert_true(strcmp(files[i - 1].path, files[i].path) < 0);
			assert_true(
				files[i].gzip.len < files[i].bytes.len || files[i].bytes.len == 0);
		}
	}
	assert_null(asset_find(ASSET_SCHEMA, "no/such.sql"));
	assert_null(asset_find(ASSET_SCHEMA, ""));
}

/* Without a folder the compiled-in files come, of one prefix where it is given. */
static void test_assets_load_compiled_by_prefix(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	struct asset_file *files;
	size_t count = 0, all = 0;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(
		asset_load(ASSET_SCHEMA, NULL, "sqlite/", &arena, &files, &count, &err), TD_OK);
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++)
		assert_true(td_slice_has_prefix(files[i].path, "sqlite/"));
	assert_int_equal(asset_load(ASSET_SCHEMA, NULL, "", &arena, &files, &all, &err), TD_OK);
	assert_true(all >= count);
	td_arena_done(&arena);
}

/* A folder gives its regular files by path, folders inside it too, hidden ones left out. */
static void test_assets_load_folder_in_order(void **state)
{
	(void)state;
	struct temp_dir dir;
	temp_dir_make(&dir);
	temp_dir_write_text(&dir, "b.html", "B");
	temp_dir_write_text(&dir, "a/c.html", "C");
	temp_dir_write_text(&dir, "a.html", "");
	temp_dir_write_text(&dir, ".hidden", "x");
	temp_dir_write_text(&dir, ".git/config", "x");
	struct loaded l;
	load(&l, dir.path, "");
	assert_int_equal(l.status, TD_OK);
	assert_int_equal(l.count, 3);
	assert_true(td_slice_is(l.files[0].path, "a.html"));
	assert_int_equal(l.files[0].bytes.len, 0);
	assert_true(td_slice_is(l.files[1].path, "a/c.html"));
	assert_true(td_slice_is(l.files[1].bytes, "C"));
	assert_true(td_slice_is(l.files[2].path, "b.html"));
	td_arena_done(&l.arena);
	load(&l, dir.path, "a/");
	assert_int_equal(l.count, 1);
	td_arena_done(&l.arena);
	temp_dir_remove(&dir);
}

static void test_assets_missing_folder_is_named(void **state)
{
	(void)state;
	struct temp_dir dir;
	temp_dir_make(&dir);
	struct loaded l;
	load(&l, temp_dir_path(&dir, "none"), "");
	assert_int_equal(l.status, TD_IO);
	assert_non_null(strstr(l.err.text, "/none"));
	td_arena_done(&l.arena);
	temp_dir_remove(&dir);
}

/* Exactly 1 MiB is taken, a byte more is not. */
static void test_assets_large_file_is_refused_by_name(void **state)
{
	(void)state;
	static char bytes[1024 * 1024 + 1];
	struct temp_dir dir;
	temp_dir_make(&dir);
	temp_dir_write(&dir, "large.html", bytes, sizeof(bytes) - 1);
	struct loaded l;
	load(&l, dir.path, "");
	assert_int_equal(l.status, TD_OK);
	assert_int_equal(l.files[0].bytes.len, sizeof(bytes) - 1);
	td_arena_done(&l.arena);
	temp_dir_write(&dir, "large.html", bytes, sizeof(bytes));
	load(&l, dir.path, "");
	assert_int_equal(l.status, TD_TOOBIG);
	assert_non_null(strstr(l.err.text, "large.html"));
	td_arena_done(&l.arena);
	temp_dir_remove(&dir);
}

static void test_assets_too_many_files_are_refused(void **state)
{
	(void)state;
	struct temp_dir dir;
	temp_dir_make(&dir);
	for (unsigned i = 0; i < 513; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "f%u", i);
		temp_dir_write_text(&dir, name, "x");
	}
	struct loaded l;
	load(&l, dir.path, "");
	assert_int_equal(l.status, TD_TOOBIG);
	td_arena_done(&l.arena);
	temp_dir_remove(&dir);
}

/* A link that leads back up ends somewhere; a pipe is no file to wait for. */
static void test_assets_loops_and_pipes_do_not_hang(void **state)
{
	(void)state;
	struct temp_dir dir;
	temp_dir_make(&dir);
	temp_dir_write_text(&dir, "a.html", "A");
	assert_int_equal(symlink(".", temp_dir_path(&dir, "loop")), 0);
	assert_int_equal(mkfifo(temp_dir_path(&dir, "pipe"), 0600), 0);
	struct loaded l;
	load(&l, dir.path, "");
	assert_int_equal(l.status, TD_OK);
	assert_true(l.count >= 1 && l.count < 10);
	td_arena_done(&l.arena);
	temp_dir_remove(&dir);
}

/* Adding, renaming, writing and removing each give another number. */
static void test_assets_stamp_follows_every_change(void **state)
{
	(void)state;
	struct temp_dir dir;
	temp_dir_make(&dir);
	temp_dir_write_text(&dir, "a.html", "1");
	uint64_t stamps[5];
	stamps[0] = asset_folder_stamp(dir.path);
	assert_int_equal(asset_folder_stamp(dir.path), stamps[0]);
	temp_dir_write_text(&dir, "b/c.html", "1");
	stamps[1] = asset_folder_stamp(dir.path);
	assert_int_equal(
		rename(temp_dir_path(&dir, "b/c.html"), temp_dir_path(&dir, "b/d.html")), 0);
	stamps[2] = asset_folder_stamp(dir.path);
	temp_dir_write_text(&dir, "a.html", "12");
	stamps[3] = asset_folder_stamp(dir.path);
	assert_int_equal(unlink(temp_dir_path(&dir, "a.html")), 0);
	stamps[4] = asset_folder_stamp(dir.path);
	for (size_t i = 0; i < 5; i++) {
		assert_true(stamps[i] != 0);
		for (size_t k = 0; k < i; k++)
			assert_true(stamps[i] != stamps[k]);
	}
	temp_dir_remove(&dir);
	assert_int_equal(asset_folder_stamp(dir.path), 0);
	assert_int_equal(asset_folder_stamp(NULL), 0);
}

static bool load_one(void *ctx)
{
	struct loaded l;
	load(&l, ctx, "");
	bool worked = l.status == TD_OK;
	if (!worked)
		assert_int_equal(l.status, TD_NOMEM);
	td_arena_done(&l.arena);
	return worked;
}

static void test_assets_without_memory_says_so(void **state)
{
	(void)state;
	struct temp_dir dir;
	temp_dir_make(&dir);
	temp_dir_write_text(&dir, "a.html", "A");
	assert_true(fault_alloc_each(load_one, dir.path) >= 2);
	temp_dir_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_assets_every_compiled_file_is_found),
		cmocka_unit_test(test_assets_load_compiled_by_prefix),
		cmocka_unit_test(test_assets_load_folder_in_order),
		cmocka_unit_test(test_assets_missing_folder_is_named),
		cmocka_unit_test(test_assets_large_file_is_refused_by_name),
		cmocka_unit_test(test_assets_too_many_files_are_refused),
		cmocka_unit_test(test_assets_loops_and_pipes_do_not_hang),
		cmocka_unit_test(test_assets_stamp_follows_every_change),
		cmocka_unit_test(test_assets_without_memory_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
