#include "service/storage.h"

#include "base/log.h"
#include "catalogue/catalogue.h"
#include "service/exit_code.h"
#include "service/migration_log.h"

#include <poll.h>

#define AGAIN_MS 500

struct store_sqlite_config storage_config(const struct settings *settings)
{
	return (struct store_sqlite_config){
		.path = settings->sqlite_path,
		.schema_dir = settings->schema_dir,
		.clock = &td_clock_system,
		.timeout_ms = (unsigned)settings->store_timeout_ms,
		.migrate = true,
		.observer = {.observe = migration_log},
	};
}

static enum td_status schema_fits(
	const struct settings *settings, bool *ret_fits, struct td_err *err)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct migrate_plan plan;
	const struct store_sqlite_config config = storage_config(settings);
	enum td_status status = store_sqlite_plan(&config, &arena, &plan, err);
	if (status == TD_OK)
		*ret_fits = plan.pending == 0;
	td_arena_done(&arena);
	return status;
}

enum td_status storage_wait_for_schema(const struct settings *settings, service_go_on_fn *go_on,
	void *go_on_ctx, struct td_err *err)
{
	bool told = false, fits = false;
	for (;;) {
		enum td_status status = schema_fits(settings, &fits, err);
		if (status != TD_OK || fits)
			return status;
		if (!told)
			td_log(TD_LOG_INFO, "sqlite.waiting",
				"Waiting for the schema of %s, which `tools-dashboard migrate` or "
				"serve brings up to date",
				settings->sqlite_path);
		told = true;
		(void)poll(NULL, 0, AGAIN_MS);
		if (!go_on(go_on_ctx))
			return td_err_set(err, TD_STOPPING, "the service is stopping");
	}
}

static void say_failing(void *ctx, const struct td_err *err)
{
	(void)ctx;
	td_log_err(TD_LOG_WARNING, "sqlite.failing", "SQLite cannot do what is asked", err);
}

static void say_works(void *ctx, int64_t away_ms)
{
	(void)ctx;
	td_log(TD_LOG_INFO, "sqlite.works", "SQLite works again after %.1f s",
		(double)away_ms / 1000.0);
}

enum td_status storage_open(
	const struct settings *settings, bool migrate, struct store **ret_store, struct td_err *err)
{
	struct store_sqlite_config config = storage_config(settings);
	config.migrate = migrate;
	config.faults = (struct store_sqlite_observer){.failing = say_failing, .works = say_works};
	td_log(TD_LOG_INFO, "sqlite.opening", "Opening SQLite database at %s", config.path);
	enum td_status status = store_sqlite_open(&config, ret_store, err);
	if (status == TD_OK)
		td_log(TD_LOG_INFO, "sqlite.opened", "SQLite database opened successfully");
	return status;
}

static void say_info(void *ctx, const char *line)
{
	(void)ctx;
	td_log(TD_LOG_INFO, "catalogue.populate", "%s", line);
}

static void say_fault(void *ctx, const char *line)
{
	(void)ctx;
	td_log(TD_LOG_ERROR, "catalogue.wrong", "CATALOGUE_FILE: %s", line);
}

static enum td_status populate(const struct catalogue_access *access,
	const struct store_catalogue *catalogue, struct td_err *err)
{
	enum td_status status = TD_OK;
	if (access->content != NULL)
		status = catalogue_populate_content(access, catalogue, err);
	if (status == TD_OK && access->store != NULL)
		status = catalogue_populate(access, catalogue, err);
	return status;
}

int storage_populate(const struct settings *settings, struct store *records, struct store *content,
	struct td_err *err)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct store_catalogue catalogue;
	int code = TD_EXIT_SETTING;
	const struct catalogue_access access = {
		.store = records,
		.content = content,
		.clock = &td_clock_system,
		.store_timeout_ms = (unsigned)settings->store_timeout_ms,
		.say = say_info,
	};
	enum td_status status = catalogue_load(settings->catalogue_file, &arena,
		settings->catalogue_file != NULL ? say_fault : NULL, NULL, &catalogue, err);
	if (status == TD_OK) {
		status = populate(&access, &catalogue, err);
		code = exit_code_of_store(err);
	} else if (status == TD_INVALID && settings->catalogue_file != NULL) {
		/* Every fault has its line already. */
		(void)td_err_set(err, TD_INVALID, "CATALOGUE_FILE: %.300s is not a catalogue",
			settings->catalogue_file);
	}
	td_arena_done(&arena);
	return status == TD_OK ? TD_EXIT_DONE : code;
}
