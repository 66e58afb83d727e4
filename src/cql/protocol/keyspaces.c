#include "cql/protocol/keyspaces.h"

#include "cql/protocol/table.h"

#define LABEL "system_schema.keyspaces"

enum field {
	FIELD_NAME,
	FIELD_REPLICATION,
};

static const struct cql_table_field fields[] = {
	[FIELD_NAME] = {"keyspace_name", CQL_TYPE_VARCHAR},
	[FIELD_REPLICATION] = {"replication", CQL_TYPE_MAP},
};

/* False: damaged. A keyspace without the column is one whose replication is not known. */
static bool read_replication(
	struct td_slice cell, struct td_arena *arena, struct cql_replication *r)
{
	struct cql_elements parts;
	struct td_slice name, value;
	if (cell.len == 0)
		return true;
	if (!cql_table_texts(cell, CQL_TYPE_MAP, &parts))
		return false;
	while (cql_elements_next(&parts, &name) && cql_elements_next(&parts, &value))
		cql_replication_put(r, td_arena_slice(arena, name), value);
	return !parts.r.failed;
}

static bool read_keyspace(
	const struct cql_table *t, struct td_arena *arena, struct cql_keyspace *keyspace)
{
	struct td_slice name = cql_table_cell(t, FIELD_NAME);
	if (name.len == 0)
		return false;
	*keyspace = (struct cql_keyspace){.replication = CQL_REPLICATION_INIT};
	keyspace->name = td_arena_slice(arena, name);
	return read_replication(
		cql_table_cell(t, FIELD_REPLICATION), arena, &keyspace->replication);
}

static enum td_status read_rows(struct cql_table *t, struct td_arena *arena,
	struct cql_keyspace *keyspaces, struct td_err *err)
{
	for (size_t i = 0; cql_table_next(t); i++)
		if (!read_keyspace(t, arena, &keyspaces[i]))
			return td_err_set(err, TD_CORRUPT,
				"a row of " LABEL " has no name or a damaged replication");
	if (arena->failed)
		return td_err_set(err, TD_NOMEM, "no memory for " LABEL);
	return cql_rows_check(&t->rows, err);
}

enum td_status cql_keyspaces_read(const struct cql_result *result, struct td_arena *arena,
	const struct cql_keyspace **ret_keyspaces, size_t *ret_count, struct td_err *err)
{
	struct cql_table t;
	enum td_status status = cql_table_open(
		&t, result, LABEL, fields, TD_ARRAY_LEN(fields), arena, err);
	if (status != TD_OK)
		return status;
	size_t count = t.rows.row_count;
	if (count > CQL_KEYSPACES_MOST)
		return td_err_set(err, TD_TOOBIG, "the server has %zu keyspaces, more than %d",
			count, CQL_KEYSPACES_MOST);
	struct cql_keyspace *keyspaces = td_arena_array(arena, count + 1, sizeof(*keyspaces));
	if (keyspaces == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for " LABEL);
	status = read_rows(&t, arena, keyspaces, err);
	if (status == TD_OK) {
		*ret_keyspaces = keyspaces;
		*ret_count = count;
	}
	return status;
}

const struct cql_keyspace *cql_keyspace_find(
	const struct cql_keyspace *keyspaces, size_t count, struct td_slice name)
{
	for (size_t i = 0; i < count; i++)
		if (td_slice_equal(keyspaces[i].name, name))
			return &keyspaces[i];
	return NULL;
}
