/* Rows of the server's own tables, whose columns are known by name and in any order: what
 * topology.c and keyspaces.c read through. All slices point into the message. Pure; hostile input.
 */
#ifndef TD_CQL_PROTOCOL_TABLE_H
#define TD_CQL_PROTOCOL_TABLE_H

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "cql/protocol/result.h"
#include "cql/protocol/type.h"
#include "cql/protocol/value.h"

#include <stdbool.h>
#include <stddef.h>

#define CQL_TABLE_FIELDS_MOST 16

/* A column that the reader knows. VARCHAR stands for every type of text, SET for one of texts, MAP
 * for one of texts to texts. */
struct cql_table_field {
	const char *name;
	enum cql_type_id type;
};

struct cql_table {
	struct cql_rows rows;
	struct td_slice *cells;               /* of the row; behind them one that is null */
	size_t places[CQL_TABLE_FIELDS_MOST]; /* of each field in `cells`: the null one where the
						 table has no such column */
};

/* Finds the `count` fields, up to CQL_TABLE_FIELDS_MOST, in the columns of `result`; `label` is
 * the table's name for errors. TD_CORRUPT: no rows with their columns, or a column of another type;
 * TD_NOMEM: no memory, or over the arena's limit. */
enum td_status cql_table_open(struct cql_table *t, const struct cql_result *result,
	const char *label, const struct cql_table_field *fields, size_t count,
	struct td_arena *arena, struct td_err *err) TD_MUST_CHECK;

/* True where the table has the column at all. */
bool cql_table_has(const struct cql_table *t, size_t field);

/* To the next row. False: there is none, or cql_rows_check() tells that the message ended. */
bool cql_table_next(struct cql_table *t) TD_MUST_CHECK;

/* Null too where the table has no such column. */
struct td_slice cql_table_cell(const struct cql_table *t, size_t field);

/* The parts of a SET or MAP of texts; false as cql_get_elements() says. */
bool cql_table_texts(struct td_slice cell, enum cql_type_id type, struct cql_elements *ret_parts);

#endif
