/* The embedded store: one SQLite file (WAL, synchronous=FULL), one lane that writes and some that
 * read. Several processes may use the same file.
 *
 * Writes that wait are committed together, and answered after their commit. A lock that another
 * program holds is waited for until the operations' deadlines, never longer. */
#ifndef TD_STORE_SQLITE_STORE_SQLITE_H
#define TD_STORE_SQLITE_STORE_SQLITE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "migrate/migrate.h"
#include "store/examine.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

/* "TDB1": in the header of every file of ours, so that a file of another program is recognised. */
#define STORE_SQLITE_APPLICATION_ID 0x54444231

/* Told by a lane's thread, without a lock; either may be NULL. */
struct store_sqlite_observer {
	/* It cannot do what is asked: at most once a minute. */
	void (*failing)(void *ctx, const struct td_err *err);
	/* It can again, so long after that was told first. */
	void (*works)(void *ctx, int64_t away_ms);
	void *ctx;
};

struct store_sqlite_config {
	const char *path;             /* the file; made where it is missing */
	const char *schema_dir;       /* SCHEMA_DIR, or NULL: the compiled-in migrations */
	const struct td_clock *clock; /* borrowed until destroy */
	unsigned timeout_ms;      /* STORE_TIMEOUT: how long opening waits for a lock; 0: 10000 */
	size_t write_queue_limit; /* 0: 8192 */
	size_t read_queue_limit;  /* of each reader lane; 0: 8192 */
	unsigned reader_count;    /* 1 to 16; 0: 2 */
	unsigned watch_ms; /* how often changes by others are looked for, 10 to 10000; 0: 100 */
	bool migrate;      /* false: a file that is not up to date is TD_SCHEMA */
	struct migrate_observer observer; /* told what is migrated */
	struct store_sqlite_observer faults;
};

/* Opens (and makes, and migrates) the file. `config` and its texts are only used during the call.
 * On failure the file is as it was, `err` names it, the reason and what to do:
 *   TD_UNAVAILABLE  missing folder, no permission, read-only, full disk, locked by another program
 *   TD_INVALID      it is not ours: no SQLite file, or that of another program
 *   TD_CORRUPT      it is damaged
 *   TD_SCHEMA       an applied migration was edited or is missing; the file is of a newer version
 *   others          as migrate_load() */
enum td_status store_sqlite_open(const struct store_sqlite_config *config, struct store **ret_store,
	struct td_err *err) TD_MUST_CHECK;

/* What store_sqlite_open() would migrate; changes nothing, makes no file. A file that is not there
 * has everything pending; a file that was edited or is missing is no error here, its row says so
 * (migrate_plan_check() makes it one). Other errors as above. The plan lives in `arena`. */
enum td_status store_sqlite_plan(const struct store_sqlite_config *config, struct td_arena *arena,
	struct migrate_plan *ret_plan, struct td_err *err) TD_MUST_CHECK;

/* Migrates and closes again: `tools-dashboard migrate`. Errors as above. */
enum td_status store_sqlite_migrate(
	const struct store_sqlite_config *config, struct td_err *err) TD_MUST_CHECK;

/* For doctor: what is to be found of the file, up to the first layer that fails; within
 * config->timeout_ms. Changes nothing and makes no file. */
void store_sqlite_examine(const struct store_sqlite_config *config, struct store_examination *x);

#endif
