/* What a caller does with an answer, and the way to wait for one. */
#include "base/alloc.h"
#include "cql/client/session.h"
#include "cql/client/statement.h"
#include "work/lock.h"

#include <stdio.h>

static enum td_status read_columns(const struct cql_metadata *metadata, struct td_arena *arena,
	const struct cql_column **ret_columns, struct td_err *err)
{
	struct cql_column *columns = NULL;
	enum td_status status = cql_columns_read(metadata, arena, &columns, err);
	*ret_columns = columns;
	return status;
}

enum td_status cql_answer_columns(const struct cql_answer *answer, struct td_arena *arena,
	const struct cql_column **ret_columns, struct td_err *err)
{
	if (answer->status != TD_OK || answer->result.kind != CQL_RESULT_ROWS)
		return td_err_set(err, TD_INVALID, "the answer has no rows");
	const struct cql_metadata *metadata = &answer->result.rows.metadata;
	if (metadata->has_columns)
		return read_columns(metadata, arena, ret_columns, err);
	if (answer->known == NULL)
		return td_err_set(err, TD_CORRUPT, "the rows came without their columns");
	*ret_columns = answer->known->columns;
	return TD_OK;
}

bool cql_query_next_page(
	struct cql_query *query, const struct cql_answer *answer, struct td_buf *state)
{
	bool has_more = answer->status == TD_OK && answer->result.kind == CQL_RESULT_ROWS &&
			!cql_is_null(answer->result.rows.metadata.paging_state);
	if (!has_more)
		return false;
	td_buf_reset(state);
	td_buf_put_slice(state, answer->result.rows.metadata.paging_state);
	query->paging_state = td_buf_slice(state);
	return !state->failed;
}

/* ---- waiting */

struct cql_waiter {
	struct cql_response *response;
	struct td_lock lock;
	struct td_cond ended;
	bool has_ended; /* guarded by lock */
};

static void fail_copy(struct cql_response *r, enum td_status status, const char *why)
{
	r->answer = (struct cql_answer){.status = status, .err = &r->err, .address = r->address};
	r->answer.may_have_run = true;
	(void)td_err_set(&r->err, status, "%s", why);
}

/* The columns, out of the statement's reach, who may get others. */
static enum td_status copy_columns(struct cql_response *r, const struct cql_answer *answer)
{
	if (answer->result.kind != CQL_RESULT_ROWS)
		return TD_OK;
	if (answer->result.rows.metadata.has_columns)
		return read_columns(
			&r->answer.result.rows.metadata, &r->arena, &r->columns, &r->err);
	return answer->known != NULL ? cql_columns_copy(answer->known, &r->arena, &r->columns)
				     : TD_CORRUPT;
}

static void copy_result(struct cql_response *r, const struct cql_answer *answer)
{
	r->answer.known = NULL;
	r->answer.message = td_arena_slice(&r->arena, answer->message);
	r->answer.warnings.bytes = td_arena_slice(&r->arena, answer->warnings.bytes);
	r->answer.payload.bytes = td_arena_slice(&r->arena, answer->payload.bytes);
	if (answer->tracing_id != NULL)
		r->answer.tracing_id = (const uint8_t *)td_arena_slice(
			&r->arena, td_slice((const char *)answer->tracing_id, 16))
					       .ptr;
	if (r->arena.failed) {
		fail_copy(r, TD_NOMEM, "no memory for an answer");
		return;
	}
	enum td_status status = cql_result_read(
		r->answer.message, answer->version, &r->answer.result, &r->err);
	if (status == TD_OK)
		status = copy_columns(r, answer);
	if (status != TD_OK)
		fail_copy(r, status, "the answer cannot be kept");
}

static void copy_error(struct cql_response *r, const struct cql_answer *answer)
{
	r->err = *answer->err;
	r->answer.err = &r->err;
	r->answer.before = td_arena_slice(&r->arena, answer->before);
	if (answer->error == NULL)
		return;
	r->error = *answer->error;
	r->error.message = td_arena_slice(&r->arena, answer->error->message);
	r->error.write_type = td_arena_slice(&r->arena, answer->error->write_type);
	r->error.reasons.bytes = td_arena_slice(&r->arena, answer->error->reasons.bytes);
	r->error.keyspace = td_arena_slice(&r->arena, answer->error->keyspace);
	r->error.name = td_arena_slice(&r->arena, answer->error->name);
	r->error.argument_types.bytes = td_arena_slice(
		&r->arena, answer->error->argument_types.bytes);
	r->error.id = td_arena_slice(&r->arena, answer->error->id);
	r->answer.error = r->arena.failed ? NULL : &r->error;
}

static void take(struct cql_query *query, const struct cql_answer *answer)
{
	struct cql_waiter *waiter = query->waiter;
	struct cql_response *r = waiter->response;
	r->answer = *answer;
	(void)snprintf(r->address, sizeof(r->address), "%s", answer->address);
	r->answer.address = r->address;
	if (answer->status == TD_OK)
		copy_result(r, answer);
	else
		copy_error(r, answer);
	td_lock_take(&waiter->lock);
	waiter->has_ended = true;
	td_cond_wake_all(&waiter->ended);
	td_lock_give(&waiter->lock);
}

enum td_status cql_session_run(
	struct cql_session *session, struct cql_query *query, struct cql_response *ret_response)
{
	struct cql_waiter waiter = {.response = ret_response};
	*ret_response = (struct cql_response){.arena = TD_ARENA_INIT};
	td_lock_init(&waiter.lock);
	td_cond_init(&waiter.ended);
	query->done = take;
	query->waiter = &waiter;
	cql_session_send(session, query);
	td_lock_take(&waiter.lock);
	while (!waiter.has_ended)
		td_cond_wait(&waiter.ended, &waiter.lock);
	td_lock_give(&waiter.lock);
	query->waiter = NULL;
	td_cond_done(&waiter.ended);
	td_lock_done(&waiter.lock);
	return ret_response->answer.status;
}

void cql_response_done(struct cql_response *response)
{
	td_arena_done(&response->arena);
}
