/* What is known of a prepared statement, and how a node gets to know it. All nodes give the same
 * statement the same id, so one that has it once is used at every node: who does not know it says
 * so, and is told. On the loop, but for creating and freeing. */
#ifndef TD_CQL_CLIENT_STATEMENT_H
#define TD_CQL_CLIENT_STATEMENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "cql/client/conn.h"
#include "cql/client/session.h"
#include "cql/protocol/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Shared by the statement and the requests under way that were sent with them: an answer without
 * columns has those of its request, whatever the statement has learned since. */
struct cql_columns {
	unsigned holders;
	struct td_arena arena;
	struct cql_metadata metadata; /* what `columns` was read from; its bytes lie in the arena */
	struct cql_column *columns;
	size_t count;
};

struct cql_prepare; /* a PREPARE under way */

struct cql_statement {
	struct cql_session *session;
	struct td_slice text; /* owned, with a NUL behind it */
	struct cql_task free_task;

	/* Zero until a node has answered. */
	struct td_arena arena;
	bool is_known;
	struct td_slice id;
	struct td_slice keyspace; /* of its table; empty: not known */
	uint16_t *pk;             /* which values make the partition key, in its order */
	size_t pk_count;          /* 0: it cannot be routed */

	struct td_buf metadata_id;   /* protocol 5: of `columns`; empty: not known */
	struct cql_columns *columns; /* of its rows; NULL: not known */

	struct cql_prepare *prepares;
};

/* Who waits for a PREPARE: stands in its owner. */
struct cql_prepare_wait {
	/* The answer of PREPARE as a connection gives it: TD_OK with RESULT: it is known now.
	 * `corrupt`: the answer could not be taken in; else NULL. */
	void (*prepared)(struct cql_prepare_wait *wait, const struct cql_reply *reply,
		const struct td_err *corrupt);
	struct cql_prepare_wait *next;
	struct cql_prepare *prepare;
};

/* True where EXECUTE can be written for the connection. */
bool cql_statement_is_known(const struct cql_statement *statement, enum cql_version version);

/* One more holder, or one less: the last one frees them. NULL is fine. */
struct cql_columns *cql_columns_hold(struct cql_columns *columns);
void cql_columns_drop(struct cql_columns *columns);

/* Asks `conn` to prepare it, or waits for whoever does already. wait->prepared comes on a later
 * turn, unless cql_prepare_cancel() comes first. `deadline_ms`: of a PREPARE that begins now.
 * TD_OK, or as cql_conn_send(). */
enum td_status cql_statement_prepare(struct cql_statement *statement, struct cql_conn *conn,
	struct cql_prepare_wait *wait, uint64_t deadline_ms, struct td_err *err) TD_MUST_CHECK;
void cql_prepare_cancel(struct cql_prepare_wait *wait);

/* Protocol 5: an answer came with other columns. TD_OK, TD_CORRUPT, TD_NOMEM. */
enum td_status cql_statement_take_columns(
	struct cql_statement *statement, const struct cql_metadata *columns, struct td_err *err);

/* A copy in the arena. TD_OK, TD_NOMEM. */
enum td_status cql_columns_copy(const struct cql_columns *columns, struct td_arena *arena,
	const struct cql_column **ret_columns) TD_MUST_CHECK;

/* The token of the partition that the values belong to. False: it cannot be told. */
bool cql_statement_token(const struct cql_statement *statement, const struct cql_values *values,
	struct td_buf *scratch, int64_t *ret_token);

/* Frees it at once; nothing uses it. */
void cql_statement_destroy(struct cql_statement *statement);

#endif
