#include "store/sqlite/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static enum td_status refuse_path(struct td_err *err, const char *path, const char *words)
{
	(void)td_err_set(err, TD_UNAVAILABLE, "the database file %s %s", path, words);
	td_err_check(err, "sqlite.writable");
	return TD_UNAVAILABLE;
}

/* Missing: its folder must be there. */
static enum td_status check_folder(const char *path, struct td_err *err)
{
	char folder[4096];
	const char *slash = strrchr(path, '/');
	struct stat st;
	int len = slash == path ? snprintf(folder, sizeof(folder), "/")
		  : slash == NULL
			  ? snprintf(folder, sizeof(folder), ".")
			  : snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	if (len < 0 || (size_t)len >= sizeof(folder))
		return refuse_path(err, path, "has a name that is too long");
	if (stat(folder, &st) == 0 && S_ISDIR(st.st_mode))
		return TD_OK;
	int error_number = errno != 0 ? errno : ENOTDIR;
	(void)td_err_errno(err, TD_UNAVAILABLE, error_number,
		"the database file %s cannot be made, there is no folder %s; make it, or set "
		"DATABASE_URL to another file",
		path, folder);
	td_err_check(err, "sqlite.writable");
	return TD_UNAVAILABLE;
}

enum td_status sqlite_file_check_path(const char *path, bool *ret_exists, struct td_err *err)
{
	struct stat st;
	*ret_exists = false;
	if (path[0] == '\0' || path[0] == ':')
		return td_err_set(err, TD_INVALID,
			"\"%s\" is no name for a database file; set DATABASE_URL to "
			"sqlite:///FILE",
			path);
	errno = 0;
	if (stat(path, &st) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return check_folder(path, err);
		(void)td_err_errno(err, TD_UNAVAILABLE, errno,
			"the database file %s cannot be looked at; make its folder readable for "
			"this user",
			path);
		td_err_check(err, "sqlite.writable");
		return TD_UNAVAILABLE;
	}
	if (S_ISDIR(st.st_mode))
		return refuse_path(err, path, "is a folder; set DATABASE_URL to a file");
	if (!S_ISREG(st.st_mode))
		return refuse_path(err, path, "is no regular file; set DATABASE_URL to a file");
	/* root may write it all the same, but whoever marked it meant it. */
	if ((st.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)) == 0)
		return refuse_path(err, path,
			"is read-only; make the file and its folder writable for this user");
	*ret_exists = true;
	return TD_OK;
}

/* ---- recognising */

static enum td_status refuse_foreign(
	const struct sqlite_conn *conn, int64_t application_id, struct td_err *err)
{
	(void)td_err_set(err, TD_INVALID,
		"the database file %s belongs to another program (application id 0x%08llx); set "
		"DATABASE_URL to another file",
		conn->path, (unsigned long long)application_id & 0xFFFFFFFFu);
	td_err_check(err, "sqlite.database");
	return TD_INVALID;
}

/* Ours, or with nothing in it at all. One transaction, so that another process that fills it just
 * now is seen before or after. */
static enum td_status recognise(struct sqlite_conn *conn, bool *ret_empty, struct td_err *err)
{
	int64_t application_id = 0, user_version = 0, objects = 0;
	enum td_status status = sqlite_conn_begin(conn, SQLITE_QUERY(BEGIN_READ), err);
	if (status == TD_OK)
		status = sqlite_conn_number_of(
			conn, "SELECT count(*) FROM sqlite_schema", &objects, err);
	if (status == TD_OK)
		status = sqlite_conn_number_of(conn, "PRAGMA application_id", &application_id, err);
	if (status == TD_OK)
		status = sqlite_conn_number_of(conn, "PRAGMA user_version", &user_version, err);
	sqlite_conn_rollback(conn);
	if (status != TD_OK)
		return status;
	*ret_empty = application_id == 0 && user_version == 0 && objects == 0;
	if (application_id != STORE_SQLITE_APPLICATION_ID && !*ret_empty)
		return refuse_foreign(conn, application_id, err);
	return TD_OK;
}

/* ---- the migrations' port */

struct port {
	struct sqlite_conn *conn;
	uint64_t give_up_ms; /* of the clock's mono_ms */
	int64_t applied;     /* rows in schema_migrations, as they were read */
};

static enum td_status has_table(struct sqlite_conn *conn, bool *ret_has, struct td_err *err)
{
	int64_t count = 0;
	enum td_status status = sqlite_conn_number_of(conn,
		"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND "
		"name = 'schema_migrations'",
		&count, err);
	*ret_has = count != 0;
	return status;
}

static bool read_hash(sqlite3_stmt *stmt, int column, uint8_t hash[TD_SHA256_SIZE])
{
	struct td_slice text = sqlite_column_slice(stmt, column);
	memset(hash, 0, TD_SHA256_SIZE);
	if (text.len != 2 * TD_SHA256_SIZE)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
						   : -1;
		if (digit < 0)
			return false;
		hash[i / 2] = (uint8_t)(hash[i / 2] << 4 | digit);
	}
	return true;
}

static enum td_status read_rows(struct sqlite_conn *conn, sqlite3_stmt *stmt,
	struct td_arena *arena, struct migrate_applied *rows, size_t room, size_t *ret_count,
	struct td_err *err)
{
	size_t count = 0;
	int rc = SQLITE_DONE;
	while (count < room && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct migrate_applied *row = &rows[count++];
		row->number = (uint32_t)sqlite3_column_int64(stmt, 0);
		row->name = sqlite_column_copy(stmt, 1, arena);
		row->applied_at = sqlite3_column_int64(stmt, 3);
		(void)read_hash(stmt, 2, row->hash); /* zeroes match no file: it counts as edited */
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return sqlite_conn_fail(conn, rc, err);
	*ret_count = count;
	return arena->failed ? td_err_set(err, TD_NOMEM, "no memory for migrations") : TD_OK;
}

/* In an open transaction. */
static enum td_status read_applied(struct sqlite_conn *conn, struct td_arena *arena,
	struct migrate_applied **ret_rows, size_t *ret_count, struct td_err *err)
{
	int64_t room = 0;
	bool has = false;
	sqlite3_stmt *stmt = NULL;
	*ret_rows = NULL;
	*ret_count = 0;
	enum td_status status = has_table(conn, &has, err);
	if (status != TD_OK || !has)
		return status;
	status = sqlite_conn_number_of(conn, "SELECT count(*) FROM schema_migrations", &room, err);
	if (status != TD_OK)
		return status;
	struct migrate_applied *rows = td_arena_array(arena, (size_t)room + 1, sizeof(*rows));
	if (rows == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for migrations");
	int rc = sqlite3_prepare_v2(conn->db,
		"SELECT version, name, sha256, applied_at FROM schema_migrations ORDER BY version",
		-1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return sqlite_conn_fail(conn, rc, err);
	status = read_rows(conn, stmt, arena, rows, (size_t)room, ret_count, err);
	(void)sqlite3_finalize(stmt);
	*ret_rows = rows;
	return status;
}

static enum td_status port_try_lock(void *ctx, struct td_err *err)
{
	struct port *port = ctx;
	port->conn->deadline_ms = td_clock_mono_ms(port->conn->clock) + 50;
	enum td_status status = sqlite_conn_begin(port->conn, SQLITE_QUERY(BEGIN_WRITE), err);
	port->conn->deadline_ms = port->give_up_ms;
	if (status == TD_TIMEOUT && err != NULL)
		err->code = TD_BUSY;
	return status == TD_TIMEOUT ? TD_BUSY : status;
}

/* The wait itself was within try_lock(). */
static bool port_pause(void *ctx)
{
	struct port *port = ctx;
	return !sqlite_conn_is_late(port->conn);
}

static void port_unlock(void *ctx)
{
	struct port *port = ctx;
	sqlite_conn_rollback(port->conn);
}

static enum td_status port_read(void *ctx, struct td_arena *arena,
	struct migrate_applied **ret_rows, size_t *ret_count, struct td_err *err)
{
	struct port *port = ctx;
	enum td_status status = read_applied(port->conn, arena, ret_rows, ret_count, err);
	port->applied = (int64_t)*ret_count;
	return status;
}

/* The lock is the transaction, and each file's commit gives it away for a moment: so look whether
 * somebody else migrated meanwhile. */
static enum td_status lock_again(struct port *port, struct td_err *err)
{
	int64_t applied = 0;
	if (sqlite_conn_is_open(port->conn))
		return TD_OK;
	enum td_status status = sqlite_conn_begin(port->conn, SQLITE_QUERY(BEGIN_WRITE), err);
	if (status == TD_OK)
		status = sqlite_conn_number_of(
			port->conn, "SELECT count(*) FROM schema_migrations", &applied, err);
	if (status == TD_OK && applied != port->applied)
		return TD_CONFLICT;
	return status;
}

/* With the first file, so that there is never a file of ours that is not marked as ours. */
static enum td_status make_ours(struct port *port, struct td_err *err)
{
	char sql[512];
	if (port->applied != 0)
		return TD_OK;
	(void)snprintf(sql, sizeof(sql),
		"PRAGMA application_id = %d;"
		"CREATE TABLE IF NOT EXISTS schema_migrations ("
		"version INTEGER PRIMARY KEY CHECK (version > 0), name TEXT NOT NULL,"
		"sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT;",
		STORE_SQLITE_APPLICATION_ID);
	return sqlite_conn_exec(port->conn, sql, err);
}

static enum td_status run_statements(
	struct sqlite_conn *conn, const struct migrate_file *file, struct td_err *err)
{
	for (size_t i = 0; i < file->statement_count; i++) {
		const struct sql_statement *s = &file->statements[i];
		sqlite3_stmt *stmt = NULL;
		int rc = sqlite3_prepare_v2(conn->db, s->text.ptr, (int)s->text.len, &stmt, NULL);
		enum td_status status = rc == SQLITE_OK ? sqlite_conn_finish(conn, stmt, err)
							: sqlite_conn_fail(conn, rc, err);
		(void)sqlite3_finalize(stmt);
		if (status != TD_OK)
			return td_err_context(err, "line %u", s->line);
	}
	return TD_OK;
}

static enum td_status record(
	struct sqlite_conn *conn, const struct migrate_file *file, struct td_err *err)
{
	char hash[TD_SHA256_TEXT_SIZE];
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(conn->db,
		"INSERT INTO schema_migrations (version, name, sha256, applied_at)"
		" VALUES (?1, ?2, ?3, ?4)",
		-1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return sqlite_conn_fail(conn, rc, err);
	td_hex(file->hash, TD_SHA256_SIZE, hash);
	sqlite_bind_number(stmt, 1, file->number);
	sqlite_bind_slice(stmt, 2, file->name);
	sqlite_bind_slice(stmt, 3, td_slice_str(hash));
	sqlite_bind_number(stmt, 4, td_clock_wall_ms(conn->clock));
	enum td_status status = sqlite_conn_finish(conn, stmt, err);
	(void)sqlite3_finalize(stmt);
	return status;
}

static enum td_status port_apply(void *ctx, const struct migrate_file *file, struct td_err *err)
{
	struct port *port = ctx;
	if (file->no_transaction)
		return td_err_set(err, TD_INVALID,
			"SQLite's migrations always run in a transaction; take the line \"%s\" out",
			MIGRATE_NO_TRANSACTION);
	enum td_status status = lock_again(port, err);
	if (status == TD_OK)
		status = make_ours(port, err);
	if (status == TD_OK)
		status = run_statements(port->conn, file, err);
	if (status == TD_OK && !sqlite_conn_is_open(port->conn))
		status = td_err_set(err, TD_INTERNAL, "it ended its transaction itself");
	if (status == TD_OK)
		status = record(port->conn, file, err);
	if (status == TD_OK)
		status = sqlite_conn_run(port->conn, SQLITE_QUERY(COMMIT), err);
	if (status == TD_OK)
		port->applied++;
	else
		sqlite_conn_rollback(port->conn);
	return status;
}

/* ---- opening */

uint64_t sqlite_file_give_up_ms(const struct store_sqlite_config *config)
{
	return td_clock_mono_ms(config->clock) +
	       (config->timeout_ms != 0 ? config->timeout_ms : 10000);
}

enum td_status sqlite_file_open(const struct store_sqlite_config *config, bool create,
	struct sqlite_conn *conn, struct td_err *err)
{
	bool empty = false;
	enum td_status status = sqlite_conn_open(
		conn, config->path, create, config->clock, sqlite_file_give_up_ms(config), err);
	if (status != TD_OK)
		return status;
	status = recognise(conn, &empty, err);
	if (status != TD_OK)
		sqlite_conn_close(conn);
	return status;
}

enum td_status sqlite_file_plan(struct sqlite_conn *conn, const struct migrate_set *set,
	struct td_arena *arena, struct migrate_plan *ret_plan, struct td_err *err)
{
	struct migrate_applied *applied = NULL;
	size_t count = 0;
	enum td_status status = sqlite_conn_begin(conn, SQLITE_QUERY(BEGIN_READ), err);
	if (status == TD_OK)
		status = read_applied(conn, arena, &applied, &count, err);
	sqlite_conn_rollback(conn);
	if (status == TD_OK)
		status = migrate_plan_make(set, applied, count, arena, ret_plan, err);
	return status;
}

enum td_status sqlite_file_check_plan(
	const struct sqlite_conn *conn, const struct migrate_plan *plan, struct td_err *err)
{
	enum td_status status = migrate_plan_check(plan, MIGRATE_NEWER_REFUSED, err);
	if (status != TD_OK) {
		(void)td_err_context(err, "%s", conn->path);
		td_err_check(err, "sqlite.migrations");
	}
	return status;
}

/* SQLite answers with the mode that is in force: another one where the file system has no shared
 * memory. */
static int note_mode(void *ctx, int count, char **values, char **names)
{
	bool *is_wal = ctx;
	(void)names;
	*is_wal = count == 1 && values[0] != NULL && strcmp(values[0], "wal") == 0;
	return 0;
}

/* Stays so in the file; cannot be within a transaction. */
static enum td_status switch_to_wal(struct sqlite_conn *conn, struct td_err *err)
{
	bool is_wal = false;
	int rc;
	do {
		rc = sqlite3_exec(conn->db, "PRAGMA journal_mode = WAL", note_mode, &is_wal, NULL);
	} while ((rc & 0xFF) == SQLITE_BUSY && !sqlite_conn_is_late(conn));
	if (rc != SQLITE_OK)
		return sqlite_conn_fail(conn, rc, err);
	return is_wal ? TD_OK
		      : refuse_path(err, conn->path,
				"is on a file system that cannot share memory between programs (a "
				"network's?); put it on a local disk");
}

enum td_status sqlite_file_migrate(const struct store_sqlite_config *config,
	struct sqlite_conn *conn, const struct migrate_set *set, struct td_err *err)
{
	struct port port = {conn, sqlite_file_give_up_ms(config), 0};
	const struct migrate_port functions = {
		&port, port_try_lock, port_pause, port_unlock, port_read, port_apply};
	const struct migrate_config run = {
		set, SQL_SQLITE, MIGRATE_NEWER_REFUSED, config->observer};
	conn->deadline_ms = port.give_up_ms;
	enum td_status status = switch_to_wal(conn, err);
	if (status == TD_OK)
		status = migrate_run(&run, &functions, err);
	return status;
}
