#include "store/sqlite/conn.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const char *const queries[SQLITE_QUERY_COUNT] = {
#define SQLITE_QUERY_ROW(name, sql) [SQLITE_##name##_QUERY] = (sql),
	SQLITE_QUERY_MAP(SQLITE_QUERY_ROW)
#undef SQLITE_QUERY_ROW
};

/* ---- waiting */

bool sqlite_conn_is_late(const struct sqlite_conn *conn)
{
	uint64_t now_ms = td_clock_mono_ms(conn->clock);
	if (now_ms >= conn->deadline_ms)
		return true;
	return conn->stop_ms != NULL &&
	       now_ms >= atomic_load_explicit(conn->stop_ms, memory_order_relaxed);
}

/* Another program's lock: short pauses first, because a writer like us holds it for the time of one
 * commit; there is no queue at a lock, so trying often is what makes it fair. */
static void pause_before_try(int tries)
{
	long us = tries < 20 ? 100 : tries < 200 ? 500 : 2000;
	struct timespec pause = {0, us * 1000};
	(void)nanosleep(&pause, NULL);
}

static int handle_busy(void *ctx, int tries)
{
	struct sqlite_conn *conn = ctx;
	if (sqlite_conn_is_late(conn))
		return 0;
	pause_before_try(tries);
	return 1;
}

static int handle_progress(void *ctx)
{
	return sqlite_conn_is_late(ctx) ? 1 : 0;
}

/* ---- errors */

/* What an error of SQLite is to us, and what a person can do about it. */
static const struct failure {
	int rc; /* primary result code */
	enum td_status status;
	const char *check, *words;
} failures[] = {
	{SQLITE_BUSY, TD_TIMEOUT, "sqlite.writable",
		"is locked by another program; end what holds it (sqlite3 with an open "
		"transaction, a backup) and try again"},
	{SQLITE_LOCKED, TD_TIMEOUT, "sqlite.writable", "is locked; try again"},
	{SQLITE_PROTOCOL, TD_TIMEOUT, "sqlite.writable",
		"could not be locked, too many programs open it at once; try again"},
	{SQLITE_INTERRUPT, TD_TIMEOUT, "sqlite.capacity", "did not answer within STORE_TIMEOUT"},
	{SQLITE_NOMEM, TD_NOMEM, "sqlite.capacity", "could not be used: out of memory"},
	{SQLITE_FULL, TD_UNAVAILABLE, "sqlite.writable",
		"cannot grow, the disk is full; free some space or move the file"},
	{SQLITE_READONLY, TD_UNAVAILABLE, "sqlite.writable",
		"is read-only; make the file and its folder writable for this user"},
	{SQLITE_PERM, TD_UNAVAILABLE, "sqlite.writable",
		"may not be used; make the file and its folder writable for this user"},
	{SQLITE_CANTOPEN, TD_UNAVAILABLE, "sqlite.writable",
		"cannot be opened; look whether its folder exists and is writable for this user"},
	{SQLITE_IOERR, TD_IO, "sqlite.writable",
		"cannot be read or written; look at the disk and the system's log"},
	{SQLITE_CORRUPT, TD_CORRUPT, "sqlite.data",
		"is damaged; put back a copy, or save what can be read with sqlite3's .recover"},
	{SQLITE_NOTADB, TD_INVALID, "sqlite.database",
		"is not an SQLite database; set DATABASE_URL to another file"},
};

static const struct failure *find_failure(int rc)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(failures); i++) {
		if (failures[i].rc == (rc & 0xFF))
			return &failures[i];
	}
	return NULL;
}

enum td_status sqlite_conn_fail(struct sqlite_conn *conn, int rc, struct td_err *err)
{
	const struct failure *f = find_failure(rc == SQLITE_IOERR_NOMEM ? SQLITE_NOMEM : rc);
	enum td_status status;
	if (f == NULL) {
		status = td_err_set(err, TD_INTERNAL, "%s: %s (SQLite %d)", conn->path,
			sqlite3_errmsg(conn->db), rc);
	} else {
		int error_number = conn->db != NULL ? sqlite3_system_errno(conn->db) : 0;
		bool of_system = error_number != 0 &&
				 (f->rc == SQLITE_IOERR || f->rc == SQLITE_CANTOPEN);
		status = td_err_set(err, f->status, "the database file %s %s (SQLite %d%s%s)",
			conn->path, f->words, rc, of_system ? ": " : "",
			of_system ? strerrordesc_np(error_number) : "");
		td_err_check(err, f->check);
	}
	if (err != NULL)
		err->native = rc;
	return status;
}

/* ---- opening */

static int set_up(struct sqlite_conn *conn)
{
	sqlite3 *db = conn->db;
	(void)sqlite3_extended_result_codes(db, 1);
	/* Until the file is known to be ours, closing must not write to it. */
	int rc = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_handler(db, handle_busy, conn);
	sqlite3_progress_handler(db, 10000, handle_progress, conn);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db,
			"PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
			"PRAGMA synchronous = FULL;",
			NULL, NULL, NULL);
	return rc;
}

enum td_status sqlite_conn_open(struct sqlite_conn *conn, const char *path, bool create,
	const struct td_clock *clock, uint64_t deadline_ms, struct td_err *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (create ? SQLITE_OPEN_CREATE : 0);
	*conn = (struct sqlite_conn){.clock = clock, .deadline_ms = deadline_ms};
	conn->path = td_strdup(path);
	if (conn->path == NULL)
		return td_err_set(err, TD_NOMEM, "no memory to open %s", path);
	int rc = sqlite3_open_v2(path, &conn->db, flags, NULL);
	if (rc == SQLITE_OK)
		rc = set_up(conn);
	if (rc == SQLITE_OK && sqlite3_db_readonly(conn->db, "main") == 1)
		rc = SQLITE_READONLY;
	enum td_status status = TD_OK;
	if (rc != SQLITE_OK)
		status = sqlite_conn_fail(conn, rc, err);
	else if (sqlite_conn_stmt(conn, SQLITE_QUERY(ROLLBACK), err) == NULL)
		status = TD_NOMEM; /* now, so that a rollback needs no memory */
	if (status != TD_OK)
		sqlite_conn_close(conn);
	return status;
}

/* Closing a file that is not to be written leaves its -wal and -shm; where the WAL is empty there
 * is nothing to move from it, and closing may clean up. */
static void clean_up_empty_wal(struct sqlite_conn *conn)
{
	char path[4096 + 8];
	struct stat st;
	if (conn->db == NULL)
		return;
	int len = snprintf(path, sizeof(path), "%s-wal", conn->path);
	if (len > 0 && (size_t)len < sizeof(path) && stat(path, &st) == 0 && st.st_size == 0)
		(void)sqlite3_db_config(conn->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
}

void sqlite_conn_close(struct sqlite_conn *conn)
{
	clean_up_empty_wal(conn);
	for (size_t i = 0; i < SQLITE_QUERY_COUNT; i++) {
		(void)sqlite3_finalize(conn->stmts[i]); /* its error was told by its step */
		conn->stmts[i] = NULL;
	}
	int rc = sqlite3_close(conn->db);
	td_assert(rc == SQLITE_OK); /* else a statement was left open */
	conn->db = NULL;
	td_free(conn->path);
	conn->path = NULL;
}

/* ---- statements */

sqlite3_stmt *sqlite_conn_stmt(
	struct sqlite_conn *conn, enum sqlite_query query, struct td_err *err)
{
	if (conn->stmts[query] == NULL) {
		int rc = sqlite3_prepare_v3(conn->db, queries[query], -1, SQLITE_PREPARE_PERSISTENT,
			&conn->stmts[query], NULL);
		if (rc != SQLITE_OK)
			(void)sqlite_conn_fail(conn, rc, err);
	}
	return conn->stmts[query];
}

enum td_status sqlite_conn_finish(struct sqlite_conn *conn, sqlite3_stmt *stmt, struct td_err *err)
{
	int rc = sqlite3_step(stmt);
	while (rc == SQLITE_ROW)
		rc = sqlite3_step(stmt);
	enum td_status status = rc == SQLITE_DONE ? TD_OK : sqlite_conn_fail(conn, rc, err);
	(void)sqlite3_reset(stmt);
	return status;
}

enum td_status sqlite_conn_run(
	struct sqlite_conn *conn, enum sqlite_query query, struct td_err *err)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, query, err);
	if (stmt == NULL)
		return err != NULL ? err->code : TD_INTERNAL;
	return sqlite_conn_finish(conn, stmt, err);
}

static enum td_status step_number(
	struct sqlite_conn *conn, sqlite3_stmt *stmt, int64_t *ret_number, struct td_err *err)
{
	int rc = sqlite3_step(stmt);
	enum td_status status = TD_OK;
	if (rc == SQLITE_ROW)
		*ret_number = sqlite3_column_int64(stmt, 0);
	else if (rc == SQLITE_DONE)
		status = td_err_set(err, TD_NOTFOUND, "%s: no row", conn->path);
	else
		status = sqlite_conn_fail(conn, rc, err);
	(void)sqlite3_reset(stmt);
	return status;
}

enum td_status sqlite_conn_number(
	struct sqlite_conn *conn, enum sqlite_query query, int64_t *ret_number, struct td_err *err)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, query, err);
	if (stmt == NULL)
		return err != NULL ? err->code : TD_INTERNAL;
	return step_number(conn, stmt, ret_number, err);
}

enum td_status sqlite_conn_number_of(
	struct sqlite_conn *conn, const char *sql, int64_t *ret_number, struct td_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(conn->db, sql, -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return sqlite_conn_fail(conn, rc, err);
	enum td_status status = step_number(conn, stmt, ret_number, err);
	(void)sqlite3_finalize(stmt);
	return status;
}

enum td_status sqlite_conn_exec(struct sqlite_conn *conn, const char *sql, struct td_err *err)
{
	int rc = sqlite3_exec(conn->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? TD_OK : sqlite_conn_fail(conn, rc, err);
}

/* ---- transactions */

enum td_status sqlite_conn_begin(
	struct sqlite_conn *conn, enum sqlite_query begin, struct td_err *err)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, begin, err);
	if (stmt == NULL)
		return err != NULL ? err->code : TD_INTERNAL;
	/* SQLite does not ask the busy handler where it fears a deadlock; so try here, too. */
	for (int tries = 0;; tries++) {
		int rc = sqlite3_step(stmt);
		(void)sqlite3_reset(stmt);
		if (rc == SQLITE_DONE)
			return TD_OK;
		if ((rc & 0xFF) != SQLITE_BUSY || sqlite_conn_is_late(conn))
			return sqlite_conn_fail(conn, rc, err);
		pause_before_try(tries);
	}
}

bool sqlite_conn_is_open(const struct sqlite_conn *conn)
{
	return sqlite3_get_autocommit(conn->db) == 0;
}

void sqlite_conn_rollback(struct sqlite_conn *conn)
{
	/* The one statement that must not be interrupted. */
	uint64_t deadline_ms = conn->deadline_ms;
	const _Atomic uint64_t *stop_ms = conn->stop_ms;
	conn->deadline_ms = UINT64_MAX;
	conn->stop_ms = NULL;
	if (sqlite_conn_is_open(conn) &&
		sqlite_conn_run(conn, SQLITE_QUERY(ROLLBACK), NULL) != TD_OK)
		td_assert(!sqlite_conn_is_open(conn)); /* after an error it is over all the same */
	conn->deadline_ms = deadline_ms;
	conn->stop_ms = stop_ms;
}

/* ---- values */

/* Binding fails only for an index that is not there (a fault of ours) or bytes over SQLite's limit
 * of 10^9, which no operation may have. */
void sqlite_bind_slice(sqlite3_stmt *stmt, int index, struct td_slice text)
{
	int rc = sqlite3_bind_text64(stmt, index, text.ptr != NULL ? text.ptr : "", text.len,
		SQLITE_STATIC, SQLITE_UTF8);
	td_assert(rc == SQLITE_OK);
}

void sqlite_bind_optional(sqlite3_stmt *stmt, int index, struct td_slice text)
{
	if (text.ptr != NULL) {
		sqlite_bind_slice(stmt, index, text);
		return;
	}
	int rc = sqlite3_bind_null(stmt, index);
	td_assert(rc == SQLITE_OK);
}

void sqlite_bind_bytes(sqlite3_stmt *stmt, int index, const uint8_t *bytes, size_t len)
{
	int rc = sqlite3_bind_blob64(stmt, index, bytes, len, SQLITE_STATIC);
	td_assert(rc == SQLITE_OK);
}

void sqlite_bind_number(sqlite3_stmt *stmt, int index, int64_t number)
{
	int rc = sqlite3_bind_int64(stmt, index, number);
	td_assert(rc == SQLITE_OK);
}

struct td_slice sqlite_column_slice(sqlite3_stmt *stmt, int column)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);
	if (text == NULL)
		return td_slice(NULL, 0);
	return td_slice((const char *)text, (size_t)sqlite3_column_bytes(stmt, column));
}

struct td_slice sqlite_column_copy(sqlite3_stmt *stmt, int column, struct td_arena *arena)
{
	struct td_slice text = sqlite_column_slice(stmt, column);
	return text.ptr == NULL ? text : td_arena_slice(arena, text);
}
