/* The flows are driven by hand: a test says how each operation ends, and looks at what comes next.
 * How they do on real stores is for the integration tests. */
#include "td_test.h"

#include "app/account.h"
#include "app/password.h"

#include <sodium.h>
#include <string.h>

#define NOW    INT64_C(1800000000000)
#define DAY    (INT64_C(24) * 60 * 60 * 1000)
#define MEMORY ((size_t)8192)

static const struct store_package standard = {
	.id = {"p-standard", 10},
	.slug = {"standard", 8},
	.name = {"Standard", 8},
	.currency = {"USD", 3},
	.price_monthly = 2999,
	.price_yearly = 29900,
	.is_active = true,
};

struct drive {
	struct td_arena arena;
	struct store_op *ops[16];
	size_t count;
};

static int drive_setup(void **state)
{
	static struct drive drive;
	drive = (struct drive){.arena = TD_ARENA_INIT};
	*state = &drive;
	return 0;
}

static int drive_teardown(void **state)
{
	struct drive *d = *state;
	for (size_t i = 0; i < d->count; i++)
		store_op_free(d->ops[i]);
	td_arena_done(&d->arena);
	return 0;
}

static struct app_flow flow_of(struct drive *d)
{
	return (struct app_flow){.arena = &d->arena, .now_ms = NOW, .actor = TD_SLICE("user")};
}

/* The flow goes on, and what it asks for next is an operation of that kind. */
static struct store_op *expect_op(
	struct drive *d, struct app_flow *flow, enum td_status status, enum store_op_kind kind)
{
	assert_int_equal(app_flow_next(flow, status), APP_NEXT_OP);
	assert_int_equal(flow->op->kind, kind);
	assert_int_equal(flow->op->now_ms, NOW);
	assert_true(d->count < TD_ARRAY_LEN(d->ops));
	d->ops[d->count++] = flow->op;
	return flow->op;
}

/* The flow asks for a hash, which is done. */
static void expect_hash(struct app_flow *flow, enum td_status status, bool verifies)
{
	assert_int_equal(app_flow_next(flow, status), APP_NEXT_HASH);
	assert_int_equal(flow->hash.verifies, verifies);
	app_password_work(&flow->hash);
}

static void expect_done(struct app_flow *flow, enum td_status status)
{
	assert_int_equal(app_flow_next(flow, status), APP_NEXT_DONE);
	assert_int_equal(flow->status, TD_OK);
	assert_false(flow->refused);
}

static void expect_refused(struct app_flow *flow, enum td_status status, enum td_problem problem)
{
	assert_int_equal(app_flow_next(flow, status), APP_NEXT_DONE);
	assert_int_equal(flow->status, TD_OK);
	assert_true(flow->refused);
	assert_int_equal(flow->problem, problem);
}

static struct td_slice hash_of(struct drive *d, const char *password)
{
	struct app_hash_job job = {.password = td_slice_str(password), .memory = MEMORY};
	app_password_work(&job);
	assert_int_equal(job.status, TD_OK);
	return td_arena_slice(&d->arena, td_slice_str(job.made));
}

static void assert_slice(struct td_slice text, const char *expected)
{
	if (!td_slice_is(text, expected))
		fail_msg("'%.*s' is not '%s'", TD_SLICE_ARG(text), expected);
}

/* ---- signing in
 * ----------------------------------------------------------------------------------------- */

static struct app_sign_in sign_in_make(struct drive *d)
{
	struct app_sign_in s = {
		.flow = flow_of(d),
		.email = TD_SLICE(" Ana@Example.com "),
		.password = TD_SLICE("correct horse"),
		.address = TD_SLICE("192.0.2.1"),
		.session = {.hash = {1}, .old_hash = {2}, .ttl_ms = 30 * DAY},
		.memory = MEMORY,
	};
	return s;
}

/* Up to the hash: the try is counted for the account and for the address, then the account is
 * looked up. */
static struct store_op *sign_in_start(struct drive *d, struct app_sign_in *s)
{
	app_sign_in_begin(s);
	struct store_op *op = expect_op(d, &s->flow, TD_OK, STORE_THROTTLE_TAKE);
	assert_int_equal(op->in.throttle_count, 2);
	assert_int_equal(op->in.throttles[0].limit, 5);
	assert_int_equal(op->in.throttles[1].limit, 50);
	assert_int_equal(op->in.window_ms, 15 * 60 * 1000);
	assert_slice(op->in.throttles[1].subject, "address:192.0.2.1");
	op = expect_op(d, &s->flow, TD_OK, STORE_LOGIN_GET);
	assert_slice(op->in.user.email, "Ana@Example.com");
	return op;
}

/* The right password begins a session, ends the old one and gives the tries back. */
static void test_sign_in_with_the_right_password(void **state)
{
	struct drive *d = *state;
	struct app_sign_in s = sign_in_make(d);
	struct store_op *op = sign_in_start(d, &s);
	struct td_slice hash = hash_of(d, "correct horse");
	op->out.user.id = TD_SLICE("u1");
	op->out.password_hash = hash;
	expect_hash(&s.flow, TD_OK, /* verifies= */ true);
	op = expect_op(d, &s.flow, TD_OK, STORE_SESSION_CREATE);
	assert_slice(op->in.session.user_id, "u1");
	assert_int_equal(op->in.session.hash[0], 1);
	assert_int_equal(op->in.old_hash[0], 2);
	assert_int_equal(op->in.session.expires_at, NOW + 30 * DAY);
	assert_int_equal(op->in.throttle_count, 2);
	assert_true(td_slice_equal(op->in.password_hash, hash));
	assert_null(op->in.renewed_hash.ptr);
	expect_done(&s.flow, TD_OK);
	assert_slice(s.user_id, "u1");
}

static void sign_in_found(struct drive *d, struct app_sign_in *s, const char *password)
{
	struct store_op *op = d->ops[d->count - 1];
	assert_int_equal(op->kind, STORE_LOGIN_GET);
	op->out.user.id = TD_SLICE("u1");
	op->out.password_hash = hash_of(d, password);
	expect_hash(&s->flow, TD_OK, /* verifies= */ true);
}

/* The password is set anew between verifying the old one and beginning the session: the answer is
 * as for a wrong one. */
static void test_sign_in_with_a_password_that_is_being_replaced(void **state)
{
	struct drive *d = *state;
	struct app_sign_in s = sign_in_make(d);
	(void)sign_in_start(d, &s);
	sign_in_found(d, &s, "correct horse");
	(void)expect_op(d, &s.flow, TD_OK, STORE_SESSION_CREATE);
	(void)expect_op(d, &s.flow, TD_NOTFOUND, STORE_LOGIN_GET);
	sign_in_found(d, &s, "another one");
	expect_refused(&s.flow, TD_OK, TD_PROBLEM_UNAUTHORIZED);
}

/* The setting has changed: the hash is made anew where the session is written. */
static void test_sign_in_renews_a_hash_of_other_memory(void **state)
{
	struct drive *d = *state;
	struct app_sign_in s = sign_in_make(d);
	s.memory = 2 * MEMORY;
	(void)sign_in_start(d, &s);
	sign_in_found(d, &s, "correct horse");
	const struct store_op *op = expect_op(d, &s.flow, TD_OK, STORE_SESSION_CREATE);
	assert_true(td_slice_has_prefix(op->in.password_hash, "$argon2id$v=19$m=8,t=2,"));
	assert_true(td_slice_has_prefix(op->in.renewed_hash, "$argon2id$v=19$m=16,t=2,"));
	expect_done(&s.flow, TD_OK);
}

/* Only its hash is another: it is looked at once more, and not for ever. */
static void test_sign_in_looks_again_once(void **state)
{
	struct drive *d = *state;
	for (int i = 0; i < 2; i++) {
		struct app_sign_in s = sign_in_make(d);
		(void)sign_in_start(d, &s);
		sign_in_found(d, &s, "correct horse");
		(void)expect_op(d, &s.flow, TD_OK, STORE_SESSION_CREATE);
		(void)expect_op(d, &s.flow, TD_NOTFOUND, STORE_LOGIN_GET);
		sign_in_found(d, &s, "correct horse");
		(void)expect_op(d, &s.flow, TD_OK, STORE_SESSION_CREATE);
		if (i == 0)
			expect_done(&s.flow, TD_OK);
		else
			expect_refused(&s.flow, TD_NOTFOUND, TD_PROBLEM_UNAUTHORIZED);
	}
}

/* A wrong password, an unknown address and an account without a password: the same steps up to the
 * same refusal, so neither words nor work tell them apart. */
static void test_sign_in_tells_no_difference(void **state)
{
	struct drive *d = *state;
	for (int i = 0; i < 3; i++) {
		struct app_sign_in s = sign_in_make(d);
		struct store_op *op = sign_in_start(d, &s);
		op->out.user.id = TD_SLICE("u1");
		if (i == 0)
			op->out.password_hash = hash_of(d, "another one");
		expect_hash(&s.flow, i == 2 ? TD_NOTFOUND : TD_OK, /* verifies= */ true);
		assert_false(s.flow.hash.matches);
		expect_refused(&s.flow, TD_OK, TD_PROBLEM_UNAUTHORIZED);
	}
}

/* The address counts the same however its letters are written, and does not stand in the store. */
static void test_account_is_counted_without_case(void **state)
{
	struct drive *d = *state;
	struct td_slice subjects[2];
	static const char *const emails[] = {"ana@example.com", "ANA@example.COM\xC2\xA0"};
	for (int i = 0; i < 2; i++) {
		struct app_sign_in s = sign_in_make(d);
		s.email = td_slice_str(emails[i]);
		app_sign_in_begin(&s);
		subjects[i] =
			expect_op(d, &s.flow, TD_OK, STORE_THROTTLE_TAKE)->in.throttles[0].subject;
	}
	assert_true(td_slice_equal(subjects[0], subjects[1]));
	assert_int_equal(subjects[0].len, sizeof("account:") - 1 + 64);
	assert_null(memmem(subjects[0].ptr, subjects[0].len, "ana", 3));
}

/* Over the limit nothing is looked up and nothing is hashed. */
static void test_sign_in_over_the_limit(void **state)
{
	struct drive *d = *state;
	struct app_sign_in s = sign_in_make(d);
	app_sign_in_begin(&s);
	struct store_op *op = expect_op(d, &s.flow, TD_OK, STORE_THROTTLE_TAKE);
	op->out.retry_ms = 61000;
	expect_refused(&s.flow, TD_LIMITED, TD_PROBLEM_TOO_MANY_REQUESTS);
	assert_int_equal(s.flow.retry_ms, 61000);
}

/* ---- checkout
 * ------------------------------------------------------------------------------------------- */

static const struct app_user_form ana = {
	.email = {"ana@example.com", 15},
	.first_name = {"Ana", 3},
	.last_name = {"Gil", 3},
};

static struct app_checkout checkout_make(struct drive *d)
{
	struct app_checkout c = {
		.flow = flow_of(d),
		.form = &ana,
		.password = TD_SLICE("correct horse"),
		.address = TD_SLICE("192.0.2.1"),
		.package = &standard,
		.cycle = STORE_CYCLE_YEARLY,
		.session = {.hash = {1}, .ttl_ms = DAY},
		.memory = MEMORY,
	};
	app_checkout_begin(&c);
	return c;
}

static struct store_op *checkout_start(struct drive *d, struct app_checkout *c)
{
	expect_hash(&c->flow, TD_OK, /* verifies= */ false);
	return expect_op(d, &c->flow, TD_OK, STORE_CHECKOUT);
}

/* One operation has the user with the hash, the subscription with its history, and the session. */
static void test_checkout_is_one_operation(void **state)
{
	struct drive *d = *state;
	struct app_checkout c = checkout_make(d);
	const struct store_op *op = checkout_start(d, &c);
	struct td_slice id = op->in.user.id;
	assert_slice(op->in.user.email, "ana@example.com");
	assert_true(td_slice_has_prefix(op->in.password_hash, "$argon2id$"));
	assert_true(td_slice_equal(op->in.subscription->user_id, id));
	assert_true(td_slice_equal(op->in.session.user_id, id));
	assert_true(td_slice_equal(op->in.history[0].user_id, id));
	assert_int_equal(op->in.history_count, 1);
	assert_int_equal(op->in.subscription->price, 29900);
	assert_slice(op->in.history[0].actor, "user");
	expect_done(&c.flow, TD_OK);
	assert_true(c.written);
	assert_int_equal(c.result.cycle, STORE_CYCLE_YEARLY);
}

static void checkout_sign_in(struct drive *d, struct app_checkout *c, const char *password)
{
	(void)checkout_start(d, c);
	(void)expect_op(d, &c->flow, TD_EXISTS, STORE_THROTTLE_TAKE);
	struct store_op *op = expect_op(d, &c->flow, TD_OK, STORE_LOGIN_GET);
	op->out.user.id = TD_SLICE("u1");
	op->out.password_hash = hash_of(d, password);
	expect_hash(&c->flow, TD_OK, /* verifies= */ true);
}

/* A form that is sent twice: the second signs in and finds what the first has made. */
static void test_checkout_twice_makes_one(void **state)
{
	struct drive *d = *state;
	struct app_checkout c = checkout_make(d);
	checkout_sign_in(d, &c, "correct horse");
	(void)expect_op(d, &c.flow, TD_OK, STORE_SESSION_CREATE);
	(void)expect_op(d, &c.flow, TD_OK, STORE_SUBSCRIBE);
	struct store_op *op = expect_op(d, &c.flow, TD_EXISTS, STORE_SUBSCRIPTION_GET);
	struct store_subscription there = {.id = TD_SLICE("s1"),
		.status = STORE_ACTIVE,
		.cycle = STORE_CYCLE_YEARLY,
		.current_period_end = NOW + DAY,
		.version = 1};
	op->out.subscriptions = &there;
	op->out.subscription_count = 1;
	expect_done(&c.flow, TD_OK);
	assert_false(c.written);
	assert_slice(c.result.id, "s1");
}

/* Somebody who is known and has no subscription gets one. */
static void test_checkout_of_a_known_person(void **state)
{
	struct drive *d = *state;
	struct app_checkout c = checkout_make(d);
	checkout_sign_in(d, &c, "correct horse");
	(void)expect_op(d, &c.flow, TD_OK, STORE_SESSION_CREATE);
	const struct store_op *op = expect_op(d, &c.flow, TD_OK, STORE_SUBSCRIBE);
	assert_slice(op->in.subscription->user_id, "u1");
	expect_done(&c.flow, TD_OK);
	assert_true(c.written);
}

/* The address is somebody else's: no session, no subscription. */
static void test_checkout_with_anothers_address(void **state)
{
	struct drive *d = *state;
	struct app_checkout c = checkout_make(d);
	checkout_sign_in(d, &c, "another one");
	expect_refused(&c.flow, TD_OK, TD_PROBLEM_EMAIL_TAKEN);
}

/* Guessing at a known address through the checkout is counted like signing in. */
static void test_checkout_is_throttled(void **state)
{
	struct drive *d = *state;
	struct app_checkout c = checkout_make(d);
	(void)checkout_start(d, &c);
	struct store_op *op = expect_op(d, &c.flow, TD_EXISTS, STORE_THROTTLE_TAKE);
	op->out.retry_ms = 5;
	expect_refused(&c.flow, TD_LIMITED, TD_PROBLEM_TOO_MANY_REQUESTS);
	assert_int_equal(c.flow.retry_ms, 5);
}

/* The package went away between the page and the button. */
static void test_checkout_of_a_package_that_is_gone(void **state)
{
	struct drive *d = *state;
	struct app_checkout c = checkout_make(d);
	(void)checkout_start(d, &c);
	expect_refused(&c.flow, TD_NOTFOUND, TD_PROBLEM_PACKAGE_NOT_FOUND);
}

/* ---- another password
 * ------------------------------------------------------------------------------------ */

static struct app_reset reset_make(struct drive *d)
{
	struct app_reset r = {
		.flow = flow_of(d),
		.token_hash = {9},
		.password = TD_SLICE("a new phrase"),
		.session = {.hash = {1}, .ttl_ms = DAY},
		.memory = MEMORY,
	};
	return r;
}

static struct store_op *reset_start(struct drive *d, struct app_reset *r)
{
	app_reset_begin(r);
	struct store_op *op = expect_op(d, &r->flow, TD_OK, STORE_RESET_GET);
	assert_int_equal(op->in.session.hash[0], 9);
	op->out.user.id = TD_SLICE("u1");
	op->out.user.email = TD_SLICE("ana@example.com");
	return op;
}

/* A link without a new password changes nothing. */
static void test_reset_that_only_looks(void **state)
{
	struct drive *d = *state;
	struct app_reset r = reset_make(d);
	r.password = td_slice(NULL, 0);
	(void)reset_start(d, &r);
	expect_done(&r.flow, TD_OK);
	assert_slice(r.email, "ana@example.com");
	assert_false(r.signed_in);
}

/* A forged link is refused before any work is done for it. */
static void test_reset_with_a_forged_link(void **state)
{
	struct drive *d = *state;
	struct app_reset r = reset_make(d);
	(void)reset_start(d, &r);
	expect_refused(&r.flow, TD_NOTFOUND, TD_PROBLEM_NOT_FOUND);
}

/* The new password's hash goes in, a session begins, and the account's failed tries are forgotten.
 */
static void test_reset_signs_in(void **state)
{
	struct drive *d = *state;
	struct app_reset r = reset_make(d);
	(void)reset_start(d, &r);
	expect_hash(&r.flow, TD_OK, /* verifies= */ false);
	const struct store_op *op = expect_op(d, &r.flow, TD_OK, STORE_RESET_USE);
	assert_true(td_slice_has_prefix(op->in.password_hash, "$argon2id$"));
	assert_int_equal(op->in.session.hash[0], 9);
	op = expect_op(d, &r.flow, TD_OK, STORE_SESSION_CREATE);
	assert_slice(op->in.session.user_id, "u1");
	assert_int_equal(op->in.session.hash[0], 1);
	assert_int_equal(op->in.throttle_count, 1);
	expect_done(&r.flow, TD_OK);
	assert_true(r.signed_in);
}

/* Two who use one link at once: the store lets one through. */
static void test_reset_used_meanwhile(void **state)
{
	struct drive *d = *state;
	struct app_reset r = reset_make(d);
	(void)reset_start(d, &r);
	expect_hash(&r.flow, TD_OK, /* verifies= */ false);
	(void)expect_op(d, &r.flow, TD_OK, STORE_RESET_USE);
	expect_refused(&r.flow, TD_NOTFOUND, TD_PROBLEM_NOT_FOUND);
}

/* ---- looking and confirming
 * ------------------------------------------------------------------------------ */

static struct store_subscription running(void)
{
	return (struct store_subscription){
		.id = TD_SLICE("s1"),
		.user_id = TD_SLICE("u1"),
		.package = {.id = TD_SLICE("p-free"), .slug = TD_SLICE("free")},
		.status = STORE_ACTIVE,
		.cycle = STORE_CYCLE_MONTHLY,
		.currency = TD_SLICE("USD"),
		.anchor_day = 15,
		.current_period_start = NOW - 10 * DAY,
		.current_period_end = NOW + 20 * DAY,
		.version = 3,
		.updated_at = NOW - DAY,
	};
}

static void put_row(struct store_op *op, struct store_subscription *row)
{
	op->out.subscriptions = row;
	op->out.subscription_count = 1;
}

/* What is due is written down before it is shown. */
static void test_overview_rolls_first(void **state)
{
	struct drive *d = *state;
	struct store_subscription row = running();
	struct app_overview o = {
		.flow = flow_of(d), .user_id = TD_SLICE("u1"), .history_limit = 20};
	app_overview_begin(&o);
	struct store_op *op = expect_op(d, &o.flow, TD_OK, STORE_USER_GET);
	op->out.user = (struct store_user){.id = TD_SLICE("u1"), .first_name = TD_SLICE("Ana")};
	op = expect_op(d, &o.flow, TD_OK, STORE_SUBSCRIPTION_GET);
	row.current_period_end = NOW - DAY;
	put_row(op, &row);
	(void)expect_op(d, &o.flow, TD_OK, STORE_SUBSCRIPTION_CHANGE);
	struct store_subscription rolled = running();
	put_row(expect_op(d, &o.flow, TD_OK, STORE_SUBSCRIPTION_GET), &rolled);
	op = expect_op(d, &o.flow, TD_OK, STORE_HISTORY_LIST);
	assert_int_equal(op->in.limit, 20);
	struct store_history item = {.id = TD_SLICE("h1")};
	op->out.history = &item;
	op->out.history_count = 1;
	op->out.more = true;
	expect_done(&o.flow, TD_OK);
	assert_slice(o.user.first_name, "Ana");
	assert_slice(o.history.subscription->id, "s1");
	assert_int_equal(o.history.count, 1);
	assert_true(o.history.more);
}

/* A user who was deleted while signed in. */
static void test_overview_of_nobody(void **state)
{
	struct drive *d = *state;
	struct app_overview o = {
		.flow = flow_of(d), .user_id = TD_SLICE("u1"), .history_limit = 20};
	app_overview_begin(&o);
	(void)expect_op(d, &o.flow, TD_OK, STORE_USER_GET);
	expect_refused(&o.flow, TD_NOTFOUND, TD_PROBLEM_USER_NOT_FOUND);
}

static struct app_confirm confirm_make(struct drive *d, enum app_selling_verb verb)
{
	struct app_confirm c = {
		.flow = flow_of(d),
		.selling = {.verb = verb,
			.user_id = TD_SLICE("u1"),
			.package = &standard,
			.cycle = STORE_CYCLE_MONTHLY,
			.when = APP_NOW},
		.seen_id = TD_SLICE("s1"),
		.seen_version = 3,
	};
	app_confirm_begin(&c);
	return c;
}

/* As it was shown: it is done. */
static void test_confirm_what_was_shown(void **state)
{
	struct drive *d = *state;
	struct store_subscription row = running();
	struct app_confirm c = confirm_make(d, APP_SWITCH);
	put_row(expect_op(d, &c.flow, TD_OK, STORE_SUBSCRIPTION_GET), &row);
	put_row(expect_op(d, &c.flow, TD_OK, STORE_SUBSCRIPTION_GET), &row);
	const struct store_op *op = expect_op(d, &c.flow, TD_OK, STORE_SUBSCRIPTION_CHANGE);
	assert_int_equal(op->in.version, 3);
	assert_int_equal(op->in.subscription->price, 2999);
	expect_done(&c.flow, TD_OK);
	assert_false(c.stale);
}

/* An old form is sent again after things have changed, or after another subscription was begun:
 * nothing is done. */
static void test_confirm_of_an_old_form(void **state)
{
	struct drive *d = *state;
	for (int i = 0; i < 2; i++) {
		struct store_subscription row = running();
		struct app_confirm c = confirm_make(d, APP_CANCEL);
		row.version = 4;
		if (i == 1)
			row.id = TD_SLICE("s2");
		put_row(expect_op(d, &c.flow, TD_OK, STORE_SUBSCRIPTION_GET), &row);
		expect_done(&c.flow, TD_OK);
		assert_true(c.stale);
	}
}

/* A form that is sent twice finds that what it asks for is so. */
static void test_confirm_twice(void **state)
{
	struct drive *d = *state;
	for (int i = 0; i < 4; i++) {
		struct store_subscription row = running();
		struct app_confirm c = confirm_make(d, i < 2    ? APP_SWITCH
						       : i == 2 ? APP_CANCEL
								: APP_RESUME);
		row.version = 4;
		if (i == 0)
			row.package.id = standard.id;
		if (i == 1) {
			c.selling.when = APP_PERIOD_END;
			row.pending = (struct store_pending){.action = STORE_PENDING_CHANGE,
				.package = {.id = standard.id},
				.cycle = STORE_CYCLE_MONTHLY};
		}
		if (i == 2) {
			c.selling.when = APP_PERIOD_END;
			row.cancel_at_period_end = true;
		}
		put_row(expect_op(d, &c.flow, TD_OK, STORE_SUBSCRIPTION_GET), &row);
		expect_done(&c.flow, TD_OK);
		assert_false(c.stale);
	}
}

/* A refusal of the rules comes through. */
static void test_confirm_that_the_rules_refuse(void **state)
{
	struct drive *d = *state;
	struct store_subscription row = running();
	struct app_confirm c = confirm_make(d, APP_RESUME);
	put_row(expect_op(d, &c.flow, TD_OK, STORE_SUBSCRIPTION_GET), &row);
	put_row(expect_op(d, &c.flow, TD_OK, STORE_SUBSCRIPTION_GET), &row);
	expect_refused(&c.flow, TD_OK, TD_PROBLEM_NOTHING_PLANNED);
}

#define DRIVEN(test) cmocka_unit_test_setup_teardown(test, drive_setup, drive_teardown)

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		DRIVEN(test_sign_in_with_the_right_password),
		DRIVEN(test_sign_in_with_a_password_that_is_being_replaced),
		DRIVEN(test_sign_in_renews_a_hash_of_other_memory),
		DRIVEN(test_sign_in_looks_again_once),
		DRIVEN(test_sign_in_tells_no_difference),
		DRIVEN(test_account_is_counted_without_case),
		DRIVEN(test_sign_in_over_the_limit),
		DRIVEN(test_checkout_is_one_operation),
		DRIVEN(test_checkout_twice_makes_one),
		DRIVEN(test_checkout_of_a_known_person),
		DRIVEN(test_checkout_with_anothers_address),
		DRIVEN(test_checkout_is_throttled),
		DRIVEN(test_checkout_of_a_package_that_is_gone),
		DRIVEN(test_reset_that_only_looks),
		DRIVEN(test_reset_with_a_forged_link),
		DRIVEN(test_reset_signs_in),
		DRIVEN(test_reset_used_meanwhile),
		DRIVEN(test_overview_rolls_first),
		DRIVEN(test_overview_of_nobody),
		DRIVEN(test_confirm_what_was_shown),
		DRIVEN(test_confirm_of_an_old_form),
		DRIVEN(test_confirm_twice),
		DRIVEN(test_confirm_that_the_rules_refuse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
