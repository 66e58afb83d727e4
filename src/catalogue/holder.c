#include "base/alloc.h"
#include "catalogue/snapshot.h"
#include "work/lock.h"

struct catalogue_holder {
	struct td_lock lock;
	struct catalogue_snapshot *current; /* guarded by lock; one reference is ours */
};

struct catalogue_holder *catalogue_holder_create(void)
{
	struct catalogue_holder *holder = td_alloc_zero(sizeof(*holder));
	if (holder != NULL)
		td_lock_init(&holder->lock);
	return holder;
}

void catalogue_holder_destroy(struct catalogue_holder *holder)
{
	if (holder == NULL)
		return;
	catalogue_snapshot_unref(holder->current);
	td_lock_done(&holder->lock);
	td_free(holder);
}

/* Counting up happens under the lock: between reading the pointer and counting, a swap could
 * otherwise give up the last reference. */
struct catalogue_snapshot *catalogue_holder_acquire(struct catalogue_holder *holder)
{
	td_lock_take(&holder->lock);
	struct catalogue_snapshot *current = holder->current;
	if (current != NULL)
		(void)catalogue_snapshot_ref(current);
	td_lock_give(&holder->lock);
	return current;
}

void catalogue_holder_swap(struct catalogue_holder *holder, struct catalogue_snapshot *snapshot)
{
	td_lock_take(&holder->lock);
	struct catalogue_snapshot *before = holder->current;
	holder->current = snapshot;
	td_lock_give(&holder->lock);
	catalogue_snapshot_unref(before);
}
