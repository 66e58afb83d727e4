/* What doctor finds on a PostgreSQL server: one login, then one question a layer. */
#include "store/postgres/pg_library.h"
#include "store/postgres/pg_store_internal.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>

/* Of one process of ours: its supervisor, its writer, its readers. */
#define CONNECTIONS_NEEDED (2 + PG_READERS)

struct look {
	const struct store_postgres_look *what;
	const struct connect_limit *limit;
	struct pg_store *store; /* the parts of one that reading a plan needs */
	PGconn *conn;
	struct store_examination *x;
	struct td_arena arena;    /* the plan's */
	struct migrate_plan plan; /* empty where it cannot be read */
	struct td_err plan_err;   /* why it cannot, or does not fit */
	enum td_status plan_status;
};

static void fill_pg(const struct store_postgres_config *config, struct pg_config *pg)
{
	*pg = (struct pg_config){
		.url = config->url,
		.password = config->password,
		.password_ctx = config->password_ctx,
		.application = config->application,
		.timeout_ms = config->connect_timeout_ms,
		.statement_timeout_ms = config->store_timeout_ms,
		.may_be_read_only = true,
	};
}

enum td_status store_postgres_check(const struct store_postgres_config *config, struct td_err *err)
{
	struct pg_config pg;
	enum td_status status = pg_library_load(err);
	fill_pg(config, &pg);
	return status == TD_OK ? pg_check_params(&pg, err) : status;
}

/* One row; where there is none, the layer fails. */
static PGresult *ask(struct look *l, enum store_layer layer, const char *sql, int columns)
{
	struct td_err err = TD_ERR_INIT;
	PGresult *r = NULL;
	enum td_status status = pg_query_row(l->conn, sql, columns, l->limit, &r, &err);
	if (status == TD_OK)
		return r;
	store_found_err(l->x, layer, &err, "The server refused or did not answer a question.",
		strcmp(err.state, "42501") == 0
			? "Grant the role of DATABASE_URL what the message names."
			: "Look at the server's log.");
	return NULL;
}

static bool is_true(const PGresult *r, int column)
{
	return PQgetvalue(r, 0, column)[0] == 't';
}

static int64_t number(const PGresult *r, int column)
{
	return strtoll(PQgetvalue(r, 0, column), NULL, 10);
}

/* ---- the login */

/* Asked of the server, for libpq's own words about TLS need OpenSSL's. */
static bool look_at_login(struct look *l)
{
	PGresult *r = ask(l, STORE_LAYER_PROTOCOL,
		"SELECT (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl),"
		" pg_backend_pid(), (extract(epoch FROM clock_timestamp()) * 1000)::bigint,"
		" current_database(), current_user",
		5);
	if (r == NULL)
		return false;
	const char *mode = connect_url_param(&l->store->pg.url, "sslmode");
	l->x->has_clock = true;
	l->x->clock_ahead_ms = number(r, 2) - td_clock_wall_ms(&td_clock_system);
	if (PQgetisnull(r, 0, 0))
		store_found_ok(l->x, STORE_LAYER_TLS, "not encrypted (sslmode=%s)",
			mode != NULL ? mode : "prefer");
	else
		store_found_ok(l->x, STORE_LAYER_TLS, "encrypted with %s (sslmode=%s)",
			PQgetvalue(r, 0, 0), mode != NULL ? mode : "prefer");
	if (number(r, 1) == PQbackendPID(l->conn))
		store_found_ok(l->x, STORE_LAYER_PROTOCOL, "speaks PostgreSQL's protocol 3.0");
	else
		store_found(l->x, STORE_LAYER_PROTOCOL, STORE_WARNS,
			"a connection pooler stands before the server",
			"LISTEN and session locks do not work through it: changes that others "
			"make show within CATALOGUE_REFRESH.",
			"Nothing, where that is meant; else point DATABASE_URL at the server "
			"itself.");
	store_found_ok(l->x, STORE_LAYER_AUTH, "logged in as %s", PQgetvalue(r, 0, 4));
	store_found_ok(l->x, STORE_LAYER_DATABASE, "the database %s is there", PQgetvalue(r, 0, 3));
	PQclear(r);
	return true;
}

/* ---- writing */

static void found_read_only(struct look *l, bool is_standby)
{
	store_found(l->x, STORE_LAYER_WRITABLE, STORE_FAILS,
		is_standby ? "the server is a read-only standby"
			   : "the server's sessions are read-only",
		is_standby ? "The server copies another one; after a failover the old address may "
			     "lead to such a one."
			   : "default_transaction_read_only is on for the server, the database or "
			     "the role.",
		is_standby ? "Point DATABASE_URL at the primary, or promote this server."
			   : "Set default_transaction_read_only to off, or point DATABASE_URL at "
			     "the primary.");
}

/* A table that nobody else sees, and that is gone with the transaction: it needs room on the disk
 * like every other. */
static enum td_status try_to_write(struct look *l, struct td_err *err)
{
	static const char make[] =
		"CREATE TEMPORARY TABLE tools_dashboard_doctor (filler text) ON COMMIT DROP";
	static const char fill[] = "INSERT INTO tools_dashboard_doctor"
				   " SELECT repeat('x', 1000) FROM generate_series(1, 500)";
	static const char *const steps[] = {"BEGIN", make, fill};
	enum td_status status = TD_OK;
	for (size_t i = 0; i < TD_ARRAY_LEN(steps) && status == TD_OK; i++)
		status = pg_query(l->conn, steps[i], NULL, 0, l->limit, NULL, err);
	if (PQstatus(l->conn) == CONNECTION_OK && status != TD_TIMEOUT &&
		pg_query(l->conn, "ROLLBACK", NULL, 0, l->limit, NULL, NULL) != TD_OK)
		status = status == TD_OK ? td_err_set(err, TD_UNAVAILABLE,
						   "the connection to PostgreSQL was lost")
					 : status;
	return status;
}

static bool has_room(struct look *l)
{
	struct td_err err = TD_ERR_INIT;
	enum td_status status = try_to_write(l, &err);
	/* Who may not make temporary tables may all the same write ours. */
	if (status == TD_OK || strcmp(err.state, "42501") == 0)
		return true;
	if (strncmp(err.state, "53", 2) == 0 || strncmp(err.state, "58", 2) == 0)
		store_found_err(l->x, STORE_LAYER_WRITABLE, &err,
			"The server has no room left on its disk, or no memory: it answers reads "
			"and refuses writes.",
			"Free disk space (or memory) on the server's machine; its log says which.");
	else
		store_found_err(l->x, STORE_LAYER_WRITABLE, &err,
			"A trial write, which is rolled back, was refused.",
			"Look at the server's log.");
	return false;
}

static const char rights_sql[] =
	"SELECT (SELECT string_agg(name, ', ') FROM unnest(ARRAY['users', 'user_subscriptions',"
	" 'subscription_packages', 'subscription_package_metadata', 'subscription_features',"
	" 'kept_catalogue', 'subscription_history', 'subscription_outbox',"
	" 'subscription_event_log', 'api_keys', 'sessions', 'password_resets', 'throttles',"
	" 'leases', 'idempotency', 'outbox']) name,"
	" LATERAL (SELECT to_regclass(name) AS id) named"
	" WHERE NOT (has_table_privilege(id, 'SELECT') AND has_table_privilege(id, 'INSERT')"
	" AND has_table_privilege(id, 'UPDATE') AND has_table_privilege(id, 'DELETE'))),"
	" has_schema_privilege(current_schema(), 'CREATE'), current_user";

static void found_no_right(struct look *l, const PGresult *r, bool needs_tables)
{
	char message[600];
	(void)snprintf(message, sizeof(message), "the role %.80s may not %s%.450s",
		PQgetvalue(r, 0, 2), needs_tables ? "make tables" : "write ",
		needs_tables ? "" : PQgetvalue(r, 0, 0));
	store_found(l->x, STORE_LAYER_WRITABLE, STORE_FAILS, message,
		needs_tables
			? "Migrations are pending, and nobody has given the role of DATABASE_URL "
			  "that right (PostgreSQL 15 and later give it to nobody by themselves)."
			: "The tables belong to another role, which has not shared them.",
		"As the tables' owner run GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN "
		"SCHEMA public TO the role of DATABASE_URL.");
	if (needs_tables)
		store_found_fix(l->x, STORE_LAYER_WRITABLE, "%s.", pg_words_make_tables);
}

/* Of those tables that are there, and of the schema where some are still to be made. */
static bool has_rights(struct look *l)
{
	PGresult *r = ask(l, STORE_LAYER_WRITABLE, rights_sql, 3);
	if (r == NULL)
		return false;
	bool needs_tables = l->plan.pending > 0 && !is_true(r, 1);
	bool has_all = !needs_tables && PQgetisnull(r, 0, 0);
	if (!has_all)
		found_no_right(l, r, needs_tables);
	PQclear(r);
	return has_all;
}

static void found_writable(struct look *l, bool fsync_off, bool commit_off)
{
	if (fsync_off)
		store_found(l->x, STORE_LAYER_WRITABLE, STORE_WARNS,
			"takes writes, but fsync is off",
			"A power cut may lose or damage what was acknowledged.",
			"Set fsync = on in postgresql.conf.");
	else if (commit_off)
		store_found(l->x, STORE_LAYER_WRITABLE, STORE_WARNS,
			"takes writes, but synchronous_commit is off",
			"A crash loses the last acknowledged writes.",
			"Set synchronous_commit = on in postgresql.conf.");
	else
		store_found_ok(l->x, STORE_LAYER_WRITABLE, "takes writes");
}

static bool look_at_writing(struct look *l)
{
	PGresult *r = ask(l, STORE_LAYER_WRITABLE,
		"SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on',"
		" current_setting('fsync') = 'off', current_setting('synchronous_commit') = 'off'",
		4);
	if (r == NULL)
		return false;
	bool is_standby = is_true(r, 0), is_read_only = is_true(r, 1);
	bool fsync_off = is_true(r, 2), commit_off = is_true(r, 3);
	PQclear(r);
	if (is_standby || is_read_only) {
		found_read_only(l, is_standby);
		return false;
	}
	if (!has_room(l) || !has_rights(l))
		return false;
	found_writable(l, fsync_off, commit_off);
	return true;
}

static bool look_at_capacity(struct look *l)
{
	PGresult *r = ask(l, STORE_LAYER_CAPACITY,
		"SELECT (SELECT sum(numbackends) FROM pg_stat_database)::bigint,"
		" current_setting('max_connections')::bigint"
		" - current_setting('superuser_reserved_connections')::bigint",
		2);
	if (r == NULL)
		return false;
	int64_t used = number(r, 0), most = number(r, 1);
	char message[160];
	(void)snprintf(message, sizeof(message), "%lld of %lld connections are in use",
		(long long)used, (long long)most);
	PQclear(r);
	/* Ours is one of them. */
	if (most - used + 1 < CONNECTIONS_NEEDED)
		store_found(l->x, STORE_LAYER_CAPACITY, STORE_WARNS, message,
			"Each process of ours needs up to four connections, and fewer are left.",
			"Raise max_connections on the server, or close clients that are not "
			"needed.");
	else
		store_found_ok(l->x, STORE_LAYER_CAPACITY, "%s", message);
	return true;
}

/* ---- schema and data */

static void found_pending(struct look *l, const struct migrate_plan *plan)
{
	char message[320];
	PGresult *r = NULL;
	const char *holder = NULL;
	if (pg_query_row(l->conn, pg_sql_migration_holder, 1, l->limit, &r, NULL) == TD_OK &&
		!PQgetisnull(r, 0, 0))
		holder = PQgetvalue(r, 0, 0);
	(void)snprintf(message, sizeof(message), "%zu of %zu migrations are pending%s%.120s",
		plan->pending, plan->count, holder != NULL ? "; migrating now: " : "",
		holder != NULL ? holder : "");
	PQclear(r);
	store_found(l->x, STORE_LAYER_MIGRATIONS, STORE_WARNS, message,
		"The tables are not up to date: no service that migrates has been here since.",
		"Start serve or back-postgres, or run `tools-dashboard migrate`.");
}

/* What is pending says which rights are needed, before it is told. */
static void read_plan(struct look *l)
{
	l->plan_status = pg_plan(
		l->store, l->conn, l->what->schema_dir, &l->arena, &l->plan, &l->plan_err);
	if (l->plan_status == TD_OK)
		l->plan_status = migrate_plan_check(&l->plan, MIGRATE_NEWER_ACCEPTED, &l->plan_err);
	else
		l->plan = (struct migrate_plan){.count = 0};
}

static bool look_at_migrations(struct look *l)
{
	if (l->plan_status != TD_OK)
		store_found_err(l->x, STORE_LAYER_MIGRATIONS, &l->plan_err,
			"The migrations cannot be compared, or do not fit what was applied.",
			"Put back the files that were applied (or unset SCHEMA_DIR); "
			"`tools-dashboard migrate status` lists them.");
	else if (l->plan.pending > 0)
		found_pending(l, &l->plan);
	else if (l->plan.newer > 0)
		store_found(l->x, STORE_LAYER_MIGRATIONS, STORE_WARNS,
			"the schema is newer than this version of tools-dashboard",
			"A later version has migrated it.", "Upgrade tools-dashboard.");
	else
		store_found_ok(l->x, STORE_LAYER_MIGRATIONS, "all %zu migrations are applied",
			l->plan.applied);
	return l->plan_status == TD_OK;
}

static void found_no_data(struct look *l, const char *message, const char *cause)
{
	store_found(l->x, STORE_LAYER_DATA, STORE_WARNS, message, cause,
		"Start serve or back-postgres, or run `tools-dashboard populate`; for packages of "
		"your own: `tools-dashboard catalogue apply FILE`.");
}

static bool look_at_data(struct look *l)
{
	PGresult *r = ask(l, STORE_LAYER_DATA,
		"SELECT (SELECT count(*) FROM subscription_packages),"
		" (SELECT count(*) FROM subscription_package_metadata),"
		" (SELECT count(*) FROM subscription_features)",
		3);
	if (r == NULL)
		return false;
	int64_t packages = number(r, 0), content = number(r, 1) + number(r, 2);
	PQclear(r);
	if (packages == 0)
		found_no_data(l, "there is no package",
			"The catalogue was not populated, or "
			"somebody has deleted all of it.");
	else if (content == 0 && l->what->has_content)
		found_no_data(l, "no package has metadata or features",
			"The content was not populated, or somebody has deleted all of it.");
	else
		store_found_ok(l->x, STORE_LAYER_DATA, "%lld packages", (long long)packages);
	return true;
}

static bool look_at_replication(struct look *l)
{
	PGresult *r = ask(l, STORE_LAYER_REPLICATION,
		"SELECT (SELECT count(*) FROM pg_stat_replication),"
		" current_setting('synchronous_standby_names') <> ''",
		2);
	if (r == NULL)
		return false;
	int64_t standbys = number(r, 0);
	bool waits = is_true(r, 1);
	PQclear(r);
	if (waits && standbys == 0)
		store_found(l->x, STORE_LAYER_REPLICATION, STORE_WARNS,
			"no standby is connected, but commits wait for one",
			"synchronous_standby_names is set: every commit waits until a standby "
			"has it.",
			"Start the standby, or empty synchronous_standby_names.");
	else if (standbys == 0)
		store_found_ok(l->x, STORE_LAYER_REPLICATION,
			"no standby is connected: what is here is here alone");
	else
		store_found_ok(l->x, STORE_LAYER_REPLICATION, "%lld %s connected",
			(long long)standbys, standbys == 1 ? "standby is" : "standbys are");
	return true;
}

static void look_at_all(struct look *l)
{
	if (!look_at_login(l))
		return;
	store_found_ok(l->x, STORE_LAYER_VERSION, "PostgreSQL %s",
		PQparameterStatus(l->conn, "server_version"));
	read_plan(l);
	if (!look_at_writing(l) || !look_at_capacity(l) || !look_at_migrations(l))
		return;
	bool has_tables = l->plan.pending == 0;
	if (!has_tables)
		found_no_data(l, "there are no packages yet", "The tables are not up to date.");
	if (!has_tables || look_at_data(l))
		(void)look_at_replication(l);
}

/* What is left of the time. */
static int64_t left_ms(const struct connect_limit *limit)
{
	uint64_t now = td_clock_mono_ns() / 1000000u;
	return limit->deadline_ms > now ? (int64_t)(limit->deadline_ms - now) : 0;
}

enum td_status store_postgres_examine(const struct store_postgres_config *config,
	const struct store_postgres_look *what, const struct connect_limit *limit,
	struct store_examination *x, struct connect_failures *ret_failures)
{
	struct look l = {.what = what,
		.limit = limit,
		.x = x,
		.arena = TD_ARENA_INIT,
		.plan_err = TD_ERR_INIT};
	l.store = td_alloc_zero(sizeof(*l.store));
	if (l.store == NULL)
		return TD_NOMEM;
	l.store->config = *config;
	fill_pg(config, &l.store->pg);
	l.store->pg.url.hosts[0] = config->url.hosts[what->host];
	l.store->pg.url.host_count = 1;
	enum td_status status = pg_connect(&l.store->pg, limit, &l.conn, ret_failures);
	if (status == TD_OK) {
		l.store->config.store_timeout_ms = left_ms(limit);
		look_at_all(&l);
		td_arena_done(&l.arena);
		PQfinish(l.conn);
	}
	td_free(l.store);
	return status;
}
