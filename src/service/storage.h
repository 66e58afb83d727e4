/* The store as the settings name it, for `serve` and for commands; says on the log what it does. */
#ifndef TD_SERVICE_STORAGE_H
#define TD_SERVICE_STORAGE_H

#include "base/err.h"
#include "migrate/migrate.h"
#include "service/go_on.h"
#include "settings/settings.h"
#include "store/sqlite/store_sqlite.h"
#include "store/store.h"

/* How the settings configure it; `settings` is borrowed. Migrating says its lines. */
struct store_sqlite_config storage_config(const struct settings *settings);

/* Opens, and migrates where `migrate`. Errors as store_sqlite_open(). Give it to store_destroy().
 */
enum td_status storage_open(const struct settings *settings, bool migrate, struct store **ret_store,
	struct td_err *err) TD_MUST_CHECK;

/* Waits, with one line on the log, until another process has made and migrated the file.
 * TD_STOPPING; others as store_sqlite_plan(). */
enum td_status storage_wait_for_schema(const struct settings *settings, service_go_on_fn *go_on,
	void *go_on_ctx, struct td_err *err) TD_MUST_CHECK;

/* Writes the catalogue of the settings into stores that have none: content into `content`, packages
 * (and content, where nothing else has it) into `records`, in this order; either may be NULL. An
 * exit code; `err` where it is not 0: TD_EXIT_SETTING where CATALOGUE_FILE is wrong (its faults
 * were logged). */
int storage_populate(const struct settings *settings, struct store *records, struct store *content,
	struct td_err *err) TD_MUST_CHECK;

#endif
