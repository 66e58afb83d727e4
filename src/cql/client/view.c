#include "cql/client/view.h"

#include "base/alloc.h"

#define ARENA_MOST (256u << 20) /* bytes: replicas of a large ring, several times */

struct cql_view *cql_view_create(void)
{
	struct cql_view *m = td_alloc_zero(sizeof(*m));
	if (m != NULL)
		m->arena.limit = ARENA_MOST;
	return m;
}

void cql_view_free(struct cql_view *m)
{
	if (m == NULL)
		return;
	td_arena_done(&m->arena);
	td_free(m);
}

enum td_status cql_view_take_local(
	struct cql_view *m, const struct cql_result *result, struct td_err *err)
{
	return cql_local_read(result, &m->arena, &m->local, err);
}

enum td_status cql_view_take_peers(
	struct cql_view *m, const struct cql_result *result, struct td_err *err)
{
	return cql_peers_read(result, &m->local, &m->arena, &m->peers, err);
}

enum td_status cql_view_take_keyspaces(
	struct cql_view *m, const struct cql_result *result, struct td_err *err)
{
	return cql_keyspaces_read(result, &m->arena, &m->keyspaces, &m->keyspace_count, err);
}

/* Only Murmur3's tokens can be computed here. */
static bool is_murmur3(struct td_slice partitioner)
{
	static const char name[] = "Murmur3Partitioner";
	size_t len = sizeof(name) - 1;
	return partitioner.len >= len &&
	       td_slice_is(td_slice_skip(partitioner, partitioner.len - len), name);
}

static struct cql_ring_node ring_node(const struct cql_host *host)
{
	return (struct cql_ring_node){.dc = host->dc,
		.rack = host->rack,
		.tokens = host->tokens,
		.token_count = host->token_count};
}

enum td_status cql_view_finish(struct cql_view *m, struct td_err *err)
{
	struct td_arena *arena = &m->arena;
	m->node_count = 1 + m->peers.count;
	m->nodes = td_arena_array(arena, m->node_count, sizeof(struct cql_node *));
	m->routes = td_arena_array(arena, m->keyspace_count + 1, sizeof(*m->routes));
	struct cql_ring_node *nodes = td_arena_array(arena, m->node_count, sizeof(*nodes));
	if (arena->failed)
		return td_err_set(err, TD_NOMEM, "no memory for what a cluster looks like");
	if (!is_murmur3(m->local.partitioner))
		return TD_OK;
	nodes[0] = ring_node(&m->local.host);
	for (size_t i = 0; i < m->peers.count; i++)
		nodes[i + 1] = ring_node(&m->peers.hosts[i]);
	enum td_status status = cql_ring_build(nodes, m->node_count, arena, &m->ring, err);
	return status == TD_TOOBIG ? TD_OK : status; /* too large to route: any node will do */
}

struct cql_replica_list cql_view_replicas(
	struct cql_view *m, struct td_slice keyspace, int64_t token)
{
	static const struct cql_replica_list none = {.count = 0};
	const struct cql_keyspace *found = m->ring == NULL ? NULL
							   : cql_keyspace_find(m->keyspaces,
								     m->keyspace_count, keyspace);
	if (found == NULL)
		return none;
	struct cql_routes *routes = &m->routes[found - m->keyspaces];
	if (!routes->is_tried) {
		routes->is_tried = true;
		/* Without them any node does; the arena may be used further after a failure. */
		if (cql_replicas_build(m->ring, &found->replication, &m->arena, &routes->replicas,
			    NULL) != TD_OK)
			routes->replicas = NULL;
	}
	return routes->replicas != NULL ? cql_replicas_of(routes->replicas, token) : none;
}
