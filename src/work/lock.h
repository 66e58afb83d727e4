/* Mutex and condition, so that no other file knows of pthreads. A fault of the primitives
 * themselves (never an outcome of the program's input) aborts with the call's name. */
#ifndef TD_WORK_LOCK_H
#define TD_WORK_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct td_lock {
	pthread_mutex_t mutex;
};

struct td_cond {
	pthread_cond_t cond; /* measures CLOCK_MONOTONIC */
};

void td_lock_init(struct td_lock *lock);
void td_lock_done(struct td_lock *lock);
void td_lock_take(struct td_lock *lock);
void td_lock_give(struct td_lock *lock);

void td_cond_init(struct td_cond *cond);
void td_cond_done(struct td_cond *cond);

/* The caller holds `lock`; wakes may come without a reason, so wait in a loop on the predicate. */
void td_cond_wait(struct td_cond *cond, struct td_lock *lock);

/* As above until td_clock_mono_ns() passes deadline_ns; false when it has. */
bool td_cond_wait_until(struct td_cond *cond, struct td_lock *lock, uint64_t deadline_ns);

void td_cond_wake_one(struct td_cond *cond);
void td_cond_wake_all(struct td_cond *cond);

#endif
