/* Preloaded: every fsync and fdatasync takes at least TD_BENCH_SYNC_US microseconds (default 2000),
 * as on a disk that has to wait for its platter or for a network. The real one is done first, and
 * the rest of the time is slept. */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

typedef int sync_fn(int fd);

static int64_t read_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int64_t wanted_ns(void)
{
	const char *text = getenv("TD_BENCH_SYNC_US");
	long us = text != NULL ? strtol(text, NULL, 10) : 0;
	return (us > 0 ? us : 2000) * INT64_C(1000);
}

static int sync_slowly(const char *name, int fd)
{
	union {
		void *object;
		sync_fn *function;
	} real = {.object = dlsym(RTLD_NEXT, name)};
	int64_t until = read_ns() + wanted_ns();
	int result = real.function(fd);
	int error = errno;
	struct timespec at = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
	errno = error;
	return result;
}

int fsync(int fd)
{
	return sync_slowly("fsync", fd);
}

int fdatasync(int fd)
{
	return sync_slowly("fdatasync", fd);
}
