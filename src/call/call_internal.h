/* What the files of call/ share. */
#ifndef TD_CALL_CALL_INTERNAL_H
#define TD_CALL_CALL_INTERNAL_H

#include "call/call.h"
#include "work/lock.h"

struct call_pool;

struct calls {
	const struct td_clock *clock;
	unsigned store_timeout_ms;
	bool has_test_clock;
	char *public_url; /* owned; or NULL */
	bool is_https;
	struct call_pool *pool;
	_Atomic(struct store *) store, event_log;
	_Atomic int64_t offset_ms; /* of the test clock, as last heard */
	atomic_uint refs;          /* one of its owner, one of each call */
	struct td_lock lock;
	struct call *first; /* guarded by lock: calls whose request waits */
};

/* ---- calls.c */

void calls_ref(struct calls *calls);
void calls_unref(struct calls *calls);
void calls_list(struct call *call);
void calls_unlist(struct call *call);

/* ---- call.c */

void call_unref(struct call *call);

/* ---- hash.c: threads for nothing but hashing, so that neither HTTP nor a store waits for it */

/* NULL where it failed. Give it to call_pool_destroy(). */
enum td_status call_pool_create(unsigned threads, const struct td_clock *clock,
	struct call_pool **ret_pool, struct td_err *err) TD_MUST_CHECK;

/* Hashes that wait are answered TD_STOPPING; the one that runs is waited for. */
void call_pool_stop(struct call_pool *pool);

/* Stops it where that was not done. NULL is fine. */
void call_pool_destroy(struct call_pool *pool);
void call_pool_tick(struct call_pool *pool, uint64_t now_ms);
void call_pool_each_lane(struct call_pool *pool, store_lane_fn *fn, void *ctx);

/* The job with copies of all that it borrows; the call's, given back with it. NULL: no memory. */
struct call_hash *call_hash_create(struct call *call, const struct app_hash_job *job) TD_MUST_CHECK;
void call_hash_free(struct call_hash *hash);
struct call_hash *call_hash_next(const struct call_hash *hash);

/* TD_OK: call->status is its outcome when the request is woken, and a reference of the call is let
 * go later. Else the job was not taken. */
enum td_status call_pool_submit(struct call_pool *pool, struct call_hash *hash) TD_MUST_CHECK;

/* What came of it, after TD_OK. */
void call_hash_result(const struct call_hash *hash, struct app_hash_job *job);

#endif
