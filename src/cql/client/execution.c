#include "cql/client/execution.h"

#include "base/alloc.h"
#include "cql/client/backoff.h"
#include "cql/client/encode.h"
#include "cql/client/retry.h"
#include "cql/client/timestamps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREPARES_MOST  3  /* of one attempt: a node that forgets what it was just told is broken */
#define PAUSE_FIRST_MS 50 /* between rounds over all nodes */
#define PAUSE_MOST_MS  1000
#define HISTORY_MOST   4096 /* bytes of what is remembered of failed attempts */

/* One node is asked. */
struct attempt {
	enum {
		IDLE,
		PREPARING,
		SENT,
	} state;
	struct cql_call call;
	struct cql_prepare_wait wait;
	struct cql_execution *x;
	struct cql_conn *conn;
	struct cql_statement *forgotten; /* the node has said so; NULL: none */
	size_t prepares;
};

struct cql_execution {
	struct cql_executor *executor;
	struct cql_query *query;
	struct cql_execution *prev, *next;           /* all that are under way */
	struct cql_execution *wait_prev, *wait_next; /* where `waits` says so */
	uint64_t deadline_ms;
	int64_t timestamp_us;
	struct td_slice keyspace; /* with `token` */
	int64_t token;
	bool has_token, is_token_tried;
	bool may_have_run;
	unsigned tried[CQL_TRIED_MOST];
	size_t tried_count;
	unsigned failed; /* attempts */
	unsigned speculated;
	struct attempt attempts[CQL_ATTEMPTS_MOST];
	unsigned open; /* attempts that are not IDLE */

	enum {
		RUNNING,
		WAITS,  /* in the list of those that have no connection */
		PAUSES, /* before the next round over all nodes */
		AGREES, /* the schema was changed: all nodes are to have it */
		FAILS,  /* `err` is told on a later turn */
	} state;
	struct cql_timer timer; /* of the state; RUNNING: the next speculative attempt */
	struct cql_timer guard; /* the deadline, once a statement had to be prepared: that may be
				   waiting for another request's PREPARE */
	struct cql_task fail_task;
	struct cql_backoff backoff;
	struct td_err err;     /* of the last attempt */
	struct td_buf history; /* of those before it */
	struct cql_agreement *agreement;
	struct td_buf held; /* AGREES: the message of the answer */
	enum cql_version held_version;
	char address[CQL_ADDRESS_TEXT_SIZE];
};

static void try_next(struct cql_execution *x);
static void begin_attempt(struct attempt *attempt);

static struct cql_loop *loop_of(const struct cql_execution *x)
{
	return x->executor->hub->loop;
}

static uint64_t now_of(const struct cql_execution *x)
{
	return cql_loop_now_ms(loop_of(x));
}

/* ---- the lists */

static void link_in(struct cql_execution *x)
{
	struct cql_executor *e = x->executor;
	x->prev = e->last;
	x->next = NULL;
	*(e->last != NULL ? &e->last->next : &e->first) = x;
	e->last = x;
	e->count++;
}

static void link_out(struct cql_execution *x)
{
	struct cql_executor *e = x->executor;
	*(x->prev != NULL ? &x->prev->next : &e->first) = x->next;
	*(x->next != NULL ? &x->next->prev : &e->last) = x->prev;
	e->count--;
}

static void wait_in(struct cql_execution *x)
{
	struct cql_executor *e = x->executor;
	x->state = WAITS;
	x->wait_prev = e->wait_last;
	x->wait_next = NULL;
	*(e->wait_last != NULL ? &e->wait_last->wait_next : &e->wait_first) = x;
	e->wait_last = x;
	e->waiting++;
}

static void wait_out(struct cql_execution *x)
{
	struct cql_executor *e = x->executor;
	*(x->wait_prev != NULL ? &x->wait_prev->wait_next : &e->wait_first) = x->wait_next;
	*(x->wait_next != NULL ? &x->wait_next->wait_prev : &e->wait_last) = x->wait_prev;
	x->state = RUNNING;
	e->waiting--;
}

/* ---- the end */

static void drop(struct attempt *attempt)
{
	if (attempt->state == PREPARING)
		cql_prepare_cancel(&attempt->wait);
	else if (attempt->state == SENT)
		cql_conn_abandon(attempt->conn, &attempt->call);
	if (attempt->state != IDLE)
		attempt->x->open--;
	attempt->state = IDLE;
}

static void drop_all(struct cql_execution *x)
{
	for (size_t i = 0; x->open > 0 && i < CQL_ATTEMPTS_MOST; i++)
		drop(&x->attempts[i]);
}

static void tell_if_idle(struct cql_executor *e)
{
	if (!e->is_stopping || e->count > 0 || e->is_idle)
		return;
	e->is_idle = true;
	e->idle(e);
}

static void finish(struct cql_execution *x, const struct cql_answer *answer)
{
	struct cql_executor *e = x->executor;
	struct cql_query *query = x->query;
	drop_all(x);
	if (x->state == WAITS)
		wait_out(x);
	cql_loop_clear_timer(loop_of(x), &x->timer);
	cql_loop_clear_timer(loop_of(x), &x->guard);
	link_out(x);
	if (e->waiting > 0)
		cql_executor_pump(e);
	query->done(query, answer);
	x->next = e->spare; /* only now: what `answer` points to may lie in it */
	e->spare = x;
	tell_if_idle(e);
}

/* "REASON; before that: REASON; REASON". */
static void tell_history(struct cql_execution *x)
{
	const char *before = x->history.len > 0 ? td_buf_cstr(&x->history) : NULL;
	if (before == NULL)
		return;
	size_t len = strlen(x->err.text);
	(void)snprintf(x->err.text + len, sizeof(x->err.text) - len, "; before that: %s", before);
}

/* With x->err; `error` is the server's, or NULL. */
static void fail_with(struct cql_execution *x, const struct cql_error *error)
{
	tell_history(x);
	const struct cql_answer answer = {
		.status = x->err.code,
		.err = &x->err,
		.error = error,
		.may_have_run = x->may_have_run,
		.address = x->address,
	};
	finish(x, &answer);
}

static void fail_now(struct cql_task *task)
{
	fail_with(TD_CONTAINER_OF(task, struct cql_execution, fail_task), NULL);
}

/* Before cql_execute() has returned nothing may be told; later it may, but a caller who sends it
 * again at once must not keep the loop from everything else. */
static void fail_later(struct cql_execution *x)
{
	x->state = FAILS;
	x->fail_task.run = fail_now;
	cql_loop_clear_timer(loop_of(x), &x->timer);
	cql_loop_post(loop_of(x), &x->fail_task);
}

/* ---- answers */

static void note_address(const struct attempt *attempt)
{
	(void)snprintf(attempt->x->address, sizeof(attempt->x->address), "%s",
		cql_conn_address(attempt->conn));
}

static void agreed(void *ctx, enum td_status status, const struct td_err *err)
{
	struct cql_execution *x = ctx;
	struct cql_answer answer = {
		.status = TD_OK,
		.is_schema_agreed = status == TD_OK,
		.address = x->address,
		.message = td_buf_slice(&x->held),
		.version = x->held_version,
	};
	(void)err; /* the change is made; only who waits for agreement alone is told why not */
	x->agreement = NULL;
	if (cql_result_read(answer.message, answer.version, &answer.result, &x->err) == TD_OK)
		finish(x, &answer);
	else
		fail_with(x, NULL);
}

/* A changed schema is told once the other nodes have it, too: the next request may go to them. */
static bool waits_for_agreement(const struct attempt *attempt, const struct cql_answer *answer)
{
	struct cql_execution *x = attempt->x;
	uint64_t deadline_ms = now_of(x) + x->executor->hub->config->agreement_ms;
	if (deadline_ms > x->deadline_ms)
		deadline_ms = x->deadline_ms;
	note_address(attempt);
	drop_all(x);
	td_buf_reset(&x->held);
	td_buf_put_slice(&x->held, answer->message);
	x->held_version = answer->version;
	if (x->held.failed)
		return false;
	if (cql_agreement_start(
		    x->executor->cluster, deadline_ms, agreed, x, &x->agreement, NULL) != TD_OK)
		return false;
	x->state = AGREES;
	cql_loop_clear_timer(loop_of(x), &x->timer);
	return true;
}

/* Rows without columns are those of the statement, whose columns may just have changed. */
static enum td_status know_columns(struct cql_execution *x, struct cql_answer *answer)
{
	struct cql_statement *statement = x->query->statement;
	const struct cql_metadata *metadata = &answer->result.rows.metadata;
	if (statement == NULL || answer->result.kind != CQL_RESULT_ROWS)
		return TD_OK;
	enum td_status status = TD_OK;
	if (!cql_is_null(metadata->new_id) && metadata->has_columns)
		status = cql_statement_take_columns(statement, metadata, &x->err);
	answer->known = statement->columns;
	bool fits = metadata->has_columns ||
		    (statement->columns != NULL &&
			    statement->columns->count == metadata->column_count);
	if (status == TD_OK && !fits)
		status = td_err_set(&x->err, TD_CORRUPT,
			"rows came without their columns, and in another number than before");
	return status;
}

static void take_result(struct attempt *attempt, const struct cql_body *body)
{
	struct cql_execution *x = attempt->x;
	struct cql_answer answer = {
		.status = TD_OK,
		.warnings = body->warnings,
		.payload = body->payload,
		.tracing_id = body->tracing_id,
		.address = cql_conn_address(attempt->conn),
		.message = body->message,
		.version = cql_conn_version(attempt->conn),
	};
	enum td_status status = cql_result_read(
		body->message, answer.version, &answer.result, &x->err);
	if (status == TD_OK)
		status = know_columns(x, &answer);
	if (status != TD_OK)
		fail_with(x, NULL);
	else if (answer.result.kind != CQL_RESULT_SCHEMA || !waits_for_agreement(attempt, &answer))
		finish(x, &answer);
}

/* ---- after a failure */

/* x->err is what the attempt ended with; what came before goes to the history. */
static void remember(struct cql_execution *x)
{
	if (x->err.code == TD_OK)
		return;
	if (x->history.len > 0)
		td_buf_put_str(&x->history, "; ");
	td_buf_put_str(&x->history, x->err.text);
	if (x->history.failed)
		td_buf_reset(&x->history); /* too much: what comes now is of more use */
}

static void go_on_after_pause(struct cql_timer *timer)
{
	struct cql_execution *x = TD_CONTAINER_OF(timer, struct cql_execution, timer);
	x->state = RUNNING;
	x->tried_count = 0;
	try_next(x);
}

/* Every node was tried: all of them once more, a little later, where that is before the deadline.
 */
static void pause_or_fail(struct cql_execution *x)
{
	unsigned pause_ms = cql_backoff_next(
		&x->backoff, PAUSE_FIRST_MS, PAUSE_MOST_MS, arc4random());
	if (now_of(x) + pause_ms >= x->deadline_ms) {
		fail_later(x);
		return;
	}
	x->state = PAUSES;
	x->timer.fire = go_on_after_pause;
	cql_loop_set_timer(loop_of(x), &x->timer, now_of(x) + pause_ms);
}

static void decide(struct attempt *attempt, enum cql_retry retry, const struct cql_error *error)
{
	struct cql_execution *x = attempt->x;
	x->failed++;
	switch (retry) {
	case CQL_RETRY_NEVER:
		fail_with(x, error);
		return;
	case CQL_RETRY_SAME:
		begin_attempt(attempt);
		return;
	case CQL_RETRY_LATER:
		if (x->open == 0)
			pause_or_fail(x);
		return;
	case CQL_RETRY_NEXT:
	case CQL_RETRY_PREPARE:
		if (x->open == 0)
			try_next(x);
		return;
	}
}

static struct cql_retry_case case_of(const struct cql_execution *x)
{
	return (struct cql_retry_case){
		.is_idempotent = x->query->is_idempotent, .failed = x->failed};
}

static void take_error(struct attempt *attempt, const struct cql_error *error)
{
	struct cql_execution *x = attempt->x;
	const struct cql_retry_case c = case_of(x);
	enum cql_retry retry = cql_retry_error(error, &c);
	if (retry == CQL_RETRY_PREPARE)
		attempt->forgotten = cql_query_forgotten(x->query, error);
	if (attempt->forgotten != NULL) {
		begin_attempt(attempt);
		return;
	}
	note_address(attempt);
	remember(x);
	(void)cql_error_tell(error, &x->err);
	(void)td_err_context(&x->err, "%s", x->address);
	x->may_have_run = x->may_have_run || cql_error_may_have_run(error->code);
	decide(attempt, retry == CQL_RETRY_PREPARE ? CQL_RETRY_NEVER : retry, error);
}

/* No answer: the connection has ended, or the deadline has passed. */
static void take_loss(
	struct attempt *attempt, enum td_status status, const struct td_err *err, bool may_have_run)
{
	struct cql_execution *x = attempt->x;
	const struct cql_retry_case c = case_of(x);
	note_address(attempt);
	remember(x);
	x->err = *err;
	x->err.code = status;
	x->may_have_run = x->may_have_run || may_have_run;
	bool is_final = status == TD_TIMEOUT || status == TD_TOOBIG;
	decide(attempt, is_final ? CQL_RETRY_NEVER : cql_retry_lost(may_have_run, &c), NULL);
}

static void take_damaged(struct attempt *attempt, const struct td_err *err)
{
	take_loss(attempt, TD_CORRUPT, err, true);
}

/* ---- one attempt */

static void take_reply(struct attempt *attempt, const struct cql_reply *reply)
{
	struct cql_body body;
	struct cql_error error;
	struct td_err err = TD_ERR_INIT;
	if (reply->status != TD_OK)
		take_loss(attempt, reply->status, reply->err, reply->may_have_run);
	else if (cql_body_open(reply->frame, &body, &err) != TD_OK)
		take_damaged(attempt, &err);
	else if (reply->frame->header.opcode == CQL_OP_RESULT)
		take_result(attempt, &body);
	else if (reply->frame->header.opcode == CQL_OP_ERROR &&
		 cql_error_read(body.message, cql_conn_version(attempt->conn), &error, &err) ==
			 TD_OK)
		take_error(attempt, &error);
	else
		take_damaged(attempt, &err);
}

static void close_attempt(struct attempt *attempt)
{
	attempt->state = IDLE;
	attempt->x->open--;
}

static void answered(struct cql_call *call, const struct cql_reply *reply)
{
	struct attempt *attempt = TD_CONTAINER_OF(call, struct attempt, call);
	close_attempt(attempt);
	take_reply(attempt, reply);
}

/* Nothing of the request was sent yet, whatever became of PREPARE. */
static void prepared(
	struct cql_prepare_wait *wait, const struct cql_reply *reply, const struct td_err *corrupt)
{
	struct attempt *attempt = TD_CONTAINER_OF(wait, struct attempt, wait);
	close_attempt(attempt);
	attempt->forgotten = NULL;
	bool is_result = reply->status == TD_OK && reply->frame->header.opcode == CQL_OP_RESULT;
	if (corrupt != NULL) {
		take_damaged(attempt, corrupt);
	} else if (is_result) {
		begin_attempt(attempt);
	} else {
		struct cql_reply nothing_ran = *reply;
		nothing_ran.may_have_run = false;
		take_reply(attempt, &nothing_ran);
	}
}

/* ---- what is sent */

static void out_of_time(struct cql_timer *timer)
{
	struct cql_execution *x = TD_CONTAINER_OF(timer, struct cql_execution, guard);
	remember(x);
	(void)td_err_set(&x->err, TD_TIMEOUT, "%s: no answer in time", x->address);
	x->may_have_run = true;
	fail_with(x, NULL);
}

static enum td_status prepare(
	struct attempt *attempt, struct cql_statement *statement, struct td_err *err)
{
	struct cql_execution *x = attempt->x;
	if (attempt->prepares++ > PREPARES_MOST + x->query->batch_count)
		return td_err_set(err, TD_CORRUPT,
			"%s: it prepares a statement again and again, and does not know it",
			cql_conn_address(attempt->conn));
	attempt->wait.prepared = prepared;
	enum td_status status = cql_statement_prepare(
		statement, attempt->conn, &attempt->wait, x->deadline_ms, err);
	if (status != TD_OK)
		return status;
	attempt->state = PREPARING;
	note_address(attempt);
	x->guard.fire = out_of_time;
	cql_loop_set_timer(loop_of(x), &x->guard, x->deadline_ms);
	return TD_OK;
}

static void set_speculation(struct cql_execution *x);

static enum td_status send_request(struct attempt *attempt, struct td_err *err)
{
	struct cql_execution *x = attempt->x;
	struct td_buf *envelope = &x->executor->scratch;
	td_buf_reset(envelope);
	enum td_status status = cql_query_put(
		x->query, x->timestamp_us, cql_conn_version(attempt->conn), envelope, err);
	if (status != TD_OK)
		return status;
	attempt->call.envelope = td_buf_slice(envelope);
	attempt->call.done = answered;
	status = cql_conn_send(attempt->conn, &attempt->call, x->deadline_ms, err);
	if (status != TD_OK)
		return status;
	attempt->state = SENT;
	set_speculation(x);
	return TD_OK;
}

/* On attempt->conn. */
static void begin_attempt(struct attempt *attempt)
{
	struct cql_execution *x = attempt->x;
	struct td_err err = TD_ERR_INIT;
	struct cql_statement *unknown = attempt->forgotten;
	if (unknown == NULL)
		unknown = cql_query_unknown(x->query, cql_conn_version(attempt->conn));
	enum td_status status = unknown != NULL ? prepare(attempt, unknown, &err)
						: send_request(attempt, &err);
	if (status == TD_OK) {
		x->open++;
		return;
	}
	remember(x);
	x->err = err;
	bool is_ours = status != TD_BUSY && status != TD_UNAVAILABLE;
	if (x->open > 0)
		return; /* another one is under way */
	if (is_ours)
		fail_later(x);
	else
		try_next(x);
}

/* ---- which node */

static void find_token(struct cql_execution *x)
{
	const struct cql_query *q = x->query;
	const struct cql_statement *statement = q->statement;
	const struct cql_values *values = &q->values;
	if (statement == NULL && q->batch != NULL && q->batch_count > 0) {
		statement = q->batch[0].statement; /* the rest is often of the same partition */
		values = &q->batch[0].values;
	}
	/* The first request of a statement goes anywhere: where its key stands is not known yet. */
	if (statement == NULL || !statement->is_known)
		return;
	x->is_token_tried = true;
	x->keyspace = statement->keyspace;
	x->has_token = cql_statement_token(statement, values, &x->executor->scratch, &x->token);
}

static struct cql_node *pick(struct cql_execution *x)
{
	if (!x->is_token_tried)
		find_token(x);
	const struct cql_pick wish = {
		.keyspace = x->keyspace,
		.token = x->token,
		.has_token = x->has_token,
		.tried = x->tried,
		.tried_count = x->tried_count,
	};
	struct cql_node *node = cql_cluster_pick(x->executor->cluster, &wish);
	if (node != NULL && x->tried_count < CQL_TRIED_MOST)
		x->tried[x->tried_count++] = node->id;
	else if (node != NULL)
		return NULL; /* enough of them */
	return node;
}

static struct attempt *spare_attempt(struct cql_execution *x)
{
	for (size_t i = 0; i < CQL_ATTEMPTS_MOST; i++) {
		if (x->attempts[i].state == IDLE)
			return &x->attempts[i];
	}
	return NULL;
}

/* False: no node is left. */
static bool try_one(struct cql_execution *x)
{
	struct cql_node *node;
	struct cql_conn *conn = NULL;
	while (conn == NULL && (node = pick(x)) != NULL)
		conn = cql_node_conn(node);
	struct attempt *attempt = spare_attempt(x);
	if (conn == NULL || attempt == NULL)
		return false;
	attempt->x = x;
	attempt->conn = conn;
	attempt->prepares = 0;
	attempt->forgotten = NULL;
	begin_attempt(attempt);
	return true;
}

static void give_up_waiting(struct cql_timer *timer)
{
	struct cql_execution *x = TD_CONTAINER_OF(timer, struct cql_execution, timer);
	struct td_buf reasons = TD_BUF_INIT;
	remember(x);
	bool is_up = cql_cluster_nodes_up(x->executor->cluster) > 0;
	cql_failures_write(&x->executor->hub->failures, &reasons);
	const char *text = reasons.len > 0 ? td_buf_cstr(&reasons) : NULL;
	(void)td_err_set(&x->err, is_up ? TD_BUSY : TD_UNAVAILABLE, "%s%s%s",
		is_up ? "every connection has as many requests as it may" : "no node can be used",
		text != NULL ? ": " : "", text != NULL ? text : "");
	td_buf_done(&reasons);
	fail_with(x, NULL);
}

/* For a connection, or for room on one; not without bounds. */
static void wait_for_room(struct cql_execution *x)
{
	const struct cql_session_config *config = x->executor->hub->config;
	if (x->executor->waiting >= config->waiting_most) {
		remember(x);
		(void)td_err_set(&x->err, TD_BUSY, "too many requests wait for a connection");
		fail_later(x);
		return;
	}
	uint64_t until_ms = now_of(x) + config->wait_ms;
	if (until_ms > x->deadline_ms || cql_cluster_nodes_up(x->executor->cluster) > 0)
		until_ms = x->deadline_ms;
	wait_in(x);
	x->timer.fire = give_up_waiting;
	cql_loop_set_timer(loop_of(x), &x->timer, until_ms);
}

/* The next node; where each was tried a pause, where none is there a wait. */
static void try_next(struct cql_execution *x)
{
	if (try_one(x))
		return;
	bool has_tried = x->failed > 0 && cql_cluster_nodes_up(x->executor->cluster) > 0;
	x->tried_count = 0;
	if (has_tried)
		pause_or_fail(x);
	else
		wait_for_room(x);
}

/* ---- speculation: a second node is asked while the first is slow */

static void speculate(struct cql_timer *timer)
{
	struct cql_execution *x = TD_CONTAINER_OF(timer, struct cql_execution, timer);
	x->speculated++;
	(void)try_one(x); /* which sets the next one */
}

static void set_speculation(struct cql_execution *x)
{
	unsigned wait_ms = x->executor->hub->config->speculative_ms;
	if (wait_ms == 0 || !x->query->is_idempotent || x->speculated + 1 >= CQL_ATTEMPTS_MOST) {
		cql_loop_clear_timer(loop_of(x), &x->timer);
		return;
	}
	x->timer.fire = speculate;
	cql_loop_set_timer(loop_of(x), &x->timer, now_of(x) + wait_ms);
}

/* ---- */

static struct cql_execution *take_spare(struct cql_executor *e)
{
	struct cql_execution *x = e->spare;
	if (x != NULL)
		e->spare = x->next;
	else
		x = td_alloc_zero(sizeof(*x));
	return x;
}

static void reset(struct cql_execution *x)
{
	x->is_token_tried = x->has_token = x->may_have_run = false;
	x->keyspace = td_slice(NULL, 0);
	x->tried_count = 0;
	x->failed = x->speculated = x->open = 0;
	x->state = RUNNING;
	x->backoff = (struct cql_backoff){0};
	x->err.code = TD_OK;
	x->err.text[0] = '\0';
	x->address[0] = '\0';
	td_buf_reset(&x->history);
	x->history.limit = HISTORY_MOST;
	x->agreement = NULL;
}

static void refuse_for_memory(struct cql_query *query)
{
	struct td_err err = TD_ERR_INIT;
	(void)td_err_set(&err, TD_NOMEM, "no memory for a request");
	const struct cql_answer answer = {.status = TD_NOMEM, .err = &err, .address = ""};
	query->done(query, &answer);
}

static int64_t timestamp_of(const struct cql_query *query)
{
	return query->timestamp_us == 0 ? cql_timestamp_next(cql_timestamp_now_us())
					: query->timestamp_us;
}

void cql_execute(struct cql_executor *executor, struct cql_query *query)
{
	struct cql_execution *x = take_spare(executor);
	if (x == NULL) {
		refuse_for_memory(query);
		return;
	}
	reset(x);
	unsigned timeout_ms = query->timeout_ms != 0 ? query->timeout_ms
						     : executor->hub->config->request_ms;
	x->executor = executor;
	x->query = query;
	x->deadline_ms = now_of(x) + timeout_ms;
	x->timestamp_us = timestamp_of(query);
	link_in(x);
	if (!executor->is_stopping) {
		try_next(x);
		return;
	}
	(void)td_err_set(&x->err, TD_STOPPING, "the session is closed");
	fail_later(x);
}

static void pump(struct cql_task *task)
{
	struct cql_executor *e = TD_CONTAINER_OF(task, struct cql_executor, pump);
	/* Each once: who finds no room goes to the end of the list again. */
	for (size_t left = e->waiting; left > 0 && e->wait_first != NULL; left--) {
		struct cql_execution *x = e->wait_first;
		struct cql_execution *last = e->wait_last;
		wait_out(x);
		cql_loop_clear_timer(loop_of(x), &x->timer);
		try_next(x);
		if (e->wait_last != last)
			break; /* there is no room */
	}
}

void cql_executor_pump(struct cql_executor *executor)
{
	cql_loop_defer(executor->hub->loop, &executor->pump);
}

void cql_executor_init(
	struct cql_executor *executor, struct cql_hub *hub, struct cql_cluster *cluster)
{
	*executor = (struct cql_executor){.hub = hub, .cluster = cluster};
	executor->pump.run = pump;
}

static void stop_one(struct cql_execution *x)
{
	if (x->state == FAILS)
		return; /* it is told in a moment */
	if (x->state == AGREES) {
		cql_agreement_stop(x->agreement);
		return;
	}
	(void)td_err_set(&x->err, TD_STOPPING, "the session is closed");
	x->may_have_run = x->may_have_run || x->open > 0;
	fail_with(x, NULL);
}

void cql_executor_stop(struct cql_executor *executor)
{
	executor->is_stopping = true;
	struct cql_execution *next;
	for (struct cql_execution *x = executor->first; x != NULL; x = next) {
		next = x->next;
		stop_one(x);
	}
	tell_if_idle(executor);
}

void cql_executor_done(struct cql_executor *executor)
{
	struct cql_execution *x;
	while ((x = executor->spare) != NULL) {
		executor->spare = x->next;
		td_buf_done(&x->history);
		td_buf_done(&x->held);
		td_free(x);
	}
	td_buf_done(&executor->scratch);
}
