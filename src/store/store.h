/* The port behind which every database stands. An operation is a plain struct; a store takes it,
 * runs it in a lane together with whatever else waits, and says what happened. No store holds a
 * rule of the business: it keeps rows, enforces what is unique, and does what one operation asks
 * for in one transaction or not at all.
 *
 * Threads: everything here may be called by any thread, unless it says otherwise.
 * Time: an operation brings its own time (`now_ms`); no statement asks a database for it.
 * Text that goes in is borrowed until the operation is released, so put it into the operation's
 * arena; text that comes out lives in that arena. */
#ifndef TD_STORE_STORE_H
#define TD_STORE_STORE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/slice.h"
#include "store/rows.h"
#include "work/lane.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_op;

/* ---- operations
 * ------------------------------------------------------------------------------------- */

/* What each does, and its outcomes beside those that all have (below):
 *
 * - AUTHORIZE: nothing but finding out who asks.
 * - USER_PUT: in.user is written under its id. TD_OK: out.user is the row as it stands now,
 *   out.created tells whether it is new; a row that already says the same is left as it is.
 *   TD_EXISTS: another user has the e-mail address.
 * - USER_CREATE: in.user is inserted. TD_OK: out.user. TD_EXISTS: the e-mail address or the id is
 *   taken.
 * - USER_GET: by in.user.id. TD_OK: out.user. TD_NOTFOUND.
 * - USER_BY_EMAIL: by in.user.email, letters compared without case (ASCII). As USER_GET.
 * - KEY_CREATE: in.key is inserted. TD_OK. TD_EXISTS: its id or hash is there.
 * - KEY_LIST: TD_OK: out.keys, oldest first.
 * - KEY_REVOKE: by in.key.id. TD_OK, again too (the first time stays). TD_NOTFOUND.
 * - CATALOGUE_READ: in.parts. TD_OK: out.catalogue, all from one moment, and out.bad_rows.
 * - CATALOGUE_POPULATE: in.catalogue is written whole, if there is no package (and no content) yet.
 *   TD_OK. TD_EXISTS: out.existing packages are there, and nothing was written.
 * - CATALOGUE_APPLY: in.changes, in their order, all or none. TD_OK.
 * - KEPT_PUT: in.text is the content of another store as it was read last, kept for when that is
 *   away. TD_OK. Only stores that may stand beside another keep it; others say TD_INVALID.
 * - KEPT_GET: TD_OK: out.text. TD_NOTFOUND: nothing was kept yet.
 *
 * - SUBSCRIPTION_GET: of in.user.id. TD_OK: out.subscriptions[0] is the live one, or the latest;
 *   out.subscription_count is 0 where the user never had one. TD_NOTFOUND: there is no such user. A
 *   row outside the rules is left out: out.left_out counts them, out.bad_rows names them, or the
 *   first hundred.
 * - SUBSCRIBE: in.subscription and in.history are inserted: one row, whose cycle, price and times
 *   are the subscription's. TD_OK. TD_EXISTS: the user has a live
 *   subscription. TD_NOTFOUND: out.missing says whether it is the user or the package.
 * - SUBSCRIPTION_CHANGE: the row of in.subscription's id becomes what in.subscription says, and
 *   in.history is inserted, if its version is still in.version. TD_OK. TD_CONFLICT: it is not (or
 *   the user has another live one); nothing was written. Repeated after a loss it is recognised by
 *   the id of its last row of history.
 * - SUBSCRIPTION_DUE: TD_OK: out.subscriptions, the live ones whose period has ended at in.due_ms,
 *   by the end of the period; at most in.limit, with those that are left out (as above).
 * - HISTORY_LIST: of in.user.id, newest first, at most in.limit (1 to 1000), before in.before_seq
 *   (0: from the newest). TD_OK: out.history; out.more tells whether older ones are there;
 *   out.trimmed from when to when there may be others that the event log alone has.
 *   TD_NOTFOUND: there is no such user.
 * - ANSWER_FIND: what is kept for `idempotency`. TD_OK (replayed), TD_MISMATCH, TD_NOTFOUND.
 * - ANSWER_KEEP: keeps idempotency->on_ok, and does nothing else. TD_OK.
 *
 * - LOGIN_GET: by in.user.email as USER_BY_EMAIL. TD_OK: out.user, out.password_hash (NULL: none
 *   was set). TD_NOTFOUND.
 * - CHECKOUT: in.user with in.password_hash, in.subscription, in.history and in.session, all of
 *   them or none. TD_OK. TD_EXISTS: the e-mail address (or the id) is taken. TD_NOTFOUND: the
 *   package is gone.
 * - SESSION_CREATE: in.session is inserted; the session of in.old_hash ends (all zero: none); of
 *   in.throttles the first is forgotten and the others count one less; but only while the user's
 *   password hash is in.password_hash (NULL: none is set), which becomes in.renewed_hash (NULL: it
 *   stays). TD_OK. TD_NOTFOUND: it is another, or there is no such user; nothing was written.
 * - SESSION_END: by in.session.hash. TD_OK, where there was none too.
 * - THROTTLE_TAKE: each of in.throttles counts one more; a count that is not there, or whose window
 *   has ended at now_ms, begins at one with a window of in.window_ms. TD_OK. TD_LIMITED: one is
 *   over its limit; out.retry_ms is how long its window still lasts. Two processes at once count
 *   two.
 * - RESET_CREATE: a link to reset the password of the user with in.user.email: in.session.hash and
 *   in.session.expires_at; the user's earlier one is void. TD_OK: out.user. TD_NOTFOUND.
 * - RESET_GET: by in.session.hash. TD_OK: it is in force, and out.user. TD_NOTFOUND.
 * - RESET_USE: the same; the password becomes in.password_hash, the link is void, and all sessions
 *   of the user end. TD_OK: out.user. TD_NOTFOUND.
 *
 * - SWEEP: deletes what has expired at now_ms (answers, sessions, links, throttles), at most
 *   in.limit of each. TD_OK: out.swept; in.limit and more means that there is more.
 * - LEASE_TAKE: in.lease is taken, or renewed where the owner is the same, if nobody else has it at
 *   in.lease.now_ms. TD_OK. TD_CONFLICT: somebody else has it.
 * - CLOCK_GET: TD_OK: out.clock_offset_ms. TD_NOTFOUND: none was set.
 * - CLOCK_SET: the offset becomes in.clock.offset_ms, if it still is in.clock.expected_ms
 *   (STORE_CLOCK_ABSENT: if there is none). TD_OK. TD_CONFLICT.
 *
 * Events are rows of history on their way to an event log. Only stores that may have one keep them;
 * others say TD_INVALID.
 * - EVENTS_START: from now on every new row of history is an event, too, and in.limit of those that
 *   were there before. TD_OK: out.more tells that there are others: call it again.
 * - EVENTS_TAKE: the events with the numbers in.seqs are told, and no events any more; and at most
 *   in.limit others that nobody else has at in.lease.now_ms, the oldest first, are the caller's
 *   until in.lease.expires_at. TD_OK: out.history.
 * - EVENTS_COUNT: TD_OK: out.events.
 * - HISTORY_TRIM: deletes history from before in.due_ms, the oldest first and at most in.limit
 * rows, up to the first that must stay: one that is not so old, or still an event; none while there
 * is history that EVENTS_START has not made events. TD_OK: out.swept; out.more tells that there may
 *   be others.
 *
 * Those of an event log; no other store is asked for them:
 * - EVENTS_TELL: writes in.history, each for what in.ttl_ms (0: for ever) leaves of its life at
 *   now_ms. Twice is like once. TD_OK: all of them are there, but for those whose life is over.
 * - EVENTS_LIST: as HISTORY_LIST, of what happened in in.span, and the user need not be known.
 *
 * All of them: TD_DENIED (in.auth asks for a key or a session, and it is not in force: nothing was
 * done); TD_TIMEOUT (for a write: outcome unknown, or it never ran); TD_UNAVAILABLE, TD_BUSY,
 * TD_STOPPING; TD_NOMEM, TD_IO, TD_CORRUPT, TD_INTERNAL with `err`. */
#define STORE_OP_MAP(X)              \
	X(AUTHORIZE, false)          \
	X(USER_PUT, true)            \
	X(USER_CREATE, true)         \
	X(USER_GET, false)           \
	X(USER_BY_EMAIL, false)      \
	X(KEY_CREATE, true)          \
	X(KEY_LIST, false)           \
	X(KEY_REVOKE, true)          \
	X(CATALOGUE_READ, false)     \
	X(CATALOGUE_POPULATE, true)  \
	X(CATALOGUE_APPLY, true)     \
	X(KEPT_PUT, true)            \
	X(KEPT_GET, false)           \
	X(SUBSCRIPTION_GET, false)   \
	X(SUBSCRIBE, true)           \
	X(SUBSCRIPTION_CHANGE, true) \
	X(SUBSCRIPTION_DUE, false)   \
	X(HISTORY_LIST, false)       \
	X(ANSWER_FIND, false)        \
	X(ANSWER_KEEP, true)         \
	X(LOGIN_GET, false)          \
	X(CHECKOUT, true)            \
	X(SESSION_CREATE, true)      \
	X(SESSION_END, true)         \
	X(THROTTLE_TAKE, true)       \
	X(RESET_CREATE, true)        \
	X(RESET_GET, false)          \
	X(RESET_USE, true)           \
	X(SWEEP, true)               \
	X(LEASE_TAKE, true)          \
	X(CLOCK_GET, false)          \
	X(CLOCK_SET, true)           \
	X(EVENTS_START, true)        \
	X(EVENTS_TAKE, true)         \
	X(EVENTS_COUNT, false)       \
	X(HISTORY_TRIM, true)        \
	X(EVENTS_TELL, true)         \
	X(EVENTS_LIST, false)

enum store_op_kind {
#define STORE_OP_ENUM(name, writes) STORE_##name,
	STORE_OP_MAP(STORE_OP_ENUM)
#undef STORE_OP_ENUM
	STORE_OP_COUNT
};

enum store_parts {
	STORE_PACKAGES = 1,
	STORE_CONTENT = 2, /* metadata and features */
};

enum store_change_kind {
	STORE_PUT_PACKAGE,
	STORE_PUT_METADATA,
	STORE_PUT_FEATURE,
	STORE_DELETE_METADATA,
	STORE_DELETE_FEATURE,
};

struct store_change {
	enum store_change_kind kind;
	struct store_package package; /* by slug; an id that exists stays, and so does created_at */
	struct store_metadata metadata;
	struct store_feature feature;
};

/* Who asks: nobody in particular, the owner of an API key, or a user with a session. A session goes
 * with AUTHORIZE only, so that what comes next knows whose it is. */
enum store_auth_kind {
	STORE_AUTH_NONE,
	STORE_AUTH_KEY,
	STORE_AUTH_SESSION,
};

struct store_auth {
	enum store_auth_kind kind;
	uint8_t hash[TD_SHA256_SIZE]; /* of the key's text, or of the session's token */
};

struct store_caller {
	struct td_slice key_id, key_name; /* of a key */
	struct td_slice user_id;          /* of a session */
};

/* Real time, not the test clock's. One of another owner that ends later than a minute after this
 * one would is of a clock that was wrong, and counts as over. */
struct store_lease {
	struct td_slice name, owner;
	int64_t now_ms, expires_at;
};

#define STORE_CLOCK_ABSENT INT64_MIN

struct store_clock_set {
	int64_t offset_ms, expected_ms;
};

/* Both within; to_ms 0: none. */
struct store_span {
	int64_t from_ms, to_ms;
};

struct store_events {
	bool started;      /* EVENTS_START was called once */
	int64_t waiting;   /* how many are not told yet */
	int64_t oldest_ms; /* the time of the oldest of them; 0: there is none */
};

enum store_missing {
	STORE_MISSING_NOTHING,
	STORE_MISSING_USER,
	STORE_MISSING_PACKAGE,
};

/* Keeps the answer of a POST in the same transaction as what it did. The operation's own outcome
 * decides which answer is kept: `on_ok` with TD_OK, `on_exists` with TD_EXISTS (where its
 * http_status is not 0); with any other outcome nothing is kept. Where the key is known already,
 * the operation itself is not run: TD_OK with `replayed` and `kept`, when the fingerprint is the
 * same, else TD_MISMATCH. */
struct store_idempotency {
	struct td_slice caller, route, key;
	uint8_t fingerprint[TD_SHA256_SIZE];
	int64_t expires_at; /* an entry that has expired counts as absent, and is deleted by and by
			     */
	struct store_answer on_ok, on_exists;

	bool replayed;
	struct store_answer kept;
};

typedef void store_done_fn(struct store_op *op, enum td_status status);
typedef void store_release_fn(struct store_op *op);

struct store_op {
	struct lane_job job; /* the store's; first */

	/* Filled by the caller. */
	enum store_op_kind kind;
	int64_t now_ms;
	uint64_t deadline_ms; /* of the store's clock, mono_ms */
	struct store_auth auth;
	struct store_idempotency *idempotency; /* NULL: none */
	struct {
		struct store_user user;
		struct store_api_key key;
		unsigned parts; /* of enum store_parts */
		/* For stores that read content by partition: the packages whose content is wanted;
		 * NULL: of all that have some. Others take no notice. */
		const struct td_slice *slugs;
		size_t slug_count;
		const struct store_catalogue *catalogue;
		const struct store_change *changes;
		size_t change_count;
		struct td_slice text;
		const struct store_subscription *subscription;
		int64_t version;
		const struct store_history *history;
		size_t history_count;
		int64_t due_ms, before_seq, ttl_ms;
		struct store_span span;
		size_t limit;
		struct td_slice password_hash, renewed_hash;
		struct store_session session;
		uint8_t old_hash[TD_SHA256_SIZE];
		const struct store_throttle *throttles;
		size_t throttle_count;
		int64_t window_ms;
		struct store_lease lease;
		struct store_clock_set clock;
		const int64_t *seqs;
		size_t seq_count;
	} in;
	store_done_fn *done;       /* as lane_job's: once, any thread, short */
	store_release_fn *release; /* as lane_job's: the memory may go now */
	void *owner;               /* the caller's */

	/* Filled by the store before `done`; not to be read after TD_TIMEOUT. */
	struct store_caller caller;
	struct {
		struct store_user user;
		bool created;
		struct store_api_key *keys;
		size_t key_count;
		struct store_catalogue catalogue;
		struct store_bad_row *bad_rows;
		size_t bad_row_count, left_out;
		size_t existing;
		struct td_slice text;
		struct store_subscription *subscriptions;
		size_t subscription_count;
		struct store_history *history;
		size_t history_count;
		bool more;
		struct store_span trimmed;
		enum store_missing missing;
		struct td_slice password_hash;
		int64_t retry_ms, clock_offset_ms;
		size_t swept;
		struct store_events events;
	} out;
	struct td_err err;
	struct td_arena arena;

	/* The store's own: what earlier tries left. Zero at first. */
	struct {
		bool repeated;        /* one of them may have been committed */
		bool blocked;         /* the last one met a lock of somebody else's */
		unsigned collisions;  /* those that a row of somebody else's stood in the way of */
		struct td_slice mark; /* what it is recognised by; NULL pointer: none yet */
	} tried;
};

const char *store_op_name(enum store_op_kind kind);
bool store_op_writes(enum store_op_kind kind);

/* A fresh operation, zeroed, to be given to store_op_free() in `release` (or when it was not
 * taken). NULL: no memory. */
struct store_op *store_op_new(enum store_op_kind kind) TD_MUST_CHECK;
void store_op_free(struct store_op *op);

/* Hands the operation over; never waits.
 *   TD_OK                            `done` then `release` will be called, once each
 *   TD_BUSY, TD_STOPPING, TD_UNAVAILABLE   neither is called; the operation stays the caller's */
enum td_status store_submit(struct store *store, struct store_op *op) TD_MUST_CHECK;

/* Submits and waits; for commands and start-up, never on an HTTP thread. Sets op->done and
 * op->release itself. On TD_TIMEOUT the operation belongs to the store, *op is NULL then; else it
 * stays the caller's to free. */
enum td_status store_call(
	struct store *store, struct store_op **op, struct td_err *err) TD_MUST_CHECK;

/* The same in two steps, for who has something else to do meanwhile. After TD_OK store_await() must
 * follow, with the same operation. */
struct store_waiting;
enum td_status store_begin(struct store *store, struct store_op *op,
	struct store_waiting **ret_waiting, struct td_err *err) TD_MUST_CHECK;
enum td_status store_await(
	struct store_waiting *waiting, struct store_op **op, struct td_err *err) TD_MUST_CHECK;

/* ---- a store
 * ---------------------------------------------------------------------------------------- */

enum store_state {
	STORE_CONNECTING,
	STORE_UP,
	STORE_DOWN,
};

struct store_health {
	const char *name; /* "sqlite", "postgresql", "cassandra"; static */
	enum store_state state;
	int64_t since_ms;           /* wall clock */
	char last_error[256];       /* "" where there was none */
	int64_t next_attempt_in_ms; /* -1: none is planned */
};

#define STORE_FAILURES_MOST 24

struct store_failures {
	const char *class; /* "REFUSED"; static */
	uint64_t count;
};

/* Of a store behind a network: the connections that it keeps. */
struct store_connections {
	size_t open;
	uint64_t made, reconnects; /* in all; how often it came back after a loss */
	int64_t lost_ms;           /* since the loss, while it is away; else 0 */
	int64_t oldest_ms;         /* the age of the oldest that is open; 0 where none is */
	struct store_failures failures[STORE_FAILURES_MOST]; /* attempts in vain, by their reason */
	size_t failure_count;
};

/* Something in the catalogue's tables may have changed, by anybody. Called by a thread of the
 * store; short. */
typedef void store_changed_fn(void *ctx);

/* Called with each lane; for metrics. */
typedef void store_lane_fn(void *ctx, struct lane *lane);

/* Implemented by each kind of store; the functions below call through it. */
struct store_class {
	enum td_status (*submit)(struct store *store, struct store_op *op);
	void (*get_health)(struct store *store, struct store_health *ret_health);
	/* NULL: a store without connections. */
	bool (*get_connections)(struct store *store, struct store_connections *ret_connections);
	void (*set_changed)(struct store *store, store_changed_fn *fn, void *ctx);
	void (*each_lane)(struct store *store, store_lane_fn *fn, void *ctx);
	void (*expire)(struct store *store, uint64_t now_ms);
	void (*hurry)(struct store *store, uint64_t deadline_ms);
	void (*stop)(struct store *store, uint64_t drain_deadline_ms);
	void (*destroy)(struct store *store);
};

/* First member of each kind's own struct. */
struct store {
	const struct store_class *class;
	const struct td_clock *clock;
};

void store_get_health(struct store *store, struct store_health *ret_health);

/* False: it has none. Any thread. */
bool store_get_connections(struct store *store, struct store_connections *ret_connections);

/* fn NULL: nobody. The function that was set before is not running any more when it returns; so not
 * from within it. */
void store_set_changed(struct store *store, store_changed_fn *fn, void *ctx);
void store_each_lane(struct store *store, store_lane_fn *fn, void *ctx);

/* Answers what has passed its deadline; td_tick_fn's shape. */
void store_expire(void *store, uint64_t now_ms);

/* From now on no operation waits for a lock or a server longer than this, whatever its own
 * deadline: so that it is answered while there is somebody to answer to. Before store_stop(). */
void store_hurry(struct store *store, uint64_t deadline_ms);

/* Runs what waits until the deadline, answers the rest TD_STOPPING, takes nothing more. */
void store_stop(struct store *store, uint64_t drain_deadline_ms);

/* Stops it if need be. NULL is fine. store_expire() must not run any more. */
void store_destroy(struct store *store);

#endif
