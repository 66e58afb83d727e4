/* Operations that come seldom: the catalogue's and those on keys, one at a time, each in a
 * transaction of its own. Other clients write these tables too, so each row that is read is looked
 * at before it is given out. */
#include "store/postgres/pg_store_internal.h"

#include "base/money.h"
#include "base/uuid.h"

#include <stdio.h>

#define BAD_ROWS_MOST   100
#define CHANGES_AT_ONCE 64

/* Any number of our own that the migration's lock is not. */
#define POPULATE_LOCK_KEY "7310293847561029386"

/* ---- statements
 * ------------------------------------------------------------------------------------------ */

/* Unnamed, in pipeline mode, parameters as text (NULL: null), results binary. */
static bool send_sql(struct pg_lane *l, const char *sql, const char *const *params, int count)
{
	return PQsendQueryParams(
		       l->conn, sql, count, NULL, params, NULL, NULL, /* resultFormat= */ 1) == 1;
}

static enum td_status lost(struct td_err *err)
{
	return td_err_set(err, TD_UNAVAILABLE, "the connection to PostgreSQL was lost");
}

/* A statement whose result does not matter. */
static enum td_status receive_nothing(
	struct pg_lane *l, const struct connect_limit *limit, struct td_err *err)
{
	PGresult *r = NULL;
	enum td_status status = pg_receive(l, limit, &r, err);
	PQclear(r);
	return status;
}

/* One statement in a transaction of its own. */
static enum td_status run_one(struct pg_lane *l, const struct connect_limit *limit, const char *sql,
	const char *const *params, int count, PGresult **ret, struct td_err *err)
{
	if (!send_sql(l, sql, params, count) || !pg_sync(l, limit))
		return lost(err);
	enum td_status status = pg_receive(l, limit, ret, err);
	return pg_end_synced(l, limit, status, err);
}

/* None of these columns may be null: text that is absent is empty. */
static const char *text_of(struct td_arena *arena, struct td_slice s)
{
	return s.ptr != NULL ? td_arena_strndup(arena, s.ptr, s.len) : "";
}

static const char *number_of(struct td_arena *arena, int64_t number)
{
	return td_arena_printf(arena, "%lld", (long long)number);
}

static const char *time_of(struct td_arena *arena, int64_t wall_ms)
{
	char text[TD_TIME_TEXT_SIZE];
	td_time_format(wall_ms, text);
	return td_arena_printf(arena, "%s", text);
}

static const char *money_of(struct td_arena *arena, int64_t minor)
{
	return td_arena_printf(
		arena, "%lld.%02lld", (long long)(minor / 100), (long long)(minor % 100));
}

/* ---- reading the catalogue
 * --------------------------------------------------------------------------------- */

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
	int64_t raw = PQgetisnull(row->result, row->number, column)
			      ? INT64_MIN
			      : pg_int(row->result, row->number, column);
	if (raw == INT64_MIN || raw == INT64_MAX)
		spoil(row, column, "is not a time");
	return pg_time_to_ms(raw);
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

/* A price that is NaN reads as -1, which is refused: NaN counts as greater than any number in a
 * CHECK. */
#define CENTS(column) \
	"CASE WHEN " column " = 'NaN' THEN -1 ELSE (" column " * 100)::bigint END AS " column

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
static enum td_status read_catalogue(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	bool want_packages = (op->in.parts & STORE_PACKAGES) != 0,
	     want_content = (op->in.parts & STORE_CONTENT) != 0;
	struct store_catalogue *c = &op->out.catalogue;
	void *rows = NULL;
	op->out.bad_row_count = 0; /* of a first try */
	bool sent = send_sql(l, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, 0);
	if (want_packages)
		sent = sent && send_sql(l, packages.sql, NULL, 0);
	if (want_content)
		sent = sent && send_sql(l, metadata.sql, NULL, 0) &&
		       send_sql(l, features.sql, NULL, 0);
	if (!sent || !send_sql(l, "COMMIT", NULL, 0) || !pg_sync(l, limit))
		return lost(&op->err);
	enum td_status status = receive_nothing(l, limit, &op->err);
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

/* ---- writing the catalogue
 * ----------------------------------------------------------------------------------- */

static bool send_package(struct pg_lane *l, struct store_op *op, const struct store_package *p)
{
	struct td_arena *a = &op->arena;
	char id[TD_UUID_TEXT_SIZE];
	td_uuid_v7(op->now_ms, id);
	const char *params[] = {
		p->id.len != 0 ? text_of(a, p->id) : id,
		text_of(a, p->slug),
		text_of(a, p->name),
		text_of(a, p->description),
		text_of(a, p->currency),
		money_of(a, p->price_monthly),
		money_of(a, p->price_yearly),
		number_of(a, p->rate_limit_per_hour),
		number_of(a, p->rate_limit_per_day),
		number_of(a, p->display_order),
		p->is_active ? "true" : "false",
		time_of(a, p->created_at != 0 ? p->created_at : op->now_ms),
		time_of(a, p->updated_at != 0 ? p->updated_at : op->now_ms),
	};
	return send_sql(l,
		"INSERT INTO subscription_packages (id, slug, name, description, currency, "
		"price_monthly, price_yearly,"
		" rate_limit_per_hour, rate_limit_per_day, display_order, is_active, created_at, "
		"updated_at)"
		" VALUES ($1, $2, $3, $4, $5, $6::numeric, $7::numeric, $8::bigint, $9::bigint, "
		"$10::bigint, $11::boolean,"
		" $12::timestamptz, $13::timestamptz)"
		" ON CONFLICT (slug) DO UPDATE SET name = excluded.name, description = "
		"excluded.description,"
		" currency = excluded.currency, price_monthly = excluded.price_monthly,"
		" price_yearly = excluded.price_yearly, rate_limit_per_hour = "
		"excluded.rate_limit_per_hour,"
		" rate_limit_per_day = excluded.rate_limit_per_day, display_order = "
		"excluded.display_order,"
		" is_active = excluded.is_active, updated_at = excluded.updated_at",
		params, TD_ARRAY_LEN(params));
}

static bool send_metadata(struct pg_lane *l, struct store_op *op, const struct store_metadata *m)
{
	struct td_arena *a = &op->arena;
	const char *params[] = {text_of(a, m->package_slug), text_of(a, m->key),
		text_of(a, m->value), time_of(a, m->updated_at != 0 ? m->updated_at : op->now_ms)};
	return send_sql(l,
		"INSERT INTO subscription_package_metadata (package_slug, key, value, updated_at)"
		" VALUES ($1, $2, $3, $4::timestamptz)"
		" ON CONFLICT (package_slug, key) DO UPDATE SET value = excluded.value, updated_at "
		"= excluded.updated_at",
		params, TD_ARRAY_LEN(params));
}

static bool send_feature(struct pg_lane *l, struct store_op *op, const struct store_feature *f)
{
	struct td_arena *a = &op->arena;
	const char *params[] = {text_of(a, f->package_slug), text_of(a, f->feature_id),
		text_of(a, f->name), text_of(a, f->description), f->included ? "true" : "false",
		text_of(a, f->icon), text_of(a, f->category), number_of(a, f->display_order),
		time_of(a, f->updated_at != 0 ? f->updated_at : op->now_ms)};
	return send_sql(l,
		"INSERT INTO subscription_features (package_slug, feature_id, name, description, "
		"included, icon, category,"
		" display_order, updated_at)"
		" VALUES ($1, $2, $3, $4, $5::boolean, $6, $7, $8::bigint, $9::timestamptz)"
		" ON CONFLICT (package_slug, feature_id) DO UPDATE SET name = excluded.name,"
		" description = excluded.description, included = excluded.included, icon = "
		"excluded.icon,"
		" category = excluded.category, display_order = excluded.display_order, updated_at "
		"= excluded.updated_at",
		params, TD_ARRAY_LEN(params));
}

static bool send_change(struct pg_lane *l, struct store_op *op, const struct store_change *c)
{
	struct td_arena *a = &op->arena;
	const char *names[2];
	switch (c->kind) {
	case STORE_PUT_PACKAGE:
		return send_package(l, op, &c->package);
	case STORE_PUT_METADATA:
		return send_metadata(l, op, &c->metadata);
	case STORE_PUT_FEATURE:
		return send_feature(l, op, &c->feature);
	case STORE_DELETE_METADATA:
		names[0] = text_of(a, c->metadata.package_slug);
		names[1] = text_of(a, c->metadata.key);
		return send_sql(l,
			"DELETE FROM subscription_package_metadata WHERE package_slug = $1 AND key "
			"= $2",
			names, 2);
	case STORE_DELETE_FEATURE:
		names[0] = text_of(a, c->feature.package_slug);
		names[1] = text_of(a, c->feature.feature_id);
		return send_sql(l,
			"DELETE FROM subscription_features WHERE package_slug = $1 AND feature_id "
			"= $2",
			names, 2);
	}
	return false;
}

/* Statements that are queued in the transaction; their results are read before too many are. */
struct writing {
	struct pg_lane *l;
	const struct connect_limit *limit;
	struct store_op *op;
	unsigned queued;
	enum td_status status;
};

static void drain(struct writing *w)
{
	if (w->queued == 0)
		return;
	if (!pg_push(w->l, w->limit)) {
		w->status = lost(&w->op->err);
		return;
	}
	for (; w->queued > 0 && w->status == TD_OK; w->queued--)
		w->status = receive_nothing(w->l, w->limit, &w->op->err);
}

static void queued(struct writing *w, bool sent)
{
	if (!sent)
		w->status = lost(&w->op->err);
	else if (++w->queued == CHANGES_AT_ONCE)
		drain(w);
}

/* The sync commits what went well and ends what did not. */
static enum td_status commit(struct writing *w)
{
	if (w->status == TD_OK)
		drain(w);
	if (w->op->arena.failed && w->status == TD_OK)
		w->status = td_err_set(&w->op->err, TD_NOMEM, "no memory for the catalogue");
	if (w->status == TD_UNAVAILABLE || w->status == TD_NOMEM) {
		pg_lane_drop(w->l);
		return w->status;
	}
	return pg_end(w->l, w->limit, w->status, &w->op->err);
}

static enum td_status apply_changes(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	struct writing w = {l, limit, op, 0, TD_OK};
	for (size_t i = 0; i < op->in.change_count && w.status == TD_OK; i++)
		queued(&w, send_change(l, op, &op->in.changes[i]));
	return commit(&w);
}

/* Counts what is there under a lock that keeps another populating process waiting until the
 * transaction's end. */
static enum td_status count_existing(struct pg_lane *l, const struct connect_limit *limit,
	struct store_op *op, int64_t *ret_packages, int64_t *ret_content)
{
	if (!send_sql(l, "SELECT pg_advisory_xact_lock(" POPULATE_LOCK_KEY ")", NULL, 0) ||
		!send_sql(l,
			"SELECT (SELECT count(*) FROM subscription_packages),"
			" (SELECT count(*) FROM subscription_package_metadata) +"
			" (SELECT count(*) FROM subscription_features)",
			NULL, 0) ||
		!pg_push(l, limit))
		return lost(&op->err);
	PGresult *r = NULL;
	enum td_status status = receive_nothing(l, limit, &op->err);
	if (status == TD_OK)
		status = pg_receive(l, limit, &r, &op->err);
	if (status == TD_OK) {
		*ret_packages = pg_int(r, 0, 0);
		*ret_content = pg_int(r, 0, 1);
	}
	PQclear(r);
	return status;
}

static enum td_status populate(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	const struct store_catalogue *c = op->in.catalogue;
	struct writing w = {l, limit, op, 0, TD_OK};
	int64_t packages_there = 0, content_there = 0;
	w.status = count_existing(l, limit, op, &packages_there, &content_there);
	bool empty = w.status == TD_OK && packages_there == 0 && content_there == 0;
	for (size_t i = 0; empty && i < c->metadata_count && w.status == TD_OK; i++)
		queued(&w, send_metadata(l, op, &c->metadata[i]));
	for (size_t i = 0; empty && i < c->feature_count && w.status == TD_OK; i++)
		queued(&w, send_feature(l, op, &c->features[i]));
	for (size_t i = 0; empty && i < c->package_count && w.status == TD_OK; i++)
		queued(&w, send_package(l, op, &c->packages[i]));
	enum td_status status = commit(&w);
	if (status == TD_OK && !empty) {
		op->out.existing = (size_t)packages_there;
		return TD_EXISTS;
	}
	return status;
}

/* ---- keys
 * ----------------------------------------------------------------------------------------------------
 */

static enum td_status create_key(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	const struct store_api_key *k = &op->in.key;
	char hash[TD_SHA256_TEXT_SIZE];
	td_hex(k->hash, TD_SHA256_SIZE, hash);
	const char *params[] = {text_of(&op->arena, k->id), text_of(&op->arena, k->name), hash,
		time_of(&op->arena, k->created_at)};
	PGresult *r = NULL;
	enum td_status status = run_one(l, limit,
		"INSERT INTO api_keys (id, name, hash, created_at) VALUES ($1, $2, decode($3, "
		"'hex'), $4::timestamptz)"
		" ON CONFLICT DO NOTHING RETURNING id",
		params, TD_ARRAY_LEN(params), &r, &op->err);
	if (status == TD_OK && PQntuples(r) == 0)
		status = TD_EXISTS;
	PQclear(r);
	return status;
}

static enum td_status list_keys(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	PGresult *r = NULL;
	enum td_status status = run_one(l, limit,
		"SELECT id, name, hash, created_at, last_used_at, revoked_at FROM api_keys ORDER "
		"BY created_at, id",
		NULL, 0, &r, &op->err);
	int count = status == TD_OK ? PQntuples(r) : 0;
	struct store_api_key *keys = td_arena_array(&op->arena, (size_t)count + 1, sizeof(*keys));
	for (int i = 0; keys != NULL && i < count; i++) {
		keys[i] = (struct store_api_key){
			.id = pg_text(r, i, 0, &op->arena),
			.name = pg_text(r, i, 1, &op->arena),
			.created_at = pg_time(r, i, 3),
			.last_used_at = pg_time(r, i, 4),
			.revoked_at = pg_time(r, i, 5),
		};
		if (PQgetlength(r, i, 2) == TD_SHA256_SIZE)
			memcpy(keys[i].hash, PQgetvalue(r, i, 2), TD_SHA256_SIZE);
	}
	PQclear(r);
	op->out.keys = keys;
	op->out.key_count = (size_t)count;
	return status == TD_OK && op->arena.failed ? TD_NOMEM : status;
}

static enum td_status revoke_key(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	const char *params[] = {
		text_of(&op->arena, op->in.key.id), time_of(&op->arena, op->now_ms)};
	PGresult *r = NULL;
	enum td_status status = run_one(l, limit,
		"UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $2::timestamptz) WHERE id = "
		"$1 RETURNING id",
		params, 2, &r, &op->err);
	if (status == TD_OK && PQntuples(r) == 0)
		status = TD_NOTFOUND;
	PQclear(r);
	return status;
}

typedef enum td_status single_fn(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op);

static single_fn *const singles[STORE_OP_COUNT] = {
	[STORE_KEY_CREATE] = create_key,
	[STORE_KEY_LIST] = list_keys,
	[STORE_KEY_REVOKE] = revoke_key,
	[STORE_CATALOGUE_READ] = read_catalogue,
	[STORE_CATALOGUE_POPULATE] = populate,
	[STORE_CATALOGUE_APPLY] = apply_changes,
};

enum td_status pg_run_single(
	struct pg_lane *l, struct store_op *op, const struct connect_limit *limit)
{
	if (singles[op->kind] == NULL)
		return td_err_set(&op->err, TD_INTERNAL, "PostgreSQL's store has no %s",
			store_op_name(op->kind));
	return singles[op->kind](l, limit, op);
}
