/* Which nodes hold a partition: the ring of tokens, and the replicas of each of its ranges by the
 * keyspace's replication. An aid to send a request to a node that has the data: where it says
 * nothing, any node does.
 *
 * Pure. All memory comes from the caller's arena, lives as long as that, and is bounded by the
 * limits below; what is built is read-only and may be shared by any threads. Nodes, tokens and
 * options are hostile input. */
#ifndef TD_CQL_PROTOCOL_RING_H
#define TD_CQL_PROTOCOL_RING_H

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

#define CQL_RING_NODES_MAX    4096
#define CQL_RING_TOKENS_MAX   1048576  /* of all nodes */
#define CQL_RING_REPLICAS_MAX 16777216 /* ranges times replicas of each */
#define CQL_RING_DCS_MAX      64       /* data centres that one keyspace names */

/* A node as the peers table describes it. All is borrowed until cql_ring_build() returns. */
struct cql_ring_node {
	struct td_slice dc;
	struct td_slice rack; /* an unknown one is a rack like others, with an empty name */
	const int64_t *tokens;
	size_t token_count;
};

struct cql_ring;

/* The ring of the nodes, which are known by their place in the array from here on. Of two nodes
 * that claim the same token the first has it. TD_TOOBIG over a limit above, TD_NOMEM. */
enum td_status cql_ring_build(const struct cql_ring_node *nodes, size_t count,
	struct td_arena *arena, const struct cql_ring **ret_ring, struct td_err *err) TD_MUST_CHECK;

enum cql_strategy {
	CQL_STRATEGY_UNKNOWN,    /* a class or options that we do not know: no routing */
	CQL_STRATEGY_LOCAL,      /* each node its own data: no routing */
	CQL_STRATEGY_EVERYWHERE, /* all nodes hold all data */
	CQL_STRATEGY_SIMPLE,
	CQL_STRATEGY_NETWORK,
};

struct cql_replication {
	enum cql_strategy strategy;
	uint16_t factor; /* SIMPLE: full replicas */
	size_t dc_count;
	struct {
		struct td_slice name; /* borrowed from cql_replication_put()'s caller */
		uint16_t factor;      /* NETWORK: full replicas */
	} dcs[CQL_RING_DCS_MAX];
	bool failed; /* an option was not understood */
};

#define CQL_REPLICATION_INIT                      \
	{                                         \
		.strategy = CQL_STRATEGY_UNKNOWN, \
	}

/* One pair of the column `replication` of system_schema.keyspaces, in any order. A factor is "3",
 * or "3/1" of which one is transient and gets no reads. Sticky: after what is not understood, or
 * more than CQL_RING_DCS_MAX data centres, the replication counts as unknown. */
void cql_replication_put(struct cql_replication *r, struct td_slice name, struct td_slice value);

struct cql_replicas;

/* The replicas of every range. Time and memory grow with tokens times replicas, whatever the
 * topology: a factor counts up to the number of nodes, and a data centre without nodes costs
 * nothing. The ring must live as long as the result. TD_TOOBIG over CQL_RING_REPLICAS_MAX,
 * TD_NOMEM. */
enum td_status cql_replicas_build(const struct cql_ring *ring, const struct cql_replication *r,
	struct td_arena *arena, const struct cql_replicas **ret_replicas,
	struct td_err *err) TD_MUST_CHECK;

struct cql_replica_list {
	const uint16_t *nodes; /* places in cql_ring_build()'s array, no node twice */
	size_t count;          /* 0: no routing */
};

/* Who holds the partition with this token (token.h). Those of one data centre stand together, in
 * each the owner of the range first. */
struct cql_replica_list cql_replicas_of(const struct cql_replicas *replicas, int64_t token);

#endif
