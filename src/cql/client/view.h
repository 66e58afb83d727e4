/* What one look at the cluster has shown: its nodes, its keyspaces, and from them who holds which
 * partition. On the loop. */
#ifndef TD_CQL_CLIENT_VIEW_H
#define TD_CQL_CLIENT_VIEW_H

#include "base/arena.h"
#include "base/err.h"
#include "cql/protocol/keyspaces.h"
#include "cql/protocol/ring.h"
#include "cql/protocol/topology.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cql_node;

struct cql_view {
	struct td_arena arena;
	struct cql_local local;
	struct cql_peers peers;
	const struct cql_keyspace *keyspaces;
	size_t keyspace_count;
	const struct cql_ring *ring; /* NULL: requests cannot be routed by their keys */
	/* For each keyspace, once it was asked for. */
	struct cql_routes {
		bool is_tried;
		const struct cql_replicas *replicas; /* NULL: no routing */
	} * routes;
	struct cql_node **nodes; /* by their places in the ring: `local`, then the peers; NULL: it
				    is not known any more */
	size_t node_count;
};

/* NULL: no memory. */
struct cql_view *cql_view_create(void);
void cql_view_free(struct cql_view *m); /* NULL is fine */

/* Each takes one answer in. TD_CORRUPT, TD_NOTFOUND, TD_TOOBIG, TD_NOMEM as topology.h and
 * keyspaces.h say. `local` comes before the peers. */
enum td_status cql_view_take_local(
	struct cql_view *m, const struct cql_result *result, struct td_err *err) TD_MUST_CHECK;
enum td_status cql_view_take_peers(
	struct cql_view *m, const struct cql_result *result, struct td_err *err) TD_MUST_CHECK;
enum td_status cql_view_take_keyspaces(
	struct cql_view *m, const struct cql_result *result, struct td_err *err) TD_MUST_CHECK;

/* Once all are taken: makes the ring, and room for the nodes. */
enum td_status cql_view_finish(struct cql_view *m, struct td_err *err) TD_MUST_CHECK;

/* Who holds the partition with the token: places in m->nodes. The keyspace's replicas are made
 * when they are first asked for. */
struct cql_replica_list cql_view_replicas(
	struct cql_view *m, struct td_slice keyspace, int64_t token);

#endif
