#include "cql/protocol/result.h"

#include "cql/protocol/frame.h"

/* Bits of metadata's flags. */
enum {
	META_GLOBAL = 0x01,
	META_HAS_MORE = 0x02,
	META_NONE = 0x04,
	META_CHANGED = 0x08,
};

#define COLUMN_LEAST 4 /* bytes of a column's description: a name's length and an [option] */
#define CELL_LEAST   4 /* bytes of a cell: its length */
#define COLUMNS_MOST \
	UINT16_MAX /* of a row or a statement; the protocol counts binds in a [short] */

/* What is left out of every column where the table is global. */
static void read_table(struct cql_reader *r, struct td_slice *keyspace, struct td_slice *table)
{
	*keyspace = cql_read_string(r);
	*table = cql_read_string(r);
}

static void skip_column(struct cql_reader *r, bool is_global)
{
	struct td_slice keyspace, table;
	if (!is_global)
		read_table(r, &keyspace, &table);
	(void)cql_read_string(r);
	cql_type_skip(r);
}

/* The columns behind the counts; their number is known to be small enough. */
static void walk_columns(struct cql_reader *r, struct cql_metadata *m)
{
	if (m->is_global)
		read_table(r, &m->keyspace, &m->table);
	struct td_slice rest = cql_reader_rest(r);
	for (size_t i = 0; i < m->column_count && !r->failed; i++)
		skip_column(r, m->is_global);
	m->columns = td_slice(rest.ptr, rest.len - r->left);
}

/* What both kinds of metadata begin with: the flags. */
static unsigned read_counts(struct cql_reader *r, struct cql_metadata *m)
{
	unsigned flags = (unsigned)cql_read_int(r);
	m->column_count = cql_read_size(r);
	m->is_global = (flags & META_GLOBAL) != 0;
	m->has_columns = (flags & META_NONE) == 0;
	if (m->column_count > COLUMNS_MOST ||
		(m->has_columns && m->column_count > r->left / COLUMN_LEAST))
		cql_reader_fail(r);
	return flags;
}

static void read_metadata(struct cql_reader *r, struct cql_metadata *m)
{
	unsigned flags = read_counts(r, m);
	if ((flags & META_HAS_MORE) != 0)
		m->paging_state = cql_read_bytes(r);
	if ((flags & META_CHANGED) != 0)
		m->new_id = cql_read_string(r);
	if (m->has_columns)
		walk_columns(r, m);
}

/* Of the values to bind: without pages, with the places of the partition key. */
static void read_binds(struct cql_reader *r, struct cql_prepared *p)
{
	(void)read_counts(r, &p->binds);
	p->pk_count = cql_read_size(r);
	if (p->pk_count > r->left / 2) {
		cql_reader_fail(r);
		return;
	}
	p->pk_indexes = cql_read_slice(r, p->pk_count * 2);
	for (size_t i = 0; i < p->pk_count; i++)
		if (cql_prepared_pk(p, i) >= p->binds.column_count)
			cql_reader_fail(r);
	if (p->binds.has_columns)
		walk_columns(r, &p->binds);
}

size_t cql_prepared_pk(const struct cql_prepared *prepared, size_t i)
{
	const uint8_t *p = (const uint8_t *)prepared->pk_indexes.ptr + 2 * i;
	return (size_t)p[0] << 8 | p[1];
}

static void read_prepared(struct cql_reader *r, unsigned version, struct cql_prepared *p)
{
	p->id = cql_read_string(r);
	if (p->id.len == 0)
		cql_reader_fail(r);
	if (version >= CQL_V5)
		p->metadata_id = cql_read_string(r);
	read_binds(r, p);
	read_metadata(r, &p->result);
}

static void read_rows(struct cql_reader *r, struct cql_rows *rows)
{
	read_metadata(r, &rows->metadata);
	rows->row_count = cql_read_size(r);
	/* A row without cells would let any number of rows fit into nothing. */
	size_t columns = rows->metadata.column_count;
	if (rows->row_count > 0 &&
		(columns == 0 || rows->row_count > r->left / CELL_LEAST / columns))
		cql_reader_fail(r);
	rows->r = *r;
}

enum td_status cql_result_read(struct td_slice message, unsigned version,
	struct cql_result *ret_result, struct td_err *err)
{
	struct cql_reader r = cql_reader(message);
	struct cql_result result = {.kind = (enum cql_result_kind)cql_read_int(&r)};
	switch ((int)result.kind) {
	case CQL_RESULT_VOID:
		break;
	case CQL_RESULT_ROWS:
		read_rows(&r, &result.rows);
		break;
	case CQL_RESULT_KEYSPACE:
		result.keyspace = cql_read_string(&r);
		break;
	case CQL_RESULT_PREPARED:
		read_prepared(&r, version, &result.prepared);
		break;
	case CQL_RESULT_SCHEMA:
		result.schema = cql_schema_change_read(&r);
		break;
	default:
		cql_reader_fail(&r);
		break;
	}
	enum td_status status = cql_reader_check(&r, "RESULT", err);
	if (status == TD_OK)
		*ret_result = result;
	return status;
}

bool cql_rows_next(struct cql_rows *rows, struct td_slice *cells)
{
	if (rows->given == rows->row_count || rows->r.failed)
		return false;
	for (size_t i = 0; i < rows->metadata.column_count; i++)
		cells[i] = cql_read_bytes(&rows->r);
	if (rows->r.failed)
		return false;
	rows->given++;
	return true;
}

enum td_status cql_rows_check(const struct cql_rows *rows, struct td_err *err)
{
	return cql_reader_check(&rows->r, "a row of a RESULT", err);
}

enum td_status cql_columns_read(const struct cql_metadata *metadata, struct td_arena *arena,
	struct cql_column **ret_columns, struct td_err *err)
{
	if (!metadata->has_columns)
		return td_err_set(err, TD_INVALID,
			"a RESULT came without its columns: those of PREPARE hold");
	size_t count = metadata->column_count;
	struct cql_reader r = cql_reader(metadata->columns);
	struct cql_column *columns = td_arena_array(arena, count > 0 ? count : 1, sizeof(*columns));
	bool good = columns != NULL;
	for (size_t i = 0; good && i < count; i++) {
		struct cql_column *c = &columns[i];
		c->keyspace = metadata->keyspace;
		c->table = metadata->table;
		if (!metadata->is_global)
			read_table(&r, &c->keyspace, &c->table);
		c->name = cql_read_string(&r);
		good = cql_type_read(&r, arena, &c->type);
	}
	if (!good)
		return td_err_set(err, TD_NOMEM, "no memory for %zu columns of a RESULT", count);
	*ret_columns = columns;
	return TD_OK;
}
