/* All requests of a session that are under way, and those of them that wait for room. On the
 * loop. */
#ifndef TD_CQL_CLIENT_EXECUTOR_H
#define TD_CQL_CLIENT_EXECUTOR_H

#include "base/buf.h"
#include "cql/client/cluster.h"
#include "cql/client/hub.h"
#include "cql/client/session.h"

#include <stdbool.h>
#include <stddef.h>

struct cql_execution;

struct cql_executor {
	struct cql_hub *hub;
	struct cql_cluster *cluster;
	struct cql_execution *spare;                  /* to be used again; owned */
	struct cql_execution *first, *last;           /* all that are under way */
	struct cql_execution *wait_first, *wait_last; /* of them: those without a connection */
	size_t count, waiting; /* `count`: with those that are refused for lack of memory */
	struct td_buf scratch; /* an envelope, or a routing key */
	struct cql_task pump, refuse, tell_idle;
	struct cql_task *refused; /* tasks of queries: a stack through their `next` */
	bool is_pumping, is_stopping, is_idle, is_idle_posted;
	void (*idle)(struct cql_executor *executor); /* it is stopping, and none is left */
};

void cql_executor_init(
	struct cql_executor *executor, struct cql_hub *hub, struct cql_cluster *cluster);

/* From now on no request goes to another node: what ends, ends with TD_STOPPING. */
void cql_executor_refuse(struct cql_executor *executor);

/* After that: all that are still under way end on a later turn; idle() comes when none is left. */
void cql_executor_stop(struct cql_executor *executor);

/* After idle(). */
void cql_executor_done(struct cql_executor *executor);

/* Begins one; query->done comes on a later turn. */
void cql_execute(struct cql_executor *executor, struct cql_query *query);

/* No connection is left: who waits for room on one waits for wait_ms at most from now on. */
void cql_executor_note_lost(struct cql_executor *executor);

/* A connection is there, or has room again: those that wait go on, at the end of the turn. */
void cql_executor_pump(struct cql_executor *executor);

/* ---- for the executions */

void cql_executor_wait_in(struct cql_execution *x);
void cql_executor_wait_out(struct cql_execution *x);

/* It has ended, and its query is told next … */
void cql_executor_unlink(struct cql_execution *x);

/* … and was told: it may be used for another one. */
void cql_executor_give_back(struct cql_execution *x);

#endif
