#include "sqlite_db.h"

#include "store/sqlite/store_sqlite.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct db {
	char folder[64], path[96];
	sqlite3 *client;
};

static void *make(void)
{
	struct db *db = td_alloc_zero(sizeof(*db));
	assert_non_null(db);
	(void)snprintf(db->folder, sizeof(db->folder), "/tmp/td-contract-XXXXXX");
	assert_non_null(mkdtemp(db->folder));
	(void)snprintf(db->path, sizeof(db->path), "%s/test.db", db->folder);
	return db;
}

static struct store *open_store(void *ctx, bool small)
{
	struct db *db = ctx;
	struct store *store = NULL;
	struct td_err err = TD_ERR_INIT;
	const struct store_sqlite_config config = {
		.path = db->path,
		.clock = &td_clock_system,
		.migrate = true,
		.write_queue_limit = small ? 8 : 0,
		.read_queue_limit = small ? 8 : 0,
	};
	if (store_sqlite_open(&config, &store, &err) != TD_OK)
		fail_msg("%s", err.text);
	return store;
}

static void exec(void *ctx, const char *sql)
{
	struct db *db = ctx;
	char *why = NULL;
	if (db->client == NULL) {
		assert_int_equal(sqlite3_open(db->path, &db->client), SQLITE_OK);
		(void)sqlite3_busy_timeout(db->client, 5000);
	}
	if (sqlite3_exec(db->client, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
}

static void hold(void *ctx)
{
	exec(ctx, "BEGIN IMMEDIATE");
}

static void let_go(void *ctx)
{
	exec(ctx, "ROLLBACK");
}

static void destroy(void *ctx)
{
	struct db *db = ctx;
	assert_int_equal(sqlite3_close(db->client), SQLITE_OK);
	DIR *dir = opendir(db->folder);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] != '.')
			assert_int_equal(unlinkat(dirfd(dir), e->d_name, 0), 0);
	}
	(void)closedir(dir);
	assert_int_equal(rmdir(db->folder), 0);
	td_free(db);
}

const struct contract_factory sqlitedb_factory = {
	.name = "sqlite",
	.make = make,
	.destroy = destroy,
	.open = open_store,
	.exec = exec,
	.hold = hold,
	.let_go = let_go,
	.price = "4999",
	.far_future = "UPDATE user_subscriptions SET current_period_end = 9000000000000000",
	.lock_is_down = true,
	.late_is_never = true,
};
