/* Reads content by partition, never by a scan: after a node's death a scan fails for seconds. No
 * moment holds several partitions together, so what is read is given out when two reads in a row
 * have said the same. Other clients write these tables too, so each row is looked at first. */
#include "store/cassandra/cas_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define BAD_ROWS_MOST    100
#define REQUEST_MS       10000
#define READS_MOST       100
#define TIME_MOST        INT64_C(253402300799999) /* the end of the year 9999 */
#define METADATA_COLUMNS 4
#define FEATURE_COLUMNS  9

/* All rows as they came: of each row its number of cells, of each cell its length (-1: null) and
 * its bytes. Two images with the same bytes are two reads that say the same. */
struct image {
	struct td_buf bytes;
	size_t metadata, features; /* rows, the features' behind all the metadata's */
};

static void put_length(struct td_buf *b, struct td_slice cell)
{
	int32_t length = cell.ptr != NULL ? (int32_t)cell.len : -1;
	td_buf_put(b, &length, sizeof(length));
}

static void put_row(struct td_buf *b, const struct td_slice *cells, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		put_length(b, cells[i]);
		td_buf_put_slice(b, cells[i]);
	}
}

static struct td_slice take_cell(struct td_slice *rest)
{
	int32_t length;
	memcpy(&length, rest->ptr, sizeof(length));
	*rest = td_slice_skip(*rest, sizeof(length));
	if (length < 0)
		return td_slice(NULL, 0);
	struct td_slice cell = td_slice(rest->ptr, (size_t)length);
	*rest = td_slice_skip(*rest, cell.len);
	return cell;
}

/* ---- asking the server */

struct reading {
	struct cas_store *store;
	struct cql_session *session;
	struct store_op *op;
	struct td_slice *slugs; /* the partitions, by their bytes */
	size_t slug_count;
};

static enum td_status run_read(struct reading *r, struct cas_call *call)
{
	unsigned left_ms = cas_time_left(r->store, r->op, REQUEST_MS);
	call->query.is_idempotent = true;
	return cas_call_run(call, r->store, r->session, left_ms, &r->op->err);
}

static enum td_status read_partition(struct reading *r, const char *statement, struct td_slice slug,
	size_t columns, struct td_buf *out, size_t *rows)
{
	struct cas_call call;
	struct td_slice cells[FEATURE_COLUMNS];
	cas_call_init(&call, r->store, statement, r->store->config.consistency);
	cas_bind_text(&call, slug);
	enum td_status status = run_read(r, &call);
	while (status == TD_OK && cas_call_row(&call, cells, columns)) {
		put_row(out, cells, columns);
		(*rows)++;
	}
	cas_call_done(&call);
	return status;
}

static enum td_status read_table(
	struct reading *r, const char *statement, size_t columns, struct td_buf *out, size_t *rows)
{
	enum td_status status = TD_OK;
	*rows = 0;
	for (size_t i = 0; i < r->slug_count && status == TD_OK; i++)
		status = read_partition(r, statement, r->slugs[i], columns, out, rows);
	return status;
}

static enum td_status read_image(struct reading *r, struct image *image)
{
	td_buf_reset(&image->bytes);
	enum td_status status = read_table(r,
		"SELECT package_slug, key, value, updated_at"
		" FROM %s.subscription_package_metadata WHERE package_slug = ?",
		METADATA_COLUMNS, &image->bytes, &image->metadata);
	if (status == TD_OK)
		status = read_table(r,
			"SELECT package_slug, feature_id, name, description, icon, category,"
			" included, display_order, updated_at"
			" FROM %s.subscription_features WHERE package_slug = ?",
			FEATURE_COLUMNS, &image->bytes, &image->features);
	if (status == TD_OK && image->bytes.failed)
		status = td_err_set(&r->op->err, TD_NOMEM, "no memory for the content");
	return status;
}

static bool is_same(const struct image *a, const struct image *b)
{
	return a->metadata == b->metadata && a->features == b->features &&
	       a->bytes.len == b->bytes.len &&
	       (a->bytes.len == 0 || memcmp(a->bytes.ptr, b->bytes.ptr, a->bytes.len) == 0);
}

/* Into images[0]. */
static enum td_status read_until_still(struct reading *r, struct image images[2])
{
	enum td_status status = read_image(r, &images[0]);
	for (unsigned tries = 0; status == TD_OK && tries < READS_MOST; tries++) {
		status = read_image(r, &images[1]);
		if (status == TD_OK && is_same(&images[0], &images[1]))
			return TD_OK;
		struct image last = images[1];
		images[1] = images[0];
		images[0] = last;
	}
	return status != TD_OK
		       ? status
		       : td_err_set(&r->op->err, TD_TIMEOUT, "the content changes all the time");
}

/* ---- which partitions there are, for who does not say */

static int by_bytes(const void *x, const void *y)
{
	const struct td_slice *a = x, *b = y;
	size_t shorter = a->len < b->len ? a->len : b->len;
	int order = shorter != 0 ? memcmp(a->ptr, b->ptr, shorter) : 0;
	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static enum td_status find_partitions(struct reading *r, const char *statement)
{
	struct cas_call call;
	struct td_slice cell;
	cas_call_init(&call, r->store, statement, r->store->config.consistency);
	enum td_status status = run_read(r, &call);
	size_t more = status == TD_OK ? call.response.answer.result.rows.row_count : 0;
	struct td_slice *slugs = td_arena_array(
		&r->op->arena, r->slug_count + more + 1, sizeof(*slugs));
	if (slugs != NULL && r->slug_count > 0)
		memcpy(slugs, r->slugs, r->slug_count * sizeof(*slugs));
	while (status == TD_OK && slugs != NULL && cas_call_row(&call, &cell, 1))
		slugs[r->slug_count++] = td_arena_slice(&r->op->arena, cell);
	cas_call_done(&call);
	r->slugs = slugs;
	if (status == TD_OK && r->op->arena.failed)
		return td_err_set(&r->op->err, TD_NOMEM, "no memory for the content");
	return status;
}

/* Each once, in the order of their bytes. */
static void sort_partitions(struct reading *r)
{
	size_t kept = 0;
	qsort(r->slugs, r->slug_count, sizeof(*r->slugs), by_bytes);
	for (size_t i = 0; i < r->slug_count; i++) {
		if (kept == 0 || by_bytes(&r->slugs[kept - 1], &r->slugs[i]) != 0)
			r->slugs[kept++] = r->slugs[i];
	}
	r->slug_count = kept;
}

static enum td_status settle_partitions(struct reading *r)
{
	const struct store_op *op = r->op;
	enum td_status status = TD_OK;
	if (op->in.slugs != NULL) {
		r->slugs = td_arena_array(&r->op->arena, op->in.slug_count + 1, sizeof(*r->slugs));
		if (r->slugs == NULL)
			return td_err_set(&r->op->err, TD_NOMEM, "no memory for the content");
		memcpy(r->slugs, op->in.slugs, op->in.slug_count * sizeof(*r->slugs));
		r->slug_count = op->in.slug_count;
	} else {
		status = find_partitions(
			r, "SELECT DISTINCT package_slug FROM %s.subscription_package_metadata");
		if (status == TD_OK)
			status = find_partitions(
				r, "SELECT DISTINCT package_slug FROM %s.subscription_features");
	}
	if (status == TD_OK)
		sort_partitions(r);
	return status;
}

/* ---- from cells to rows */

struct row {
	struct store_op *op;
	char why[128]; /* "" while nothing is wrong */
};

static void spoil(struct row *row, const char *column, const char *why)
{
	if (row->why[0] == '\0')
		(void)snprintf(row->why, sizeof(row->why), "%s %s", column, why);
}

/* An optional column that was not written is null here, and empty elsewhere. */
static struct td_slice take_text(
	struct row *row, struct td_slice *rest, const char *column, size_t most)
{
	struct td_slice cell = take_cell(rest);
	if (cell.len > most)
		spoil(row, column, "is too long");
	return td_arena_slice(&row->op->arena, cell.ptr != NULL ? cell : TD_SLICE(""));
}

static struct td_slice take_name(
	struct row *row, struct td_slice *rest, const char *column, size_t most)
{
	struct td_slice name = take_text(row, rest, column, most);
	if (name.len == 0)
		spoil(row, column, "is empty");
	return name;
}

static struct td_slice take_slug(struct row *row, struct td_slice *rest)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	struct td_slice slug = take_name(row, rest, "package_slug", 64);
	for (size_t i = 0; i < slug.len; i++) {
		if (slug.ptr[i] == '\0' || strchr(allowed, slug.ptr[i]) == NULL)
			spoil(row, "package_slug", "has characters that cannot be in a URL's path");
	}
	return slug;
}

static int64_t take_time(struct row *row, struct td_slice *rest)
{
	int64_t wall_ms = 0;
	struct td_slice cell = take_cell(rest);
	if (cell.ptr != NULL && !cql_get_timestamp(cell, &wall_ms))
		spoil(row, "updated_at", "is not a time");
	if (wall_ms < 0 || wall_ms > TIME_MOST)
		spoil(row, "updated_at", "is not within 1970 to 9999");
	return wall_ms;
}

static void take_metadata(struct row *row, struct td_slice *rest, void *out)
{
	struct store_metadata *m = out;
	m->package_slug = take_slug(row, rest);
	m->key = take_name(row, rest, "key", 800);
	struct td_slice value = take_cell(rest);
	if (value.ptr == NULL)
		spoil(row, "value", "is null");
	else if (value.len > 16000)
		spoil(row, "value", "is too long");
	m->value = td_arena_slice(&row->op->arena, value.ptr != NULL ? value : TD_SLICE(""));
	m->updated_at = take_time(row, rest);
}

static void take_feature(struct row *row, struct td_slice *rest, void *out)
{
	struct store_feature *f = out;
	f->package_slug = take_slug(row, rest);
	f->feature_id = take_name(row, rest, "feature_id", 256);
	f->name = take_name(row, rest, "name", 800);
	f->description = take_text(row, rest, "description", 16000);
	f->icon = take_text(row, rest, "icon", 256);
	f->category = take_text(row, rest, "category", 256);
	f->included = true;
	f->display_order = 0;
	(void)cql_get_boolean(take_cell(rest), &f->included);
	(void)cql_get_bigint(take_cell(rest), &f->display_order);
	f->updated_at = take_time(row, rest);
}

struct table {
	const char *name;
	size_t columns, row_size;
	void (*take)(struct row *row, struct td_slice *rest, void *out);
};

static const struct table metadata = {"subscription_package_metadata", METADATA_COLUMNS,
	sizeof(struct store_metadata), take_metadata};
static const struct table features = {
	"subscription_features", FEATURE_COLUMNS, sizeof(struct store_feature), take_feature};

static void note_bad_row(struct row *row, const struct table *table, struct td_slice cells)
{
	struct store_op *op = row->op;
	struct td_slice slug = take_cell(&cells), key = take_cell(&cells);
	if (op->out.bad_rows == NULL)
		op->out.bad_rows = td_arena_array(
			&op->arena, BAD_ROWS_MOST, sizeof(*op->out.bad_rows));
	if (op->out.bad_rows == NULL || op->out.bad_row_count == BAD_ROWS_MOST)
		return;
	const char *name = td_arena_printf(&op->arena, "%.*s/%.*s",
		slug.len > 64 ? 64 : (int)slug.len, slug.ptr, key.len > 64 ? 64 : (int)key.len,
		key.ptr);
	op->out.bad_rows[op->out.bad_row_count++] = (struct store_bad_row){
		.table = td_slice_str(table->name),
		.key = td_slice_str(name != NULL ? name : ""),
		.why = td_arena_slice(&op->arena, td_slice_str(row->why)),
	};
}

static void *take_rows(struct store_op *op, const struct table *table, struct td_slice *rest,
	size_t count, size_t *ret_count)
{
	char *rows = td_arena_array(&op->arena, count + 1, table->row_size);
	size_t good = 0;
	for (size_t i = 0; rows != NULL && i < count; i++) {
		struct row row = {.op = op};
		struct td_slice cells = *rest;
		table->take(&row, rest, rows + good * table->row_size);
		if (row.why[0] == '\0')
			good++;
		else
			note_bad_row(&row, table, cells);
	}
	*ret_count = good;
	return rows;
}

static int by_order(const void *x, const void *y)
{
	const struct store_feature *a = x, *b = y;
	int order = by_bytes(&a->package_slug, &b->package_slug);
	if (order == 0)
		order = (a->display_order > b->display_order) -
			(a->display_order < b->display_order);
	return order != 0 ? order : by_bytes(&a->feature_id, &b->feature_id);
}

static enum td_status give(struct store_op *op, const struct image *image)
{
	struct store_catalogue *c = &op->out.catalogue;
	struct td_slice rest = td_buf_slice(&image->bytes);
	op->out.bad_row_count = 0;
	c->metadata = take_rows(op, &metadata, &rest, image->metadata, &c->metadata_count);
	c->features = take_rows(op, &features, &rest, image->features, &c->feature_count);
	if (op->arena.failed)
		return td_err_set(&op->err, TD_NOMEM, "no memory for the content");
	qsort(c->features, c->feature_count, sizeof(*c->features), by_order);
	return TD_OK;
}

enum td_status cas_content_read(
	struct cas_store *s, struct cql_session *session, struct store_op *op)
{
	struct reading r = {.store = s, .session = session, .op = op};
	struct image images[2] = {{.bytes = TD_BUF_INIT}, {.bytes = TD_BUF_INIT}};
	enum td_status status = TD_OK;
	if ((op->in.parts & STORE_CONTENT) == 0)
		return TD_OK;
	status = settle_partitions(&r);
	if (status == TD_OK)
		status = read_until_still(&r, images);
	if (status == TD_OK)
		status = give(op, &images[0]);
	td_buf_done(&images[0].bytes);
	td_buf_done(&images[1].bytes);
	return status;
}
