/* What batches of reads and writes share. */
#include "store/postgres/pg_store_internal.h"

void pg_columns_begin(struct pg_columns *c, const enum pg_type *types, int count)
{
	td_assert(count <= PG_PARAMS_MOST);
	c->count = count;
	for (int i = 0; i < count; i++)
		pg_array_begin(&c->columns[i], types[i]);
}

void pg_columns_done(struct pg_columns *c)
{
	for (int i = 0; i < c->count; i++)
		pg_array_done(&c->columns[i]);
}

enum td_status pg_columns_send(struct pg_lane *l, enum pg_statement statement, struct pg_columns *c)
{
	struct pg_param params[PG_PARAMS_MOST];
	for (int i = 0; i < c->count; i++) {
		if (!pg_array_end(&c->columns[i]) || c->columns[i].buf.len > INT32_MAX)
			return TD_NOMEM;
		params[i] = (struct pg_param){c->columns[i].buf.ptr, (int)c->columns[i].buf.len};
	}
	return pg_send(l, statement, params, c->count) ? TD_OK : TD_UNAVAILABLE;
}

void pg_settle_all(
	struct pg_task *tasks, size_t count, enum td_status status, const struct td_err *err)
{
	for (size_t i = 0; i < count; i++) {
		if (tasks[i].settled)
			continue;
		tasks[i].settled = true;
		tasks[i].outcome = status;
		if (err != NULL)
			tasks[i].op->err = *err;
	}
}

#define TELL_EVERY_MS 60000u

/* The server is there, but has no room: somebody must hear of it, once a minute. */
static void tell_refused(struct pg_store *s, const struct td_err *err, uint64_t now_ms)
{
	uint64_t due_ms = atomic_load(&s->refused_due_ms);
	if (now_ms >= due_ms &&
		atomic_compare_exchange_strong(&s->refused_due_ms, &due_ms, now_ms + TELL_EVERY_MS))
		s->config.observer.refused(s->config.observer.ctx, err);
}

void pg_finish_all(struct pg_lane *l, struct pg_task *tasks, size_t count)
{
	uint64_t now_ms = td_clock_mono_ns() / 1000000u;
	for (size_t i = 0; i < count; i++) {
		if (tasks[i].outcome == TD_IO) {
			tell_refused(l->store, &tasks[i].op->err, now_ms);
			tasks[i].outcome = TD_UNAVAILABLE;
		}
		/* A connection that was given up at the deadline: time is what was missing. */
		if (tasks[i].outcome == TD_UNAVAILABLE && now_ms >= tasks[i].op->deadline_ms)
			tasks[i].outcome = TD_TIMEOUT;
		lane_finish(&tasks[i].op->job, tasks[i].outcome);
	}
}
