/* How keyspaces are replicated: the answer to
 *     SELECT keyspace_name, replication FROM system_schema.keyspaces
 * with or without a WHERE keyspace_name = … . Columns are found by name. Pure; hostile input. What
 * is given out lies in the caller's arena. */
#ifndef TD_CQL_PROTOCOL_KEYSPACES_H
#define TD_CQL_PROTOCOL_KEYSPACES_H

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "cql/protocol/result.h"
#include "cql/protocol/ring.h"

#include <stddef.h>

#define CQL_KEYSPACES_MOST 4096

struct cql_keyspace {
	struct td_slice name;
	struct cql_replication replication;
};

/* Of a name that comes twice both stay. TD_CORRUPT: damaged, a keyspace without a name, a column of
 * another type; TD_TOOBIG: more than CQL_KEYSPACES_MOST; TD_NOMEM: no memory, or over the arena's
 * limit. */
enum td_status cql_keyspaces_read(const struct cql_result *result, struct td_arena *arena,
	const struct cql_keyspace **ret_keyspaces, size_t *ret_count,
	struct td_err *err) TD_MUST_CHECK;

/* NULL: there is none of this name. */
const struct cql_keyspace *cql_keyspace_find(
	const struct cql_keyspace *keyspaces, size_t count, struct td_slice name);

#endif
