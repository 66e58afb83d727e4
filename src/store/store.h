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
#include "work/lane.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_op;

/* ---- rows
 * ------------------------------------------------------------------------------------------- */

/* Amounts are minor units (base/money.h), times milliseconds since 1970 UTC. Optional text that is
 * absent has a NULL pointer. */

struct store_user {
	struct td_slice id, email, first_name, last_name, company; /* company: optional */
	int64_t created_at, updated_at;
};

struct store_package {
	struct td_slice id, slug, name, description, currency;
	int64_t price_monthly, price_yearly;
	int64_t rate_limit_per_hour, rate_limit_per_day;
	int64_t display_order;
	bool is_active;
	int64_t created_at, updated_at;
};

struct store_metadata {
	struct td_slice package_slug, key, value;
	int64_t updated_at;
};

struct store_feature {
	struct td_slice package_slug, feature_id, name, description, icon, category;
	bool included;
	int64_t display_order;
	int64_t updated_at;
};

/* Packages by display_order, then slug; metadata by package_slug, key; features by package_slug,
 * display_order, feature_id. */
struct store_catalogue {
	struct store_package *packages;
	size_t package_count;
	struct store_metadata *metadata;
	size_t metadata_count;
	struct store_feature *features;
	size_t feature_count;
};

/* A row that breaks the rules a client of the tables should keep (a negative price, bytes that are
 * not UTF-8): it is left out of what is read and named here, so that it can be logged once. */
struct store_bad_row {
	struct td_slice table, key, why;
};

struct store_api_key {
	struct td_slice id, name;
	uint8_t hash[TD_SHA256_SIZE]; /* of the whole key's text */
	int64_t created_at;
	int64_t last_used_at; /* 0: never */
	int64_t revoked_at;   /* 0: in force */
};

/* An answer that is kept for a repeated request (Idempotency-Key). */
struct store_answer {
	int http_status;
	struct td_slice body, location; /* location: optional */
};

/* ---- operations
 * ------------------------------------------------------------------------------------- */

/* What each does and which outcomes it has beside those that all have (below):
 *  AUTHORIZE          nothing but finding out who asks
 *  USER_PUT           in.user is written under its id. TD_OK: out.user is the row as it stands now,
 * out.created tells whether it is new; a row that already says the same is left as it is.
 * TD_EXISTS: another user has the e-mail address USER_CREATE        in.user is inserted. TD_OK:
 * out.user; TD_EXISTS: the e-mail address or the id is taken USER_GET           by in.user.id.
 * TD_OK: out.user; TD_NOTFOUND USER_BY_EMAIL      by in.user.email, letters compared without case
 * (ASCII). TD_OK: out.user; TD_NOTFOUND KEY_CREATE         in.key is inserted. TD_OK; TD_EXISTS:
 * its id or hash is there KEY_LIST           TD_OK: out.keys, oldest first KEY_REVOKE         by
 * in.key.id. TD_OK, again too (the first time stays); TD_NOTFOUND CATALOGUE_READ     in.parts.
 * TD_OK: out.catalogue, all from one moment, and out.bad_rows CATALOGUE_POPULATE in.catalogue is
 * written whole, if there is no package (and no content) yet. TD_OK; TD_EXISTS: out.existing
 * packages are there, and nothing was written CATALOGUE_APPLY    in.changes, in their order, all or
 * none. TD_OK
 *
 * All of them: TD_DENIED (in.auth is needed and the key is not known or revoked: nothing was done);
 * TD_TIMEOUT (for a write: outcome unknown, or it never ran); TD_UNAVAILABLE, TD_BUSY, TD_STOPPING;
 * TD_NOMEM, TD_IO, TD_CORRUPT, TD_INTERNAL with `err`. */
#define STORE_OP_MAP(X)             \
	X(AUTHORIZE, false)         \
	X(USER_PUT, true)           \
	X(USER_CREATE, true)        \
	X(USER_GET, false)          \
	X(USER_BY_EMAIL, false)     \
	X(KEY_CREATE, true)         \
	X(KEY_LIST, false)          \
	X(KEY_REVOKE, true)         \
	X(CATALOGUE_READ, false)    \
	X(CATALOGUE_POPULATE, true) \
	X(CATALOGUE_APPLY, true)

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

/* Who asks. */
struct store_auth {
	bool needed;
	uint8_t key_hash[TD_SHA256_SIZE];
};

struct store_caller {
	struct td_slice key_id, key_name;
};

/* Keeps the answer of a POST in the same transaction as what it did. The operation's own outcome
 * decides which answer is kept: `on_ok` with TD_OK, `on_exists` with TD_EXISTS; with any other
 * outcome nothing is kept. Where the key is known already, the operation itself is not run: TD_OK
 * with `replayed` and `kept`, when the fingerprint is the same, else TD_MISMATCH. */
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
		const struct store_catalogue *catalogue;
		const struct store_change *changes;
		size_t change_count;
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
		size_t bad_row_count;
		size_t existing;
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

/* Something in the catalogue's tables may have changed, by anybody. Called by a thread of the
 * store; short. */
typedef void store_changed_fn(void *ctx);

/* Called with each lane; for metrics. */
typedef void store_lane_fn(void *ctx, struct lane *lane);

/* Implemented by each kind of store; the functions below call through it. */
struct store_class {
	enum td_status (*submit)(struct store *store, struct store_op *op);
	void (*get_health)(struct store *store, struct store_health *ret_health);
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
