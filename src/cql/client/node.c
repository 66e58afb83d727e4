#include "cql/client/node.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <string.h>

/* So long it must have lived that the next one is opened without a pause: a server that takes
 * connections and drops them is not asked as fast as it drops. */
#define STABLE_MS 10000

static void connect_one(struct cql_node *node, struct cql_node_slot *slot);

static unsigned conns_wanted(const struct cql_node *node)
{
	return node->is_local && !node->is_leaving ? node->hub->config->node_connections : 0;
}

static struct cql_node_slot *slot_of(struct cql_node *node, const struct cql_conn *conn)
{
	size_t i = 0;
	while (i < CQL_NODE_CONNECTIONS_MOST && node->slots[i].conn != conn)
		i++;
	td_assert(i < CQL_NODE_CONNECTIONS_MOST);
	return &node->slots[i];
}

static void free_node(struct cql_node *node)
{
	cql_loop_clear_timer(node->hub->loop, &node->retry);
	td_free(node->tls_name);
	td_free(node);
}

static void free_if_over(struct cql_node *node)
{
	for (size_t i = 0; i < CQL_NODE_CONNECTIONS_MOST; i++) {
		if (node->slots[i].conn != NULL)
			return;
	}
	if (node->is_leaving)
		free_node(node);
}

/* ---- what becomes of a connection */

static void on_ready(void *ctx, struct cql_conn *conn)
{
	struct cql_node *node = ctx;
	struct cql_node_slot *slot = slot_of(node, conn);
	slot->is_ready = true;
	slot->ready_ms = cql_loop_now_ms(node->hub->loop);
	node->ready_count++;
	slot->version_most = node->hub->config->version_most;
	node->failure = CQL_FAILURE_NONE;
	cql_hub_note_ready(node->hub, node->text);
	if (node->ready_count > 1)
		return;
	node->is_down_told = false;
	cql_hub_tell(node->hub, CQL_NOTICE_NODE_UP, node->text, CQL_FAILURE_NONE, "");
	node->hub->changed(node->hub);
}

static void retry_later(struct cql_node *node)
{
	if (node->retry.is_set)
		return;
	struct cql_hub *hub = node->hub;
	unsigned pause_ms = cql_hub_pause_ms(hub, &node->backoff, node->failure);
	cql_loop_set_timer(hub->loop, &node->retry, cql_loop_now_ms(hub->loop) + pause_ms);
}

static void note_failure(struct cql_node *node, enum cql_failure failure, const struct td_err *err)
{
	node->failure = failure;
	cql_hub_note_failed(node->hub, node->text, failure, err);
	if (node->ready_count > 0 || node->is_down_told)
		return;
	node->is_down_told = true;
	cql_hub_tell(node->hub, CQL_NOTICE_NODE_DOWN, node->text, failure, err->text);
}

/* A version that the server lists and does not take: the older one, at once. */
static bool lowers_version(
	struct cql_node *node, struct cql_node_slot *slot, const struct cql_conn *conn)
{
	bool lowers = cql_conn_failure(conn) == CQL_FAILURE_VERSION &&
		      cql_conn_version(conn) == CQL_V5 && slot->version_most == CQL_V5;
	slot->version_most = lowers ? CQL_V4 : node->hub->config->version_most;
	return lowers;
}

/* True where it was used so long that what cut it need not be there any more. */
static bool note_lost(struct cql_node *node, const struct cql_node_slot *slot)
{
	bool was_stable = cql_loop_now_ms(node->hub->loop) >= slot->ready_ms + STABLE_MS;
	if (was_stable)
		node->backoff = (struct cql_backoff){0};
	return was_stable;
}

static void fail(struct cql_node *node, struct cql_node_slot *slot, const struct cql_conn *conn,
	bool was_ready, const struct td_err *err)
{
	if (lowers_version(node, slot, conn)) {
		connect_one(node, slot);
		return;
	}
	bool at_once = was_ready && note_lost(node, slot);
	note_failure(node, cql_conn_failure(conn), err);
	if (at_once)
		connect_one(node, slot);
	else
		retry_later(node);
	node->hub->changed(node->hub);
}

static void on_closed(void *ctx, struct cql_conn *conn, const struct td_err *err)
{
	struct cql_node *node = ctx;
	struct cql_hub *hub = node->hub;
	struct cql_node_slot *slot = slot_of(node, conn);
	bool was_ready = slot->is_ready;
	slot->conn = NULL;
	slot->is_ready = false;
	node->ready_count -= was_ready ? 1 : 0;
	bool is_wanted = slot < node->slots + conns_wanted(node) && !hub->is_stopping;
	if (is_wanted && cql_conn_failure(conn) != CQL_FAILURE_NONE)
		fail(node, slot, conn, was_ready, err);
	else if (is_wanted)
		connect_one(node, slot); /* it was closed because the address is another one */
	free_if_over(node);
	cql_hub_note_closed(hub);
}

/* ---- opening */

static void connect_one(struct cql_node *node, struct cql_node_slot *slot)
{
	const struct cql_wish wish = {
		.address = node->address,
		.tls_name = node->tls_name,
		.version_most = slot->version_most,
		.wants_keyspace = true,
		.ready = on_ready,
		.closed = on_closed,
		.ctx = node,
	};
	struct td_err err = TD_ERR_INIT;
	if (node->hub->is_stopping)
		return;
	if (cql_hub_open(node->hub, &wish, &slot->conn, &err) == TD_OK)
		return;
	note_failure(node, CQL_FAILURE_NOMEM, &err);
	retry_later(node);
}

void cql_node_connect(struct cql_node *node)
{
	cql_loop_clear_timer(node->hub->loop, &node->retry);
	for (size_t i = 0; i < conns_wanted(node); i++) {
		if (node->slots[i].conn == NULL)
			connect_one(node, &node->slots[i]);
	}
}

static void retry_now(struct cql_timer *timer)
{
	cql_node_connect(TD_CONTAINER_OF(timer, struct cql_node, retry));
}

/* ---- */

static char *address_without_port(const struct cql_address *address)
{
	char text[INET6_ADDRSTRLEN] = "";
	bool is_v6 = address->as.any.sa_family == AF_INET6;
	const void *bytes = is_v6 ? (const void *)&address->as.v6.sin6_addr
				  : (const void *)&address->as.v4.sin_addr;
	(void)inet_ntop(address->as.any.sa_family, bytes, text, sizeof(text));
	return td_strdup(text);
}

struct cql_node *cql_node_create(
	struct cql_hub *hub, const struct cql_address *address, const char *tls_name)
{
	struct cql_node *node = td_alloc_zero(sizeof(*node));
	if (node == NULL)
		return NULL;
	node->hub = hub;
	node->id = ++hub->last_node_id;
	node->address = *address;
	cql_address_format(address, node->text);
	for (size_t i = 0; i < CQL_NODE_CONNECTIONS_MOST; i++)
		node->slots[i].version_most = hub->config->version_most;
	node->retry.fire = retry_now;
	node->tls_name = tls_name != NULL ? td_strdup(tls_name) : address_without_port(address);
	if (node->tls_name == NULL) {
		td_free(node);
		return NULL;
	}
	return node;
}

static void close_all(struct cql_node *node, const char *why)
{
	node->ready_count = 0;
	for (size_t i = 0; i < CQL_NODE_CONNECTIONS_MOST; i++) {
		struct cql_node_slot *slot = &node->slots[i];
		slot->is_ready = false;
		if (slot->conn != NULL)
			cql_conn_close(slot->conn, why);
	}
}

static bool set_name(struct cql_node *node, char *tls_name)
{
	if (tls_name == NULL)
		return false;
	td_free(node->tls_name);
	node->tls_name = tls_name;
	return true;
}

void cql_node_rename(struct cql_node *node, const char *tls_name)
{
	if (strcmp(node->tls_name, tls_name) == 0)
		return;
	if (set_name(node, td_strdup(tls_name)) && node->retry.is_set)
		cql_node_connect(node);
}

void cql_node_move(struct cql_node *node, const struct cql_address *address, const char *tls_name)
{
	cql_failures_remove(&node->hub->failures, node->text);
	(void)set_name(
		node, tls_name != NULL ? td_strdup(tls_name) : address_without_port(address));
	node->address = *address;
	cql_address_format(address, node->text);
	node->backoff = (struct cql_backoff){0};
	close_all(node, "the node has another address now");
	cql_node_connect(node);
}

void cql_node_leave(struct cql_node *node, const char *why)
{
	cql_failures_remove(&node->hub->failures, node->text);
	cql_loop_clear_timer(node->hub->loop, &node->retry);
	node->is_leaving = true;
	close_all(node, why);
	free_if_over(node);
}

struct cql_conn *cql_node_conn(const struct cql_node *node)
{
	struct cql_conn *best = NULL;
	size_t fewest = SIZE_MAX;
	for (size_t i = 0; i < CQL_NODE_CONNECTIONS_MOST; i++) {
		struct cql_conn *conn = node->slots[i].is_ready ? node->slots[i].conn : NULL;
		if (conn == NULL || !cql_conn_is_ready(conn) || cql_conn_in_flight(conn) >= fewest)
			continue;
		fewest = cql_conn_in_flight(conn);
		best = conn;
	}
	return best;
}
