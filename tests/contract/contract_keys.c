#include "contract.h"

#include <string.h>

static struct store_op *revoke(const char *id)
{
	struct store_op *op = contract_op(STORE_KEY_REVOKE);
	op->in.key.id = td_slice_str(id);
	return op;
}

static struct store_op *authorize(uint8_t seed)
{
	struct store_op *op = contract_op(STORE_AUTHORIZE);
	contract_use_key(op, seed);
	return op;
}

static void test_key_names_who_asks(void **state)
{
	struct contract *c = *state;
	contract_make_key(c->store, "k1", 1);
	struct store_op *op = contract_call(c->store, authorize(1), TD_OK);
	assert_true(td_slice_is(op->caller.key_id, "k1"));
	assert_true(td_slice_is(op->caller.key_name, "billing"));
	store_op_free(op);
	op = contract_put_user("u1", "ada@example.org");
	contract_use_key(op, 1);
	op = contract_call(c->store, op, TD_OK);
	assert_true(td_slice_is(op->caller.key_id, "k1"));
	store_op_free(op);
}

/* An unknown key does nothing, in reads and in writes. */
static void test_key_unknown_is_denied_and_nothing_is_done(void **state)
{
	struct contract *c = *state;
	contract_make_key(c->store, "k1", 1);
	contract_expect(c->store, authorize(2), TD_DENIED);
	struct store_op *op = contract_put_user("u1", "ada@example.org");
	contract_use_key(op, 2);
	contract_expect(c->store, op, TD_DENIED);
	op = contract_op(STORE_USER_GET);
	op->in.user.id = TD_SLICE("u1");
	contract_expect(c->store, op, TD_NOTFOUND);
}

/* Revoked is revoked at once, for every handle. */
static void test_key_revoked_is_denied_at_once_everywhere(void **state)
{
	struct contract *c = *state;
	struct store *other = contract_open(c, false);
	contract_make_key(c->store, "k1", 1);
	contract_expect(other, authorize(1), TD_OK);
	contract_expect(c->store, revoke("k1"), TD_OK);
	contract_expect(other, authorize(1), TD_DENIED);
	struct store_op *op = contract_put_user("u1", "ada@example.org");
	contract_use_key(op, 1);
	contract_expect(other, op, TD_DENIED);
	contract_close(c, other);
}

static void test_key_revoke_again_keeps_the_first_time(void **state)
{
	struct contract *c = *state;
	contract_make_key(c->store, "k1", 1);
	contract_expect(c->store, revoke("k1"), TD_OK);
	struct store_op *op = revoke("k1");
	op->now_ms += 5000;
	contract_expect(c->store, op, TD_OK);
	contract_expect(c->store, revoke("k2"), TD_NOTFOUND);
	op = contract_call(c->store, contract_op(STORE_KEY_LIST), TD_OK);
	assert_int_equal(op->out.key_count, 1);
	assert_int_equal(op->out.keys[0].revoked_at, CONTRACT_NOW);
	store_op_free(op);
}

static void test_key_list_is_oldest_first_and_whole(void **state)
{
	struct contract *c = *state;
	static const char *const ids[] = {"b", "a", "c"};
	for (size_t i = 0; i < TD_ARRAY_LEN(ids); i++) {
		struct store_op *op = contract_op(STORE_KEY_CREATE);
		op->in.key.id = td_slice_str(ids[i]);
		op->in.key.name = TD_SLICE("n\xC3\xA4me");
		op->in.key.created_at = CONTRACT_NOW + (int64_t)i;
		memset(op->in.key.hash, (int)i + 1, TD_SHA256_SIZE);
		contract_expect(c->store, op, TD_OK);
	}
	struct store_op *op = contract_call(c->store, contract_op(STORE_KEY_LIST), TD_OK);
	assert_int_equal(op->out.key_count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(td_slice_is(op->out.keys[i].id, ids[i]));
		assert_true(td_slice_is(op->out.keys[i].name, "n\xC3\xA4me"));
		assert_int_equal(op->out.keys[i].hash[31], i + 1);
		assert_int_equal(op->out.keys[i].created_at, CONTRACT_NOW + (int64_t)i);
		assert_int_equal(op->out.keys[i].last_used_at, 0);
		assert_int_equal(op->out.keys[i].revoked_at, 0);
	}
	store_op_free(op);
}

static void test_key_id_and_hash_are_unique(void **state)
{
	struct contract *c = *state;
	contract_make_key(c->store, "k1", 1);
	struct store_op *op = contract_op(STORE_KEY_CREATE);
	op->in.key.id = TD_SLICE("k1");
	op->in.key.name = TD_SLICE("x");
	contract_expect(c->store, op, TD_EXISTS);
	op = contract_op(STORE_KEY_CREATE);
	op->in.key.id = TD_SLICE("k2");
	op->in.key.name = TD_SLICE("x");
	memset(op->in.key.hash, 1, TD_SHA256_SIZE);
	contract_expect(c->store, op, TD_EXISTS);
}

struct used {
	struct store *store;
	int64_t at;
};

static bool is_used(void *ctx)
{
	struct used *used = ctx;
	struct store_op *op = contract_call(used->store, contract_op(STORE_KEY_LIST), TD_OK);
	bool is = op->out.keys[0].last_used_at == used->at;
	store_op_free(op);
	return is;
}

/* The last use shows soon, after reads as after writes. */
static void test_key_use_is_written_down_by_and_by(void **state)
{
	struct contract *c = *state;
	contract_make_key(c->store, "k1", 1);
	contract_expect(c->store, authorize(1), TD_OK);
	struct used used = {c->store, CONTRACT_NOW};
	assert_true(contract_poll(is_used, &used, 5000));
	struct store_op *op = contract_put_user("u1", "ada@example.org");
	op->now_ms += 61000;
	contract_use_key(op, 1);
	contract_expect(c->store, op, TD_OK);
	used.at = CONTRACT_NOW + 61000;
	assert_true(contract_poll(is_used, &used, 5000));
}

int contract_run_keys(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_key_names_who_asks),
		CONTRACT_TEST(test_key_unknown_is_denied_and_nothing_is_done),
		CONTRACT_TEST(test_key_revoked_is_denied_at_once_everywhere),
		CONTRACT_TEST(test_key_revoke_again_keeps_the_first_time),
		CONTRACT_TEST(test_key_list_is_oldest_first_and_whole),
		CONTRACT_TEST(test_key_id_and_hash_are_unique),
		CONTRACT_TEST(test_key_use_is_written_down_by_and_by),
	};
	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
