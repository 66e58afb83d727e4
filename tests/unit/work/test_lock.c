#include "td_test.h"

#include "base/clock.h"
#include "work/lock.h"
#include "work/thread.h"

#define THREADS 8
#define ROUNDS  20000

struct shared {
	struct td_lock lock;
	struct td_cond cond;
	unsigned count; /* guarded by lock */
	bool go;        /* guarded by lock */
};

static void shared_init(struct shared *s)
{
	*s = (struct shared){.count = 0};
	td_lock_init(&s->lock);
	td_cond_init(&s->cond);
}

static void shared_done(struct shared *s)
{
	td_cond_done(&s->cond);
	td_lock_done(&s->lock);
}

static void count_up(void *ctx)
{
	struct shared *s = ctx;
	for (unsigned i = 0; i < ROUNDS; i++) {
		td_lock_take(&s->lock);
		s->count++;
		td_lock_give(&s->lock);
	}
}

static void start(struct td_thread *thread, td_thread_fn *fn, void *ctx)
{
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(td_thread_start(thread, "test", fn, ctx, &err), TD_OK);
}

/* One thread at a time is inside. */
static void test_lock_excludes(void **state)
{
	(void)state;
	struct shared s;
	shared_init(&s);
	struct td_thread threads[THREADS];
	for (unsigned i = 0; i < THREADS; i++)
		start(&threads[i], count_up, &s);
	for (unsigned i = 0; i < THREADS; i++)
		td_thread_join(&threads[i]);
	assert_int_equal(s.count, THREADS * ROUNDS);
	shared_done(&s);
}

static void wait_for_go(void *ctx)
{
	struct shared *s = ctx;
	td_lock_take(&s->lock);
	while (!s->go)
		td_cond_wait(&s->cond, &s->lock);
	s->count++;
	td_lock_give(&s->lock);
}

/* Waking all wakes each one that waits. */
static void test_cond_wakes_all(void **state)
{
	(void)state;
	struct shared s;
	shared_init(&s);
	struct td_thread threads[THREADS];
	for (unsigned i = 0; i < THREADS; i++)
		start(&threads[i], wait_for_go, &s);
	td_lock_take(&s.lock);
	s.go = true;
	td_cond_wake_all(&s.cond);
	td_lock_give(&s.lock);
	for (unsigned i = 0; i < THREADS; i++)
		td_thread_join(&threads[i]);
	assert_int_equal(s.count, THREADS);
	shared_done(&s);
}

/* A wait with an end ends at it: not before, and it says so. */
static void test_cond_wait_ends_at_its_deadline(void **state)
{
	(void)state;
	struct shared s;
	shared_init(&s);
	uint64_t deadline = td_clock_mono_ns() + 20000000;
	td_lock_take(&s.lock);
	while (td_cond_wait_until(&s.cond, &s.lock, deadline))
		; /* woken without a reason */
	assert_true(td_clock_mono_ns() >= deadline);
	assert_false(td_cond_wait_until(&s.cond, &s.lock, 0));
	td_lock_give(&s.lock);
	shared_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lock_excludes),
		cmocka_unit_test(test_cond_wakes_all),
		cmocka_unit_test(test_cond_wait_ends_at_its_deadline),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
