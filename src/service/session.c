#include "service/session.h"

#include "service/cassandra.h"
#include "service/postgres.h"
#include "service/storage.h"
#include "store/cassandra/store_cassandra.h"
#include "store/postgres/store_postgres.h"

#include <errno.h>
#include <unistd.h>

#define TICK_MS 50

static enum td_status expect_schema(struct session *session, struct td_err *err)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct migrate_plan plan;
	enum td_status status = store_postgres_plan(
		session->store, session->settings->schema_dir, &arena, &plan, err);
	if (status == TD_OK)
		status = migrate_plan_check(&plan, MIGRATE_NEWER_ACCEPTED, err);
	if (status == TD_OK && plan.pending > 0)
		status = td_err_set(err, TD_SCHEMA,
			"PostgreSQL's schema is not up to date; run `tools-dashboard migrate` "
			"first");
	td_arena_done(&arena);
	return status;
}

static enum td_status open_postgres(struct session *session, unsigned wishes, struct td_err *err)
{
	enum td_status status = postgres_create(
		session->settings, "tools-dashboard", &session->store, err);
	if (status == TD_OK)
		status = postgres_wait(session->store, err);
	if (status == TD_OK && (wishes & SESSION_MIGRATES) != 0)
		status = postgres_migrate(session->store, session->settings, NULL, NULL, err);
	else if (status == TD_OK)
		status = expect_schema(session, err);
	return status;
}

static enum td_status open_records(struct session *session, unsigned wishes, struct td_err *err)
{
	struct store_sqlite_config config = storage_config(session->settings);
	if (session->settings->uses_postgres)
		return open_postgres(session, wishes, err);
	if ((wishes & SESSION_MIGRATES) != 0)
		return storage_open(session->settings, /* migrate= */ true, &session->store, err);
	/* Opening would make the file. */
	if (access(config.path, F_OK) != 0 && errno == ENOENT)
		return td_err_set(err, TD_UNAVAILABLE,
			"there is no database at %.300s yet; make it with `tools-dashboard "
			"populate`, or start `tools-dashboard serve`",
			config.path);
	config.migrate = false;
	return store_sqlite_open(&config, &session->store, err);
}

static enum td_status expect_keyspace(struct session *session, struct td_err *err)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct migrate_plan plan;
	enum td_status status = store_cassandra_plan(
		session->content, session->settings->schema_dir, &arena, &plan, err);
	if (status == TD_OK)
		status = migrate_plan_check(&plan, MIGRATE_NEWER_ACCEPTED, err);
	if (status == TD_OK && plan.pending > 0)
		status = td_err_set(err, TD_SCHEMA,
			"Cassandra's schema is not up to date; run `tools-dashboard migrate` "
			"first");
	td_arena_done(&arena);
	return status;
}

static enum td_status open_content(struct session *session, unsigned wishes, struct td_err *err)
{
	if ((wishes & SESSION_CONTENT) == 0 || !session->settings->uses_cassandra)
		return TD_OK;
	enum td_status status = cassandra_create(
		session->settings, "tools-dashboard", &session->content, err);
	if (status == TD_OK)
		status = cassandra_wait(session->content, err);
	if (status == TD_OK && (wishes & SESSION_MIGRATES) != 0)
		status = cassandra_migrate(session->content, session->settings, NULL, NULL, err);
	else if (status == TD_OK)
		status = expect_keyspace(session, err);
	return status;
}

enum td_status session_open(struct session *session, const struct settings *settings,
	unsigned wishes, struct td_err *err)
{
	*session = (struct session){.settings = settings};
	enum td_status status = open_records(session, wishes, err);
	if (status == TD_OK)
		status = open_content(session, wishes, err);
	if (status == TD_OK)
		status = td_ticker_create(TICK_MS, &session->ticker, err);
	if (status == TD_OK)
		status = td_ticker_add(session->ticker, store_expire, session->store, err);
	if (status == TD_OK && session->content != NULL)
		status = td_ticker_add(session->ticker, store_expire, session->content, err);
	if (status != TD_OK)
		session_close(session);
	return status;
}

void session_close(struct session *session)
{
	td_ticker_destroy(session->ticker);
	store_destroy(session->content);
	store_destroy(session->store);
	*session = (struct session){.settings = session->settings};
}

struct store_op *session_op(struct session *session, enum store_op_kind kind)
{
	struct store_op *op = store_op_new(kind);
	if (op == NULL)
		return NULL;
	op->now_ms = td_clock_wall_ms(&td_clock_system);
	op->deadline_ms = td_clock_mono_ms(&td_clock_system) +
			  (uint64_t)session->settings->store_timeout_ms;
	return op;
}

struct catalogue_access session_catalogue(
	struct session *session, catalogue_say_fn *say, void *say_ctx)
{
	return (struct catalogue_access){
		.store = session->store,
		.content = session->content,
		.clock = &td_clock_system,
		.store_timeout_ms = (unsigned)session->settings->store_timeout_ms,
		.say = say,
		.say_ctx = say_ctx,
	};
}
