/* The database file before it is served: is it there, is it ours, is its schema the program's?
 * Nothing is written before all that is known. Only for src/store/sqlite/. */
#ifndef TD_STORE_SQLITE_FILE_H
#define TD_STORE_SQLITE_FILE_H

#include "store/sqlite/conn.h"
#include "store/sqlite/store_sqlite.h"

/* The path itself: a folder, a missing folder above it, marked read-only. *ret_exists: there is a
 * file. Errors as store_sqlite_open(). */
enum td_status sqlite_file_check_path(
	const char *path, bool *ret_exists, struct td_err *err) TD_MUST_CHECK;

/* Opens `conn` and finds out whether the file is ours, or empty. It is open on TD_OK only; nothing
 * was written, and closing it writes nothing. */
enum td_status sqlite_file_open(const struct store_sqlite_config *config, bool create,
	struct sqlite_conn *conn, struct td_err *err) TD_MUST_CHECK;

/* Compares the file with the program's migrations. */
enum td_status sqlite_file_plan(struct sqlite_conn *conn, const struct migrate_set *set,
	struct td_arena *arena, struct migrate_plan *ret_plan, struct td_err *err) TD_MUST_CHECK;

/* TD_SCHEMA as migrate_plan_check(), with the file's name. */
enum td_status sqlite_file_check_plan(const struct sqlite_conn *conn,
	const struct migrate_plan *plan, struct td_err *err) TD_MUST_CHECK;

/* Switches the file to WAL and applies what is pending. */
enum td_status sqlite_file_migrate(const struct store_sqlite_config *config,
	struct sqlite_conn *conn, const struct migrate_set *set, struct td_err *err) TD_MUST_CHECK;

/* When opening gives up waiting, of the clock's mono_ms. */
uint64_t sqlite_file_give_up_ms(const struct store_sqlite_config *config);

#endif
