#include "store/postgres/pg_store_internal.h"

#include "store/postgres/pg_library.h"

#include "base/alloc.h"
#include "base/log.h"

#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define HEARTBEAT_MS         1000
#define HEARTBEAT_TIMEOUT_MS 1500

static struct pg_store *pg(struct store *store)
{
	return (struct pg_store *)(void *)store;
}

static uint64_t now_ms(void)
{
	return td_clock_mono_ns() / 1000000u;
}

static void tell_changed(struct pg_store *s)
{
	td_lock_take(&s->lock);
	/* Under the lock: so on_set_changed() waits for a call that is under way. */
	if (s->changed != NULL)
		s->changed(s->changed_ctx);
	td_lock_give(&s->lock);
}

/* ---- the supervisor's connection
 * ------------------------------------------------------------------------ */

/* A pooler makes up the process id that it tells at login. */
static enum td_status look_for_pooler(
	struct pg_store *s, PGconn *conn, const struct connect_limit *limit)
{
	PGresult *r = NULL;
	enum td_status status = pg_query_row(conn, "SELECT pg_backend_pid()", 1, limit, &r, NULL);
	if (status == TD_OK)
		atomic_store(
			&s->pooled, strtol(PQgetvalue(r, 0, 0), NULL, 10) != PQbackendPID(conn));
	PQclear(r);
	return status;
}

static enum td_status attempt(
	void *ctx, const struct connect_limit *limit, struct connect_failures *failures)
{
	struct pg_store *s = ctx;
	PGconn *conn = NULL;
	if (pg_connect(&s->pg, limit, &conn, failures) != TD_OK) {
		pg_note_failed(s, connect_failures_worst(failures)->class);
		return TD_UNAVAILABLE;
	}
	enum td_status status = look_for_pooler(s, conn, limit);
	if (status == TD_OK && !atomic_load(&s->pooled))
		status = pg_query(
			conn, "LISTEN tools_dashboard_catalogue", NULL, 0, limit, NULL, NULL);
	if (status != TD_OK) {
		PQfinish(conn);
		failures->count = 1;
		failures->list[0] = (struct connect_failure){.class = CONNECT_CLOSED};
		(void)snprintf(failures->list[0].reason, sizeof(failures->list[0].reason),
			"the connection was lost right after the login");
		pg_note_failed(s, CONNECT_CLOSED);
		return TD_UNAVAILABLE;
	}
	s->control = conn;
	pg_note_open(s, PG_HOLDER_SUPERVISOR);
	s->heartbeat_ms = now_ms();
	s->heard_nothing = true;
	atomic_fetch_add(&s->epoch, 1);
	atomic_store(&s->away, now_ms() >= atomic_load(&s->stop_ms));
	return TD_OK;
}

static bool lost_control(struct pg_store *s, enum connect_class class, const char *why,
	struct connect_failures *failures)
{
	failures->count = 1;
	failures->list[0] = (struct connect_failure){.class = class};
	(void)snprintf(failures->list[0].address, sizeof(failures->list[0].address), "%s:%u",
		s->pg.url.hosts[0].name, s->pg.url.hosts[0].port);
	(void)snprintf(failures->list[0].reason, sizeof(failures->list[0].reason),
		"connection to %s: %s", failures->list[0].address, why);
	atomic_store(&s->away, true);
	return false;
}

static void take_notifications(struct pg_store *s)
{
	bool any = false;
	for (PGnotify *n; (n = PQnotifies(s->control)) != NULL; any = true)
		PQfreemem(n);
	if (any)
		tell_changed(s);
}

static bool heartbeat(
	struct pg_store *s, const struct connect_limit *limit, struct connect_failures *failures)
{
	struct connect_limit own = {
		.deadline_ms = now_ms() + HEARTBEAT_TIMEOUT_MS, .stop = limit->stop};
	struct td_err err = TD_ERR_INIT;
	PGresult *r = NULL;
	/* A server that was demoted, or whose sessions were made read-only, takes no writes. */
	enum td_status status = pg_query_row(s->control,
		"SELECT current_setting('transaction_read_only') = 'on'", 1, &own, &r, &err);
	bool read_only = status == TD_OK && PQgetvalue(r, 0, 0)[0] == 't';
	PQclear(r);
	s->heartbeat_ms = now_ms();
	if (read_only)
		return lost_control(s, CONNECT_READ_ONLY, "it has become read-only", failures);
	if (status == TD_OK)
		return true;
	if (status == TD_TIMEOUT)
		return lost_control(s, CONNECT_SILENT, "it does not answer", failures);
	return lost_control(s, CONNECT_CLOSED, err.text, failures);
}

/* Waits for something to read for the rest of a second, then makes sure that somebody is there. */
static bool watch(void *ctx, const struct connect_limit *limit, struct connect_failures *failures)
{
	struct pg_store *s = ctx;
	uint64_t due_ms = s->heartbeat_ms + HEARTBEAT_MS;
	/* What was told while nobody listened is not told again: read. Not before the store is up,
	 * since a read would be refused. */
	if (s->heard_nothing)
		tell_changed(s);
	s->heard_nothing = false;
	struct connect_limit until = {
		.deadline_ms = due_ms < limit->deadline_ms ? due_ms : limit->deadline_ms,
		.stop = limit->stop};
	if (pg_wait(s->control, /* for_write= */ false, &until)) {
		if (PQconsumeInput(s->control) == 0 || PQstatus(s->control) != CONNECTION_OK)
			return lost_control(s, CONNECT_CLOSED, "the server closed it", failures);
		take_notifications(s);
	}
	if (now_ms() < due_ms)
		return true;
	if (!heartbeat(s, limit, failures))
		return false;
	take_notifications(s);
	return true;
}

static void close_control(void *ctx)
{
	struct pg_store *s = ctx;
	PQfinish(s->control);
	s->control = NULL;
	pg_note_closed(s, PG_HOLDER_SUPERVISOR);
}

/* ---- the store's class
 * ---------------------------------------------------------------------------------- */

static void tell_done(struct lane_job *job, enum td_status status)
{
	struct store_op *op = TD_CONTAINER_OF(job, struct store_op, job);
	op->done(op, status);
}

static void tell_released(struct lane_job *job)
{
	struct store_op *op = TD_CONTAINER_OF(job, struct store_op, job);
	op->release(op);
}

static enum td_status on_submit(struct store *store, struct store_op *op)
{
	struct pg_store *s = pg(store);
	if (atomic_load(&s->stopping))
		return TD_STOPPING;
	if (!connect_supervisor_is_up(s->supervisor))
		return TD_UNAVAILABLE;
	struct pg_lane *l = &s->writer;
	if (!store_op_writes(op->kind))
		l = &s->readers[atomic_fetch_add(&s->next_reader, 1) % PG_READERS];
	op->job.deadline_ms = op->deadline_ms;
	op->job.done = tell_done;
	op->job.release = tell_released;
	return lane_submit(l->lane, &op->job);
}

static void on_get_health(struct store *store, struct store_health *ret)
{
	static const enum store_state states[] = {
		[CONNECT_IS_STARTING] = STORE_CONNECTING,
		[CONNECT_IS_UP] = STORE_UP,
		[CONNECT_IS_DOWN] = STORE_DOWN,
		[CONNECT_IS_FAILED] = STORE_DOWN,
		[CONNECT_IS_STOPPED] = STORE_DOWN,
	};
	struct connect_health health;
	connect_supervisor_get_health(pg(store)->supervisor, &health);
	*ret = (struct store_health){
		.name = "postgresql",
		.state = states[health.state],
		.since_ms = health.since_ms,
		.next_attempt_in_ms = health.next_attempt_in_ms,
	};
	(void)snprintf(ret->last_error, sizeof(ret->last_error), "%.255s", health.last.reason);
}

static void on_set_changed(struct store *store, store_changed_fn *fn, void *ctx)
{
	struct pg_store *s = pg(store);
	td_lock_take(&s->lock);
	s->changed_ctx = ctx;
	s->changed = fn;
	td_lock_give(&s->lock);
}

typedef void each_lane_fn(struct lane *lane, void *ctx);

static void each_lane(struct pg_store *s, each_lane_fn *fn, void *ctx)
{
	if (s->writer.lane != NULL)
		fn(s->writer.lane, ctx);
	for (size_t i = 0; i < PG_READERS; i++) {
		if (s->readers[i].lane != NULL)
			fn(s->readers[i].lane, ctx);
	}
}

struct visit {
	store_lane_fn *fn;
	void *ctx;
};

static void visit_one(struct lane *lane, void *ctx)
{
	struct visit *v = ctx;
	v->fn(v->ctx, lane);
}

static void on_each_lane(struct store *store, store_lane_fn *fn, void *ctx)
{
	struct visit v = {fn, ctx};
	each_lane(pg(store), visit_one, &v);
}

static void expire_one(struct lane *lane, void *ctx)
{
	lane_expire(lane, *(uint64_t *)ctx);
}

/* After store_hurry()'s deadline no lane waits for the server any longer. */
static void on_expire(struct store *store, uint64_t now)
{
	struct pg_store *s = pg(store);
	if (now >= atomic_load(&s->stop_ms))
		atomic_store(&s->away, true);
	each_lane(s, expire_one, &now);
}

static void on_hurry(struct store *store, uint64_t deadline_ms)
{
	struct pg_store *s = pg(store);
	atomic_store(&s->stop_ms, deadline_ms);
	connect_supervisor_interrupt(s->supervisor);
}

static void stop_one(struct lane *lane, void *ctx)
{
	lane_stop(lane, *(uint64_t *)ctx);
}

static void on_stop(struct store *store, uint64_t drain_deadline_ms)
{
	struct pg_store *s = pg(store);
	atomic_store(&s->stop_ms, drain_deadline_ms);
	atomic_store(&s->stopping, true);
	if (now_ms() >= drain_deadline_ms)
		atomic_store(&s->away, true);
	each_lane(s, stop_one, &drain_deadline_ms);
	if (s->supervisor != NULL)
		connect_supervisor_stop(s->supervisor);
}

static void on_destroy(struct store *store)
{
	struct pg_store *s = pg(store);
	on_stop(store, 0);
	lane_destroy(s->writer.lane);
	pg_lane_drop(&s->writer);
	for (size_t i = 0; i < PG_READERS; i++) {
		lane_destroy(s->readers[i].lane);
		pg_lane_drop(&s->readers[i]);
	}
	connect_supervisor_destroy(s->supervisor);
	td_lock_done(&s->lock);
	td_free(s);
}

static const struct store_class pg_class = {
	.submit = on_submit,
	.get_health = on_get_health,
	.get_connections = pg_get_connections,
	.set_changed = on_set_changed,
	.each_lane = on_each_lane,
	.expire = on_expire,
	.hurry = on_hurry,
	.stop = on_stop,
	.destroy = on_destroy,
};

/* ---- making one
 * ----------------------------------------------------------------------------------------- */

static enum td_status make_lane(struct pg_store *s, struct pg_lane *l, const char *name,
	lane_run_fn *run, struct td_err *err)
{
	l->store = s;
	l->writes = run == pg_run_writes;
	l->holder = l->writes ? PG_HOLDER_WRITER
			      : (enum pg_holder)(PG_HOLDER_READER + (l - s->readers));
	struct lane_config config = {
		.name = name,
		.queue_limit = s->config.queue_limit != 0 ? s->config.queue_limit : PG_QUEUE_LIMIT,
		.batch_limit = PG_BATCH_LIMIT,
		.run = run,
		.ctx = l,
		.clock = s->base.clock,
	};
	return lane_create(&config, &l->lane, err);
}

static enum td_status make_lanes(struct pg_store *s, struct td_err *err)
{
	enum td_status status = make_lane(s, &s->writer, "pg-write", pg_run_writes, err);
	static const char *const names[PG_READERS] = {"pg-read-1", "pg-read-2"};
	for (size_t i = 0; i < PG_READERS && status == TD_OK; i++)
		status = make_lane(s, &s->readers[i], names[i], pg_run_reads, err);
	return status;
}

enum td_status store_postgres_create(
	const struct store_postgres_config *config, struct store **ret_store, struct td_err *err)
{
	enum td_status status = pg_library_load(err);
	if (status != TD_OK)
		return status;
	struct pg_store *s = td_alloc_zero(sizeof(*s));
	if (s == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for the store");
	td_lock_init(&s->lock);
	randombytes_buf(s->clash_secret, sizeof(s->clash_secret));
	atomic_store(&s->stop_ms, UINT64_MAX);
	s->base = (struct store){.class = &pg_class, .clock = config->clock};
	s->config = *config;
	s->pg = (struct pg_config){
		.url = config->url,
		.password = config->password,
		.password_ctx = config->password_ctx,
		.application = config->application,
		.timeout_ms = config->connect_timeout_ms,
		.statement_timeout_ms = config->store_timeout_ms,
	};
	status = pg_check_params(&s->pg, err);
	if (status != TD_OK) {
		on_destroy(&s->base);
		return status;
	}
	struct connect_supervisor_config supervisor = {
		.name = "pg-supervisor",
		.port = {.attempt = attempt, .watch = watch, .close = close_control, .ctx = s},
		.observer = config->observer,
		.schedule = config->schedule,
		.timeout_ms = config->connect_timeout_ms,
		.clock = config->clock,
	};
	status = connect_supervisor_create(&supervisor, &s->supervisor, err);
	if (status == TD_OK)
		status = make_lanes(s, err);
	if (status != TD_OK) {
		on_destroy(&s->base);
		return status;
	}
	*ret_store = &s->base;
	return TD_OK;
}

enum td_status store_postgres_wait(struct store *store)
{
	return connect_supervisor_wait(pg(store)->supervisor);
}
