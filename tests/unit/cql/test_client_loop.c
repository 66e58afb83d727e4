#include "fault_alloc.h"
#include "td_test.h"
#include "wait_until.h"

#include "base/clock.h"
#include "cql/client/loop.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT_MS 10000
#define EACH     500

static struct cql_loop *make(void)
{
	struct cql_loop *loop = NULL;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(cql_loop_create("test", &loop, &err), TD_OK);
	return loop;
}

/* What the tests' tasks and watches write down. On the loop, but for `done`. */
struct scene {
	struct cql_task task, other, third;
	struct cql_timer timer, cleared;
	struct cql_watch watch, second;
	struct cql_loop *loop;
	char told[32];
	size_t count;
	uint64_t set_ms, fired_ms;
	_Atomic bool done;
};

static void tell(struct scene *s, char what)
{
	if (s->count < sizeof(s->told) - 1)
		s->told[s->count++] = what;
}

static bool is_done(void *ctx)
{
	return atomic_load(&((struct scene *)ctx)->done);
}

static void wait_for(struct scene *s)
{
	assert_true(wait_until(is_done, s, LIMIT_MS));
}

/* ---- tasks */

struct numbered {
	struct cql_task task;
	size_t *count;
	size_t seen_at;
};

static void note(struct cql_task *task)
{
	struct numbered *n = TD_CONTAINER_OF(task, struct numbered, task);
	n->seen_at = (*n->count)++;
}

/* The end of the loop waits for them, and they ran in the order of posting. */
static void test_every_task_runs_once_and_in_order(void **state)
{
	(void)state;
	static struct numbered all[EACH];
	size_t count = 0;
	struct cql_loop *loop = make();
	for (size_t i = 0; i < EACH; i++) {
		all[i] = (struct numbered){.task = {.run = note}, .count = &count};
		cql_loop_post(loop, &all[i].task);
	}
	cql_loop_destroy(loop);
	assert_int_equal(count, EACH);
	for (size_t i = 0; i < EACH; i++)
		assert_int_equal(all[i].seen_at, i);
}

static void run_third(struct cql_task *task)
{
	struct scene *s = TD_CONTAINER_OF(task, struct scene, third);
	tell(s, 'd');
	atomic_store(&s->done, true);
}

static void run_other(struct cql_task *task)
{
	tell(TD_CONTAINER_OF(task, struct scene, other), 'o');
}

static void defer_twice(struct cql_task *task)
{
	struct scene *s = TD_CONTAINER_OF(task, struct scene, task);
	cql_loop_defer(s->loop, &s->third);
	cql_loop_defer(s->loop, &s->third);
	tell(s, 't');
}

/* A deferred task runs once, after the tasks of its turn. */
static void test_what_is_deferred_runs_once_at_the_end_of_the_turn(void **state)
{
	(void)state;
	struct scene s = {.task = {.run = defer_twice},
		.other = {.run = run_other},
		.third = {.run = run_third}};
	s.loop = make();
	cql_loop_post(s.loop, &s.task);
	cql_loop_post(s.loop, &s.other);
	wait_for(&s);
	cql_loop_destroy(s.loop);
	assert_true(strcmp(s.told, "tod") == 0 || strcmp(s.told, "tdo") == 0);
}

/* ---- timers */

static void fire(struct cql_timer *timer)
{
	struct scene *s = TD_CONTAINER_OF(timer, struct scene, timer);
	s->fired_ms = cql_loop_now_ms(s->loop);
	tell(s, 'f');
	atomic_store(&s->done, true);
}

static void fire_never(struct cql_timer *timer)
{
	tell(TD_CONTAINER_OF(timer, struct scene, cleared), '!');
}

static void set_timers(struct cql_task *task)
{
	struct scene *s = TD_CONTAINER_OF(task, struct scene, task);
	s->set_ms = cql_loop_now_ms(s->loop);
	cql_loop_set_timer(s->loop, &s->cleared, s->set_ms + 1);
	cql_loop_set_timer(s->loop, &s->timer, s->set_ms + 20);
	cql_loop_clear_timer(s->loop, &s->cleared);
}

static void test_a_timer_fires_at_its_time_and_a_cleared_one_never(void **state)
{
	(void)state;
	struct scene s = {.task = {.run = set_timers},
		.timer = {.fire = fire},
		.cleared = {.fire = fire_never}};
	s.loop = make();
	cql_loop_post(s.loop, &s.task);
	wait_for(&s);
	cql_loop_destroy(s.loop);
	assert_string_equal(s.told, "f");
	assert_true(s.fired_ms >= s.set_ms + 20);
}

/* ---- descriptors */

static void unwatch_both(struct scene *s, char what)
{
	tell(s, what);
	cql_loop_unwatch(s->loop, &s->watch);
	cql_loop_unwatch(s->loop, &s->second);
	cql_loop_defer(s->loop, &s->third);
}

static void first_ready(struct cql_watch *watch, uint32_t events)
{
	assert_true((events & EPOLLIN) != 0);
	unwatch_both(TD_CONTAINER_OF(watch, struct scene, watch), 'w');
}

static void second_ready(struct cql_watch *watch, uint32_t events)
{
	assert_true((events & EPOLLIN) != 0);
	unwatch_both(TD_CONTAINER_OF(watch, struct scene, second), 'w');
}

static void watch_both(struct cql_task *task)
{
	struct scene *s = TD_CONTAINER_OF(task, struct scene, task);
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(cql_loop_watch(s->loop, &s->watch, EPOLLIN, &err), TD_OK);
	assert_int_equal(cql_loop_watch(s->loop, &s->second, EPOLLOUT, &err), TD_OK);
	cql_loop_rewatch(s->loop, &s->second, EPOLLIN);
}

/* Both are ready in one turn, and whoever comes first ends both: the other is not called. */
static void test_what_is_unwatched_is_not_called_in_the_same_turn(void **state)
{
	(void)state;
	int one[2], two[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, one), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, two), 0);
	assert_int_equal(write(one[1], "x", 1), 1);
	assert_int_equal(write(two[1], "x", 1), 1);
	struct scene s = {.task = {.run = watch_both},
		.third = {.run = run_third},
		.watch = {.ready = first_ready, .fd = one[0]},
		.second = {.ready = second_ready, .fd = two[0]}};
	s.loop = make();
	cql_loop_post(s.loop, &s.task);
	wait_for(&s);
	cql_loop_destroy(s.loop);
	assert_string_equal(s.told, "wd");
	for (int i = 0; i < 2; i++) {
		(void)close(one[i]);
		(void)close(two[i]);
	}
}

/* ---- */

static bool create(void *ctx)
{
	(void)ctx;
	struct cql_loop *loop = NULL;
	enum td_status status = cql_loop_create("test", &loop, NULL);
	assert_true(status == TD_OK || status == TD_NOMEM);
	if (status == TD_OK)
		cql_loop_destroy(loop);
	return status == TD_OK;
}

static void test_without_memory_nothing_is_left_behind(void **state)
{
	(void)state;
	assert_int_equal(fault_alloc_each(create, NULL), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_task_runs_once_and_in_order),
		cmocka_unit_test(test_what_is_deferred_runs_once_at_the_end_of_the_turn),
		cmocka_unit_test(test_a_timer_fires_at_its_time_and_a_cleared_one_never),
		cmocka_unit_test(test_what_is_unwatched_is_not_called_in_the_same_turn),
		cmocka_unit_test(test_without_memory_nothing_is_left_behind),
	};
	return cmocka_run_group_tests_name("cql/client/loop", tests, NULL, NULL);
}
