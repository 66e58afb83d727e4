#include "cql/protocol/topology.h"

#include "cql/protocol/ring.h"
#include "cql/protocol/table.h"
#include "cql/protocol/token.h"

#include <string.h>

#define PORT_MOST 65535

enum field {
	FIELD_CLUSTER_NAME,
	FIELD_PARTITIONER,
	FIELD_HOST_ID,
	FIELD_SCHEMA_VERSION,
	FIELD_DC,
	FIELD_RACK,
	FIELD_TOKENS,
	FIELD_RELEASE_VERSION,
	FIELD_NATIVE_ADDRESS,
	FIELD_NATIVE_PORT,
	FIELD_RPC_ADDRESS,
	FIELD_RPC_PORT,
	FIELD_PEER,
	FIELD_BROADCAST_ADDRESS,
	FIELD_LISTEN_ADDRESS,
	FIELD_NONE,
};

static const struct cql_table_field fields[FIELD_NONE] = {
	[FIELD_CLUSTER_NAME] = {"cluster_name", CQL_TYPE_VARCHAR},
	[FIELD_PARTITIONER] = {"partitioner", CQL_TYPE_VARCHAR},
	[FIELD_HOST_ID] = {"host_id", CQL_TYPE_UUID},
	[FIELD_SCHEMA_VERSION] = {"schema_version", CQL_TYPE_UUID},
	[FIELD_DC] = {"data_center", CQL_TYPE_VARCHAR},
	[FIELD_RACK] = {"rack", CQL_TYPE_VARCHAR},
	[FIELD_TOKENS] = {"tokens", CQL_TYPE_SET},
	[FIELD_RELEASE_VERSION] = {"release_version", CQL_TYPE_VARCHAR},
	[FIELD_NATIVE_ADDRESS] = {"native_address", CQL_TYPE_INET},
	[FIELD_NATIVE_PORT] = {"native_port", CQL_TYPE_INT},
	[FIELD_RPC_ADDRESS] = {"rpc_address", CQL_TYPE_INET},
	[FIELD_RPC_PORT] = {"rpc_port", CQL_TYPE_INT},
	[FIELD_PEER] = {"peer", CQL_TYPE_INET},
	[FIELD_BROADCAST_ADDRESS] = {"broadcast_address", CQL_TYPE_INET},
	[FIELD_LISTEN_ADDRESS] = {"listen_address", CQL_TYPE_INET},
};

/* Which columns a row must have. */
enum need {
	NEED_NOTHING,  /* the node's own row: it is there, that is enough */
	NEED_VERSIONS, /* an id, a schema's version, and what else was asked for */
	NEED_ALL,
};

/* ---- one row ---- */

static bool is_missing(const struct cql_table *t, enum field f)
{
	return cql_table_cell(t, f).len == 0;
}

/* Columns that a row of the peers must have beside an address; the first two always. */
static enum field missing_field(const struct cql_table *t, enum need need)
{
	static const enum field needed[] = {
		FIELD_HOST_ID, FIELD_SCHEMA_VERSION, FIELD_DC, FIELD_RACK, FIELD_TOKENS};
	for (size_t i = 0; i < TD_ARRAY_LEN(needed) && need != NEED_NOTHING; i++) {
		bool counts = i < 2 || need == NEED_ALL || cql_table_has(t, needed[i]);
		if (counts && is_missing(t, needed[i]))
			return needed[i];
	}
	return FIELD_NONE;
}

static bool read_uuid(const struct cql_table *t, enum field f, uint8_t uuid[16], bool *ret_has)
{
	const uint8_t *bytes = NULL;
	if (is_missing(t, f))
		return true;
	if (!cql_get_uuid(cql_table_cell(t, f), &bytes))
		return false;
	memcpy(uuid, bytes, 16);
	*ret_has = true;
	return true;
}

static enum field read_uuids(const struct cql_table *t, struct cql_host *h)
{
	if (!read_uuid(t, FIELD_HOST_ID, h->host_id, &h->has_host_id))
		return FIELD_HOST_ID;
	if (!read_uuid(t, FIELD_SCHEMA_VERSION, h->schema_version, &h->has_schema_version))
		return FIELD_SCHEMA_VERSION;
	return FIELD_NONE;
}

/* 0.0.0.0, ::, and none at all. */
static bool is_any(const struct cql_inet *inet)
{
	for (size_t i = 0; i < inet->len; i++)
		if (inet->bytes[i] != 0)
			return false;
	return true;
}

/* Where a node that listens everywhere can be reached: where the other nodes reach it. */
static enum field read_own_address(const struct cql_table *t, struct cql_inet *inet)
{
	static const enum field own[] = {FIELD_PEER, FIELD_BROADCAST_ADDRESS, FIELD_LISTEN_ADDRESS};
	for (size_t i = 0; i < TD_ARRAY_LEN(own) && is_any(inet); i++)
		if (!is_missing(t, own[i]) && !cql_get_inet(cql_table_cell(t, own[i]), inet))
			return own[i];
	return FIELD_NONE;
}

static enum field read_port(const struct cql_table *t, enum field f, struct cql_inet *inet)
{
	int32_t port = -1;
	if (is_missing(t, f))
		return FIELD_NONE;
	if (!cql_get_int(cql_table_cell(t, f), &port) || port < 1 || port > PORT_MOST)
		return f;
	inet->port = port;
	return FIELD_NONE;
}

/* len stays 0 where the node has no address but those that mean all. */
static enum field read_address_at(
	const struct cql_table *t, enum field address, enum field port, struct cql_inet *inet)
{
	if (!cql_get_inet(cql_table_cell(t, address), inet))
		return address;
	enum field bad = read_own_address(t, inet);
	if (bad == FIELD_NONE && !is_any(inet))
		return read_port(t, port, inet);
	*inet = (struct cql_inet){.port = -1};
	return bad;
}

/* The native address counts with its port only, where the table has one. */
static enum field address_column(const struct cql_table *t)
{
	bool lacks_port = cql_table_has(t, FIELD_NATIVE_PORT) && is_missing(t, FIELD_NATIVE_PORT);
	if (!is_missing(t, FIELD_NATIVE_ADDRESS) && !lacks_port)
		return FIELD_NATIVE_ADDRESS;
	return is_missing(t, FIELD_RPC_ADDRESS) ? FIELD_NONE : FIELD_RPC_ADDRESS;
}

static enum field read_address(const struct cql_table *t, enum need need, struct cql_inet *inet)
{
	enum field at = address_column(t), bad = FIELD_NONE;
	bool is_native = cql_table_has(t, FIELD_NATIVE_ADDRESS);
	enum field asked = is_native ? FIELD_NATIVE_ADDRESS : FIELD_RPC_ADDRESS;
	if (at == FIELD_NATIVE_ADDRESS)
		bad = read_address_at(t, at, FIELD_NATIVE_PORT, inet);
	else if (at == FIELD_RPC_ADDRESS)
		bad = read_address_at(t, at, FIELD_RPC_PORT, inet);
	if (bad != FIELD_NONE || inet->len != 0)
		return bad;
	bool is_needed = need == NEED_ALL || (need == NEED_VERSIONS && cql_table_has(t, asked));
	return is_needed ? asked : FIELD_NONE;
}

static enum field read_tokens(const struct cql_table *t, struct td_arena *arena, struct cql_host *h)
{
	struct cql_elements parts;
	struct td_slice token;
	if (is_missing(t, FIELD_TOKENS))
		return FIELD_NONE;
	if (!cql_table_texts(cql_table_cell(t, FIELD_TOKENS), CQL_TYPE_SET, &parts))
		return FIELD_TOKENS;
	int64_t *tokens = td_arena_array(arena, parts.left, sizeof(*tokens));
	while (tokens != NULL && cql_elements_next(&parts, &token))
		if (cql_token_parse(token, &tokens[h->token_count]))
			h->token_count++;
	h->tokens = tokens;
	return parts.r.failed ? FIELD_TOKENS : FIELD_NONE;
}

static struct td_slice copy_text(const struct cql_table *t, enum field f, struct td_arena *arena)
{
	struct td_slice cell = cql_table_cell(t, f);
	return cql_is_null(cell) ? cell : td_arena_slice(arena, cell);
}

/* The column that is missing or damaged; FIELD_NONE: the row is good, or the arena failed. */
static enum field read_host(const struct cql_table *t, enum need need, struct td_arena *arena,
	struct cql_host *ret_host)
{
	struct cql_host h = {.address.port = -1};
	enum field bad = missing_field(t, need);
	if (bad == FIELD_NONE)
		bad = read_uuids(t, &h);
	if (bad == FIELD_NONE)
		bad = read_address(t, need, &h.address);
	if (bad == FIELD_NONE)
		bad = read_tokens(t, arena, &h);
	if (bad != FIELD_NONE)
		return bad;
	h.dc = copy_text(t, FIELD_DC, arena);
	h.rack = copy_text(t, FIELD_RACK, arena);
	h.release_version = copy_text(t, FIELD_RELEASE_VERSION, arena);
	*ret_host = h;
	return FIELD_NONE;
}

/* ---- the tables ---- */

static enum td_status no_memory(struct td_err *err)
{
	return td_err_set(err, TD_NOMEM, "no memory for the nodes of the cluster");
}

static enum td_status too_many_tokens(struct td_err *err)
{
	return td_err_set(
		err, TD_TOOBIG, "the nodes have more than %d tokens", CQL_RING_TOKENS_MAX);
}

enum td_status cql_local_read(const struct cql_result *result, struct td_arena *arena,
	struct cql_local *ret_local, struct td_err *err)
{
	struct cql_table t;
	struct cql_local local = {.cluster_name = {NULL, 0}};
	enum td_status status = cql_table_open(
		&t, result, "system.local", fields, FIELD_NONE, arena, err);
	if (status != TD_OK)
		return status;
	if (!cql_table_next(&t)) {
		status = cql_rows_check(&t.rows, err);
		return status != TD_OK ? status
				       : td_err_set(err, TD_NOTFOUND,
						 "system.local is empty: the node is not ready");
	}
	enum field bad = read_host(&t, NEED_NOTHING, arena, &local.host);
	if (bad != FIELD_NONE)
		return td_err_set(err, TD_CORRUPT, "the column %s of system.local is damaged",
			fields[bad].name);
	if (local.host.token_count > CQL_RING_TOKENS_MAX)
		return too_many_tokens(err);
	local.cluster_name = copy_text(&t, FIELD_CLUSTER_NAME, arena);
	local.partitioner = copy_text(&t, FIELD_PARTITIONER, arena);
	if (arena->failed)
		return no_memory(err);
	*ret_local = local;
	return TD_OK;
}

static bool is_same(const struct cql_host *a, const struct cql_host *b)
{
	return a->has_host_id && b->has_host_id &&
	       memcmp(a->host_id, b->host_id, sizeof(a->host_id)) == 0;
}

static bool is_known(
	const struct cql_peers *peers, const struct cql_local *local, const struct cql_host *host)
{
	if (local != NULL && is_same(&local->host, host))
		return true;
	for (size_t i = 0; i < peers->count; i++)
		if (is_same(&peers->hosts[i], host))
			return true;
	return false;
}

static void skip_row(const struct cql_table *t, enum field bad, struct cql_peers *peers)
{
	struct cql_inet peer = {.port = -1};
	if (peers->skipped++ > 0)
		return;
	(void)cql_get_inet(cql_table_cell(t, FIELD_PEER), &peer);
	peers->first_column = fields[bad].name;
	peers->first_peer = peer;
}

static enum td_status read_peers(struct cql_table *t, enum need need, const struct cql_local *local,
	struct td_arena *arena, struct cql_peers *peers, struct td_err *err)
{
	size_t tokens = 0;
	while (cql_table_next(t)) {
		struct cql_host *host = &peers->hosts[peers->count];
		enum field bad = read_host(t, need, arena, host);
		if (bad != FIELD_NONE) {
			skip_row(t, bad, peers);
		} else if (!is_known(peers, local, host)) {
			tokens += host->token_count;
			peers->count++;
		}
		if (tokens > CQL_RING_TOKENS_MAX)
			return too_many_tokens(err);
	}
	return arena->failed ? no_memory(err) : cql_rows_check(&t->rows, err);
}

static enum td_status read_peers_result(const struct cql_result *result, enum need need,
	const struct cql_local *local, struct td_arena *arena, struct cql_peers *ret_peers,
	struct td_err *err)
{
	struct cql_table t;
	struct cql_peers peers = {.first_peer.port = -1};
	enum td_status status = cql_table_open(
		&t, result, "the table of peers", fields, FIELD_NONE, arena, err);
	if (status != TD_OK)
		return status;
	if (t.rows.row_count > CQL_RING_NODES_MAX)
		return td_err_set(err, TD_TOOBIG, "the table of peers has %zu rows, more than %d",
			t.rows.row_count, CQL_RING_NODES_MAX);
	peers.hosts = td_arena_array(arena, t.rows.row_count + 1, sizeof(*peers.hosts));
	if (peers.hosts == NULL)
		return no_memory(err);
	status = read_peers(&t, need, local, arena, &peers, err);
	if (status == TD_OK)
		*ret_peers = peers;
	return status;
}

enum td_status cql_peers_read(const struct cql_result *result, const struct cql_local *local,
	struct td_arena *arena, struct cql_peers *ret_peers, struct td_err *err)
{
	return read_peers_result(result, NEED_ALL, local, arena, ret_peers, err);
}

/* ---- schema agreement ---- */

static bool is_down(const struct cql_host *host, const uint8_t (*down)[16], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (memcmp(host->host_id, down[i], sizeof(down[i])) == 0)
			return true;
	return false;
}

/* True where one of the first `count` has the same version. */
static bool is_met(const struct cql_host *hosts, size_t count, const struct cql_host *host)
{
	for (size_t i = 0; i < count; i++)
		if (memcmp(hosts[i].schema_version, host->schema_version,
			    sizeof(host->schema_version)) == 0)
			return true;
	return false;
}

/* Leaves one node of each version that counts, in the front of the hosts. */
static size_t keep_versions(struct cql_peers *peers, const uint8_t (*down)[16], size_t down_count)
{
	size_t kept = 0;
	for (size_t i = 0; i < peers->count; i++) {
		struct cql_host host = peers->hosts[i];
		if (!is_down(&host, down, down_count) && !is_met(peers->hosts, kept, &host))
			peers->hosts[kept++] = host;
	}
	return kept;
}

enum td_status cql_schema_versions_read(const struct cql_result *local,
	const struct cql_result *peers, const uint8_t (*down)[16], size_t down_count,
	struct td_arena *arena, struct cql_schema_versions *ret_versions, struct td_err *err)
{
	struct cql_local asked;
	struct cql_peers others;
	enum td_status status = cql_local_read(local, arena, &asked, err);
	if (status == TD_OK)
		status = read_peers_result(peers, NEED_VERSIONS, &asked, arena, &others, err);
	if (status != TD_OK)
		return status;
	size_t count = keep_versions(&others, down, down_count);
	bool has_own = asked.host.has_schema_version;
	bool is_other = has_own && !is_met(others.hosts, count, &asked.host);
	ret_versions->count = count + (is_other ? 1 : 0);
	ret_versions->agree = has_own && ret_versions->count == 1;
	return TD_OK;
}
