/* Writes the event log: one row for each event, some rows with a request, many requests under way
 * at once. Key, time of writing and the end of its life come from the event, so that one that is
 * told twice is there once and as it was. */
#include "store/cassandra/cas_internal.h"

#define IN_FLIGHT_MOST 64
/* Rows of one request: a batch without a log, for they need not be there together. A server warns
 * of batches over 5 KiB, and of those over more than ten partitions. */
#define ROWS_MOST  8
#define BYTES_MOST 4096
/* A request that fails is told again with all others, so none is waited for very long: nor is it
 * when the process ends meanwhile. */
#define STEP_MS 3000

/* Where Cassandra 4 ends: 2038-01-19 03:14:06 UTC. What lives longer lives for ever. */
#define EXPIRY_MOST_S INT64_C(2147483646)

struct telling;

/* One request after another. */
struct writer {
	struct cql_query query;
	struct cql_batch_entry rows[ROWS_MOST];
	struct td_buf values;
	struct telling *telling;
};

struct telling {
	struct cas_store *store;
	struct cql_session *session;
	struct cql_statement *insert;
	struct store_op *op;

	struct td_lock lock;
	struct td_cond ended;
	size_t next, under_way; /* guarded by lock, and so is what comes after */
	enum td_status status;  /* the first that is not TD_OK */
	struct td_err err;
};

/* Seconds that are left of its life; 0: for ever; -1: none. */
static int64_t life_of(const struct store_op *op, const struct store_history *event)
{
	if (op->in.ttl_ms <= 0)
		return 0;
	int64_t end_ms = event->created_at + op->in.ttl_ms;
	if (end_ms / 1000 >= EXPIRY_MOST_S)
		return 0;
	return end_ms - op->now_ms < 1000 ? -1 : (end_ms - op->now_ms) / 1000;
}

static void bind_optional(struct td_buf *b, struct td_slice text)
{
	if (text.ptr != NULL)
		cql_bind_bytes(b, text);
	else
		cql_bind_null(b);
}

static void bind_cycle(struct td_buf *b, enum store_cycle cycle)
{
	if (cycle != STORE_CYCLE_NONE)
		cql_bind_bytes(b, td_slice_str(store_cycle_word(cycle)));
	else
		cql_bind_null(b);
}

static void bind_event(struct td_buf *b, const struct store_history *e, int64_t life_s)
{
	char month[CAS_MONTH_SIZE];
	cas_month_of(e->created_at, month);
	cql_bind_bytes(b, e->user_id);
	cql_bind_bytes(b, td_slice_str(month));
	cql_bind_bigint(b, e->seq);
	cql_bind_bytes(b, e->id);
	cql_bind_bytes(b, e->subscription_id);
	cql_bind_bytes(b, td_slice_str(store_action_word(e->action)));
	bind_optional(b, e->from_package);
	bind_optional(b, e->to_package);
	bind_cycle(b, e->from_cycle);
	bind_cycle(b, e->to_cycle);
	if (e->has_price)
		cql_bind_decimal(b, 2, e->price);
	else
		cql_bind_null(b);
	bind_optional(b, e->currency);
	bind_optional(b, e->reason);
	bind_optional(b, e->actor);
	cql_bind_timestamp(b, e->created_at);
	cql_bind_bigint(b, e->created_at > 0 ? e->created_at * 1000 : 1);
	cql_bind_int(b, (int32_t)life_s);
}

#define VALUES 17

static const char insert_text[] =
	"INSERT INTO %s.subscription_events (user_id, month, seq, id, subscription_id, action,"
	" from_package, to_package, from_cycle, to_cycle, price, currency, reason, actor,"
	" created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	" USING TIMESTAMP ? AND TTL ?";

/* The next event that has a life; NULL: none is left, or nothing more is to be sent. */
static const struct store_history *take_next_locked(struct telling *t, int64_t *ret_life_s)
{
	while (t->status == TD_OK && t->next < t->op->in.history_count) {
		const struct store_history *event = &t->op->in.history[t->next++];
		*ret_life_s = life_of(t->op, event);
		if (*ret_life_s >= 0)
			return event;
	}
	return NULL;
}

/* As many as go into one request; *ends has where each ends in the values. */
static size_t bind_some_locked(struct writer *w, size_t ends[ROWS_MOST])
{
	size_t count = 0;
	int64_t life_s = 0;
	while (count < ROWS_MOST) {
		const struct store_history *event = take_next_locked(w->telling, &life_s);
		if (event == NULL)
			break;
		bind_event(&w->values, event, life_s);
		if (count > 0 && w->values.len > BYTES_MOST) {
			w->telling->next--; /* it is the next request's */
			break;
		}
		ends[count++] = w->values.len;
	}
	return count;
}

static void put_rows(struct writer *w, const size_t ends[ROWS_MOST], size_t count)
{
	size_t from = 0;
	for (size_t i = 0; i < count; i++) {
		struct td_slice bytes = td_slice(w->values.ptr + from, ends[i] - from);
		w->rows[i] = (struct cql_batch_entry){.statement = w->telling->insert,
			.values = {.bytes = bytes, .count = VALUES}};
		from = ends[i];
	}
	/* A batch of one would only be refused sooner. */
	w->query.statement = count == 1 ? w->telling->insert : NULL;
	w->query.values = w->rows[0].values;
	w->query.batch_count = count;
}

/* False: there is none, or what is wrong stands in `telling`. */
static bool fill_locked(struct writer *w)
{
	struct telling *t = w->telling;
	size_t ends[ROWS_MOST];
	td_buf_reset(&w->values);
	size_t count = bind_some_locked(w, ends);
	if (count == 0)
		return false;
	w->query.timeout_ms = cas_time_left(t->store, t->op, STEP_MS);
	if (w->values.failed)
		t->status = td_err_set(&t->err, TD_NOMEM, "no memory for events");
	else if (w->query.timeout_ms == 0)
		t->status = td_err_set(&t->err, TD_TIMEOUT, "no time is left for the events");
	else
		put_rows(w, ends, count);
	return t->status == TD_OK;
}

/* False: this writer has ended. */
static bool send_next(struct writer *w)
{
	struct telling *t = w->telling;
	td_lock_take(&t->lock);
	bool filled = fill_locked(w);
	td_lock_give(&t->lock);
	if (filled)
		cql_session_send(t->session, &w->query);
	return filled;
}

static void note_end(struct telling *t)
{
	td_lock_take(&t->lock);
	if (--t->under_way == 0)
		td_cond_wake_all(&t->ended);
	td_lock_give(&t->lock);
}

static void note_failure(struct telling *t, const struct cql_answer *answer)
{
	td_lock_take(&t->lock);
	if (t->status == TD_OK) {
		t->status = answer->status;
		t->err = *answer->err;
	}
	td_lock_give(&t->lock);
}

/* In the session's thread. */
static void written(struct cql_query *query, const struct cql_answer *answer)
{
	struct writer *w = TD_CONTAINER_OF(query, struct writer, query);
	if (answer->status != TD_OK)
		note_failure(w->telling, answer);
	if (!send_next(w))
		note_end(w->telling);
}

static void run_writers(struct telling *t, struct writer *writers, size_t count)
{
	/* One more stands for this thread, so that the end is not found before all have begun. */
	t->under_way = 1 + count;
	for (size_t i = 0; i < count; i++) {
		writers[i] = (struct writer){.query = CQL_QUERY_INIT, .telling = t};
		writers[i].query.batch = writers[i].rows;
		writers[i].query.batch_type = CQL_BATCH_UNLOGGED;
		writers[i].query.consistency = t->store->config.consistency;
		writers[i].query.is_idempotent = true;
		writers[i].query.done = written;
		if (!send_next(&writers[i]))
			note_end(t);
	}
	note_end(t);
	td_lock_take(&t->lock);
	while (t->under_way > 0)
		td_cond_wait(&t->ended, &t->lock);
	td_lock_give(&t->lock);
	for (size_t i = 0; i < count; i++)
		td_buf_done(&writers[i].values);
}

static enum td_status tell_all(struct telling *t)
{
	struct cas_call text;
	size_t count = (t->op->in.history_count + ROWS_MOST - 1) / ROWS_MOST;
	if (count > IN_FLIGHT_MOST)
		count = IN_FLIGHT_MOST;
	struct writer *writers = td_arena_array(&t->op->arena, count + 1, sizeof(*writers));
	if (writers == NULL)
		return td_err_set(&t->err, TD_NOMEM, "no memory for the events");
	cas_call_init(&text, t->store, insert_text, t->store->config.consistency);
	t->status = cql_statement_create(t->session, text.text, &t->insert, &t->err);
	if (t->status != TD_OK)
		return t->status;
	run_writers(t, writers, count);
	cql_statement_free(t->insert);
	return t->status;
}

enum td_status cas_events_tell(
	struct cas_store *s, struct cql_session *session, struct store_op *op)
{
	struct telling t = {.store = s, .session = session, .op = op};
	td_lock_init(&t.lock);
	td_cond_init(&t.ended);
	enum td_status status = tell_all(&t);
	if (status != TD_OK)
		op->err = t.err;
	td_cond_done(&t.ended);
	td_lock_done(&t.lock);
	return status;
}
