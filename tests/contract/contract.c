#include "contract.h"

#include "work/lock.h"

#include <string.h>
#include <time.h>

const struct contract_factory *contract_factory;

int contract_setup(void **state)
{
	struct contract *c = td_alloc_zero(sizeof(*c));
	assert_non_null(c);
	c->factory = contract_factory;
	c->db = c->factory->make();
	assert_int_equal(td_ticker_create(10, &c->ticker, NULL), TD_OK);
	c->store = contract_open(c, false);
	*state = c;
	return 0;
}

int contract_teardown(void **state)
{
	struct contract *c = *state;
	contract_close(c, c->store);
	td_ticker_destroy(c->ticker);
	c->factory->destroy(c->db);
	td_free(c);
	return 0;
}

struct store *contract_open(struct contract *c, bool small)
{
	struct store *store = c->factory->open(c->db, small);
	assert_non_null(store);
	assert_int_equal(td_ticker_add(c->ticker, store_expire, store, NULL), TD_OK);
	return store;
}

void contract_close(struct contract *c, struct store *store)
{
	td_ticker_remove(c->ticker, store_expire, store);
	store_destroy(store);
}

struct store_op *contract_op(enum store_op_kind kind)
{
	struct store_op *op = store_op_new(kind);
	assert_non_null(op);
	op->now_ms = CONTRACT_NOW;
	op->deadline_ms = td_clock_mono_ms(&td_clock_system) + 10000;
	return op;
}

struct store_op *contract_call(struct store *store, struct store_op *op, enum td_status expected)
{
	struct td_err err = TD_ERR_INIT;
	enum td_status status = store_call(store, &op, &err);
	if (status != expected)
		fail_msg("%s where %s was expected: %s", td_status_name(status),
			td_status_name(expected), err.text);
	return op;
}

void contract_expect(struct store *store, struct store_op *op, enum td_status expected)
{
	store_op_free(contract_call(store, op, expected));
}

struct store_op *contract_put_user(const char *id, const char *email)
{
	struct store_op *op = contract_op(STORE_USER_PUT);
	op->in.user = (struct store_user){
		.id = td_arena_slice(&op->arena, td_slice_str(id)),
		.email = td_arena_slice(&op->arena, td_slice_str(email)),
		.first_name = TD_SLICE("Ada"),
		.last_name = TD_SLICE("Lovelace"),
	};
	return op;
}

void contract_make_key(struct store *store, const char *id, uint8_t seed)
{
	struct store_op *op = contract_op(STORE_KEY_CREATE);
	op->in.key.id = td_slice_str(id);
	op->in.key.name = TD_SLICE("billing");
	memset(op->in.key.hash, seed, sizeof(op->in.key.hash));
	contract_expect(store, op, TD_OK);
}

void contract_use_key(struct store_op *op, uint8_t seed)
{
	op->auth.kind = STORE_AUTH_KEY;
	memset(op->auth.hash, seed, sizeof(op->auth.hash));
}

bool contract_poll(bool (*is_so)(void *ctx), void *ctx, unsigned ms)
{
	uint64_t until = td_clock_mono_ms(&td_clock_system) + ms;
	while (!is_so(ctx)) {
		struct timespec pause = {0, 2000000};
		if (td_clock_mono_ms(&td_clock_system) >= until)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

/* ---- crowds */

struct contract_crowd {
	struct td_lock lock;
	struct td_cond changed;
	size_t expected;
	size_t answered, released;         /* guarded by lock */
	size_t by_status[TD_STATUS_COUNT]; /* guarded by lock */
};

struct contract_crowd *crowd_new(size_t count)
{
	struct contract_crowd *crowd = td_alloc_zero(sizeof(*crowd));
	assert_non_null(crowd);
	td_lock_init(&crowd->lock);
	td_cond_init(&crowd->changed);
	crowd->expected = count;
	return crowd;
}

static void count_answer(struct store_op *op, enum td_status status)
{
	struct contract_crowd *crowd = op->owner;
	td_lock_take(&crowd->lock);
	crowd->answered++;
	crowd->by_status[status]++;
	td_cond_wake_all(&crowd->changed);
	td_lock_give(&crowd->lock);
}

static void count_release(struct store_op *op)
{
	struct contract_crowd *crowd = op->owner;
	store_op_free(op);
	td_lock_take(&crowd->lock);
	crowd->released++;
	td_cond_wake_all(&crowd->changed);
	td_lock_give(&crowd->lock);
}

void crowd_submit(struct contract_crowd *crowd, struct store *store, struct store_op *op)
{
	op->done = count_answer;
	op->release = count_release;
	op->owner = crowd;
	enum td_status status = store_submit(store, op);
	if (status == TD_OK)
		return;
	count_answer(op, status);
	count_release(op);
}

static bool wait_for(struct contract_crowd *crowd, const size_t *number, unsigned ms)
{
	uint64_t until_ns = td_clock_mono_ns() + ms * UINT64_C(1000000);
	bool in_time = true;
	td_lock_take(&crowd->lock);
	while (*number < crowd->expected && in_time)
		in_time = td_cond_wait_until(&crowd->changed, &crowd->lock, until_ns);
	bool all = *number >= crowd->expected;
	td_lock_give(&crowd->lock);
	return all;
}

bool crowd_wait(struct contract_crowd *crowd, unsigned ms)
{
	return wait_for(crowd, &crowd->answered, ms);
}

size_t crowd_count(struct contract_crowd *crowd, enum td_status status)
{
	td_lock_take(&crowd->lock);
	size_t count = crowd->by_status[status];
	td_lock_give(&crowd->lock);
	return count;
}

void crowd_free(struct contract_crowd *crowd)
{
	assert_true(wait_for(crowd, &crowd->released, 20000));
	assert_int_equal(crowd->answered, crowd->released);
	td_cond_done(&crowd->changed);
	td_lock_done(&crowd->lock);
	td_free(crowd);
}
