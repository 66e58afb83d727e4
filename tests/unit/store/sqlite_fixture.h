/* A database of its own for a test, in a temporary folder, and calls to a store on it. */
#ifndef TD_TESTS_UNIT_STORE_SQLITE_FIXTURE_H
#define TD_TESTS_UNIT_STORE_SQLITE_FIXTURE_H

#include "td_test.h"

#include "store/sqlite/store_sqlite.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIXTURE_NOW INT64_C(1800000000000)

struct fixture {
	char folder[64], path[128];
};

static inline void fixture_make(struct fixture *f)
{
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/td-sqlite-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->path, sizeof(f->path), "%s/test.db", f->folder);
}

static inline void fixture_remove(const struct fixture *f)
{
	DIR *dir = opendir(f->folder);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	}
	(void)closedir(dir);
	assert_int_equal(rmdir(f->folder), 0);
}

static inline struct store_sqlite_config fixture_config(const struct fixture *f)
{
	return (struct store_sqlite_config){
		.path = f->path,
		.clock = &td_clock_system,
		.timeout_ms = 2000,
		.migrate = true,
	};
}

static inline struct store *fixture_open(const struct fixture *f)
{
	struct store_sqlite_config config = fixture_config(f);
	struct store *store = NULL;
	struct td_err err = TD_ERR_INIT;
	if (store_sqlite_open(&config, &store, &err) != TD_OK)
		fail_msg("%s", err.text);
	return store;
}

/* As the sqlite3 program would, with CHECKs off where `rudely`. */
static inline void fixture_exec(const struct fixture *f, const char *sql, bool rudely)
{
	sqlite3 *db = NULL;
	char *why = NULL;
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 5000);
	if (rudely)
		assert_int_equal(
			sqlite3_exec(db, "PRAGMA ignore_check_constraints = ON", NULL, NULL, NULL),
			SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static inline struct store_op *fixture_op(enum store_op_kind kind)
{
	struct store_op *op = store_op_new(kind);
	assert_non_null(op);
	op->now_ms = FIXTURE_NOW;
	op->deadline_ms = td_clock_mono_ms(&td_clock_system) + 10000;
	return op;
}

#endif
