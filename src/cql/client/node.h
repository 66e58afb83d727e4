/* One node of the cluster, and the connections to it: opened again for ever, each failure after a
 * longer pause, until the node leaves. On the loop. */
#ifndef TD_CQL_CLIENT_NODE_H
#define TD_CQL_CLIENT_NODE_H

#include "cql/client/backoff.h"
#include "cql/client/hub.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cql_node {
	struct cql_hub *hub;
	unsigned id; /* of no other node, ever */
	struct cql_address address;
	char text[CQL_ADDRESS_TEXT_SIZE]; /* of the address */
	char *tls_name;                   /* what its certificate must be for */
	bool has_host_id;
	uint8_t host_id[16];
	bool is_local;     /* of the local data centre: has connections */
	bool is_leaving;   /* freed with its last connection */
	unsigned unlisted; /* looks at the cluster in a row that did not see it */
	struct cql_node_slot {
		struct cql_conn *conn; /* NULL: none, not even a try */
		bool is_ready;
		uint64_t ready_ms;             /* when it became so */
		enum cql_version version_most; /* of the next try */
	} slots[CQL_NODE_CONNECTIONS_MOST];
	unsigned ready_count; /* of them */
	struct cql_backoff backoff;
	struct cql_timer retry;
	enum cql_failure failure; /* the last one since it was up; NONE */
	bool is_down_told;
};

/* NULL: no memory. `tls_name`: NULL is the address without its port. Nothing is opened yet. */
struct cql_node *cql_node_create(
	struct cql_hub *hub, const struct cql_address *address, const char *tls_name);

/* It has another address now: connections to the old one end. `tls_name` as above. */
void cql_node_move(struct cql_node *node, const struct cql_address *address, const char *tls_name);

/* What its certificate must be for, from the next connection on; one that is only waited for is
 * opened now. */
void cql_node_rename(struct cql_node *node, const char *tls_name);

/* Opens what is missing now, whatever the pause that is under way. Nothing for one that is not
 * local. */
void cql_node_connect(struct cql_node *node);

/* Closes everything, and frees it, now or when the last connection has closed. */
void cql_node_leave(struct cql_node *node, const char *why);

/* Of those that are ready the one with the fewest requests; NULL: none is. */
struct cql_conn *cql_node_conn(const struct cql_node *node);

static inline bool cql_node_is_up(const struct cql_node *node)
{
	return node->ready_count > 0;
}

#endif
