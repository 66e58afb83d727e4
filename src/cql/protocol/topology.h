/* Which nodes a cluster has, as the node that is asked tells it: the answers to
 *     SELECT * FROM system.local WHERE key='local'
 *     SELECT * FROM system.peers_v2          (Cassandra 4.0 and later)
 *     SELECT * FROM system.peers             (all; without ports)
 * Columns are found by name, in any order; others are ignored.
 *
 * Pure; hostile input. What is given out lies in the caller's arena, nothing points into the
 * message; the memory grows with the message and stays within the arena's limit. Texts are as the
 * server sent them: any bytes. */
#ifndef TD_CQL_PROTOCOL_TOPOLOGY_H
#define TD_CQL_PROTOCOL_TOPOLOGY_H

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "cql/protocol/result.h"
#include "cql/protocol/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cql_host {
	uint8_t host_id[16]; /* where has_host_id; a node keeps it when its address changes */
	uint8_t schema_version[16]; /* where has_schema_version */
	bool has_host_id;
	bool has_schema_version;
	struct cql_inet address; /* for clients; len 0: not told (system.local only); port -1: that
				    of the contact point */
	struct td_slice dc;      /* NULL ptr: not told, here and below (system.local only, but for
				    release_version) */
	struct td_slice rack;
	struct td_slice release_version;
	const int64_t *tokens; /* of Murmur3Partitioner; another partitioner's are left out */
	size_t token_count;
};

struct cql_local {
	struct td_slice cluster_name; /* NULL ptr: not told */
	struct td_slice partitioner;  /* the server's class, "org.apache.cassandra.dht.…" */
	struct cql_host host; /* its address is what it tells others, perhaps not the one by which
				 it was reached */
};

/* TD_NOTFOUND: no row, the node is not ready; TD_CORRUPT: damaged, or a column of another type;
 * TD_TOOBIG: more than CQL_RING_TOKENS_MAX tokens; TD_NOMEM: no memory, or over the arena's
 * limit. */
enum td_status cql_local_read(const struct cql_result *result, struct td_arena *arena,
	struct cql_local *ret_local, struct td_err *err) TD_MUST_CHECK;

struct cql_peers {
	struct cql_host *hosts; /* each with a host_id of its own, an address, a dc, a rack and a
				   schema_version */
	size_t count;
	size_t skipped; /* rows without one of these, or with a damaged one: what a node that left
			   long ago leaves behind */
	const char *first_column;   /* of the first row that was skipped: what it lacks, "host_id";
				       static; NULL: none was */
	struct cql_inet first_peer; /* and what its column `peer` says; len 0: nothing */
};

/* Of rows with the same host_id the first counts, and none with that of `local` (or NULL).
 * TD_CORRUPT, TD_NOMEM as above; TD_TOOBIG: more than CQL_RING_NODES_MAX rows, or more than
 * CQL_RING_TOKENS_MAX tokens in all. */
enum td_status cql_peers_read(const struct cql_result *result, const struct cql_local *local,
	struct td_arena *arena, struct cql_peers *ret_peers, struct td_err *err) TD_MUST_CHECK;

struct cql_schema_versions {
	size_t count; /* different ones, among the nodes that count */
	bool agree;   /* there is one, and it is that of the node that was asked */
};

/* Schema agreement by the same tables, of which fewer columns will do: schema_version of
 * system.local; host_id and schema_version of the peers. Rows that cql_peers_read() would skip for
 * a column that was asked for, and the `down_count` nodes with the ids in `down`, do not count. The
 * arena is used for the work and may be reset right after. Fails as the two above. */
enum td_status cql_schema_versions_read(const struct cql_result *local,
	const struct cql_result *peers, const uint8_t (*down)[16], size_t down_count,
	struct td_arena *arena, struct cql_schema_versions *ret_versions,
	struct td_err *err) TD_MUST_CHECK;

#endif
