/* One request under way: from node to node until one has answered, or its deadline has passed. On
 * the loop. */
#ifndef TD_CQL_CLIENT_EXECUTION_H
#define TD_CQL_CLIENT_EXECUTION_H

#include "base/buf.h"
#include "base/err.h"
#include "cql/client/agreement.h"
#include "cql/client/cluster.h"
#include "cql/client/conn.h"
#include "cql/client/session.h"
#include "cql/client/statement.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CQL_ATTEMPTS_MOST 3  /* of one request at the same time */
#define CQL_TRIED_MOST    16 /* nodes that are remembered as tried */

struct cql_execution;

/* What all executions of a session share. */
struct cql_executor {
	struct cql_hub *hub;
	struct cql_cluster *cluster;
	struct cql_execution *spare;                  /* to be used again; owned */
	struct cql_execution *first, *last;           /* all that are under way */
	struct cql_execution *wait_first, *wait_last; /* of them: those without a connection */
	size_t count, waiting;
	struct td_buf scratch; /* an envelope, or a routing key */
	struct cql_task pump;
	bool is_stopping, is_idle;
	void (*idle)(struct cql_executor *executor); /* it is stopping, and none is left */
};

void cql_executor_init(
	struct cql_executor *executor, struct cql_hub *hub, struct cql_cluster *cluster);

/* All that are under way end with TD_STOPPING; idle() comes, now or when the last has ended. */
void cql_executor_stop(struct cql_executor *executor);
void cql_executor_done(struct cql_executor *executor);

/* Begins one; query->done comes on a later turn. */
void cql_execute(struct cql_executor *executor, struct cql_query *query);

/* A connection is there, or has room again: those that wait go on, at the end of the turn. */
void cql_executor_pump(struct cql_executor *executor);

#endif
