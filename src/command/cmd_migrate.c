#include "base/clock.h"
#include "base/json.h"
#include "command/command.h"
#include "service/cassandra.h"
#include "service/postgres.h"
#include "service/session.h"
#include "service/storage.h"
#include "store/cassandra/store_cassandra.h"
#include "store/postgres/store_postgres.h"

static void put_row_text(struct td_buf *out, const struct migrate_row *row)
{
	char time[TD_TIME_TEXT_SIZE] = "";
	if (row->applied_at != 0)
		td_time_format(row->applied_at, time);
	td_buf_printf(out, "%-36.*s %-16s%s\n", TD_SLICE_ARG(row->name),
		migrate_state_word(row->state), time);
}

static void put_row_json(struct td_json *json, const struct migrate_row *row)
{
	td_json_open(json, '{');
	td_json_name(json, "name");
	td_json_slice(json, row->name);
	td_json_member_str(json, "state", migrate_state_word(row->state));
	td_json_name(json, "applied_at");
	if (row->applied_at != 0)
		td_json_time(json, row->applied_at);
	else
		td_json_null(json);
	td_json_close(json, '}');
}

/* Of every database that the settings name. */
struct plans {
	struct migrate_plan list[2];
	size_t count;
};

static size_t applied_of(const struct plans *plans)
{
	size_t applied = 0;
	for (size_t i = 0; i < plans->count; i++)
		applied += plans->list[i].applied;
	return applied;
}

static size_t pending_of(const struct plans *plans)
{
	size_t pending = 0;
	for (size_t i = 0; i < plans->count; i++)
		pending += plans->list[i].pending;
	return pending;
}

static void put_plans_json(struct td_buf *out, const struct plans *plans)
{
	struct td_json json = td_json_to(out);
	td_json_open(&json, '{');
	td_json_member_i64(&json, "applied", (int64_t)applied_of(plans));
	td_json_member_i64(&json, "pending", (int64_t)pending_of(plans));
	td_json_name(&json, "migrations");
	td_json_open(&json, '[');
	for (size_t p = 0; p < plans->count; p++) {
		for (size_t i = 0; i < plans->list[p].count; i++)
			put_row_json(&json, &plans->list[p].rows[i]);
	}
	td_json_close(&json, ']');
	td_json_close(&json, '}');
	td_buf_put_char(out, '\n');
}

/* `sound`: nothing stops them. */
static void put_plans_text(
	struct td_buf *out, const struct plans *plans, bool only_pending, bool sound)
{
	for (size_t p = 0; p < plans->count; p++) {
		const struct migrate_plan *plan = &plans->list[p];
		for (size_t i = 0; i < plan->count; i++) {
			if (!only_pending || plan->rows[i].state == MIGRATE_PENDING)
				put_row_text(out, &plan->rows[i]);
		}
	}
	if (sound && pending_of(plans) == 0)
		td_buf_printf(out, "Schema is up to date (%zu migrations)\n", applied_of(plans));
	else if (sound)
		td_buf_printf(out, "%zu to run\n", pending_of(plans));
}

static enum td_status plan_sqlite(const struct settings *settings, struct td_arena *arena,
	struct plans *plans, struct td_err *err)
{
	const struct store_sqlite_config config = storage_config(settings);
	return store_sqlite_plan(&config, arena, &plans->list[plans->count++], err);
}

static enum td_status plan_postgres(const struct settings *settings, struct td_arena *arena,
	struct plans *plans, struct td_err *err)
{
	struct store *store = NULL;
	enum td_status status = postgres_create(settings, "tools-dashboard migrate", &store, err);
	if (status == TD_OK)
		status = postgres_wait(store, err);
	if (status == TD_OK)
		status = store_postgres_plan(
			store, settings->schema_dir, arena, &plans->list[plans->count++], err);
	store_destroy(store);
	return status;
}

static enum td_status plan_cassandra(const struct settings *settings, struct td_arena *arena,
	struct plans *plans, struct td_err *err)
{
	struct store *store = NULL;
	enum td_status status = cassandra_create(settings, "tools-dashboard migrate", &store, err);
	if (status == TD_OK)
		status = cassandra_wait(store, err);
	if (status == TD_OK)
		status = store_cassandra_plan(
			store, settings->schema_dir, arena, &plans->list[plans->count++], err);
	store_destroy(store);
	return status;
}

static enum td_status make_plans(const struct settings *settings, struct td_arena *arena,
	struct plans *plans, struct td_err *err)
{
	if (!settings->uses_postgres)
		return plan_sqlite(settings, arena, plans, err);
	enum td_status status = plan_postgres(settings, arena, plans, err);
	if (status == TD_OK && settings->uses_cassandra)
		status = plan_cassandra(settings, arena, plans, err);
	return status;
}

/* What stops them: the first. */
static bool check_plans(
	const struct settings *settings, const struct plans *plans, struct td_err *err)
{
	enum migrate_newer newer = settings->uses_postgres ? MIGRATE_NEWER_ACCEPTED
							   : MIGRATE_NEWER_REFUSED;
	for (size_t i = 0; i < plans->count; i++) {
		if (migrate_plan_check(&plans->list[i], newer, err) != TD_OK)
			return false;
	}
	return true;
}

/* Prints the plans; what stops them comes behind as an error. */
static int show_plan(
	const struct command_call *call, const struct settings *settings, bool only_pending)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	struct td_buf out = TD_BUF_INIT;
	struct plans plans = {.count = 0};
	int code = TD_EXIT_DONE;
	if (make_plans(settings, &arena, &plans, &err) != TD_OK) {
		code = command_fail_err(exit_code_of_store(&err), &err);
	} else {
		bool sound = check_plans(settings, &plans, &err);
		if (command_option(call, "json") != NULL)
			put_plans_json(&out, &plans);
		else
			put_plans_text(&out, &plans, only_pending, sound);
		code = command_print(&out);
		if (!sound)
			code = command_fail_err(exit_code_of_store(&err), &err);
	}
	td_arena_done(&arena);
	return code;
}

static int migrate(const struct settings *settings)
{
	struct td_err err = TD_ERR_INIT;
	struct session session;
	if (settings->uses_postgres) {
		if (session_open(&session, settings, SESSION_CONTENT | SESSION_MIGRATES, &err) ==
			TD_OK) {
			session_close(&session);
			return TD_EXIT_DONE;
		}
		return command_fail_err(exit_code_of_store(&err), &err);
	}
	const struct store_sqlite_config config = storage_config(settings);
	if (store_sqlite_migrate(&config, &err) == TD_OK)
		return TD_EXIT_DONE;
	return command_fail_err(exit_code_of_store(&err), &err);
}

static int run_migrate(struct command_call *call)
{
	int code;
	struct settings *settings = command_load_settings(call, &code);
	if (settings == NULL)
		return code;
	if (command_option(call, "dry-run") != NULL)
		code = show_plan(call, settings, true);
	else
		code = migrate(settings);
	settings_free(settings);
	return code;
}

static int run_status(struct command_call *call)
{
	int code;
	struct settings *settings = command_load_settings(call, &code);
	if (settings == NULL)
		return code;
	code = show_plan(call, settings, false);
	settings_free(settings);
	return code;
}

static const struct command_option migrate_options[] = {
	{"dry-run", NULL, "Says what would be run, and changes nothing."},
	{"json", NULL, "With --dry-run: as a JSON object."},
	{NULL, NULL, NULL},
};

static const struct command_option status_options[] = {
	{"json", NULL, "As a JSON object."},
	{NULL, NULL, NULL},
};

const struct command command_migrate = {
	.name = "migrate",
	.summary = "Brings the database's tables up to date.",
	.about = "`serve` does this itself; it is for whoever wants to see it happen before. Each "
		 "file is\n"
		 "committed together with its record, so that it may be stopped at any moment.",
	.examples = "tools-dashboard migrate --dry-run\twhat would be run\n"
		    "tools-dashboard migrate\trun it\n"
		    "tools-dashboard migrate status\twhat was run, and when",
	.options = migrate_options,
	.takes_settings = true,
	.uses_content = true,
	.run = run_migrate,
};

const struct command command_migrate_status = {
	.name = "migrate status",
	.summary = "Lists the migrations: applied, pending, edited, missing.",
	.about = "Changes nothing. Ends with 5 where something is not as it should be.",
	.examples = "tools-dashboard migrate status --json\tfor a program to read",
	.options = status_options,
	.takes_settings = true,
	.uses_content = true,
	.run = run_status,
};
