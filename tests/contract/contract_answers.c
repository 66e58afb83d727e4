#include "contract.h"

#include <stdio.h>
#include <string.h>

/* A POST that creates a user and has its answer kept under `key`. */
static struct store_op *create_once(const char *id, const char *email, const char *key)
{
	struct store_op *op = contract_put_user(id, email);
	op->kind = STORE_USER_CREATE;
	op->idempotency = td_arena_alloc(&op->arena, sizeof(*op->idempotency));
	assert_non_null(op->idempotency);
	char *body = td_arena_printf(&op->arena, "{\"id\":\"%s\"}", id);
	*op->idempotency = (struct store_idempotency){
		.caller = TD_SLICE("key:k1"),
		.route = TD_SLICE("POST /users"),
		.key = td_arena_slice(&op->arena, td_slice_str(key)),
		.expires_at = op->now_ms + 86400000,
		.on_ok = {201, td_slice_str(body), TD_SLICE("/users/1")},
		.on_exists = {409, TD_SLICE("{\"code\":\"email-taken\"}"), {NULL, 0}},
	};
	memset(op->idempotency->fingerprint, 7, TD_SHA256_SIZE);
	return op;
}

static void check_no_user(struct contract *c, const char *id)
{
	struct store_op *op = contract_op(STORE_USER_GET);
	op->in.user.id = td_slice_str(id);
	contract_expect(c->store, op, TD_NOTFOUND);
}

/* The same key and body: the first answer again, and nothing is done. */
static void test_answer_same_request_is_replayed(void **state)
{
	struct contract *c = *state;
	struct store_op *op = contract_call(
		c->store, create_once("u1", "ada@example.org", "one"), TD_OK);
	assert_false(op->idempotency->replayed);
	store_op_free(op);
	op = contract_call(c->store, create_once("u2", "bob@example.org", "one"), TD_OK);
	assert_true(op->idempotency->replayed);
	assert_int_equal(op->idempotency->kept.http_status, 201);
	assert_true(td_slice_is(op->idempotency->kept.body, "{\"id\":\"u1\"}"));
	assert_true(td_slice_is(op->idempotency->kept.location, "/users/1"));
	store_op_free(op);
	check_no_user(c, "u2");
}

/* Another handle, and one that is opened later, answer alike. */
static void test_answer_is_replayed_after_a_restart(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, create_once("u1", "ada@example.org", "one"), TD_OK);
	contract_close(c, c->store);
	c->store = contract_open(c, false);
	struct store_op *op = contract_call(
		c->store, create_once("u2", "bob@example.org", "one"), TD_OK);
	assert_true(op->idempotency->replayed);
	store_op_free(op);
}

/* The same key with another body is refused, and the kept answer stays. */
static void test_answer_other_body_is_a_mismatch(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, create_once("u1", "ada@example.org", "one"), TD_OK);
	struct store_op *op = create_once("u2", "bob@example.org", "one");
	op->idempotency->fingerprint[31] ^= 1;
	contract_expect(c->store, op, TD_MISMATCH);
	check_no_user(c, "u2");
	op = contract_call(c->store, create_once("u3", "eve@example.org", "one"), TD_OK);
	assert_true(op->idempotency->replayed);
	store_op_free(op);
}

/* A refusal by the rules is an answer, too. */
static void test_answer_of_a_refusal_is_kept(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, contract_put_user("u1", "ada@example.org"), TD_OK);
	contract_expect(c->store, create_once("u2", "ada@example.org", "one"), TD_EXISTS);
	struct store_op *op = contract_call(
		c->store, create_once("u2", "free@example.org", "one"), TD_OK);
	assert_true(op->idempotency->replayed);
	assert_int_equal(op->idempotency->kept.http_status, 409);
	assert_null(op->idempotency->kept.location.ptr);
	store_op_free(op);
}

/* Being denied is not kept: with a valid key the request is run. */
static void test_answer_of_a_denial_is_not_kept(void **state)
{
	struct contract *c = *state;
	struct store_op *op = create_once("u1", "ada@example.org", "one");
	contract_use_key(op, 9);
	contract_expect(c->store, op, TD_DENIED);
	op = contract_call(c->store, create_once("u1", "ada@example.org", "one"), TD_OK);
	assert_false(op->idempotency->replayed);
	store_op_free(op);
}

/* A caller who is denied learns nothing of a kept answer. */
static void test_answer_is_not_replayed_to_the_denied(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, create_once("u1", "ada@example.org", "one"), TD_OK);
	struct store_op *op = create_once("u1", "ada@example.org", "one");
	contract_use_key(op, 9);
	op = contract_call(c->store, op, TD_DENIED);
	assert_false(op->idempotency->replayed);
	store_op_free(op);
}

/* An entry that has expired counts as absent. */
static void test_answer_expired_is_absent(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, create_once("u1", "ada@example.org", "one"), TD_OK);
	struct store_op *op = create_once("u2", "bob@example.org", "one");
	op->now_ms = CONTRACT_NOW + 86400000;
	op->idempotency->expires_at = op->now_ms + 86400000;
	op = contract_call(c->store, op, TD_OK);
	assert_false(op->idempotency->replayed);
	store_op_free(op);
	op = create_once("u3", "eve@example.org", "one");
	op->now_ms = CONTRACT_NOW + 86400001;
	op = contract_call(c->store, op, TD_OK);
	assert_true(td_slice_is(op->idempotency->kept.body, "{\"id\":\"u2\"}"));
	store_op_free(op);
}

/* Callers and routes do not see each other's keys. */
static void test_answer_belongs_to_caller_and_route(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, create_once("u1", "u1@example.org", "one"), TD_OK);
	struct store_op *op = create_once("u2", "u2@example.org", "one");
	op->idempotency->caller = TD_SLICE("key:k2");
	op = contract_call(c->store, op, TD_OK);
	assert_false(op->idempotency->replayed);
	store_op_free(op);
	op = create_once("u3", "u3@example.org", "one");
	op->idempotency->route = TD_SLICE("POST /other");
	op = contract_call(c->store, op, TD_OK);
	assert_false(op->idempotency->replayed);
	store_op_free(op);
	op = contract_call(c->store, create_once("u4", "u4@example.org", "ONE"), TD_OK);
	assert_false(op->idempotency->replayed);
	store_op_free(op);
}

/* Fifty at once with one key, over two handles, make one user. */
static void test_answer_fifty_at_once_do_it_once(void **state)
{
	struct contract *c = *state;
	struct store *other = contract_open(c, false);
	struct contract_crowd *crowd = crowd_new(50);
	for (int i = 0; i < 50; i++) {
		char id[16], email[32];
		(void)snprintf(id, sizeof(id), "u%d", i);
		(void)snprintf(email, sizeof(email), "u%d@example.org", i);
		crowd_submit(crowd, i % 2 ? other : c->store, create_once(id, email, "one"));
	}
	assert_true(crowd_wait(crowd, 10000));
	assert_int_equal(crowd_count(crowd, TD_OK), 50);
	crowd_free(crowd);
	size_t found = 0;
	for (int i = 0; i < 50; i++) {
		char email[32];
		(void)snprintf(email, sizeof(email), "u%d@example.org", i);
		struct store_op *op = contract_op(STORE_USER_BY_EMAIL);
		op->in.user.email = td_slice_str(email);
		found += store_call(other, &op, NULL) == TD_OK;
		store_op_free(op);
	}
	assert_int_equal(found, 1);
	contract_close(c, other);
}

int contract_run_answers(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_answer_same_request_is_replayed),
		CONTRACT_TEST(test_answer_is_replayed_after_a_restart),
		CONTRACT_TEST(test_answer_other_body_is_a_mismatch),
		CONTRACT_TEST(test_answer_of_a_refusal_is_kept),
		CONTRACT_TEST(test_answer_of_a_denial_is_not_kept),
		CONTRACT_TEST(test_answer_is_not_replayed_to_the_denied),
		CONTRACT_TEST(test_answer_expired_is_absent),
		CONTRACT_TEST(test_answer_belongs_to_caller_and_route),
		CONTRACT_TEST(test_answer_fifty_at_once_do_it_once),
	};
	return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
