/* The nodes of the cluster and the control connection, and which node a request goes to. On the
 * loop. */
#ifndef TD_CQL_CLIENT_CLUSTER_H
#define TD_CQL_CLIENT_CLUSTER_H

#include "cql/client/control.h"
#include "cql/client/hub.h"
#include "cql/client/node.h"
#include "cql/client/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cql_cluster {
	struct cql_hub *hub;
	struct cql_control control;
	struct cql_node **nodes; /* owned */
	size_t node_count;
	struct cql_view *view;                       /* NULL: nothing is known yet */
	char local_dc[256];                          /* "": not known yet */
	size_t turn;                                 /* requests begin with another node each */
	bool lacks_memory;                           /* of the last look a node is missing */
	void (*failed)(struct cql_cluster *cluster); /* every address was tried in vain */
};

void cql_cluster_init(struct cql_cluster *cluster, struct cql_hub *hub,
	void (*failed)(struct cql_cluster *cluster));
void cql_cluster_start(struct cql_cluster *cluster);

/* Closes everything; hub->closed comes when all is. */
void cql_cluster_stop(struct cql_cluster *cluster);

/* After hub->closed. */
void cql_cluster_done(struct cql_cluster *cluster);

size_t cql_cluster_nodes_up(const struct cql_cluster *cluster);

/* No node is up, and each was tried in vain. */
bool cql_cluster_is_down(const struct cql_cluster *cluster);

/* What a node is picked by. */
struct cql_pick {
	struct td_slice keyspace;
	int64_t token;
	bool has_token;        /* else any node will do */
	const unsigned *tried; /* the ids of nodes not to be picked again */
	size_t tried_count;
};

/* One that is up: of those that have the data, else any; NULL: none is left. */
struct cql_node *cql_cluster_pick(struct cql_cluster *cluster, const struct cql_pick *pick);

#endif
