#include "cql/client/statement.h"

#include "base/alloc.h"
#include "cql/protocol/request.h"
#include "cql/protocol/token.h"

#include <string.h>

#define ARENA_MOST    (16u << 20) /* bytes of what is known of one statement */
#define PK_PARTS_MOST 64

struct cql_prepare {
	struct cql_call call;
	struct cql_statement *statement; /* NULL: it was freed meanwhile */
	struct cql_conn *conn;
	enum cql_version version;
	struct cql_prepare_wait *waits;
	struct cql_prepare *next;
};

/* ---- columns of rows */

struct cql_columns *cql_columns_hold(struct cql_columns *columns)
{
	if (columns != NULL)
		columns->holders++;
	return columns;
}

void cql_columns_drop(struct cql_columns *columns)
{
	if (columns == NULL || --columns->holders > 0)
		return;
	td_arena_done(&columns->arena);
	td_free(columns);
}

static struct cql_metadata copy_metadata(const struct cql_metadata *from, struct td_arena *arena)
{
	struct cql_metadata copy = *from;
	copy.columns = td_arena_slice(arena, from->columns);
	copy.keyspace = td_arena_slice(arena, from->keyspace);
	copy.table = td_arena_slice(arena, from->table);
	copy.paging_state = copy.new_id = td_slice(NULL, 0);
	return copy;
}

enum td_status cql_columns_copy(const struct cql_columns *columns, struct td_arena *arena,
	const struct cql_column **ret_columns)
{
	const struct cql_metadata copy = copy_metadata(&columns->metadata, arena);
	struct cql_column *read = NULL;
	enum td_status status = TD_OK;
	if (columns->count > 0)
		status = cql_columns_read(&copy, arena, &read, NULL);
	*ret_columns = read;
	return status;
}

static enum td_status copy_columns(
	const struct cql_metadata *from, struct cql_columns **ret_columns, struct td_err *err)
{
	struct cql_columns *columns = td_alloc_zero(sizeof(*columns));
	if (columns == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for a statement's columns");
	columns->holders = 1;
	columns->arena.limit = ARENA_MOST;
	columns->metadata = copy_metadata(from, &columns->arena);
	columns->count = from->column_count;
	enum td_status status = TD_OK;
	if (from->column_count > 0)
		status = cql_columns_read(
			&columns->metadata, &columns->arena, &columns->columns, err);
	if (status != TD_OK)
		cql_columns_drop(columns);
	else
		*ret_columns = columns;
	return status;
}

static enum td_status take_columns(struct cql_statement *statement, const struct cql_metadata *from,
	struct td_slice metadata_id, struct td_err *err)
{
	struct cql_columns *columns = NULL;
	enum td_status status = copy_columns(from, &columns, err);
	if (status != TD_OK)
		return status;
	td_buf_reset(&statement->metadata_id);
	td_buf_put_slice(&statement->metadata_id, metadata_id);
	cql_columns_drop(statement->columns);
	statement->columns = columns;
	return TD_OK;
}

enum td_status cql_statement_take_columns(
	struct cql_statement *statement, const struct cql_metadata *columns, struct td_err *err)
{
	return take_columns(statement, columns, columns->new_id, err);
}

/* ---- what PREPARE tells */

static struct td_slice keyspace_of(const struct cql_metadata *binds, struct td_arena *scratch)
{
	struct cql_column *columns = NULL;
	if (binds->is_global)
		return binds->keyspace;
	if (binds->column_count == 0 || cql_columns_read(binds, scratch, &columns, NULL) != TD_OK)
		return td_slice(NULL, 0);
	return columns[0].keyspace;
}

static void take_key(struct cql_statement *statement, const struct cql_prepared *prepared)
{
	struct td_arena scratch = {.limit = ARENA_MOST};
	statement->keyspace = td_arena_slice(
		&statement->arena, keyspace_of(&prepared->binds, &scratch));
	td_arena_done(&scratch);
	statement->pk_count = 0;
	statement->pk = NULL;
	if (prepared->pk_count > PK_PARTS_MOST)
		return;
	statement->pk = td_arena_array(
		&statement->arena, prepared->pk_count, sizeof(*statement->pk));
	for (size_t i = 0; statement->pk != NULL && i < prepared->pk_count; i++)
		statement->pk[i] = (uint16_t)cql_prepared_pk(prepared, i);
	if (statement->pk != NULL)
		statement->pk_count = prepared->pk_count;
}

static enum td_status take_prepared(
	struct cql_statement *statement, const struct cql_prepared *prepared, struct td_err *err)
{
	td_arena_reset(&statement->arena);
	statement->arena.limit = ARENA_MOST;
	statement->is_known = false;
	statement->id = td_arena_slice(&statement->arena, prepared->id);
	take_key(statement, prepared);
	if (statement->arena.failed)
		return td_err_set(err, TD_NOMEM, "no memory for a prepared statement");
	enum td_status status = TD_OK;
	if (prepared->metadata_id.len > 0)
		status = take_columns(statement, &prepared->result, prepared->metadata_id, err);
	statement->is_known = status == TD_OK;
	return status;
}

/* TD_OK too where the server said no: who waits looks at the reply himself. */
static enum td_status take_reply(struct cql_statement *statement, const struct cql_reply *reply,
	enum cql_version version, struct td_err *err)
{
	struct cql_body body;
	struct cql_result result;
	if (reply->status != TD_OK || reply->frame->header.opcode == CQL_OP_ERROR)
		return TD_OK;
	enum td_status status = cql_body_open(reply->frame, &body, err);
	if (status == TD_OK)
		status = cql_result_read(body.message, version, &result, err);
	if (status == TD_OK && result.kind != CQL_RESULT_PREPARED)
		status = td_err_set(err, TD_CORRUPT, "PREPARE was answered with something else");
	return status == TD_OK ? take_prepared(statement, &result.prepared, err) : status;
}

/* ---- asking */

static void unlink_prepare(struct cql_prepare *prepare)
{
	struct cql_prepare **at = &prepare->statement->prepares;
	while (*at != prepare)
		at = &(*at)->next;
	*at = prepare->next;
}

static void done(struct cql_call *call, const struct cql_reply *reply)
{
	struct cql_prepare *prepare = TD_CONTAINER_OF(call, struct cql_prepare, call);
	struct td_err err = TD_ERR_INIT;
	enum td_status status = TD_OK;
	if (prepare->statement != NULL) {
		status = take_reply(prepare->statement, reply, prepare->version, &err);
		unlink_prepare(prepare);
	}
	struct cql_prepare_wait *wait;
	while ((wait = prepare->waits) != NULL) {
		prepare->waits = wait->next;
		wait->prepare = NULL;
		wait->prepared(wait, reply, status != TD_OK ? &err : NULL);
	}
	td_free(prepare);
}

static enum td_status send_prepare(
	struct cql_prepare *prepare, uint64_t deadline_ms, struct td_err *err)
{
	struct td_buf envelope = TD_BUF_INIT;
	const struct cql_request rq = {.version = prepare->version};
	enum td_status status = cql_put_prepare(
		&envelope, &rq, prepare->statement->text, td_slice(NULL, 0), err);
	prepare->call.envelope = td_buf_slice(&envelope);
	prepare->call.done = done;
	if (status == TD_OK)
		status = cql_conn_send(prepare->conn, &prepare->call, deadline_ms, err);
	td_buf_done(&envelope);
	return status;
}

static enum td_status start(struct cql_statement *statement, struct cql_conn *conn,
	uint64_t deadline_ms, struct cql_prepare **ret_prepare, struct td_err *err)
{
	struct cql_prepare *prepare = td_alloc_zero(sizeof(*prepare));
	if (prepare == NULL)
		return td_err_set(err, TD_NOMEM, "no memory to prepare a statement");
	prepare->statement = statement;
	prepare->conn = conn;
	prepare->version = cql_conn_version(conn);
	enum td_status status = send_prepare(prepare, deadline_ms, err);
	if (status != TD_OK) {
		td_free(prepare);
		return status;
	}
	prepare->next = statement->prepares;
	statement->prepares = prepare;
	*ret_prepare = prepare;
	return TD_OK;
}

bool cql_statement_is_known(const struct cql_statement *statement, enum cql_version version)
{
	return statement->is_known && (version == CQL_V4 || statement->metadata_id.len > 0);
}

enum td_status cql_statement_prepare(struct cql_statement *statement, struct cql_conn *conn,
	struct cql_prepare_wait *wait, uint64_t deadline_ms, struct td_err *err)
{
	struct cql_prepare *prepare = statement->prepares;
	while (prepare != NULL && prepare->conn != conn)
		prepare = prepare->next;
	if (prepare == NULL) {
		enum td_status status = start(statement, conn, deadline_ms, &prepare, err);
		if (status != TD_OK)
			return status;
	}
	wait->prepare = prepare;
	wait->next = prepare->waits;
	prepare->waits = wait;
	return TD_OK;
}

void cql_prepare_cancel(struct cql_prepare_wait *wait)
{
	if (wait->prepare == NULL)
		return;
	struct cql_prepare_wait **at = &wait->prepare->waits;
	while (*at != wait)
		at = &(*at)->next;
	*at = wait->next;
	wait->prepare = NULL;
}

/* ---- routing */

/* The values at places that grow or not; false: one is not there, null or unset. */
static bool find_value(const struct cql_values *values, size_t place, struct td_slice *ret_value)
{
	struct cql_reader r = cql_reader(values->bytes);
	struct td_slice value = {NULL, 0};
	if (place >= values->count)
		return false;
	for (size_t i = 0; i <= place; i++)
		value = cql_read_bytes(&r);
	*ret_value = value;
	return !r.failed && !cql_is_null(value);
}

bool cql_statement_token(const struct cql_statement *statement, const struct cql_values *values,
	struct td_buf *scratch, int64_t *ret_token)
{
	struct td_slice parts[PK_PARTS_MOST];
	if (statement->pk_count == 0 || values->has_names)
		return false;
	for (size_t i = 0; i < statement->pk_count; i++) {
		if (!find_value(values, statement->pk[i], &parts[i]))
			return false;
	}
	if (statement->pk_count == 1) {
		*ret_token = cql_token(parts[0]);
		return true;
	}
	td_buf_reset(scratch);
	cql_routing_key_put(scratch, parts, statement->pk_count);
	if (scratch->failed)
		return false;
	*ret_token = cql_token(td_buf_slice(scratch));
	return true;
}

/* ---- */

void cql_statement_destroy(struct cql_statement *statement)
{
	for (struct cql_prepare *p = statement->prepares; p != NULL; p = p->next)
		p->statement = NULL;
	td_arena_done(&statement->arena);
	td_buf_done(&statement->metadata_id);
	cql_columns_drop(statement->columns);
	td_free((char *)(uintptr_t)statement->text.ptr);
	td_free(statement);
}
