#include "base/log.h"
#include "service/exit_code.h"
#include "service/service_internal.h"
#include "service/storage.h"

#include <stdio.h>
#include <string.h>

#define LOOK_MS 100
/* Once the service runs without it, what is refused is tried again so often. */
#define REFUSED_MS 10000
/* So long the start waits for an answer of any kind before it makes do with what was kept. */
#define PATIENCE_MS 5000

/* Waits for a moment. False: the service is stopping. */
static bool pause_for(struct service *service, unsigned wait_ms)
{
	uint64_t until_ns = td_clock_mono_ns() + wait_ms * UINT64_C(1000000);
	bool in_time = true;
	td_lock_take(&service->lock);
	while (service->phase != SERVICE_STOPPING && in_time)
		in_time = td_cond_wait_until(&service->changed, &service->lock, until_ns);
	bool goes_on = service->phase != SERVICE_STOPPING;
	td_lock_give(&service->lock);
	return goes_on;
}

static bool is_wanted(void *ctx)
{
	return service_phase(ctx) != SERVICE_STOPPING;
}

/* ---- the content's thread
 * -------------------------------------------------------------------------------- */

/* An exit code. */
static int bring(struct service *service, struct td_err *err)
{
	const struct service_database *database = service->content_database;
	struct store *store = service->content_store;
	bool migrates = service->role->migrates;
	enum td_status status = (migrates ? database->migrate : database->wait_for_schema)(
		store, service->settings, is_wanted, service, err);
	if (status != TD_OK)
		return exit_code_of_store(err);
	return migrates ? storage_populate(service->settings, NULL, store, err) : TD_EXIT_DONE;
}

static bool is_away(const struct td_err *err)
{
	return err->code == TD_UNAVAILABLE || err->code == TD_TIMEOUT;
}

/* False: it failed, or the service is stopping. */
static bool bring_until_done(struct service *service)
{
	char told[TD_ERR_TEXT_MAX] = "";
	for (;;) {
		struct td_err err = TD_ERR_INIT;
		int code = bring(service, &err);
		if (code == TD_EXIT_DONE)
			return true;
		if (!is_wanted(service))
			return false;
		if (!is_away(&err) && service_phase(service) == SERVICE_STARTING) {
			service_fail(service, code, &err);
			return false;
		}
		if (!is_away(&err) && strcmp(told, err.text) != 0)
			td_log_err(TD_LOG_ERROR, "content.refused",
				"The content cannot be brought up to date, and what was kept is "
				"served",
				&err);
		(void)snprintf(told, sizeof(told), "%s", err.text);
		if (!pause_for(service, is_away(&err) ? LOOK_MS : REFUSED_MS))
			return false;
	}
}

static void note_content(struct service *service)
{
	td_lock_take(&service->lock);
	service->has_content = true;
	td_cond_wake_all(&service->changed);
	struct catalogue_refresher *refresher = service->refresher;
	td_lock_give(&service->lock);
	td_log(TD_LOG_INFO, "content.ready", "%s service initialized successfully",
		service->content_database->title);
	if (refresher != NULL)
		catalogue_refresher_wake(refresher);
}

static void run(void *ctx)
{
	struct service *service = ctx;
	struct td_err err = TD_ERR_INIT;
	enum td_status status = service->content_database->wait(service->content_store, &err);
	/* Why was said by then, with what to do. */
	if (status == TD_UNAVAILABLE)
		service_fail(service, TD_EXIT_DEPENDENCY, NULL);
	if (status == TD_OK && bring_until_done(service))
		note_content(service);
}

/* ---- the starter
 * ----------------------------------------------------------------------------------------- */

bool service_begin_content(struct service *service)
{
	const struct service_database *database = service->content_database;
	struct td_err err = TD_ERR_INIT;
	struct store *store = NULL;
	if (database == NULL)
		return true;
	enum td_status status = database->create_beside(
		service->settings, service->application, &store, &err);
	if (status != TD_OK) {
		service_fail(service, exit_code_of_store(&err), &err);
		return false;
	}
	td_lock_take(&service->lock);
	service->content_store = store;
	td_lock_give(&service->lock);
	if (td_thread_start(&service->content, "content", run, service, &err) != TD_OK) {
		service_fail(service, TD_EXIT_FAILED, &err);
		return false;
	}
	service->content_runs = true;
	return true;
}

/* Whether the records' store has content that was kept. TD_OK, TD_NOTFOUND; others: it cannot say.
 */
static enum td_status find_kept(struct service *service)
{
	struct td_err err = TD_ERR_INIT;
	struct store_op *op = store_op_new(STORE_KEPT_GET);
	if (op == NULL)
		return TD_NOMEM;
	op->now_ms = td_clock_wall_ms(service->clock);
	op->deadline_ms = td_clock_mono_ms(service->clock) +
			  (uint64_t)service->settings->store_timeout_ms;
	enum td_status status = store_call(service->store, &op, &err);
	store_op_free(op);
	return status;
}

static bool has_content(struct service *service)
{
	td_lock_take(&service->lock);
	bool has = service->has_content;
	td_lock_give(&service->lock);
	return has;
}

static bool has_failed_once(struct service *service)
{
	struct store_health health;
	store_get_health(service->content_store, &health);
	return health.state != STORE_UP && health.last_error[0] != '\0';
}

static void set_reason(struct service *service)
{
	char reason[80];
	(void)snprintf(reason, sizeof(reason), "%s is being connected and brought up to date",
		service->content_database->title);
	service_set_reason(service, reason);
}

/* True: what was kept will do. Where there is nothing, the content is waited for like any database:
 * until its schedule is used up. */
static bool can_do_without(struct service *service)
{
	enum td_status status = find_kept(service);
	if (status != TD_OK && status != TD_NOTFOUND)
		return false;
	service->content_database->keep_trying(service->content_store, status == TD_OK);
	if (status == TD_OK)
		td_log(TD_LOG_WARNING, "content.kept",
			"%s is not there yet: the content that was kept is served until it is",
			service->content_database->title);
	return status == TD_OK;
}

bool service_await_content(struct service *service)
{
	uint64_t now = td_clock_mono_ms(service->clock), ask_ms = now + PATIENCE_MS;
	bool asked = false;
	if (service->content_database == NULL)
		return true;
	set_reason(service);
	while (!has_content(service)) {
		now = td_clock_mono_ms(service->clock);
		if (now >= ask_ms || (!asked && has_failed_once(service))) {
			if (can_do_without(service))
				return true;
			asked = true;
			ask_ms = now + PATIENCE_MS;
		}
		if (!pause_for(service, LOOK_MS))
			return false;
	}
	return true;
}
