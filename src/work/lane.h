/* A lane: one thread with a bounded queue. It takes all that waits (up to batch_limit) and runs it
 * as one batch: no delay when idle, one round trip and one commit when loaded.
 *
 * A job's life, and who may touch it:
 *  1. the caller fills it and submits it; from TD_OK on the lane holds a reference of its own;
 *  2. `done` is called exactly once for it, from any thread: after the batch with what run()
 *     gave to lane_finish(); or TD_TIMEOUT at its deadline, from the ticker's thread; or
 * TD_STOPPING. It may run under the lane's lock, so it must be short and must not call the lane
 * (wake somebody, no more);
 *  3. a job whose deadline passes while it waits is never run. One whose deadline passes while its
 * batch runs has an unknown outcome: run() goes on with it, and what it then says is dropped;
 *  4. `release` is called exactly once, when the lane lets go: after `done`, when no run() touches
 * it any more. Only then may its memory be given back. So the memory belongs to the job, not to the
 * caller. A submit that fails calls neither. */
#ifndef TD_WORK_LANE_H
#define TD_WORK_LANE_H

#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lane;
struct lane_job;

typedef void lane_done_fn(struct lane_job *job, enum td_status status);
typedef void lane_release_fn(struct lane_job *job);

struct lane_job {
	/* Filled by the caller before submitting. */
	lane_done_fn *done;
	lane_release_fn *release;
	uint64_t deadline_ms; /* of the lane's clock, mono_ms */

	/* The lane's own. */
	struct lane_job *next_queued;
	struct lane_job *prev, *next; /* all jobs that the lane holds, oldest first */
	uint64_t queued_ms;
	enum td_status outcome;
	bool deferred;
	uint8_t state;
};

/* Runs jobs[0..count) as one batch in the lane's thread and calls lane_finish() or lane_defer()
 * once for each. */
typedef void lane_run_fn(void *ctx, struct lane_job **jobs, size_t count);

struct lane_config {
	const char *name;   /* at most 15 characters; borrowed until destroy */
	size_t queue_limit; /* jobs that may wait; the one over it is refused */
	size_t batch_limit; /* jobs in one batch, 1 to 4096 */
	lane_run_fn *run;
	void *ctx; /* for run and idle; stays the caller's */
	/* Called in the lane's thread when nothing has waited for idle_ms; NULL: never. */
	void (*idle)(void *ctx);
	unsigned idle_ms;
	const struct td_clock *clock; /* borrowed until destroy */
};

/* Give it to lane_destroy(). */
enum td_status lane_create(
	const struct lane_config *config, struct lane **ret_lane, struct td_err *err) TD_MUST_CHECK;

/* Any thread, never waits.
 *   TD_OK        the lane has the job
 *   TD_BUSY      queue_limit jobs wait; the job stays the caller's
 *   TD_STOPPING  lane_stop() was called; the job stays the caller's */
enum td_status lane_submit(struct lane *lane, struct lane_job *job) TD_MUST_CHECK;

/* Says a job's outcome; only from within run(), once for each job. */
void lane_finish(struct lane_job *job, enum td_status status);

/* Instead: nothing was done, and the job waits again, behind all that wait now. Its deadline and
 * the lane's end go on counting. */
void lane_defer(struct lane_job *job);

/* True when nobody waits for the job any more, so that run() may leave it out. Only from within
 * run(). */
bool lane_is_abandoned(struct lane *lane, const struct lane_job *job);

/* Answers TD_TIMEOUT to every job whose deadline has passed. Called by a ticker; has td_tick_fn's
 * shape. */
void lane_expire(void *lane, uint64_t now_ms);

/* Takes no more jobs and runs those that wait, until drain_deadline_ms; then answers the rest
 * TD_STOPPING. Returns when the thread has ended: a run() that hangs is waited for (its jobs are
 * answered at their deadlines all the same). */
void lane_stop(struct lane *lane, uint64_t drain_deadline_ms);

/* Stops it, if that was not done, without draining. NULL is fine. lane_expire() must not run any
 * more. */
void lane_destroy(struct lane *lane);

/* Batches of 1, 2, 3-4, 5-8, …, 1025-2048, 2049-4096. */
#define LANE_HISTOGRAM 13

struct lane_stats {
	size_t waiting; /* now in the queue */
	size_t running; /* now in a batch */
	uint64_t submitted, refused, expired, finished, deferred, batches;
	uint64_t batch_sizes[LANE_HISTOGRAM]; /* how many batches of each size */
	uint64_t wait_ms_total;               /* in the queue */
};

/* Any thread. */
void lane_get_stats(struct lane *lane, struct lane_stats *ret_stats);
const char *lane_name(const struct lane *lane);

#endif
