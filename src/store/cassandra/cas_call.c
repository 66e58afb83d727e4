#include "store/cassandra/cas_internal.h"

#include <stdio.h>

void cas_call_init(struct cas_call *call, const struct cas_store *s, const char *format,
	enum cql_consistency consistency)
{
	size_t used = 0;
	*call = (struct cas_call){.query = CQL_QUERY_INIT, .values = TD_BUF_INIT};
	for (const char *at = format; *at != '\0' && used + 1 < sizeof(call->text);) {
		const char *mark = strstr(at, "%s");
		size_t len = mark != NULL ? (size_t)(mark - at) : strlen(at);
		int n = snprintf(call->text + used, sizeof(call->text) - used, "%.*s%s%s%s",
			(int)len, at, mark != NULL ? "\"" : "",
			mark != NULL ? s->config.keyspace : "", mark != NULL ? "\"" : "");
		used += n > 0 ? (size_t)n : 0;
		at += len + (mark != NULL ? 2 : 0);
	}
	td_assert(used < sizeof(call->text));
	call->query.text = td_slice_str(call->text);
	call->query.consistency = consistency;
}

void cas_call_done(struct cas_call *call)
{
	if (call->was_run)
		cql_response_done(&call->response);
	td_buf_done(&call->values);
	call->was_run = false;
}

void cas_bind_text(struct cas_call *call, struct td_slice text)
{
	cql_bind_bytes(&call->values, text);
	call->query.values.count++;
}

void cas_bind_time(struct cas_call *call, int64_t wall_ms)
{
	cql_bind_timestamp(&call->values, wall_ms);
	call->query.values.count++;
}

void cas_bind_int(struct cas_call *call, int32_t number)
{
	cql_bind_int(&call->values, number);
	call->query.values.count++;
}

void cas_bind_bigint(struct cas_call *call, int64_t number)
{
	cql_bind_bigint(&call->values, number);
	call->query.values.count++;
}

/* Fewer nodes than replicas that have to answer: waiting does not help. */
static bool lacks_nodes(struct cql_session *session, const struct cql_error *error)
{
	struct cql_session_state state;
	if (error == NULL || error->code != CQL_ERROR_UNAVAILABLE || !error->has_detail)
		return false;
	cql_session_state(session, &state);
	return state.nodes > 0 && error->required > 0 && (size_t)error->required > state.nodes;
}

/* In words what a server's error means here, from what the session says of it. */
static enum td_status tell(
	struct cql_session *session, const struct cql_answer *answer, struct td_err *err)
{
	enum td_status status = answer->status;
	if (err != NULL)
		*err = *answer->err;
	if (lacks_nodes(session, answer->error))
		return td_err_set(err, status,
			"%.300s; the keyspace asks for more replicas than there are nodes: start "
			"more nodes, or lower its replication by ALTER KEYSPACE",
			answer->err->text);
	return status;
}

enum td_status cas_call_run(struct cas_call *call, struct cas_store *s, struct cql_session *session,
	unsigned timeout_ms, struct td_err *err)
{
	uint64_t now = cas_now_ms(), stop = atomic_load(&s->stop_ms);
	uint64_t left = stop > now ? stop - now : 0;
	if (call->values.failed)
		return td_err_set(err, TD_NOMEM, "no memory for a statement");
	if (left == 0 || timeout_ms == 0)
		return td_err_set(err, left == 0 ? TD_STOPPING : TD_TIMEOUT,
			"no time is left for the statement");
	call->query.timeout_ms = left < timeout_ms ? (unsigned)left : timeout_ms;
	call->query.values.bytes = td_buf_slice(&call->values);
	enum td_status status = cql_session_run(session, &call->query, &call->response);
	call->was_run = true;
	call->may_have_run = call->response.answer.may_have_run;
	return status == TD_OK ? TD_OK : tell(session, &call->response.answer, err);
}

bool cas_call_row(struct cas_call *call, struct td_slice *cells, size_t count)
{
	struct cql_result *result = &call->response.answer.result;
	return result->kind == CQL_RESULT_ROWS && result->rows.metadata.column_count == count &&
	       cql_rows_next(&result->rows, cells);
}

struct td_slice cas_call_cell(
	const struct cas_call *call, const struct td_slice *cells, const char *name)
{
	size_t count = call->response.answer.result.rows.metadata.column_count;
	for (size_t i = 0; i < count && call->response.columns != NULL; i++) {
		if (td_slice_is(call->response.columns[i].name, name))
			return cells[i];
	}
	return td_slice(NULL, 0);
}
