/* PostgreSQL's store as the settings name it; says on the log what connecting and migrating do (the
 * lines of the start-up log that outside tests read). */
#ifndef TD_SERVICE_POSTGRES_H
#define TD_SERVICE_POSTGRES_H

#include "base/err.h"
#include "migrate/migrate.h"
#include "service/connect_log.h"
#include "service/go_on.h"
#include "settings/settings.h"
#include "store/postgres/store_postgres.h"
#include "store/store.h"

/* What it is called on the log. */
extern const struct connect_log postgres_words;

/* How the settings, which are borrowed, configure it. */
struct store_postgres_config postgres_config(const struct settings *settings, const char *command);

/* Begins to connect; see store_postgres_create(). `settings` is borrowed until the store is
 * destroyed. `command` is shown in pg_stat_activity. */
enum td_status postgres_create(const struct settings *settings, const char *command,
	struct store **ret_store, struct td_err *err) TD_MUST_CHECK;

/* Waits until the store is connected, then warns of what the server's settings put at risk.
 * TD_UNAVAILABLE: it could not be reached, which the log has said; TD_STOPPING. */
enum td_status postgres_wait(struct store *store, struct td_err *err) TD_MUST_CHECK;

/* Migrates, and after a lost connection again: as long as go_on says so; without one (a command),
 * on the schedule of CONNECT_*, then TD_UNAVAILABLE. TD_SCHEMA, TD_STOPPING, others as
 * migrate_run(). */
enum td_status postgres_migrate(struct store *store, const struct settings *settings,
	service_go_on_fn *go_on, void *go_on_ctx, struct td_err *err) TD_MUST_CHECK;

/* Waits, with one line on the log, until others have brought the schema to ours at least.
 * TD_STOPPING, TD_SCHEMA. */
enum td_status postgres_wait_for_schema(struct store *store, const struct settings *settings,
	service_go_on_fn *go_on, void *go_on_ctx, struct td_err *err) TD_MUST_CHECK;

#endif
