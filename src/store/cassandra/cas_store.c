#include "store/cassandra/cas_internal.h"

#include "base/alloc.h"
#include "work/lane.h"

#include <stdio.h>

#define QUEUE_LIMIT 1024
#define BATCH_LIMIT 16

static struct cas_store *cas(struct store *store)
{
	return (struct cas_store *)(void *)store;
}

/* ---- the lanes' threads */

void cas_tell_bad_row(struct cas_store *s, const struct store_bad_row *row)
{
	td_lock_take(&s->lock);
	bool is_new = store_bad_told_add(&s->bad_told, row);
	td_lock_give(&s->lock);
	if (is_new && s->config.bad_row != NULL)
		s->config.bad_row(s->config.bad_row_ctx, row);
}

static void tell_changed(struct cas_store *s)
{
	td_lock_take(&s->lock);
	/* Under the lock: so on_set_changed() waits for a call that is under way. */
	if (s->told != NULL)
		s->told(s->told_ctx);
	td_lock_give(&s->lock);
}

static enum td_status run_kind(
	struct cas_store *s, struct cql_session *session, struct store_op *op)
{
	switch ((unsigned)op->kind) {
	case STORE_CATALOGUE_READ:
		return cas_content_read(s, session, op);
	case STORE_CATALOGUE_APPLY:
		return cas_content_apply(s, session, op);
	case STORE_CATALOGUE_POPULATE:
		return cas_content_populate(s, session, op);
	case STORE_EVENTS_TELL:
		return cas_events_tell(s, session, op);
	case STORE_EVENTS_LIST:
		return cas_events_list(s, session, op);
	default:
		return td_err_set(&op->err, TD_INTERNAL,
			"%s: Cassandra keeps content and events alone", store_op_name(op->kind));
	}
}

/* To who asks for a page of history it is all the same why it cannot be read: it is not there now.
 * What the server has against us is in the words. */
static enum td_status outcome_of_list(struct store_op *op, enum td_status status)
{
	bool passes = status == TD_OK || status == TD_TIMEOUT || status == TD_STOPPING ||
		      status == TD_NOMEM;
	if (op->kind != STORE_EVENTS_LIST || passes)
		return status;
	return td_err_set(
		&op->err, TD_UNAVAILABLE, "the event log cannot be read: %.400s", op->err.text);
}

static enum td_status run_op(struct cas_store *s, struct store_op *op)
{
	struct cql_session *session = cas_hold(s);
	if (session == NULL)
		return td_err_set(&op->err, TD_UNAVAILABLE, "Cassandra is not connected");
	enum td_status status = outcome_of_list(op, run_kind(s, session, op));
	cas_let_go(s);
	return status;
}

static void run_batch(void *ctx, struct lane_job **jobs, size_t count)
{
	struct cas_store *s = ctx;
	for (size_t i = 0; i < count; i++) {
		struct store_op *op = TD_CONTAINER_OF(jobs[i], struct store_op, job);
		enum td_status status = run_op(s, op);
		if (store_op_writes(op->kind) && op->kind != STORE_EVENTS_TELL)
			tell_changed(s); /* where it failed, too: a part may be done */
		lane_finish(jobs[i], status);
	}
}

/* ---- the store's class */

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
	struct cas_store *s = cas(store);
	if (atomic_load(&s->stopping))
		return TD_STOPPING;
	if (!connect_supervisor_is_up(s->supervisor))
		return TD_UNAVAILABLE;
	op->job.deadline_ms = op->deadline_ms;
	op->job.done = tell_done;
	op->job.release = tell_released;
	return lane_submit(store_op_writes(op->kind) ? s->writer : s->reader, &op->job);
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
	connect_supervisor_get_health(cas(store)->supervisor, &health);
	*ret = (struct store_health){
		.name = "cassandra",
		.state = states[health.state],
		.since_ms = health.since_ms,
		.next_attempt_in_ms = health.next_attempt_in_ms,
	};
	(void)snprintf(ret->last_error, sizeof(ret->last_error), "%.255s", health.last.reason);
}

static void on_set_changed(struct store *store, store_changed_fn *fn, void *ctx)
{
	struct cas_store *s = cas(store);
	td_lock_take(&s->lock);
	s->told_ctx = ctx;
	s->told = fn;
	td_lock_give(&s->lock);
}

static void on_each_lane(struct store *store, store_lane_fn *fn, void *ctx)
{
	struct cas_store *s = cas(store);
	fn(ctx, s->writer);
	fn(ctx, s->reader);
}

static void on_expire(struct store *store, uint64_t now_ms)
{
	struct cas_store *s = cas(store);
	lane_expire(s->writer, now_ms);
	lane_expire(s->reader, now_ms);
}

static void on_hurry(struct store *store, uint64_t deadline_ms)
{
	struct cas_store *s = cas(store);
	atomic_store(&s->stop_ms, deadline_ms);
	connect_supervisor_interrupt(s->supervisor);
}

static void on_stop(struct store *store, uint64_t drain_deadline_ms)
{
	struct cas_store *s = cas(store);
	atomic_store(&s->stop_ms, drain_deadline_ms);
	atomic_store(&s->stopping, true);
	if (s->writer != NULL)
		lane_stop(s->writer, drain_deadline_ms);
	if (s->reader != NULL)
		lane_stop(s->reader, drain_deadline_ms);
	if (s->supervisor != NULL)
		connect_supervisor_stop(s->supervisor);
}

static void on_destroy(struct store *store)
{
	struct cas_store *s = cas(store);
	on_stop(store, 0);
	lane_destroy(s->writer);
	lane_destroy(s->reader);
	connect_supervisor_destroy(s->supervisor);
	cql_tls_destroy(s->tls);
	td_cond_done(&s->changed);
	td_lock_done(&s->lock);
	td_free(s);
}

static const struct store_class cas_class = {
	.submit = on_submit,
	.get_health = on_get_health,
	.get_connections = cas_get_connections,
	.set_changed = on_set_changed,
	.each_lane = on_each_lane,
	.expire = on_expire,
	.hurry = on_hurry,
	.stop = on_stop,
	.destroy = on_destroy,
};

/* ---- making one */

static enum td_status make_lane(
	struct cas_store *s, const char *name, struct lane **ret_lane, struct td_err *err)
{
	const struct lane_config config = {
		.name = name,
		.queue_limit = s->config.queue_limit != 0 ? s->config.queue_limit : QUEUE_LIMIT,
		.batch_limit = BATCH_LIMIT,
		.run = run_batch,
		.ctx = s,
		.clock = s->base.clock,
	};
	return lane_create(&config, ret_lane, err);
}

enum td_status cas_make_tls(struct cas_store *s, struct td_err *err)
{
	static const enum cql_tls_mode modes[] = {
		[STORE_CASSANDRA_TLS_REQUIRE] = CQL_TLS_REQUIRE,
		[STORE_CASSANDRA_TLS_VERIFY_CA] = CQL_TLS_VERIFY_CA,
		[STORE_CASSANDRA_TLS_VERIFY_FULL] = CQL_TLS_VERIFY_FULL,
	};
	const struct store_cassandra_tls *tls = &s->config.tls;
	if (tls->mode == STORE_CASSANDRA_TLS_DISABLE)
		return TD_OK;
	const struct cql_tls_config config = {
		.mode = modes[tls->mode],
		.ca_file = tls->ca_file,
		.cert_file = tls->cert_file,
		.key_file = tls->key_file,
	};
	return cql_tls_create(&config, &s->tls, err);
}

static enum td_status make_parts(struct cas_store *s, struct td_err *err)
{
	struct connect_supervisor_config supervisor = {
		.name = "cas-supervisor",
		.port = cas_connect_port,
		.observer = s->config.observer,
		.schedule = s->config.schedule,
		.keeps_trying = s->config.keeps_trying,
		.timeout_ms = s->config.connect_timeout_ms,
		.clock = s->config.clock,
	};
	supervisor.port.ctx = s;
	enum td_status status = cas_make_tls(s, err);
	if (status == TD_OK)
		status = make_lane(s, "cas-write", &s->writer, err);
	if (status == TD_OK)
		status = make_lane(s, "cas-read", &s->reader, err);
	if (status == TD_OK)
		status = connect_supervisor_create(&supervisor, &s->supervisor, err);
	return status;
}

enum td_status store_cassandra_create(
	const struct store_cassandra_config *config, struct store **ret_store, struct td_err *err)
{
	td_assert(config->contact_point_count > 0 &&
		  config->contact_point_count <= CQL_CONTACT_POINTS_MOST);
	struct cas_store *s = td_alloc_zero(sizeof(*s));
	if (s == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for the store");
	td_lock_init(&s->lock);
	td_cond_init(&s->changed);
	atomic_store(&s->stop_ms, UINT64_MAX);
	s->base = (struct store){.class = &cas_class, .clock = config->clock};
	s->config = *config;
	enum td_status status = make_parts(s, err);
	if (status != TD_OK) {
		on_destroy(&s->base);
		return status;
	}
	*ret_store = &s->base;
	return TD_OK;
}

void store_cassandra_keep_trying(struct store *store, bool keeps_trying)
{
	connect_supervisor_keep_trying(cas(store)->supervisor, keeps_trying);
}

enum td_status store_cassandra_wait(struct store *store)
{
	return connect_supervisor_wait(cas(store)->supervisor);
}
