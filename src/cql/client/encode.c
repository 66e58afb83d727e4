#include "cql/client/encode.h"

#include "base/alloc.h"
#include "cql/client/statement.h"

static struct cql_params params_of(
	const struct cql_query *q, int64_t timestamp_us, bool skip_metadata)
{
	return (struct cql_params){
		.consistency = q->consistency,
		.serial = q->serial,
		.values = q->values,
		.skip_metadata = skip_metadata,
		.has_timestamp = timestamp_us >= 0,
		.timestamp_us = timestamp_us >= 0 ? timestamp_us : 0,
		.page_size = q->page_size,
		.paging_state = q->paging_state,
	};
}

static enum td_status put_batch(const struct cql_query *q, int64_t timestamp_us,
	const struct cql_request *rq, struct td_buf *out, struct td_err *err)
{
	struct cql_params params = params_of(q, timestamp_us, false);
	params.values = (struct cql_values){.count = 0};
	struct cql_batch_row *rows = td_alloc_array(q->batch_count, sizeof(*rows));
	if (rows == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for a batch");
	for (size_t i = 0; i < q->batch_count; i++) {
		const struct cql_batch_entry *entry = &q->batch[i];
		rows[i].values = entry->values;
		if (entry->statement != NULL)
			rows[i].id = entry->statement->id;
		else
			rows[i].cql = entry->text;
	}
	const struct cql_batch batch = {
		.type = q->batch_type, .rows = rows, .row_count = q->batch_count};
	enum td_status status = cql_put_batch(out, rq, &batch, &params, err);
	td_free(rows);
	return status;
}

static enum td_status put_execute(const struct cql_query *q, int64_t timestamp_us,
	const struct cql_request *rq, struct td_buf *out, struct td_err *err)
{
	const struct cql_statement *statement = q->statement;
	bool is_v5 = rq->version == CQL_V5;
	struct cql_statement_id id = {.id = statement->id};
	if (is_v5)
		id.metadata_id = td_buf_slice(&statement->metadata_id);
	/* Version 4 would not tell that a table has other columns now. */
	struct cql_params params = params_of(q, timestamp_us, is_v5);
	return cql_put_execute(out, rq, &id, &params, err);
}

enum td_status cql_query_put(const struct cql_query *q, int64_t timestamp_us,
	enum cql_version version, struct td_buf *out, struct td_err *err)
{
	const struct cql_request rq = {.version = version,
		.tracing = q->wants_trace,
		.payload = q->payload,
		.payload_count = q->payload_count};
	if (q->statement != NULL)
		return put_execute(q, timestamp_us, &rq, out, err);
	if (q->batch != NULL)
		return put_batch(q, timestamp_us, &rq, out, err);
	const struct cql_params params = params_of(q, timestamp_us, false);
	return cql_put_query(out, &rq, q->text, &params, err);
}

struct cql_statement *cql_query_unknown(const struct cql_query *q, enum cql_version version)
{
	if (q->statement != NULL)
		return cql_statement_is_known(q->statement, version) ? NULL : q->statement;
	for (size_t i = 0; q->batch != NULL && i < q->batch_count; i++) {
		struct cql_statement *statement = q->batch[i].statement;
		if (statement != NULL && !cql_statement_is_known(statement, version))
			return statement;
	}
	return NULL;
}

struct cql_statement *cql_query_forgotten(const struct cql_query *q, const struct cql_error *error)
{
	if (q->statement != NULL)
		return q->statement;
	for (size_t i = 0; q->batch != NULL && i < q->batch_count; i++) {
		struct cql_statement *statement = q->batch[i].statement;
		if (statement != NULL && td_slice_equal(statement->id, error->id))
			return statement;
	}
	return NULL;
}
