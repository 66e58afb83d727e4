/* /livez, /readyz and /health: for whoever starts, watches or balances the process. They answer
 * from memory, in every phase. */
#include "base/json.h"
#include "service/service_internal.h"

#include <string.h>

struct database_health {
	const char *name;
	bool has_store;
	struct store_health store;
	bool has_connections;
	struct store_connections connections;
};

/* What there is to say, copied together under the locks. */
struct health {
	struct database_health databases[2];
	size_t count;
	bool needs_stores; /* a data service is nothing without its database */
	enum service_phase phase;
	char reason[TD_ERR_TEXT_MAX];
	struct catalogue_state catalogue; /* has_snapshot false: none */
};

static void look_at(struct health *health, const char *name, struct store *store)
{
	struct database_health *d = &health->databases[health->count++];
	*d = (struct database_health){.name = name, .has_store = store != NULL};
	if (store == NULL)
		return;
	store_get_health(store, &d->store);
	d->has_connections = store_get_connections(store, &d->connections);
}

static struct health look(struct service *service)
{
	struct health health = {.needs_stores = !service->role->edges};
	td_lock_take(&service->lock);
	health.phase = service->phase;
	memcpy(health.reason, service->reason, sizeof(health.reason));
	struct catalogue_refresher *refresher = service->refresher;
	td_lock_give(&service->lock);
	look_at(&health, service->database->name, service_store(service));
	if (service->content_database != NULL)
		look_at(&health, service->content_database->name, service_content_store(service));
	/* While it is stopping the refresher may be gone. */
	if (refresher != NULL && health.phase != SERVICE_STOPPING)
		catalogue_refresher_get_state(refresher, &health.catalogue);
	return health;
}

/* NULL: all are up. */
static const struct database_health *find_down(const struct health *health)
{
	for (size_t i = 0; i < health->count; i++) {
		const struct database_health *d = &health->databases[i];
		if (!d->has_store || d->store.state != STORE_UP)
			return d;
	}
	return NULL;
}

static bool is_degraded(const struct health *health)
{
	return find_down(health) != NULL || health->catalogue.degraded;
}

static bool is_ready(const struct health *health)
{
	return health->phase == SERVICE_READY &&
	       (!health->needs_stores || find_down(health) == NULL);
}

static const char *status_word(const struct health *health)
{
	if (!is_ready(health))
		return "unready";
	return is_degraded(health) ? "degraded" : "ready";
}

/* The same as in /metrics, where the reasons of failures are told apart. */
static void put_connections(struct td_json *json, const struct store_connections *connections)
{
	uint64_t failed = 0;
	for (size_t i = 0; i < connections->failure_count; i++)
		failed += connections->failures[i].count;
	td_json_name(json, "connections");
	td_json_open(json, '{');
	td_json_member_i64(json, "open", (int64_t)connections->open);
	td_json_member_i64(json, "made", (int64_t)connections->made);
	td_json_member_i64(json, "failed", (int64_t)failed);
	td_json_member_i64(json, "reconnects", (int64_t)connections->reconnects);
	td_json_member_i64(json, "lost_seconds", connections->lost_ms / 1000);
	td_json_member_i64(json, "oldest_seconds", connections->oldest_ms / 1000);
	td_json_close(json, '}');
}

static void put_database(struct td_json *json, const struct database_health *d)
{
	static const char *const words[] = {
		[STORE_CONNECTING] = "connecting", [STORE_UP] = "up", [STORE_DOWN] = "down"};
	const struct store_health *store = &d->store;
	td_json_name(json, d->name);
	td_json_open(json, '{');
	td_json_member_str(json, "status", d->has_store ? words[store->state] : "connecting");
	td_json_name(json, "since");
	if (d->has_store)
		td_json_time(json, store->since_ms);
	else
		td_json_null(json);
	td_json_member_str(
		json, "last_error", store->last_error[0] != '\0' ? store->last_error : NULL);
	td_json_name(json, "next_attempt_in");
	if (d->has_store && store->next_attempt_in_ms >= 0)
		td_json_i64(json, (store->next_attempt_in_ms + 999) / 1000);
	else
		td_json_null(json);
	if (d->has_connections)
		put_connections(json, &d->connections);
	td_json_close(json, '}');
}

static void put_catalogue(struct td_json *json, const struct health *health)
{
	const struct catalogue_state *state = &health->catalogue;
	td_json_name(json, "catalogue");
	td_json_open(json, '{');
	td_json_name(json, "age_seconds");
	if (state->has_snapshot)
		td_json_i64(json, (int64_t)(state->age_ms / 1000));
	else
		td_json_null(json);
	td_json_member_str(json, "source", state->has_snapshot ? state->source : NULL);
	td_json_close(json, '}');
}

/* Why it is not ready: what a database's last attempt said, where that is the reason. */
static void put_reason(struct td_json *json, const struct health *health)
{
	const struct database_health *down = find_down(health);
	bool store = down != NULL && down->has_store && health->phase != SERVICE_STOPPING &&
		     down->store.last_error[0] != '\0';
	td_json_member_str(json, "reason", store ? down->store.last_error : health->reason);
	if (down != NULL && down->has_store && down->store.next_attempt_in_ms >= 0)
		td_json_member_i64(
			json, "next_attempt_in", (down->store.next_attempt_in_ms + 999) / 1000);
}

static void reply_health(struct http_request *rq, struct service *service, bool verbose)
{
	struct td_buf body = TD_BUF_INIT;
	struct td_json json = td_json_to(&body);
	struct health health = look(service);
	bool ready = is_ready(&health);
	td_json_open(&json, '{');
	td_json_member_str(&json, "status", status_word(&health));
	if (!ready)
		put_reason(&json, &health);
	if (verbose) {
		td_json_name(&json, "checks");
		td_json_open(&json, '{');
		for (size_t i = 0; i < health.count; i++)
			put_database(&json, &health.databases[i]);
		if (service->role->edges)
			put_catalogue(&json, &health);
		td_json_close(&json, '}');
	}
	td_json_close(&json, '}');
	td_buf_put_char(&body, '\n');
	const struct http_header headers[] = {{"Retry-After", ready ? NULL : "1"}};
	const struct http_reply reply = {
		.status = ready && !body.failed ? 200 : 503,
		.content_type = "application/json",
		.take = &body,
		.headers = headers,
		.header_count = TD_ARRAY_LEN(headers),
	};
	http_reply(rq, &reply);
	td_buf_done(&body);
}

static void get_livez(struct http_request *rq, void *ctx)
{
	(void)ctx;
	const struct http_reply reply = {
		.status = 200,
		.content_type = "application/json",
		.body = TD_SLICE("{\"status\":\"live\"}\n"),
	};
	http_reply(rq, &reply);
}

static void get_readyz(struct http_request *rq, void *ctx)
{
	reply_health(rq, ctx, http_query_count(rq, "verbose") > 0);
}

static void get_health(struct http_request *rq, void *ctx)
{
	reply_health(rq, ctx, true);
}

enum td_status service_add_health_routes(struct service *service, struct td_err *err)
{
	const struct http_route routes[] = {
		{"GET", "/livez", get_livez, service, HTTP_ROUTE_ALWAYS, 0},
		{"GET", "/readyz", get_readyz, service, HTTP_ROUTE_ALWAYS, 0},
		{"GET", "/health", get_health, service, HTTP_ROUTE_ALWAYS, 0},
		{"GET", "/user-subscription/health", get_health, service, HTTP_ROUTE_ALWAYS, 0},
	};
	return http_server_add_routes(service->server, routes, TD_ARRAY_LEN(routes), err);
}

bool service_before(struct http_request *rq, const struct http_route *route, void *ctx)
{
	struct service *service = ctx;
	char reason[TD_ERR_TEXT_MAX];
	(void)route;
	td_lock_take(&service->lock);
	bool starting = service->phase == SERVICE_STARTING;
	memcpy(reason, service->reason, sizeof(reason));
	td_lock_give(&service->lock);
	if (!starting)
		return false;
	const char *detail = td_arena_printf(
		http_arena(rq), "Not ready yet: %s. Try again in a moment.", reason);
	const struct http_problem problem = {
		.status = 503,
		.code = "store-unavailable",
		.title = "The service is starting",
		.detail = detail,
		.retry_after_s = 1,
	};
	http_reply_problem(rq, &problem);
	return true;
}
