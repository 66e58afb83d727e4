#include "store/cassandra/cas_internal.h"

#include <stdio.h>
#include <unistd.h>

#define STEP_MS      10000 /* over what a server waits for its replicas */
#define CELLS_MOST   8
#define ROW          "'schema'"
#define SECONDS_1(n) #n
#define SECONDS(n)   SECONDS_1(n)
#define TTL          SECONDS(CAS_LOCK_S)

void cas_lock_init(struct cas_lock *lock, struct cas_store *s, struct cql_session *session)
{
	char host[64] = "";
	*lock = (struct cas_lock){.store = s, .session = session};
	td_uuid_v7(td_clock_wall_ms(s->base.clock), lock->owner);
	(void)gethostname(host, sizeof(host) - 1);
	(void)snprintf(lock->holder, sizeof(lock->holder), "%s on %s (process %ld)",
		s->config.application, host, (long)getpid());
}

/* A lightweight transaction's answer: whether it was applied, and else who has the lock. */
struct verdict {
	bool is_ours;
	char holder[160];
};

static void read_verdict(struct cas_call *call, const struct cas_lock *lock, struct verdict *v)
{
	struct td_slice cells[CELLS_MOST];
	struct cql_rows *rows = &call->response.answer.result.rows;
	*v = (struct verdict){.is_ours = false};
	if (call->response.answer.result.kind != CQL_RESULT_ROWS ||
		rows->metadata.column_count > CELLS_MOST || !cql_rows_next(rows, cells))
		return;
	struct td_slice holder = cas_call_cell(call, cells, "holder");
	struct td_slice owner = cas_call_cell(call, cells, "owner");
	bool applied = false;
	(void)cql_get_boolean(cas_call_cell(call, cells, "[applied]"), &applied);
	v->is_ours = applied || td_slice_is(owner, lock->owner);
	(void)snprintf(v->holder, sizeof(v->holder), "%.*s", TD_SLICE_ARG(holder));
}

/* What the row says at SERIAL, which completes a transaction that was cut off. */
static enum td_status read_row(struct cas_lock *lock, struct verdict *v, struct td_err *err)
{
	struct cas_call call;
	cas_call_init(&call, lock->store,
		"SELECT owner, holder FROM %s.schema_lock WHERE name = " ROW, CQL_SERIAL);
	call.query.is_idempotent = true;
	enum td_status status = cas_call_run(&call, lock->store, lock->session, STEP_MS, err);
	if (status == TD_OK)
		read_verdict(&call, lock, v);
	cas_call_done(&call);
	return status;
}

/* Runs it; where its outcome is not known the row is asked. */
static enum td_status decide(
	struct cas_lock *lock, struct cas_call *call, struct verdict *v, struct td_err *err)
{
	call->query.serial = CQL_SERIAL;
	enum td_status status = cas_call_run(call, lock->store, lock->session, STEP_MS, err);
	if (status == TD_OK)
		read_verdict(call, lock, v);
	else if (call->may_have_run)
		status = read_row(lock, v, err);
	return status;
}

enum td_status cas_lock_take(struct cas_lock *lock, struct td_err *err)
{
	struct cas_call call;
	struct verdict v;
	cas_call_init(&call, lock->store,
		"INSERT INTO %s.schema_lock (name, owner, holder, taken_at)"
		" VALUES (" ROW ", ?, ?, ?) IF NOT EXISTS USING TTL " TTL,
		CQL_QUORUM);
	cas_bind_text(&call, td_slice_str(lock->owner));
	cas_bind_text(&call, td_slice_str(lock->holder));
	cas_bind_time(&call, td_clock_wall_ms(lock->store->base.clock));
	enum td_status status = decide(lock, &call, &v, err);
	cas_call_done(&call);
	/* Another process makes the table right now: it is listed before it can be used. */
	if (status == TD_INVALID)
		return td_err_set(err, TD_BUSY, "its table is being made");
	if (status != TD_OK)
		return td_err_context(err, "the lock of the migrations");
	lock->is_held = v.is_ours;
	return v.is_ours ? TD_OK : td_err_set(err, TD_BUSY, "%s", v.holder);
}

enum td_status cas_lock_keep(struct cas_lock *lock, struct td_err *err)
{
	struct cas_call call;
	struct verdict v;
	/* All columns: the time to live of one that is not set goes on running out. */
	cas_call_init(&call, lock->store,
		"UPDATE %s.schema_lock USING TTL " TTL " SET owner = ?, holder = ?, taken_at = ?"
		" WHERE name = " ROW " IF owner = ?",
		CQL_QUORUM);
	cas_bind_text(&call, td_slice_str(lock->owner));
	cas_bind_text(&call, td_slice_str(lock->holder));
	cas_bind_time(&call, td_clock_wall_ms(lock->store->base.clock));
	cas_bind_text(&call, td_slice_str(lock->owner));
	enum td_status status = decide(lock, &call, &v, err);
	cas_call_done(&call);
	if (status != TD_OK)
		return td_err_context(err, "the lock of the migrations");
	lock->is_held = v.is_ours;
	return v.is_ours ? TD_OK
			 : td_err_set(err, TD_CONFLICT, "the lock of the migrations was lost");
}

/* What is not deleted here runs out. */
void cas_lock_give(struct cas_lock *lock)
{
	struct cas_call call;
	if (!lock->is_held)
		return;
	cas_call_init(&call, lock->store,
		"DELETE FROM %s.schema_lock WHERE name = " ROW " IF owner = ?", CQL_QUORUM);
	call.query.serial = CQL_SERIAL;
	cas_bind_text(&call, td_slice_str(lock->owner));
	enum td_status status = cas_call_run(&call, lock->store, lock->session, STEP_MS, NULL);
	lock->is_held = status != TD_OK;
	cas_call_done(&call);
}
