/* Writes content: an upsert is an INSERT here. What is written together goes into a logged batch,
 * which is done whole sooner or later, even where a node dies in the middle. */
#include "store/cassandra/cas_internal.h"

#define REQUEST_MS 10000
/* A server refuses batches over 50 KiB unless it is told otherwise. */
#define BATCH_BYTES_MOST ((size_t)24 * 1024)
#define ENTRIES_MOST     256

#define METADATA_INSERT                                                                       \
	"INSERT INTO %s.subscription_package_metadata (package_slug, key, value, updated_at)" \
	" VALUES (?, ?, ?, ?)"
#define FEATURE_INSERT                                                                       \
	"INSERT INTO %s.subscription_features (package_slug, feature_id, name, description," \
	" included, icon, category, display_order, updated_at)"                              \
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
#define METADATA_DELETE \
	"DELETE FROM %s.subscription_package_metadata WHERE package_slug = ? AND key = ?"
#define FEATURE_DELETE \
	"DELETE FROM %s.subscription_features WHERE package_slug = ? AND feature_id = ?"

unsigned cas_time_left(const struct cas_store *s, const struct store_op *op, unsigned most_ms)
{
	uint64_t now = td_clock_mono_ms(s->base.clock);
	uint64_t left = op->deadline_ms > now ? op->deadline_ms - now : 0;
	return left < most_ms ? (unsigned)left : most_ms;
}

static const char *statement_of(enum store_change_kind kind)
{
	switch (kind) {
	case STORE_PUT_METADATA:
		return METADATA_INSERT;
	case STORE_PUT_FEATURE:
		return FEATURE_INSERT;
	case STORE_DELETE_METADATA:
		return METADATA_DELETE;
	case STORE_DELETE_FEATURE:
		return FEATURE_DELETE;
	case STORE_PUT_PACKAGE:
		break;
	}
	return NULL;
}

static void bind_time(struct cas_call *call, int64_t wall_ms, const struct store_op *op)
{
	cas_bind_time(call, wall_ms != 0 ? wall_ms : op->now_ms);
}

static void bind_feature(
	struct cas_call *call, const struct store_feature *f, const struct store_op *op)
{
	cas_bind_text(call, f->package_slug);
	cas_bind_text(call, f->feature_id);
	cas_bind_text(call, f->name);
	cas_bind_text(call, f->description);
	cql_bind_boolean(&call->values, f->included);
	cas_bind_text(call, f->icon);
	cas_bind_text(call, f->category);
	cql_bind_bigint(&call->values, f->display_order);
	call->query.values.count += 2;
	bind_time(call, f->updated_at, op);
}

static void bind_change(
	struct cas_call *call, const struct store_change *c, const struct store_op *op)
{
	bool is_feature = c->kind == STORE_PUT_FEATURE || c->kind == STORE_DELETE_FEATURE;
	if (c->kind == STORE_PUT_FEATURE) {
		bind_feature(call, &c->feature, op);
		return;
	}
	cas_bind_text(call, is_feature ? c->feature.package_slug : c->metadata.package_slug);
	cas_bind_text(call, is_feature ? c->feature.feature_id : c->metadata.key);
	if (c->kind == STORE_PUT_METADATA) {
		cas_bind_text(call, c->metadata.value);
		bind_time(call, c->metadata.updated_at, op);
	}
}

/* ---- a batch */

struct batch {
	struct cas_call *calls;
	struct cql_batch_entry *entries;
	size_t count, bytes;
};

static void empty(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		cas_call_done(&b->calls[i]);
	b->count = b->bytes = 0;
}

static enum td_status send(const struct cas_writing *w, struct batch *b)
{
	struct cas_call *first = &b->calls[0];
	for (size_t i = 0; i < b->count; i++) {
		struct cas_call *call = &b->calls[i];
		if (call->values.failed)
			return td_err_set(&w->op->err, TD_NOMEM, "no memory for the content");
		call->query.values.bytes = td_buf_slice(&call->values);
		b->entries[i] = (struct cql_batch_entry){
			.text = call->query.text, .values = call->query.values};
	}
	if (b->count > 1) {
		first->query.batch = b->entries;
		first->query.batch_count = b->count;
		first->query.batch_type = CQL_BATCH_LOGGED;
	}
	/* Each row is written as it shall be: twice is like once. */
	first->query.is_idempotent = true;
	first->query.timestamp_us = w->timestamp_us;
	return cas_call_run(first, w->store, w->session, cas_time_left(w->store, w->op, REQUEST_MS),
		&w->op->err);
}

static enum td_status flush(const struct cas_writing *w, struct batch *b)
{
	enum td_status status = TD_OK;
	if (b->count > 0 && w->lock != NULL)
		status = cas_lock_keep(w->lock, &w->op->err);
	if (b->count > 0 && status == TD_OK)
		status = send(w, b);
	empty(b);
	return status;
}

/* A change too many for the batch sends it first. */
static enum td_status add(
	const struct cas_writing *w, struct batch *b, const struct store_change *change)
{
	struct cas_call call;
	cas_call_init(&call, w->store, statement_of(change->kind), w->store->config.consistency);
	bind_change(&call, change, w->op);
	size_t bytes = call.values.len + call.query.text.len;
	enum td_status status = TD_OK;
	if (b->count == ENTRIES_MOST || b->bytes + bytes > BATCH_BYTES_MOST)
		status = flush(w, b);
	if (status != TD_OK) {
		cas_call_done(&call);
		return status;
	}
	b->calls[b->count] = call;
	/* The text stands in the call, which has moved. */
	b->calls[b->count].query.text.ptr = b->calls[b->count].text;
	b->count++;
	b->bytes += bytes;
	return TD_OK;
}

enum td_status cas_write(
	const struct cas_writing *w, const struct store_change *changes, size_t count)
{
	struct batch b = {.count = 0};
	size_t room = count < ENTRIES_MOST ? count : ENTRIES_MOST;
	enum td_status status = TD_OK;
	b.calls = td_arena_array(&w->op->arena, room + 1, sizeof(*b.calls));
	b.entries = td_arena_array(&w->op->arena, room + 1, sizeof(*b.entries));
	if (b.calls == NULL || b.entries == NULL)
		return td_err_set(&w->op->err, TD_NOMEM, "no memory for the content");
	for (size_t i = 0; i < count && status == TD_OK; i++)
		status = add(w, &b, &changes[i]);
	if (status == TD_OK)
		status = flush(w, &b);
	empty(&b);
	return status;
}

enum td_status cas_content_apply(
	struct cas_store *s, struct cql_session *session, struct store_op *op)
{
	const struct cas_writing w = {.store = s, .session = session, .op = op};
	for (size_t i = 0; i < op->in.change_count; i++) {
		if (statement_of(op->in.changes[i].kind) == NULL)
			return td_err_set(&op->err, TD_INVALID,
				"packages are not kept in Cassandra, but with the subscriptions");
	}
	return cas_write(&w, op->in.changes, op->in.change_count);
}
