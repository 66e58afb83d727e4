#include "service/cassandra.h"

#include "base/log.h"
#include "service/connect_log.h"
#include "service/migration_log.h"
#include "store/cassandra/store_cassandra.h"

#include <poll.h>
#include <stdio.h>

#define AGAIN_MS 500
/* How long whoever has made the tables is given to fill them. */
#define FILL_MS 10000

/* "['a', 'b']:9042" */
static void put_target(const struct settings *settings, char *out, size_t size)
{
	const struct settings_cassandra *c = &settings->cassandra;
	size_t used = 0;
	for (size_t i = 0; i < c->host_count && used < size; i++) {
		int n = snprintf(
			out + used, size - used, "%s'%s'", i == 0 ? "[" : ", ", c->hosts[i].name);
		used += n > 0 ? (size_t)n : 0;
	}
	if (used < size)
		(void)snprintf(out + used, size - used, "]:%u", (unsigned)c->hosts[0].port);
}

static const char *first_host(const struct settings *settings)
{
	return settings->cassandra.hosts[0].name;
}

static const char *setting_of(const struct settings *settings, enum connect_class class)
{
	if (class == CONNECT_PASSWORD)
		return "CASSANDRA_USER and CASSANDRA_PASSWORD";
	if (class == CONNECT_DATA_CENTRE)
		return "CASSANDRA_LOCAL_DC";
	return settings_is_set(settings, SETTING_CASSANDRA_HOSTS) &&
			       !settings_is_set(settings, SETTING_CASSANDRA_CONTACT_POINTS)
		       ? "CASSANDRA_HOSTS"
		       : "CASSANDRA_CONTACT_POINTS";
}

static const char *advice_of(const struct settings *settings, enum connect_class class)
{
	(void)settings;
	if (class == CONNECT_TLS)
		return "Make CASSANDRA_TLS (disable, require, verify-ca, verify-full) and the "
		       "certificates agree with client_encryption_options of the nodes.";
	if (class == CONNECT_DATA_CENTRE)
		return "Set CASSANDRA_LOCAL_DC to the data centre of the nodes, or unset it.";
	if (class == CONNECT_TOO_MANY)
		return "Send the nodes less at once or add nodes, or raise what they hold "
		       "(native_transport_max_* in cassandra.yaml, memory).";
	if (class == CONNECT_SERVER_ERROR)
		return "Look at the nodes' logs: they say more about the error.";
	if (class == CONNECT_TOO_OLD)
		return "Upgrade the nodes: Cassandra 2.2 or later is needed.";
	return NULL;
}

const struct connect_log cassandra_words = {
	.engine = "Cassandra",
	.prefix = "cassandra",
	.service = "cassandra",
	.connected = "Cassandra session created successfully",
	.put_target = put_target,
	.first_host = first_host,
	.setting_of = setting_of,
	.advice_of = advice_of,
};

static void on_connecting(void *ctx)
{
	connect_log_connecting(&cassandra_words, ctx);
}

static void on_start_failed(void *ctx, int64_t number, int64_t of,
	const struct connect_failures *failures, int64_t wait_ms)
{
	connect_log_start_failed(&cassandra_words, ctx, number, of, failures, wait_ms);
}

static void on_gave_up(
	void *ctx, int64_t attempts, int64_t passed_ms, const struct connect_failures *failures)
{
	connect_log_gave_up(&cassandra_words, ctx, attempts, passed_ms, failures);
}

static void on_up(void *ctx, bool again, int64_t away_ms)
{
	(void)ctx;
	connect_log_up(&cassandra_words, again, away_ms);
}

static void on_lost(void *ctx, const struct connect_failures *failures)
{
	(void)ctx;
	connect_log_lost(&cassandra_words, failures);
}

static void on_still_down(void *ctx, int64_t away_ms, const struct connect_failures *failures)
{
	connect_log_still_down(&cassandra_words, ctx, away_ms, failures);
}

static void on_bad_row(void *ctx, const struct store_bad_row *row)
{
	(void)ctx;
	td_log(TD_LOG_WARNING, "cassandra.row", "%.*s %.*s is left out: %.*s",
		TD_SLICE_ARG(row->table), TD_SLICE_ARG(row->key), TD_SLICE_ARG(row->why));
}

static void warn_of_replication(void *ctx, struct store *store)
{
	(void)ctx;
	struct store_cassandra_weakness w;
	if (store_cassandra_inspect(store, &w, NULL) != TD_OK || w.better == 0)
		return;
	td_log(TD_LOG_WARNING, "cassandra.replication",
		"The keyspace %s has %u %s in the data centre %s of %zu nodes: what is on a node "
		"that dies cannot be read, and may be lost. As a superuser run: %s; then on each "
		"node: nodetool repair -full %s",
		w.keyspace, w.factor, w.factor == 1 ? "replica" : "replicas", w.local_dc, w.nodes,
		w.alter, w.keyspace);
}

static enum td_status give_password(
	void *ctx, struct td_arena *arena, const char **ret_password, struct td_err *err)
{
	return settings_cassandra_password(ctx, arena, ret_password, err);
}

/* By the places of the setting's words. */
static enum cql_consistency consistency_of(const struct settings *settings)
{
	static const enum cql_consistency places[] = {CQL_ONE, CQL_TWO, CQL_THREE, CQL_QUORUM,
		CQL_ALL, CQL_LOCAL_QUORUM, CQL_EACH_QUORUM, CQL_LOCAL_ONE};
	return places[settings->cassandra_consistency];
}

static struct store_cassandra_tls tls_of(const struct settings *settings)
{
	static const enum store_cassandra_tls_mode places[] = {STORE_CASSANDRA_TLS_DISABLE,
		STORE_CASSANDRA_TLS_REQUIRE, STORE_CASSANDRA_TLS_VERIFY_CA,
		STORE_CASSANDRA_TLS_VERIFY_FULL};
	return (struct store_cassandra_tls){
		.mode = places[settings->cassandra_tls],
		.ca_file = settings->cassandra_tls_ca,
		.cert_file = settings->cassandra_tls_cert,
		.key_file = settings->cassandra_tls_key,
	};
}

struct store_cassandra_config cassandra_config(const struct settings *settings, const char *command)
{
	/* The store only reads them; its callbacks take a void pointer. */
	void *ctx = (void *)(uintptr_t)settings;
	return (struct store_cassandra_config){
		.contact_points = settings->cassandra.hosts,
		.contact_point_count = settings->cassandra.host_count,
		.keyspace = settings->cassandra_keyspace,
		.user = settings->cassandra_user,
		.password = give_password,
		.password_ctx = ctx,
		.tls = tls_of(settings),
		.local_dc = settings->cassandra_local_dc,
		.replication = settings->cassandra.replication.map,
		.replication_factor = settings->cassandra.replication.factor,
		.consistency = consistency_of(settings),
		.application = command,
		.clock = &td_clock_system,
		.connect_timeout_ms = settings->connect_timeout_ms,
		.store_timeout_ms = settings->store_timeout_ms,
		.schedule = connect_log_schedule(settings),
		.observer = {.connecting = on_connecting,
			.start_failed = on_start_failed,
			.gave_up = on_gave_up,
			.up = on_up,
			.lost = on_lost,
			.still_down = on_still_down,
			.ctx = ctx},
		.bad_row = on_bad_row,
		.more_nodes = warn_of_replication,
	};
}

static enum td_status create(const struct settings *settings, const char *command,
	bool keeps_trying, struct store **ret_store, struct td_err *err)
{
	struct store_cassandra_config config = cassandra_config(settings, command);
	config.keeps_trying = keeps_trying;
	enum td_status status = store_cassandra_create(&config, ret_store, err);
	if (status == TD_INVALID || status == TD_IO)
		status = td_err_set(err, TD_INVALID, "CASSANDRA_TLS: %s", err->text);
	return status;
}

enum td_status cassandra_create(const struct settings *settings, const char *command,
	struct store **ret_store, struct td_err *err)
{
	return create(settings, command, /* keeps_trying= */ false, ret_store, err);
}

enum td_status cassandra_create_beside(const struct settings *settings, const char *command,
	struct store **ret_store, struct td_err *err)
{
	return create(settings, command, /* keeps_trying= */ true, ret_store, err);
}

enum td_status cassandra_wait(struct store *store, struct td_err *err)
{
	enum td_status status = store_cassandra_wait(store);
	return status == TD_OK ? TD_OK : td_err_set(err, status, "Cassandra could not be reached");
}

static bool is_lost(enum td_status status)
{
	return status == TD_UNAVAILABLE || status == TD_TIMEOUT || status == TD_BUSY ||
	       status == TD_IO;
}

/* Waits a moment. False: give up. */
static bool may_go_on(service_go_on_fn *go_on, void *go_on_ctx, struct connect_schedule *schedule)
{
	if (go_on == NULL)
		return connect_log_may_retry(schedule);
	(void)poll(NULL, 0, AGAIN_MS);
	return go_on(go_on_ctx);
}

enum td_status cassandra_migrate(struct store *store, const struct settings *settings,
	service_go_on_fn *go_on, void *go_on_ctx, struct td_err *err)
{
	const struct store_cassandra_migration migration = {
		.schema_dir = settings->schema_dir,
		.observer = {.observe = migration_log},
		.go_on = go_on,
		.go_on_ctx = go_on_ctx,
	};
	struct connect_schedule schedule = connect_log_schedule(settings);
	enum td_status status = store_cassandra_migrate(store, &migration, err);
	if (is_lost(status))
		td_log_err(TD_LOG_WARNING, "migrate.again",
			"The migration was interrupted and is tried again", err);
	while (is_lost(status) && may_go_on(go_on, go_on_ctx, &schedule))
		status = store_cassandra_migrate(store, &migration, err);
	if (status == TD_OK)
		warn_of_replication(NULL, store);
	return status;
}

/* Content that somebody populates at this moment comes whole, where it comes soon. */
static bool is_filled(struct store *store, unsigned looks)
{
	bool populated = false;
	struct td_err err = TD_ERR_INIT;
	enum td_status status = store_cassandra_is_populated(store, &populated, &err);
	return populated || (status == TD_OK && looks >= FILL_MS / AGAIN_MS);
}

static enum td_status look_at_schema(
	struct store *store, const struct settings *settings, bool *ret_fits, struct td_err *err)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct migrate_plan plan;
	enum td_status status = store_cassandra_plan(
		store, settings->schema_dir, &arena, &plan, err);
	*ret_fits = status == TD_OK && plan.pending == 0;
	if (*ret_fits)
		status = migrate_plan_check(&plan, MIGRATE_NEWER_ACCEPTED, err);
	if (*ret_fits && status == TD_OK && plan.newer > 0)
		migration_log(NULL, &(struct migrate_event){.kind = MIGRATE_NEWER_DATABASE,
					    .flavour = SQL_CQL,
					    .count = plan.newer});
	td_arena_done(&arena);
	return status;
}

static void tell_waiting(void)
{
	td_log(TD_LOG_INFO, "cassandra.waiting",
		"Waiting for the keyspace and its tables, which back-cassandra or "
		"`tools-dashboard migrate` brings up to date");
}

enum td_status cassandra_wait_for_schema(struct store *store, const struct settings *settings,
	service_go_on_fn *go_on, void *go_on_ctx, struct td_err *err)
{
	bool fits = false;
	enum td_status status = look_at_schema(store, settings, &fits, err);
	if (!fits)
		tell_waiting();
	while (!fits && (status == TD_OK || is_lost(status))) {
		if (!may_go_on(go_on, go_on_ctx, NULL))
			return td_err_set(err, TD_STOPPING, "the service is stopping");
		status = look_at_schema(store, settings, &fits, err);
	}
	for (unsigned looks = 0; status == TD_OK && !is_filled(store, looks); looks++) {
		if (!may_go_on(go_on, go_on_ctx, NULL))
			return td_err_set(err, TD_STOPPING, "the service is stopping");
	}
	return status;
}
