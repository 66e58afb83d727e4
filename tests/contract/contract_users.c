#include "contract.h"

#include <stdio.h>
#include <string.h>

static struct store_op *get_user(const char *id)
{
	struct store_op *op = contract_op(STORE_USER_GET);
	op->in.user.id = td_slice_str(id);
	return op;
}

static struct store_op *find_email(const char *email)
{
	struct store_op *op = contract_op(STORE_USER_BY_EMAIL);
	op->in.user.email = td_slice_str(email);
	return op;
}

/* A user that is put for the first time is created with the operation's own time. */
static void test_user_put_new_is_created(void **state)
{
	struct contract *c = *state;
	struct store_op *op = contract_call(
		c->store, contract_put_user("u1", "ada@example.org"), TD_OK);
	assert_true(op->out.created);
	assert_int_equal(op->out.user.created_at, CONTRACT_NOW);
	assert_int_equal(op->out.user.updated_at, CONTRACT_NOW);
	store_op_free(op);
	op = contract_call(c->store, get_user("u1"), TD_OK);
	assert_true(td_slice_is(op->out.user.email, "ada@example.org"));
	assert_true(td_slice_is(op->out.user.first_name, "Ada"));
	assert_null(op->out.user.company.ptr);
	assert_int_equal(op->out.user.created_at, CONTRACT_NOW);
	store_op_free(op);
}

/* What says the same leaves the row as it is; what differs changes it and keeps its creation. */
static void test_user_put_again_changes_only_what_differs(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, contract_put_user("u1", "ada@example.org"), TD_OK);
	struct store_op *op = contract_put_user("u1", "ada@example.org");
	op->now_ms += 1000;
	op = contract_call(c->store, op, TD_OK);
	assert_false(op->out.created);
	assert_int_equal(op->out.user.updated_at, CONTRACT_NOW);
	store_op_free(op);
	op = contract_put_user("u1", "Ada@example.org");
	op->in.user.company = TD_SLICE("Engines");
	op->now_ms += 2000;
	op = contract_call(c->store, op, TD_OK);
	assert_false(op->out.created);
	assert_int_equal(op->out.user.created_at, CONTRACT_NOW);
	assert_int_equal(op->out.user.updated_at, CONTRACT_NOW + 2000);
	store_op_free(op);
	op = contract_call(c->store, get_user("u1"), TD_OK);
	assert_true(td_slice_is(op->out.user.email, "Ada@example.org"));
	assert_true(td_slice_is(op->out.user.company, "Engines"));
	store_op_free(op);
}

/* A company can be taken away again. */
static void test_user_put_without_company_removes_it(void **state)
{
	struct contract *c = *state;
	struct store_op *op = contract_put_user("u1", "ada@example.org");
	op->in.user.company = TD_SLICE("Engines");
	contract_expect(c->store, op, TD_OK);
	contract_expect(c->store, contract_put_user("u1", "ada@example.org"), TD_OK);
	op = contract_call(c->store, get_user("u1"), TD_OK);
	assert_null(op->out.user.company.ptr);
	store_op_free(op);
}

/* An address belongs to one user, however its letters are written. */
static void test_user_email_is_unique_without_case(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, contract_put_user("u1", "ada@example.org"), TD_OK);
	contract_expect(c->store, contract_put_user("u2", "bob@example.org"), TD_OK);
	contract_expect(c->store, contract_put_user("u3", "ADA@Example.Org"), TD_EXISTS);
	contract_expect(c->store, contract_put_user("u2", "ADA@Example.Org"), TD_EXISTS);
	contract_expect(c->store, get_user("u3"), TD_NOTFOUND);
	struct store_op *op = contract_call(c->store, get_user("u2"), TD_OK);
	assert_true(td_slice_is(op->out.user.email, "bob@example.org"));
	store_op_free(op);
}

/* Putting swaps no one out: the address of a user that moved on is free. */
static void test_user_email_that_was_given_up_is_free(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, contract_put_user("u1", "ada@example.org"), TD_OK);
	contract_expect(c->store, contract_put_user("u1", "new@example.org"), TD_OK);
	contract_expect(c->store, contract_put_user("u2", "ada@example.org"), TD_OK);
}

static void test_user_create_refuses_what_is_taken(void **state)
{
	struct contract *c = *state;
	struct store_op *op = contract_put_user("u1", "ada@example.org");
	op->kind = STORE_USER_CREATE;
	op = contract_call(c->store, op, TD_OK);
	assert_true(op->out.created);
	store_op_free(op);
	op = contract_put_user("u1", "other@example.org");
	op->kind = STORE_USER_CREATE;
	contract_expect(c->store, op, TD_EXISTS);
	op = contract_put_user("u2", "ADA@example.org");
	op->kind = STORE_USER_CREATE;
	contract_expect(c->store, op, TD_EXISTS);
	contract_expect(c->store, get_user("u2"), TD_NOTFOUND);
}

static void test_user_is_found_by_email_without_case(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, contract_put_user("u1", "Ada@example.org"), TD_OK);
	struct store_op *op = contract_call(c->store, find_email("aDA@EXAMPLE.org"), TD_OK);
	assert_true(td_slice_is(op->out.user.id, "u1"));
	store_op_free(op);
	contract_expect(c->store, find_email("ad@example.org"), TD_NOTFOUND);
	contract_expect(c->store, find_email("%@example.org"), TD_NOTFOUND);
}

/* Any UTF-8 comes back byte by byte; letters outside ASCII compare as they are. */
static void test_user_text_comes_back_as_it_went_in(void **state)
{
	struct contract *c = *state;
	struct store_op *op = contract_put_user("a.b_c:d@e-F9", "k\xC3\xA4the@example.org");
	op->in.user.first_name = TD_SLICE("K\xC3\xA4the \xF0\x9F\x8E\x93 '\"\\;--");
	op->in.user.last_name = TD_SLICE("\xE6\x9D\x8E \xD7\x90");
	op->in.user.company = TD_SLICE("O\xCC\x88 & <b>");
	contract_expect(c->store, op, TD_OK);
	op = contract_call(c->store, get_user("a.b_c:d@e-F9"), TD_OK);
	assert_true(td_slice_is(op->out.user.first_name, "K\xC3\xA4the \xF0\x9F\x8E\x93 '\"\\;--"));
	assert_true(td_slice_is(op->out.user.last_name, "\xE6\x9D\x8E \xD7\x90"));
	assert_true(td_slice_is(op->out.user.company, "O\xCC\x88 & <b>"));
	store_op_free(op);
	contract_expect(c->store, find_email("K\xC3\xA4THE@example.org"), TD_OK);
	contract_expect(c->store, find_email("K\xC3\x84THE@example.org"), TD_NOTFOUND);
}

/* The longest texts that the rules allow fit. */
static void test_user_longest_texts_fit(void **state)
{
	struct contract *c = *state;
	char id[65], email[255], name[401];
	memset(id, 'i', sizeof(id));
	memset(email, 'e', sizeof(email));
	for (size_t i = 0; i + 1 < sizeof(name); i += 2)
		memcpy(name + i, "\xC3\xB1", 2);
	id[64] = email[254] = name[400] = '\0';
	memcpy(email + 60, "@", 1);
	struct store_op *op = contract_put_user(id, email);
	op->in.user.first_name = td_slice(name, 200); /* 100 characters */
	op->in.user.company = td_slice(name, 400);    /* 200 characters */
	contract_expect(c->store, op, TD_OK);
	op = contract_call(c->store, get_user(id), TD_OK);
	assert_int_equal(op->out.user.company.len, 400);
	store_op_free(op);
}

/* What one handle was told is written, every other handle reads at once. */
static void test_user_is_seen_by_another_handle_at_once(void **state)
{
	struct contract *c = *state;
	struct store *other = contract_open(c, false);
	char id[16], email[32];
	for (int i = 0; i < 50; i++) {
		(void)snprintf(id, sizeof(id), "u%d", i);
		(void)snprintf(email, sizeof(email), "u%d@example.org", i);
		contract_expect(i % 2 ? c->store : other, contract_put_user(id, email), TD_OK);
		contract_expect(i % 2 ? other : c->store, get_user(id), TD_OK);
	}
	contract_close(c, other);
}

/* Rows stay when every handle is closed. */
static void test_user_survives_closing(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, contract_put_user("u1", "ada@example.org"), TD_OK);
	contract_close(c, c->store);
	c->store = contract_open(c, false);
	contract_expect(c->store, get_user("u1"), TD_OK);
}

int contract_run_users(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_user_put_new_is_created),
		CONTRACT_TEST(test_user_put_again_changes_only_what_differs),
		CONTRACT_TEST(test_user_put_without_company_removes_it),
		CONTRACT_TEST(test_user_email_is_unique_without_case),
		CONTRACT_TEST(test_user_email_that_was_given_up_is_free),
		CONTRACT_TEST(test_user_create_refuses_what_is_taken),
		CONTRACT_TEST(test_user_is_found_by_email_without_case),
		CONTRACT_TEST(test_user_text_comes_back_as_it_went_in),
		CONTRACT_TEST(test_user_longest_texts_fit),
		CONTRACT_TEST(test_user_is_seen_by_another_handle_at_once),
		CONTRACT_TEST(test_user_survives_closing),
	};
	return cmocka_run_group_tests_name("users", tests, NULL, NULL);
}
