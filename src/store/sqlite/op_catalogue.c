/* Writing and reading the catalogue. Other clients write these tables too, so each row that is read
 * is looked at before it is given out. */
#include "store/sqlite/ops.h"
#include "store/sqlite/row.h"

#include "base/money.h"
#include "base/utf8.h"
#include "base/uuid.h"

#include <limits.h>
#include <stdio.h>

/* ---- reading */

/* A path's segment: the characters that RFC 3986 calls unreserved. */
static struct td_slice read_slug(struct sqlite_row *row, int column)
{
	struct td_slice slug = sqlite_row_name(row, column);
	if (slug.len > 64)
		sqlite_row_spoil(row, column, "is too long");
	for (size_t i = 0; i < slug.len; i++) {
		char c = slug.ptr[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    (c != '\0' && strchr("-._~", c) != NULL)))
			sqlite_row_spoil(
				row, column, "has characters that cannot be in a URL's path");
	}
	return slug;
}

static void read_package(struct sqlite_row *row, void *out)
{
	struct store_package *p = out;
	*p = (struct store_package){
		.id = sqlite_row_name(row, 0),
		.slug = read_slug(row, 1),
		.name = sqlite_row_name(row, 2),
		.description = sqlite_row_text(row, 3),
		.currency = sqlite_row_currency(row, 4),
		.price_monthly = sqlite_row_number(row, 5, 0, TD_MONEY_MAX),
		.price_yearly = sqlite_row_number(row, 6, 0, TD_MONEY_MAX),
		.rate_limit_per_hour = sqlite_row_number(row, 7, 0, INT64_MAX),
		.rate_limit_per_day = sqlite_row_number(row, 8, 0, INT64_MAX),
		.display_order = sqlite_row_number(row, 9, INT64_MIN, INT64_MAX),
		.is_active = sqlite_row_number(row, 10, 0, 1) != 0,
		.created_at = sqlite_row_time(row, 11),
		.updated_at = sqlite_row_time(row, 12),
	};
}

static void read_metadata(struct sqlite_row *row, void *out)
{
	struct store_metadata *m = out;
	*m = (struct store_metadata){
		.package_slug = read_slug(row, 0),
		.key = sqlite_row_name(row, 1),
		.value = sqlite_row_text(row, 2),
		.updated_at = sqlite_row_time(row, 3),
	};
}

static void read_feature(struct sqlite_row *row, void *out)
{
	struct store_feature *f = out;
	*f = (struct store_feature){
		.package_slug = read_slug(row, 0),
		.feature_id = sqlite_row_name(row, 1),
		.name = sqlite_row_name(row, 2),
		.description = sqlite_row_text(row, 3),
		.icon = sqlite_row_text(row, 4),
		.category = sqlite_row_text(row, 5),
		.included = sqlite_row_number(row, 6, 0, 1) != 0,
		.display_order = sqlite_row_number(row, 7, INT64_MIN, INT64_MAX),
		.updated_at = sqlite_row_time(row, 8),
	};
}

/* How to read a table. */
struct table {
	const char *name;
	enum sqlite_query count, list;
	size_t row_size;
	void (*read)(struct sqlite_row *row, void *out);
	bool two_part_key; /* else the second column names the row */
};

static const struct table packages = {"subscription_packages", SQLITE_QUERY(PACKAGE_COUNT),
	SQLITE_QUERY(PACKAGE_LIST), sizeof(struct store_package), read_package, false};
static const struct table metadata = {"subscription_package_metadata", SQLITE_QUERY(METADATA_COUNT),
	SQLITE_QUERY(METADATA_LIST), sizeof(struct store_metadata), read_metadata, true};
static const struct table features = {"subscription_features", SQLITE_QUERY(FEATURE_COUNT),
	SQLITE_QUERY(FEATURE_LIST), sizeof(struct store_feature), read_feature, true};

/* Good rows into rows[0..), from the statement's result. */
static enum td_status read_rows(struct sqlite_conn *conn, struct store_op *op,
	const struct table *table, char *rows, size_t room, size_t *ret_count)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, table->list, &op->err);
	size_t count = 0, seen = 0;
	if (stmt == NULL)
		return op->err.code;
	int rc = SQLITE_DONE;
	while (seen < room && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct sqlite_row row = {op, stmt, table->name, ""};
		seen++;
		table->read(&row, rows + count * table->row_size);
		if (row.why[0] == '\0')
			count++;
		else
			sqlite_row_note(&row, table->two_part_key);
	}
	enum td_status status = TD_OK;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		status = sqlite_conn_fail(conn, rc, &op->err);
	else if (op->arena.failed)
		status = td_err_set(&op->err, TD_NOMEM, "no memory for the catalogue");
	(void)sqlite3_reset(stmt);
	*ret_count = count;
	return status;
}

/* The transaction makes the count and the rows those of one moment. */
static enum td_status read_table(struct sqlite_conn *conn, struct store_op *op,
	const struct table *table, void **ret_rows, size_t *ret_count)
{
	int64_t room = 0;
	enum td_status status = sqlite_conn_number(conn, table->count, &room, &op->err);
	if (status != TD_OK)
		return status;
	char *rows = td_arena_array(&op->arena, (size_t)room + 1, table->row_size);
	if (rows == NULL)
		return td_err_set(&op->err, TD_NOMEM, "no memory for the catalogue");
	*ret_rows = rows;
	return read_rows(conn, op, table, rows, (size_t)room, ret_count);
}

enum td_status sqlite_op_catalogue_read(struct sqlite_conn *conn, struct store_op *op)
{
	struct store_catalogue *c = &op->out.catalogue;
	enum td_status status = TD_OK;
	void *rows = NULL;
	if ((op->in.parts & STORE_PACKAGES) != 0) {
		status = read_table(conn, op, &packages, &rows, &c->package_count);
		c->packages = rows;
	}
	if (status == TD_OK && (op->in.parts & STORE_CONTENT) != 0) {
		status = read_table(conn, op, &metadata, &rows, &c->metadata_count);
		c->metadata = rows;
	}
	if (status == TD_OK && (op->in.parts & STORE_CONTENT) != 0) {
		status = read_table(conn, op, &features, &rows, &c->feature_count);
		c->features = rows;
	}
	return status;
}

/* ---- writing */

static int64_t or_now(int64_t ms, const struct store_op *op)
{
	return ms != 0 ? ms : op->now_ms;
}

static enum td_status put_package(
	struct sqlite_conn *conn, struct store_op *op, const struct store_package *p)
{
	char id[TD_UUID_TEXT_SIZE];
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(PACKAGE_PUT), &op->err);
	if (stmt == NULL)
		return op->err.code;
	if (p->id.len == 0)
		td_uuid_v7(op->now_ms, id);
	sqlite_bind_slice(stmt, 1, p->id.len != 0 ? p->id : td_slice_str(id));
	sqlite_bind_slice(stmt, 2, p->slug);
	sqlite_bind_slice(stmt, 3, p->name);
	sqlite_bind_slice(stmt, 4, p->description);
	sqlite_bind_slice(stmt, 5, p->currency);
	sqlite_bind_number(stmt, 6, p->price_monthly);
	sqlite_bind_number(stmt, 7, p->price_yearly);
	sqlite_bind_number(stmt, 8, p->rate_limit_per_hour);
	sqlite_bind_number(stmt, 9, p->rate_limit_per_day);
	sqlite_bind_number(stmt, 10, p->display_order);
	sqlite_bind_number(stmt, 11, p->is_active);
	sqlite_bind_number(stmt, 12, or_now(p->created_at, op));
	sqlite_bind_number(stmt, 13, or_now(p->updated_at, op));
	return sqlite_conn_finish(conn, stmt, &op->err);
}

static enum td_status put_metadata(
	struct sqlite_conn *conn, struct store_op *op, const struct store_metadata *m)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(METADATA_PUT), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, m->package_slug);
	sqlite_bind_slice(stmt, 2, m->key);
	sqlite_bind_slice(stmt, 3, m->value);
	sqlite_bind_number(stmt, 4, or_now(m->updated_at, op));
	return sqlite_conn_finish(conn, stmt, &op->err);
}

static enum td_status put_feature(
	struct sqlite_conn *conn, struct store_op *op, const struct store_feature *f)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, SQLITE_QUERY(FEATURE_PUT), &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, f->package_slug);
	sqlite_bind_slice(stmt, 2, f->feature_id);
	sqlite_bind_slice(stmt, 3, f->name);
	sqlite_bind_slice(stmt, 4, f->description);
	sqlite_bind_slice(stmt, 5, f->icon);
	sqlite_bind_slice(stmt, 6, f->category);
	sqlite_bind_number(stmt, 7, f->included);
	sqlite_bind_number(stmt, 8, f->display_order);
	sqlite_bind_number(stmt, 9, or_now(f->updated_at, op));
	return sqlite_conn_finish(conn, stmt, &op->err);
}

static enum td_status delete_row(struct sqlite_conn *conn, struct store_op *op,
	enum sqlite_query query, struct td_slice package_slug, struct td_slice key)
{
	sqlite3_stmt *stmt = sqlite_conn_stmt(conn, query, &op->err);
	if (stmt == NULL)
		return op->err.code;
	sqlite_bind_slice(stmt, 1, package_slug);
	sqlite_bind_slice(stmt, 2, key);
	return sqlite_conn_finish(conn, stmt, &op->err);
}

/* Nothing but the three tables counts: a package that another client has put in is kept. */
static enum td_status count_existing(struct sqlite_conn *conn, struct store_op *op)
{
	int64_t package_count = 0, metadata_count = 0, feature_count = 0;
	enum td_status status = sqlite_conn_number(
		conn, SQLITE_QUERY(PACKAGE_COUNT), &package_count, &op->err);
	if (status == TD_OK)
		status = sqlite_conn_number(
			conn, SQLITE_QUERY(METADATA_COUNT), &metadata_count, &op->err);
	if (status == TD_OK)
		status = sqlite_conn_number(
			conn, SQLITE_QUERY(FEATURE_COUNT), &feature_count, &op->err);
	op->out.existing = (size_t)package_count;
	if (status == TD_OK && (package_count | metadata_count | feature_count) != 0)
		return TD_EXISTS;
	return status;
}

enum td_status sqlite_op_catalogue_populate(struct sqlite_conn *conn, struct store_op *op)
{
	const struct store_catalogue *c = op->in.catalogue;
	enum td_status status = count_existing(conn, op);
	for (size_t i = 0; status == TD_OK && i < c->package_count; i++)
		status = put_package(conn, op, &c->packages[i]);
	for (size_t i = 0; status == TD_OK && i < c->metadata_count; i++)
		status = put_metadata(conn, op, &c->metadata[i]);
	for (size_t i = 0; status == TD_OK && i < c->feature_count; i++)
		status = put_feature(conn, op, &c->features[i]);
	return status;
}

static enum td_status apply_change(
	struct sqlite_conn *conn, struct store_op *op, const struct store_change *change)
{
	switch (change->kind) {
	case STORE_PUT_PACKAGE:
		return put_package(conn, op, &change->package);
	case STORE_PUT_METADATA:
		return put_metadata(conn, op, &change->metadata);
	case STORE_PUT_FEATURE:
		return put_feature(conn, op, &change->feature);
	case STORE_DELETE_METADATA:
		return delete_row(conn, op, SQLITE_QUERY(METADATA_DELETE),
			change->metadata.package_slug, change->metadata.key);
	case STORE_DELETE_FEATURE:
		return delete_row(conn, op, SQLITE_QUERY(FEATURE_DELETE),
			change->feature.package_slug, change->feature.feature_id);
	}
	return td_err_set(&op->err, TD_INTERNAL, "a change of unknown kind");
}

enum td_status sqlite_op_catalogue_apply(struct sqlite_conn *conn, struct store_op *op)
{
	enum td_status status = TD_OK;
	for (size_t i = 0; status == TD_OK && i < op->in.change_count; i++)
		status = apply_change(conn, op, &op->in.changes[i]);
	return status;
}
