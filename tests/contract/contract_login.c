/* Sessions, passwords, links that reset them, throttles; leases, the test clock and the sweep. */
#include "contract_selling.h"

#include <stdio.h>
#include <string.h>

#define HASH_TEXT "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA"

static struct store_op *session_op(enum store_op_kind kind, uint8_t seed)
{
	struct store_op *op = contract_op(kind);
	memset(op->in.session.hash, seed, TD_SHA256_SIZE);
	op->in.session.user_id = TD_SLICE("ada");
	op->in.session.created_at = op->now_ms;
	op->in.session.expires_at = op->now_ms + SELLING_DAY;
	return op;
}

static struct store_op *whose(uint8_t seed, int64_t later_ms)
{
	struct store_op *op = contract_op(STORE_AUTHORIZE);
	op->auth.kind = STORE_AUTH_SESSION;
	memset(op->auth.hash, seed, TD_SHA256_SIZE);
	op->now_ms += later_ms;
	return op;
}

static void check_session(struct contract *c, uint8_t seed)
{
	struct store_op *op = contract_call(c->store, whose(seed, 0), TD_OK);
	assert_true(td_slice_is(op->caller.user_id, "ada"));
	store_op_free(op);
}

static void test_session_is_in_force_until_it_expires(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, whose(1, 0), TD_DENIED);
	contract_expect(c->store, session_op(STORE_SESSION_CREATE, 1), TD_OK);
	check_session(c, 1);
	contract_expect(c->store, whose(2, 0), TD_DENIED);
	contract_expect(c->store, whose(1, SELLING_DAY - 1), TD_OK);
	contract_expect(c->store, whose(1, SELLING_DAY), TD_DENIED);
}

static void test_session_takes_the_place_of_the_old_one(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, session_op(STORE_SESSION_CREATE, 1), TD_OK);
	contract_expect(c->store, session_op(STORE_SESSION_CREATE, 3), TD_OK);
	struct store_op *op = session_op(STORE_SESSION_CREATE, 2);
	memset(op->in.old_hash, 1, TD_SHA256_SIZE);
	contract_expect(c->store, op, TD_OK);
	check_session(c, 2);
	check_session(c, 3);
	contract_expect(c->store, whose(1, 0), TD_DENIED);
}

static void test_session_of_nobody_is_not_made(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	struct store_op *op = session_op(STORE_SESSION_CREATE, 1);
	op->in.session.user_id = TD_SLICE("nobody");
	contract_expect(c->store, op, TD_NOTFOUND);
	contract_expect(c->store, whose(1, 0), TD_DENIED);
}

static void test_session_ends_and_ending_again_is_fine(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, session_op(STORE_SESSION_CREATE, 1), TD_OK);
	contract_expect(c->store, session_op(STORE_SESSION_CREATE, 2), TD_OK);
	contract_expect(c->store, session_op(STORE_SESSION_END, 1), TD_OK);
	contract_expect(c->store, session_op(STORE_SESSION_END, 1), TD_OK);
	contract_expect(c->store, whose(1, 0), TD_DENIED);
	check_session(c, 2);
}

/* ---- a visitor's checkout */

static struct store_op *checkout(const char *id, const char *email)
{
	struct store_op *op = selling_subscribe(id, id);
	op->kind = STORE_CHECKOUT;
	op->in.user = (struct store_user){
		.id = td_slice_str(id),
		.email = td_slice_str(email),
		.first_name = TD_SLICE("Eve"),
		.last_name = TD_SLICE("Online"),
		.company = TD_SLICE("Co"),
	};
	op->in.password_hash = TD_SLICE(HASH_TEXT);
	memset(op->in.session.hash, 9, TD_SHA256_SIZE);
	op->in.session.user_id = td_slice_str(id);
	op->in.session.created_at = op->now_ms;
	op->in.session.expires_at = op->now_ms + SELLING_DAY;
	return op;
}

static struct store_op *login(const char *email)
{
	struct store_op *op = contract_op(STORE_LOGIN_GET);
	op->in.user.email = td_slice_str(email);
	return op;
}

static void test_checkout_makes_all_of_it(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, checkout("eve", "Eve@example.org"), TD_OK);
	struct store_op *op = contract_call(c->store, login("eVE@example.org"), TD_OK);
	assert_true(td_slice_is(op->out.user.id, "eve"));
	assert_true(td_slice_is(op->out.user.email, "Eve@example.org"));
	assert_true(td_slice_is(op->out.user.company, "Co"));
	assert_int_equal(op->out.user.created_at, CONTRACT_NOW);
	assert_true(td_slice_is(op->out.password_hash, HASH_TEXT));
	store_op_free(op);
	op = contract_call(c->store, whose(9, 0), TD_OK);
	assert_true(td_slice_is(op->caller.user_id, "eve"));
	store_op_free(op);
	op = selling_get(c, "eve");
	assert_int_equal(op->out.subscription_count, 1);
	store_op_free(op);
	op = selling_history(c, "eve", 10, 0);
	assert_int_equal(op->out.history_count, 1);
	store_op_free(op);
}

static void test_checkout_with_a_known_address_makes_nothing(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, checkout("eve", "ADA@example.org"), TD_EXISTS);
	struct store_op *op = contract_op(STORE_USER_GET);
	op->in.user.id = TD_SLICE("eve");
	contract_expect(c->store, op, TD_NOTFOUND);
	contract_expect(c->store, whose(9, 0), TD_DENIED);
}

static void test_checkout_of_a_package_that_is_gone_makes_nothing(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	struct store_op *op = checkout("eve", "eve@example.org");
	selling_row(op)->package.id = TD_SLICE("p-gone");
	contract_expect(c->store, op, TD_NOTFOUND);
	contract_expect(c->store, login("eve@example.org"), TD_NOTFOUND);
	contract_expect(c->store, checkout("eve", "eve@example.org"), TD_OK);
}

static void test_login_without_a_password_has_none(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	struct store_op *op = contract_call(c->store, login("ada@example.org"), TD_OK);
	assert_null(op->out.password_hash.ptr);
	store_op_free(op);
	contract_expect(c->store, login("nobody@example.org"), TD_NOTFOUND);
}

/* ---- links that reset a password */

static struct store_op *reset_create(uint8_t seed)
{
	struct store_op *op = session_op(STORE_RESET_CREATE, seed);
	op->in.user.email = TD_SLICE("Ada@Example.org");
	return op;
}

static struct store_op *reset(enum store_op_kind kind, uint8_t seed, int64_t later_ms)
{
	struct store_op *op = session_op(kind, seed);
	op->in.password_hash = TD_SLICE(HASH_TEXT);
	op->now_ms += later_ms;
	return op;
}

static void test_reset_works_once_and_ends_all_sessions(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, session_op(STORE_SESSION_CREATE, 1), TD_OK);
	struct store_op *op = contract_call(c->store, reset_create(5), TD_OK);
	assert_true(td_slice_is(op->out.user.id, "ada"));
	store_op_free(op);
	op = contract_call(c->store, reset(STORE_RESET_GET, 5, 0), TD_OK);
	assert_true(td_slice_is(op->out.user.id, "ada"));
	store_op_free(op);
	op = contract_call(c->store, reset(STORE_RESET_USE, 5, 0), TD_OK);
	assert_true(td_slice_is(op->out.user.id, "ada"));
	store_op_free(op);
	contract_expect(c->store, whose(1, 0), TD_DENIED);
	contract_expect(c->store, reset(STORE_RESET_USE, 5, 0), TD_NOTFOUND);
	contract_expect(c->store, reset(STORE_RESET_GET, 5, 0), TD_NOTFOUND);
	op = contract_call(c->store, login("ada@example.org"), TD_OK);
	assert_true(td_slice_is(op->out.password_hash, HASH_TEXT));
	store_op_free(op);
}

static void test_reset_expires_and_a_later_one_voids_it(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, reset_create(5), TD_OK);
	contract_expect(c->store, reset(STORE_RESET_GET, 5, SELLING_DAY), TD_NOTFOUND);
	contract_expect(c->store, reset(STORE_RESET_USE, 5, SELLING_DAY), TD_NOTFOUND);
	contract_expect(c->store, reset_create(6), TD_OK);
	contract_expect(c->store, reset(STORE_RESET_USE, 5, 0), TD_NOTFOUND);
	contract_expect(c->store, reset(STORE_RESET_USE, 6, 0), TD_OK);
	struct store_op *op = reset_create(7);
	op->in.user.email = TD_SLICE("nobody@example.org");
	contract_expect(c->store, op, TD_NOTFOUND);
}

static struct store_op *session_for(uint8_t seed, struct td_slice password_hash)
{
	struct store_op *op = session_op(STORE_SESSION_CREATE, seed);
	op->in.password_hash = td_arena_slice(&op->arena, password_hash);
	return op;
}

/* Who has shown a password that is no longer the user's gets no session for it. */
static void test_session_needs_the_password_in_force(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, session_for(1, TD_SLICE(HASH_TEXT)), TD_NOTFOUND);
	contract_expect(c->store, reset_create(5), TD_OK);
	contract_expect(c->store, reset(STORE_RESET_USE, 5, 0), TD_OK);
	contract_expect(c->store, session_for(2, td_slice(NULL, 0)), TD_NOTFOUND);
	contract_expect(c->store, session_for(3, TD_SLICE(HASH_TEXT "A")), TD_NOTFOUND);
	contract_expect(c->store, session_for(4, TD_SLICE(HASH_TEXT)), TD_OK);
	for (uint8_t seed = 1; seed <= 3; seed++)
		contract_expect(c->store, whose(seed, 0), TD_DENIED);
	check_session(c, 4);
}

/* The same password, hashed anew: in the same write, and only where the old hash was in force. */
static void test_session_renews_the_hash(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, reset_create(5), TD_OK);
	contract_expect(c->store, reset(STORE_RESET_USE, 5, 0), TD_OK);
	struct store_op *op = session_for(1, TD_SLICE("another"));
	op->in.renewed_hash = TD_SLICE("not to be written");
	contract_expect(c->store, op, TD_NOTFOUND);
	contract_expect(c->store, session_for(1, TD_SLICE(HASH_TEXT)), TD_OK);
	op = session_for(2, TD_SLICE(HASH_TEXT));
	op->in.renewed_hash = TD_SLICE("renewed");
	contract_expect(c->store, op, TD_OK);
	op = contract_call(c->store, login("ada@example.org"), TD_OK);
	assert_true(td_slice_is(op->out.password_hash, "renewed"));
	store_op_free(op);
	check_session(c, 1); /* it is the same password */
	check_session(c, 2);
	contract_expect(c->store, session_for(3, TD_SLICE(HASH_TEXT)), TD_NOTFOUND);
	contract_expect(c->store, session_for(3, TD_SLICE("renewed")), TD_OK);
}

#define CROWD 24

/* Sessions begin and the password is set, all at once: whichever comes first, none is left that the
 * old password began. */
static void test_session_does_not_outlive_a_reset_at_the_same_time(void **state)
{
	struct contract *c = *state;
	struct store *other = contract_open(c, false);
	struct td_slice before = td_slice(NULL, 0);
	char hash[2][8];
	selling_prepare(c);
	for (unsigned round = 0; round < 8; round++) {
		struct contract_crowd *crowd = crowd_new(CROWD + 1);
		contract_expect(c->store, reset_create(5), TD_OK);
		struct store_op *op = reset(STORE_RESET_USE, 5, 0);
		(void)snprintf(hash[round % 2], sizeof(hash[0]), "hash%u", round);
		op->in.password_hash = td_slice_str(hash[round % 2]);
		for (uint8_t i = 0; i < CROWD; i++) {
			crowd_submit(crowd, c->store, session_for((uint8_t)(100 + i), before));
			if (i == 3 * round)
				crowd_submit(crowd, other, op);
		}
		assert_true(crowd_wait(crowd, 10000));
		assert_int_equal(
			crowd_count(crowd, TD_OK) + crowd_count(crowd, TD_NOTFOUND), CROWD + 1);
		crowd_free(crowd);
		for (uint8_t i = 0; i < CROWD; i++)
			contract_expect(c->store, whose((uint8_t)(100 + i), 0), TD_DENIED);
		before = td_slice_str(hash[round % 2]);
	}
	contract_close(c, other);
}

/* ---- throttles */

static const struct store_throttle throttles[] = {{{"account:1", 9}, 2}, {{"address:1", 9}, 3}};

static struct store_op *take(int64_t later_ms)
{
	struct store_op *op = contract_op(STORE_THROTTLE_TAKE);
	op->in.throttles = throttles;
	op->in.throttle_count = 2;
	op->in.window_ms = 1000;
	op->now_ms += later_ms;
	return op;
}

static void test_throttle_limits_until_its_window_ends(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, take(0), TD_OK);
	contract_expect(c->store, take(100), TD_OK);
	struct store_op *op = contract_call(c->store, take(400), TD_LIMITED);
	assert_int_equal(op->out.retry_ms, 600);
	store_op_free(op);
	contract_expect(c->store, take(999), TD_LIMITED);
	contract_expect(c->store, take(1000), TD_OK);
	contract_expect(c->store, take(1001), TD_OK);
	contract_expect(c->store, take(1002), TD_LIMITED);
}

/* Success forgets the account, and gives the address one back. */
static void test_throttle_is_given_back(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	for (int i = 0; i < 3; i++) {
		contract_expect(c->store, take(i), TD_OK);
		struct store_op *op = session_op(STORE_SESSION_CREATE, (uint8_t)(10 + i));
		op->in.throttles = throttles;
		op->in.throttle_count = 2;
		contract_expect(c->store, op, TD_OK);
	}
	contract_expect(c->store, take(5), TD_OK);
	contract_expect(c->store, take(6), TD_OK);
	contract_expect(c->store, take(7), TD_LIMITED);
}

/* ---- leases, the clock, the sweep */

static struct store_op *lease(const char *owner, int64_t now_ms)
{
	struct store_op *op = contract_op(STORE_LEASE_TAKE);
	op->in.lease = (struct store_lease){
		TD_SLICE("sweeper"), td_slice_str(owner), now_ms, now_ms + 1000};
	return op;
}

static void test_lease_is_one_owners_until_it_expires(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, lease("one", 5000), TD_OK);
	contract_expect(c->store, lease("two", 5500), TD_CONFLICT);
	contract_expect(c->store, lease("one", 5900), TD_OK);
	contract_expect(c->store, lease("two", 6500), TD_CONFLICT);
	contract_expect(c->store, lease("two", 6900), TD_OK);
	contract_expect(c->store, lease("one", 6901), TD_CONFLICT);
}

/* Who took it while its clock was an hour ahead holds up nobody for an hour. */
static void test_lease_of_a_clock_that_was_wrong_is_over(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, lease("one", 3600000), TD_OK);
	contract_expect(c->store, lease("two", 3600000 - 60000), TD_CONFLICT);
	contract_expect(c->store, lease("two", 3600000 - 60001), TD_OK);
	contract_expect(c->store, lease("one", 5000), TD_OK);
	contract_expect(c->store, lease("two", 5001), TD_CONFLICT);
}

static struct store_op *set_clock(int64_t expected_ms, int64_t offset_ms)
{
	struct store_op *op = contract_op(STORE_CLOCK_SET);
	op->in.clock = (struct store_clock_set){offset_ms, expected_ms};
	return op;
}

static void test_clock_is_set_by_who_knows_it(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, contract_op(STORE_CLOCK_GET), TD_NOTFOUND);
	contract_expect(c->store, set_clock(0, 5), TD_CONFLICT);
	contract_expect(c->store, set_clock(STORE_CLOCK_ABSENT, -7), TD_OK);
	contract_expect(c->store, set_clock(STORE_CLOCK_ABSENT, 8), TD_CONFLICT);
	contract_expect(c->store, set_clock(8, 9), TD_CONFLICT);
	contract_expect(c->store, set_clock(-7, 31 * SELLING_DAY), TD_OK);
	struct store_op *op = contract_call(c->store, contract_op(STORE_CLOCK_GET), TD_OK);
	assert_int_equal(op->out.clock_offset_ms, 31 * SELLING_DAY);
	store_op_free(op);
}

static struct store_op *sweep(int64_t later_ms, size_t limit)
{
	struct store_op *op = contract_op(STORE_SWEEP);
	op->now_ms += later_ms;
	op->in.limit = limit;
	return op;
}

static size_t swept(struct contract *c, int64_t later_ms, size_t limit)
{
	struct store_op *op = contract_call(c->store, sweep(later_ms, limit), TD_OK);
	size_t count = op->out.swept;
	store_op_free(op);
	return count;
}

static void test_sweep_takes_what_has_expired_and_no_more(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	for (uint8_t i = 1; i <= 3; i++)
		contract_expect(c->store, session_op(STORE_SESSION_CREATE, i), TD_OK);
	contract_expect(c->store, reset_create(5), TD_OK);
	contract_expect(c->store, take(0), TD_OK);
	struct store_op *op = contract_op(STORE_ANSWER_KEEP);
	selling_keep(op, "one", "kept");
	contract_expect(c->store, op, TD_OK);
	(void)swept(c, 0, 100); /* what a store notes for itself */
	assert_int_equal(swept(c, 0, 100), 0);
	assert_int_equal(swept(c, 1000, 100), 2); /* both throttles */
	check_session(c, 1);
	assert_int_equal(swept(c, SELLING_DAY, 2), 4); /* two sessions, the link, the answer */
	assert_int_equal(swept(c, SELLING_DAY, 2), 1);
	assert_int_equal(swept(c, SELLING_DAY, 2), 0);
}

int contract_run_login(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_session_is_in_force_until_it_expires),
		CONTRACT_TEST(test_session_takes_the_place_of_the_old_one),
		CONTRACT_TEST(test_session_of_nobody_is_not_made),
		CONTRACT_TEST(test_session_ends_and_ending_again_is_fine),
		CONTRACT_TEST(test_checkout_makes_all_of_it),
		CONTRACT_TEST(test_checkout_with_a_known_address_makes_nothing),
		CONTRACT_TEST(test_checkout_of_a_package_that_is_gone_makes_nothing),
		CONTRACT_TEST(test_login_without_a_password_has_none),
		CONTRACT_TEST(test_reset_works_once_and_ends_all_sessions),
		CONTRACT_TEST(test_reset_expires_and_a_later_one_voids_it),
		CONTRACT_TEST(test_session_needs_the_password_in_force),
		CONTRACT_TEST(test_session_renews_the_hash),
		CONTRACT_TEST(test_session_does_not_outlive_a_reset_at_the_same_time),
		CONTRACT_TEST(test_throttle_limits_until_its_window_ends),
		CONTRACT_TEST(test_throttle_is_given_back),
		CONTRACT_TEST(test_lease_is_one_owners_until_it_expires),
		CONTRACT_TEST(test_lease_of_a_clock_that_was_wrong_is_over),
		CONTRACT_TEST(test_clock_is_set_by_who_knows_it),
		CONTRACT_TEST(test_sweep_takes_what_has_expired_and_no_more),
	};
	return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
