#include "store/store.h"

#include "base/alloc.h"
#include "work/lock.h"

static const struct {
	const char *name;
	bool writes;
} kinds[STORE_OP_COUNT] = {
#define STORE_OP_ROW(name, writes) [STORE_##name] = {#name, writes},
	STORE_OP_MAP(STORE_OP_ROW)
#undef STORE_OP_ROW
};

const char *store_op_name(enum store_op_kind kind)
{
	td_assert(kind < STORE_OP_COUNT);
	return kinds[kind].name;
}

bool store_op_writes(enum store_op_kind kind)
{
	td_assert(kind < STORE_OP_COUNT);
	return kinds[kind].writes;
}

struct store_op *store_op_new(enum store_op_kind kind)
{
	struct store_op *op = td_alloc_zero(sizeof(*op));
	if (op != NULL)
		op->kind = kind;
	return op;
}

void store_op_free(struct store_op *op)
{
	if (op == NULL)
		return;
	td_arena_done(&op->arena);
	td_free(op);
}

enum td_status store_submit(struct store *store, struct store_op *op)
{
	return store->class->submit(store, op);
}

/* One operation that is waited for. Whoever lets go last, the caller or the store, frees it. */
struct store_waiting {
	struct td_lock lock;
	struct td_cond changed;
	bool done, released, given_up; /* guarded by lock */
	enum td_status status;         /* guarded by lock */
};

static void free_call(struct store_waiting *call)
{
	td_cond_done(&call->changed);
	td_lock_done(&call->lock);
	td_free(call);
}

static void call_done(struct store_op *op, enum td_status status)
{
	struct store_waiting *call = op->owner;
	td_lock_take(&call->lock);
	call->status = status;
	call->done = true;
	td_cond_wake_all(&call->changed);
	td_lock_give(&call->lock);
}

static void call_release(struct store_op *op)
{
	struct store_waiting *call = op->owner;
	td_lock_take(&call->lock);
	call->released = true;
	bool given_up = call->given_up;
	td_cond_wake_all(&call->changed);
	td_lock_give(&call->lock);
	if (given_up) {
		free_call(call);
		store_op_free(op);
	}
}

/* True when the store has let go of the operation; false when it timed out and still runs. */
static bool wait_for_release(struct store_waiting *call, enum td_status *ret_status)
{
	td_lock_take(&call->lock);
	while (!call->released && !(call->done && call->status == TD_TIMEOUT))
		td_cond_wait(&call->changed, &call->lock);
	bool released = call->released;
	call->given_up = !released;
	*ret_status = call->status;
	td_lock_give(&call->lock);
	return released;
}

enum td_status store_begin(struct store *store, struct store_op *op,
	struct store_waiting **ret_waiting, struct td_err *err)
{
	struct store_waiting *call = td_alloc_zero(sizeof(*call));
	if (call == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for an operation");
	td_lock_init(&call->lock);
	td_cond_init(&call->changed);
	op->done = call_done;
	op->release = call_release;
	op->owner = call;
	enum td_status status = store_submit(store, op);
	if (status != TD_OK) {
		free_call(call);
		return td_err_set(
			err, status, "%s: %s", store_op_name(op->kind), td_status_words(status));
	}
	*ret_waiting = call;
	return TD_OK;
}

enum td_status store_await(struct store_waiting *waiting, struct store_op **op, struct td_err *err)
{
	enum td_status status;
	enum store_op_kind kind = (*op)->kind;
	if (!wait_for_release(waiting, &status)) {
		*op = NULL;
		return td_err_set(err, status,
			"%s: no answer within the time that STORE_TIMEOUT allows",
			store_op_name(kind));
	}
	free_call(waiting);
	if (status != TD_OK && err != NULL) {
		*err = (*op)->err;
		if (err->code == TD_OK)
			(void)td_err_set(err, status, "%s: %s", store_op_name(kind),
				td_status_words(status));
	}
	return status;
}

enum td_status store_call(struct store *store, struct store_op **op, struct td_err *err)
{
	struct store_waiting *waiting = NULL;
	enum td_status status = store_begin(store, *op, &waiting, err);
	return status == TD_OK ? store_await(waiting, op, err) : status;
}

void store_get_health(struct store *store, struct store_health *ret_health)
{
	store->class->get_health(store, ret_health);
}

bool store_get_connections(struct store *store, struct store_connections *ret_connections)
{
	return store->class->get_connections != NULL &&
	       store->class->get_connections(store, ret_connections);
}

void store_set_changed(struct store *store, store_changed_fn *fn, void *ctx)
{
	store->class->set_changed(store, fn, ctx);
}

void store_each_lane(struct store *store, store_lane_fn *fn, void *ctx)
{
	store->class->each_lane(store, fn, ctx);
}

void store_expire(void *store, uint64_t now_ms)
{
	struct store *s = store;
	s->class->expire(s, now_ms);
}

void store_hurry(struct store *store, uint64_t deadline_ms)
{
	store->class->hurry(store, deadline_ms);
}

void store_stop(struct store *store, uint64_t drain_deadline_ms)
{
	store->class->stop(store, drain_deadline_ms);
}

void store_destroy(struct store *store)
{
	if (store != NULL)
		store->class->destroy(store);
}
