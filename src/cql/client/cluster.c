#include "cql/client/cluster.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNLISTED_MOST  2 /* one look may miss a node that is about to join */
#define SUGGESTED_MOST (CQL_CONTROL_TRIES_MOST / 4)

static struct cql_cluster *cluster_of(struct cql_control *control)
{
	return TD_CONTAINER_OF(control, struct cql_cluster, control);
}

/* ---- which nodes there are */

static struct cql_address address_of(const struct cql_inet *inet, const struct cql_address *like)
{
	struct cql_address address = {.len = sizeof(address.as.v4)};
	in_port_t port = like->as.any.sa_family == AF_INET6 ? like->as.v6.sin6_port
							    : like->as.v4.sin_port;
	if (inet->port >= 0)
		port = htons((uint16_t)inet->port);
	if (inet->len == 4) {
		address.as.v4.sin_family = AF_INET;
		address.as.v4.sin_port = port;
		memcpy(&address.as.v4.sin_addr, inet->bytes, 4);
	} else {
		address.len = sizeof(address.as.v6);
		address.as.v6.sin6_family = AF_INET6;
		address.as.v6.sin6_port = port;
		memcpy(&address.as.v6.sin6_addr, inet->bytes, 16);
	}
	return address;
}

static struct cql_node *find_by_text(const struct cql_cluster *cluster, const char *text)
{
	for (size_t i = 0; i < cluster->node_count; i++) {
		if (strcmp(cluster->nodes[i]->text, text) == 0)
			return cluster->nodes[i];
	}
	return NULL;
}

/* One keeps its id when its address changes; where a row has none, the address must do. */
static struct cql_node *find(
	const struct cql_cluster *cluster, const struct cql_host *host, const char *text)
{
	if (!host->has_host_id)
		return find_by_text(cluster, text);
	for (size_t i = 0; i < cluster->node_count; i++) {
		struct cql_node *node = cluster->nodes[i];
		if (node->has_host_id &&
			memcmp(node->host_id, host->host_id, sizeof(host->host_id)) == 0)
			return node;
	}
	return NULL;
}

static void remove_node(struct cql_cluster *cluster, size_t at, const char *why)
{
	struct cql_node *node = cluster->nodes[at];
	cluster->nodes[at] = cluster->nodes[--cluster->node_count];
	cql_node_leave(node, why);
}

static struct cql_node *add_node(
	struct cql_cluster *cluster, const struct cql_address *address, const char *tls_name)
{
	struct cql_node **nodes = td_realloc_array(
		cluster->nodes, cluster->node_count + 1, sizeof(struct cql_node *));
	if (nodes == NULL)
		return NULL;
	cluster->nodes = nodes;
	struct cql_node *node = cql_node_create(cluster->hub, address, tls_name);
	if (node != NULL)
		nodes[cluster->node_count++] = node;
	return node;
}

/* A row of the tables: a host, and where it is. */
struct row {
	const struct cql_host *host;
	struct cql_address address;
	const char *tls_name; /* NULL: the address */
	char text[CQL_ADDRESS_TEXT_SIZE];
};

static struct row row_of(const struct cql_cluster *cluster, size_t place,
	const struct cql_address *reached, const char *tls_name)
{
	const struct cql_view *m = cluster->view;
	/* The one that was asked by the address it was reached at, whatever it says of itself
	 * (CASSANDRA-11181). */
	struct row row = {.host = &m->local.host, .address = *reached, .tls_name = tls_name};
	if (place > 0) {
		row.host = &m->peers.hosts[place - 1];
		row.address = address_of(&row.host->address, reached);
		row.tls_name = cql_control_name_of(&cluster->control, &row.address);
	}
	cql_address_format(&row.address, row.text);
	return row;
}

static struct cql_node *note_row(
	const struct cql_cluster *cluster, struct cql_node *node, const struct row *row)
{
	node->has_host_id = row->host->has_host_id;
	memcpy(node->host_id, row->host->host_id, sizeof(node->host_id));
	node->unlisted = 0;
	node->is_local = td_slice_is(row->host->dc, cluster->local_dc);
	return node;
}

/* The node of a row that is where it was; NULL: it is new, or has moved. */
static struct cql_node *known_node(const struct cql_cluster *cluster, const struct row *row)
{
	struct cql_node *node = find(cluster, row->host, row->text);
	bool has_stayed = node != NULL && node->unlisted > 0 && strcmp(node->text, row->text) == 0;
	return has_stayed ? note_row(cluster, node, row) : NULL;
}

/* False: a node that this look has shown is there already, so that the row is one that a node left
 * behind which is no more. */
static bool clear_address(struct cql_cluster *cluster, const char *text)
{
	for (size_t i = 0; i < cluster->node_count; i++) {
		if (strcmp(cluster->nodes[i]->text, text) != 0)
			continue;
		if (cluster->nodes[i]->unlisted == 0)
			return false;
		remove_node(cluster, i, "another node has its address now");
		return true;
	}
	return true;
}

/* NULL: the address is another's, or no memory: cluster->lacks_memory. */
static struct cql_node *new_node(struct cql_cluster *cluster, const struct row *row)
{
	struct cql_node *node = find(cluster, row->host, row->text);
	if ((node != NULL && node->unlisted == 0) || !clear_address(cluster, row->text))
		return NULL;
	if (node == NULL)
		node = add_node(cluster, &row->address, row->tls_name);
	else
		cql_node_move(node, &row->address, row->tls_name);
	cluster->lacks_memory = cluster->lacks_memory || node == NULL;
	return node != NULL ? note_row(cluster, node, row) : NULL;
}

static void choose_dc(struct cql_cluster *cluster, const struct cql_view *m)
{
	const char *set = cluster->hub->config->local_dc;
	struct td_slice dc = set != NULL ? td_slice_str(set) : m->local.host.dc;
	if (cluster->local_dc[0] == '\0')
		(void)snprintf(
			cluster->local_dc, sizeof(cluster->local_dc), "%.*s", TD_SLICE_ARG(dc));
}

/* First those that are where they were: no other row takes their address from them, and none that
 * m->nodes names goes away again in this look. */
static void place_nodes(struct cql_cluster *cluster, struct cql_view *m,
	const struct cql_address *reached, const char *tls_name)
{
	cluster->lacks_memory = false;
	for (size_t i = 0; i < cluster->node_count; i++)
		cluster->nodes[i]->unlisted++;
	for (size_t i = 0; i < m->node_count; i++) {
		const struct row row = row_of(cluster, i, reached, tls_name);
		m->nodes[i] = known_node(cluster, &row);
	}
	for (size_t i = 0; i < m->node_count; i++) {
		const struct row row = row_of(cluster, i, reached, tls_name);
		if (m->nodes[i] == NULL)
			m->nodes[i] = new_node(cluster, &row);
	}
	for (size_t i = cluster->node_count; i-- > 0;) {
		if (cluster->nodes[i]->unlisted > UNLISTED_MOST)
			remove_node(cluster, i, "the node has left the cluster");
	}
}

/* ---- the local data centre */

static void name_dcs(const struct cql_view *m, struct td_buf *out)
{
	for (size_t i = 0; i < m->node_count; i++) {
		struct td_slice dc = i == 0 ? m->local.host.dc : m->peers.hosts[i - 1].dc;
		bool is_first = true;
		for (size_t k = 0; k < i; k++) {
			struct td_slice before = k == 0 ? m->local.host.dc
							: m->peers.hosts[k - 1].dc;
			is_first = is_first && !td_slice_equal(dc, before);
		}
		if (is_first)
			td_buf_printf(out, "%s%.*s", i > 0 ? ", " : "", TD_SLICE_ARG(dc));
	}
}

static void check_dc(struct cql_cluster *cluster, const struct cql_view *m)
{
	static const char label[] = "local data centre";
	bool has_local = false;
	for (size_t i = 0; i < cluster->node_count; i++)
		has_local = has_local || cluster->nodes[i]->is_local;
	if (has_local) {
		cql_failures_remove(&cluster->hub->failures, label);
		return;
	}
	struct td_buf dcs = TD_BUF_INIT;
	struct td_err err = TD_ERR_INIT;
	name_dcs(m, &dcs);
	const char *text = td_buf_cstr(&dcs);
	(void)td_err_set(&err, TD_NOTFOUND,
		"no node is in the local data centre \"%s\": those of the cluster are in %s",
		cluster->local_dc, text != NULL ? text : "others");
	cql_hub_note_failed(cluster->hub, label, CQL_FAILURE_DATA_CENTRE, &err);
	td_buf_done(&dcs);
}

/* ---- what the control connection tells */

/* Rows of peers have addresses, and certificates may be for names only: a node that a contact point
 * leads to has that name, however it was found. */
static void name_nodes(struct cql_control *control)
{
	struct cql_cluster *cluster = cluster_of(control);
	for (size_t i = 0; i < cluster->node_count; i++) {
		struct cql_node *node = cluster->nodes[i];
		const char *name = cql_control_name_of(control, &node->address);
		if (name != NULL)
			cql_node_rename(node, name);
	}
}

static void seen(struct cql_control *control, struct cql_view *view,
	const struct cql_address *address, const char *tls_name)
{
	struct cql_cluster *cluster = cluster_of(control);
	choose_dc(cluster, view);
	cql_view_free(cluster->view);
	cluster->view = view;
	place_nodes(cluster, view, address, tls_name);
	if (cluster->lacks_memory)
		cql_control_refresh(control); /* a node is missing: not for a minute */
	else
		check_dc(cluster, view);
	for (size_t i = 0; i < cluster->node_count; i++) {
		if (!cluster->nodes[i]->retry.is_set)
			cql_node_connect(cluster->nodes[i]);
	}
	cluster->hub->changed(cluster->hub);
}

static void suggest(struct cql_control *control)
{
	struct cql_cluster *cluster = cluster_of(control);
	size_t n = cluster->node_count;
	size_t first = n > 0 ? arc4random_uniform((uint32_t)n) : 0;
	/* By chance, and not all of a large cluster: the contact points are to be tried, too. */
	for (size_t i = 0; i < n && i < SUGGESTED_MOST; i++) {
		const struct cql_node *node = cluster->nodes[(first + i) % n];
		cql_control_add(control, &node->address, node->tls_name);
	}
}

static void is_up(struct cql_control *control, const struct cql_inet *inet)
{
	struct cql_cluster *cluster = cluster_of(control);
	static const struct cql_address nowhere;
	char text[CQL_ADDRESS_TEXT_SIZE];
	struct cql_address address = address_of(inet, &nowhere);
	cql_address_format(&address, text);
	struct cql_node *node = find_by_text(cluster, text);
	if (node == NULL)
		cql_control_refresh(control);
	else if (node->is_local)
		cql_node_connect(node);
}

static void round_failed(struct cql_control *control)
{
	struct cql_cluster *cluster = cluster_of(control);
	cluster->failed(cluster);
}

static const struct cql_control_owner owner = {.suggest = suggest,
	.seen = seen,
	.named = name_nodes,
	.is_up = is_up,
	.failed = round_failed};

/* ---- */

void cql_cluster_init(struct cql_cluster *cluster, struct cql_hub *hub,
	void (*failed)(struct cql_cluster *cluster))
{
	*cluster = (struct cql_cluster){.hub = hub, .failed = failed};
	cql_control_init(&cluster->control, hub, &owner);
}

void cql_cluster_start(struct cql_cluster *cluster)
{
	cql_control_start(&cluster->control);
}

void cql_cluster_stop(struct cql_cluster *cluster)
{
	struct cql_hub *hub = cluster->hub;
	hub->is_stopping = true;
	cql_control_stop(&cluster->control);
	while (cluster->node_count > 0)
		remove_node(cluster, cluster->node_count - 1, "the session is closed");
	if (hub->open_conns == 0)
		hub->closed(hub);
}

void cql_cluster_done(struct cql_cluster *cluster)
{
	cql_view_free(cluster->view);
	td_free(cluster->nodes);
}

size_t cql_cluster_nodes_up(const struct cql_cluster *cluster)
{
	size_t count = 0;
	for (size_t i = 0; i < cluster->node_count; i++)
		count += cluster->nodes[i]->is_local && cql_node_is_up(cluster->nodes[i]) ? 1 : 0;
	return count;
}

bool cql_cluster_is_down(const struct cql_cluster *cluster)
{
	for (size_t i = 0; i < cluster->node_count; i++) {
		const struct cql_node *node = cluster->nodes[i];
		if (node->is_local && (cql_node_is_up(node) || node->failure == CQL_FAILURE_NONE))
			return false;
	}
	return cluster->view != NULL;
}

/* ---- which node a request goes to */

static bool may_take(const struct cql_node *node, const struct cql_pick *pick)
{
	if (node == NULL || !node->is_local || !cql_node_is_up(node))
		return false;
	for (size_t i = 0; i < pick->tried_count; i++) {
		if (pick->tried[i] == node->id)
			return false;
	}
	return true;
}

/* Of the replicas; `list` NULL: of all nodes. */
static struct cql_node *node_at(
	const struct cql_cluster *cluster, const struct cql_replica_list *list, size_t i)
{
	return list != NULL ? cluster->view->nodes[list->nodes[i]] : cluster->nodes[i];
}

/* In turn of those that may be taken: the share of one that may not falls to all others alike. */
static struct cql_node *pick_of(const struct cql_cluster *cluster,
	const struct cql_replica_list *list, const struct cql_pick *pick)
{
	size_t count = list != NULL ? list->count : cluster->node_count;
	size_t fit = 0;
	for (size_t i = 0; i < count; i++)
		fit += may_take(node_at(cluster, list, i), pick) ? 1 : 0;
	if (fit == 0)
		return NULL;
	size_t place = 0;
	for (size_t skip = cluster->turn % fit;; place++) {
		if (may_take(node_at(cluster, list, place), pick) && skip-- == 0)
			return node_at(cluster, list, place);
	}
}

struct cql_node *cql_cluster_pick(struct cql_cluster *cluster, const struct cql_pick *pick)
{
	struct cql_node *node = NULL;
	cluster->turn++;
	if (pick->has_token && cluster->view != NULL) {
		struct cql_replica_list list = cql_view_replicas(
			cluster->view, pick->keyspace, pick->token);
		node = pick_of(cluster, &list, pick);
	}
	return node != NULL ? node : pick_of(cluster, NULL, pick);
}
