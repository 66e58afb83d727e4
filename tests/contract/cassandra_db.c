#include "cassandra_db.h"

#include "store/cassandra/store_cassandra.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEYSPACE "contract"

static pid_t holder;
static int holder_stdin = -1;
static char address[64];
static unsigned port;
static struct cql_session *client;

/* What an observer must have; nobody looks at it here. */
static void on_nothing(void *ctx)
{
	(void)ctx;
}

static void on_start_failed(void *ctx, int64_t number, int64_t of,
	const struct connect_failures *failures, int64_t wait_ms)
{
	(void)ctx;
	(void)number;
	(void)of;
	(void)failures;
	(void)wait_ms;
}

static void on_gave_up(
	void *ctx, int64_t attempts, int64_t passed_ms, const struct connect_failures *failures)
{
	(void)ctx;
	(void)attempts;
	(void)passed_ms;
	(void)failures;
}

static void on_up(void *ctx, bool again, int64_t away_ms)
{
	(void)ctx;
	(void)again;
	(void)away_ms;
}

static void on_lost(void *ctx, const struct connect_failures *failures)
{
	(void)ctx;
	(void)failures;
}

static void on_still_down(void *ctx, int64_t away_ms, const struct connect_failures *failures)
{
	(void)ctx;
	(void)away_ms;
	(void)failures;
}

static atomic_uint bad_rows_told;

static void on_bad_row(void *ctx, const struct store_bad_row *row)
{
	(void)ctx;
	(void)row;
	atomic_fetch_add(&bad_rows_told, 1);
}

unsigned cassdb_bad_rows_told(void)
{
	return atomic_load(&bad_rows_told);
}

static struct store *create(size_t queue_limit)
{
	static struct connect_host host;
	host = (struct connect_host){address, (uint16_t)port};
	const struct store_cassandra_config config = {
		.contact_points = &host,
		.contact_point_count = 1,
		.keyspace = KEYSPACE,
		.replication_factor = 1,
		.consistency = CQL_LOCAL_QUORUM,
		.application = "contract",
		.clock = &td_clock_system,
		.connect_timeout_ms = 20000,
		.store_timeout_ms = 20000,
		.queue_limit = queue_limit,
		.schedule = {.max_retries = 3, .initial_ms = 100, .max_ms = 500},
		.observer = {.connecting = on_nothing,
			.start_failed = on_start_failed,
			.gave_up = on_gave_up,
			.up = on_up,
			.lost = on_lost,
			.still_down = on_still_down},
		.bad_row = on_bad_row,
	};
	struct store *store = NULL;
	assert_int_equal(store_cassandra_create(&config, &store, NULL), TD_OK);
	assert_int_equal(store_cassandra_wait(store), TD_OK);
	return store;
}

void cassdb_exec(void *db, const char *cql)
{
	(void)db;
	struct cql_query query = CQL_QUERY_INIT;
	struct cql_response response;
	query.text = td_slice_str(cql);
	query.timeout_ms = 60000;
	if (cql_session_run(client, &query, &response) != TD_OK)
		fail_msg("%s: %s", cql, response.answer.err->text);
	cql_response_done(&response);
}

static void *make(void)
{
	static int db;
	cassdb_exec(NULL, "TRUNCATE " KEYSPACE ".subscription_package_metadata");
	cassdb_exec(NULL, "TRUNCATE " KEYSPACE ".subscription_features");
	cassdb_exec(NULL, "TRUNCATE " KEYSPACE ".content_population");
	cassdb_exec(NULL, "TRUNCATE " KEYSPACE ".subscription_events");
	return &db;
}

static void destroy(void *db)
{
	(void)db;
}

static struct store *open_store(void *db, bool small)
{
	(void)db;
	return create(small ? 8 : 0);
}

const struct contract_factory cassdb_factory = {
	.name = "cassandra",
	.make = make,
	.destroy = destroy,
	.open = open_store,
	.exec = cassdb_exec,
};

/* ---- the server */

static void run_holder(int in, int out)
{
	const char *python = access("/usr/bin/python3", X_OK) == 0 ? "/usr/bin/python3" : "python3";
	(void)dup2(in, STDIN_FILENO);
	(void)dup2(out, STDOUT_FILENO);
	(void)execlp(python, python, CASSANDRA_HOLD, (char *)NULL);
	_exit(127);
}

static bool start_holder(void)
{
	int to[2], from[2];
	char line[128] = "";
	if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
		return false;
	holder = fork();
	if (holder == 0)
		run_holder(to[0], from[1]);
	(void)close(to[0]);
	(void)close(from[1]);
	holder_stdin = to[1];
	FILE *answer = fdopen(from[0], "r");
	bool ok = holder > 0 && answer != NULL && fgets(line, sizeof(line), answer) != NULL;
	if (answer != NULL)
		(void)fclose(answer);
	char *space = strchr(line, ' ');
	if (!ok || space == NULL)
		return false;
	(void)snprintf(address, sizeof(address), "%.*s", (int)(space - line), line);
	port = (unsigned)strtoul(space + 1, NULL, 10);
	return port != 0;
}

static bool open_client(void)
{
	struct cql_session_config config;
	const struct cql_contact_point point = {address, (uint16_t)port};
	struct td_err err = TD_ERR_INIT;
	cql_session_config_init(&config);
	config.contact_points = &point;
	config.contact_point_count = 1;
	if (cql_session_open(&config, &client, &err) == TD_OK &&
		cql_session_wait(client, 30000, &err) == TD_OK)
		return true;
	(void)fprintf(stderr, "%s\n", err.text);
	return false;
}

static bool migrate(void)
{
	struct td_err err = TD_ERR_INIT;
	const struct store_cassandra_migration migration = {.schema_dir = NULL};
	struct store *store = create(0);
	bool ok = store_cassandra_migrate(store, &migration, &err) == TD_OK;
	if (!ok)
		(void)fprintf(stderr, "%s\n", err.text);
	store_destroy(store);
	return ok;
}

bool cassdb_start(void)
{
	if (start_holder() && open_client() && migrate())
		return true;
	(void)fprintf(stderr, "Cassandra could not be started\n");
	cassdb_stop();
	return false;
}

void cassdb_stop(void)
{
	cql_session_close(client);
	client = NULL;
	if (holder_stdin >= 0)
		(void)close(holder_stdin);
	if (holder > 0)
		(void)waitpid(holder, NULL, 0);
}
