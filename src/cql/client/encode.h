/* What is sent for a query, and what its statements lack for that. On the loop. */
#ifndef TD_CQL_CLIENT_ENCODE_H
#define TD_CQL_CLIENT_ENCODE_H

#include "base/buf.h"
#include "base/err.h"
#include "cql/client/session.h"

/* The first of its statements that cannot be sent yet; NULL: all can. */
struct cql_statement *cql_query_unknown(const struct cql_query *q, enum cql_version version);

/* The statement that a node says it does not know; NULL: none of this query's. */
struct cql_statement *cql_query_forgotten(const struct cql_query *q, const struct cql_error *error);

/* Writes the envelope behind `out`; all statements are known. timestamp_us below 0: none. As
 * request.h. */
enum td_status cql_query_put(const struct cql_query *q, int64_t timestamp_us,
	enum cql_version version, struct td_buf *out, struct td_err *err) TD_MUST_CHECK;

#endif
