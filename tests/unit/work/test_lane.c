#include "fake_clock.h"
#include "fault_alloc.h"
#include "td_test.h"
#include "wait_until.h"

#include "base/alloc.h"
#include "work/lane.h"
#include "work/lock.h"
#include "work/thread.h"

#include <stdatomic.h>
#include <string.h>

#define LIMIT_MS   20000
#define BATCH_MOST 4

/* A lane whose batches wait at a gate while it is shut. */
struct world {
	struct fake_clock fake;
	struct lane *lane;
	struct td_lock lock;
	struct td_cond cond;
	bool shut;              /* guarded by lock */
	size_t entered;         /* batches that came to the gate; guarded by lock */
	bool saw_abandoned;     /* guarded by lock */
	enum td_status outcome; /* what run() says of each job; TD_STATUS_COUNT: nothing */
	_Atomic unsigned order; /* numbers given out in the order of running */
	_Atomic unsigned idles;
};

struct job {
	struct lane_job job; /* first */
	struct world *world;
	unsigned defers; /* so often run() puts it off; set before it is submitted, then run()'s */
	_Atomic unsigned ran, done, released;
	_Atomic unsigned place; /* in the order of running, from 1 */
	_Atomic int status;
};

static void run(void *ctx, struct lane_job **jobs, size_t count)
{
	struct world *w = ctx;
	td_lock_take(&w->lock);
	w->entered++;
	td_cond_wake_all(&w->cond);
	while (w->shut)
		td_cond_wait(&w->cond, &w->lock);
	td_lock_give(&w->lock);
	for (size_t i = 0; i < count; i++) {
		struct job *job = (struct job *)(void *)jobs[i];
		atomic_fetch_add(&job->ran, 1);
		atomic_store(&job->place, atomic_fetch_add(&w->order, 1) + 1);
		if (lane_is_abandoned(w->lane, jobs[i])) {
			td_lock_take(&w->lock);
			w->saw_abandoned = true;
			td_lock_give(&w->lock);
		}
		if (job->defers > 0) {
			job->defers--;
			lane_defer(jobs[i]);
		} else if (w->outcome != TD_STATUS_COUNT) {
			lane_finish(jobs[i], w->outcome);
		}
	}
}

static void on_done(struct lane_job *lane_job, enum td_status status)
{
	struct job *job = (struct job *)(void *)lane_job;
	assert_int_equal(atomic_load(&job->released), 0);
	atomic_store(&job->status, (int)status);
	atomic_fetch_add(&job->done, 1);
}

static void on_release(struct lane_job *lane_job)
{
	struct job *job = (struct job *)(void *)lane_job;
	assert_int_equal(atomic_load(&job->done), 1);
	atomic_fetch_add(&job->released, 1);
}

static void on_idle(void *ctx)
{
	struct world *w = ctx;
	atomic_fetch_add(&w->idles, 1);
}

static void world_make(struct world *w, size_t queue_limit, size_t batch_limit)
{
	memset(w, 0, sizeof(*w));
	w->outcome = TD_OK;
	fake_clock_init(&w->fake, 0, 1000);
	td_lock_init(&w->lock);
	td_cond_init(&w->cond);
	struct lane_config config = {.name = "test",
		.queue_limit = queue_limit,
		.batch_limit = batch_limit,
		.run = run,
		.ctx = w,
		.idle = on_idle,
		.idle_ms = 1,
		.clock = &w->fake.clock};
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(lane_create(&config, &w->lane, &err), TD_OK);
}

static void world_end(struct world *w)
{
	lane_destroy(w->lane);
	td_cond_done(&w->cond);
	td_lock_done(&w->lock);
}

static void gate_set(struct world *w, bool shut)
{
	td_lock_take(&w->lock);
	w->shut = shut;
	td_cond_wake_all(&w->cond);
	td_lock_give(&w->lock);
}

/* Returns when `batches` batches in all have come to the gate. */
static void gate_await(struct world *w, size_t batches)
{
	td_lock_take(&w->lock);
	while (w->entered < batches)
		td_cond_wait(&w->cond, &w->lock);
	td_lock_give(&w->lock);
}

static void job_make(struct world *w, struct job *job, uint64_t deadline_ms)
{
	memset(job, 0, sizeof(*job));
	job->world = w;
	job->job.done = on_done;
	job->job.release = on_release;
	job->job.deadline_ms = deadline_ms;
}

static void submit(struct world *w, struct job *job, uint64_t deadline_ms)
{
	job_make(w, job, deadline_ms);
	assert_int_equal(lane_submit(w->lane, &job->job), TD_OK);
}

static void submit_deferring(
	struct world *w, struct job *job, uint64_t deadline_ms, unsigned defers)
{
	job_make(w, job, deadline_ms);
	job->defers = defers;
	assert_int_equal(lane_submit(w->lane, &job->job), TD_OK);
}

static bool is_released(void *ctx)
{
	struct job *job = ctx;
	return atomic_load(&job->released) == 1;
}

static void await_release(struct job *job)
{
	assert_true(wait_until(is_released, job, LIMIT_MS));
}

static void assert_ended(struct job *job, enum td_status status, unsigned ran)
{
	await_release(job);
	assert_int_equal(atomic_load(&job->done), 1);
	assert_int_equal(atomic_load(&job->status), (int)status);
	assert_int_equal(atomic_load(&job->ran), ran);
}

/* With the gate shut, one job runs and `count` wait. */
static void fill(struct world *w, struct job *first, struct job *waiting, size_t count)
{
	gate_set(w, true);
	submit(w, first, UINT64_MAX);
	gate_await(w, 1);
	for (size_t i = 0; i < count; i++)
		submit(w, &waiting[i], UINT64_MAX);
}

static struct lane_stats stats_of(struct world *w)
{
	struct lane_stats stats;
	lane_get_stats(w->lane, &stats);
	return stats;
}

/* done once with what run() said, then released. */
static void test_lane_job_runs_is_answered_and_released(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 8, BATCH_MOST);
	assert_string_equal(lane_name(w.lane), "test");
	struct job job;
	submit(&w, &job, UINT64_MAX);
	assert_ended(&job, TD_OK, 1);
	w.outcome = TD_EXISTS;
	submit(&w, &job, UINT64_MAX);
	assert_ended(&job, TD_EXISTS, 1);
	struct lane_stats stats = stats_of(&w);
	assert_int_equal(stats.submitted, 2);
	assert_int_equal(stats.finished, 2);
	assert_int_equal(stats.waiting + stats.running, 0);
	world_end(&w);
}

/* A run() that forgets a job does not leave whoever waits for it without an answer. */
static void test_lane_forgotten_job_is_an_internal_fault(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 8, BATCH_MOST);
	w.outcome = TD_STATUS_COUNT;
	struct job job;
	submit(&w, &job, UINT64_MAX);
	assert_ended(&job, TD_INTERNAL, 1);
	world_end(&w);
}

/* The job over the limit stays the caller's: neither function is called for it. */
static void test_lane_full_queue_refuses(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 3, BATCH_MOST);
	struct job first, waiting[3], over;
	fill(&w, &first, waiting, 3);
	job_make(&w, &over, UINT64_MAX);
	assert_int_equal(lane_submit(w.lane, &over.job), TD_BUSY);
	assert_int_equal(stats_of(&w).refused, 1);
	assert_int_equal(stats_of(&w).waiting, 3);
	gate_set(&w, false);
	for (size_t i = 0; i < 3; i++)
		assert_ended(&waiting[i], TD_OK, 1);
	assert_ended(&first, TD_OK, 1);
	assert_int_equal(atomic_load(&over.done) + atomic_load(&over.released), 0);
	assert_int_equal(lane_submit(w.lane, &over.job), TD_OK);
	assert_ended(&over, TD_OK, 1);
	world_end(&w);
}

/* All that waits becomes one batch, up to the limit, in the order of submission. */
static void test_lane_batches_what_waits_in_order(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 16, BATCH_MOST);
	struct job first, waiting[7];
	fill(&w, &first, waiting, 7);
	gate_set(&w, false);
	for (unsigned i = 0; i < 7; i++) {
		assert_ended(&waiting[i], TD_OK, 1);
		assert_int_equal(atomic_load(&waiting[i].place), i + 2);
	}
	struct lane_stats stats = stats_of(&w);
	assert_int_equal(stats.batches, 3);
	assert_int_equal(stats.batch_sizes[0], 1); /* 1 */
	assert_int_equal(stats.batch_sizes[2], 2); /* 3 to 4: of four and of three */
	world_end(&w);
}

/* What expires in the queue is answered at once, released, and never run; the rest keeps its
 * order. */
static void test_lane_expired_waiting_job_never_runs(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 16, BATCH_MOST);
	struct job first, stays[2], expires[3];
	fill(&w, &first, NULL, 0);
	submit(&w, &expires[0], 1500);
	submit(&w, &stays[0], 9000);
	submit(&w, &expires[1], 1400);
	submit(&w, &stays[1], 1501);
	submit(&w, &expires[2], 1500);
	lane_expire(w.lane, 1399);
	assert_int_equal(stats_of(&w).expired, 0);
	lane_expire(w.lane, 1500);
	for (size_t i = 0; i < 3; i++)
		assert_ended(&expires[i], TD_TIMEOUT, 0);
	assert_int_equal(stats_of(&w).waiting, 2);
	assert_int_equal(stats_of(&w).expired, 3);
	gate_set(&w, false);
	for (unsigned i = 0; i < 2; i++) {
		assert_ended(&stays[i], TD_OK, 1);
		assert_int_equal(atomic_load(&stays[i].place), i + 2);
	}
	world_end(&w);
}

/* A deadline that passed is passed, also where nobody has called lane_expire() yet. */
static void test_lane_expired_job_never_runs_without_a_ticker(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 16, BATCH_MOST);
	struct job first, late, in_time;
	fill(&w, &first, NULL, 0);
	submit(&w, &late, 1100);
	submit(&w, &in_time, 1101);
	fake_clock_advance(&w.fake, 100);
	gate_set(&w, false);
	assert_ended(&late, TD_TIMEOUT, 0);
	assert_ended(&in_time, TD_OK, 1);
	struct job past;
	submit(&w, &past, 5);
	assert_ended(&past, TD_TIMEOUT, 0);
	assert_int_equal(stats_of(&w).batches, 2);
	world_end(&w);
}

/* Answered at its deadline, released only when the batch has let go, and not answered again. */
static void test_lane_expired_running_job_is_answered_before_its_batch_ends(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 8, BATCH_MOST);
	gate_set(&w, true);
	struct job job;
	submit(&w, &job, 1500);
	gate_await(&w, 1);
	lane_expire(w.lane, 1500);
	assert_int_equal(atomic_load(&job.done), 1);
	assert_int_equal(atomic_load(&job.status), TD_TIMEOUT);
	assert_int_equal(atomic_load(&job.released), 0);
	lane_expire(w.lane, 99999);
	assert_int_equal(atomic_load(&job.done), 1);
	gate_set(&w, false);
	assert_ended(&job, TD_TIMEOUT, 1);
	assert_true(w.saw_abandoned);
	assert_int_equal(stats_of(&w).finished, 0);
	assert_int_equal(stats_of(&w).expired, 1);
	world_end(&w);
}

/* In one batch some are abandoned and the others answered; each once. */
static void test_lane_batch_with_some_abandoned(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 16, BATCH_MOST);
	struct job first, jobs[BATCH_MOST];
	fill(&w, &first, NULL, 0);
	for (unsigned i = 0; i < BATCH_MOST; i++)
		submit(&w, &jobs[i], i % 2 == 0 ? 2000 : UINT64_MAX);
	td_lock_take(&w.lock);
	w.shut = false;
	td_cond_wake_all(&w.cond);
	td_lock_give(&w.lock);
	await_release(&first);
	for (unsigned i = 0; i < BATCH_MOST; i++)
		await_release(&jobs[i]);
	gate_set(&w, true);
	for (unsigned i = 0; i < BATCH_MOST; i++)
		submit(&w, &jobs[i], i % 2 == 0 ? 2000 : UINT64_MAX);
	gate_await(&w, 3);
	lane_expire(w.lane, 2000);
	gate_set(&w, false);
	for (unsigned i = 0; i < BATCH_MOST; i++)
		await_release(&jobs[i]);
	unsigned timeouts = 0;
	for (unsigned i = 0; i < BATCH_MOST; i++) {
		assert_int_equal(atomic_load(&jobs[i].done), 1);
		timeouts += atomic_load(&jobs[i].status) == TD_TIMEOUT;
	}
	assert_int_equal(timeouts, 2);
	world_end(&w);
}

struct stopper {
	struct world *world;
	uint64_t deadline_ms;
	_Atomic bool stopped;
};

static void stop_lane(void *ctx)
{
	struct stopper *s = ctx;
	lane_stop(s->world->lane, s->deadline_ms);
	atomic_store(&s->stopped, true);
}

static bool takes_no_more(void *ctx)
{
	struct world *w = ctx;
	struct job *probe = td_alloc_zero(sizeof(*probe));
	assert_non_null(probe);
	job_make(w, probe, UINT64_MAX);
	enum td_status status = lane_submit(w->lane, &probe->job);
	if (status == TD_STOPPING || status == TD_BUSY)
		td_free(probe);
	assert_int_not_equal(status, TD_OK);
	return status == TD_STOPPING;
}

/* Stops with one job running and four waiting (a full queue), then opens the gate. */
static void stop_while_busy(
	struct world *w, uint64_t deadline_ms, struct job *first, struct job *waiting)
{
	world_make(w, 4, 2);
	fill(w, first, waiting, 4);
	struct stopper stopper = {.world = w, .deadline_ms = deadline_ms};
	struct td_thread thread;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(td_thread_start(&thread, "stopper", stop_lane, &stopper, &err), TD_OK);
	assert_true(wait_until(takes_no_more, w, LIMIT_MS));
	assert_false(atomic_load(&stopper.stopped));
	gate_set(w, false);
	td_thread_join(&thread);
}

/* What is put off runs again behind those that wait, and is answered once. */
static void test_lane_deferred_job_runs_behind_the_others(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 8, BATCH_MOST);
	gate_set(&w, true);
	struct job deferred, others[5];
	submit_deferring(&w, &deferred, UINT64_MAX, 2);
	gate_await(&w, 1);
	for (size_t i = 0; i < 5; i++)
		submit(&w, &others[i], UINT64_MAX);
	gate_set(&w, false);
	assert_ended(&deferred, TD_OK, 3);
	for (size_t i = 0; i < 5; i++)
		assert_ended(&others[i], TD_OK, 1);
	/* Run 1 is its own, 2 to 5 are a batch of the others, then the fifth and it, and it. */
	assert_int_equal(atomic_load(&deferred.place), 8);
	assert_int_equal(atomic_load(&others[4].place), 6);
	assert_int_equal(stats_of(&w).deferred, 2);
	assert_int_equal(stats_of(&w).finished, 6);
	world_end(&w);
}

/* A deadline that passes while it is put off, or before that in its batch, is the end of it. */
static void test_lane_deferred_job_keeps_its_deadline(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 8, 2);
	gate_set(&w, true);
	struct job first, early, late;
	submit(&w, &first, UINT64_MAX);
	gate_await(&w, 1);
	submit_deferring(&w, &early, 1500, UINT32_MAX);
	submit_deferring(&w, &late, 1600, UINT32_MAX);
	gate_set(&w, false);
	gate_await(&w, 3);
	gate_set(&w, true);
	lane_expire(w.lane, 1500);
	assert_int_equal(atomic_load(&early.status), TD_TIMEOUT);
	assert_int_equal(atomic_load(&early.done), 1);
	gate_set(&w, false);
	await_release(&early);
	assert_ended(&first, TD_OK, 1);
	fake_clock_advance(&w.fake, 600);
	await_release(&late);
	assert_int_equal(atomic_load(&late.status), TD_TIMEOUT);
	assert_int_equal(stats_of(&w).waiting, 0);
	world_end(&w);
}

/* Stopping runs it again as long as there is time, and no longer. */
static void test_lane_deferred_job_is_stopped(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 8, BATCH_MOST);
	gate_set(&w, true);
	struct job job;
	submit_deferring(&w, &job, UINT64_MAX, UINT32_MAX);
	gate_await(&w, 1);
	gate_set(&w, false);
	lane_stop(w.lane, 1000);
	await_release(&job);
	assert_int_equal(atomic_load(&job.status), TD_STOPPING);
	world_end(&w);
}

/* Stopping with time left runs what waits. */
static void test_lane_stop_drains(void **state)
{
	(void)state;
	struct world w;
	struct job first, waiting[4];
	stop_while_busy(&w, /* deadline_ms= */ 5000, &first, waiting);
	assert_ended(&first, TD_OK, 1);
	for (size_t i = 0; i < 4; i++)
		assert_ended(&waiting[i], TD_OK, 1);
	lane_stop(w.lane, 0);
	world_end(&w);
}

/* Stopping without time ends the batch that runs, and answers the rest. */
static void test_lane_stop_at_its_deadline_answers_the_rest(void **state)
{
	(void)state;
	struct world w;
	struct job first, waiting[4];
	stop_while_busy(&w, /* deadline_ms= */ 1000, &first, waiting);
	assert_ended(&first, TD_OK, 1);
	for (size_t i = 0; i < 4; i++)
		assert_ended(&waiting[i], TD_STOPPING, 0);
	assert_int_equal(stats_of(&w).waiting, 0);
	world_end(&w);
}

/* While stopping waits for a run() that hangs, deadlines are kept all the same. */
static void test_lane_stop_of_a_hanging_lane_keeps_deadlines(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 2, 2);
	gate_set(&w, true);
	struct job running, waiting;
	submit(&w, &running, 1500);
	gate_await(&w, 1);
	submit(&w, &waiting, 1600);
	struct stopper stopper = {.world = &w, .deadline_ms = UINT64_MAX};
	struct td_thread thread;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(td_thread_start(&thread, "stopper", stop_lane, &stopper, &err), TD_OK);
	lane_expire(w.lane, 1600);
	assert_int_equal(atomic_load(&running.status), TD_TIMEOUT);
	assert_ended(&waiting, TD_TIMEOUT, 0);
	assert_false(atomic_load(&stopper.stopped));
	gate_set(&w, false);
	td_thread_join(&thread);
	assert_ended(&running, TD_TIMEOUT, 1);
	world_end(&w);
}

static void test_lane_stop_and_destroy_when_idle(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 2, 2);
	lane_stop(w.lane, UINT64_MAX);
	assert_true(takes_no_more(&w));
	world_end(&w);
	world_make(&w, 2, 2);
	world_end(&w);
	lane_destroy(NULL);
}

static bool has_idled(void *ctx)
{
	struct world *w = ctx;
	return atomic_load(&w->idles) >= 3;
}

static void test_lane_idle_is_called_when_nothing_waits(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 2, 2);
	assert_true(wait_until(has_idled, &w, LIMIT_MS));
	world_end(&w);
}

/* Batches of 2^k and 2^k + 1 jobs stand in neighbouring slots. */
static void test_lane_histogram_slots(void **state)
{
	(void)state;
	static const struct {
		size_t size;
		unsigned slot;
	} rows[] = {{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {8, 3}, {9, 4}, {64, 6}, {65, 7},
		{1024, 10}, {1025, 11}, {2049, 12}, {4096, 12}};
	struct job *jobs = td_alloc_array(4096, sizeof(*jobs));
	assert_non_null(jobs);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct world w;
		struct job first;
		world_make(&w, 4096, 4096);
		fill(&w, &first, jobs, rows[i].size);
		gate_set(&w, false);
		for (size_t k = 0; k < rows[i].size; k++)
			await_release(&jobs[k]);
		assert_int_equal(stats_of(&w).batch_sizes[rows[i].slot], rows[i].slot == 0 ? 2 : 1);
		world_end(&w);
	}
	td_free(jobs);
}

#define SUBMITTERS 64
#define ROUNDS     200

struct submitter {
	struct world *world;
	unsigned taken, refused, answered, timeouts;
};

/* Each submits, waits for its release, and submits again; half of the deadlines pass early. */
static void submit_rounds(void *ctx)
{
	struct submitter *s = ctx;
	struct job *job = td_alloc_zero(sizeof(*job));
	td_assert(job != NULL);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t now_ms = td_clock_mono_ms(&s->world->fake.clock);
		job_make(s->world, job, now_ms + i % 3);
		if (lane_submit(s->world->lane, &job->job) != TD_OK) {
			s->refused++;
			continue;
		}
		s->taken++;
		td_assert(wait_until(is_released, job, LIMIT_MS));
		s->answered += atomic_load(&job->done);
		s->timeouts += atomic_load(&job->status) == TD_TIMEOUT;
	}
	td_free(job);
}

struct expirer {
	struct world *world;
	_Atomic bool stop;
};

static void expire_often(void *ctx)
{
	struct expirer *e = ctx;
	while (!atomic_load(&e->stop)) {
		fake_clock_advance(&e->world->fake, 1);
		lane_expire(e->world->lane, td_clock_mono_ms(&e->world->fake.clock));
	}
}

/* 64 threads submit while deadlines pass: each job is answered once and released once. */
static void test_lane_many_submitters_each_answered_once(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 48, 16);
	struct td_err err = TD_ERR_INIT;
	struct expirer expirer = {.world = &w};
	struct td_thread ticking, threads[SUBMITTERS];
	struct submitter submitters[SUBMITTERS] = {{0}};
	assert_int_equal(td_thread_start(&ticking, "expirer", expire_often, &expirer, &err), TD_OK);
	for (unsigned i = 0; i < SUBMITTERS; i++) {
		submitters[i].world = &w;
		assert_int_equal(td_thread_start(&threads[i], "submitter", submit_rounds,
					 &submitters[i], &err),
			TD_OK);
	}
	unsigned taken = 0, refused = 0, timeouts = 0;
	for (unsigned i = 0; i < SUBMITTERS; i++) {
		td_thread_join(&threads[i]);
		assert_int_equal(submitters[i].answered, submitters[i].taken);
		taken += submitters[i].taken;
		refused += submitters[i].refused;
		timeouts += submitters[i].timeouts;
	}
	atomic_store(&expirer.stop, true);
	td_thread_join(&ticking);
	struct lane_stats stats = stats_of(&w);
	assert_int_equal(taken + refused, SUBMITTERS * ROUNDS);
	assert_int_equal(stats.submitted, taken);
	assert_int_equal(stats.refused, refused);
	assert_int_equal(stats.expired, timeouts);
	assert_int_equal(stats.finished + stats.expired, taken);
	world_end(&w);
}

static bool create_one(void *ctx)
{
	struct lane_config config = {.name = "test",
		.queue_limit = 1,
		.batch_limit = 1,
		.run = run,
		.ctx = ctx,
		.clock = &td_clock_system};
	struct lane *lane = NULL;
	struct td_err err = TD_ERR_INIT;
	if (lane_create(&config, &lane, &err) != TD_OK)
		return false;
	lane_destroy(lane);
	return true;
}

static void test_lane_without_memory_says_so(void **state)
{
	(void)state;
	assert_int_equal(fault_alloc_each(create_one, NULL), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lane_job_runs_is_answered_and_released),
		cmocka_unit_test(test_lane_forgotten_job_is_an_internal_fault),
		cmocka_unit_test(test_lane_full_queue_refuses),
		cmocka_unit_test(test_lane_batches_what_waits_in_order),
		cmocka_unit_test(test_lane_expired_waiting_job_never_runs),
		cmocka_unit_test(test_lane_expired_job_never_runs_without_a_ticker),
		cmocka_unit_test(test_lane_expired_running_job_is_answered_before_its_batch_ends),
		cmocka_unit_test(test_lane_batch_with_some_abandoned),
		cmocka_unit_test(test_lane_stop_drains),
		cmocka_unit_test(test_lane_stop_at_its_deadline_answers_the_rest),
		cmocka_unit_test(test_lane_stop_of_a_hanging_lane_keeps_deadlines),
		cmocka_unit_test(test_lane_deferred_job_runs_behind_the_others),
		cmocka_unit_test(test_lane_deferred_job_keeps_its_deadline),
		cmocka_unit_test(test_lane_deferred_job_is_stopped),
		cmocka_unit_test(test_lane_stop_and_destroy_when_idle),
		cmocka_unit_test(test_lane_idle_is_called_when_nothing_waits),
		cmocka_unit_test(test_lane_histogram_slots),
		cmocka_unit_test(test_lane_many_submitters_each_answered_once),
		cmocka_unit_test(test_lane_without_memory_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
