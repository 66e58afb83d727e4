#include "work/lock.h"

#include "base/compiler.h"

#include <errno.h>
#include <time.h>

void td_lock_init(struct td_lock *lock)
{
	td_assert(pthread_mutex_init(&lock->mutex, NULL) == 0);
}

void td_lock_done(struct td_lock *lock)
{
	td_assert(pthread_mutex_destroy(&lock->mutex) == 0);
}

void td_lock_take(struct td_lock *lock)
{
	td_assert(pthread_mutex_lock(&lock->mutex) == 0);
}

void td_lock_give(struct td_lock *lock)
{
	td_assert(pthread_mutex_unlock(&lock->mutex) == 0);
}

void td_cond_init(struct td_cond *cond)
{
	pthread_condattr_t attr;
	td_assert(pthread_condattr_init(&attr) == 0);
	td_assert(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	td_assert(pthread_cond_init(&cond->cond, &attr) == 0);
	td_assert(pthread_condattr_destroy(&attr) == 0);
}

void td_cond_done(struct td_cond *cond)
{
	td_assert(pthread_cond_destroy(&cond->cond) == 0);
}

void td_cond_wait(struct td_cond *cond, struct td_lock *lock)
{
	td_assert(pthread_cond_wait(&cond->cond, &lock->mutex) == 0);
}

bool td_cond_wait_until(struct td_cond *cond, struct td_lock *lock, uint64_t deadline_ns)
{
	struct timespec until = {
		.tv_sec = (time_t)(deadline_ns / 1000000000u),
		.tv_nsec = (long)(deadline_ns % 1000000000u),
	};
	int rc = pthread_cond_timedwait(&cond->cond, &lock->mutex, &until);
	td_assert(rc == 0 || rc == ETIMEDOUT);
	return rc == 0;
}

void td_cond_wake_one(struct td_cond *cond)
{
	td_assert(pthread_cond_signal(&cond->cond) == 0);
}

void td_cond_wake_all(struct td_cond *cond)
{
	td_assert(pthread_cond_broadcast(&cond->cond) == 0);
}
