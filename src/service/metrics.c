/* /metrics: Prometheus text (exposition format 0.0.4), from loopback or with a key. */
#include "api/call.h"
#include "service/process.h"
#include "service/service_internal.h"
#include "service/version.h"

#include <inttypes.h>
#include <string.h>

#define LANES_MOST 24

struct lanes {
	struct {
		const char *name;
		struct lane_stats stats;
	} list[LANES_MOST];
	size_t count;
};

static void collect_lane(void *ctx, struct lane *lane)
{
	struct lanes *lanes = ctx;
	if (lanes->count == LANES_MOST)
		return;
	lanes->list[lanes->count].name = lane_name(lane);
	lane_get_stats(lane, &lanes->list[lanes->count].stats);
	lanes->count++;
}

static void put_head(struct td_buf *out, const char *name, const char *type, const char *help)
{
	td_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Which number of a lane a metric shows. */
struct lane_metric {
	const char *name, *type, *help;
	size_t offset; /* of a uint64_t or size_t in struct lane_stats */
};

_Static_assert(sizeof(size_t) == sizeof(uint64_t), "lane_stats is read as uint64_t");

static void put_lane_numbers(struct td_buf *out, const struct lanes *lanes)
{
	static const struct lane_metric metrics[] = {
		{"tools_dashboard_lane_waiting", "gauge", "Operations that wait in the queue.",
			offsetof(struct lane_stats, waiting)},
		{"tools_dashboard_lane_running", "gauge", "Operations in the batch that runs.",
			offsetof(struct lane_stats, running)},
		{"tools_dashboard_lane_submitted_total", "counter", "Operations that were taken.",
			offsetof(struct lane_stats, submitted)},
		{"tools_dashboard_lane_refused_total", "counter",
			"Operations refused because the queue was full.",
			offsetof(struct lane_stats, refused)},
		{"tools_dashboard_lane_expired_total", "counter",
			"Operations whose deadline passed.", offsetof(struct lane_stats, expired)},
		{"tools_dashboard_lane_deferred_total", "counter",
			"Operations that were put behind the others, to be tried again.",
			offsetof(struct lane_stats, deferred)},
		{"tools_dashboard_lane_finished_total", "counter", "Operations that were run.",
			offsetof(struct lane_stats, finished)},
	};
	for (size_t m = 0; m < TD_ARRAY_LEN(metrics); m++) {
		put_head(out, metrics[m].name, metrics[m].type, metrics[m].help);
		for (size_t i = 0; i < lanes->count; i++) {
			uint64_t number;
			memcpy(&number, (const char *)&lanes->list[i].stats + metrics[m].offset,
				sizeof(number));
			td_buf_printf(out, "%s{lane=\"%s\"} %" PRIu64 "\n", metrics[m].name,
				lanes->list[i].name, number);
		}
	}
	put_head(out, "tools_dashboard_lane_wait_seconds_total", "counter",
		"Time that operations spent in the queue.");
	for (size_t i = 0; i < lanes->count; i++)
		td_buf_printf(out, "tools_dashboard_lane_wait_seconds_total{lane=\"%s\"} %.3f\n",
			lanes->list[i].name, (double)lanes->list[i].stats.wait_ms_total / 1000);
}

static void put_lane_batches(struct td_buf *out, const struct lanes *lanes)
{
	static const char name[] = "tools_dashboard_lane_batch_size";
	put_head(out, name, "histogram", "Operations that were run as one batch.");
	for (size_t i = 0; i < lanes->count; i++) {
		const struct lane_stats *stats = &lanes->list[i].stats;
		const char *lane = lanes->list[i].name;
		uint64_t sum = 0;
		for (unsigned b = 0; b < LANE_HISTOGRAM; b++) {
			sum += stats->batch_sizes[b];
			td_buf_printf(out, "%s_bucket{lane=\"%s\",le=\"%u\"} %" PRIu64 "\n", name,
				lane, 1u << b, sum);
		}
		td_buf_printf(
			out, "%s_bucket{lane=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, lane, sum);
		td_buf_printf(
			out, "%s_sum{lane=\"%s\"} %" PRIu64 "\n", name, lane, stats->finished);
		td_buf_printf(out, "%s_count{lane=\"%s\"} %" PRIu64 "\n", name, lane, sum);
	}
}

static void put_number(
	struct td_buf *out, const char *name, const char *type, const char *help, double number)
{
	put_head(out, name, type, help);
	td_buf_printf(out, "%s %.15g\n", name, number);
}

/* Of the records, and of the content where it has a database of its own. */
struct stores {
	struct {
		struct store *store;
		struct store_health health;
		bool has_connections;
		struct store_connections connections;
	} list[2];
	size_t count;
};

static void look_at_store(struct stores *stores, struct store *store)
{
	if (store == NULL)
		return;
	size_t at = stores->count++;
	stores->list[at].store = store;
	store_get_health(store, &stores->list[at].health);
	stores->list[at].has_connections = store_get_connections(
		store, &stores->list[at].connections);
}

/* The names of classes are capitals where they are made. */
static void put_failures(
	struct td_buf *out, const char *name, const struct store_connections *connections)
{
	for (size_t i = 0; i < connections->failure_count; i++) {
		const struct store_failures *row = &connections->failures[i];
		td_buf_printf(out,
			"tools_dashboard_store_connect_failures_total{store=\"%s\",class=\"", name);
		for (const char *c = row->class; *c != '\0'; c++)
			td_buf_put_char(out, *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c);
		td_buf_printf(out, "\"} %" PRIu64 "\n", row->count);
	}
}

static double open_of(const struct store_connections *c)
{
	return (double)c->open;
}

static double made_of(const struct store_connections *c)
{
	return (double)c->made;
}

static double reconnects_of(const struct store_connections *c)
{
	return (double)c->reconnects;
}

static double lost_of(const struct store_connections *c)
{
	return (double)c->lost_ms / 1000;
}

static double oldest_of(const struct store_connections *c)
{
	return (double)c->oldest_ms / 1000;
}

static void put_connections(struct td_buf *out, const struct stores *stores)
{
	static const struct {
		const char *name, *type, *help;
		double (*number)(const struct store_connections *connections);
	} rows[] = {
		{"tools_dashboard_store_connections", "gauge", "Connections that are open.",
			open_of},
		{"tools_dashboard_store_connects_total", "counter", "Connections that were made.",
			made_of},
		{"tools_dashboard_store_reconnects_total", "counter",
			"Times that the store came back after it was lost.", reconnects_of},
		{"tools_dashboard_store_lost_seconds", "gauge",
			"Time since the store was lost; 0 while it is there.", lost_of},
		{"tools_dashboard_store_oldest_connection_seconds", "gauge",
			"The age of the oldest connection that is open.", oldest_of},
	};
	for (size_t r = 0; r < TD_ARRAY_LEN(rows); r++) {
		put_head(out, rows[r].name, rows[r].type, rows[r].help);
		for (size_t i = 0; i < stores->count; i++) {
			if (stores->list[i].has_connections)
				td_buf_printf(out, "%s{store=\"%s\"} %.15g\n", rows[r].name,
					stores->list[i].health.name,
					rows[r].number(&stores->list[i].connections));
		}
	}
	put_head(out, "tools_dashboard_store_connect_failures_total", "counter",
		"Attempts to connect that failed, by their reason.");
	for (size_t i = 0; i < stores->count; i++) {
		if (stores->list[i].has_connections)
			put_failures(
				out, stores->list[i].health.name, &stores->list[i].connections);
	}
}

static void put_stores(struct td_buf *out, const struct stores *stores)
{
	bool has_connections = false;
	if (stores->count == 0)
		return;
	put_head(out, "tools_dashboard_store_up", "gauge", "1 where the store can be used.");
	for (size_t i = 0; i < stores->count; i++) {
		td_buf_printf(out, "tools_dashboard_store_up{store=\"%s\"} %d\n",
			stores->list[i].health.name, stores->list[i].health.state == STORE_UP);
		has_connections |= stores->list[i].has_connections;
	}
	if (has_connections)
		put_connections(out, stores);
}

/* Of the stores, as far as they are there, and those that hash passwords. */
static void put_lanes(struct td_buf *out, const struct stores *stores, struct calls *calls)
{
	struct lanes lanes = {.count = 0};
	for (size_t i = 0; i < stores->count; i++)
		store_each_lane(stores->list[i].store, collect_lane, &lanes);
	calls_each_lane(calls, collect_lane, &lanes);
	put_lane_numbers(out, &lanes);
	put_lane_batches(out, &lanes);
}

static void put_catalogue(struct td_buf *out, struct catalogue_refresher *refresher)
{
	struct catalogue_state state;
	catalogue_refresher_get_state(refresher, &state);
	put_number(out, "tools_dashboard_catalogue_age_seconds", "gauge",
		"Time since the packages were last read.", (double)state.age_ms / 1000);
	put_number(out, "tools_dashboard_catalogue_packages", "gauge", "Packages on offer.",
		(double)state.packages);
	put_number(out, "tools_dashboard_catalogue_bad_rows", "gauge",
		"Rows left out because they break the rules.", (double)state.bad_rows);
	put_number(out, "tools_dashboard_catalogue_reads_total", "counter",
		"Times that the packages were read.", (double)state.reads);
	put_number(out, "tools_dashboard_catalogue_failures_total", "counter",
		"Times that reading them failed.", (double)state.failures);
	put_number(out, "tools_dashboard_catalogue_swaps_total", "counter",
		"Times that they had changed.", (double)state.swaps);
}

static void put_sweeper(struct td_buf *out, struct sweeper *sweeper)
{
	struct sweeper_stats stats;
	sweeper_get_stats(sweeper, &stats);
	put_number(out, "tools_dashboard_sweeper_rolled_total", "counter",
		"Subscriptions whose period had ended and was followed by the next, or the end.",
		(double)stats.rolled);
	put_number(out, "tools_dashboard_sweeper_conflicts_total", "counter",
		"Of those, the ones that somebody else was faster with.", (double)stats.conflicts);
	put_number(out, "tools_dashboard_sweeper_deleted_total", "counter",
		"Rows deleted because they had expired.", (double)stats.deleted);
	put_number(out, "tools_dashboard_sweeper_failures_total", "counter",
		"Rounds of looking after subscriptions that failed.", (double)stats.failures);
	put_number(out, "tools_dashboard_sweeper_stuck", "gauge",
		"Subscriptions that stay due because their rows cannot be read or written.",
		(double)stats.stuck);
	put_number(out, "tools_dashboard_sweeper_last_run_seconds", "gauge",
		"When the last round ended that did not fail.", (double)stats.last_ms / 1000);
}

static void put_relay(struct td_buf *out, struct relay *relay)
{
	struct relay_stats stats;
	relay_get_stats(relay, &stats);
	put_number(out, "tools_dashboard_events_waiting", "gauge",
		"Events that the event log is still to be told, by any process.",
		(double)stats.events.waiting);
	put_number(out, "tools_dashboard_events_oldest_seconds", "gauge",
		"The age of the oldest of them; 0 where none waits.",
		(double)stats.oldest_age_ms / 1000);
	put_number(out, "tools_dashboard_events_told_total", "counter",
		"Events that this process told the event log.", (double)stats.told);
	put_number(out, "tools_dashboard_events_failures_total", "counter",
		"Rounds of telling events that failed.", (double)stats.failures);
	put_number(out, "tools_dashboard_history_trimmed_total", "counter",
		"Rows of history that this process deleted because the event log has them.",
		(double)stats.trimmed);
}

static void put_process(struct td_buf *out, const struct service *service)
{
	struct process_usage usage = process_usage_read();
	put_number(out, "process_cpu_seconds_total", "counter", "User and system time.",
		usage.cpu_seconds);
	put_number(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
		(double)usage.resident_bytes);
	put_number(out, "process_virtual_memory_bytes", "gauge", "Virtual memory.",
		(double)usage.virtual_bytes);
	put_number(out, "process_open_fds", "gauge", "Open descriptors.", (double)usage.open_fds);
	put_number(out, "process_max_fds", "gauge", "Descriptors that may be open.",
		(double)usage.max_fds);
	put_number(out, "process_start_time_seconds", "gauge", "When the process started.",
		(double)service->started_ms / 1000);
}

void service_put_metrics(struct service *service, struct td_buf *out)
{
	td_lock_take(&service->lock);
	bool stopping = service->phase == SERVICE_STOPPING;
	bool ready = service->phase == SERVICE_READY;
	struct store *store = service->store, *content = service->content_store;
	struct catalogue_refresher *refresher = stopping ? NULL : service->refresher;
	struct sweeper *sweeper = stopping ? NULL : service->sweeper;
	struct relay *relay = stopping ? NULL : service->relay;
	td_lock_give(&service->lock);
	struct stores stores = {.count = 0};
	look_at_store(&stores, store);
	look_at_store(&stores, content);
	put_head(out, "tools_dashboard_build_info", "gauge", "The version that runs.");
	td_buf_printf(out, "tools_dashboard_build_info{version=\"%s\"} 1\n", SERVICE_VERSION);
	put_number(out, "tools_dashboard_ready", "gauge", "1 where the service is ready.", ready);
	put_process(out, service);
	http_server_put_metrics(service->server, out);
	put_stores(out, &stores);
	put_lanes(out, &stores, service->calls);
	if (refresher != NULL)
		put_catalogue(out, refresher);
	if (sweeper != NULL)
		put_sweeper(out, sweeper);
	if (relay != NULL)
		put_relay(out, relay);
}

static void reply_metrics(struct http_request *rq, struct service *service)
{
	struct td_buf body = TD_BUF_INIT;
	service_put_metrics(service, &body);
	if (body.failed) {
		const struct http_problem problem = {.status = 503, .code = "overloaded"};
		http_reply_problem(rq, &problem);
	} else {
		const struct http_reply reply = {
			.status = 200,
			.content_type = "text/plain; version=0.0.4; charset=utf-8",
			.take = &body,
		};
		http_reply(rq, &reply);
	}
	td_buf_done(&body);
}

static void show_metrics(struct http_request *rq, const struct store_op *op, enum td_status status)
{
	(void)op;
	(void)status;
	reply_metrics(rq, http_user(rq));
}

static void authorize(struct api_call *call)
{
	api_call_submit(call, api_call_op(call, STORE_AUTHORIZE) != NULL, show_metrics);
}

/* A proxy on this machine that is not in TRUSTED_PROXIES speaks for others. */
static bool is_from_here(struct http_request *rq)
{
	return http_remote_is_loopback(rq) && http_header_count(rq, "X-Forwarded-For") == 0 &&
	       http_header_count(rq, "Forwarded") == 0;
}

static void get_metrics(struct http_request *rq, void *ctx)
{
	struct service *service = ctx;
	if (is_from_here(rq)) {
		reply_metrics(rq, service);
		return;
	}
	http_set_user(rq, service);
	api_call_begin(service->api_calls, rq, API_KEYS, authorize);
}

enum td_status service_add_metrics_route(struct service *service, struct td_err *err)
{
	const struct http_route routes[] = {
		{"GET", "/metrics", get_metrics, service, HTTP_ROUTE_ALWAYS, 0},
	};
	return http_server_add_routes(service->server, routes, TD_ARRAY_LEN(routes), err);
}
