/* From an opened port to READY, in the starter's thread. */
#include "base/log.h"
#include "catalogue/catalogue.h"
#include "migrate/migrate.h"
#include "service/exit_code.h"
#include "service/service_internal.h"
#include "service/storage.h"

#include <stdio.h>

static void fail(struct service *service, int code, const struct td_err *err)
{
	td_log_err(TD_LOG_ERROR, "service.failed", "", err);
	service_set_reason(service, err->text);
	td_lock_take(&service->lock);
	service->code = code;
	td_lock_give(&service->lock);
}

static bool open_store(struct service *service)
{
	struct td_err err = TD_ERR_INIT;
	struct store *store = NULL;
	service_set_reason(service, "the database is being opened");
	if (storage_open(service->settings, &store, &err) != TD_OK) {
		fail(service, exit_code_of_store(&err), &err);
		return false;
	}
	td_lock_take(&service->lock);
	service->store = store;
	td_lock_give(&service->lock);
	return true;
}

static bool populate(struct service *service)
{
	struct td_err err = TD_ERR_INIT;
	service_set_reason(service, "the packages are being written");
	int code = storage_populate(service->settings, service->store, &err);
	if (code != TD_EXIT_DONE)
		fail(service, code, &err);
	return code == TD_EXIT_DONE;
}

static void report_catalogue(void *ctx, const struct store_bad_row *row, const struct td_err *err)
{
	(void)ctx;
	if (row != NULL)
		td_log(TD_LOG_WARNING, "catalogue.row", "%.*s %.*s is left out: %.*s",
			TD_SLICE_ARG(row->table), TD_SLICE_ARG(row->key), TD_SLICE_ARG(row->why));
	else if (err != NULL)
		td_log_err(TD_LOG_WARNING, "catalogue.stale",
			"The packages could not be read again, so the last ones are served", err);
	else
		td_log(TD_LOG_INFO, "catalogue.fresh", "The packages can be read again");
}

static void note_snapshot(void *ctx, struct catalogue_snapshot *snapshot)
{
	struct service *service = ctx;
	(void)snapshot;
	td_lock_take(&service->lock);
	service->has_snapshot = true;
	td_cond_wake_all(&service->changed);
	td_lock_give(&service->lock);
}

static bool start_catalogue(struct service *service)
{
	struct td_err err = TD_ERR_INIT;
	struct catalogue_refresher *refresher = NULL;
	const struct catalogue_refresher_config config = {
		.store = service->store,
		.holder = service->holder,
		.clock = service->clock,
		.source = "sqlite",
		.refresh_ms = (unsigned)service->settings->catalogue_refresh_ms,
		.store_timeout_ms = (unsigned)service->settings->store_timeout_ms,
		.report = report_catalogue,
	};
	service_set_reason(service, "the packages are being read");
	if (catalogue_refresher_create(&config, &refresher, &err) != TD_OK) {
		fail(service, TD_EXIT_FAILED, &err);
		return false;
	}
	catalogue_refresher_observe(refresher, api_catalogue_changed, service->api);
	catalogue_refresher_observe(refresher, page_catalogue_changed, service->page);
	catalogue_refresher_observe(refresher, note_snapshot, service);
	td_lock_take(&service->lock);
	service->refresher = refresher;
	td_lock_give(&service->lock);
	if (catalogue_refresher_start(refresher, &err) == TD_OK)
		return true;
	fail(service, TD_EXIT_FAILED, &err);
	return false;
}

/* Until there is a snapshot, or the service is stopped. */
static void wait_for_snapshot(struct service *service)
{
	td_lock_take(&service->lock);
	while (!service->has_snapshot && service->phase == SERVICE_STARTING)
		td_cond_wait(&service->changed, &service->lock);
	bool ready = service->phase == SERVICE_STARTING;
	if (ready)
		service->phase = SERVICE_READY;
	td_lock_give(&service->lock);
	if (ready)
		td_log(TD_LOG_INFO, "service.ready", "SQLite service initialized successfully");
}

void service_start(void *ctx)
{
	struct service *service = ctx;
	if (open_store(service) && populate(service) && start_catalogue(service)) {
		api_set_records(service->api, service->store);
		api_calls_set_store(service->calls, service->store);
		wait_for_snapshot(service);
	}
	td_lock_take(&service->lock);
	service->starter_ended = true;
	td_lock_give(&service->lock);
	service_wake(service);
}
