/* A lane's thread at work: batches of operations on one connection. Only for src/store/sqlite/. */
#ifndef TD_STORE_SQLITE_LANE_RUN_H
#define TD_STORE_SQLITE_LANE_RUN_H

#include "store/sqlite/conn.h"
#include "store/sqlite/store_sqlite.h"
#include "store/store.h"
#include "work/lane.h"
#include "work/lock.h"

#define SQLITE_BATCH_MOST 512

struct sqlite_store;

/* The last key that was looked up in this transaction: requests of one client come together. */
struct sqlite_seen_key {
	bool known;
	uint8_t hash[TD_SHA256_SIZE];
	enum td_status status;
	char id[65], name[801]; /* 64 and 200 characters */
	size_t id_len, name_len;
};

/* One lane with its connection; all of it is for its thread only, but for `lane`. */
struct sqlite_lane {
	struct sqlite_store *store;
	struct lane *lane;
	struct sqlite_conn conn;
	bool failing; /* its last transaction did not end well */
	struct sqlite_seen_key seen;
	enum td_status outcomes[SQLITE_BATCH_MOST];
	/* The watch. */
	int64_t data_version;
	uint64_t watched_ms;
};

/* lane_run_fn and idle of both kinds; ctx is the struct sqlite_lane. */
void sqlite_lane_run_writes(void *ctx, struct lane_job **jobs, size_t count);
void sqlite_lane_run_reads(void *ctx, struct lane_job **jobs, size_t count);
void sqlite_lane_idle_writer(void *ctx);
void sqlite_lane_idle_watcher(void *ctx);

/* Keys whose use is to be written down, at most once a minute each. */
#define SQLITE_TOUCHES_MOST 64

struct sqlite_touch {
	char id[65];
	size_t id_len;
	int64_t used_at;
};

struct sqlite_store {
	struct store base; /* first */
	struct sqlite_lane writer;
	struct sqlite_lane readers[16];
	unsigned reader_count;
	unsigned watch_ms;
	struct store_sqlite_observer faults;
	_Atomic unsigned next_reader;
	_Atomic uint64_t stop_ms;          /* nothing waits longer; UINT64_MAX: not stopping */
	_Atomic int64_t catalogue_version; /* that the callback was last called for */

	struct td_lock lock;
	store_changed_fn *changed;     /* guarded by lock, and called under it */
	void *changed_ctx;             /* guarded by lock */
	struct store_health health;    /* guarded by lock */
	unsigned failing_lanes;        /* guarded by lock */
	uint64_t told_ms, tell_due_ms; /* mono; told_ms 0: all is well; guarded by lock */
	struct sqlite_touch touches[SQLITE_TOUCHES_MOST]; /* guarded by lock */
	_Atomic unsigned touch_count;                     /* written under lock */
};

#endif
