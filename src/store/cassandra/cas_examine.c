/* What doctor finds in a cluster of Cassandra through one contact point: an attempt like those of
 * the store, then one question a layer. */
#include "store/cassandra/cas_internal.h"

#include "base/alloc.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define STEP_MS     4000
#define NODES_UP_MS 1000
#define PAUSE_MS    20

struct look {
	const struct store_cassandra_look *what;
	struct cas_store *store;
	struct cql_session *session;
	struct store_examination *x;
	bool has_keyspace, has_tables;
};

/* ---- the cluster */

static void look_at_login(struct look *l, const struct cql_session_state *state)
{
	static const char *const modes[] = {
		[STORE_CASSANDRA_TLS_DISABLE] = "not encrypted (CASSANDRA_TLS=disable)",
		[STORE_CASSANDRA_TLS_REQUIRE] = "encrypted, whoever answers is believed "
						"(CASSANDRA_TLS=require)",
		[STORE_CASSANDRA_TLS_VERIFY_CA] = "encrypted, the certificate's authority is "
						  "trusted (CASSANDRA_TLS=verify-ca)",
		[STORE_CASSANDRA_TLS_VERIFY_FULL] = "encrypted, the certificate is the host's "
						    "(CASSANDRA_TLS=verify-full)",
	};
	store_found_ok(l->x, STORE_LAYER_TLS, "%s", modes[l->store->config.tls.mode]);
	store_found_ok(l->x, STORE_LAYER_PROTOCOL, "speaks CQL's protocol, version %d",
		(int)state->version);
	if (l->store->config.user != NULL)
		store_found_ok(
			l->x, STORE_LAYER_AUTH, "logged in as %.200s", l->store->config.user);
	else
		store_found_ok(l->x, STORE_LAYER_AUTH, "the node asks for no password");
}

static void look_at_clock(struct look *l)
{
	struct cas_call call;
	struct td_slice cell;
	int64_t then_ms = 0;
	cas_call_init(
		&call, l->store, "SELECT toUnixTimestamp(now()) FROM system.local", CQL_LOCAL_ONE);
	call.query.is_idempotent = true;
	if (cas_call_run(&call, l->store, l->session, STEP_MS, NULL) == TD_OK &&
		cas_call_row(&call, &cell, 1) && cql_get_bigint(cell, &then_ms)) {
		l->x->has_clock = true;
		l->x->clock_ahead_ms = then_ms - td_clock_wall_ms(&td_clock_system);
	}
	cas_call_done(&call);
}

/* Other nodes' versions beside `release`, once each as far as they fit. */
static void look_at_version(struct look *l, const char *release)
{
	struct cas_call call;
	struct td_slice cell;
	char others[200] = "";
	size_t used = 0;
	cas_call_init(&call, l->store, "SELECT release_version FROM system.peers", CQL_LOCAL_ONE);
	call.query.is_idempotent = true;
	if (cas_call_run(&call, l->store, l->session, STEP_MS, NULL) == TD_OK) {
		while (cas_call_row(&call, &cell, 1)) {
			if (cell.ptr == NULL || td_slice_is(cell, release) ||
				used + cell.len + 8 > sizeof(others))
				continue;
			(void)snprintf(others + used, sizeof(others) - used, "%s%.*s",
				used > 0 ? ", " : "", TD_SLICE_ARG(cell));
			used = strlen(others);
		}
	}
	cas_call_done(&call);
	char message[300];
	(void)snprintf(
		message, sizeof(message), "Cassandra %s, and other nodes have %s", release, others);
	if (used > 0)
		store_found(l->x, STORE_LAYER_VERSION, STORE_WARNS, message,
			"The nodes have different versions: an upgrade is under way. Tables should "
			"not be changed meanwhile.",
			"Finish the upgrade on all nodes.");
	else
		store_found_ok(l->x, STORE_LAYER_VERSION, "Cassandra %s", release);
}

/* ---- the keyspace */

static bool fail(struct look *l, enum store_layer layer, const struct td_err *err)
{
	store_found_err(l->x, layer, err,
		err->code == TD_DENIED ? "CASSANDRA_USER may not do that."
				       : "The nodes refused or did not answer a question.",
		err->code == TD_DENIED
			? "As a superuser run: GRANT ALL ON KEYSPACE with the name of "
			  "CASSANDRA_KEYSPACE TO the role of CASSANDRA_USER."
			: "Look at the nodes' logs, and with `nodetool status` whether all are "
			  "up.");
	return false;
}

static bool has_keyspace(struct look *l, struct td_err *err)
{
	struct cas_call call;
	struct td_slice cell;
	cas_call_init(&call, l->store,
		"SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?",
		CQL_LOCAL_ONE);
	call.query.is_idempotent = true;
	cas_bind_text(&call, td_slice_str(l->store->config.keyspace));
	enum td_status status = cas_call_run(&call, l->store, l->session, STEP_MS, err);
	l->has_keyspace = status == TD_OK && cas_call_row(&call, &cell, 1);
	cas_call_done(&call);
	return status == TD_OK;
}

static bool look_at_keyspace(struct look *l, const char *local_dc)
{
	struct td_err err = TD_ERR_INIT;
	char message[200];
	if (!has_keyspace(l, &err))
		return fail(l, STORE_LAYER_DATABASE, &err);
	(void)snprintf(
		message, sizeof(message), "there is no keyspace %s yet", l->store->config.keyspace);
	if (l->has_keyspace)
		store_found_ok(l->x, STORE_LAYER_DATABASE,
			"the keyspace %s is there; the local data centre is %.200s",
			l->store->config.keyspace, local_dc);
	else
		store_found(l->x, STORE_LAYER_DATABASE, STORE_WARNS, message,
			"Nothing that migrates has been here yet, or CASSANDRA_KEYSPACE is wrong.",
			"Start back-cassandra or serve, which make it, or correct "
			"CASSANDRA_KEYSPACE.");
	if (l->has_keyspace && cas_has_table(l->store, l->session, "content_population",
				       &l->has_tables, &err) != TD_OK)
		return fail(l, STORE_LAYER_DATABASE, &err);
	return true;
}

/* A lightweight transaction that finds nothing to delete: it asks for the same rights, and the same
 * replicas, as one that would. The row's name is a new one each time, so that those who ask at once
 * do not hold each other up. */
static bool look_at_writing(struct look *l)
{
	struct cas_call call;
	struct td_err err = TD_ERR_INIT;
	char name[TD_UUID_TEXT_SIZE];
	if (!l->has_tables) {
		store_found(l->x, STORE_LAYER_WRITABLE, STORE_NOT_REACHED,
			"not tried before the tables are there", NULL, NULL);
		return true;
	}
	cas_call_init(&call, l->store, "DELETE FROM %s.content_population WHERE name = ? IF EXISTS",
		l->store->config.consistency);
	td_uuid_v7(td_clock_wall_ms(l->store->base.clock), name);
	cas_bind_text(&call, td_slice_str(name));
	enum td_status status = cas_call_run(&call, l->store, l->session, STEP_MS, &err);
	cas_call_done(&call);
	if (status != TD_OK)
		return fail(l, STORE_LAYER_WRITABLE, &err);
	store_found_ok(l->x, STORE_LAYER_WRITABLE, "takes writes");
	return true;
}

/* Connections to the other nodes are made in a moment. */
static void look_at_capacity(struct look *l)
{
	struct cql_session_state state;
	uint64_t until_ms = cas_now_ms() + NODES_UP_MS;
	char message[160];
	cql_session_state(l->session, &state);
	while (state.nodes_up < state.nodes && cas_now_ms() < until_ms &&
		cas_now_ms() < atomic_load(&l->store->stop_ms)) {
		(void)poll(NULL, 0, PAUSE_MS);
		cql_session_state(l->session, &state);
	}
	(void)snprintf(message, sizeof(message),
		"%zu of %zu %s of the local data centre can be used", state.nodes_up, state.nodes,
		state.nodes == 1 ? "node" : "nodes");
	if (state.nodes_up < state.nodes)
		store_found(l->x, STORE_LAYER_CAPACITY, STORE_WARNS, message,
			"The others are down, or cannot be reached at the addresses that the "
			"cluster tells.",
			"Look at `nodetool status`; start what is down, or correct "
			"broadcast_rpc_address of those nodes.");
	else
		store_found_ok(l->x, STORE_LAYER_CAPACITY, "%s", message);
}

/* ---- schema and data */

/* Who has the lock of the migrations; "" where nobody has. */
static void put_holder(struct look *l, char *out, size_t size)
{
	struct cas_call call;
	struct td_slice cell;
	out[0] = '\0';
	if (!l->has_keyspace)
		return;
	cas_call_init(&call, l->store, "SELECT holder FROM %s.schema_lock WHERE name = 'schema'",
		CQL_LOCAL_QUORUM);
	call.query.is_idempotent = true;
	if (cas_call_run(&call, l->store, l->session, STEP_MS, NULL) == TD_OK &&
		cas_call_row(&call, &cell, 1))
		(void)snprintf(out, size, "%.*s", TD_SLICE_ARG(cell));
	cas_call_done(&call);
}

static void found_pending(struct look *l, const struct migrate_plan *plan)
{
	char message[320], holder[160];
	put_holder(l, holder, sizeof(holder));
	(void)snprintf(message, sizeof(message), "%zu of %zu migrations are pending%s%s",
		plan->pending, plan->count, holder[0] != '\0' ? "; migrating now: " : "", holder);
	store_found(l->x, STORE_LAYER_MIGRATIONS, STORE_WARNS, message,
		"The tables are not up to date: no service that migrates has been here since, or "
		"it "
		"is about to.",
		"Start back-cassandra or serve, or run `tools-dashboard migrate`.");
}

static bool look_at_migrations(struct look *l)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	struct migrate_plan plan = {.count = 0};
	enum td_status status = store_cassandra_plan(
		&l->store->base, l->what->schema_dir, &arena, &plan, &err);
	if (status == TD_OK)
		status = migrate_plan_check(&plan, MIGRATE_NEWER_ACCEPTED, &err);
	if (status != TD_OK)
		store_found_err(l->x, STORE_LAYER_MIGRATIONS, &err,
			"The migrations cannot be compared, or do not fit what was applied.",
			"Put back the files that were applied (or unset SCHEMA_DIR); "
			"`tools-dashboard migrate status` lists them.");
	else if (plan.pending > 0)
		found_pending(l, &plan);
	else if (plan.newer > 0)
		store_found(l->x, STORE_LAYER_MIGRATIONS, STORE_WARNS,
			"the schema is newer than this version of tools-dashboard",
			"A later version has migrated it.", "Upgrade tools-dashboard.");
	else
		store_found_ok(l->x, STORE_LAYER_MIGRATIONS, "all %zu migrations are applied",
			plan.applied);
	l->has_tables = l->has_tables && plan.pending == 0;
	td_arena_done(&arena);
	return status == TD_OK;
}

/* Whether any package has metadata. */
static enum td_status has_content(struct look *l, bool *ret_has, struct td_err *err)
{
	struct cas_call call;
	struct td_slice cell;
	cas_call_init(&call, l->store,
		"SELECT package_slug FROM %s.subscription_package_metadata LIMIT 1",
		l->store->config.consistency);
	call.query.is_idempotent = true;
	enum td_status status = cas_call_run(&call, l->store, l->session, STEP_MS, err);
	*ret_has = status == TD_OK && cas_call_row(&call, &cell, 1);
	cas_call_done(&call);
	return status;
}

static bool look_at_data(struct look *l)
{
	static const char fix[] = "Start back-cassandra or serve, or run `tools-dashboard "
				  "populate`; for content of your own: `tools-dashboard catalogue "
				  "apply FILE`.";
	struct td_err err = TD_ERR_INIT;
	bool is_populated = false, has = false;
	enum td_status status = TD_OK;
	if (l->has_tables)
		status = store_cassandra_is_populated(&l->store->base, &is_populated, &err);
	if (status == TD_OK && l->has_tables)
		status = has_content(l, &has, &err);
	if (status != TD_OK)
		return fail(l, STORE_LAYER_DATA, &err);
	if (!has)
		store_found(l->x, STORE_LAYER_DATA, STORE_WARNS, "there is no content of packages",
			!l->has_tables ? "The tables are not there yet."
			: is_populated ? "It was there; somebody has deleted it."
				       : "It was not populated yet.",
			fix);
	else if (!is_populated)
		store_found(l->x, STORE_LAYER_DATA, STORE_WARNS,
			"the content was not populated to its end",
			"A population is under way, or was cut off.", fix);
	else
		store_found_ok(l->x, STORE_LAYER_DATA, "the content of packages is there");
	return true;
}

static bool look_at_replication(struct look *l)
{
	struct td_err err = TD_ERR_INIT;
	struct store_cassandra_weakness w;
	char message[300];
	if (!l->has_keyspace) {
		store_found(l->x, STORE_LAYER_REPLICATION, STORE_NOT_REACHED,
			"nothing is replicated before the keyspace is there", NULL, NULL);
		return true;
	}
	if (store_cassandra_inspect(&l->store->base, &w, &err) != TD_OK)
		return fail(l, STORE_LAYER_REPLICATION, &err);
	(void)snprintf(message, sizeof(message), "%u %s in the data centre %.200s of %zu %s",
		w.factor, w.factor == 1 ? "replica" : "replicas", w.local_dc, w.nodes,
		w.nodes == 1 ? "node" : "nodes");
	if (w.better == 0) {
		store_found_ok(l->x, STORE_LAYER_REPLICATION, "%s", message);
		return true;
	}
	store_found(l->x, STORE_LAYER_REPLICATION, STORE_WARNS, message,
		"What is on a node that dies cannot be read, and may be lost.", NULL);
	store_found_fix(l->x, STORE_LAYER_REPLICATION,
		"As a superuser run: %s; then on each node: nodetool repair -full %s", w.alter,
		w.keyspace);
	return true;
}

static void look_at_agreement(struct look *l)
{
	struct td_err err = TD_ERR_INIT;
	if (cql_session_agree(l->session, STEP_MS / 4, &err) == TD_OK)
		store_found_ok(l->x, STORE_LAYER_SCHEMA_AGREEMENT, "all nodes have one schema");
	else
		store_found_err(l->x, STORE_LAYER_SCHEMA_AGREEMENT, &err,
			"The nodes have different tables: a change is on its way, or a node has "
			"missed one.",
			"Wait a moment; if it stays, `nodetool describecluster` shows who differs: "
			"restart that node.");
}

static void look_at_all(struct look *l)
{
	struct cql_session_state state;
	cql_session_state(l->session, &state);
	look_at_login(l, &state);
	look_at_clock(l);
	if (!look_at_keyspace(l, state.local_dc))
		return;
	look_at_version(l, state.release);
	if (!look_at_writing(l))
		return;
	look_at_capacity(l);
	if (look_at_migrations(l) && look_at_data(l) && look_at_replication(l))
		look_at_agreement(l);
}

/* ---- one session for it all */

static enum td_status fail_to_begin(
	struct cas_store *s, const char *why, struct connect_failures *failures)
{
	struct connect_failure *f = &failures->list[0];
	*f = (struct connect_failure){.class = CONNECT_UNREADABLE};
	(void)snprintf(f->address, sizeof(f->address), "%.280s:%u",
		s->config.contact_points[0].name, s->config.contact_points[0].port);
	(void)snprintf(f->reason, sizeof(f->reason), "CASSANDRA_TLS: %.380s", why);
	failures->count = 1;
	return TD_UNAVAILABLE;
}

static enum td_status examine(
	struct look *l, const struct connect_limit *limit, struct connect_failures *failures)
{
	struct td_err err = TD_ERR_INIT;
	enum td_status status = cas_make_tls(l->store, &err);
	if (status == TD_INVALID || status == TD_IO)
		return fail_to_begin(l->store, err.text, failures);
	if (status == TD_OK)
		status = cas_connect_port.attempt(l->store, limit, failures);
	if (status != TD_OK)
		return status;
	l->session = cas_hold(l->store);
	look_at_all(l);
	cas_let_go(l->store);
	return TD_OK;
}

enum td_status store_cassandra_examine(const struct store_cassandra_config *config,
	const struct store_cassandra_look *what, const struct connect_limit *limit,
	struct store_examination *x, struct connect_failures *ret_failures)
{
	struct look l = {.what = what, .x = x};
	uint64_t now_ms = cas_now_ms();
	struct cas_store *s = td_alloc_zero(sizeof(*s));
	if (s == NULL)
		return TD_NOMEM;
	l.store = s;
	td_lock_init(&s->lock);
	td_cond_init(&s->changed);
	s->base = (struct store){.clock = config->clock};
	s->config = *config;
	s->config.contact_points = &config->contact_points[what->point];
	s->config.contact_point_count = 1;
	s->config.connect_timeout_ms = limit->deadline_ms > now_ms
					       ? (int64_t)(limit->deadline_ms - now_ms)
					       : 1;
	atomic_store(&s->stop_ms, limit->deadline_ms);
	enum td_status status = examine(&l, limit, ret_failures);
	atomic_store(&s->stopping, true);
	cas_connect_port.close(s);
	cql_tls_destroy(s->tls);
	td_cond_done(&s->changed);
	td_lock_done(&s->lock);
	td_free(s);
	return status;
}
