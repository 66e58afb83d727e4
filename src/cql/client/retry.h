/* What to do after a request that failed: the table of when it is safe to run it again, and where.
 * Pure. */
#ifndef TD_CQL_CLIENT_RETRY_H
#define TD_CQL_CLIENT_RETRY_H

#include "base/err.h"
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
 * nothing was run. UNAVAILABLE and OVERLOADED do not say so: the coordinator looks again who is
 * there for the second partition, and for the commit of an IF whose proposal was accepted. */
enum cql_retry cql_retry_error(const struct cql_error *error, const struct cql_retry_case *c);

/* Where no answer came, or none that can be read: `status` as in cql_reply, and TD_CORRUPT,
 * TD_NOMEM of an answer that was looked at. */
enum cql_retry cql_retry_lost(
	enum td_status status, bool may_have_run, const struct cql_retry_case *c);

/* False where a server's error of this code says that nothing was changed. */
bool cql_error_may_have_run(int32_t code);

#endif
