/* Reads the catalogue. Other clients write these tables too, so each row is looked at before it is
 * given out. */
#include "store/postgres/pg_read.h"
#include "store/postgres/pg_sql.h"

#include "base/money.h"

#include <stdio.h>

#define BAD_ROWS_MOST 100

struct row {
	struct store_op *op;
	const PGresult *result;
	int number;
	char why[128]; /* "" while nothing is wrong */
};

static void spoil(struct row *row, int column, const char *why)
{
	if (row->why[0] == '\0')
		(void)snprintf(
			row->why, sizeof(row->why), "%s %s", PQfname(row->result, column), why);
}

static struct td_slice read_text(struct row *row, int column)
{
	if (PQgetisnull(row->result, row->number, column))
		spoil(row, column, "is NULL");
	return pg_text(row->result, row->number, column, &row->op->arena);
}

static struct td_slice read_name(struct row *row, int column)
{
	struct td_slice text = read_text(row, column);
	if (text.len == 0)
		spoil(row, column, "is empty");
	return text;
}

static int64_t read_number(struct row *row, int column, int64_t least, int64_t most)
{
	int64_t number = pg_int(row->result, row->number, column);
	if (number < least)
		spoil(row, column, least == 0 ? "is negative or not a number" : "is too small");
	else if (number > most)
		spoil(row, column, "is too large");
	return number;
}

/* 'infinity' and '-infinity' are times for PostgreSQL. */
static int64_t read_time(struct row *row, int column)
{
	if (!pg_is_time(row->result, row->number, column))
		spoil(row, column, "is not a time");
	return pg_time(row->result, row->number, column);
}

static struct td_slice read_slug(struct row *row, int column)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	struct td_slice slug = read_name(row, column);
	if (slug.len > 64)
		spoil(row, column, "is too long");
	else if (slug.ptr != NULL && strspn(slug.ptr, allowed) != slug.len)
		spoil(row, column, "has characters that cannot be in a URL's path");
	return slug;
}

static void read_package(struct row *row, void *out)
{
	struct store_package *p = out;
	*p = (struct store_package){
		.id = read_name(row, 0),
		.slug = read_slug(row, 1),
		.name = read_name(row, 2),
		.description = read_text(row, 3),
		.currency = read_text(row, 4),
		.price_monthly = read_number(row, 5, 0, TD_MONEY_MAX),
		.price_yearly = read_number(row, 6, 0, TD_MONEY_MAX),
		.rate_limit_per_hour = read_number(row, 7, 0, INT64_MAX),
		.rate_limit_per_day = read_number(row, 8, 0, INT64_MAX),
		.display_order = read_number(row, 9, INT64_MIN, INT64_MAX),
		.is_active = pg_bool(row->result, row->number, 10),
		.created_at = read_time(row, 11),
		.updated_at = read_time(row, 12),
	};
	if (!td_money_is_currency(p->currency))
		spoil(row, 4, "is not a currency with two decimal places");
}

static void read_metadata(struct row *row, void *out)
{
	struct store_metadata *m = out;
	*m = (struct store_metadata){
		.package_slug = read_slug(row, 0),
		.key = read_name(row, 1),
		.value = read_text(row, 2),
		.updated_at = read_time(row, 3),
	};
}

static void read_feature(struct row *row, void *out)
{
	struct store_feature *f = out;
	*f = (struct store_feature){
		.package_slug = read_slug(row, 0),
		.feature_id = read_name(row, 1),
		.name = read_name(row, 2),
		.description = read_text(row, 3),
		.icon = read_text(row, 4),
		.category = read_text(row, 5),
		.included = pg_bool(row->result, row->number, 6),
		.display_order = read_number(row, 7, INT64_MIN, INT64_MAX),
		.updated_at = read_time(row, 8),
	};
}

struct table {
	const char *name, *sql;
	size_t row_size;
	void (*read)(struct row *row, void *out);
	bool two_part_key; /* else the second column names the row */
};

#define CENTS(column) PG_SQL_CENTS(column) " AS " column

static const struct table packages = {"subscription_packages",
	"SELECT id, slug, name, description, currency, " CENTS("price_monthly") ", " CENTS(
		"price_yearly") ", rate_limit_per_hour, rate_limit_per_day, display_order, "
				"is_active, created_at, updated_at"
				" FROM subscription_packages ORDER BY display_order, slug COLLATE "
				"\"C\"",
	sizeof(struct store_package), read_package, false};
static const struct table metadata = {"subscription_package_metadata",
	"SELECT package_slug, key, value, updated_at FROM subscription_package_metadata"
	" ORDER BY package_slug COLLATE \"C\", key COLLATE \"C\"",
	sizeof(struct store_metadata), read_metadata, true};
static const struct table features = {"subscription_features",
	"SELECT package_slug, feature_id, name, description, icon, category, included, "
	"display_order, updated_at"
	" FROM subscription_features ORDER BY package_slug COLLATE \"C\", display_order, "
	"feature_id COLLATE \"C\"",
	sizeof(struct store_feature), read_feature, true};

static struct td_slice peek(const struct row *row, int column)
{
	return td_slice(PQgetvalue(row->result, row->number, column),
		(size_t)PQgetlength(row->result, row->number, column));
}

static void note_bad_row(struct row *row, const struct table *table)
{
	struct store_op *op = row->op;
	if (op->out.bad_rows == NULL)
		op->out.bad_rows = td_arena_array(
			&op->arena, BAD_ROWS_MOST, sizeof(*op->out.bad_rows));
	if (op->out.bad_rows == NULL || op->out.bad_row_count == BAD_ROWS_MOST)
		return;
	struct td_slice a = peek(row, table->two_part_key ? 0 : 1), b = peek(row, 1);
	char *key = table->two_part_key ? td_arena_printf(&op->arena, "%.64s/%.64s", a.ptr, b.ptr)
					: td_arena_printf(&op->arena, "%.64s", a.ptr);
	op->out.bad_rows[op->out.bad_row_count++] = (struct store_bad_row){
		.table = td_slice_str(table->name),
		.key = td_slice_str(key),
		.why = td_arena_slice(&op->arena, td_slice_str(row->why)),
	};
}

static enum td_status receive_table(struct pg_lane *l, const struct connect_limit *limit,
	struct store_op *op, const struct table *table, void **ret_rows, size_t *ret_count)
{
	PGresult *r = NULL;
	enum td_status status = pg_receive(l, limit, &r, &op->err);
	if (status != TD_OK)
		return status;
	int count = PQntuples(r);
	char *rows = td_arena_array(&op->arena, (size_t)count + 1, table->row_size);
	size_t good = 0;
	for (int i = 0; rows != NULL && i < count; i++) {
		struct row row = {.op = op, .result = r, .number = i};
		table->read(&row, rows + good * table->row_size);
		if (row.why[0] == '\0')
			good++;
		else
			note_bad_row(&row, table);
	}
	PQclear(r);
	*ret_rows = rows;
	*ret_count = good;
	return op->arena.failed ? td_err_set(&op->err, TD_NOMEM, "no memory for the catalogue")
				: TD_OK;
}

/* Both parts from one moment: a snapshot of its own, not one for each statement. */
enum td_status pg_catalogue_read(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	bool want_packages = (op->in.parts & STORE_PACKAGES) != 0,
	     want_content = (op->in.parts & STORE_CONTENT) != 0;
	struct store_catalogue *c = &op->out.catalogue;
	void *rows = NULL;
	op->out.bad_row_count = 0; /* of a first try */
	bool sent = pg_sql_send(l, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, 0);
	if (want_packages)
		sent = sent && pg_sql_send(l, packages.sql, NULL, 0);
	if (want_content)
		sent = sent && pg_sql_send(l, metadata.sql, NULL, 0) &&
		       pg_sql_send(l, features.sql, NULL, 0);
	if (!sent || !pg_sql_send(l, "COMMIT", NULL, 0) || !pg_sync(l, limit))
		return pg_sql_lost(&op->err);
	enum td_status status = pg_sql_receive_nothing(l, limit, &op->err);
	if (status == TD_OK && want_packages) {
		status = receive_table(l, limit, op, &packages, &rows, &c->package_count);
		c->packages = rows;
	}
	if (status == TD_OK && want_content) {
		status = receive_table(l, limit, op, &metadata, &rows, &c->metadata_count);
		c->metadata = rows;
	}
	if (status == TD_OK && want_content) {
		status = receive_table(l, limit, op, &features, &rows, &c->feature_count);
		c->features = rows;
	}
	enum td_status synced = pg_receive_sync(l, limit, status == TD_OK ? &op->err : NULL);
	status = status != TD_OK ? status : synced;
	if (status != TD_OK)
		pg_lane_drop(l); /* it may still be in the transaction that BEGIN began */
	return status;
}
