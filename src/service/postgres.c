#include "service/postgres.h"

#include "base/log.h"
#include "service/connect_log.h"
#include "service/migration_log.h"
#include "store/postgres/store_postgres.h"

#include <poll.h>
#include <stdio.h>

#define AGAIN_MS 500

static void put_target(const struct settings *settings, char *out, size_t size)
{
	struct td_arena arena = TD_ARENA_INIT;
	const char *target = connect_url_target(&settings->postgres, &arena);
	(void)snprintf(out, size, "%s", target != NULL ? target : "");
	td_arena_done(&arena);
}

/* The variable that says what was refused. */
static const char *setting_of(const struct settings *settings, enum connect_class class)
{
	if (settings_is_set(settings, SETTING_DATABASE_URL))
		return "DATABASE_URL";
	if (class == CONNECT_PASSWORD)
		return "POSTGRES_USER and POSTGRES_PASSWORD";
	if (class == CONNECT_ROLE || class == CONNECT_PERMISSION)
		return "POSTGRES_USER";
	return class == CONNECT_DATABASE ? "POSTGRES_DB" : "POSTGRES_HOST";
}

static const char *first_host(const struct settings *settings)
{
	return settings->postgres.hosts[0].name;
}

const struct connect_log postgres_words = {
	.engine = "PostgreSQL",
	.prefix = "postgres",
	.service = "postgresql",
	.connected = "PostgreSQL connection pool created successfully",
	.put_target = put_target,
	.first_host = first_host,
	.setting_of = setting_of,
};

static void on_connecting(void *ctx)
{
	connect_log_connecting(&postgres_words, ctx);
}

static void on_start_failed(void *ctx, int64_t number, int64_t of,
	const struct connect_failures *failures, int64_t wait_ms)
{
	connect_log_start_failed(&postgres_words, ctx, number, of, failures, wait_ms);
}

static void on_gave_up(
	void *ctx, int64_t attempts, int64_t passed_ms, const struct connect_failures *failures)
{
	connect_log_gave_up(&postgres_words, ctx, attempts, passed_ms, failures);
}

static void on_bad_row(void *ctx, const struct store_bad_row *row)
{
	(void)ctx;
	td_log(TD_LOG_WARNING, "postgres.row", "%.*s %.*s is left out: %.*s",
		TD_SLICE_ARG(row->table), TD_SLICE_ARG(row->key), TD_SLICE_ARG(row->why));
}

static void on_up(void *ctx, bool again, int64_t away_ms)
{
	(void)ctx;
	connect_log_up(&postgres_words, again, away_ms);
}

static void on_refused(void *ctx, const struct td_err *err)
{
	const struct td_log_field fields[] = {{"check", "postgres.capacity"}, {NULL, NULL}};
	(void)ctx;
	td_log_fields(TD_LOG_WARNING, "postgres.refused", fields,
		"PostgreSQL cannot do what is asked: %s. Free disk space or memory on its machine",
		err->text);
}

static void on_lost(void *ctx, const struct connect_failures *failures)
{
	(void)ctx;
	connect_log_lost(&postgres_words, failures);
}

static void on_still_down(void *ctx, int64_t away_ms, const struct connect_failures *failures)
{
	connect_log_still_down(&postgres_words, ctx, away_ms, failures);
}

static enum td_status give_password(
	void *ctx, struct td_arena *arena, const char **ret_password, struct td_err *err)
{
	return settings_postgres_password(ctx, arena, ret_password, err);
}

struct store_postgres_config postgres_config(const struct settings *settings, const char *command)
{
	/* The store only reads them; its callbacks take a void pointer. */
	void *ctx = (void *)(uintptr_t)settings;
	return (struct store_postgres_config){
		.url = settings->postgres,
		.password = give_password,
		.password_ctx = ctx,
		.application = command,
		.clock = &td_clock_system,
		.connect_timeout_ms = settings->connect_timeout_ms,
		.store_timeout_ms = settings->store_timeout_ms,
		.schedule = connect_log_schedule(settings),
		.bad_row = on_bad_row,
		.observer = {.connecting = on_connecting,
			.start_failed = on_start_failed,
			.gave_up = on_gave_up,
			.up = on_up,
			.lost = on_lost,
			.still_down = on_still_down,
			.refused = on_refused,
			.ctx = ctx},
	};
}

enum td_status postgres_create(const struct settings *settings, const char *command,
	struct store **ret_store, struct td_err *err)
{
	const struct store_postgres_config config = postgres_config(settings, command);
	enum td_status status = store_postgres_create(&config, ret_store, err);
	if (status == TD_INVALID)
		(void)td_err_context(err, "DATABASE_URL");
	return status;
}

static void warn_of_server(const struct store_postgres_server *server)
{
	if (server->fsync_off)
		td_log(TD_LOG_WARNING, "postgres.fsync",
			"PostgreSQL runs with fsync off: a power cut may lose or damage "
			"what was acknowledged. Set fsync = on in postgresql.conf");
	if (server->synchronous_commit_off)
		td_log(TD_LOG_WARNING, "postgres.synchronous_commit",
			"PostgreSQL runs with synchronous_commit off: a crash "
			"loses the last acknowledged writes. Set synchronous_commit = on");
	if (server->pooled)
		td_log(TD_LOG_WARNING, "postgres.pooled",
			"A connection pooler stands before PostgreSQL: LISTEN does not work "
			"through it, so changes by others show within CATALOGUE_REFRESH");
}

enum td_status postgres_wait(struct store *store, struct td_err *err)
{
	struct store_postgres_server server;
	enum td_status status = store_postgres_wait(store);
	if (status != TD_OK)
		return td_err_set(err, status, "PostgreSQL could not be reached");
	if (store_postgres_inspect(store, &server, NULL) == TD_OK)
		warn_of_server(&server);
	return TD_OK;
}

/* Waits a moment; false where the process is to end. */
static bool may_go_on(service_go_on_fn *go_on, void *go_on_ctx)
{
	(void)poll(NULL, 0, AGAIN_MS);
	return go_on == NULL || go_on(go_on_ctx);
}

static bool is_lost(enum td_status status)
{
	return status == TD_UNAVAILABLE || status == TD_TIMEOUT;
}

enum td_status postgres_migrate(struct store *store, const struct settings *settings,
	service_go_on_fn *go_on, void *go_on_ctx, struct td_err *err)
{
	const struct store_postgres_migration migration = {
		.schema_dir = settings->schema_dir,
		.observer = {.observe = migration_log},
		.go_on = go_on,
		.go_on_ctx = go_on_ctx,
	};
	struct connect_schedule schedule = connect_log_schedule(settings);
	enum td_status status = store_postgres_migrate(store, &migration, err);
	if (is_lost(status))
		td_log_err(TD_LOG_WARNING, "migrate.again",
			"The migration was interrupted and is tried again", err);
	while (is_lost(status)) {
		if (go_on == NULL ? !connect_log_may_retry(&schedule)
				  : !may_go_on(go_on, go_on_ctx))
			break;
		status = store_postgres_migrate(store, &migration, err);
	}
	if (is_lost(status))
		(void)td_err_context(err, "PostgreSQL was lost during the migration; run "
					  "`tools-dashboard migrate` again when it is back");
	return status;
}

static enum td_status look_at_schema(
	struct store *store, const struct settings *settings, bool *ret_fits, struct td_err *err)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct migrate_plan plan;
	enum td_status status = store_postgres_plan(
		store, settings->schema_dir, &arena, &plan, err);
	if (status == TD_OK && plan.pending > 0)
		*ret_fits = false;
	else if (status == TD_OK) {
		*ret_fits = true;
		status = migrate_plan_check(&plan, MIGRATE_NEWER_ACCEPTED, err);
		if (status == TD_OK && plan.newer > 0)
			migration_log(NULL, &(struct migrate_event){.kind = MIGRATE_NEWER_DATABASE,
						    .flavour = SQL_POSTGRES,
						    .count = plan.newer});
	}
	td_arena_done(&arena);
	return status;
}

enum td_status postgres_wait_for_schema(struct store *store, const struct settings *settings,
	service_go_on_fn *go_on, void *go_on_ctx, struct td_err *err)
{
	bool fits = false, told = false;
	for (;;) {
		enum td_status status = look_at_schema(store, settings, &fits, err);
		if (status != TD_OK && status != TD_UNAVAILABLE && status != TD_TIMEOUT)
			return status;
		if (status == TD_OK && fits)
			return TD_OK;
		if (!told)
			td_log(TD_LOG_INFO, "postgres.waiting",
				"Waiting for the schema, which back-postgres or `tools-dashboard "
				"migrate` brings up to date");
		told = true;
		if (!may_go_on(go_on, go_on_ctx))
			return td_err_set(err, TD_STOPPING, "the service is stopping");
	}
}
