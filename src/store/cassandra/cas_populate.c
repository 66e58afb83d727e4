/* Fills an empty store with content, once. It is recorded when all is written. Until then it may be
 * begun again, so its rows have a time of writing before every other's: whatever somebody else has
 * written or deleted meanwhile stays as it is. */
#include "store/cassandra/cas_internal.h"

#include <poll.h>
#include <sodium.h>

#define STEP_MS   10000
#define PAUSE_MS  100
#define OLDEST_US 1
#define ROW       "'catalogue'"

static enum td_status is_recorded(struct cas_store *s, struct cql_session *session,
	unsigned timeout_ms, bool *ret_is, struct td_err *err)
{
	struct cas_call call;
	struct td_slice cell;
	cas_call_init(&call, s, "SELECT completed_at FROM %s.content_population WHERE name = " ROW,
		CQL_QUORUM);
	call.query.is_idempotent = true;
	enum td_status status = cas_call_run(&call, s, session, timeout_ms, err);
	*ret_is = status == TD_OK && cas_call_row(&call, &cell, 1);
	cas_call_done(&call);
	return status;
}

static enum td_status look(const struct cas_writing *w, bool *ret_is)
{
	return is_recorded(
		w->store, w->session, cas_time_left(w->store, w->op, STEP_MS), ret_is, &w->op->err);
}

static enum td_status record(const struct cas_writing *w)
{
	struct cas_call call;
	cas_call_init(&call, w->store,
		"INSERT INTO %s.content_population (name, completed_at) VALUES (" ROW ", ?)",
		CQL_QUORUM);
	call.query.is_idempotent = true;
	cas_bind_time(&call, w->op->now_ms);
	enum td_status status = cas_call_run(
		&call, w->store, w->session, cas_time_left(w->store, w->op, STEP_MS), &w->op->err);
	cas_call_done(&call);
	return status;
}

static const struct store_change *changes_of(struct store_op *op, size_t *ret_count)
{
	const struct store_catalogue *c = op->in.catalogue;
	size_t count = 0;
	struct store_change *changes = td_arena_array(
		&op->arena, c->metadata_count + c->feature_count + 1, sizeof(*changes));
	for (size_t i = 0; changes != NULL && i < c->metadata_count; i++)
		changes[count++] = (struct store_change){
			.kind = STORE_PUT_METADATA, .metadata = c->metadata[i]};
	for (size_t i = 0; changes != NULL && i < c->feature_count; i++)
		changes[count++] = (struct store_change){
			.kind = STORE_PUT_FEATURE, .feature = c->features[i]};
	*ret_count = count;
	return changes;
}

static enum td_status populate(const struct cas_writing *w)
{
	bool recorded = false;
	size_t count = 0;
	enum td_status status = look(w, &recorded);
	if (status != TD_OK || recorded)
		return status == TD_OK ? TD_EXISTS : status;
	const struct store_change *changes = changes_of(w->op, &count);
	if (changes == NULL)
		return td_err_set(&w->op->err, TD_NOMEM, "no memory for the content");
	status = cas_write(w, changes, count);
	if (status == TD_OK)
		status = cas_lock_keep(w->lock, &w->op->err);
	return status == TD_OK ? record(w) : status;
}

/* Another process may have it for as long as it migrates. */
static enum td_status take_lock(const struct cas_writing *w)
{
	for (;;) {
		enum td_status status = cas_lock_take(w->lock, &w->op->err);
		if (status != TD_BUSY)
			return status;
		if (cas_time_left(w->store, w->op, STEP_MS) <= 2 * PAUSE_MS ||
			atomic_load(&w->store->stopping))
			return td_err_set(&w->op->err, TD_UNAVAILABLE,
				"another process migrates or populates: %.150s", w->op->err.text);
		(void)poll(NULL, 0, PAUSE_MS + (int)randombytes_uniform(PAUSE_MS));
	}
}

enum td_status cas_content_populate(
	struct cas_store *s, struct cql_session *session, struct store_op *op)
{
	struct cas_lock lock;
	const struct cas_writing w = {
		.store = s, .session = session, .op = op, .timestamp_us = OLDEST_US, .lock = &lock};
	bool recorded = false;
	enum td_status status = look(&w, &recorded);
	if (status != TD_OK || recorded)
		return status == TD_OK ? TD_EXISTS : status;
	cas_lock_init(&lock, s, session);
	status = take_lock(&w);
	if (status == TD_OK)
		status = populate(&w);
	cas_lock_give(&lock);
	/* Somebody else has it now, and completes what is missing. */
	return status == TD_CONFLICT ? TD_UNAVAILABLE : status;
}

enum td_status store_cassandra_is_populated(struct store *store, bool *ret_is, struct td_err *err)
{
	struct cas_store *s = (struct cas_store *)(void *)store;
	struct cql_session *session = cas_hold(s);
	if (session == NULL)
		return td_err_set(err, TD_UNAVAILABLE, "Cassandra is not connected");
	enum td_status status = is_recorded(s, session, STEP_MS, ret_is, err);
	cas_let_go(s);
	return status;
}
