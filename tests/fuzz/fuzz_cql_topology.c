/* The tables by which a server tells of its cluster: the first byte chooses system.local, the
 * peers, both for schema agreement, or the keyspaces. The rest is the body of a RESULT; for schema
 * agreement two of them, the first one's length before it. */
#include "fuzz.h"

#include "cql/protocol/frame.h"
#include "cql/protocol/keyspaces.h"
#include "cql/protocol/topology.h"

#include <string.h>

#define ARENA_MOST (4u << 20)

static void check_text(struct td_slice text, struct td_slice message)
{
	FUZZ_CLAIM(text.ptr == NULL || text.len <= message.len);
	FUZZ_CLAIM(text.len == 0 || !fuzz_is_within(text, message));
}

static void check_host(const struct cql_host *h, struct td_slice message)
{
	FUZZ_CLAIM(h->address.len == 0 || h->address.len == 4 || h->address.len == 16);
	FUZZ_CLAIM(h->address.port == -1 || (h->address.port >= 1 && h->address.port <= 65535));
	FUZZ_CLAIM(h->token_count <= message.len / 5);
	check_text(h->dc, message);
	check_text(h->rack, message);
	check_text(h->release_version, message);
	for (size_t i = 0; i < h->token_count; i++)
		FUZZ_CLAIM(h->tokens[i] <= INT64_MAX);
}

static enum td_status check_local(const struct cql_result *result, struct td_arena *arena,
	struct td_slice message, struct td_err *err)
{
	struct cql_local local;
	enum td_status status = cql_local_read(result, arena, &local, err);
	if (status != TD_OK)
		return status;
	check_host(&local.host, message);
	check_text(local.cluster_name, message);
	check_text(local.partitioner, message);
	return status;
}

static enum td_status check_peers(const struct cql_result *result, struct td_arena *arena,
	struct td_slice message, struct td_err *err)
{
	static const struct cql_local local = {.host = {.has_host_id = true}};
	struct cql_peers peers;
	enum td_status status = cql_peers_read(result, &local, arena, &peers, err);
	if (status != TD_OK)
		return status;
	FUZZ_CLAIM(peers.count + peers.skipped <= result->rows.row_count);
	FUZZ_CLAIM((peers.skipped > 0) == (peers.first_column != NULL));
	for (size_t i = 0; i < peers.count; i++) {
		const struct cql_host *h = &peers.hosts[i];
		check_host(h, message);
		FUZZ_CLAIM(h->address.len != 0 && h->has_host_id && h->has_schema_version);
		FUZZ_CLAIM(h->dc.len > 0 && h->rack.len > 0);
		FUZZ_CLAIM(memcmp(h->host_id, local.host.host_id, 16) != 0);
		for (size_t j = 0; j < i; j++)
			FUZZ_CLAIM(memcmp(h->host_id, peers.hosts[j].host_id, 16) != 0);
	}
	return status;
}

static enum td_status check_keyspaces(const struct cql_result *result, struct td_arena *arena,
	struct td_slice message, struct td_err *err)
{
	const struct cql_keyspace *keyspaces = NULL;
	size_t count = 0;
	enum td_status status = cql_keyspaces_read(result, arena, &keyspaces, &count, err);
	if (status != TD_OK)
		return status;
	FUZZ_CLAIM(count == result->rows.row_count);
	for (size_t i = 0; i < count; i++) {
		const struct cql_replication *r = &keyspaces[i].replication;
		check_text(keyspaces[i].name, message);
		FUZZ_CLAIM(cql_keyspace_find(keyspaces, count, keyspaces[i].name) != NULL);
		FUZZ_CLAIM(r->dc_count <= CQL_RING_DCS_MAX);
		for (size_t d = 0; d < r->dc_count; d++)
			check_text(r->dcs[d].name, message);
	}
	FUZZ_CLAIM(cql_keyspace_find(keyspaces, count, TD_SLICE("")) == NULL);
	return status;
}

static enum td_status check_versions(const struct cql_result *result, struct td_arena *arena,
	struct td_slice second, struct td_err *err)
{
	static const uint8_t down[1][16] = {{[15] = 1}};
	struct cql_result peers;
	struct cql_schema_versions versions;
	enum td_status status = cql_result_read(second, CQL_V4, &peers, err);
	if (status == TD_OK)
		status = cql_schema_versions_read(result, &peers, down, 1, arena, &versions, err);
	if (status == TD_OK)
		FUZZ_CLAIM(!versions.agree || versions.count == 1);
	return status;
}

/* Cuts the first of two messages off, which has its length before it. */
static struct td_slice cut_first(struct td_slice *rest)
{
	struct cql_reader r = cql_reader(*rest);
	size_t len = cql_read_short(&r);
	struct td_slice first = cql_read_slice(&r, len < r.left ? len : r.left);
	*rest = cql_reader_rest(&r);
	return first;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t way = fuzz_choose(&data, &size, 4);
	struct td_slice rest = fuzz_slice(data, size);
	struct td_slice message = way == 3 ? cut_first(&rest) : rest;
	struct td_arena arena = {.limit = ARENA_MOST};
	struct td_err err = TD_ERR_INIT;
	struct cql_result result;
	enum td_status status = cql_result_read(message, CQL_V4, &result, &err);
	if (status == TD_OK && way == 0)
		status = check_local(&result, &arena, message, &err);
	else if (status == TD_OK && way == 1)
		status = check_peers(&result, &arena, message, &err);
	else if (status == TD_OK && way == 2)
		status = check_keyspaces(&result, &arena, message, &err);
	else if (status == TD_OK)
		status = check_versions(&result, &arena, rest, &err);
	FUZZ_CLAIM(status == TD_OK || status == TD_CORRUPT || status == TD_TOOBIG ||
		   status == TD_NOMEM || (status == TD_NOTFOUND && (way == 0 || way == 3)));
	FUZZ_CLAIM(status == TD_OK || err.text[0] != '\0');
	FUZZ_CLAIM(arena.total <= ARENA_MOST);
	td_arena_done(&arena);
	return 0;
}
