/* What to do after a request that failed: the table of when it is safe to run it again, and where.
 * Pure. */
#ifndef TD_CQL_CLIENT_RETRY_H
#define TD_CQL_CLIENT_RETRY_H

#include "cql/protocol/error.h"

#include <stdbool.h>

enum cql_retry {
	CQL_RETRY_NEVER,   /* the caller is told */
	CQL_RETRY_SAME,    /* on the same node, once */
	CQL_RETRY_NEXT,    /* on another node, at once */
	CQL_RETRY_LATER,   /* on another node, after a pause: this cluster is overloaded */
	CQL_RETRY_PREPARE, /* on the same node, once it has the statement again */
};

struct cql_retry_case {
	bool is_idempotent;
	unsigned failed; /* attempts before this one */
};

/* After a server's error. What is not idempotent is repeated only where the error says that
 * nothing was run, and once. */
enum cql_retry cql_retry_error(const struct cql_error *error, const struct cql_retry_case *c);

/* After a connection that ended: may_have_run as in cql_reply. */
enum cql_retry cql_retry_lost(bool may_have_run, const struct cql_retry_case *c);

/* False where a server's error of this code says that nothing was changed. */
bool cql_error_may_have_run(int32_t code);

#endif
