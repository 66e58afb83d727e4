/* RESULT: void, rows, a keyspace, a prepared statement, a changed schema
 * (native_protocol_v4.spec and v5.spec section 4.2.5). Read in place: all slices point into the
 * message and are valid while that is. Pure; hostile input; any thread. */
#ifndef TD_CQL_PROTOCOL_RESULT_H
#define TD_CQL_PROTOCOL_RESULT_H

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "cql/protocol/response.h"
#include "cql/protocol/type.h"
#include "cql/protocol/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows' or a statement's columns, walked to their end but not taken apart: cql_columns_read()
 * does that where somebody needs them. */
struct cql_metadata {
	size_t column_count;          /* cells of a row, values to bind; up to 65535 */
	bool has_columns;             /* false: NO_METADATA, as skip_metadata asked for */
	bool is_global;               /* one keyspace and table for all columns */
	struct td_slice paging_state; /* of the next page; NULL ptr: this was the last one */
	struct td_slice new_id;       /* version 5: the columns changed, and this is their id from
					 now on; NULL ptr: they did not */
	struct td_slice keyspace;     /* where is_global */
	struct td_slice table;        /* where is_global */
	struct td_slice columns;      /* where has_columns: what cql_columns_read() reads */
};

struct cql_column {
	struct td_slice keyspace;
	struct td_slice table;
	struct td_slice name;
	struct cql_type type;
};

/* metadata->column_count columns in the arena. TD_INVALID: there are none (has_columns is false).
 * TD_NOMEM: no memory, or over the arena's limit. The names point into the message. */
enum td_status cql_columns_read(const struct cql_metadata *metadata, struct td_arena *arena,
	struct cql_column **ret_columns, struct td_err *err) TD_MUST_CHECK;

struct cql_rows {
	struct cql_metadata metadata;
	size_t row_count;
	size_t given;        /* rows that cql_rows_next() gave */
	struct cql_reader r; /* the cells that follow; failed: they ended early */
};

/* The next row into `cells`, one [bytes] for each of metadata.column_count columns: a NULL ptr is
 * null. False: there was none, or the message ends within it: cql_rows_check() tells which. */
bool cql_rows_next(struct cql_rows *rows, struct td_slice *cells) TD_MUST_CHECK;

/* Behind the last row: TD_OK, or TD_CORRUPT where the message ended early. */
enum td_status cql_rows_check(const struct cql_rows *rows, struct td_err *err) TD_MUST_CHECK;

struct cql_prepared {
	struct td_slice id;          /* never empty */
	struct td_slice metadata_id; /* version 5, else empty: of `result`, for EXECUTE */
	struct cql_metadata binds;
	size_t pk_count;            /* how many binds make the partition key; 0: not known */
	struct td_slice pk_indexes; /* cql_prepared_pk() reads them */
	struct cql_metadata result; /* no columns for what gives no rows */
};

/* Which bind is the i-th part of the partition key, i < pk_count; below binds.column_count. */
size_t cql_prepared_pk(const struct cql_prepared *prepared, size_t i);

enum cql_result_kind {
	CQL_RESULT_VOID = 1,
	CQL_RESULT_ROWS = 2,
	CQL_RESULT_KEYSPACE = 3,
	CQL_RESULT_PREPARED = 4,
	CQL_RESULT_SCHEMA = 5,
};

/* `kind` says which one counts; the others are zero. */
struct cql_result {
	enum cql_result_kind kind;
	struct cql_rows rows;
	struct td_slice keyspace; /* that the connection uses now */
	struct cql_prepared prepared;
	struct cql_schema_change schema;
};

/* `message`: cql_body.message. `version`: of the connection. TD_CORRUPT: damaged, an unknown kind,
 * a count that the message cannot hold. */
enum td_status cql_result_read(struct td_slice message, unsigned version,
	struct cql_result *ret_result, struct td_err *err) TD_MUST_CHECK;

#endif
