/* What the files of this folder share; nobody else includes it. */
#ifndef TD_STORE_POSTGRES_PG_STORE_INTERNAL_H
#define TD_STORE_POSTGRES_PG_STORE_INTERNAL_H

#include "store/bad_rows.h"
#include "store/postgres/pg_array.h"
#include "store/postgres/pg_connection.h"
#include "store/postgres/store_postgres.h"
#include "store/store.h"
#include "work/lock.h"

#include <stdatomic.h>

#define PG_READERS     2
#define PG_BATCH_LIMIT 256
#define PG_QUEUE_LIMIT 8192
#define PG_PARAMS_MOST 40

/* How long a write waits for a lock: at first, and where others wait for it. The first is a setting
 * of the writer's session. */
#define PG_LOCK_MS      100
#define PG_LOCK_TURN_MS 5

/* Every statement has a number, by which a connection knows whether it has prepared it. */
enum pg_statement {
	PG_STMT_CALLERS,
	PG_STMT_KEY_USED,
	PG_STMT_KEYS_CREATE,
	PG_STMT_KEYS_REVOKE,
	PG_STMT_USERS_BY_ID,
	PG_STMT_USERS_BY_EMAIL,
	PG_STMT_SUBSCRIPTIONS_BY_USER,
	PG_STMT_SUBSCRIBE,
	PG_STMT_SUBSCRIPTIONS_CHANGE,
	PG_STMT_SESSIONS_BY_HASH,
	PG_STMT_LOGINS_BY_EMAIL,
	PG_STMT_USERS_PUT,
	PG_STMT_USERS_CREATE,
	PG_STMT_ANSWERS_EXPIRE,
	PG_STMT_ANSWERS_CLAIM,
	PG_STMT_ANSWERS_FIX,
	PG_STMT_ANSWERS_READ,
	PG_STMT_COUNT,
};

struct pg_statement_text {
	bool reads; /* what only reads is prepared by readers too */
	const char *sql;
};
extern const struct pg_statement_text pg_statements[PG_STMT_COUNT];
/* Parameters: a time, a limit; rows for pg_subscription(). */
extern const char pg_sql_subscriptions_due[];

/* Who keeps a connection. */
enum pg_holder {
	PG_HOLDER_SUPERVISOR,
	PG_HOLDER_WRITER,
	PG_HOLDER_READER, /* the first; the others follow */
	PG_HOLDERS = PG_HOLDER_READER + PG_READERS,
};

/* Of connections that are kept; those for one thing (a migration) are not counted. */
struct pg_counts {
	_Atomic uint64_t made;
	_Atomic uint64_t open_since_ms[PG_HOLDERS]; /* mono; 0: not open */
	_Atomic uint64_t failed[CONNECT_CLASS_COUNT];
};

/* One lane with its own connection. The lane's thread only, but for `lane`. */
struct pg_lane {
	struct pg_store *store;
	struct lane *lane;
	bool writes; /* it is the writer: prepares the statements that write too */
	enum pg_holder holder;
	PGconn *conn;     /* NULL: not connected */
	unsigned made_in; /* the epoch in which it was made */
	int left_pid;     /* of the server's process for the connection before; 0: it is gone */
	struct connect_backoff backoff; /* after a connection that failed though the server is up */
	uint64_t not_before_ms;         /* mono: no attempt before it, within the same epoch */
	unsigned epoch;
	unsigned turn;      /* the writer's: whose turn it is of those that are blocked */
	uint64_t retire_ms; /* connections are replaced at this age, so that changed addresses are
			       noticed */
};

struct pg_store {
	struct store base;
	struct store_postgres_config config;
	struct pg_config pg;
	struct connect_supervisor *supervisor;
	PGconn *control;       /* the supervisor's thread only: LISTEN, heartbeat */
	uint64_t heartbeat_ms; /* the supervisor's thread only: when it last answered */
	bool heard_nothing;    /* the supervisor's thread only: just connected */
	atomic_uint epoch;     /* how often the supervisor has connected */
	atomic_bool away;      /* the supervisor has lost the server: waits of lanes end at once */
	atomic_bool pooled;    /* a pooler stands between */
	atomic_bool stopping;  /* store_stop() was called */
	_Atomic uint64_t stop_ms;        /* mono: from then on no lane waits for the server */
	_Atomic uint64_t refused_due_ms; /* mono: when the observer may hear of a refusal again */
	struct pg_lane writer, readers[PG_READERS];
	struct pg_counts counts;
	uint8_t clash_secret[8]; /* set before start, then read-only: see pg_clash.c */
	atomic_uint next_reader;
	struct td_lock lock;
	store_changed_fn *changed;      /* guarded by lock */
	void *changed_ctx;              /* guarded by lock */
	struct store_bad_told bad_told; /* guarded by lock */
};

/* ---- pg_lane.c: a lane's connection
 * ------------------------------------------------------------------- */

/* What the batch may take: until the last of its jobs' deadlines, or until the server is away. */
struct connect_limit pg_batch_limit(struct pg_lane *l, struct lane_job **jobs, size_t count);

/* Connected, or why not. */
enum td_status pg_lane_ensure(
	struct pg_lane *l, const struct connect_limit *limit, struct td_err *err) TD_MUST_CHECK;
void pg_lane_drop(struct pg_lane *l);

/* One parameter: text or a finished array. */
struct pg_param {
	const char *bytes;
	int length;
};

/* Queues a statement (prepared; unnamed through a pooler). False: lost. */
bool pg_send(
	struct pg_lane *l, enum pg_statement statement, const struct pg_param *params, int count);

/* Queues a sync and sends all; then pg_receive() gives each queued statement's result in turn. */
bool pg_sync(struct pg_lane *l, const struct connect_limit *limit);
/* Sends all and asks for results without a sync: the transaction goes on. */
bool pg_push(struct pg_lane *l, const struct connect_limit *limit);

/* The result of the next statement that was queued with pg_send(). TD_OK: *ret is the caller's to
 * PQclear(). TD_CONFLICT: a serialization failure or a deadlock; TD_EXISTS: a unique constraint;
 * TD_UNAVAILABLE: lost; others with `err`. */
enum td_status pg_receive(struct pg_lane *l, const struct connect_limit *limit, PGresult **ret,
	struct td_err *err) TD_MUST_CHECK;

/* Reads up to and with the sync. TD_OK: the transaction is committed. Else it was rolled back and
 * `err` says why, or TD_UNAVAILABLE: lost, and whether it was committed is unknown. */
enum td_status pg_receive_sync(
	struct pg_lane *l, const struct connect_limit *limit, struct td_err *err) TD_MUST_CHECK;

/* A sync, and everything up to it. `status` is how the transaction went so far: TD_OK becomes what
 * the commit says. TD_UNAVAILABLE goes before every other: results are outstanding, so the
 * connection must be dropped. */
enum td_status pg_end(struct pg_lane *l, const struct connect_limit *limit, enum td_status status,
	struct td_err *err) TD_MUST_CHECK;

/* The same for a sync that was sent already. */
enum td_status pg_end_synced(struct pg_lane *l, const struct connect_limit *limit,
	enum td_status status, struct td_err *err) TD_MUST_CHECK;

/* ---- pg_counts.c: what is told of connections
 * --------------------------------------------------------------------- */

void pg_note_open(struct pg_store *s, enum pg_holder holder);
void pg_note_closed(struct pg_store *s, enum pg_holder holder);
void pg_note_failed(struct pg_store *s, enum connect_class class);

/* store_class's get_connections. */
bool pg_get_connections(struct store *store, struct store_connections *ret);

/* ---- pg_migrate.c
 * ------------------------------------------------------------------------------------------------
 */

/* What a migration would do, read through a connection that is there already. */
enum td_status pg_plan(struct pg_store *s, PGconn *conn, const char *schema_dir,
	struct td_arena *arena, struct migrate_plan *ret_plan, struct td_err *err) TD_MUST_CHECK;

/* One row of one column: who migrates just now, or NULL. */
extern const char pg_sql_migration_holder[];

/* What to do where the role may make no tables; a sentence without a dot. */
extern const char pg_words_make_tables[];

/* ---- batches
 * ------------------------------------------------------------------------------------------- */

/* lane_run_fn's shape; ctx is a struct pg_lane. */
void pg_run_reads(void *ctx, struct lane_job **jobs, size_t count);
void pg_run_writes(void *ctx, struct lane_job **jobs, size_t count);

/* One operation in a batch, and how it stands. */
struct pg_task {
	struct store_op *op;
	struct td_slice key; /* what its row is found by */
	enum td_status outcome;
	bool settled;  /* outcome is final */
	bool again;    /* the transaction is fine, but it did nothing and must run again */
	bool claimed;  /* its idempotency entry is ours */
	bool note_use; /* its key was not used for a minute */
};

/* pg_callers.c: who asks. One look-up for all keys of the batch in a transaction of its own: sets
 * op->caller, or settles a task with TD_DENIED. Nothing is sent where nobody needs it. TD_OK, or
 * why not. */
enum td_status pg_identify(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err) TD_MUST_CHECK;

/* The same in two halves, so that reads share one sync. */
enum td_status pg_identify_send(
	struct pg_lane *l, struct pg_task *tasks, size_t count, bool *ret_sent) TD_MUST_CHECK;
enum td_status pg_identify_receive(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err) TD_MUST_CHECK;

/* Notes that keys were used, at most once a minute for each; failing is of no consequence. */
void pg_note_use(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *tasks, size_t count);

/* pg_answers.c: Idempotency-Key. All within the transaction of the batch. */
enum td_status pg_answers_claim(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err) TD_MUST_CHECK;
/* After the operations ran: those with TD_EXISTS keep their other answer. */
enum td_status pg_answers_fix(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err) TD_MUST_CHECK;
/* Those that must run again, or whose outcome has no answer to keep, give their entry back. */
enum td_status pg_answers_disclaim(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err) TD_MUST_CHECK;
/* In a transaction of its own: what is kept for those whose key was there before; settles them. */
enum td_status pg_answers_read(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *tasks, size_t count, struct td_err *err) TD_MUST_CHECK;

/* Settles the tasks of a batch that failed as a whole. */
void pg_settle_all(
	struct pg_task *tasks, size_t count, enum td_status status, const struct td_err *err);

/* Tells the lane each task's outcome. TD_IO, a server without room, is TD_UNAVAILABLE for whoever
 * asked, and told to the observer. */
void pg_finish_all(struct pg_lane *l, struct pg_task *tasks, size_t count);

/* Columns that are built up row by row and sent as arrays. */
struct pg_columns {
	struct pg_array columns[PG_PARAMS_MOST];
	int count;
};
void pg_columns_begin(struct pg_columns *c, const enum pg_type *types, int count);
void pg_columns_done(struct pg_columns *c);
/* TD_OK, TD_NOMEM, TD_UNAVAILABLE. The columns may be done with afterwards. */
enum td_status pg_columns_send(
	struct pg_lane *l, enum pg_statement statement, struct pg_columns *c) TD_MUST_CHECK;

/* ---- rows
 * ---------------------------------------------------------------------------------------------- */

/* Columns of results in binary form. */
struct td_slice pg_text(
	const PGresult *r, int row, int column, struct td_arena *arena); /* null: a NULL pointer */
int64_t pg_int(const PGresult *r, int row, int column);
bool pg_bool(const PGresult *r, int row, int column);
int64_t pg_time(const PGresult *r, int row, int column); /* null: 0; see pg_is_time() */

/* Years 1 to 9999, which every reader can write down; PostgreSQL has others too, and infinity.
 * pg_time() gives the nearest. */
bool pg_is_time(const PGresult *r, int row, int column);

/* A price in cents. NaN, which a CHECK takes for greater than any number and a cast refuses, is -1:
 * readers leave such a row out. */
#define PG_SQL_CENTS(column) \
	"CASE WHEN " column " = 'NaN' THEN -1 ELSE (" column " * 100)::bigint END"

/* id, email, first_name, last_name, company, created_at, updated_at from `column` on. TD_NOTFOUND:
 * it breaks the rules, and was told of. TD_NOMEM. */
enum td_status pg_user(struct pg_store *s, const PGresult *r, int row, int column,
	struct td_arena *arena, struct store_user *ret_user) TD_MUST_CHECK;

/* Tells of a row that is not served, unless that was done before. */
void pg_tell_bad_row(struct pg_store *s, const struct store_bad_row *row);

/* The columns of SUBSCRIPTION_COLUMNS (pg_statements.c) from `column` on. NULL, or why the row is
 * outside the rules; static. */
const char *pg_subscription(const PGresult *r, int row, int column, struct td_arena *arena,
	struct store_subscription *ret_row);

#endif
