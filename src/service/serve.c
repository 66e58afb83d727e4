#include "service/serve.h"

#include "base/log.h"
#include "service/exit_code.h"
#include "service/service_internal.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define TICK_MS      20
#define HTTP_TICK_MS 100
/* Of the time for stopping, what is kept for the store and the end of the process. */
#define STOP_RESERVE_MS 500

void service_wake(struct service *service)
{
	const uint64_t one = 1;
	/* It fails only where the counter is full, and then main looks anyway. */
	ssize_t done = write(service->wake_fd, &one, sizeof(one));
	(void)done;
}

void service_set_reason(struct service *service, const char *reason)
{
	td_lock_take(&service->lock);
	(void)snprintf(service->reason, sizeof(service->reason), "%s", reason);
	td_lock_give(&service->lock);
}

struct store *service_store(struct service *service)
{
	td_lock_take(&service->lock);
	struct store *store = service->store;
	td_lock_give(&service->lock);
	return store;
}

struct store *service_content_store(struct service *service)
{
	td_lock_take(&service->lock);
	struct store *store = service->content_store;
	td_lock_give(&service->lock);
	return store;
}

struct catalogue_refresher *service_refresher(struct service *service)
{
	td_lock_take(&service->lock);
	struct catalogue_refresher *refresher = service->refresher;
	td_lock_give(&service->lock);
	return refresher;
}

enum service_phase service_phase(struct service *service)
{
	td_lock_take(&service->lock);
	enum service_phase phase = service->phase;
	td_lock_give(&service->lock);
	return phase;
}

static void tick(void *ctx, uint64_t now_ms)
{
	struct service *service = ctx;
	struct store *store = service_store(service), *content = service_content_store(service);
	if (store != NULL)
		store_expire(store, now_ms);
	if (content != NULL)
		store_expire(content, now_ms);
	calls_tick(service->calls, now_ms);
	service_look_at_test_clock(service, now_ms);
	if (now_ms >= service->http_due_ms) {
		service->http_due_ms = now_ms + HTTP_TICK_MS;
		http_server_tick(service->server, now_ms);
	}
}

static void report_page(void *ctx, const char *message)
{
	(void)ctx;
	td_log(TD_LOG_WARNING, "page.report", "%s", message);
}

/* ---- what is there before HTTP listens */

static bool show_error(struct http_request *rq, const struct http_problem *problem, void *ctx)
{
	struct service *service = ctx;
	return page_error(rq, problem, service->page);
}

static enum td_status create_server(struct service *service, struct td_err *err)
{
	const struct settings *s = service->settings;
	const struct http_server_config config = {
		.host = s->host,
		.port = (unsigned)(settings_is_set(s, SETTING_PORT) ? s->port
								    : service->role->port),
		.header_timeout_ms = (uint64_t)s->http_header_timeout_ms,
		.request_timeout_ms = (uint64_t)s->http_request_timeout_ms,
		.send_timeout_ms = (uint64_t)s->http_send_timeout_ms,
		.idle_timeout_ms = (uint64_t)s->http_idle_timeout_ms,
		.max_connections = (size_t)s->http_max_connections,
		.max_per_address = (size_t)s->http_max_per_address,
		.max_per_address_set = settings_is_set(s, SETTING_HTTP_MAX_PER_ADDRESS),
		.max_body = s->http_max_body,
		.trusted_proxies = s->trusted_proxies,
		.public_url = s->public_url,
		.clock = service->clock,
		.before = service_before,
		.error_page = show_error,
		.hook_ctx = service,
		.answer = calls_sign_answer,
		.answer_ctx = service->calls,
	};
	return http_server_create(&config, &service->server, err);
}

static enum td_status create_calls(struct service *service, struct td_err *err)
{
	const struct settings *s = service->settings;
	const struct calls_config config = {
		.clock = service->clock,
		.store_timeout_ms = (unsigned)s->store_timeout_ms,
		.has_test_clock = settings_is_set(s, SETTING_TEST_CLOCK),
		.public_url = s->public_url,
		.hashes_passwords = service->role->edges,
	};
	enum td_status status = calls_create(&config, &service->calls, err);
	if (status != TD_OK)
		return status;
	service->api_calls = api_calls_create(service->calls, service->holder);
	return service->api_calls != NULL ? TD_OK : td_err_set(err, TD_NOMEM, "out of memory");
}

static enum td_status create_page(struct service *service, struct td_err *err)
{
	const struct settings *s = service->settings;
	const struct page_config page = {
		.site_name = s->site_name,
		.public_url = s->public_url,
		.templates_dir = s->templates_dir,
		.static_dir = s->static_dir,
		.locales_dir = s->locales_dir,
		.clock = service->clock,
		.calls = service->calls,
		.has_test_clock = calls_has_test_clock(service->calls),
		.session_ttl_ms = s->session_ttl_ms,
		.password_memory = s->password_memory,
		.report = report_page,
	};
	return page_create(&page, &service->page, err);
}

static enum td_status create_edges(struct service *service, struct td_err *err)
{
	enum td_status status = create_calls(service, err);
	if (status == TD_OK)
		status = api_create(service->api_calls, &service->api, err);
	if (status == TD_OK)
		status = create_page(service, err);
	return status;
}

static enum td_status add_routes(struct service *service, struct td_err *err)
{
	enum td_status status = service_add_health_routes(service, err);
	if (status == TD_OK)
		status = service_add_metrics_route(service, err);
	if (status == TD_OK && service->role->edges)
		status = api_add_routes(service->api, service->server, err);
	if (status == TD_OK && service->role->edges)
		status = service_add_test_clock_route(service, err);
	if (status == TD_OK && service->role->edges)
		status = page_add_routes(service->page, service->server, err);
	return status;
}

static enum td_status listen_first(struct service *service, struct td_err *err)
{
	service->holder = catalogue_holder_create();
	if (service->holder == NULL)
		return td_err_set(err, TD_NOMEM, "out of memory");
	enum td_status status = create_edges(service, err);
	if (status == TD_OK)
		status = create_server(service, err);
	if (status == TD_OK)
		status = add_routes(service, err);
	if (status == TD_OK)
		status = http_server_start(service->server, err);
	if (status == TD_OK)
		status = td_ticker_create(TICK_MS, &service->ticker, err);
	if (status == TD_OK)
		status = td_ticker_add(service->ticker, tick, service, err);
	if (status == TD_OK)
		td_log(TD_LOG_INFO, "http.listening", "Listening on http://%s",
			http_server_address(service->server));
	return status;
}

/* ---- the end */

static void hurry_stores(struct service *service, uint64_t deadline_ms)
{
	struct store *store = service_store(service), *content = service_content_store(service);
	if (store != NULL)
		store_hurry(store, deadline_ms);
	if (content != NULL)
		store_hurry(content, deadline_ms);
}

static void stop_stores(struct service *service, uint64_t drain_deadline_ms)
{
	struct store *store = service_store(service), *content = service_content_store(service);
	if (content != NULL)
		store_stop(content, drain_deadline_ms);
	if (store != NULL)
		store_stop(store, drain_deadline_ms);
}

/* Answers what is in flight, then stops the stores; the main thread goes on looking for signals. */
static void stop(void *ctx)
{
	struct service *service = ctx;
	uint64_t deadline = service->stop_deadline_ms;
	uint64_t now = td_clock_mono_ms(service->clock);
	uint64_t left = deadline > now ? deadline - now : 0;
	uint64_t reserve = left / 4 < STOP_RESERVE_MS ? left / 4 : STOP_RESERVE_MS;
	hurry_stores(service, deadline - 2 * reserve);
	service->cut_off = !http_server_stop(service->server, deadline - reserve);
	if (service->starter_runs)
		td_thread_join(&service->starter);
	if (service->content_runs)
		td_thread_join(&service->content);
	calls_stop(service->calls);
	catalogue_refresher_destroy(service_refresher(service));
	sweeper_destroy(service->sweeper);
	relay_destroy(service->relay);
	/* What is left waits at most until then for a lock or a server; ending takes time, too. */
	stop_stores(service, deadline - reserve / 2);
	td_lock_take(&service->lock);
	service->stopper_ended = true;
	td_lock_give(&service->lock);
	service_wake(service);
}

static void begin_stop(struct service *service)
{
	struct td_err err = TD_ERR_INIT;
	td_lock_take(&service->lock);
	service->phase = SERVICE_STOPPING;
	(void)snprintf(service->reason, sizeof(service->reason), "the service is stopping");
	td_cond_wake_all(&service->changed);
	td_lock_give(&service->lock);
	notify_send(&service->notify, "STOPPING=1\nSTATUS=Answering what is in flight");
	service->stop_deadline_ms = td_clock_mono_ms(service->clock) +
				    (uint64_t)service->settings->shutdown_timeout_ms;
	http_server_quiesce(service->server);
	if (td_thread_start(&service->stopper, "stop", stop, service, &err) == TD_OK) {
		service->stopper_runs = true;
		return;
	}
	stop(service);
}

/* Without running anything that may hang. */
TD_NORETURN static void end_at_once(struct service *service)
{
	td_log(TD_LOG_WARNING, "service.forced",
		"Ended by signal %d before everything was answered", service->signal);
	_exit(TD_EXIT_SIGNAL + service->signal);
}

static void take_signal(struct service *service, int signal)
{
	bool first = service->signal == 0 && !service->stopper_runs;
	if (!first && signal != SIGINT)
		return;
	service->signal = signal;
	if (!first)
		end_at_once(service);
	td_log(TD_LOG_INFO, "service.stopping", "Received %s, answering what is in flight",
		signal == SIGINT    ? "SIGINT"
		: signal == SIGTERM ? "SIGTERM"
				    : "SIGHUP");
	begin_stop(service);
}

/* ---- the main thread's loop */

static int wait_ms(const struct service *service, uint64_t now_ms)
{
	uint64_t until = now_ms + 60000;
	if (service->stopper_runs && service->stop_deadline_ms < until)
		until = service->stop_deadline_ms;
	if (service->notify.watchdog_ms != 0 && service->notify.watchdog_due_ms < until)
		until = service->notify.watchdog_due_ms;
	return until > now_ms ? (int)(until - now_ms) : 0;
}

static void read_signals(struct service *service, int signal_fd)
{
	struct signalfd_siginfo info;
	while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		take_signal(service, (int)info.ssi_signo);
}

/* False when all has ended. */
static bool look_again(struct service *service, bool *started)
{
	uint64_t count;
	ssize_t done = read(service->wake_fd, &count, sizeof(count));
	(void)done;
	td_lock_take(&service->lock);
	bool failed = service->code != TD_EXIT_DONE;
	bool ready = service->phase == SERVICE_READY;
	bool ended = service->stopper_ended;
	td_lock_give(&service->lock);
	if (ready && !*started) {
		*started = true;
		notify_send(&service->notify, "READY=1\nSTATUS=Ready");
	}
	if (failed && !service->stopper_runs && !ended)
		begin_stop(service);
	return !ended;
}

static void run_loop(struct service *service, int signal_fd)
{
	bool started = false;
	struct pollfd fds[] = {
		{.fd = signal_fd, .events = POLLIN},
		{.fd = service->wake_fd, .events = POLLIN},
	};
	for (;;) {
		uint64_t now = td_clock_mono_ms(service->clock);
		notify_watchdog(&service->notify, now);
		if (service->stopper_runs && now >= service->stop_deadline_ms &&
			service->signal != 0)
			end_at_once(service);
		(void)poll(fds, TD_ARRAY_LEN(fds), wait_ms(service, now));
		read_signals(service, signal_fd);
		if (!look_again(service, &started))
			return;
	}
}

static void destroy_all(struct service *service)
{
	td_ticker_destroy(service->ticker);
	http_server_destroy(service->server);
	api_destroy(service->api);
	api_calls_destroy(service->api_calls);
	calls_destroy(service->calls);
	page_destroy(service->page);
	store_destroy(service->content_store);
	store_destroy(service->store);
	catalogue_holder_destroy(service->holder);
	td_cond_done(&service->changed);
	td_lock_done(&service->lock);
	if (service->wake_fd >= 0)
		(void)close(service->wake_fd);
}

/* Signals come through a descriptor, so that no handler runs in the middle of anything. */
static int open_signals(void)
{
	sigset_t signals;
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGHUP);
	if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0)
		return -1;
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int run_until_stopped(struct service *service, int signal_fd)
{
	struct td_err err = TD_ERR_INIT;
	if (td_thread_start(&service->starter, "start", service_start, service, &err) != TD_OK) {
		td_log_err(TD_LOG_ERROR, "service.failed", "", &err);
		return TD_EXIT_FAILED;
	}
	service->starter_runs = true;
	run_loop(service, signal_fd);
	if (service->stopper_runs)
		td_thread_join(&service->stopper);
	if (service->code != TD_EXIT_DONE)
		return service->code;
	if (service->cut_off) {
		td_log(TD_LOG_WARNING, "service.forced",
			"Stopped, but not everything could be answered in time");
		return TD_EXIT_SIGNAL + service->signal;
	}
	td_log(TD_LOG_INFO, "service.stopped", "Stopped");
	return TD_EXIT_DONE;
}

/* TD_INVALID: a template, a proxy's address; a setting's fault. */
static int fail_first(const struct td_err *err)
{
	td_log_err(TD_LOG_ERROR, "service.failed", "", err);
	return err->code == TD_INVALID ? TD_EXIT_SETTING : TD_EXIT_FAILED;
}

const struct service_role service_role_serve = {"serve", true, true, NULL, 8100};
const struct service_role service_role_back_postgres = {
	"back-postgres", false, true, &service_postgres, 8101};
const struct service_role service_role_back_cassandra = {
	"back-cassandra", false, true, &service_cassandra, 8102};
const struct service_role service_role_back_api = {"back-api", true, false, NULL, 8100};

static const struct service_database *database_of(
	const struct service_role *role, const struct settings *settings)
{
	if (role->database != NULL)
		return role->database;
	return settings->uses_postgres ? &service_postgres : &service_sqlite;
}

static const struct service_database *content_database_of(
	const struct service_role *role, const struct settings *settings)
{
	return role->database == NULL && settings->uses_cassandra ? &service_cassandra : NULL;
}

int serve_run(const struct service_role *role, const struct settings *settings,
	const char *const *environment)
{
	struct td_err err = TD_ERR_INIT;
	struct service service = {
		.role = role,
		.database = database_of(role, settings),
		.content_database = content_database_of(role, settings),
		.settings = settings,
		.clock = &td_clock_system,
		.reason = "the service is starting",
		.notify = notify_open(environment),
	};
	(void)snprintf(
		service.application, sizeof(service.application), "tools-dashboard %s", role->name);
	/* Threads by the dozen would each take an arena of their own. */
	(void)mallopt(M_ARENA_MAX, 2);
	service.started_ms = td_clock_wall_ms(service.clock);
	td_lock_init(&service.lock);
	td_cond_init(&service.changed);
	int code = TD_EXIT_FAILED;
	int signal_fd = open_signals();
	service.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (signal_fd < 0 || service.wake_fd < 0)
		td_log(TD_LOG_ERROR, "service.failed", "the system refused a descriptor: %s",
			strerrordesc_np(errno));
	else if (listen_first(&service, &err) != TD_OK)
		code = fail_first(&err);
	else
		code = run_until_stopped(&service, signal_fd);
	destroy_all(&service);
	if (signal_fd >= 0)
		(void)close(signal_fd);
	return code;
}
