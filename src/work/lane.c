/* Invariants, all under `lock`:
 *  1. `held` lists every job between submit and release, in the order of submission (or of being
 * deferred); `queue` those of them in state WAITING, in the same order.
 *  2. WAITING -> RUNNING (taken into a batch) | DONE (expired, stopped); RUNNING -> DONE (finished)
 * | WAITING (deferred) | ABANDONED (expired while its batch runs); ABANDONED -> released after the
 * batch.
 *  3. Whoever moves a job out of WAITING or RUNNING to DONE or ABANDONED calls its `done`, after
 * giving the lock back. So it is called once. Jobs may have different deadlines: lane_expire()
 * looks at all that are held, but only when the earliest deadline has passed. */
#include "work/lane.h"

#include "base/alloc.h"
#include "work/lock.h"
#include "work/thread.h"

enum job_state {
	JOB_WAITING,
	JOB_RUNNING,
	JOB_ABANDONED,
	JOB_DONE,
};

struct lane {
	struct lane_config config; /* set before start, then read-only */
	struct td_lock lock;
	struct td_cond wake;
	struct lane_job *held_first, *held_last;   /* guarded by lock */
	struct lane_job *queue_first, *queue_last; /* guarded by lock */
	uint64_t earliest_deadline_ms; /* guarded by lock; not later than that of any job held */
	bool stopping;                 /* guarded by lock */
	uint64_t drain_deadline_ms;    /* guarded by lock */
	struct lane_stats stats;       /* guarded by lock */
	struct lane_job **batch;       /* the lane's thread only */
	struct td_thread thread;
	bool joined; /* the thread that stops it only */
};

static void hold_locked(struct lane *l, struct lane_job *job)
{
	job->prev = l->held_last;
	job->next = NULL;
	if (l->held_last != NULL)
		l->held_last->next = job;
	else
		l->held_first = job;
	l->held_last = job;
	if (job->deadline_ms < l->earliest_deadline_ms)
		l->earliest_deadline_ms = job->deadline_ms;
}

static void unhold_locked(struct lane *l, struct lane_job *job)
{
	if (job->prev != NULL)
		job->prev->next = job->next;
	else
		l->held_first = job->next;
	if (job->next != NULL)
		job->next->prev = job->prev;
	else
		l->held_last = job->prev;
}

static void enqueue_locked(struct lane *l, struct lane_job *job)
{
	job->state = JOB_WAITING;
	job->next_queued = NULL;
	if (l->queue_last != NULL)
		l->queue_last->next_queued = job;
	else
		l->queue_first = job;
	l->queue_last = job;
	l->stats.waiting++;
}

static struct lane_job *dequeue_locked(struct lane *l)
{
	struct lane_job *job = l->queue_first;
	l->queue_first = job->next_queued;
	if (l->queue_first == NULL)
		l->queue_last = NULL;
	l->stats.waiting--;
	return job;
}

enum td_status lane_submit(struct lane *l, struct lane_job *job)
{
	enum td_status status = TD_OK;
	uint64_t now_ms = td_clock_mono_ms(l->config.clock);
	td_lock_take(&l->lock);
	if (l->stopping) {
		status = TD_STOPPING;
	} else if (l->stats.waiting >= l->config.queue_limit) {
		status = TD_BUSY;
		l->stats.refused++;
	} else {
		job->queued_ms = now_ms;
		job->outcome = TD_INTERNAL;
		hold_locked(l, job);
		enqueue_locked(l, job);
		l->stats.submitted++;
		/* The thread looks at the queue after every batch: it needs a wake only when it
		 * sleeps. */
		if (l->stats.waiting == 1 && l->stats.running == 0)
			td_cond_wake_one(&l->wake);
	}
	td_lock_give(&l->lock);
	return status;
}

void lane_finish(struct lane_job *job, enum td_status status)
{
	job->outcome = status;
}

void lane_defer(struct lane_job *job)
{
	job->deferred = true;
}

bool lane_is_abandoned(struct lane *l, const struct lane_job *job)
{
	td_lock_take(&l->lock);
	bool abandoned = job->state == JOB_ABANDONED;
	td_lock_give(&l->lock);
	return abandoned;
}

static unsigned histogram_slot(size_t size)
{
	unsigned slot = 0;
	while (slot < LANE_HISTOGRAM - 1 && ((size_t)1 << slot) < size)
		slot++;
	return slot;
}

static size_t take_batch_locked(struct lane *l)
{
	uint64_t now_ms = td_clock_mono_ms(l->config.clock);
	size_t count = 0;
	while (l->queue_first != NULL && count < l->config.batch_limit) {
		struct lane_job *job = dequeue_locked(l);
		job->state = JOB_RUNNING;
		job->deferred = false;
		l->stats.wait_ms_total += now_ms - job->queued_ms;
		l->batch[count++] = job;
	}
	if (count == 0)
		return 0;
	l->stats.running = count;
	l->stats.batches++;
	l->stats.batch_sizes[histogram_slot(count)]++;
	return count;
}

static void requeue_locked(struct lane *l, struct lane_job *job)
{
	job->queued_ms = td_clock_mono_ms(l->config.clock);
	hold_locked(l, job);
	enqueue_locked(l, job);
	l->stats.deferred++;
}

/* The jobs that the lane lets go of stand first in its `batch`, and first among them those that are
 * still to be answered. */
struct settled {
	size_t let_go, answered;
};

static struct settled settle_batch_locked(struct lane *l, size_t count)
{
	struct settled s = {0, 0};
	for (size_t i = 0; i < count; i++) {
		struct lane_job *job = l->batch[i];
		bool abandoned = job->state == JOB_ABANDONED;
		unhold_locked(l, job);
		if (job->deferred && !abandoned) {
			requeue_locked(l, job);
			continue;
		}
		l->batch[s.let_go] = job;
		if (!abandoned) {
			job->state = JOB_DONE;
			l->batch[s.let_go] = l->batch[s.answered];
			l->batch[s.answered++] = job;
		}
		s.let_go++;
	}
	l->stats.running = 0;
	l->stats.finished += s.answered;
	return s;
}

static void run_batch(struct lane *l, size_t count)
{
	l->config.run(l->config.ctx, l->batch, count);
	td_lock_take(&l->lock);
	struct settled s = settle_batch_locked(l, count);
	td_lock_give(&l->lock);
	for (size_t i = 0; i < s.let_go; i++) {
		if (i < s.answered)
			l->batch[i]->done(l->batch[i], l->batch[i]->outcome);
		l->batch[i]->release(l->batch[i]);
	}
}

/* Waits until there is work (true) or an end (false); calls idle() in between. The lock is held
 * before and after. */
static bool wait_for_work_locked(struct lane *l)
{
	while (l->queue_first == NULL && !l->stopping) {
		if (l->config.idle == NULL) {
			td_cond_wait(&l->wake, &l->lock);
			continue;
		}
		uint64_t until_ns = td_clock_mono_ns() + l->config.idle_ms * UINT64_C(1000000);
		bool woken = true;
		while (woken && l->queue_first == NULL && !l->stopping)
			woken = td_cond_wait_until(&l->wake, &l->lock, until_ns);
		if (!woken && l->queue_first == NULL && !l->stopping) {
			td_lock_give(&l->lock);
			l->config.idle(l->config.ctx);
			td_lock_take(&l->lock);
		}
	}
	return l->queue_first != NULL &&
	       (!l->stopping || td_clock_mono_ms(l->config.clock) < l->drain_deadline_ms);
}

/* Takes every waiting job out as DONE: a chain through next_queued. */
static struct lane_job *refuse_waiting_locked(struct lane *l)
{
	struct lane_job *chain = l->queue_first;
	for (struct lane_job *job = chain; job != NULL; job = job->next_queued) {
		job->state = JOB_DONE;
		unhold_locked(l, job);
	}
	l->queue_first = l->queue_last = NULL;
	l->stats.waiting = 0;
	return chain;
}

static void answer_chain(struct lane_job *chain, enum td_status status)
{
	while (chain != NULL) {
		struct lane_job *next = chain->next_queued;
		chain->done(chain, status);
		chain->release(chain);
		chain = next;
	}
}

/* One pass over all that is held: expired waiting jobs leave the queue, expired running ones are
 * abandoned. */
struct expiry {
	struct lane_job *waiting;   /* chain through next_queued: done and release */
	struct lane_job *abandoned; /* chain through next_queued: done only */
};

static void push(struct lane_job **chain, struct lane_job *job)
{
	job->next_queued = *chain;
	*chain = job;
}

static void rebuild_queue_locked(struct lane *l)
{
	l->queue_first = l->queue_last = NULL;
	l->stats.waiting = 0;
	for (struct lane_job *job = l->held_first; job != NULL; job = job->next) {
		if (job->state == JOB_WAITING)
			enqueue_locked(l, job);
	}
}

static struct expiry expire_locked(struct lane *l, uint64_t now_ms)
{
	struct expiry expiry = {NULL, NULL};
	if (l->held_first == NULL || l->earliest_deadline_ms > now_ms)
		return expiry;
	uint64_t earliest = UINT64_MAX;
	for (struct lane_job *job = l->held_first, *next; job != NULL; job = next) {
		next = job->next;
		if (job->state == JOB_ABANDONED)
			continue;
		if (job->deadline_ms > now_ms) {
			if (job->deadline_ms < earliest)
				earliest = job->deadline_ms;
			continue;
		}
		l->stats.expired++;
		if (job->state == JOB_WAITING) {
			job->state = JOB_DONE;
			unhold_locked(l, job);
			push(&expiry.waiting, job);
		} else {
			job->state = JOB_ABANDONED;
			push(&expiry.abandoned, job);
		}
	}
	l->earliest_deadline_ms = earliest;
	if (expiry.waiting != NULL)
		rebuild_queue_locked(l);
	return expiry;
}

static void lane_main(void *arg)
{
	struct lane *l = arg;
	td_lock_take(&l->lock);
	while (wait_for_work_locked(l)) {
		/* Nothing runs now, so all that can have expired is waiting. */
		struct expiry expiry = expire_locked(l, td_clock_mono_ms(l->config.clock));
		size_t count = take_batch_locked(l);
		td_lock_give(&l->lock);
		answer_chain(expiry.waiting, TD_TIMEOUT);
		if (count != 0)
			run_batch(l, count);
		td_lock_take(&l->lock);
	}
	struct lane_job *chain = refuse_waiting_locked(l);
	td_lock_give(&l->lock);
	answer_chain(chain, TD_STOPPING);
}

void lane_expire(void *lane, uint64_t now_ms)
{
	struct lane *l = lane;
	td_lock_take(&l->lock);
	struct expiry expiry = expire_locked(l, now_ms);
	/* `done` of an abandoned job runs under the lock: its batch may end at any moment and
	 * release it. */
	for (struct lane_job *job = expiry.abandoned, *next; job != NULL; job = next) {
		next = job->next_queued;
		job->done(job, TD_TIMEOUT);
	}
	td_lock_give(&l->lock);
	answer_chain(expiry.waiting, TD_TIMEOUT);
}

static void free_lane(struct lane *l)
{
	td_cond_done(&l->wake);
	td_lock_done(&l->lock);
	td_free(l->batch);
	td_free(l);
}

enum td_status lane_create(
	const struct lane_config *config, struct lane **ret_lane, struct td_err *err)
{
	td_assert(config->batch_limit >= 1 && config->batch_limit <= 4096 &&
		  config->queue_limit >= 1);
	struct lane *l = td_alloc_zero(sizeof(*l));
	struct lane_job **batch = td_alloc_array(config->batch_limit, sizeof(struct lane_job *));
	if (l == NULL || batch == NULL) {
		td_free(l);
		td_free(batch);
		return td_err_set(err, TD_NOMEM, "no memory for lane %s", config->name);
	}
	l->config = *config;
	l->batch = batch;
	l->earliest_deadline_ms = UINT64_MAX;
	td_lock_init(&l->lock);
	td_cond_init(&l->wake);
	enum td_status status = td_thread_start(&l->thread, config->name, lane_main, l, err);
	if (status != TD_OK) {
		free_lane(l);
		return status;
	}
	*ret_lane = l;
	return TD_OK;
}

void lane_stop(struct lane *l, uint64_t drain_deadline_ms)
{
	if (l->joined)
		return;
	td_lock_take(&l->lock);
	l->stopping = true;
	l->drain_deadline_ms = drain_deadline_ms;
	td_cond_wake_all(&l->wake);
	td_lock_give(&l->lock);
	td_thread_join(&l->thread);
	l->joined = true;
}

void lane_destroy(struct lane *l)
{
	if (l == NULL)
		return;
	lane_stop(l, /* drain_deadline_ms= */ 0);
	free_lane(l);
}

void lane_get_stats(struct lane *l, struct lane_stats *ret_stats)
{
	td_lock_take(&l->lock);
	*ret_stats = l->stats;
	td_lock_give(&l->lock);
}

const char *lane_name(const struct lane *l)
{
	return l->config.name;
}
