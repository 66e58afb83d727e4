/* Writes content: an upsert is an INSERT here. What is written together goes into a logged batch,
 * which is done whole sooner or later, even where a node dies in the middle. Its log is kept on two
 * other nodes, and one that has died just now is chosen for many seconds still: then package after
 * package is written, each of them whole, for which no log is needed. */
#include "store/cassandra/cas_internal.h"

#define REQUEST_MS 10000
#define LOGGED_MS  3000
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

static bool is_feature(enum store_change_kind kind)
{
	return kind == STORE_PUT_FEATURE || kind == STORE_DELETE_FEATURE;
}

static struct td_slice package_of(const struct store_change *c)
{
	return is_feature(c->kind) ? c->feature.package_slug : c->metadata.package_slug;
}

static void bind_change(
	struct cas_call *call, const struct store_change *c, const struct store_op *op)
{
	if (c->kind == STORE_PUT_FEATURE) {
		bind_feature(call, &c->feature, op);
		return;
	}
	cas_bind_text(call, package_of(c));
	cas_bind_text(call, is_feature(c->kind) ? c->feature.feature_id : c->metadata.key);
	if (c->kind == STORE_PUT_METADATA) {
		cas_bind_text(call, c->metadata.value);
		bind_time(call, c->metadata.updated_at, op);
	}
}

/* ---- a batch */

struct batch {
	struct cas_call *calls;
	struct cql_batch_entry *entries, *part;
	struct td_slice *packages; /* of each call */
	size_t count, bytes;
};

static void empty(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		cas_call_done(&b->calls[i]);
	b->count = b->bytes = 0;
}

/* Each row is written as it shall be: twice is like once. */
static enum td_status run_entries(const struct cas_writing *w,
	const struct cql_batch_entry *entries, size_t count, enum cql_batch_type type,
	unsigned most_ms)
{
	struct cas_call call;
	cas_call_init(&call, w->store, "", w->store->config.consistency);
	call.query.batch = entries;
	call.query.batch_count = count;
	call.query.batch_type = type;
	call.query.is_idempotent = true;
	call.query.timestamp_us = w->timestamp_us;
	enum td_status status = cas_call_run(
		&call, w->store, w->session, cas_time_left(w->store, w->op, most_ms), &w->op->err);
	cas_call_done(&call);
	return status;
}

static size_t take_package(struct batch *b, size_t first, bool *sent)
{
	size_t count = 0;
	for (size_t i = first; i < b->count; i++) {
		if (sent[i] || !td_slice_equal(b->packages[i], b->packages[first]))
			continue;
		b->part[count++] = b->entries[i];
		sent[i] = true;
	}
	return count;
}

static enum td_status send_by_package(const struct cas_writing *w, struct batch *b)
{
	bool sent[ENTRIES_MOST] = {false};
	enum td_status status = TD_OK;
	for (size_t i = 0; i < b->count && status == TD_OK; i++) {
		if (sent[i])
			continue;
		size_t count = take_package(b, i, sent);
		status = run_entries(w, b->part, count, CQL_BATCH_UNLOGGED, REQUEST_MS);
	}
	return status;
}

static bool is_of_one_package(const struct batch *b)
{
	for (size_t i = 1; i < b->count; i++) {
		if (!td_slice_equal(b->packages[i], b->packages[0]))
			return false;
	}
	return true;
}

static bool may_be_the_log(enum td_status status)
{
	return status == TD_TIMEOUT || status == TD_UNAVAILABLE || status == TD_IO;
}

static enum td_status send(const struct cas_writing *w, struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		struct cas_call *call = &b->calls[i];
		if (call->values.failed)
			return td_err_set(&w->op->err, TD_NOMEM, "no memory for the content");
		call->query.values.bytes = td_buf_slice(&call->values);
		b->entries[i] = (struct cql_batch_entry){
			.text = call->query.text, .values = call->query.values};
	}
	if (is_of_one_package(b))
		return send_by_package(w, b);
	enum td_status status = run_entries(w, b->entries, b->count, CQL_BATCH_LOGGED, LOGGED_MS);
	return may_be_the_log(status) ? send_by_package(w, b) : status;
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
	b->packages[b->count] = package_of(change);
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
	b.part = td_arena_array(&w->op->arena, room + 1, sizeof(*b.part));
	b.packages = td_arena_array(&w->op->arena, room + 1, sizeof(*b.packages));
	if (w->op->arena.failed)
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
