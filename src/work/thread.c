#include "work/thread.h"

#include "base/alloc.h"

#include <signal.h>

/* musl and glibc both need far less; a stack that is not touched costs no memory. A sanitizer puts
 * its own state and wider frames there. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_BYTES (4096u * 1024u)
#else
#define STACK_BYTES (512u * 1024u)
#endif

struct start {
	td_thread_fn *fn;
	void *ctx;
};

static void *run(void *arg)
{
	struct start start = *(struct start *)arg;
	td_free(arg);
	start.fn(start.ctx);
	return NULL;
}

static int start_blocked(pthread_t *ret_id, struct start *start)
{
	pthread_attr_t attr;
	sigset_t all, before;
	td_assert(pthread_attr_init(&attr) == 0);
	td_assert(pthread_attr_setstacksize(&attr, STACK_BYTES) == 0);
	(void)sigfillset(&all);
	td_assert(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	int rc = pthread_create(ret_id, &attr, run, start);
	td_assert(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	td_assert(pthread_attr_destroy(&attr) == 0);
	return rc;
}

enum td_status td_thread_start(struct td_thread *ret_thread, const char *name, td_thread_fn *fn,
	void *ctx, struct td_err *err)
{
	struct start *start = td_alloc(sizeof(*start));
	if (start == NULL)
		return td_err_set(err, TD_NOMEM, "no memory to start thread %s", name);
	*start = (struct start){fn, ctx};
	pthread_t id = 0;
	int rc = start_blocked(&id, start);
	if (rc != 0) {
		td_free(start);
		return td_err_errno(err, TD_NOMEM, rc, "cannot start thread %s", name);
	}
	(void)pthread_setname_np(id, name);
	ret_thread->id = id;
	return TD_OK;
}

enum td_status td_thread_detach(const char *name, td_thread_fn *fn, void *ctx, struct td_err *err)
{
	struct td_thread thread;
	enum td_status status = td_thread_start(&thread, name, fn, ctx, err);
	if (status == TD_OK)
		td_assert(pthread_detach(thread.id) == 0);
	return status;
}

void td_thread_join(struct td_thread *thread)
{
	td_assert(pthread_join(thread->id, NULL) == 0);
}
