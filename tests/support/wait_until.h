/* Waiting for something that another thread does, with an end. */
#ifndef TD_TESTS_SUPPORT_WAIT_UNTIL_H
#define TD_TESTS_SUPPORT_WAIT_UNTIL_H

#include <stdbool.h>

typedef bool wait_predicate_fn(void *ctx);

/* Asks again and again until it is true; false when that took longer than limit_ms. */
bool wait_until(wait_predicate_fn *predicate, void *ctx, unsigned limit_ms);

#endif
