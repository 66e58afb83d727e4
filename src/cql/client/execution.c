#include "cql/client/execution.h"

#include "base/alloc.h"
#include "cql/client/encode.h"
#include "cql/client/retry.h"
#include "cql/client/timestamps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREPARES_MOST  3 /* of one attempt: a node that forgets what it was just told is broken */
#define PREPARE_MS     10000 /* for one node to answer PREPARE; each request has its own deadline */
#define PAUSE_FIRST_MS 50    /* between rounds over all nodes */
#define PAUSE_MOST_MS  1000
#define HISTORY_MOST   4096 /* bytes of what is remembered of failed attempts */

static void begin_attempt(struct cql_attempt *attempt);

static struct cql_loop *loop_of(const struct cql_execution *x)
{
	return x->executor->hub->loop;
}

static uint64_t now_of(const struct cql_execution *x)
{
	return cql_loop_now_ms(loop_of(x));
}

/* ---- the end */

static void close_attempt(struct cql_attempt *attempt)
{
	if (attempt->state != CQL_ATTEMPT_IDLE)
		attempt->x->open--;
	attempt->state = CQL_ATTEMPT_IDLE;
	cql_columns_drop(attempt->columns);
	attempt->columns = NULL;
}

static void drop(struct cql_attempt *attempt)
{
	if (attempt->state == CQL_ATTEMPT_PREPARES)
		cql_prepare_cancel(&attempt->wait);
	else if (attempt->state == CQL_ATTEMPT_SENT)
		cql_conn_abandon(attempt->conn, &attempt->call);
	close_attempt(attempt);
}

static void drop_all(struct cql_execution *x)
{
	for (size_t i = 0; x->open > 0 && i < CQL_ATTEMPTS_MOST; i++)
		drop(&x->attempts[i]);
}

/* Nothing of it happens any more by itself. */
static void settle(struct cql_execution *x)
{
	drop_all(x);
	if (x->state == CQL_EXECUTION_WAITS)
		cql_executor_wait_out(x);
	cql_loop_clear_timer(loop_of(x), &x->timer);
	cql_loop_clear_timer(loop_of(x), &x->guard);
}

static void finish(struct cql_execution *x, const struct cql_answer *answer)
{
	struct cql_query *query = x->query;
	settle(x);
	cql_executor_unlink(x);
	query->done(query, answer);
	cql_executor_give_back(x); /* only now: what `answer` points to may lie in it */
}

/* "REASON; before that: REASON; REASON", as far as it fits: the answer has all of them. */
static void tell_history(struct cql_execution *x)
{
	struct td_err last = x->err;
	const char *before = x->history.len > 0 ? td_buf_cstr(&x->history) : NULL;
	if (before == NULL)
		return;
	(void)td_err_set(&x->err, last.code, "%s; before that: %s", last.text, before);
	x->err.native = last.native;
}

/* With x->err; `error` is the server's, or NULL. */
static void fail_with(struct cql_execution *x, const struct cql_error *error)
{
	tell_history(x);
	const struct cql_answer answer = {
		.status = x->err.code,
		.err = &x->err,
		.error = error,
		.before = td_buf_slice(&x->history),
		.may_have_run = x->may_have_run,
		.address = x->address,
	};
	finish(x, &answer);
}

static void fail_now(struct cql_task *task)
{
	fail_with(TD_CONTAINER_OF(task, struct cql_execution, fail_task), NULL);
}

/* Before cql_execution_begin() has returned nothing may be told; later it may, but a caller who
 * sends it again at once must not keep the loop from everything else. */
static void fail_later(struct cql_execution *x)
{
	if (x->state == CQL_EXECUTION_FAILS)
		return;
	settle(x);
	x->state = CQL_EXECUTION_FAILS;
	x->fail_task.run = fail_now;
	cql_loop_post(loop_of(x), &x->fail_task);
}

static void fail_stopped(struct cql_execution *x)
{
	(void)td_err_set(&x->err, TD_STOPPING, "the session is closed");
	fail_later(x);
}

/* ---- answers */

static void note_address(const struct cql_attempt *attempt)
{
	memcpy(attempt->x->address, cql_conn_address(attempt->conn), CQL_ADDRESS_TEXT_SIZE);
}

/* What a frame says; it stays as long as the answer. */
static enum td_status read_answer(struct cql_execution *x, const struct cql_frame *frame,
	enum cql_version version, struct cql_answer *ret_answer)
{
	struct cql_body body;
	enum td_status status = cql_body_open(frame, &body, &x->err);
	if (status != TD_OK)
		return status;
	*ret_answer = (struct cql_answer){
		.status = TD_OK,
		.warnings = body.warnings,
		.payload = body.payload,
		.tracing_id = body.tracing_id,
		.address = x->address,
		.message = body.message,
		.version = version,
	};
	return cql_result_read(body.message, version, &ret_answer->result, &x->err);
}

static void agreed(void *ctx, enum td_status status, const struct td_err *err)
{
	struct cql_execution *x = ctx;
	const struct cql_frame frame = {.header = x->held_header, .body = td_buf_slice(&x->held)};
	struct cql_answer answer;
	(void)err; /* the change is made; only who waits for agreement alone is told why not */
	x->agreement = NULL;
	if (read_answer(x, &frame, x->held_version, &answer) != TD_OK) {
		fail_with(x, NULL);
		return;
	}
	answer.is_schema_agreed = status == TD_OK;
	finish(x, &answer);
}

/* A changed schema is told once the other nodes have it, too: the next request may go to them. */
static bool waits_for_agreement(
	struct cql_execution *x, const struct cql_frame *frame, enum cql_version version)
{
	uint64_t deadline_ms = now_of(x) + x->executor->hub->config->agreement_ms;
	if (deadline_ms > x->deadline_ms)
		deadline_ms = x->deadline_ms;
	td_buf_reset(&x->held);
	td_buf_put_slice(&x->held, frame->body);
	x->held_header = frame->header;
	x->held_version = version;
	if (x->held.failed || cql_agreement_start(x->executor->cluster, deadline_ms, agreed, x,
				      &x->agreement, NULL) != TD_OK)
		return false;
	settle(x); /* the agreement keeps the deadline */
	x->state = CQL_EXECUTION_AGREES;
	return true;
}

/* Rows without columns are as they were known when the request was sent: `sent`. */
static enum td_status know_columns(
	struct cql_execution *x, const struct cql_columns *sent, struct cql_answer *answer)
{
	struct cql_statement *statement = x->query->statement;
	const struct cql_metadata *metadata = &answer->result.rows.metadata;
	if (statement == NULL || answer->result.kind != CQL_RESULT_ROWS)
		return TD_OK;
	if (metadata->has_columns && !cql_is_null(metadata->new_id)) {
		/* No memory: the server tells it again. */
		enum td_status status = cql_statement_take_columns(statement, metadata, &x->err);
		return status == TD_NOMEM ? TD_OK : status;
	}
	answer->known = sent;
	if (metadata->has_columns || (sent != NULL && sent->count == metadata->column_count))
		return TD_OK;
	return td_err_set(&x->err, TD_CORRUPT,
		"rows came without their columns, and in another number than before");
}

static void take_result(
	struct cql_attempt *attempt, const struct cql_frame *frame, const struct cql_columns *sent)
{
	struct cql_execution *x = attempt->x;
	enum cql_version version = cql_conn_version(attempt->conn);
	struct cql_answer answer;
	note_address(attempt);
	enum td_status status = read_answer(x, frame, version, &answer);
	if (status == TD_OK)
		status = know_columns(x, sent, &answer);
	x->may_have_run = true;
	if (status != TD_OK) {
		(void)td_err_context(&x->err, "%s", x->address);
		fail_with(x, NULL);
	} else if (answer.result.kind != CQL_RESULT_SCHEMA ||
		   !waits_for_agreement(x, frame, version)) {
		finish(x, &answer);
	}
}

/* ---- after a failure */

/* True where the history has a sentence about the address that stands before x->err's. */
static bool is_told(const struct cql_execution *x)
{
	const char *reason = strstr(x->err.text, ": ");
	size_t len = reason != NULL ? (size_t)(reason - x->err.text) : strlen(x->err.text);
	struct td_slice rest = td_buf_slice(&x->history), sentence;
	while (td_slice_cut(&rest, ';', &sentence)) {
		sentence = td_slice_trim(sentence);
		if (sentence.len >= len && memcmp(sentence.ptr, x->err.text, len) == 0)
			return true;
	}
	return false;
}

/* x->err is what the attempt before ended with: one reason of each address is kept. */
static void remember(struct cql_execution *x)
{
	size_t len = x->history.len;
	if (x->err.code == TD_OK || is_told(x))
		return;
	if (len > 0)
		td_buf_put_str(&x->history, "; ");
	td_buf_put_str(&x->history, x->err.text);
	if (x->history.failed) { /* enough of them */
		x->history.failed = false;
		x->history.len = len;
	}
}

static void go_on_after_pause(struct cql_timer *timer)
{
	struct cql_execution *x = TD_CONTAINER_OF(timer, struct cql_execution, timer);
	x->state = CQL_EXECUTION_RUNS;
	x->tried_count = 0;
	cql_execution_go_on(x);
}

/* Every node was tried: all of them once more, a little later, where that is before the deadline.
 */
static void pause_or_fail(struct cql_execution *x)
{
	unsigned pause_ms = cql_backoff_next(
		&x->backoff, PAUSE_FIRST_MS, PAUSE_MOST_MS, arc4random());
	if (now_of(x) + pause_ms < x->deadline_ms) {
		x->state = CQL_EXECUTION_PAUSES;
		x->timer.fire = go_on_after_pause;
		cql_loop_set_timer(loop_of(x), &x->timer, now_of(x) + pause_ms);
	} else if (x->said != NULL) {
		fail_with(x, x->said);
	} else {
		fail_later(x);
	}
}

static void retry_as(struct cql_attempt *attempt, enum cql_retry retry)
{
	struct cql_execution *x = attempt->x;
	switch (retry) {
	case CQL_RETRY_NEVER:
		fail_with(x, x->said);
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
			cql_execution_go_on(x);
		return;
	}
}

/* `error`: the server's, or NULL. */
static void decide(struct cql_attempt *attempt, enum cql_retry retry, const struct cql_error *error)
{
	struct cql_execution *x = attempt->x;
	x->failed++;
	if (x->executor->is_stopping) {
		fail_stopped(x);
		return;
	}
	x->said = error;
	retry_as(attempt, now_of(x) < x->deadline_ms ? retry : CQL_RETRY_NEVER);
	x->said = NULL;
}

/* A PREPARE changes nothing: it may be repeated. */
static struct cql_retry_case case_of(const struct cql_execution *x, bool of_prepare)
{
	return (struct cql_retry_case){
		.is_idempotent = x->query->is_idempotent || of_prepare,
		.failed = x->failed,
	};
}

static void take_error(struct cql_attempt *attempt, const struct cql_error *error, bool of_prepare)
{
	struct cql_execution *x = attempt->x;
	const struct cql_retry_case c = case_of(x, of_prepare);
	enum cql_retry retry = cql_retry_error(error, &c);
	if (retry == CQL_RETRY_PREPARE && !of_prepare)
		attempt->forgotten = cql_query_forgotten(x->query, error);
	if (attempt->forgotten != NULL && !x->executor->is_stopping) {
		begin_attempt(attempt);
		return;
	}
	note_address(attempt);
	remember(x);
	(void)cql_error_tell(error, &x->err);
	(void)td_err_context(&x->err, "%s", x->address);
	if (!of_prepare && cql_error_may_have_run(error->code))
		x->may_have_run = true;
	decide(attempt, retry == CQL_RETRY_PREPARE ? CQL_RETRY_NEVER : retry, error);
}

/* No answer, or none that can be read. */
static void take_loss(struct cql_attempt *attempt, enum td_status status, const struct td_err *err,
	bool may_have_run)
{
	struct cql_execution *x = attempt->x;
	const struct cql_retry_case c = case_of(x, false);
	note_address(attempt);
	remember(x);
	x->err = *err;
	x->err.code = status;
	x->may_have_run = x->may_have_run || may_have_run;
	decide(attempt, cql_retry_lost(status, may_have_run, &c), NULL);
}

/* ---- one attempt */

static void take_damaged(struct cql_attempt *attempt, const struct td_err *err, bool of_prepare)
{
	struct td_err named = *err;
	(void)td_err_context(&named, "%s", cql_conn_address(attempt->conn));
	take_loss(attempt, err->code, &named, !of_prepare);
}

static void take_server_error(
	struct cql_attempt *attempt, const struct cql_frame *frame, bool of_prepare)
{
	struct cql_body body;
	struct cql_error error;
	struct td_err err = TD_ERR_INIT;
	enum td_status status = cql_body_open(frame, &body, &err);
	if (status == TD_OK)
		status = cql_error_read(
			body.message, cql_conn_version(attempt->conn), &error, &err);
	if (status == TD_OK)
		take_error(attempt, &error, of_prepare);
	else
		take_damaged(attempt, &err, of_prepare);
}

static void take_other(struct cql_attempt *attempt, const struct cql_frame *frame, bool of_prepare)
{
	struct td_err err = TD_ERR_INIT;
	(void)td_err_set(&err, TD_CORRUPT, "a request was answered with %s",
		cql_opcode_name(frame->header.opcode));
	take_damaged(attempt, &err, of_prepare);
}

static void answered(struct cql_call *call, const struct cql_reply *reply)
{
	struct cql_attempt *attempt = TD_CONTAINER_OF(call, struct cql_attempt, call);
	struct cql_columns *sent = attempt->columns;
	attempt->columns = NULL; /* ours until the answer was told */
	close_attempt(attempt);
	if (reply->status != TD_OK)
		take_loss(attempt, reply->status, reply->err, reply->may_have_run);
	else if (reply->frame->header.opcode == CQL_OP_RESULT)
		take_result(attempt, reply->frame, sent);
	else if (reply->frame->header.opcode == CQL_OP_ERROR)
		take_server_error(attempt, reply->frame, false);
	else
		take_other(attempt, reply->frame, false);
	cql_columns_drop(sent);
}

/* Nothing of the request was sent yet, whatever became of PREPARE; and that a node did not answer
 * it in time does not mean that the request's own time has passed. */
static void prepared(
	struct cql_prepare_wait *wait, const struct cql_reply *reply, const struct td_err *corrupt)
{
	struct cql_attempt *attempt = TD_CONTAINER_OF(wait, struct cql_attempt, wait);
	close_attempt(attempt);
	attempt->forgotten = NULL;
	if (corrupt != NULL)
		take_damaged(attempt, corrupt, true);
	else if (reply->status == TD_TIMEOUT)
		take_loss(attempt, TD_UNAVAILABLE, reply->err, false);
	else if (reply->status != TD_OK)
		take_loss(attempt, reply->status, reply->err, false);
	else if (reply->frame->header.opcode == CQL_OP_RESULT)
		begin_attempt(attempt);
	else if (reply->frame->header.opcode == CQL_OP_ERROR)
		take_server_error(attempt, reply->frame, true);
	else
		take_other(attempt, reply->frame, true);
}

/* ---- what is sent */

static void out_of_time(struct cql_timer *timer)
{
	struct cql_execution *x = TD_CONTAINER_OF(timer, struct cql_execution, guard);
	remember(x);
	(void)td_err_set(&x->err, TD_TIMEOUT, "%s: no answer in time", x->address);
	for (size_t i = 0; i < CQL_ATTEMPTS_MOST; i++)
		x->may_have_run = x->may_have_run || x->attempts[i].state == CQL_ATTEMPT_SENT;
	fail_with(x, NULL);
}

static enum td_status prepare(
	struct cql_attempt *attempt, struct cql_statement *statement, struct td_err *err)
{
	struct cql_execution *x = attempt->x;
	if (attempt->prepares++ > PREPARES_MOST + x->query->batch_count)
		return td_err_set(err, TD_CORRUPT,
			"%s: it prepares a statement again and again, and does not know it",
			cql_conn_address(attempt->conn));
	attempt->wait.prepared = prepared;
	enum td_status status = cql_statement_prepare(
		statement, attempt->conn, &attempt->wait, now_of(x) + PREPARE_MS, err);
	if (status != TD_OK)
		return status;
	attempt->state = CQL_ATTEMPT_PREPARES;
	note_address(attempt);
	x->guard.fire = out_of_time;
	cql_loop_set_timer(loop_of(x), &x->guard, x->deadline_ms);
	return TD_OK;
}

static void set_speculation(struct cql_execution *x);

static bool has_open(const struct cql_execution *x, unsigned state)
{
	for (size_t i = 0; i < CQL_ATTEMPTS_MOST; i++) {
		if ((unsigned)x->attempts[i].state == state)
			return true;
	}
	return false;
}

static enum td_status send_request(struct cql_attempt *attempt, struct td_err *err)
{
	struct cql_execution *x = attempt->x;
	const struct cql_statement *statement = x->query->statement;
	struct td_buf *envelope = &x->executor->scratch;
	enum cql_version version = cql_conn_version(attempt->conn);
	td_buf_reset(envelope);
	enum td_status status = cql_query_put(x->query, x->timestamp_us, version, envelope, err);
	if (status != TD_OK)
		return status;
	attempt->call.envelope = td_buf_slice(envelope);
	attempt->call.done = answered;
	status = cql_conn_send(attempt->conn, &attempt->call, x->deadline_ms, err);
	if (status != TD_OK)
		return status;
	attempt->state = CQL_ATTEMPT_SENT;
	if (statement != NULL && version == CQL_V5)
		attempt->columns = cql_columns_hold(statement->columns);
	if (!has_open(x, CQL_ATTEMPT_PREPARES))
		cql_loop_clear_timer(loop_of(x), &x->guard); /* the connection has the deadline */
	set_speculation(x);
	return TD_OK;
}

/* On attempt->conn. */
static void begin_attempt(struct cql_attempt *attempt)
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
	bool is_ours = status != TD_BUSY && status != TD_UNAVAILABLE;
	if (is_ours || x->err.code == TD_OK) { /* what a node has said is of more use */
		remember(x);
		x->err = err;
	}
	if (x->open > 0)
		return; /* another one is under way */
	if (is_ours)
		fail_later(x);
	else
		cql_execution_go_on(x);
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
	if (cql_statement_token(statement, values, &x->executor->scratch, &x->token))
		x->routed = statement;
}

static struct cql_node *pick(struct cql_execution *x)
{
	if (!x->is_token_tried)
		find_token(x);
	struct cql_pick wish = {
		.token = x->token,
		.has_token = x->routed != NULL,
		.tried = x->tried,
		.tried_count = x->tried_count,
	};
	if (x->routed != NULL)
		wish.keyspace = x->routed->keyspace;
	struct cql_node *node = cql_cluster_pick(x->executor->cluster, &wish);
	if (node != NULL && x->tried_count < CQL_TRIED_MOST)
		x->tried[x->tried_count++] = node->id;
	else if (node != NULL)
		return NULL; /* enough of them */
	return node;
}

static struct cql_attempt *spare_attempt(struct cql_execution *x)
{
	for (size_t i = 0; i < CQL_ATTEMPTS_MOST; i++) {
		if (x->attempts[i].state == CQL_ATTEMPT_IDLE)
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
	struct cql_attempt *attempt = spare_attempt(x);
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
	cql_executor_wait_in(x);
	x->timer.fire = give_up_waiting;
	cql_loop_set_timer(loop_of(x), &x->timer, until_ms);
}

/* The next node; where each was tried a pause, where none is there a wait. */
void cql_execution_go_on(struct cql_execution *x)
{
	cql_loop_clear_timer(loop_of(x), &x->timer);
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

/* ---- beginning and stopping */

static void reset(struct cql_execution *x)
{
	x->routed = NULL;
	x->is_token_tried = x->may_have_run = false;
	x->tried_count = 0;
	x->failed = x->speculated = x->open = 0;
	x->state = CQL_EXECUTION_RUNS;
	x->backoff = (struct cql_backoff){0};
	x->err.code = TD_OK;
	x->err.text[0] = '\0';
	x->address[0] = '\0';
	td_buf_reset(&x->history);
	x->history.limit = HISTORY_MOST;
	x->said = NULL;
	x->agreement = NULL;
}

static int64_t timestamp_of(const struct cql_query *query)
{
	return query->timestamp_us == 0 ? cql_timestamp_next(cql_timestamp_now_us())
					: query->timestamp_us;
}

void cql_execution_begin(
	struct cql_executor *executor, struct cql_execution *x, struct cql_query *query)
{
	reset(x);
	x->executor = executor;
	x->query = query;
	unsigned timeout_ms = query->timeout_ms != 0 ? query->timeout_ms
						     : executor->hub->config->request_ms;
	x->deadline_ms = now_of(x) + timeout_ms;
	x->timestamp_us = timestamp_of(query);
	if (executor->is_stopping)
		fail_stopped(x);
	else
		cql_execution_go_on(x);
}

void cql_execution_stop(struct cql_execution *x)
{
	if (x->state == CQL_EXECUTION_AGREES)
		cql_agreement_stop(x->agreement);
	else if (x->state != CQL_EXECUTION_FAILS)
		fail_stopped(x);
}

void cql_execution_free(struct cql_execution *x)
{
	td_buf_done(&x->history);
	td_buf_done(&x->held);
	td_free(x);
}
