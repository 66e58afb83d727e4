#include "fault_alloc.h"
#include "td_test.h"

#include "work/thread.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

struct seen {
	char name[16];
	bool all_blocked;
	char far_down;
};

static void look(void *ctx)
{
	struct seen *seen = ctx;
	sigset_t blocked;
	(void)pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
	(void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	seen->all_blocked = sigismember(&blocked, SIGTERM) == 1 &&
			    sigismember(&blocked, SIGINT) == 1 &&
			    sigismember(&blocked, SIGHUP) == 1;
	volatile char stack[128 * 1024];
	stack[0] = 'x';
	stack[sizeof(stack) - 1] = 'y';
	seen->far_down = stack[0];
}

/* Signals go to main, not to a thread of ours; the mask of who starts it stays as it was. */
static void test_thread_has_signals_blocked(void **state)
{
	(void)state;
	sigset_t before, after;
	(void)pthread_sigmask(SIG_SETMASK, NULL, &before);
	struct seen seen = {.name = ""};
	struct td_thread thread;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(td_thread_start(&thread, "fifteen-letters", look, &seen, &err), TD_OK);
	td_thread_join(&thread);
	assert_true(seen.all_blocked);
	assert_int_equal(seen.far_down, 'x');
	(void)pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

static bool start_one(void *ctx)
{
	struct td_thread thread;
	struct td_err err = TD_ERR_INIT;
	enum td_status status = td_thread_start(&thread, "test", look, ctx, &err);
	if (status != TD_OK) {
		assert_int_equal(status, TD_NOMEM);
		assert_non_null(strstr(err.text, "test"));
		return false;
	}
	td_thread_join(&thread);
	return true;
}

static void test_thread_without_memory_says_so(void **state)
{
	(void)state;
	struct seen seen = {.name = ""};
	assert_int_equal(fault_alloc_each(start_one, &seen), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thread_has_signals_blocked),
		cmocka_unit_test(test_thread_without_memory_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
