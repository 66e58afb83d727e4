/* One request under way: from node to node until one has answered, or its deadline has passed. On
 * the loop. */
#ifndef TD_CQL_CLIENT_EXECUTION_H
#define TD_CQL_CLIENT_EXECUTION_H

#include "base/buf.h"
#include "base/err.h"
#include "cql/client/agreement.h"
#include "cql/client/backoff.h"
#include "cql/client/conn.h"
#include "cql/client/executor.h"
#include "cql/client/session.h"
#include "cql/client/statement.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CQL_ATTEMPTS_MOST 3  /* of one request at the same time */
#define CQL_TRIED_MOST    16 /* nodes that are remembered as tried */

/* One node is asked. */
struct cql_attempt {
	enum {
		CQL_ATTEMPT_IDLE,
		CQL_ATTEMPT_PREPARES,
		CQL_ATTEMPT_SENT,
	} state;
	struct cql_call call;
	struct cql_prepare_wait wait;
	struct cql_execution *x;
	struct cql_conn *conn;
	struct cql_statement *forgotten; /* the node has said so; NULL: none */
	struct cql_columns *columns; /* SENT: what its rows look like where the answer does not say;
					held; NULL: it will say */
	size_t prepares;
};

struct cql_execution {
	struct cql_executor *executor;
	struct cql_query *query;
	struct cql_execution *prev, *next;           /* the executor's: all that are under way */
	struct cql_execution *wait_prev, *wait_next; /* the executor's, in state WAITS */
	uint64_t deadline_ms;
	int64_t timestamp_us;
	const struct cql_statement *routed; /* `token` is of its table; NULL: no token */
	int64_t token;
	bool is_token_tried;
	bool may_have_run;
	unsigned tried[CQL_TRIED_MOST];
	size_t tried_count;
	unsigned failed; /* attempts */
	unsigned speculated;
	struct cql_attempt attempts[CQL_ATTEMPTS_MOST];
	unsigned open; /* attempts that are not IDLE */

	enum {
		CQL_EXECUTION_RUNS,
		CQL_EXECUTION_WAITS,  /* in the list of those that have no connection */
		CQL_EXECUTION_PAUSES, /* before the next round over all nodes */
		CQL_EXECUTION_AGREES, /* the schema was changed: all nodes are to have it */
		CQL_EXECUTION_FAILS,  /* `err` is told on a later turn */
	} state;
	struct cql_timer timer; /* of the state; RUNS: the next speculative attempt */
	struct cql_timer guard; /* the deadline, once a statement had to be prepared: that may be
				   waiting for another request's PREPARE */
	struct cql_task fail_task;
	struct cql_backoff backoff;
	struct td_err err;            /* of the last attempt */
	struct td_buf history;        /* of those before it */
	const struct cql_error *said; /* the server's error that is being looked at, or NULL */
	struct cql_agreement *agreement;
	struct td_buf held; /* AGREES: the body of the answer */
	struct cql_header held_header;
	enum cql_version held_version;
	char address[CQL_ADDRESS_TEXT_SIZE];
};

/* Sends it, on this turn or once there is room. `x` is zeroed, or one that has ended. */
void cql_execution_begin(
	struct cql_executor *executor, struct cql_execution *x, struct cql_query *query);

/* It waited, and there may be room now. */
void cql_execution_go_on(struct cql_execution *x);

/* It ends with TD_STOPPING, on a later turn; what only waits for agreement ends now. */
void cql_execution_stop(struct cql_execution *x);

/* Frees what it has, and itself. */
void cql_execution_free(struct cql_execution *x);

#endif
