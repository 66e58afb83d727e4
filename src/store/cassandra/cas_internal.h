/* What the parts of Cassandra's store share; for src/store/cassandra/ only. */
#ifndef TD_STORE_CASSANDRA_CAS_INTERNAL_H
#define TD_STORE_CASSANDRA_CAS_INTERNAL_H

#include "base/uuid.h"
#include "cql/client/tls.h"
#include "cql/cql.h"
#include "store/bad_rows.h"
#include "store/cassandra/store_cassandra.h"
#include "work/lock.h"

#include <stdatomic.h>

/* ---- the store */

struct cas_store {
	struct store base; /* first */
	struct store_cassandra_config config;
	struct cql_tls *tls; /* NULL: none */
	struct connect_supervisor *supervisor;
	struct lane *writer, *reader;
	atomic_bool stopping;
	atomic_size_t nodes_inspected; /* 0: never */
	_Atomic uint64_t stop_ms;      /* no request is waited for longer than this; mono */

	struct td_lock lock;
	struct td_cond changed;
	struct cql_session *session;    /* NULL: none; guarded by lock */
	size_t users;                   /* of it, who must let go before it is closed; guarded */
	uint64_t losses;                /* of all its connections; guarded by lock */
	struct store_bad_told bad_told; /* guarded by lock */
	store_changed_fn *told;         /* guarded by lock */
	void *told_ctx;                 /* guarded by lock */

	struct cql_counts counts; /* of the sessions that serve operations */
	_Atomic uint64_t failed_before[CONNECT_CLASS_COUNT]; /* attempts that opened none */

	/* The supervisor's. */
	bool was_up;
	uint8_t password_mark[TD_SHA256_SIZE]; /* of the one that the session has */
	struct connect_failures failures;      /* the last that the session told of */
};

uint64_t cas_now_ms(void);

/* cas_store.c: s->tls by s->config. TD_INVALID, TD_IO: a file cannot be used. */
enum td_status cas_make_tls(struct cas_store *s, struct td_err *err) TD_MUST_CHECK;

/* The session, which stays until cas_let_go(). NULL: there is none. */
struct cql_session *cas_hold(struct cas_store *s) TD_MUST_CHECK;
void cas_let_go(struct cas_store *s);

/* ---- cas_counts.c: what /metrics and /readyz?verbose tell of connections */

/* store_class's get_connections. Any thread. */
bool cas_get_connections(struct store *store, struct store_connections *ret);

/* ---- cas_connect.c */

extern const struct connect_port cas_connect_port; /* without its ctx */

/* A session of its own, with this keyspace for statements that name none, once it can serve
 * requests. Give it to cql_session_close(). TD_UNAVAILABLE, TD_TIMEOUT, TD_NOMEM; those of reading
 * the password. */
enum td_status cas_open(struct cas_store *s, const char *keyspace, struct cql_session **ret_session,
	struct td_err *err) TD_MUST_CHECK;

/* ---- cas_call.c: one statement, waiting */

struct cas_call {
	struct cql_query query;
	struct cql_response response;
	struct td_buf values;
	char text[640];
	bool was_run; /* `response` is to be given back */
	bool may_have_run;
};

/* `format` gets the quoted keyspace where it has "%s", as often as it has it, up to twice. */
void cas_call_init(struct cas_call *call, const struct cas_store *s, const char *format,
	enum cql_consistency consistency);
void cas_call_done(struct cas_call *call);

void cas_bind_text(struct cas_call *call, struct td_slice text);
void cas_bind_time(struct cas_call *call, int64_t wall_ms);
void cas_bind_int(struct cas_call *call, int32_t number);
void cas_bind_bigint(struct cas_call *call, int64_t number);

/* Until timeout_ms. The error is the server's in our words. */
enum td_status cas_call_run(struct cas_call *call, struct cas_store *s, struct cql_session *session,
	unsigned timeout_ms, struct td_err *err) TD_MUST_CHECK;

/* The next row of `count` cells; false: there is none, or its columns are others. */
bool cas_call_row(struct cas_call *call, struct td_slice *cells, size_t count) TD_MUST_CHECK;

/* The cell of a column by its name, in a row of any columns; empty: it has none. */
struct td_slice cas_call_cell(
	const struct cas_call *call, const struct td_slice *cells, const char *name);

/* ---- cas_keyspace.c */

#define CAS_DDL_MS 15000 /* for one change of the schema; nodes wait for each other meanwhile */

/* Makes the keyspace and the table of the lock where they are missing. */
enum td_status cas_keyspace_make(
	struct cas_store *s, struct cql_session *session, struct td_err *err) TD_MUST_CHECK;

enum td_status cas_has_table(struct cas_store *s, struct cql_session *session, const char *table,
	bool *ret_has, struct td_err *err) TD_MUST_CHECK;

/* One change, by a statement that may be repeated; waits until all nodes have it. */
enum td_status cas_change_schema(struct cas_store *s, struct cql_session *session,
	struct td_slice statement, struct td_err *err) TD_MUST_CHECK;

/* ---- cas_lock.c: at most one process migrates or populates
 *
 * A lightweight transaction takes it for CAS_LOCK_S seconds; keeping it renews all its columns.
 * It fences nothing off: who has slept may wake up without it. So it is kept right before each
 * statement, and statements are such that twice is like once. */

#define CAS_LOCK_S 30

struct cas_lock {
	struct cas_store *store;
	struct cql_session *session;
	char owner[TD_UUID_TEXT_SIZE];
	char holder[160]; /* who we are, for people */
	bool is_held;
};

void cas_lock_init(struct cas_lock *lock, struct cas_store *s, struct cql_session *session);

/* TD_OK; TD_BUSY: `err` says who has it; TD_UNAVAILABLE, TD_TIMEOUT and others. */
enum td_status cas_lock_take(struct cas_lock *lock, struct td_err *err) TD_MUST_CHECK;

/* TD_OK: it is ours for CAS_LOCK_S more seconds. TD_CONFLICT: it was lost. */
enum td_status cas_lock_keep(struct cas_lock *lock, struct td_err *err) TD_MUST_CHECK;
void cas_lock_give(struct cas_lock *lock);

/* ---- content, in a lane's thread */

enum td_status cas_content_read(
	struct cas_store *s, struct cql_session *session, struct store_op *op) TD_MUST_CHECK;
enum td_status cas_content_apply(
	struct cas_store *s, struct cql_session *session, struct store_op *op) TD_MUST_CHECK;
enum td_status cas_content_populate(
	struct cas_store *s, struct cql_session *session, struct store_op *op) TD_MUST_CHECK;

/* What is left of the operation's time, at most `most_ms`; 0: nothing. */
unsigned cas_time_left(const struct cas_store *s, const struct store_op *op, unsigned most_ms);

/* ---- the event log, in a lane's thread */

#define CAS_MONTH_SIZE 16

/* "2026-11": the partition, beside the user, of what happened at that time. */
void cas_month_of(int64_t wall_ms, char out[CAS_MONTH_SIZE]);

enum td_status cas_events_tell(
	struct cas_store *s, struct cql_session *session, struct store_op *op) TD_MUST_CHECK;
enum td_status cas_events_list(
	struct cas_store *s, struct cql_session *session, struct store_op *op) TD_MUST_CHECK;

/* A row of another client's that breaks the rules: tells of it once. Any thread. */
void cas_tell_bad_row(struct cas_store *s, const struct store_bad_row *row);

/* Writes the changes, from timestamp_us (0: now), in logged batches. `keep` (NULL: nothing to do)
 * is called before each. */
struct cas_writing {
	struct cas_store *store;
	struct cql_session *session;
	struct store_op *op;
	int64_t timestamp_us;
	struct cas_lock *lock; /* kept before each batch; NULL: none */
};

enum td_status cas_write(const struct cas_writing *w, const struct store_change *changes,
	size_t count) TD_MUST_CHECK;

#endif
