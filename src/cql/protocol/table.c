#include "cql/protocol/table.h"

#include <string.h>

static const struct cql_type text = {.id = CQL_TYPE_VARCHAR};
static const struct cql_type pair_of_texts[] = {{.id = CQL_TYPE_VARCHAR}, {.id = CQL_TYPE_VARCHAR}};
static const struct cql_type set_of_texts = {.id = CQL_TYPE_SET, .params = &text, .param_count = 1};
static const struct cql_type map_of_texts = {
	.id = CQL_TYPE_MAP, .params = pair_of_texts, .param_count = 2};

static bool is_text(const struct cql_type *type)
{
	return type->id == CQL_TYPE_VARCHAR || type->id == CQL_TYPE_TEXT ||
	       type->id == CQL_TYPE_ASCII;
}

static bool is_type(const struct cql_type *type, enum cql_type_id wanted)
{
	if (wanted == CQL_TYPE_VARCHAR)
		return is_text(type);
	if (type->id != wanted)
		return false;
	for (size_t i = 0; i < type->param_count; i++)
		if (!is_text(&type->params[i]))
			return false;
	return true;
}

/* Where the column stands; the column_count where there is none of this name. */
static size_t find_column(const struct cql_column *columns, size_t count, const char *name)
{
	size_t i = 0;
	while (i < count && !td_slice_is(columns[i].name, name))
		i++;
	return i;
}

static enum td_status place_fields(struct cql_table *t, const struct cql_column *columns,
	const char *label, const struct cql_table_field *fields, size_t count, struct td_err *err)
{
	size_t column_count = t->rows.metadata.column_count;
	for (size_t i = 0; i < count; i++) {
		size_t at = find_column(columns, column_count, fields[i].name);
		t->places[i] = at;
		if (at < column_count && !is_type(&columns[at].type, fields[i].type))
			return td_err_set(err, TD_CORRUPT, "%s has a column %s of the type %s",
				label, fields[i].name, cql_type_name(columns[at].type.id));
	}
	return TD_OK;
}

enum td_status cql_table_open(struct cql_table *t, const struct cql_result *result,
	const char *label, const struct cql_table_field *fields, size_t count,
	struct td_arena *arena, struct td_err *err)
{
	struct cql_column *columns = NULL;
	if (result->kind != CQL_RESULT_ROWS || !result->rows.metadata.has_columns)
		return td_err_set(err, TD_CORRUPT,
			"the server answered without rows when asked for %s", label);
	*t = (struct cql_table){.rows = result->rows};
	enum td_status status = cql_columns_read(&t->rows.metadata, arena, &columns, err);
	if (status != TD_OK)
		return status;
	t->cells = td_arena_array(arena, t->rows.metadata.column_count + 1, sizeof(*t->cells));
	if (t->cells == NULL)
		return td_err_set(err, TD_NOMEM, "no memory to read %s", label);
	return place_fields(t, columns, label, fields, count, err);
}

bool cql_table_has(const struct cql_table *t, size_t field)
{
	return t->places[field] < t->rows.metadata.column_count;
}

bool cql_table_next(struct cql_table *t)
{
	return cql_rows_next(&t->rows, t->cells);
}

struct td_slice cql_table_cell(const struct cql_table *t, size_t field)
{
	return t->cells[t->places[field]];
}

bool cql_table_texts(struct td_slice cell, enum cql_type_id type, struct cql_elements *ret_parts)
{
	return cql_get_elements(
		type == CQL_TYPE_MAP ? &map_of_texts : &set_of_texts, cell, ret_parts);
}
