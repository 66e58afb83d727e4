/* From an opened port to READY, in the starter's thread. */
#include "base/log.h"
#include "catalogue/catalogue.h"
#include "migrate/migrate.h"
#include "service/exit_code.h"
#include "service/service_internal.h"
#include "service/storage.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#define AGAIN_MS 500

void service_fail(struct service *service, int code, const struct td_err *err)
{
	if (err != NULL) {
		td_log_err(TD_LOG_ERROR, "service.failed", "", err);
		service_set_reason(service, err->text);
	}
	td_lock_take(&service->lock);
	if (service->code == TD_EXIT_DONE)
		service->code = code;
	td_lock_give(&service->lock);
	service_wake(service);
}

static void publish_store(struct service *service, struct store *store)
{
	td_lock_take(&service->lock);
	service->store = store;
	td_lock_give(&service->lock);
}

static bool is_starting(void *ctx)
{
	return service_phase(ctx) == SERVICE_STARTING;
}

static bool open_sqlite(struct service *service)
{
	struct td_err err = TD_ERR_INIT;
	struct store *store = NULL;
	enum td_status status = TD_OK;
	service_set_reason(service, "the database is being opened");
	if (!service->role->migrates)
		status = storage_wait_for_schema(service->settings, is_starting, service, &err);
	if (status == TD_STOPPING)
		return false;
	if (status == TD_OK)
		status = storage_open(service->settings, service->role->migrates, &store, &err);
	if (status != TD_OK) {
		service_fail(service, exit_code_of_store(&err), &err);
		return false;
	}
	publish_store(service, store);
	return true;
}

static bool bring_schema(struct service *service, struct td_err *err)
{
	const struct service_database *database = service->database;
	enum td_status status;
	if (service->role->migrates) {
		service_set_reason(service, "the schema is being brought up to date");
		status = database->migrate(
			service->store, service->settings, is_starting, service, err);
	} else {
		service_set_reason(
			service, "waiting for the schema, which back-postgres or migrate brings");
		status = database->wait_for_schema(
			service->store, service->settings, is_starting, service, err);
	}
	return status == TD_OK;
}

/* The store is there from the first attempt on, so that its health can be asked for. */
static bool open_server(struct service *service)
{
	const struct service_database *database = service->database;
	struct td_err err = TD_ERR_INIT;
	struct store *store = NULL;
	char reason[64];
	(void)snprintf(reason, sizeof(reason), "%s is being connected", database->title);
	service_set_reason(service, reason);
	if (database->create(service->settings, service->application, &store, &err) != TD_OK) {
		service_fail(service, exit_code_of_store(&err), &err);
		return false;
	}
	publish_store(service, store);
	/* Who stops the service interrupts the wait of a store that it sees. */
	if (!is_starting(service))
		return false;
	enum td_status status = database->wait(store, &err);
	/* Why was said by then, with what to do. */
	if (status == TD_UNAVAILABLE)
		service_fail(service, TD_EXIT_DEPENDENCY, NULL);
	if (status != TD_OK)
		return false;
	if (bring_schema(service, &err))
		return true;
	if (is_starting(service))
		service_fail(service, exit_code_of_store(&err), &err);
	return false;
}

static bool open_store(struct service *service)
{
	return service->database->create != NULL ? open_server(service) : open_sqlite(service);
}

static bool may_try_again(struct service *service, const struct td_err *err)
{
	bool away = err->code == TD_UNAVAILABLE || err->code == TD_TIMEOUT;
	return service->database->create != NULL && away && is_starting(service);
}

static bool start_test_clock(struct service *service)
{
	struct td_err err = TD_ERR_INIT;
	if (!service->database->has_records)
		return true;
	bool started = service_start_test_clock(service, &err);
	while (!started && may_try_again(service, &err)) {
		(void)poll(NULL, 0, AGAIN_MS);
		started = service_start_test_clock(service, &err);
	}
	if (!started)
		service_fail(service, TD_EXIT_FAILED, &err);
	return started;
}

static bool populate(struct service *service)
{
	struct td_err err = TD_ERR_INIT;
	bool has_records = service->database->has_records;
	struct store *records = has_records ? service->store : NULL;
	struct store *content = has_records ? NULL : service->store;
	if (!service->role->migrates)
		return true;
	service_set_reason(service, "the packages are being written");
	int code = storage_populate(service->settings, records, content, &err);
	while (code != TD_EXIT_DONE && may_try_again(service, &err)) {
		(void)poll(NULL, 0, AGAIN_MS);
		code = storage_populate(service->settings, records, content, &err);
	}
	if (code != TD_EXIT_DONE)
		service_fail(service, code, &err);
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

static void report_not_kept(void *ctx, const struct td_err *err)
{
	(void)ctx;
	td_log_err(TD_LOG_WARNING, "catalogue.not_kept", "", err);
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
		.content = service->content_store,
		.holder = service->holder,
		.clock = service->clock,
		.source = service->content_database != NULL ? service->content_database->name
							    : service->database->name,
		.kept_source = service->database->name,
		.refresh_ms = (unsigned)service->settings->catalogue_refresh_ms,
		.store_timeout_ms = (unsigned)service->settings->store_timeout_ms,
		.report = report_catalogue,
		.not_kept = report_not_kept,
	};
	service_set_reason(service, "the packages are being read");
	if (catalogue_refresher_create(&config, &refresher, &err) != TD_OK) {
		service_fail(service, TD_EXIT_FAILED, &err);
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
	service_fail(service, TD_EXIT_FAILED, &err);
	return false;
}

static bool start_edges(struct service *service)
{
	return !service->role->edges || start_catalogue(service);
}

static void report_sweep(void *ctx, const struct store_bad_row *row, const struct td_err *err)
{
	(void)ctx;
	if (row != NULL)
		td_log(TD_LOG_WARNING, "sweeper.row", "%.*s %.*s is not looked after: %.*s",
			TD_SLICE_ARG(row->table), TD_SLICE_ARG(row->key), TD_SLICE_ARG(row->why));
	else if (err != NULL)
		td_log_err(TD_LOG_WARNING, "sweeper.failed",
			"Subscriptions whose period has ended could not be looked after; they are "
			"shown rightly all the same",
			err);
	else
		td_log(TD_LOG_INFO, "sweeper.works", "Subscriptions are looked after again");
}

static bool start_sweeper(struct service *service)
{
	struct td_err err = TD_ERR_INIT;
	struct sweeper *sweeper = NULL;
	const struct sweeper_config config = {
		.store = service->store,
		.clock = service->clock,
		.store_timeout_ms = (unsigned)service->settings->store_timeout_ms,
		.has_test_clock = settings_is_set(service->settings, SETTING_TEST_CLOCK),
		.report = report_sweep,
	};
	if (!service->role->migrates || !service->database->has_records)
		return true;
	if (sweeper_create(&config, &sweeper, &err) != TD_OK) {
		service_fail(service, TD_EXIT_FAILED, &err);
		return false;
	}
	td_lock_take(&service->lock);
	service->sweeper = sweeper;
	td_lock_give(&service->lock);
	return true;
}

static void report_relay(void *ctx, enum relay_event event, const struct store_events *events,
	const struct td_err *err)
{
	(void)ctx;
	switch (event) {
	case RELAY_FAILING:
		td_log_err(TD_LOG_WARNING, "events.failing",
			"Events cannot be told to the event log; they wait, and nothing is lost",
			err);
		break;
	case RELAY_WORKS:
		td_log(TD_LOG_INFO, "events.work", "Events are told to the event log again");
		break;
	case RELAY_BEHIND:
		td_log(TD_LOG_WARNING, "events.behind",
			"%" PRId64 " events wait for the event log; they are told as fast as "
			"EVENTS_RATE allows, once it is there",
			events->waiting);
		break;
	case RELAY_CAUGHT_UP:
		td_log(TD_LOG_INFO, "events.caught_up",
			"The event log has caught up: %" PRId64 " events wait", events->waiting);
		break;
	}
}

static bool start_relay(struct service *service)
{
	struct td_err err = TD_ERR_INIT;
	struct relay *relay = NULL;
	const struct settings *s = service->settings;
	const struct relay_config config = {
		.records = service->store,
		.log = service->content_store,
		.clock = service->clock,
		.store_timeout_ms = (unsigned)s->store_timeout_ms,
		.has_test_clock = settings_is_set(s, SETTING_TEST_CLOCK),
		.rate = s->events_rate,
		.ttl_ms = s->events_ttl_ms > 0 ? s->events_ttl_ms : 0,
		.keep_ms = s->history_keep_ms > 0 ? s->history_keep_ms : 0,
		.report = report_relay,
	};
	if (service->content_database == NULL)
		return true;
	if (relay_create(&config, &relay, &err) != TD_OK) {
		service_fail(service, TD_EXIT_FAILED, &err);
		return false;
	}
	td_lock_take(&service->lock);
	service->relay = relay;
	td_lock_give(&service->lock);
	calls_set_event_log(service->calls, service->content_store);
	return true;
}

/* Until there is a snapshot, where one is needed, or the service is stopped. */
static void wait_until_ready(struct service *service)
{
	td_lock_take(&service->lock);
	while (service->role->edges && !service->has_snapshot && service->phase == SERVICE_STARTING)
		td_cond_wait(&service->changed, &service->lock);
	bool ready = service->phase == SERVICE_STARTING;
	if (ready)
		service->phase = SERVICE_READY;
	td_lock_give(&service->lock);
	if (ready)
		td_log(TD_LOG_INFO, "service.ready", "%s service initialized successfully",
			service->database->title);
}

void service_start(void *ctx)
{
	struct service *service = ctx;
	if (service_begin_content(service) && open_store(service) && start_test_clock(service) &&
		populate(service) && service_await_content(service) && start_edges(service) &&
		start_sweeper(service) && start_relay(service)) {
		calls_set_store(service->calls, service->store);
		wait_until_ready(service);
	}
	service_wake(service);
}
