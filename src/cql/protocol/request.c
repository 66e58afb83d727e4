#include "cql/protocol/request.h"

#include <string.h>

/* Bits of a request's parameters. */
enum {
	PARAM_VALUES = 0x01,
	PARAM_SKIP_METADATA = 0x02,
	PARAM_PAGE_SIZE = 0x04,
	PARAM_PAGING_STATE = 0x08,
	PARAM_SERIAL = 0x10,
	PARAM_TIMESTAMP = 0x20,
	PARAM_NAMES = 0x40,
	PARAM_KEYSPACE = 0x80,
	PARAM_NOW = 0x100,
};

#define PREPARE_KEYSPACE 0x01
#define VALUE_UNSET      (-2)

static enum td_status refuse(struct td_err *err, const char *what)
{
	return td_err_set(err, TD_INVALID, "a request of CQL cannot be made: %s", what);
}

/* The header; where its length stands is 4 bytes before its end. Returns where it begins. */
static size_t begin(struct td_buf *out, const struct cql_request *rq, enum cql_opcode opcode)
{
	size_t at = out->len;
	bool is_statement = opcode == CQL_OP_QUERY || opcode == CQL_OP_PREPARE ||
			    opcode == CQL_OP_EXECUTE || opcode == CQL_OP_BATCH;
	bool has_payload = is_statement && rq->payload_count > 0;
	unsigned flags = is_statement && rq->tracing ? CQL_FLAG_TRACING : 0;
	flags |= has_payload ? CQL_FLAG_PAYLOAD : 0;
	cql_put_byte(out, (uint8_t)rq->version);
	cql_put_byte(out, (uint8_t)flags);
	cql_put_short(out, (uint16_t)rq->stream);
	cql_put_byte(out, (uint8_t)opcode);
	(void)cql_put_gap(out);
	if (has_payload)
		cql_put_bytes_map(out, rq->payload, rq->payload_count);
	return at;
}

/* Closes the envelope that begins at `at`, or takes it back. */
static enum td_status end(struct td_buf *out, size_t at, struct td_err *err)
{
	size_t size = out->len - at;
	if (!out->failed && size - CQL_HEADER_SIZE <= CQL_BODY_MOST) {
		cql_put_length_at(out, at + CQL_HEADER_SIZE - 4);
		return TD_OK;
	}
	bool failed = out->failed;
	out->len = at;
	out->failed = false;
	if (!failed || out->limit != 0)
		return td_err_set(err, TD_TOOBIG,
			"a request of CQL of at least %zu bytes is over the limit of %zu", size,
			failed ? out->limit : (size_t)CQL_BODY_MOST);
	return td_err_set(err, TD_NOMEM, "no memory for a request of CQL");
}

/* Before a request is begun. */
static enum td_status check_request(
	const struct td_buf *out, const struct cql_request *rq, struct td_err *err)
{
	if (out->failed)
		return td_err_set(err, TD_NOMEM, "no memory for a request of CQL");
	if (rq->version != CQL_V4 && rq->version != CQL_V5)
		return refuse(err, "its protocol version is neither 4 nor 5");
	if (rq->stream < 0)
		return refuse(err, "its stream is below zero");
	if (rq->payload_count > UINT16_MAX)
		return refuse(err, "its payload has more than 65535 items");
	for (size_t i = 0; i < rq->payload_count; i++)
		if (rq->payload[i].name.len > UINT16_MAX)
			return refuse(err, "a name in its payload is over 65535 bytes");
	return TD_OK;
}

enum td_status cql_put_options(struct td_buf *out, const struct cql_request *rq, struct td_err *err)
{
	enum td_status status = check_request(out, rq, err);
	return status == TD_OK ? end(out, begin(out, rq, CQL_OP_OPTIONS), err) : status;
}

enum td_status cql_put_startup(struct td_buf *out, const struct cql_request *rq,
	const struct cql_startup *startup, struct td_err *err)
{
	struct cql_pair pairs[5] = {{TD_SLICE("CQL_VERSION"), TD_SLICE("3.0.0")}};
	size_t count = 1;
	enum td_status status = check_request(out, rq, err);
	if (status != TD_OK)
		return status;
	if (startup->driver_name.len > UINT16_MAX || startup->driver_version.len > UINT16_MAX)
		return refuse(err, "the driver's name is over 65535 bytes");
	if (startup->lz4)
		pairs[count++] = (struct cql_pair){TD_SLICE("COMPRESSION"), TD_SLICE("lz4")};
	if (startup->driver_name.len > 0)
		pairs[count++] = (struct cql_pair){TD_SLICE("DRIVER_NAME"), startup->driver_name};
	if (startup->driver_version.len > 0)
		pairs[count++] = (struct cql_pair){
			TD_SLICE("DRIVER_VERSION"), startup->driver_version};
	if (startup->throw_on_overload)
		pairs[count++] = (struct cql_pair){TD_SLICE("THROW_ON_OVERLOAD"), TD_SLICE("1")};
	size_t at = begin(out, rq, CQL_OP_STARTUP);
	cql_put_string_map(out, pairs, count);
	return end(out, at, err);
}

enum td_status cql_put_auth_response(
	struct td_buf *out, const struct cql_request *rq, struct td_slice token, struct td_err *err)
{
	enum td_status status = check_request(out, rq, err);
	if (status != TD_OK)
		return status;
	size_t at = begin(out, rq, CQL_OP_AUTH_RESPONSE);
	cql_put_bytes(out, token);
	return end(out, at, err);
}

static bool is_plain(struct td_slice text)
{
	return text.len > 0 && memchr(text.ptr, '\0', text.len) == NULL;
}

enum td_status cql_put_auth_plain(struct td_buf *out, const struct cql_request *rq,
	struct td_slice user, struct td_slice password, struct td_err *err)
{
	enum td_status status = check_request(out, rq, err);
	if (status != TD_OK)
		return status;
	if (!is_plain(user) || !is_plain(password))
		return refuse(err, "the user's name or the password is empty or holds a NUL");
	size_t at = begin(out, rq, CQL_OP_AUTH_RESPONSE);
	size_t gap = cql_put_gap(out);
	cql_put_byte(out, 0);
	td_buf_put_slice(out, user);
	cql_put_byte(out, 0);
	td_buf_put_slice(out, password);
	cql_put_length_at(out, gap);
	return end(out, at, err);
}

enum td_status cql_put_register(
	struct td_buf *out, const struct cql_request *rq, unsigned events, struct td_err *err)
{
	const struct td_slice names[] = {
		TD_SLICE("TOPOLOGY_CHANGE"), TD_SLICE("STATUS_CHANGE"), TD_SLICE("SCHEMA_CHANGE")};
	struct td_slice wanted[TD_ARRAY_LEN(names)];
	size_t count = 0;
	enum td_status status = check_request(out, rq, err);
	if (status != TD_OK)
		return status;
	for (size_t i = 0; i < TD_ARRAY_LEN(names); i++)
		if ((events & 1u << i) != 0)
			wanted[count++] = names[i];
	size_t at = begin(out, rq, CQL_OP_REGISTER);
	cql_put_string_list(out, wanted, count);
	return end(out, at, err);
}

/* True where the bytes are `count` values, neither more nor less. */
static bool are_values(const struct cql_values *values)
{
	if (values->count > UINT16_MAX)
		return false;
	struct cql_reader r = cql_reader(values->bytes);
	for (size_t i = 0; i < values->count && !r.failed; i++) {
		if (values->has_names)
			(void)cql_read_string(&r);
		int32_t len = cql_read_int(&r);
		if (len < VALUE_UNSET)
			return false;
		(void)cql_read_raw(&r, len > 0 ? (size_t)len : 0);
	}
	return !r.failed && r.left == 0;
}

static enum td_status check_params(
	const struct cql_request *rq, const struct cql_params *p, struct td_err *err)
{
	if (p->serial != CQL_ANY && p->serial != CQL_SERIAL && p->serial != CQL_LOCAL_SERIAL)
		return refuse(err, "the serial consistency is neither SERIAL nor LOCAL_SERIAL");
	if (p->page_size < 0)
		return refuse(err, "the size of a page is below zero");
	if (p->has_timestamp && p->timestamp_us < 0)
		return refuse(err, "the timestamp is below zero");
	if (rq->version < CQL_V5 && (p->keyspace.len > 0 || p->has_now))
		return refuse(err, "a keyspace and a time of its own need protocol version 5");
	if (p->keyspace.len > UINT16_MAX)
		return refuse(err, "the keyspace's name is over 65535 bytes");
	if (!are_values(&p->values))
		return refuse(err, "the values to bind are not as many as was said");
	return TD_OK;
}

static unsigned params_flags(const struct cql_params *p)
{
	unsigned flags = 0;
	if (p->values.count > 0)
		flags |= PARAM_VALUES | (p->values.has_names ? PARAM_NAMES : 0);
	flags |= p->skip_metadata ? PARAM_SKIP_METADATA : 0;
	flags |= p->page_size > 0 ? PARAM_PAGE_SIZE : 0;
	flags |= !cql_is_null(p->paging_state) ? PARAM_PAGING_STATE : 0;
	flags |= p->serial != CQL_ANY ? PARAM_SERIAL : 0;
	flags |= p->has_timestamp ? PARAM_TIMESTAMP : 0;
	flags |= p->keyspace.len > 0 ? PARAM_KEYSPACE : 0;
	flags |= p->has_now ? PARAM_NOW : 0;
	return flags;
}

/* A byte until version 4, an [int] since. */
static void put_flags(struct td_buf *out, enum cql_version version, unsigned flags)
{
	if (version < CQL_V5)
		cql_put_byte(out, (uint8_t)flags);
	else
		cql_put_int(out, (int32_t)flags);
}

/* What QUERY, EXECUTE and BATCH end with. */
static void put_tail(struct td_buf *out, const struct cql_params *p)
{
	if (p->serial != CQL_ANY)
		cql_put_short(out, (uint16_t)p->serial);
	if (p->has_timestamp)
		cql_put_long(out, p->timestamp_us);
	if (p->keyspace.len > 0)
		cql_put_string(out, p->keyspace);
	if (p->has_now)
		cql_put_int(out, p->now_s);
}

static void put_params(struct td_buf *out, enum cql_version version, const struct cql_params *p)
{
	cql_put_short(out, (uint16_t)p->consistency);
	put_flags(out, version, params_flags(p));
	if (p->values.count > 0) {
		cql_put_short(out, (uint16_t)p->values.count);
		td_buf_put_slice(out, p->values.bytes);
	}
	if (p->page_size > 0)
		cql_put_int(out, p->page_size);
	if (!cql_is_null(p->paging_state))
		cql_put_bytes(out, p->paging_state);
	put_tail(out, p);
}

enum td_status cql_put_query(struct td_buf *out, const struct cql_request *rq, struct td_slice cql,
	const struct cql_params *params, struct td_err *err)
{
	enum td_status status = check_request(out, rq, err);
	if (status == TD_OK)
		status = check_params(rq, params, err);
	if (status != TD_OK)
		return status;
	size_t at = begin(out, rq, CQL_OP_QUERY);
	cql_put_long_string(out, cql);
	put_params(out, rq->version, params);
	return end(out, at, err);
}

enum td_status cql_put_prepare(struct td_buf *out, const struct cql_request *rq,
	struct td_slice cql, struct td_slice keyspace, struct td_err *err)
{
	const struct cql_params params = {.keyspace = keyspace};
	enum td_status status = check_request(out, rq, err);
	if (status == TD_OK)
		status = check_params(rq, &params, err);
	if (status != TD_OK)
		return status;
	size_t at = begin(out, rq, CQL_OP_PREPARE);
	cql_put_long_string(out, cql);
	if (rq->version >= CQL_V5)
		cql_put_int(out, keyspace.len > 0 ? PREPARE_KEYSPACE : 0);
	if (keyspace.len > 0)
		cql_put_string(out, keyspace);
	return end(out, at, err);
}

enum td_status cql_put_execute(struct td_buf *out, const struct cql_request *rq,
	const struct cql_statement_id *statement, const struct cql_params *params,
	struct td_err *err)
{
	enum td_status status = check_request(out, rq, err);
	if (status == TD_OK)
		status = check_params(rq, params, err);
	if (status != TD_OK)
		return status;
	if (statement->id.len == 0 || statement->id.len > UINT16_MAX ||
		statement->metadata_id.len > UINT16_MAX)
		return refuse(err, "the id of a prepared statement is empty or over 65535 bytes");
	size_t at = begin(out, rq, CQL_OP_EXECUTE);
	cql_put_string(out, statement->id);
	if (rq->version >= CQL_V5)
		cql_put_string(out, statement->metadata_id);
	put_params(out, rq->version, params);
	return end(out, at, err);
}

static enum td_status check_batch(
	const struct cql_batch *batch, const struct cql_params *params, struct td_err *err)
{
	if (params->values.count > 0 || params->skip_metadata || params->page_size > 0 ||
		!cql_is_null(params->paging_state))
		return refuse(err, "a batch has no values and no pages of its own");
	if (batch->row_count > UINT16_MAX)
		return refuse(err, "a batch has more than 65535 statements");
	for (size_t i = 0; i < batch->row_count; i++) {
		const struct cql_batch_row *row = &batch->rows[i];
		if (row->values.has_names)
			return refuse(err, "values in a batch have no names");
		if (!are_values(&row->values))
			return refuse(err, "the values to bind are not as many as was said");
		if (row->cql.ptr == NULL && (row->id.len == 0 || row->id.len > UINT16_MAX))
			return refuse(err, "a statement of a batch has neither a text nor an id");
	}
	return TD_OK;
}

static void put_batch_row(struct td_buf *out, const struct cql_batch_row *row)
{
	bool is_prepared = row->cql.ptr == NULL;
	cql_put_byte(out, is_prepared ? 1 : 0);
	if (is_prepared)
		cql_put_string(out, row->id);
	else
		cql_put_long_string(out, row->cql);
	cql_put_short(out, (uint16_t)row->values.count);
	td_buf_put_slice(out, row->values.bytes);
}

enum td_status cql_put_batch(struct td_buf *out, const struct cql_request *rq,
	const struct cql_batch *batch, const struct cql_params *params, struct td_err *err)
{
	enum td_status status = check_request(out, rq, err);
	if (status == TD_OK)
		status = check_params(rq, params, err);
	if (status == TD_OK)
		status = check_batch(batch, params, err);
	if (status != TD_OK)
		return status;
	size_t at = begin(out, rq, CQL_OP_BATCH);
	cql_put_byte(out, (uint8_t)batch->type);
	cql_put_short(out, (uint16_t)batch->row_count);
	for (size_t i = 0; i < batch->row_count; i++)
		put_batch_row(out, &batch->rows[i]);
	cql_put_short(out, (uint16_t)params->consistency);
	put_flags(out, rq->version, params_flags(params));
	put_tail(out, params);
	return end(out, at, err);
}
