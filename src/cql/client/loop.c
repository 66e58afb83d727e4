#include "cql/client/loop.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "work/lock.h"
#include "work/thread.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64

struct tasks {
	struct cql_task *first, **end;
};

struct cql_loop {
	int epoll_fd;
	struct cql_watch wake; /* an eventfd: something was posted */
	struct td_thread thread;

	struct td_lock lock;
	struct tasks posted; /* guarded by lock */
	bool stop;           /* guarded by lock */

	/* The loop's own. */
	struct cql_timers timers;
	struct tasks deferred;
	uint64_t now_ms;
	struct epoll_event events[EVENTS_AT_ONCE];
	int ready, at; /* events[at] to events[ready - 1] were seen and not looked at yet */
};

static _Thread_local const struct cql_loop *current; /* the loop of this thread */

/* ---- tasks */

static void empty(struct tasks *tasks)
{
	tasks->first = NULL;
	tasks->end = &tasks->first;
}

static void append(struct tasks *tasks, struct cql_task *task)
{
	task->next = NULL;
	*tasks->end = task;
	tasks->end = &task->next;
}

static struct cql_task *take_first(struct tasks *tasks)
{
	struct cql_task *task = tasks->first;
	if (task == NULL)
		return NULL;
	tasks->first = task->next;
	if (tasks->first == NULL)
		tasks->end = &tasks->first;
	return task;
}

static void wake_up(struct cql_loop *loop)
{
	static const uint64_t one = 1;
	/* It fails only where so many wakes wait that one more is not needed. */
	ssize_t done = write(loop->wake.fd, &one, sizeof(one));
	(void)done;
}

void cql_loop_post(struct cql_loop *loop, struct cql_task *task)
{
	td_lock_take(&loop->lock);
	bool was_empty = loop->posted.first == NULL;
	append(&loop->posted, task);
	td_lock_give(&loop->lock);
	if (was_empty)
		wake_up(loop);
}

void cql_loop_defer(struct cql_loop *loop, struct cql_task *task)
{
	if (task->is_deferred)
		return;
	task->is_deferred = true;
	append(&loop->deferred, task);
}

/* All that were posted so far; *ret_stop: and no others come. */
static struct cql_task *take_posted(struct cql_loop *loop, bool *ret_stop)
{
	td_lock_take(&loop->lock);
	struct cql_task *first = loop->posted.first;
	empty(&loop->posted);
	*ret_stop = loop->stop;
	td_lock_give(&loop->lock);
	return first;
}

static void run_posted(struct cql_task *task)
{
	while (task != NULL) {
		struct cql_task *next = task->next;
		task->run(task); /* which may free it */
		task = next;
	}
}

static void run_deferred(struct cql_loop *loop)
{
	struct cql_task *task;
	while ((task = take_first(&loop->deferred)) != NULL) {
		task->is_deferred = false;
		task->run(task);
	}
}

bool cql_loop_is_current(const struct cql_loop *loop)
{
	return current == loop;
}

/* ---- timers */

uint64_t cql_loop_now_ms(const struct cql_loop *loop)
{
	return loop->now_ms;
}

void cql_loop_set_timer(struct cql_loop *loop, struct cql_timer *timer, uint64_t due_ms)
{
	cql_timers_set(&loop->timers, timer, due_ms);
}

void cql_loop_clear_timer(struct cql_loop *loop, struct cql_timer *timer)
{
	cql_timers_clear(&loop->timers, timer);
}

static void fire_due(struct cql_loop *loop)
{
	struct cql_timer *timer;
	while ((timer = cql_timers_take(&loop->timers, loop->now_ms)) != NULL)
		timer->fire(timer);
}

/* ---- descriptors */

enum td_status cql_loop_watch(
	struct cql_loop *loop, struct cql_watch *watch, uint32_t events, struct td_err *err)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) != 0)
		return td_err_errno(err, TD_NOMEM, errno, "cannot wait for a socket");
	return TD_OK;
}

void cql_loop_rewatch(struct cql_loop *loop, struct cql_watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};
	int rc = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
	td_assert(rc == 0);
}

void cql_loop_unwatch(struct cql_loop *loop, struct cql_watch *watch)
{
	int rc = epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	td_assert(rc == 0);
	for (int i = loop->at; i < loop->ready; i++) {
		if (loop->events[i].data.ptr == watch)
			loop->events[i].data.ptr = NULL;
	}
}

static void take_wake(struct cql_watch *watch, uint32_t events)
{
	(void)events;
	uint64_t count;
	ssize_t done = read(watch->fd, &count, sizeof(count));
	(void)done;
}

static void look_at_ready(struct cql_loop *loop)
{
	while (loop->at < loop->ready) {
		struct epoll_event event = loop->events[loop->at++];
		struct cql_watch *watch = event.data.ptr;
		if (watch != NULL)
			watch->ready(watch, event.events);
	}
}

static void wait_for_events(struct cql_loop *loop)
{
	int wait_ms = cql_timers_wait_ms(&loop->timers, td_clock_mono_ms(&td_clock_system));
	int ready = epoll_wait(loop->epoll_fd, loop->events, EVENTS_AT_ONCE, wait_ms);
	td_assert(ready >= 0 || errno == EINTR);
	loop->at = 0;
	loop->ready = ready > 0 ? ready : 0;
	loop->now_ms = td_clock_mono_ms(&td_clock_system);
}

/* ---- the thread */

static void run(void *arg)
{
	struct cql_loop *loop = arg;
	current = loop;
	loop->now_ms = td_clock_mono_ms(&td_clock_system);
	for (;;) {
		bool stop;
		run_posted(take_posted(loop, &stop));
		if (stop)
			break;
		fire_due(loop);
		run_deferred(loop);
		wait_for_events(loop);
		look_at_ready(loop);
	}
	run_deferred(loop);
}

static void free_loop(struct cql_loop *loop)
{
	if (loop->wake.fd >= 0)
		(void)close(loop->wake.fd);
	if (loop->epoll_fd >= 0)
		(void)close(loop->epoll_fd);
	td_lock_done(&loop->lock);
	td_free(loop);
}

static enum td_status open_loop(struct cql_loop *loop, struct td_err *err)
{
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epoll_fd < 0 || loop->wake.fd < 0)
		return td_err_errno(err, TD_NOMEM, errno, "no descriptor for a loop");
	return cql_loop_watch(loop, &loop->wake, EPOLLIN, err);
}

enum td_status cql_loop_create(const char *name, struct cql_loop **ret_loop, struct td_err *err)
{
	struct cql_loop *loop = td_alloc_zero(sizeof(*loop));
	if (loop == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for a loop");
	td_lock_init(&loop->lock);
	empty(&loop->posted);
	empty(&loop->deferred);
	loop->wake.ready = take_wake;
	enum td_status status = open_loop(loop, err);
	if (status == TD_OK)
		status = td_thread_start(&loop->thread, name, run, loop, err);
	if (status != TD_OK) {
		free_loop(loop);
		return status;
	}
	*ret_loop = loop;
	return TD_OK;
}

void cql_loop_destroy(struct cql_loop *loop)
{
	if (loop == NULL)
		return;
	td_lock_take(&loop->lock);
	loop->stop = true;
	td_lock_give(&loop->lock);
	wake_up(loop);
	td_thread_join(&loop->thread);
	free_loop(loop);
}
