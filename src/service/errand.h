/* Operations on the store of the records that nobody asked for: those of a service's own threads
 * (sweeper, relay). */
#ifndef TD_SERVICE_ERRAND_H
#define TD_SERVICE_ERRAND_H

#include "base/clock.h"
#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct errand {
	struct store *store;          /* borrowed */
	const struct td_clock *clock; /* the same */
	unsigned store_timeout_ms;
	bool has_test_clock; /* the store's offset is added to the time */
};

/* A fresh operation with its deadline. NULL: no memory. */
struct store_op *errand_op(
	const struct errand *errand, enum store_op_kind kind, int64_t now_ms) TD_MUST_CHECK;

/* Runs it and waits; NULL: there was no memory for it. *op stays the caller's to free, but after
 * TD_TIMEOUT, when it is NULL. */
enum td_status errand_call(
	const struct errand *errand, struct store_op **op, struct td_err *err) TD_MUST_CHECK;

/* Runs and frees an operation of which only the outcome matters. */
enum td_status errand_run(
	const struct errand *errand, struct store_op *op, struct td_err *err) TD_MUST_CHECK;

/* The time that rows are written with: with a test clock, the store's. */
enum td_status errand_time(
	const struct errand *errand, int64_t *ret_ms, struct td_err *err) TD_MUST_CHECK;

/* It would have come to any operation: the store is away, or has much to do, and says so itself. */
bool errand_is_of_the_store(enum td_status status);

#endif
