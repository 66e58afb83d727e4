/* Named threads with a small stack and all signals blocked (main handles signals). */
#ifndef TD_WORK_THREAD_H
#define TD_WORK_THREAD_H

#include "base/err.h"

#include <pthread.h>

struct td_thread {
	pthread_t id;
};

typedef void td_thread_fn(void *ctx);

/* Starts fn(ctx). `name` has at most 15 characters (it shows in ps and in debuggers).
 *   TD_OK           *ret_thread must be given to td_thread_join()
 *   TD_NOMEM        the system refused; fn never runs */
enum td_status td_thread_start(struct td_thread *ret_thread, const char *name, td_thread_fn *fn,
	void *ctx, struct td_err *err) TD_MUST_CHECK;

/* As td_thread_start(), but nobody waits for it: fn must end by itself and own what it touches. */
enum td_status td_thread_detach(
	const char *name, td_thread_fn *fn, void *ctx, struct td_err *err) TD_MUST_CHECK;

/* Waits until fn has returned. */
void td_thread_join(struct td_thread *thread);

#endif
