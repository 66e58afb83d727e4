#include "catalogue/desk.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "work/lock.h"

/* An operation under way is freed by whoever comes last: by the waiting thread when the store let
 * go of it while it was still awaited, else by the store's release. */
struct desk {
	struct td_lock lock;
	struct td_cond changed;
	/* All guarded by lock. */
	size_t references;
	bool stopping, woken;
	struct store_op *awaited; /* NULL: none, or it was given up */
	bool done, released;      /* of the awaited one */
	enum td_status status;
};

struct desk *desk_create(void)
{
	struct desk *desk = td_alloc_zero(sizeof(*desk));
	if (desk == NULL)
		return NULL;
	desk->references = 1;
	td_lock_init(&desk->lock);
	td_cond_init(&desk->changed);
	return desk;
}

void desk_unref(struct desk *desk)
{
	td_lock_take(&desk->lock);
	bool last = --desk->references == 0;
	td_lock_give(&desk->lock);
	if (!last)
		return;
	td_cond_done(&desk->changed);
	td_lock_done(&desk->lock);
	td_free(desk);
}

void desk_wake(struct desk *desk)
{
	td_lock_take(&desk->lock);
	desk->woken = true;
	td_cond_wake_all(&desk->changed);
	td_lock_give(&desk->lock);
}

void desk_stop(struct desk *desk)
{
	td_lock_take(&desk->lock);
	desk->stopping = true;
	td_cond_wake_all(&desk->changed);
	td_lock_give(&desk->lock);
}

bool desk_wait(struct desk *desk, uint64_t earliest_ns, uint64_t latest_ns)
{
	td_lock_take(&desk->lock);
	for (;;) {
		uint64_t until = desk->woken ? earliest_ns : latest_ns;
		if (desk->stopping || td_clock_mono_ns() >= until)
			break;
		(void)td_cond_wait_until(&desk->changed, &desk->lock, until);
	}
	desk->woken = false;
	bool goes_on = !desk->stopping;
	td_lock_give(&desk->lock);
	return goes_on;
}

static void note_done(struct store_op *op, enum td_status status)
{
	struct desk *desk = op->owner;
	td_lock_take(&desk->lock);
	if (desk->awaited == op) {
		desk->done = true;
		desk->status = status;
		td_cond_wake_all(&desk->changed);
	}
	td_lock_give(&desk->lock);
}

static void note_released(struct store_op *op)
{
	struct desk *desk = op->owner;
	td_lock_take(&desk->lock);
	bool is_awaited = desk->awaited == op;
	if (is_awaited) {
		desk->released = true;
		td_cond_wake_all(&desk->changed);
	}
	td_lock_give(&desk->lock);
	if (!is_awaited)
		store_op_free(op);
	desk_unref(desk);
}

static void begin_await(struct desk *desk, struct store_op *op)
{
	op->done = note_done;
	op->release = note_released;
	op->owner = desk;
	td_lock_take(&desk->lock);
	desk->references++;
	desk->awaited = op;
	desk->done = desk->released = false;
	td_lock_give(&desk->lock);
}

/* True: the store let go of the operation. */
static bool await(struct desk *desk, enum td_status *ret_status)
{
	td_lock_take(&desk->lock);
	while (!desk->released && !desk->stopping && !(desk->done && desk->status == TD_TIMEOUT))
		td_cond_wait(&desk->changed, &desk->lock);
	bool released = desk->released;
	*ret_status = desk->done ? desk->status : TD_STOPPING;
	desk->awaited = NULL;
	td_lock_give(&desk->lock);
	return released;
}

enum td_status desk_run(
	struct desk *desk, struct store *store, struct store_op *op, struct store_op **ret_op)
{
	*ret_op = NULL;
	begin_await(desk, op);
	enum td_status status = store_submit(store, op);
	if (status != TD_OK) {
		desk_unref(desk);
		store_op_free(op);
		return status;
	}
	if (await(desk, &status))
		*ret_op = op;
	return status;
}
