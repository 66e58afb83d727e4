#include "service/postgres.h"

#include "base/log.h"
#include "service/migration_log.h"
#include "store/postgres/store_postgres.h"

#include <poll.h>
#include <stdio.h>

#define AGAIN_MS 500

/* "2", "0.5": seconds without what is not needed. */
static void put_seconds(int64_t ms, char out[32])
{
	if (ms % 1000 == 0)
		(void)snprintf(out, 32, "%lld", (long long)(ms / 1000));
	else
		(void)snprintf(out, 32, "%.3g", (double)ms / 1000.0);
}

static void put_target(const struct settings *settings, char *out, size_t size)
{
	struct td_arena arena = TD_ARENA_INIT;
	const char *target = connect_url_target(&settings->postgres, &arena);
	(void)snprintf(out, size, "%s", target != NULL ? target : "");
	td_arena_done(&arena);
}

/* " check=postgres.tcp" of the failure that tells most. */
static void put_check(const struct connect_failures *failures, char out[40])
{
	(void)snprintf(out, 40, "postgres.%s",
		connect_class_layer(connect_failures_worst(failures)->class));
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

static void put_advice(const struct settings *settings, const struct connect_failures *failures,
	char *out, size_t size)
{
	const struct connect_place place = {
		.engine = "PostgreSQL",
		.service_name = "postgresql",
		.setting = setting_of(settings, connect_failures_worst(failures)->class),
		.host = settings->postgres.hosts[0].name,
		.in_container = connect_in_container(),
	};
	connect_advice(connect_failures_worst(failures)->class, &place, out, size);
}

/* The mistake that only this advice can explain: localhost inside a container. */
static bool is_own_container(
	const struct settings *settings, const struct connect_failures *failures)
{
	return connect_in_container() && connect_is_loopback(settings->postgres.hosts[0].name) &&
	       connect_failures_worst(failures)->class == CONNECT_REFUSED;
}

static void say(enum td_log_level level, const char *event, const struct connect_failures *failures,
	const char *text)
{
	char check[40];
	put_check(failures, check);
	const struct td_log_field fields[] = {{"check", check}, {NULL, NULL}};
	td_log_fields(level, event, fields, "%s", text);
}

static void on_connecting(void *ctx)
{
	char target[400];
	put_target(ctx, target, sizeof(target));
	td_log(TD_LOG_INFO, "postgres.connecting", "Connecting to PostgreSQL at %s", target);
}

static void on_start_failed(void *ctx, int64_t number, int64_t of,
	const struct connect_failures *failures, int64_t wait_ms)
{
	char text[2000], reasons[1200], of_text[32] = "", advice[400] = "", seconds[32];
	if (of >= 0)
		(void)snprintf(of_text, sizeof(of_text), "/%lld", (long long)of);
	if (is_own_container(ctx, failures))
		put_advice(ctx, failures, advice, sizeof(advice));
	connect_failures_text(failures, reasons, sizeof(reasons));
	(void)snprintf(text, sizeof(text),
		"Failed to connect to PostgreSQL (attempt %lld%s): %s%s%s", (long long)number,
		of_text, reasons, advice[0] != '\0' ? ". " : "", advice);
	say(TD_LOG_WARNING, "postgres.failed", failures, text);
	put_seconds(wait_ms, seconds);
	td_log(TD_LOG_INFO, "postgres.retrying", "Retrying in %s seconds...", seconds);
}

static void on_gave_up(
	void *ctx, int64_t attempts, int64_t passed_ms, const struct connect_failures *failures)
{
	char text[2000], target[400], reasons[1000], advice[400];
	put_target(ctx, target, sizeof(target));
	put_advice(ctx, failures, advice, sizeof(advice));
	connect_failures_text(failures, reasons, sizeof(reasons));
	(void)snprintf(text, sizeof(text),
		"Failed to connect after %lld attempts (%lld s): PostgreSQL at %s: %s. %s",
		(long long)attempts, (long long)(passed_ms / 1000), target, reasons, advice);
	say(TD_LOG_ERROR, "postgres.gave_up", failures, text);
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
	if (!again)
		td_log(TD_LOG_INFO, "postgres.connected",
			"PostgreSQL connection pool created successfully");
	else
		td_log(TD_LOG_INFO, "postgres.reconnected", "PostgreSQL is back after %.1f s",
			(double)away_ms / 1000.0);
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
	char text[1400], reasons[1200];
	(void)ctx;
	connect_failures_text(failures, reasons, sizeof(reasons));
	(void)snprintf(text, sizeof(text), "PostgreSQL is lost, reconnecting: %s", reasons);
	say(TD_LOG_WARNING, "postgres.lost", failures, text);
}

static void on_still_down(void *ctx, int64_t away_ms, const struct connect_failures *failures)
{
	char text[1800], reasons[1200], advice[400];
	put_advice(ctx, failures, advice, sizeof(advice));
	connect_failures_text(failures, reasons, sizeof(reasons));
	(void)snprintf(text, sizeof(text), "PostgreSQL is away for %lld s: %s. %s",
		(long long)(away_ms / 1000), reasons, advice);
	say(TD_LOG_WARNING, "postgres.down", failures, text);
}

static enum td_status give_password(
	void *ctx, struct td_arena *arena, const char **ret_password, struct td_err *err)
{
	return settings_postgres_password(ctx, arena, ret_password, err);
}

static struct connect_schedule schedule_of(const struct settings *settings)
{
	return (struct connect_schedule){
		.max_retries = settings->connect_max_retries,
		.initial_ms = settings->connect_initial_delay_ms,
		.max_ms = settings->connect_max_delay_ms,
	};
}

enum td_status postgres_create(const struct settings *settings, const char *command,
	struct store **ret_store, struct td_err *err)
{
	/* The store only reads them; its callbacks take a void pointer. */
	void *ctx = (void *)(uintptr_t)settings;
	const struct store_postgres_config config = {
		.url = settings->postgres,
		.password = give_password,
		.password_ctx = ctx,
		.application = command,
		.clock = &td_clock_system,
		.connect_timeout_ms = settings->connect_timeout_ms,
		.store_timeout_ms = settings->store_timeout_ms,
		.schedule = schedule_of(settings),
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
static bool may_go_on(postgres_go_on_fn *go_on, void *go_on_ctx)
{
	(void)poll(NULL, 0, AGAIN_MS);
	return go_on == NULL || go_on(go_on_ctx);
}

/* The same for a command, which gives up in the end. */
static bool may_retry(struct connect_schedule *schedule)
{
	char seconds[32];
	int64_t wait_ms;
	if (!connect_schedule_next(schedule, &wait_ms))
		return false;
	put_seconds(wait_ms, seconds);
	td_log(TD_LOG_INFO, "migrate.retrying", "Retrying in %s seconds...", seconds);
	(void)poll(NULL, 0, (int)wait_ms);
	return true;
}

static bool is_lost(enum td_status status)
{
	return status == TD_UNAVAILABLE || status == TD_TIMEOUT;
}

enum td_status postgres_migrate(struct store *store, const struct settings *settings,
	postgres_go_on_fn *go_on, void *go_on_ctx, struct td_err *err)
{
	const struct store_postgres_migration migration = {
		.schema_dir = settings->schema_dir,
		.observer = {.observe = migration_log},
		.go_on = go_on,
		.go_on_ctx = go_on_ctx,
	};
	struct connect_schedule schedule = schedule_of(settings);
	enum td_status status = store_postgres_migrate(store, &migration, err);
	if (is_lost(status))
		td_log_err(TD_LOG_WARNING, "migrate.again",
			"The migration was interrupted and is tried again", err);
	while (is_lost(status)) {
		if (go_on == NULL ? !may_retry(&schedule) : !may_go_on(go_on, go_on_ctx))
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
	postgres_go_on_fn *go_on, void *go_on_ctx, struct td_err *err)
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
