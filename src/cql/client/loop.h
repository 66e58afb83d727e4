/* One thread that waits for sockets, timers and tasks: all connections of a session live on it, so
 * that nothing of theirs needs a lock.
 *
 * "On the loop" means: from a function that the loop calls. */
#ifndef TD_CQL_CLIENT_LOOP_H
#define TD_CQL_CLIENT_LOOP_H

#include "base/err.h"
#include "cql/client/timers.h"

#include <stdbool.h>
#include <stdint.h>

struct cql_loop;

struct cql_task;
typedef void cql_task_fn(struct cql_task *task);

/* Something to be done once on the loop. It stands in its owner, who keeps it until it has run. */
struct cql_task {
	cql_task_fn *run;
	struct cql_task *next; /* the loop's */
	bool is_deferred;      /* the loop's */
};

struct cql_watch;

/* `events` as epoll_wait(2) gives them. */
typedef void cql_ready_fn(struct cql_watch *watch, uint32_t events);

/* A descriptor that is looked after. It stands in its owner. */
struct cql_watch {
	cql_ready_fn *ready;
	int fd; /* the owner's, who closes it after cql_loop_unwatch() */
};

/* Starts the thread; `name` has at most 15 characters. Give it to cql_loop_destroy().
 *   TD_OK, TD_NOMEM   (no memory, thread or descriptor) */
enum td_status cql_loop_create(
	const char *name, struct cql_loop **ret_loop, struct td_err *err) TD_MUST_CHECK;

/* Runs what was posted before, then ends the thread; waits for it. Timers that are set do not fire.
 * NULL is fine. Not on the loop. */
void cql_loop_destroy(struct cql_loop *loop);

/* Runs `task` on the loop, in the order of posting. Any thread. Not after cql_loop_destroy() began.
 */
void cql_loop_post(struct cql_loop *loop, struct cql_task *task);

/* Runs `task` before the loop waits again, after everything that is ready was looked at: several
 * requests of one turn are written by one system call. One that waits already runs once. On the
 * loop. */
void cql_loop_defer(struct cql_loop *loop, struct cql_task *task);

/* True on the loop. Any thread. */
bool cql_loop_is_current(const struct cql_loop *loop);

/* Milliseconds of the monotonic clock when this turn began. On the loop. */
uint64_t cql_loop_now_ms(const struct cql_loop *loop);

/* See timers.h. On the loop. */
void cql_loop_set_timer(struct cql_loop *loop, struct cql_timer *timer, uint64_t due_ms);
void cql_loop_clear_timer(struct cql_loop *loop, struct cql_timer *timer);

/* Calls watch->ready whenever one of `events` (EPOLLIN, EPOLLOUT; level-triggered) or an error is
 * there. On the loop.
 *   TD_OK, TD_NOMEM   the system refused */
enum td_status cql_loop_watch(struct cql_loop *loop, struct cql_watch *watch, uint32_t events,
	struct td_err *err) TD_MUST_CHECK;

/* Other events for one that is watched. On the loop. */
void cql_loop_rewatch(struct cql_loop *loop, struct cql_watch *watch, uint32_t events);

/* `ready` is not called any more, not even for what was seen in this turn. On the loop. */
void cql_loop_unwatch(struct cql_loop *loop, struct cql_watch *watch);

#endif
