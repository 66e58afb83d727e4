/* Writes the catalogue: all of a change or none of it. */
#include "store/postgres/pg_sql.h"

#include "base/uuid.h"

#define CHANGES_AT_ONCE 64

/* Any number of our own that the migration's lock is not. */
#define POPULATE_LOCK_KEY "7310293847561029386"

static bool send_package(struct pg_lane *l, struct store_op *op, const struct store_package *p)
{
	struct td_arena *a = &op->arena;
	char id[TD_UUID_TEXT_SIZE];
	td_uuid_v7(op->now_ms, id);
	const char *params[] = {
		p->id.len != 0 ? pg_sql_text(a, p->id) : id,
		pg_sql_text(a, p->slug),
		pg_sql_text(a, p->name),
		pg_sql_text(a, p->description),
		pg_sql_text(a, p->currency),
		pg_sql_money(a, p->price_monthly),
		pg_sql_money(a, p->price_yearly),
		pg_sql_number(a, p->rate_limit_per_hour),
		pg_sql_number(a, p->rate_limit_per_day),
		pg_sql_number(a, p->display_order),
		p->is_active ? "true" : "false",
		pg_sql_time(a, p->created_at != 0 ? p->created_at : op->now_ms),
		pg_sql_time(a, p->updated_at != 0 ? p->updated_at : op->now_ms),
	};
	return pg_sql_send(l,
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
	const char *params[] = {pg_sql_text(a, m->package_slug), pg_sql_text(a, m->key),
		pg_sql_text(a, m->value),
		pg_sql_time(a, m->updated_at != 0 ? m->updated_at : op->now_ms)};
	return pg_sql_send(l,
		"INSERT INTO subscription_package_metadata (package_slug, key, value, updated_at)"
		" VALUES ($1, $2, $3, $4::timestamptz)"
		" ON CONFLICT (package_slug, key) DO UPDATE SET value = excluded.value, updated_at "
		"= excluded.updated_at",
		params, TD_ARRAY_LEN(params));
}

static bool send_feature(struct pg_lane *l, struct store_op *op, const struct store_feature *f)
{
	struct td_arena *a = &op->arena;
	const char *params[] = {pg_sql_text(a, f->package_slug), pg_sql_text(a, f->feature_id),
		pg_sql_text(a, f->name), pg_sql_text(a, f->description),
		f->included ? "true" : "false", pg_sql_text(a, f->icon),
		pg_sql_text(a, f->category), pg_sql_number(a, f->display_order),
		pg_sql_time(a, f->updated_at != 0 ? f->updated_at : op->now_ms)};
	return pg_sql_send(l,
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
		names[0] = pg_sql_text(a, c->metadata.package_slug);
		names[1] = pg_sql_text(a, c->metadata.key);
		return pg_sql_send(l,
			"DELETE FROM subscription_package_metadata WHERE package_slug = $1 AND key "
			"= $2",
			names, 2);
	case STORE_DELETE_FEATURE:
		names[0] = pg_sql_text(a, c->feature.package_slug);
		names[1] = pg_sql_text(a, c->feature.feature_id);
		return pg_sql_send(l,
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
	struct td_err *err;
	unsigned queued;
	enum td_status status;
};

static void drain(struct writing *w)
{
	if (w->queued == 0 || w->status != TD_OK)
		return;
	if (!pg_push(w->l, w->limit)) {
		w->status = pg_sql_lost(w->err);
		return;
	}
	for (; w->queued > 0 && w->status == TD_OK; w->queued--)
		w->status = pg_sql_receive_nothing(w->l, w->limit, w->err);
}

static void queued(struct writing *w, bool sent)
{
	if (!sent)
		w->status = pg_sql_lost(w->err);
	else if (++w->queued == CHANGES_AT_ONCE)
		drain(w);
}

static enum td_status finish(struct writing *w, const struct store_op *op)
{
	drain(w);
	if (op->arena.failed && w->status == TD_OK)
		w->status = td_err_set(w->err, TD_NOMEM, "no memory for the catalogue");
	return w->status;
}

static enum td_status run_apply(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	struct store_op *op = t->op;
	struct writing w = {l, limit, err, 0, TD_OK};
	for (size_t i = 0; i < op->in.change_count && w.status == TD_OK; i++)
		queued(&w, send_change(l, op, &op->in.changes[i]));
	t->outcome = TD_OK;
	return finish(&w, op);
}

/* Counts what is there under a lock that keeps another populating process waiting until the
 * transaction's end. */
static enum td_status count_existing(struct pg_lane *l, const struct connect_limit *limit,
	int64_t *ret_packages, int64_t *ret_content, struct td_err *err)
{
	if (!pg_sql_send(l, "SELECT pg_advisory_xact_lock(" POPULATE_LOCK_KEY ")", NULL, 0) ||
		!pg_sql_send(l,
			"SELECT (SELECT count(*) FROM subscription_packages),"
			" (SELECT count(*) FROM subscription_package_metadata) +"
			" (SELECT count(*) FROM subscription_features)",
			NULL, 0) ||
		!pg_push(l, limit))
		return pg_sql_lost(err);
	PGresult *r = NULL;
	enum td_status status = pg_sql_receive_nothing(l, limit, err);
	if (status == TD_OK)
		status = pg_receive(l, limit, &r, err);
	if (status == TD_OK) {
		*ret_packages = pg_int(r, 0, 0);
		*ret_content = pg_int(r, 0, 1);
	}
	PQclear(r);
	return status;
}

static void write_all(struct writing *w, struct store_op *op)
{
	const struct store_catalogue *c = op->in.catalogue;
	for (size_t i = 0; i < c->metadata_count && w->status == TD_OK; i++)
		queued(w, send_metadata(w->l, op, &c->metadata[i]));
	for (size_t i = 0; i < c->feature_count && w->status == TD_OK; i++)
		queued(w, send_feature(w->l, op, &c->features[i]));
	for (size_t i = 0; i < c->package_count && w->status == TD_OK; i++)
		queued(w, send_package(w->l, op, &c->packages[i]));
}

static enum td_status run_populate(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	struct writing w = {l, limit, err, 0, TD_OK};
	int64_t packages = 0, content = 0;
	enum td_status status = count_existing(l, limit, &packages, &content, err);
	if (status != TD_OK)
		return status;
	bool empty = packages == 0 && content == 0;
	t->outcome = empty ? TD_OK : TD_EXISTS;
	t->op->out.existing = (size_t)packages;
	if (empty)
		write_all(&w, t->op);
	return finish(&w, t->op);
}

const struct pg_write_kind pg_catalogue_populate = {.run = run_populate};
const struct pg_write_kind pg_catalogue_apply = {.run = run_apply};
