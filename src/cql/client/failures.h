/* What failed last at each address of a session, until it works again: what people are told who
 * wait for a connection. Any thread. */
#ifndef TD_CQL_CLIENT_FAILURES_H
#define TD_CQL_CLIENT_FAILURES_H

#include "base/buf.h"
#include "base/err.h"
#include "cql/client/failure.h"
#include "work/lock.h"

#include <stddef.h>

#define CQL_FAILURES_MOST 256 /* addresses; of more the last ones are kept */

struct cql_failure_note;

struct cql_failures {
	struct td_lock lock;
	struct cql_failure_note *notes; /* guarded by lock */
	size_t count;                   /* guarded by lock */
	enum td_status last;            /* of what was added last; guarded by lock */
};

void cql_failures_init(struct cql_failures *f);
void cql_failures_done(struct cql_failures *f);

/* `address`: as a person reads it, with the port; err->text may have it before the reason, too. */
void cql_failures_add(struct cql_failures *f, const char *address, enum cql_failure failure,
	const struct td_err *err);

/* It works, or is not tried any more. */
void cql_failures_remove(struct cql_failures *f, const char *address);

/* The code of what failed last; TD_UNAVAILABLE where nothing did. */
enum td_status cql_failures_last(struct cql_failures *f);

/* "10.0.0.1:9042: REASON; db3:9042: REASON" behind `out`; nothing where nothing failed. */
void cql_failures_write(struct cql_failures *f, struct td_buf *out);

struct cql_attempt_failure;
void cql_failures_each(struct cql_failures *f,
	void (*fn)(void *ctx, const struct cql_attempt_failure *failure), void *ctx);

#endif
