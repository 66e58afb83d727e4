#include "cql/client/session.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "cql/client/agreement.h"
#include "cql/client/cluster.h"
#include "cql/client/config.h"
#include "cql/client/executor.h"
#include "cql/client/statement.h"
#include "work/lock.h"

#include <stdio.h>
#include <string.h>

struct cql_session {
	struct cql_loop *loop;
	struct cql_config config;
	struct cql_hub hub;
	struct cql_cluster cluster;
	struct cql_executor executor;
	struct cql_task start, stop;
	bool are_conns_closed, are_requests_over; /* while it stops */
	struct visit *agreeing;                   /* who waits for agreement alone */

	struct td_lock lock;
	struct td_cond changed;
	bool is_ready;        /* guarded by lock */
	bool is_closing;      /* guarded by lock */
	bool is_closed;       /* guarded by lock */
	unsigned waiters;     /* in cql_session_wait(); guarded by lock */
	unsigned rounds_lost; /* every address was tried in vain; guarded by lock */
};

/* Something done on the loop while its caller waits. */
struct visit {
	struct cql_task task;
	struct cql_session *session;
	struct td_lock lock;
	struct td_cond ended;
	bool has_ended; /* guarded by lock */

	struct cql_session_state *state;
	unsigned timeout_ms;
	enum td_status status;
	struct td_err *err;
	struct cql_agreement *agreement;
	struct visit *next; /* session->agreeing */
};

/* ---- what the parts tell, on the loop */

static struct cql_session *session_of_hub(struct cql_hub *hub)
{
	return TD_CONTAINER_OF(hub, struct cql_session, hub);
}

static void note_round_lost(struct cql_session *session)
{
	td_lock_take(&session->lock);
	session->rounds_lost++;
	td_cond_wake_all(&session->changed);
	td_lock_give(&session->lock);
}

/* True where it was not so before. */
static bool set_ready(struct cql_session *session, bool is_ready)
{
	td_lock_take(&session->lock);
	bool has_changed = session->is_ready != is_ready;
	session->is_ready = is_ready;
	td_cond_wake_all(&session->changed);
	td_lock_give(&session->lock);
	return has_changed;
}

static void tell_lost(struct cql_session *session)
{
	struct td_buf reasons = TD_BUF_INIT;
	cql_failures_write(&session->hub.failures, &reasons);
	const char *text = td_buf_cstr(&reasons);
	cql_hub_tell(&session->hub, CQL_NOTICE_LOST, "", CQL_FAILURE_LOST,
		text != NULL ? text : "no connection is left");
	td_buf_done(&reasons);
}

static void nodes_changed(struct cql_hub *hub)
{
	struct cql_session *session = session_of_hub(hub);
	if (hub->is_stopping)
		return;
	bool is_ready = cql_cluster_nodes_up(&session->cluster) > 0;
	bool has_changed = set_ready(session, is_ready);
	if (has_changed && is_ready)
		cql_hub_tell(hub, CQL_NOTICE_READY, "", CQL_FAILURE_NONE, "");
	else if (has_changed)
		tell_lost(session);
	if (is_ready)
		cql_executor_pump(&session->executor);
	else
		cql_executor_note_lost(&session->executor);
	if (!is_ready && cql_cluster_is_down(&session->cluster))
		note_round_lost(session);
}

static void control_failed(struct cql_cluster *cluster)
{
	note_round_lost(TD_CONTAINER_OF(cluster, struct cql_session, cluster));
}

static void end_if_over(struct cql_session *session)
{
	if (!session->are_conns_closed || !session->are_requests_over)
		return;
	td_lock_take(&session->lock);
	session->is_closed = true;
	td_cond_wake_all(&session->changed);
	td_lock_give(&session->lock);
}

static void conns_closed(struct cql_hub *hub)
{
	struct cql_session *session = session_of_hub(hub);
	session->are_conns_closed = true;
	end_if_over(session);
}

static void requests_over(struct cql_executor *executor)
{
	struct cql_session *session = TD_CONTAINER_OF(executor, struct cql_session, executor);
	session->are_requests_over = true;
	end_if_over(session);
}

/* ---- opening and closing */

static void run_start(struct cql_task *task)
{
	cql_cluster_start(&TD_CONTAINER_OF(task, struct cql_session, start)->cluster);
}

/* The connections first: each knows which of its requests may have run. */
static void run_stop(struct cql_task *task)
{
	struct cql_session *session = TD_CONTAINER_OF(task, struct cql_session, stop);
	cql_executor_refuse(&session->executor);
	while (session->agreeing != NULL)
		cql_agreement_stop(session->agreeing->agreement);
	cql_cluster_stop(&session->cluster);
	cql_executor_stop(&session->executor);
}

static void init_parts(struct cql_session *session)
{
	td_lock_init(&session->lock);
	td_cond_init(&session->changed);
	cql_failures_init(&session->hub.failures);
	session->hub.config = &session->config.set;
	session->hub.changed = nodes_changed;
	session->hub.closed = conns_closed;
	cql_cluster_init(&session->cluster, &session->hub, control_failed);
	cql_executor_init(&session->executor, &session->hub, &session->cluster);
	session->executor.idle = requests_over;
	session->start.run = run_start;
	session->stop.run = run_stop;
}

static void free_session(struct cql_session *session)
{
	cql_executor_done(&session->executor);
	cql_cluster_done(&session->cluster);
	cql_failures_done(&session->hub.failures);
	cql_config_done(&session->config);
	td_cond_done(&session->changed);
	td_lock_done(&session->lock);
	td_free(session);
}

enum td_status cql_session_open(const struct cql_session_config *config,
	struct cql_session **ret_session, struct td_err *err)
{
	struct cql_session *session = td_alloc_zero(sizeof(*session));
	if (session == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for a session");
	init_parts(session);
	enum td_status status = cql_config_copy(&session->config, config, err);
	if (status == TD_OK)
		status = cql_loop_create("cql", &session->loop, err);
	if (status != TD_OK) {
		free_session(session);
		return status;
	}
	session->hub.loop = session->loop;
	cql_loop_post(session->loop, &session->start);
	*ret_session = session;
	return TD_OK;
}

void cql_session_close(struct cql_session *session)
{
	if (session == NULL)
		return;
	td_assert(!cql_loop_is_current(session->loop));
	cql_loop_post(session->loop, &session->stop);
	td_lock_take(&session->lock);
	session->is_closing = true;
	td_cond_wake_all(&session->changed);
	while (!session->is_closed || session->waiters > 0)
		td_cond_wait(&session->changed, &session->lock);
	td_lock_give(&session->lock);
	cql_loop_destroy(session->loop);
	free_session(session);
}

/* ---- waiting for it */

static enum td_status tell_not_ready(
	struct cql_session *session, enum td_status status, struct td_err *err)
{
	struct td_buf reasons = TD_BUF_INIT;
	cql_failures_write(&session->hub.failures, &reasons);
	const char *text = reasons.len > 0 ? td_buf_cstr(&reasons) : NULL;
	(void)td_err_set(err, status, "%s", text != NULL ? text : "no address has answered yet");
	td_buf_done(&reasons);
	return status;
}

/* Under the lock: what ends the waiting. */
static bool has_news(const struct cql_session *session, unsigned rounds_lost)
{
	return session->is_ready || session->is_closing || session->rounds_lost != rounds_lost;
}

/* Under the lock. */
static void stop_waiting(struct cql_session *session)
{
	session->waiters--;
	if (session->is_closing)
		td_cond_wake_all(&session->changed);
}

enum td_status cql_session_wait(
	struct cql_session *session, unsigned timeout_ms, struct td_err *err)
{
	td_assert(!cql_loop_is_current(session->loop));
	uint64_t deadline_ns = td_clock_mono_ns() + (uint64_t)timeout_ms * 1000000;
	enum td_status status = TD_TIMEOUT;
	td_lock_take(&session->lock);
	unsigned rounds_lost = session->rounds_lost;
	bool in_time = true;
	session->waiters++;
	while (!has_news(session, rounds_lost) && in_time)
		in_time = td_cond_wait_until(&session->changed, &session->lock, deadline_ns);
	if (session->is_closing)
		status = td_err_set(err, TD_STOPPING, "the session is closed");
	else if (session->is_ready)
		status = TD_OK;
	else if (in_time)
		status = tell_not_ready(session, cql_failures_last(&session->hub.failures), err);
	else
		status = tell_not_ready(session, TD_TIMEOUT, err);
	stop_waiting(session);
	td_lock_give(&session->lock);
	return status;
}

void cql_session_report(struct cql_session *session, struct td_buf *out)
{
	cql_failures_write(&session->hub.failures, out);
}

void cql_session_each_failure(struct cql_session *session,
	void (*fn)(void *ctx, const struct cql_attempt_failure *failure), void *ctx)
{
	cql_failures_each(&session->hub.failures, fn, ctx);
}

/* ---- something done on the loop while its caller waits */

static void end_visit(struct visit *visit)
{
	td_lock_take(&visit->lock);
	visit->has_ended = true;
	td_cond_wake_all(&visit->ended);
	td_lock_give(&visit->lock);
}

static void pay_visit(struct visit *visit, cql_task_fn *run)
{
	td_assert(!cql_loop_is_current(visit->session->loop));
	visit->task.run = run;
	td_lock_init(&visit->lock);
	td_cond_init(&visit->ended);
	cql_loop_post(visit->session->loop, &visit->task);
	td_lock_take(&visit->lock);
	while (!visit->has_ended)
		td_cond_wait(&visit->ended, &visit->lock);
	td_lock_give(&visit->lock);
	td_cond_done(&visit->ended);
	td_lock_done(&visit->lock);
}

/* When the oldest of the connections that are ready became so; UINT64_MAX: none is. */
static uint64_t oldest_ready_ms(const struct cql_cluster *cluster)
{
	uint64_t oldest_ms = UINT64_MAX;
	if (cql_control_conn(&cluster->control) != NULL)
		oldest_ms = cluster->control.ready_ms;
	for (size_t i = 0; i < cluster->node_count; i++) {
		for (size_t k = 0; k < CQL_NODE_CONNECTIONS_MOST; k++) {
			const struct cql_node_slot *slot = &cluster->nodes[i]->slots[k];
			if (slot->is_ready && slot->ready_ms < oldest_ms)
				oldest_ms = slot->ready_ms;
		}
	}
	return oldest_ms;
}

static void describe(struct cql_session *session, struct cql_session_state *state)
{
	const struct cql_cluster *cluster = &session->cluster;
	const struct cql_conn *control = cql_control_conn(&cluster->control);
	uint64_t oldest_ms = oldest_ready_ms(cluster);
	*state = (struct cql_session_state){
		.nodes_up = cql_cluster_nodes_up(cluster),
		.in_flight = session->executor.count - session->executor.waiting,
		.waiting = session->executor.waiting,
		.version = control != NULL ? cql_conn_version(control) : 0,
	};
	state->is_ready = state->nodes_up > 0;
	if (oldest_ms != UINT64_MAX)
		state->oldest_ms = cql_loop_now_ms(session->loop) - oldest_ms;
	td_lock_take(&session->lock);
	state->rounds_lost = session->rounds_lost;
	td_lock_give(&session->lock);
	state->connections = control != NULL ? 1 : 0;
	for (size_t i = 0; i < cluster->node_count; i++) {
		state->nodes += cluster->nodes[i]->is_local ? 1 : 0;
		state->connections += cluster->nodes[i]->ready_count;
	}
	(void)snprintf(state->local_dc, sizeof(state->local_dc), "%s", cluster->local_dc);
	if (cluster->view != NULL)
		(void)snprintf(state->release, sizeof(state->release), "%.*s",
			TD_SLICE_ARG(cluster->view->local.host.release_version));
}

static void visit_state(struct cql_task *task)
{
	struct visit *visit = TD_CONTAINER_OF(task, struct visit, task);
	describe(visit->session, visit->state);
	end_visit(visit);
}

void cql_session_state(struct cql_session *session, struct cql_session_state *ret_state)
{
	struct visit visit = {.session = session, .state = ret_state};
	pay_visit(&visit, visit_state);
}

static void visit_agreed(void *ctx, enum td_status status, const struct td_err *err)
{
	struct visit *visit = ctx;
	struct visit **at = &visit->session->agreeing;
	while (*at != visit)
		at = &(*at)->next;
	*at = visit->next;
	visit->status = status;
	if (status != TD_OK && visit->err != NULL)
		*visit->err = *err;
	end_visit(visit);
}

static void visit_agreement(struct cql_task *task)
{
	struct visit *visit = TD_CONTAINER_OF(task, struct visit, task);
	struct cql_session *session = visit->session;
	uint64_t deadline_ms = cql_loop_now_ms(session->loop) + visit->timeout_ms;
	if (session->executor.is_stopping)
		visit->status = td_err_set(visit->err, TD_STOPPING, "the session is closed");
	else
		visit->status = cql_agreement_start(&session->cluster, deadline_ms, visit_agreed,
			visit, &visit->agreement, visit->err);
	if (visit->status != TD_OK) {
		end_visit(visit);
		return;
	}
	visit->next = session->agreeing;
	session->agreeing = visit;
}

enum td_status cql_session_agree(
	struct cql_session *session, unsigned timeout_ms, struct td_err *err)
{
	struct visit visit = {.session = session, .timeout_ms = timeout_ms, .err = err};
	pay_visit(&visit, visit_agreement);
	return visit.status;
}

/* ---- statements */

static void run_free(struct cql_task *task)
{
	cql_statement_destroy(TD_CONTAINER_OF(task, struct cql_statement, free_task));
}

enum td_status cql_statement_create(struct cql_session *session, const char *cql,
	struct cql_statement **ret_statement, struct td_err *err)
{
	struct cql_statement *statement = td_alloc_zero(sizeof(*statement));
	char *text = td_strdup(cql);
	if (statement == NULL || text == NULL) {
		td_free(statement);
		td_free(text);
		return td_err_set(err, TD_NOMEM, "no memory for a statement");
	}
	statement->session = session;
	statement->text = td_slice_str(text);
	statement->free_task.run = run_free;
	*ret_statement = statement;
	return TD_OK;
}

void cql_statement_free(struct cql_statement *statement)
{
	if (statement != NULL)
		cql_loop_post(statement->session->loop, &statement->free_task);
}

/* ---- requests */

static void run_query(struct cql_task *task)
{
	struct cql_query *query = TD_CONTAINER_OF(task, struct cql_query, task);
	cql_execute(&query->session->executor, query);
}

void cql_session_send(struct cql_session *session, struct cql_query *query)
{
	query->session = session;
	query->task.run = run_query;
	if (cql_loop_is_current(session->loop)) {
		td_assert(query->waiter == NULL); /* it would wait for itself */
		cql_loop_defer(session->loop, &query->task);
	} else {
		cql_loop_post(session->loop, &query->task);
	}
}
