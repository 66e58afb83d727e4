/* Cassandra's store as the settings name it; says on the log what connecting and migrating do (the
 * lines of the start-up log that outside tests read). */
#ifndef TD_SERVICE_CASSANDRA_H
#define TD_SERVICE_CASSANDRA_H

#include "base/err.h"
#include "service/connect_log.h"
#include "service/go_on.h"
#include "settings/settings.h"
#include "store/cassandra/store_cassandra.h"
#include "store/store.h"

/* What it is called on the log. */
extern const struct connect_log cassandra_words;

/* How the settings, which are borrowed, configure it. */
struct store_cassandra_config cassandra_config(
	const struct settings *settings, const char *command);

/* Begins to connect; see store_cassandra_create(). `settings` and `command` are borrowed until the
 * store is destroyed. TD_INVALID: a certificate or key cannot be used. */
enum td_status cassandra_create(const struct settings *settings, const char *command,
	struct store **ret_store, struct td_err *err) TD_MUST_CHECK;

/* The same; but it does not give up when the schedule is used up, until
 * store_cassandra_keep_trying() says so. */
enum td_status cassandra_create_beside(const struct settings *settings, const char *command,
	struct store **ret_store, struct td_err *err) TD_MUST_CHECK;

/* Waits until the store is connected. TD_UNAVAILABLE: it could not be reached, which the log has
 * said; TD_STOPPING. */
enum td_status cassandra_wait(struct store *store, struct td_err *err) TD_MUST_CHECK;

/* Makes and migrates the keyspace, and after a loss again: as long as go_on says so; without one (a
 * command), on the schedule of CONNECT_*. Then warns where its replication is weak. TD_INVALID,
 * TD_DENIED, TD_SCHEMA, TD_STOPPING. */
enum td_status cassandra_migrate(struct store *store, const struct settings *settings,
	service_go_on_fn *go_on, void *go_on_ctx, struct td_err *err) TD_MUST_CHECK;

/* Waits, with one line on the log, until others have brought the schema to ours at least, and a
 * moment longer for the content. TD_STOPPING, TD_SCHEMA. */
enum td_status cassandra_wait_for_schema(struct store *store, const struct settings *settings,
	service_go_on_fn *go_on, void *go_on_ctx, struct td_err *err) TD_MUST_CHECK;

#endif
