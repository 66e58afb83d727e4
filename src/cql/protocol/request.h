/* What a client sends (native_protocol_v4.spec and v5.spec section 4.1): whole envelopes, written
 * behind what a td_buf holds. Protocol 5's segments and protocol 4's compression come after
 * (segment.h, frame.h).
 *
 * All of them: TD_OK, or the buffer is as it was before the call and
 *   TD_INVALID  what is asked for cannot be said in this protocol version, or contradicts itself
 *   TD_TOOBIG   over the limit of a body, or of the buffer
 *   TD_NOMEM    no memory
 * Slices are borrowed for the call. Any thread. */
#ifndef TD_CQL_PROTOCOL_REQUEST_H
#define TD_CQL_PROTOCOL_REQUEST_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "cql/protocol/frame.h"
#include "cql/protocol/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What every request has. */
struct cql_request {
	enum cql_version version;
	int16_t stream; /* 0 to CQL_STREAM_MOST */
	/* QUERY, PREPARE, EXECUTE and BATCH only; the others leave them out. */
	bool tracing;                   /* the answer carries the id of a trace */
	const struct cql_pair *payload; /* for the server's own handler of queries; or NULL */
	size_t payload_count;
};

enum td_status cql_put_options(
	struct td_buf *out, const struct cql_request *rq, struct td_err *err) TD_MUST_CHECK;

struct cql_startup {
	struct td_slice driver_name; /* shown by nodetool clientstats; empty: left out */
	struct td_slice driver_version;
	bool lz4;               /* COMPRESSION lz4 */
	bool throw_on_overload; /* OVERLOADED instead of a server that stops reading */
};

enum td_status cql_put_startup(struct td_buf *out, const struct cql_request *rq,
	const struct cql_startup *startup, struct td_err *err) TD_MUST_CHECK;

/* A token of any mechanism of SASL; its NULL ptr is null. */
enum td_status cql_put_auth_response(struct td_buf *out, const struct cql_request *rq,
	struct td_slice token, struct td_err *err) TD_MUST_CHECK;

/* The token of PLAIN (RFC 4616), which every server with passwords takes. TD_INVALID where one is
 * empty or holds a NUL: the server would refuse it. Send it to classes that
 * cql_authenticator_is_known() knows only. The buffer then holds the password. */
enum td_status cql_put_auth_plain(struct td_buf *out, const struct cql_request *rq,
	struct td_slice user, struct td_slice password, struct td_err *err) TD_MUST_CHECK;

/* Bits of cql_put_register(). */
enum {
	CQL_EVENT_TOPOLOGY = 1,
	CQL_EVENT_STATUS = 2,
	CQL_EVENT_SCHEMA = 4,
};

enum td_status cql_put_register(struct td_buf *out, const struct cql_request *rq, unsigned events,
	struct td_err *err) TD_MUST_CHECK;

/* Values to bind, as value.h's writers put them one behind the other; where has_names is set each
 * stands behind its name, a [string]. */
struct cql_values {
	struct td_slice bytes;
	size_t count; /* up to 65535 */
	bool has_names;
};

/* <query_parameters>. All zero but for the consistency is a plain query. */
struct cql_params {
	enum cql_consistency consistency;
	enum cql_consistency
		serial; /* CQL_SERIAL, CQL_LOCAL_SERIAL; CQL_ANY: the server's choice */
	struct cql_values values;
	bool skip_metadata;           /* rows without their columns: those of PREPARE are known */
	bool has_timestamp;           /* else the server's clock decides */
	bool has_now;                 /* version 5 only */
	int32_t page_size;            /* rows; 0: all at once */
	struct td_slice paging_state; /* of the page before; NULL ptr: from the beginning */
	int64_t timestamp_us;         /* of writes, since 1970 UTC, not negative */
	int32_t now_s;                /* what now() and the expiry of rows go by, since 1970 UTC */
	struct td_slice keyspace;     /* version 5 only; empty: that of the connection */
};

enum td_status cql_put_query(struct td_buf *out, const struct cql_request *rq, struct td_slice cql,
	const struct cql_params *params, struct td_err *err) TD_MUST_CHECK;

/* `keyspace` as in cql_params. */
enum td_status cql_put_prepare(struct td_buf *out, const struct cql_request *rq,
	struct td_slice cql, struct td_slice keyspace, struct td_err *err) TD_MUST_CHECK;

/* `id` and (version 5 only) `metadata_id` are what PREPARE answered with. */
struct cql_statement_id {
	struct td_slice id;
	struct td_slice metadata_id;
};

enum td_status cql_put_execute(struct td_buf *out, const struct cql_request *rq,
	const struct cql_statement_id *statement, const struct cql_params *params,
	struct td_err *err) TD_MUST_CHECK;

enum cql_batch_type {
	CQL_BATCH_LOGGED = 0,
	CQL_BATCH_UNLOGGED = 1,
	CQL_BATCH_COUNTER = 2,
};

struct cql_batch_row {
	struct td_slice cql;      /* a statement's text; or its ptr is NULL and … */
	struct td_slice id;       /* … this is the id of a prepared one */
	struct cql_values values; /* without names: the protocol cannot (CASSANDRA-10246) */
};

struct cql_batch {
	enum cql_batch_type type;
	const struct cql_batch_row *rows;
	size_t row_count; /* up to 65535 */
};

/* Of the parameters a batch has consistency, serial, timestamp, keyspace and now. */
enum td_status cql_put_batch(struct td_buf *out, const struct cql_request *rq,
	const struct cql_batch *batch, const struct cql_params *params,
	struct td_err *err) TD_MUST_CHECK;

#endif
