/* The pool that hashes passwords: a lane for each thread, one job at a time. It is bounded twice,
 * by its threads (memory and processors) and by its queues (how long anybody waits). */
#include "app/password.h"
#include "base/alloc.h"
#include "call/call_internal.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* Some 50 ms each: those at the end of the queue still meet STORE_TIMEOUT's default. */
#define QUEUE_MOST 128

/* One thread. */
struct hasher {
	struct lane *lane;
	char name[24]; /* "password-1" */
};

struct call_pool {
	size_t count;
	atomic_size_t turn;
	struct hasher hashers[];
};

struct call_hash {
	struct lane_job job; /* first */
	struct call *call;   /* a reference while the pool has the job */
	struct http_request *rq;
	struct call_hash *next;
	struct app_hash_job work;
	size_t secret_len;
	char text[]; /* the password, then the hash */
};

static struct call_hash *hash_of(struct lane_job *job)
{
	return TD_CONTAINER_OF(job, struct call_hash, job);
}

/* ---- a job
 * --------------------------------------------------------------------------------------------- */

struct call_hash *call_hash_create(struct call *call, const struct app_hash_job *job)
{
	size_t password_len = job->password.len, hash_len = job->hash.len;
	struct call_hash *hash = td_alloc(sizeof(*hash) + password_len + hash_len + 1);
	if (hash == NULL)
		return NULL;
	*hash = (struct call_hash){.call = call, .rq = call->rq, .next = call->hashes};
	hash->work = *job;
	hash->secret_len = password_len;
	if (password_len > 0)
		memcpy(hash->text, job->password.ptr, password_len);
	if (hash_len > 0)
		memcpy(hash->text + password_len, job->hash.ptr, hash_len);
	hash->work.password = td_slice(hash->text, password_len);
	if (job->hash.ptr != NULL)
		hash->work.hash = td_slice(hash->text + password_len, hash_len);
	call->hashes = hash;
	return hash;
}

void call_hash_free(struct call_hash *hash)
{
	sodium_memzero(hash->text, hash->secret_len);
	sodium_memzero(hash->work.made, sizeof(hash->work.made));
	td_free(hash);
}

struct call_hash *call_hash_next(const struct call_hash *hash)
{
	return hash->next;
}

void call_hash_result(const struct call_hash *hash, struct app_hash_job *job)
{
	job->matches = hash->work.matches;
	job->status = hash->work.status;
	memcpy(job->made, hash->work.made, sizeof(job->made));
}

/* The request is somebody else's from the moment it wakes. */
static void hash_done(struct lane_job *job, enum td_status status)
{
	struct call_hash *hash = hash_of(job);
	hash->call->status = status;
	http_wake(hash->rq);
}

static void hash_release(struct lane_job *job)
{
	call_unref(hash_of(job)->call);
}

static void run(void *ctx, struct lane_job **jobs, size_t count)
{
	const struct hasher *hasher = ctx;
	for (size_t i = 0; i < count; i++) {
		struct call_hash *hash = hash_of(jobs[i]);
		if (!lane_is_abandoned(hasher->lane, jobs[i]))
			app_password_work(&hash->work);
		sodium_memzero(hash->text, hash->secret_len);
		lane_finish(jobs[i], TD_OK);
	}
}

/* ---- the pool
 * ------------------------------------------------------------------------------------------ */

enum td_status call_pool_create(unsigned threads, const struct td_clock *clock,
	struct call_pool **ret_pool, struct td_err *err)
{
	struct call_pool *pool = td_alloc_zero(sizeof(*pool) + threads * sizeof(struct hasher));
	if (pool == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for the threads that hash passwords");
	for (unsigned i = 0; i < threads; i++) {
		struct hasher *hasher = &pool->hashers[i];
		(void)snprintf(hasher->name, sizeof(hasher->name), "password-%u", i + 1);
		const struct lane_config config = {
			.name = hasher->name,
			.queue_limit = QUEUE_MOST,
			.batch_limit = 1,
			.run = run,
			.ctx = hasher,
			.clock = clock,
		};
		enum td_status status = lane_create(&config, &hasher->lane, err);
		if (status != TD_OK) {
			call_pool_destroy(pool);
			return status;
		}
		pool->count++;
	}
	*ret_pool = pool;
	return TD_OK;
}

void call_pool_stop(struct call_pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		lane_stop(pool->hashers[i].lane, /* drain_deadline_ms= */ 0);
}

void call_pool_destroy(struct call_pool *pool)
{
	if (pool == NULL)
		return;
	for (size_t i = 0; i < pool->count; i++)
		lane_destroy(pool->hashers[i].lane);
	td_free(pool);
}

void call_pool_tick(struct call_pool *pool, uint64_t now_ms)
{
	for (size_t i = 0; i < pool->count; i++)
		lane_expire(pool->hashers[i].lane, now_ms);
}

void call_pool_each_lane(struct call_pool *pool, store_lane_fn *fn, void *ctx)
{
	for (size_t i = 0; i < pool->count; i++)
		fn(ctx, pool->hashers[i].lane);
}

/* In turn; where that one's queue is full, whichever has room. */
enum td_status call_pool_submit(struct call_pool *pool, struct call_hash *hash)
{
	size_t turn = atomic_fetch_add(&pool->turn, 1);
	enum td_status status = TD_BUSY;
	hash->job.done = hash_done;
	hash->job.release = hash_release;
	hash->job.deadline_ms = hash->call->deadline_ms;
	for (size_t i = 0; i < pool->count && status == TD_BUSY; i++)
		status = lane_submit(pool->hashers[(turn + i) % pool->count].lane, &hash->job);
	return status;
}
