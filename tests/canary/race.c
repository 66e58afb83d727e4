/* Two threads write without a lock: ThreadSanitizer must see it. */
#include "work/thread.h"

static unsigned shared;

static void count_up(void *ctx)
{
	(void)ctx;
	for (unsigned i = 0; i < 100000; i++)
		shared++;
}

int main(void)
{
	struct td_thread threads[2];
	struct td_err err = TD_ERR_INIT;
	for (unsigned i = 0; i < 2; i++) {
		if (td_thread_start(&threads[i], "canary", count_up, NULL, &err) != TD_OK)
			return 0;
	}
	for (unsigned i = 0; i < 2; i++)
		td_thread_join(&threads[i]);
	return 0;
}
