/* What doctor finds in the embedded store's file. Nothing is made and nothing changed: what tries
 * whether there is room has no name and is gone at once. */
#include "store/sqlite/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define TRIAL_BYTES  65536
#define LITTLE_BYTES (256ull * 1024 * 1024)
#define FOLDER_SIZE  4096

struct look {
	const struct store_sqlite_config *config;
	struct store_examination *x;
	struct sqlite_conn conn;
	bool exists;
	char folder[FOLDER_SIZE];
};

static void put_folder(const char *path, char out[FOLDER_SIZE])
{
	const char *slash = strrchr(path, '/');
	if (slash == NULL)
		(void)snprintf(out, FOLDER_SIZE, ".");
	else
		(void)snprintf(
			out, FOLDER_SIZE, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

/* The layer that the error names, else this one. */
static void found_err(struct look *l, enum store_layer layer, const struct td_err *err)
{
	static const char prefix[] = "sqlite.";
	static const char *const causes[STORE_LAYER_COUNT] = {
		[STORE_LAYER_DATABASE] = "What is there is not a database of ours.",
		[STORE_LAYER_WRITABLE] = "The file or its folder cannot be used for writing, or "
					 "another program holds it.",
		[STORE_LAYER_CAPACITY] = "It took too long, or there was too little memory.",
		[STORE_LAYER_MIGRATIONS] = "The migrations cannot be compared, or do not fit what "
					   "was applied.",
		[STORE_LAYER_DATA] = "The file is damaged, or its tables are not as they were "
				     "made.",
	};
	enum store_layer named;
	if (strncmp(err->check, prefix, sizeof(prefix) - 1) == 0 &&
		store_layer_of(err->check + sizeof(prefix) - 1, &named))
		layer = named;
	store_found_err(l->x, layer, err, causes[layer],
		layer == STORE_LAYER_MIGRATIONS
			? "Put back the files that were applied (or unset SCHEMA_DIR); "
			  "`tools-dashboard migrate status` lists them."
			: "Do what the message says, or set DATABASE_URL to another file.");
}

static bool look_at_file(struct look *l)
{
	struct td_err err = TD_ERR_INIT;
	enum td_status status = sqlite_file_check_path(l->config->path, &l->exists, &err);
	if (status == TD_OK && l->exists)
		status = sqlite_file_open(l->config, /* create= */ false, &l->conn, &err);
	if (status != TD_OK) {
		found_err(l, STORE_LAYER_DATABASE, &err);
		return false;
	}
	if (l->exists)
		store_found_ok(l->x, STORE_LAYER_DATABASE, "the file is there, and ours");
	else
		store_found_ok(l->x, STORE_LAYER_DATABASE, "there is no file yet: serve makes it");
	store_found_ok(l->x, STORE_LAYER_VERSION, "SQLite %s", sqlite3_libversion());
	return true;
}

/* Writes to a file without a name. 0, or errno; a file system that has no such files is not tried.
 */
static int try_to_write(const char *folder)
{
	static const char zeroes[TRIAL_BYTES];
	int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL ? 0 : errno;
	ssize_t done = write(fd, zeroes, sizeof(zeroes));
	int error_number = done == (ssize_t)sizeof(zeroes) ? 0 : done < 0 ? errno : ENOSPC;
	if (error_number == 0 && fsync(fd) != 0)
		error_number = errno;
	(void)close(fd);
	return error_number;
}

static bool look_at_folder(struct look *l)
{
	struct td_err err = TD_ERR_INIT;
	int error_number = access(l->folder, W_OK) != 0 ? errno : try_to_write(l->folder);
	if (error_number == 0)
		return true;
	(void)td_err_errno(&err, TD_UNAVAILABLE, error_number,
		"nothing can be written to the folder of %.300s", l->config->path);
	store_found_err(l->x, STORE_LAYER_WRITABLE, &err,
		error_number == ENOSPC || error_number == EDQUOT
			? "The disk, or this user's part of it, is full."
			: "The folder is not writable for this user.",
		error_number == ENOSPC || error_number == EDQUOT
			? "Free some space, or move the file: set DATABASE_URL."
			: "Make the file and its folder writable for this user.");
	return false;
}

/* The lock of a writer, taken and given back. */
static bool look_at_writing(struct look *l)
{
	struct td_err err = TD_ERR_INIT;
	if (!look_at_folder(l))
		return false;
	if (l->exists && sqlite_conn_begin(&l->conn, SQLITE_QUERY(BEGIN_WRITE), &err) != TD_OK) {
		found_err(l, STORE_LAYER_WRITABLE, &err);
		return false;
	}
	if (l->exists)
		sqlite_conn_rollback(&l->conn);
	store_found_ok(l->x, STORE_LAYER_WRITABLE, "%s can be written",
		l->exists ? "the file" : "its folder");
	return true;
}

static void look_at_room(struct look *l)
{
	struct statvfs v;
	char message[160];
	if (statvfs(l->folder, &v) != 0) {
		store_found_ok(l->x, STORE_LAYER_CAPACITY, "its disk does not say what is free");
		return;
	}
	unsigned long long available = (unsigned long long)v.f_bavail * v.f_frsize;
	(void)snprintf(
		message, sizeof(message), "%llu MiB are free for it", available / (1024 * 1024));
	if (available < LITTLE_BYTES)
		store_found(l->x, STORE_LAYER_CAPACITY, STORE_WARNS, message,
			"A full disk ends all writing.", "Free some space, or move the file.");
	else
		store_found_ok(l->x, STORE_LAYER_CAPACITY, "%s", message);
}

static bool look_at_migrations(struct look *l, bool *ret_has_tables)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	struct migrate_plan plan = {.count = 0};
	struct migrate_set set;
	char message[160];
	enum td_status status = migrate_load(
		l->config->schema_dir, "sqlite/", SQL_SQLITE, &arena, &set, &err);
	if (status == TD_OK)
		status = l->exists ? sqlite_file_plan(&l->conn, &set, &arena, &plan, &err)
				   : migrate_plan_make(&set, NULL, 0, &arena, &plan, &err);
	if (status == TD_OK)
		status = migrate_plan_check(&plan, MIGRATE_NEWER_REFUSED, &err);
	(void)snprintf(message, sizeof(message), "%zu of %zu migrations are pending", plan.pending,
		plan.count);
	if (status != TD_OK)
		found_err(l, STORE_LAYER_MIGRATIONS, &err);
	else if (plan.pending > 0)
		store_found(l->x, STORE_LAYER_MIGRATIONS, STORE_WARNS, message,
			"The tables are not up to date: serve has not been started since.",
			"Start serve, or run `tools-dashboard migrate`.");
	else
		store_found_ok(l->x, STORE_LAYER_MIGRATIONS, "all %zu migrations are applied",
			plan.applied);
	*ret_has_tables = plan.pending == 0;
	td_arena_done(&arena);
	return status == TD_OK;
}

/* Every page, as far as there is time. */
static enum td_status look_for_damage(struct look *l, struct td_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(l->conn.db, "PRAGMA quick_check(1)", -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	bool is_well = rc == SQLITE_INTERRUPT ||
		       (rc == SQLITE_ROW && td_slice_is(sqlite_column_slice(stmt, 0), "ok"));
	(void)sqlite3_finalize(stmt);
	if (is_well)
		return TD_OK;
	return sqlite_conn_fail(&l->conn, rc == SQLITE_ROW ? SQLITE_CORRUPT : rc, err);
}

static void look_at_data(struct look *l, bool has_tables)
{
	static const char fix[] = "Start serve, or run `tools-dashboard populate`; for packages of "
				  "your own: `tools-dashboard catalogue apply FILE`.";
	struct td_err err = TD_ERR_INIT;
	int64_t packages = 0, content = 0;
	enum td_status status = l->exists ? look_for_damage(l, &err) : TD_OK;
	if (has_tables && status == TD_OK)
		status = sqlite_conn_number_of(
			&l->conn, "SELECT count(*) FROM subscription_packages", &packages, &err);
	if (has_tables && status == TD_OK)
		status = sqlite_conn_number_of(&l->conn,
			"SELECT (SELECT count(*) FROM subscription_package_metadata)"
			" + (SELECT count(*) FROM subscription_features)",
			&content, &err);
	if (status != TD_OK)
		found_err(l, STORE_LAYER_DATA, &err);
	else if (packages == 0)
		store_found(l->x, STORE_LAYER_DATA, STORE_WARNS, "there is no package",
			has_tables ? "The catalogue was not populated, or somebody has deleted "
				     "all of it."
				   : "The tables are not up to date.",
			fix);
	else if (content == 0)
		store_found(l->x, STORE_LAYER_DATA, STORE_WARNS,
			"no package has metadata or features",
			"The content was not populated, or somebody has deleted all of it.", fix);
	else
		store_found_ok(l->x, STORE_LAYER_DATA, "%lld packages", (long long)packages);
}

void store_sqlite_examine(const struct store_sqlite_config *config, struct store_examination *x)
{
	struct look l = {.config = config, .x = x};
	bool has_tables = false;
	put_folder(config->path, l.folder);
	if (look_at_file(&l) && look_at_writing(&l)) {
		look_at_room(&l);
		if (look_at_migrations(&l, &has_tables))
			look_at_data(&l, has_tables);
	}
	sqlite_conn_close(&l.conn);
}
