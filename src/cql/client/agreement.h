/* Waits until all nodes that are up have the same schema (connections that ask while a change is
 * on its way see the old one). Asks the control connection's node again and again. On the loop. */
#ifndef TD_CQL_CLIENT_AGREEMENT_H
#define TD_CQL_CLIENT_AGREEMENT_H

#include "base/buf.h"
#include "base/err.h"
#include "cql/client/cluster.h"

#include <stdbool.h>
#include <stdint.h>

struct cql_agreement;

/* Once. TD_OK; TD_TIMEOUT; TD_STOPPING. It is freed after the call. */
typedef void cql_agreement_fn(void *ctx, enum td_status status, const struct td_err *err);

/* TD_OK: fn comes, on a later turn. TD_NOMEM. */
enum td_status cql_agreement_start(struct cql_cluster *cluster, uint64_t deadline_ms,
	cql_agreement_fn *fn, void *ctx, struct cql_agreement **ret_agreement,
	struct td_err *err) TD_MUST_CHECK;

/* fn comes now, with TD_STOPPING. */
void cql_agreement_stop(struct cql_agreement *agreement);

#endif
