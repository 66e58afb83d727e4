/* Numbered migrations, for any database: which files there are, what was applied, what is to be
 * done, and the protocol: lock, read what was applied, verify, apply and record each file, unlock.
 * A store brings the port. Every decision to change something is made under the lock.
 *
 * One thread at a time. Texts and arrays live in the arena they were made with. */
#ifndef TD_MIGRATE_MIGRATE_H
#define TD_MIGRATE_MIGRATE_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/slice.h"
#include "migrate/sql_split.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- files ------------------------------------------------------------------------------- */

/* A line of its own in a file whose statements cannot run in a transaction. */
#define MIGRATE_NO_TRANSACTION "-- migrate: no-transaction"

struct migrate_file {
	uint32_t number;              /* of its name: 1 for 001_users.sql */
	struct td_slice name;         /* "001_users.sql" */
	struct td_slice text;         /* without a byte-order mark, lines ended by LF */
	uint8_t hash[TD_SHA256_SIZE]; /* of `text` */
	bool no_transaction;          /* holds MIGRATE_NO_TRANSACTION */
	const struct sql_statement *statements;
	size_t statement_count; /* 0 for a file of comments */
};

struct migrate_set {
	const struct migrate_file *files; /* by number */
	size_t count;
};

/* The files below `prefix` ("sqlite/") of `folder`, or the compiled-in ones where folder is NULL.
 * Their names are NNN_name.sql (.cql for SQL_CQL), with three to nine digits, at least 1; what does
 * not end so is passed over. TD_INVALID names the file (and line) that is not as it should be: its
 * name, a number that two have, bytes that are not UTF-8, a NUL, UTF-16, a string without end, a
 * statement that begins or ends a transaction. TD_SCHEMA: there is no file. TD_IO, TD_TOOBIG,
 * TD_NOMEM as asset_load(). */
enum td_status migrate_load(const char *folder, const char *prefix, enum sql_flavour flavour,
	struct td_arena *arena, struct migrate_set *ret_set, struct td_err *err) TD_MUST_CHECK;

/* One file from its bytes; what migrate_load() does for each. `name` without a folder. */
enum td_status migrate_file_parse(struct td_slice name, struct td_slice bytes,
	enum sql_flavour flavour, struct td_arena *arena, struct migrate_file *ret_file,
	struct td_err *err) TD_MUST_CHECK;

/* ---- plan -------------------------------------------------------------------------------- */

/* What a database says was applied to it. */
struct migrate_applied {
	uint32_t number;
	struct td_slice name;
	uint8_t hash[TD_SHA256_SIZE];
	int64_t applied_at; /* ms, UTC */
	bool unfinished;    /* begun outside a transaction and not known to be done */
};

/* State, its word in `migrate status`, and whether it stops a migration. */
#define MIGRATE_STATE_MAP(X)              \
	X(APPLIED, "applied", false)      \
	X(PENDING, "pending", false)      \
	X(EDITED, "edited", true)         \
	X(RENAMED, "renamed", true)       \
	X(MISSING, "missing", true)       \
	X(LATE, "out of order", true)     \
	X(UNFINISHED, "unfinished", true) \
	X(NEWER, "newer than this", true)

enum migrate_state {
#define MIGRATE_STATE_ENUM(name, word, stops) MIGRATE_##name,
	MIGRATE_STATE_MAP(MIGRATE_STATE_ENUM)
#undef MIGRATE_STATE_ENUM
	MIGRATE_STATE_COUNT
};

/* "applied"; static storage. */
const char *migrate_state_word(enum migrate_state state);

struct migrate_row {
	uint32_t number;
	struct td_slice name; /* as applied, or else as the file */
	enum migrate_state state;
	int64_t applied_at;              /* 0: never */
	const struct migrate_file *file; /* NULL for MISSING and NEWER */
};

struct migrate_plan {
	const struct migrate_row *rows; /* by number */
	size_t count;
	size_t applied, pending, newer;
};

/* What a store does when the database knows files that this program does not. */
enum migrate_newer {
	MIGRATE_NEWER_REFUSED,  /* TD_SCHEMA */
	MIGRATE_NEWER_ACCEPTED, /* start, and never migrate */
};

/* Compares files with what was applied. TD_NOMEM. */
enum td_status migrate_plan_make(const struct migrate_set *set,
	const struct migrate_applied *applied, size_t applied_count, struct td_arena *arena,
	struct migrate_plan *ret_plan, struct td_err *err) TD_MUST_CHECK;

/* TD_SCHEMA names the first file that stops it and what to do; TD_OK otherwise. */
enum td_status migrate_plan_check(const struct migrate_plan *plan, enum migrate_newer newer,
	struct td_err *err) TD_MUST_CHECK;

/* ---- protocol ---------------------------------------------------------------------------- */

/* What a store implements. */
struct migrate_port {
	void *ctx;

	/* TD_OK: this process alone migrates, until unlock(). TD_BUSY: another one has the lock,
	 * `err` says who, where that is known. Else it failed. Must not wait long. */
	enum td_status (*try_lock)(void *ctx, struct td_err *err);

	/* Waits a moment after TD_BUSY; false: give up (the time is over, the process stops). */
	bool (*pause)(void *ctx);

	void (*unlock)(void *ctx);

	/* In any order; none where the database was never migrated. Called under the lock. */
	enum td_status (*read_applied)(void *ctx, struct td_arena *arena,
		struct migrate_applied **ret_applied, size_t *ret_count, struct td_err *err);

	/* Runs the file's statements and records it, all in one transaction (unless
	 * file->no_transaction). TD_CONFLICT: somebody got in between, nothing was done, the
	 * protocol begins again. */
	enum td_status (*apply)(void *ctx, const struct migrate_file *file, struct td_err *err);
};

enum migrate_event_kind {
	MIGRATE_WAITING,        /* another process migrates; told once, and again every 100 tries */
	MIGRATE_RUNNING,        /* `count` files are pending */
	MIGRATE_EXECUTING,      /* `name` begins */
	MIGRATE_COMPLETED,      /* `name` is committed */
	MIGRATE_UP_TO_DATE,     /* `count` are applied, none is pending */
	MIGRATE_NEWER_DATABASE, /* `count` are applied that this program does not know */
};

struct migrate_event {
	enum migrate_event_kind kind;
	enum sql_flavour flavour;
	size_t count;
	struct td_slice name; /* WAITING: who has the lock, may be empty */
};

/* Called in the thread that runs the migration. */
typedef void migrate_observe_fn(void *ctx, const struct migrate_event *event);

struct migrate_observer {
	migrate_observe_fn *observe; /* NULL: nobody */
	void *ctx;
};

/* The line of the start-up log: "Running 4 migration files...". Cut where it does not fit. */
#define MIGRATE_EVENT_TEXT_SIZE 256
void migrate_event_text(const struct migrate_event *event, char out[MIGRATE_EVENT_TEXT_SIZE]);

struct migrate_config {
	const struct migrate_set *set;
	enum sql_flavour flavour;
	enum migrate_newer newer;
	struct migrate_observer observer;
};

/* Brings the database up to date. TD_OK also when nothing was pending. TD_SCHEMA as
 * migrate_plan_check(); TD_BUSY: another process had the lock until pause() gave up; else what the
 * port said, with the file's name. Files before the one that failed stay applied. */
enum td_status migrate_run(const struct migrate_config *config, const struct migrate_port *port,
	struct td_err *err) TD_MUST_CHECK;

#endif
