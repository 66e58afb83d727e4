/* Where the refresher's thread waits: for being woken, for being stopped, and for one operation of
 * a store, which it can give up. Only for the catalogue's own files. */
#ifndef TD_CATALOGUE_DESK_H
#define TD_CATALOGUE_DESK_H

#include "base/compiler.h"
#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct desk;

/* NULL: no memory. Whoever created it holds a reference, every operation under way another. */
struct desk *desk_create(void) TD_MUST_CHECK;
void desk_unref(struct desk *desk);

/* Any thread. */
void desk_wake(struct desk *desk);
void desk_stop(struct desk *desk);

/* Waits until somebody woke it, but not before earliest_ns, and no longer than until latest_ns
 * (td_clock_mono_ns()). False: it was stopped. */
bool desk_wait(struct desk *desk, uint64_t earliest_ns, uint64_t latest_ns);

/* Submits the operation and waits for its outcome. Takes it over in every case:
 *   *ret_op is the operation again, for store_op_free(), when the store let go of it; or NULL, when
 *   it could not be submitted, passed its deadline, or the desk was stopped (TD_STOPPING). */
enum td_status desk_run(struct desk *desk, struct store *store, struct store_op *op,
	struct store_op **ret_op) TD_MUST_CHECK;

#endif
