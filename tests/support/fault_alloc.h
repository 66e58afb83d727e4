/* Makes the n-th allocation fail, so that every way out of a function is walked once. */
#ifndef TD_TESTS_SUPPORT_FAULT_ALLOC_H
#define TD_TESTS_SUPPORT_FAULT_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* The n-th allocation from now on fails, and only that one; 0: none does. One thread at a time. */
void fault_alloc_at(size_t n);

/* True when the allocation that should fail was asked for. Takes the gate away. */
bool fault_alloc_end(void);

/* Runs `attempt` with the first, second, … allocation failing until it gets through without meeting
 * one. `attempt` returns whether it worked; with a failed allocation it must not have (asserted),
 * without it must. It gives back what it took either way: a leak shows in ASan.
 * Returns how many allocations there were. */
typedef bool fault_attempt_fn(void *ctx);
size_t fault_alloc_each(fault_attempt_fn *attempt, void *ctx);

#endif
