/* A batch is one transaction. Each operation in it succeeds or fails alone: what has several
 * statements runs in a savepoint. Where SQLite takes the whole transaction back (a full disk, no
 * memory), or the commit fails, nothing of the batch was done, and its operations run again one by
 * one: so one that cannot work does not harm the others. */
#include "store/sqlite/lane_run.h"

#include "store/sqlite/ops.h"

#include <stdio.h>
#include <string.h>

#define TOUCH_EVERY_MS 60000
#define PROBE_MS       50
#define TELL_EVERY_MS  60000

typedef enum td_status op_fn(struct sqlite_conn *conn, struct store_op *op);

static enum td_status run_nothing(struct sqlite_conn *conn, struct store_op *op)
{
	(void)conn;
	(void)op;
	return TD_OK;
}

/* A database of one's own has no event log beside it. */
static enum td_status run_no_events(struct sqlite_conn *conn, struct store_op *op)
{
	(void)conn;
	return td_err_set(&op->err, TD_INVALID, "SQLite keeps no events for an event log");
}

static enum td_status run_no_kept(struct sqlite_conn *conn, struct store_op *op)
{
	(void)conn;
	return td_err_set(&op->err, TD_INVALID, "SQLite has its content itself");
}

/* `steps`: it writes with more than one statement, and does not see to it itself that all of it is
 * undone. */
static const struct {
	op_fn *run;
	bool steps, catalogue;
} kinds[STORE_OP_COUNT] = {
	[STORE_AUTHORIZE] = {run_nothing, false, false},
	[STORE_USER_PUT] = {sqlite_op_user_put, false, false},
	[STORE_USER_CREATE] = {sqlite_op_user_create, false, false},
	[STORE_USER_GET] = {sqlite_op_user_get, false, false},
	[STORE_USER_BY_EMAIL] = {sqlite_op_user_by_email, false, false},
	[STORE_KEY_CREATE] = {sqlite_op_key_create, false, false},
	[STORE_KEY_LIST] = {sqlite_op_key_list, false, false},
	[STORE_KEY_REVOKE] = {sqlite_op_key_revoke, false, false},
	[STORE_CATALOGUE_READ] = {sqlite_op_catalogue_read, false, false},
	[STORE_CATALOGUE_POPULATE] = {sqlite_op_catalogue_populate, true, true},
	[STORE_CATALOGUE_APPLY] = {sqlite_op_catalogue_apply, true, true},
	[STORE_KEPT_PUT] = {run_no_kept, false, false},
	[STORE_KEPT_GET] = {run_no_kept, false, false},
	[STORE_SUBSCRIPTION_GET] = {sqlite_op_subscription_get, false, false},
	[STORE_SUBSCRIBE] = {sqlite_op_subscribe, false, false},
	[STORE_SUBSCRIPTION_CHANGE] = {sqlite_op_subscription_change, false, false},
	[STORE_SUBSCRIPTION_DUE] = {sqlite_op_subscription_due, false, false},
	[STORE_HISTORY_LIST] = {sqlite_op_history_list, false, false},
	[STORE_LOGIN_GET] = {sqlite_op_login_get, false, false},
	[STORE_CHECKOUT] = {sqlite_op_checkout, true, false},
	[STORE_SESSION_CREATE] = {sqlite_op_session_create, true, false},
	[STORE_SESSION_END] = {sqlite_op_session_end, false, false},
	[STORE_THROTTLE_TAKE] = {sqlite_op_throttle_take, true, false},
	[STORE_RESET_CREATE] = {sqlite_op_reset_create, true, false},
	[STORE_RESET_GET] = {sqlite_op_reset_get, false, false},
	[STORE_RESET_USE] = {sqlite_op_reset_use, true, false},
	[STORE_SWEEP] = {sqlite_op_sweep, true, false},
	[STORE_LEASE_TAKE] = {sqlite_op_lease_take, false, false},
	[STORE_CLOCK_GET] = {sqlite_op_clock_get, false, false},
	[STORE_CLOCK_SET] = {sqlite_op_clock_set, false, false},
	[STORE_EVENTS_START] = {run_no_events, false, false},
	[STORE_EVENTS_TAKE] = {run_no_events, false, false},
	[STORE_EVENTS_COUNT] = {run_no_events, false, false},
	[STORE_HISTORY_TRIM] = {run_no_events, false, false},
	[STORE_EVENTS_TELL] = {run_no_events, false, false},
	[STORE_EVENTS_LIST] = {run_no_events, false, false},
	[STORE_ANSWER_FIND] = {run_nothing, false, false},
	[STORE_ANSWER_KEEP] = {run_nothing, false, false},
};

static struct store_op *op_of(struct lane_job *job)
{
	return TD_CONTAINER_OF(job, struct store_op, job);
}

/* ---- health */

static void note_failure(struct sqlite_lane *l, const struct td_err *err)
{
	struct sqlite_store *s = l->store;
	td_lock_take(&s->lock);
	if (!l->failing)
		s->failing_lanes++;
	if (s->health.state != STORE_DOWN) {
		s->health.state = STORE_DOWN;
		s->health.since_ms = td_clock_wall_ms(s->base.clock);
	}
	(void)snprintf(s->health.last_error, sizeof(s->health.last_error), "%.*s",
		(int)sizeof(s->health.last_error) - 1, err->text);
	uint64_t now_ms = td_clock_mono_ms(s->base.clock);
	bool tells = now_ms >= s->tell_due_ms;
	if (tells)
		s->tell_due_ms = now_ms + TELL_EVERY_MS;
	if (tells && s->told_ms == 0)
		s->told_ms = now_ms;
	td_lock_give(&s->lock);
	l->failing = true;
	if (tells && s->faults.failing != NULL)
		s->faults.failing(s->faults.ctx, err);
}

static void note_success(struct sqlite_lane *l)
{
	struct sqlite_store *s = l->store;
	if (!l->failing)
		return;
	l->failing = false;
	uint64_t told_ms = 0;
	td_lock_take(&s->lock);
	if (--s->failing_lanes == 0) {
		s->health.state = STORE_UP;
		s->health.since_ms = td_clock_wall_ms(s->base.clock);
		told_ms = s->told_ms;
		s->told_ms = 0;
	}
	td_lock_give(&s->lock);
	if (told_ms != 0 && s->faults.works != NULL)
		s->faults.works(
			s->faults.ctx, (int64_t)(td_clock_mono_ms(s->base.clock) - told_ms));
}

/* Faults of the store, not of what was asked for. */
static bool is_store_fault(enum td_status status)
{
	return status == TD_TIMEOUT || status == TD_UNAVAILABLE || status == TD_IO ||
	       status == TD_CORRUPT || status == TD_INVALID;
}

/* ---- who asks */

static void note_use(struct sqlite_store *s, struct td_slice id, int64_t used_at)
{
	td_lock_take(&s->lock);
	unsigned count = atomic_load(&s->touch_count);
	for (unsigned i = 0; i < count; i++) {
		if (td_slice_equal(id, td_slice(s->touches[i].id, s->touches[i].id_len))) {
			td_lock_give(&s->lock);
			return;
		}
	}
	if (count < SQLITE_TOUCHES_MOST && id.len < sizeof(s->touches[0].id)) {
		struct sqlite_touch *t = &s->touches[count];
		memcpy(t->id, id.ptr, id.len);
		t->id_len = id.len;
		t->used_at = used_at;
		atomic_store(&s->touch_count, count + 1);
	}
	td_lock_give(&s->lock);
}

/* Within a transaction. What cannot be written down is left: the next use comes. */
static enum td_status write_uses(struct sqlite_lane *l, struct td_err *err)
{
	struct sqlite_store *s = l->store;
	struct sqlite_touch touches[SQLITE_TOUCHES_MOST];
	td_lock_take(&s->lock);
	unsigned count = atomic_load(&s->touch_count);
	memcpy(touches, s->touches, count * sizeof(touches[0]));
	atomic_store(&s->touch_count, 0);
	td_lock_give(&s->lock);
	enum td_status status = TD_OK;
	for (unsigned i = 0; status == TD_OK && i < count; i++) {
		sqlite3_stmt *stmt = sqlite_conn_stmt(&l->conn, SQLITE_QUERY(KEY_TOUCH), err);
		if (stmt == NULL)
			return TD_NOMEM;
		sqlite_bind_slice(stmt, 1, td_slice(touches[i].id, touches[i].id_len));
		sqlite_bind_number(stmt, 2, touches[i].used_at);
		status = sqlite_conn_finish(&l->conn, stmt, err);
	}
	return status;
}

static void remember_key(struct sqlite_seen_key *seen, sqlite3_stmt *stmt)
{
	struct td_slice id = sqlite_column_slice(stmt, 0), name = sqlite_column_slice(stmt, 1);
	bool revoked = sqlite3_column_int64(stmt, 3) != 0;
	seen->status = revoked ? TD_DENIED : TD_OK;
	seen->known = id.len < sizeof(seen->id) && name.len < sizeof(seen->name);
	if (!seen->known)
		return;
	memcpy(seen->id, id.ptr, id.len);
	memcpy(seen->name, name.ptr, name.len);
	seen->id_len = id.len;
	seen->name_len = name.len;
}

static enum td_status look_up_key(struct sqlite_lane *l, struct store_op *op)
{
	struct sqlite_seen_key *seen = &l->seen;
	sqlite3_stmt *stmt = sqlite_conn_stmt(&l->conn, SQLITE_QUERY(KEY_BY_HASH), &op->err);
	if (stmt == NULL)
		return op->err.code;
	seen->known = false;
	sqlite_bind_bytes(stmt, 1, op->auth.hash, TD_SHA256_SIZE);
	enum td_status status = TD_OK;
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		remember_key(seen, stmt);
		memcpy(seen->hash, op->auth.hash, TD_SHA256_SIZE);
		status = seen->known ? seen->status
				     : td_err_set(&op->err, TD_CORRUPT,
					       "a row of api_keys has too long a name");
		if (status == TD_OK && op->now_ms - sqlite3_column_int64(stmt, 2) >= TOUCH_EVERY_MS)
			note_use(l->store, td_slice(seen->id, seen->id_len), op->now_ms);
	} else {
		status = rc == SQLITE_DONE ? TD_DENIED : sqlite_conn_fail(&l->conn, rc, &op->err);
	}
	(void)sqlite3_reset(stmt);
	return status;
}

static enum td_status authorize(struct sqlite_lane *l, struct store_op *op)
{
	struct sqlite_seen_key *seen = &l->seen;
	enum td_status status;
	if (op->auth.kind == STORE_AUTH_NONE)
		return TD_OK;
	if (op->auth.kind == STORE_AUTH_SESSION)
		return sqlite_session_find(&l->conn, op);
	if (seen->known && memcmp(seen->hash, op->auth.hash, TD_SHA256_SIZE) == 0)
		status = seen->status;
	else
		status = look_up_key(l, op);
	if (status != TD_OK)
		return status;
	op->caller.key_id = td_arena_slice(&op->arena, td_slice(seen->id, seen->id_len));
	op->caller.key_name = td_arena_slice(&op->arena, td_slice(seen->name, seen->name_len));
	return op->arena.failed ? td_err_set(&op->err, TD_NOMEM, "no memory for a key's name")
				: TD_OK;
}

/* ---- one operation */

static bool is_answer_of_rules(enum td_status status)
{
	return status == TD_OK || status == TD_EXISTS || status == TD_NOTFOUND ||
	       status == TD_CONFLICT || status == TD_LIMITED;
}

static enum td_status run_and_keep(struct sqlite_lane *l, struct store_op *op)
{
	enum td_status status = kinds[op->kind].run(&l->conn, op);
	if (op->idempotency == NULL || !is_answer_of_rules(status))
		return status;
	enum td_status kept = sqlite_answer_keep(&l->conn, op, status);
	return kept == TD_OK ? status : kept;
}

/* All of the operation or nothing, whatever happens to the others. */
static enum td_status run_in_savepoint(struct sqlite_lane *l, struct store_op *op)
{
	enum td_status status = sqlite_conn_run(&l->conn, SQLITE_QUERY(SAVEPOINT), &op->err);
	if (status != TD_OK)
		return status;
	status = run_and_keep(l, op);
	if (!sqlite_conn_is_open(&l->conn))
		return status;
	enum td_status ended = TD_OK;
	if (!is_answer_of_rules(status))
		ended = sqlite_conn_run(&l->conn, SQLITE_QUERY(ROLLBACK_TO), &op->err);
	if (ended == TD_OK)
		ended = sqlite_conn_run(&l->conn, SQLITE_QUERY(RELEASE), &op->err);
	if (ended != TD_OK)
		sqlite_conn_rollback(&l->conn); /* the batch runs again, one by one */
	return ended == TD_OK ? status : ended;
}

static enum td_status run_op(struct sqlite_lane *l, struct store_op *op)
{
	enum td_status status = authorize(l, op);
	if (status != TD_OK)
		return status;
	if (op->idempotency != NULL) {
		status = sqlite_answer_find(&l->conn, op);
		if (status != TD_NOTFOUND)
			return status;
	}
	if (op->kind == STORE_ANSWER_FIND)
		return TD_NOTFOUND;
	if (op->idempotency != NULL || kinds[op->kind].steps)
		return run_in_savepoint(l, op);
	return kinds[op->kind].run(&l->conn, op);
}

/* As it was before it ran; what the first run left in the arena stays there unused. */
static void forget_run(struct store_op *op)
{
	memset(&op->out, 0, sizeof(op->out));
	memset(&op->caller, 0, sizeof(op->caller));
	op->err = (struct td_err)TD_ERR_INIT;
}

/* ---- telling of changes */

static void call_changed(struct sqlite_store *s)
{
	td_lock_take(&s->lock);
	if (s->changed != NULL)
		s->changed(s->changed_ctx);
	td_lock_give(&s->lock);
}

/* Reads the catalogue's version and calls back when it is another than the last one told. False: it
 * could not be read (the next operation will say why). */
static bool tell_changes(struct sqlite_lane *l)
{
	int64_t version = 0;
	if (sqlite_conn_number(&l->conn, SQLITE_QUERY(CATALOGUE_VERSION), &version, NULL) != TD_OK)
		return false;
	if (atomic_exchange(&l->store->catalogue_version, version) != version)
		call_changed(l->store);
	return true;
}

/* data_version moves when another connection has committed, users too; it costs no page. */
static void watch(struct sqlite_lane *l, uint64_t now_ms)
{
	int64_t data_version = 0;
	l->watched_ms = now_ms;
	if (sqlite_conn_number(&l->conn, SQLITE_QUERY(DATA_VERSION), &data_version, NULL) !=
			TD_OK ||
		data_version == l->data_version)
		return;
	if (tell_changes(l))
		l->data_version = data_version;
}

/* ---- batches */

static void set_deadline(struct sqlite_lane *l, struct lane_job **jobs, size_t count)
{
	uint64_t latest = 0;
	for (size_t i = 0; i < count; i++) {
		if (jobs[i]->deadline_ms > latest)
			latest = jobs[i]->deadline_ms;
	}
	l->conn.deadline_ms = latest;
}

static void fail_all(
	struct sqlite_lane *l, struct lane_job **jobs, size_t count, const struct td_err *err)
{
	note_failure(l, err);
	for (size_t i = 0; i < count; i++) {
		op_of(jobs[i])->err = *err;
		lane_finish(jobs[i], err->code);
	}
}

/* False: the transaction is gone. Those whose time was over before their turn are not run. */
static bool run_ops(struct sqlite_lane *l, struct lane_job **jobs, size_t count, bool waited)
{
	for (size_t i = 0; i < count; i++) {
		if (waited && lane_is_abandoned(l->lane, jobs[i])) {
			l->outcomes[i] = TD_TIMEOUT;
			continue;
		}
		l->outcomes[i] = run_op(l, op_of(jobs[i]));
		if (!sqlite_conn_is_open(&l->conn))
			return false;
	}
	return true;
}

static bool changes_catalogue(const struct sqlite_lane *l, struct lane_job **jobs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (kinds[op_of(jobs[i])->kind].catalogue && l->outcomes[i] == TD_OK)
			return true;
	}
	return false;
}

static void finish_all(struct sqlite_lane *l, struct lane_job **jobs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct store_op *op = op_of(jobs[i]);
		if (is_store_fault(l->outcomes[i]) && op->err.code != TD_OK)
			note_failure(l, &op->err);
		lane_finish(jobs[i], l->outcomes[i]);
	}
}

enum batch_end {
	BATCH_DONE,      /* committed, or never begun: every job has its outcome */
	BATCH_TAKEN_BACK /* nothing of it was done; `err` says why */
};

/* A file that was moved or deleted can still be written, and be gone for the next start: nothing
 * may be acknowledged then. */
static enum td_status check_file_is_there(struct sqlite_conn *conn, struct td_err *err)
{
	int moved = 0;
	int rc = sqlite3_file_control(conn->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	if (rc != SQLITE_OK)
		return sqlite_conn_fail(conn, rc, err);
	if (moved == 0)
		return TD_OK;
	(void)td_err_set(err, TD_UNAVAILABLE,
		"the database file %s was moved or deleted while it is in use; put it back, or "
		"start again",
		conn->path);
	td_err_check(err, "sqlite.writable");
	return TD_UNAVAILABLE;
}

static enum td_status begin_write(struct sqlite_conn *conn, struct td_err *err)
{
	enum td_status status = check_file_is_there(conn, err);
	return status == TD_OK ? sqlite_conn_begin(conn, SQLITE_QUERY(BEGIN_WRITE), err) : status;
}

static enum batch_end write_batch(
	struct sqlite_lane *l, struct lane_job **jobs, size_t count, struct td_err *err)
{
	uint64_t before_ms = td_clock_mono_ms(l->conn.clock);
	int changes_before = sqlite3_total_changes(l->conn.db);
	set_deadline(l, jobs, count);
	l->seen.known = false;
	if (begin_write(&l->conn, err) != TD_OK) {
		fail_all(l, jobs, count, err);
		return BATCH_DONE;
	}
	bool waited = td_clock_mono_ms(l->conn.clock) - before_ms > 1;
	bool whole = run_ops(l, jobs, count, waited);
	if (whole && atomic_load(&l->store->touch_count) != 0)
		whole = write_uses(l, err) == TD_OK && sqlite_conn_is_open(&l->conn);
	if (!whole || sqlite_conn_run(&l->conn, SQLITE_QUERY(COMMIT), err) != TD_OK) {
		sqlite_conn_rollback(&l->conn);
		return BATCH_TAKEN_BACK;
	}
	/* What has changed nothing says nothing about a full disk. */
	if (sqlite3_total_changes(l->conn.db) != changes_before)
		note_success(l);
	finish_all(l, jobs, count);
	if (changes_catalogue(l, jobs, count))
		(void)tell_changes(l); /* else the watch does */
	return BATCH_DONE;
}

/* Each in its own transaction, after the batch was taken back. */
static void write_singly(struct sqlite_lane *l, struct lane_job **jobs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct td_err err = TD_ERR_INIT;
		struct store_op *op = op_of(jobs[i]);
		forget_run(op);
		if (write_batch(l, &jobs[i], 1, &err) == BATCH_DONE)
			continue;
		if (op->err.code == TD_OK)
			op->err = err;
		if (op->err.code == TD_OK)
			(void)td_err_set(&op->err, TD_INTERNAL, "SQLite took a write back");
		note_failure(l, &op->err);
		lane_finish(jobs[i], op->err.code);
	}
}

void sqlite_lane_run_writes(void *ctx, struct lane_job **jobs, size_t count)
{
	struct sqlite_lane *l = ctx;
	struct td_err err = TD_ERR_INIT;
	if (write_batch(l, jobs, count, &err) == BATCH_TAKEN_BACK)
		write_singly(l, jobs, count);
}

void sqlite_lane_run_reads(void *ctx, struct lane_job **jobs, size_t count)
{
	struct sqlite_lane *l = ctx;
	struct td_err err = TD_ERR_INIT;
	set_deadline(l, jobs, count);
	if (l == &l->store->readers[0]) {
		uint64_t now_ms = td_clock_mono_ms(l->conn.clock);
		if (now_ms - l->watched_ms >= l->store->watch_ms)
			watch(l, now_ms);
	}
	l->seen.known = false;
	if (sqlite_conn_begin(&l->conn, SQLITE_QUERY(BEGIN_READ), &err) != TD_OK) {
		fail_all(l, jobs, count, &err);
		return;
	}
	note_success(l);
	for (size_t i = 0; i < count; i++)
		l->outcomes[i] = run_op(l, op_of(jobs[i]));
	sqlite_conn_rollback(&l->conn);
	finish_all(l, jobs, count);
}

/* ---- between batches */

static void flush_uses(struct sqlite_lane *l)
{
	struct td_err err = TD_ERR_INIT;
	if (atomic_load(&l->store->touch_count) == 0 ||
		sqlite_conn_begin(&l->conn, SQLITE_QUERY(BEGIN_WRITE), &err) != TD_OK)
		return;
	if (write_uses(l, &err) != TD_OK ||
		sqlite_conn_run(&l->conn, SQLITE_QUERY(COMMIT), &err) != TD_OK)
		sqlite_conn_rollback(&l->conn);
}

/* After a failure: is it over? So that health tells without a request. */
static void probe_reading(struct sqlite_lane *l)
{
	struct td_err err = TD_ERR_INIT;
	int64_t version = 0;
	if (check_file_is_there(&l->conn, &err) == TD_OK &&
		sqlite_conn_begin(&l->conn, SQLITE_QUERY(BEGIN_READ), &err) == TD_OK &&
		sqlite_conn_number(&l->conn, SQLITE_QUERY(CATALOGUE_VERSION), &version, &err) ==
			TD_OK)
		note_success(l);
	sqlite_conn_rollback(&l->conn);
}

/* Writes a row and takes it away: a disk that is full shows at nothing less, and SQLite does not
 * write a row that stays as it is. */
static void probe_writing(struct sqlite_lane *l)
{
	struct td_err err = TD_ERR_INIT;
	if (begin_write(&l->conn, &err) == TD_OK &&
		sqlite_conn_run(&l->conn, SQLITE_QUERY(LEASE_TRY), &err) == TD_OK &&
		sqlite_conn_run(&l->conn, SQLITE_QUERY(LEASE_TRIED), &err) == TD_OK &&
		sqlite_conn_run(&l->conn, SQLITE_QUERY(COMMIT), &err) == TD_OK)
		note_success(l);
	sqlite_conn_rollback(&l->conn);
}

void sqlite_lane_idle_writer(void *ctx)
{
	struct sqlite_lane *l = ctx;
	l->conn.deadline_ms = td_clock_mono_ms(l->conn.clock) + PROBE_MS;
	if (l->failing)
		probe_writing(l);
	flush_uses(l);
}

void sqlite_lane_idle_watcher(void *ctx)
{
	struct sqlite_lane *l = ctx;
	uint64_t now_ms = td_clock_mono_ms(l->conn.clock);
	l->conn.deadline_ms = now_ms + PROBE_MS;
	if (l->failing)
		probe_reading(l);
	if (l == &l->store->readers[0])
		watch(l, now_ms);
}
