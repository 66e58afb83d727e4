/* Subscriptions and their history: what is written, what is refused, and what is read. */
#include "contract_selling.h"

#include <stdio.h>
#include <string.h>

static void check_free(const struct store_subscription *s)
{
	assert_true(td_slice_is(s->package.id, "p-free"));
	assert_true(td_slice_is(s->package.slug, "free"));
	assert_true(td_slice_is(s->package.name, "Free"));
	assert_int_equal(s->package.rate_limit_per_hour, 100);
	assert_int_equal(s->package.rate_limit_per_day, 1000);
	assert_int_equal(s->status, STORE_ACTIVE);
	assert_int_equal(s->cycle, STORE_CYCLE_MONTHLY);
	assert_int_equal(s->price, 2999);
	assert_true(td_slice_is(s->currency, "USD"));
	assert_int_equal(s->started_at, CONTRACT_NOW);
	assert_int_equal(s->anchor_day, 15);
	assert_int_equal(s->current_period_start, CONTRACT_NOW);
	assert_int_equal(s->current_period_end, CONTRACT_NOW + 30 * SELLING_DAY);
	assert_int_equal(s->pending.action, STORE_PENDING_NONE);
	assert_false(s->cancel_at_period_end);
	assert_int_equal(s->canceled_at, 0);
	assert_int_equal(s->ended_at, 0);
	assert_int_equal(s->version, 1);
	assert_int_equal(s->created_at, CONTRACT_NOW);
	assert_int_equal(s->updated_at, CONTRACT_NOW);
}

static size_t count_history(struct contract *c, const char *user)
{
	struct store_op *op = selling_history(c, user, 1000, 0);
	size_t count = op->out.history_count;
	store_op_free(op);
	return count;
}

/* What was written is read, with what the package says. */
static void test_subscribe_is_read_back(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, selling_subscribe("s1", "ada"), TD_OK);
	struct store_op *op = selling_get(c, "ada");
	assert_int_equal(op->out.subscription_count, 1);
	assert_true(td_slice_is(op->out.subscriptions[0].id, "s1"));
	assert_true(td_slice_is(op->out.subscriptions[0].user_id, "ada"));
	check_free(&op->out.subscriptions[0]);
	store_op_free(op);
	op = selling_history(c, "ada", 10, 0);
	assert_int_equal(op->out.history_count, 1);
	assert_false(op->out.more);
	const struct store_history *h = &op->out.history[0];
	assert_true(td_slice_is(h->id, "s1-h1") && td_slice_is(h->subscription_id, "s1"));
	assert_int_equal(h->action, STORE_ACTION_CREATED);
	assert_null(h->from_package.ptr);
	assert_true(td_slice_is(h->to_package, "free"));
	assert_int_equal(h->from_cycle, STORE_CYCLE_NONE);
	assert_int_equal(h->to_cycle, STORE_CYCLE_MONTHLY);
	assert_true(h->has_price && h->price == 2999 && td_slice_is(h->currency, "USD"));
	assert_null(h->reason.ptr);
	assert_true(td_slice_is(h->actor, "user"));
	assert_int_equal(h->created_at, CONTRACT_NOW);
	store_op_free(op);
}

/* Nobody, nothing: which of them it is. */
static void test_subscribe_says_what_is_missing(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	struct store_op *op = contract_call(
		c->store, selling_subscribe("s1", "nobody"), TD_NOTFOUND);
	assert_int_equal(op->out.missing, STORE_MISSING_USER);
	store_op_free(op);
	op = selling_subscribe("s1", "ada");
	selling_row(op)->package.id = TD_SLICE("p-gone");
	op = contract_call(c->store, op, TD_NOTFOUND);
	assert_int_equal(op->out.missing, STORE_MISSING_PACKAGE);
	store_op_free(op);
	assert_int_equal(count_history(c, "ada"), 0);
}

/* One that runs stands in the way, whatever it is called; the second leaves nothing behind. */
static void test_subscribe_twice_exists(void **state)
{
	struct contract *c = *state;
	static const enum store_status lives[] = {STORE_TRIALING, STORE_ACTIVE, STORE_PAST_DUE};
	selling_prepare(c);
	for (size_t i = 0; i < TD_ARRAY_LEN(lives); i++) {
		static const char *const users[] = {"u0", "u1", "u2"};
		static const char *const ids[] = {"a0", "a1", "a2"}, *const seconds[] = {
									     "b0", "b1", "b2"};
		selling_make_user(c, users[i]);
		struct store_op *op = selling_subscribe(ids[i], users[i]);
		selling_row(op)->status = lives[i];
		contract_expect(c->store, op, TD_OK);
		contract_expect(c->store, selling_subscribe(seconds[i], users[i]), TD_EXISTS);
		assert_int_equal(count_history(c, users[i]), 1);
	}
}

/* The first ended; the live one is found before it, and the latest where none lives. */
static void test_the_live_one_is_found_before_the_latest(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, selling_subscribe("old", "ada"), TD_OK);
	struct store_op *op = selling_change("old", "ada", 1);
	selling_row(op)->status = STORE_CANCELED;
	selling_row(op)->ended_at = CONTRACT_NOW + SELLING_DAY;
	contract_expect(c->store, op, TD_OK);
	op = selling_get(c, "ada");
	assert_true(td_slice_is(op->out.subscriptions[0].id, "old"));
	assert_int_equal(op->out.subscriptions[0].ended_at, CONTRACT_NOW + SELLING_DAY);
	store_op_free(op);
	op = selling_subscribe("early", "ada");
	selling_row(op)->created_at = CONTRACT_NOW - SELLING_DAY;
	contract_expect(c->store, op, TD_OK);
	op = selling_get(c, "ada");
	assert_int_equal(op->out.subscription_count, 1);
	assert_true(td_slice_is(op->out.subscriptions[0].id, "early"));
	store_op_free(op);
}

static void test_get_without_user_or_subscription(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	struct store_op *op = selling_get(c, "ada");
	assert_int_equal(op->out.subscription_count, 0);
	store_op_free(op);
	op = contract_op(STORE_SUBSCRIPTION_GET);
	op->in.user.id = TD_SLICE("nobody");
	contract_expect(c->store, op, TD_NOTFOUND);
	op = contract_op(STORE_HISTORY_LIST);
	op->in.user.id = TD_SLICE("nobody");
	op->in.limit = 1;
	contract_expect(c->store, op, TD_NOTFOUND);
}

/* Every column of a change, what is planned too. */
static void test_change_is_read_back(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, selling_subscribe("s1", "ada"), TD_OK);
	struct store_op *op = selling_change("s1", "ada", 1);
	selling_row(op)->status = STORE_PAST_DUE;
	selling_row(op)->cancel_at_period_end = true;
	selling_row(op)->canceled_at = CONTRACT_NOW + 5;
	selling_row(op)->pending = (struct store_pending){
		.action = STORE_PENDING_CHANGE,
		.package = {.id = TD_SLICE("p-free")},
		.cycle = STORE_CYCLE_MONTHLY,
		.price = 1,
		.currency = TD_SLICE("GBP"),
		.at = CONTRACT_NOW + 7,
	};
	contract_expect(c->store, op, TD_OK);
	op = selling_get(c, "ada");
	const struct store_subscription *s = &op->out.subscriptions[0];
	assert_true(td_slice_is(s->package.slug, "team") && td_slice_is(s->package.name, "Team"));
	assert_int_equal(s->status, STORE_PAST_DUE);
	assert_int_equal(s->cycle, STORE_CYCLE_YEARLY);
	assert_true(s->price == 29990 && td_slice_is(s->currency, "EUR"));
	assert_int_equal(s->anchor_day, 31);
	assert_int_equal(s->started_at, CONTRACT_NOW);
	assert_int_equal(s->current_period_start, CONTRACT_NOW + SELLING_DAY);
	assert_int_equal(s->current_period_end, CONTRACT_NOW + 366 * SELLING_DAY);
	assert_true(s->cancel_at_period_end);
	assert_int_equal(s->canceled_at, CONTRACT_NOW + 5);
	assert_int_equal(s->version, 2);
	assert_int_equal(s->created_at, CONTRACT_NOW);
	assert_int_equal(s->updated_at, CONTRACT_NOW + SELLING_DAY);
	assert_int_equal(s->pending.action, STORE_PENDING_CHANGE);
	assert_true(td_slice_is(s->pending.package.slug, "free"));
	assert_true(td_slice_is(s->pending.package.name, "Free"));
	assert_int_equal(s->pending.package.rate_limit_per_day, 1000);
	assert_int_equal(s->pending.cycle, STORE_CYCLE_MONTHLY);
	assert_true(s->pending.price == 1 && td_slice_is(s->pending.currency, "GBP"));
	assert_int_equal(s->pending.at, CONTRACT_NOW + 7);
	store_op_free(op);
	op = selling_history(c, "ada", 10, 0);
	assert_int_equal(op->out.history_count, 2);
	const struct store_history *h = &op->out.history[0];
	assert_int_equal(h->action, STORE_ACTION_UPGRADED);
	assert_true(td_slice_is(h->from_package, "free") && td_slice_is(h->to_package, "team"));
	assert_true(td_slice_is(h->reason, "grows"));
	assert_true(h->seq > op->out.history[1].seq);
	store_op_free(op);
}

/* A planned cancellation has no package; what is planned can be taken back. */
static void test_change_plans_and_takes_back(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, selling_subscribe("s1", "ada"), TD_OK);
	struct store_op *op = selling_change("s1", "ada", 1);
	selling_row(op)->pending = (struct store_pending){
		.action = STORE_PENDING_CANCEL, .at = CONTRACT_NOW + 7};
	contract_expect(c->store, op, TD_OK);
	op = selling_get(c, "ada");
	assert_int_equal(op->out.subscriptions[0].pending.action, STORE_PENDING_CANCEL);
	assert_null(op->out.subscriptions[0].pending.package.id.ptr);
	assert_int_equal(op->out.subscriptions[0].pending.at, CONTRACT_NOW + 7);
	store_op_free(op);
	contract_expect(c->store, selling_change("s1", "ada", 2), TD_OK);
	op = selling_get(c, "ada");
	assert_int_equal(op->out.subscriptions[0].pending.action, STORE_PENDING_NONE);
	assert_int_equal(op->out.subscriptions[0].pending.at, 0);
	store_op_free(op);
}

/* Another version than the one that was loaded: nothing is written. */
static void test_change_of_another_version_conflicts(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, selling_subscribe("s1", "ada"), TD_OK);
	contract_expect(c->store, selling_change("s1", "ada", 2), TD_CONFLICT);
	contract_expect(c->store, selling_change("none", "ada", 1), TD_CONFLICT);
	contract_expect(c->store, selling_change("s1", "ada", 1), TD_OK);
	contract_expect(c->store, selling_change("s1", "ada", 1), TD_CONFLICT);
	assert_int_equal(count_history(c, "ada"), 2);
}

/* A row of history that cannot be written takes its subscription with it, and nobody else's. */
static void test_writes_are_whole_or_not_at_all(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	selling_make_user(c, "bob");
	contract_expect(c->store, selling_subscribe("s1", "ada"), TD_OK);
	struct store_op *op = selling_subscribe("s2", "bob");
	struct store_history *h = (struct store_history *)(uintptr_t)op->in.history;
	h->id = TD_SLICE("s1-h1"); /* is there already */
	assert_int_not_equal(store_call(c->store, &op, NULL), TD_OK);
	store_op_free(op);
	op = selling_get(c, "bob");
	assert_int_equal(op->out.subscription_count, 0);
	store_op_free(op);
	op = selling_change("s1", "ada", 1);
	h = (struct store_history *)(uintptr_t)op->in.history;
	h->id = TD_SLICE("s1-h1");
	assert_int_not_equal(store_call(c->store, &op, NULL), TD_OK);
	store_op_free(op);
	op = selling_get(c, "ada");
	check_free(&op->out.subscriptions[0]);
	store_op_free(op);
	contract_expect(c->store, selling_subscribe("s3", "bob"), TD_OK);
}

/* Pages without a gap and without a row twice, whatever comes in meanwhile. */
static void test_history_comes_in_pages_newest_first(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, selling_subscribe("s1", "ada"), TD_OK);
	for (int64_t i = 1; i < 25; i++)
		contract_expect(c->store, selling_change("s1", "ada", i), TD_OK);
	int64_t before = 0, expected = 25, version = 25;
	bool more = true;
	while (more) {
		struct store_op *op = selling_history(c, "ada", 10, before);
		for (size_t i = 0; i < op->out.history_count; i++) {
			char id[32];
			(void)snprintf(id, sizeof(id), "s1-h%lld", (long long)expected--);
			assert_true(td_slice_is(op->out.history[i].id, id));
		}
		more = op->out.more;
		before = op->out.history[op->out.history_count - 1].seq;
		store_op_free(op);
		contract_expect(c->store, selling_change("s1", "ada", version++), TD_OK);
	}
	assert_int_equal(expected, 0);
}

/* Several rows of history in one write keep their order. */
static void test_change_of_many_steps_keeps_their_order(void **state)
{
	struct contract *c = *state;
	static const char *const ids[] = {"z", "m", "a", "q"};
	struct store_history steps[4];
	selling_prepare(c);
	contract_expect(c->store, selling_subscribe("s1", "ada"), TD_OK);
	struct store_op *op = selling_change("s1", "ada", 1);
	for (size_t i = 0; i < 4; i++) {
		steps[i] = op->in.history[0];
		steps[i].id = td_slice_str(ids[i]);
	}
	op->in.history = steps;
	op->in.history_count = 4;
	contract_expect(c->store, op, TD_OK);
	op = selling_history(c, "ada", 10, 0);
	assert_int_equal(op->out.history_count, 5);
	for (size_t i = 0; i < 4; i++)
		assert_true(td_slice_is(op->out.history[i].id, ids[3 - i]));
	store_op_free(op);
}

/* With a key the store knows the name; a batch of many callers keeps them apart. */
static void test_history_names_the_key(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_make_key(c->store, "k1", 1);
	struct store_op *op = selling_subscribe("s1", "ada");
	contract_use_key(op, 1);
	((struct store_history *)(uintptr_t)op->in.history)->actor = td_slice(NULL, 0);
	contract_expect(c->store, op, TD_OK);
	op = selling_history(c, "ada", 1, 0);
	assert_true(td_slice_is(op->out.history[0].actor, "api:billing"));
	store_op_free(op);
}

/* Those whose period has ended, by its end, and no more than were asked for. */
static void test_due_are_found_in_order(void **state)
{
	struct contract *c = *state;
	static const char *const users[] = {"u0", "u1", "u2", "u3"};
	selling_prepare(c);
	for (size_t i = 0; i < 4; i++) {
		selling_make_user(c, users[i]);
		struct store_op *op = selling_subscribe(users[i], users[i]);
		selling_row(op)->current_period_end = CONTRACT_NOW +
						      (int64_t)(10 - i) * SELLING_DAY;
		if (i == 3)
			selling_row(op)->status = STORE_EXPIRED;
		contract_expect(c->store, op, TD_OK);
	}
	struct store_op *op = contract_op(STORE_SUBSCRIPTION_DUE);
	op->in.due_ms = CONTRACT_NOW + 9 * SELLING_DAY;
	op->in.limit = 10;
	op = contract_call(c->store, op, TD_OK);
	assert_int_equal(op->out.subscription_count, 2);
	assert_true(td_slice_is(op->out.subscriptions[0].id, "u2"));
	assert_true(td_slice_is(op->out.subscriptions[1].id, "u1"));
	assert_true(td_slice_is(op->out.subscriptions[0].package.slug, "free"));
	store_op_free(op);
	op = contract_op(STORE_SUBSCRIPTION_DUE);
	op->in.due_ms = CONTRACT_NOW + 30 * SELLING_DAY;
	op->in.limit = 1;
	op = contract_call(c->store, op, TD_OK);
	assert_int_equal(op->out.subscription_count, 1);
	store_op_free(op);
}

/* A row that another client wrote outside the rules is left out and named, not taken for absent. */
static void test_get_leaves_out_and_names_what_breaks_the_rules(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, selling_subscribe("s1", "ada"), TD_OK);
	c->factory->exec(c->db, c->factory->far_future);
	struct store_op *op = selling_get(c, "ada");
	assert_int_equal(op->out.subscription_count, 0);
	assert_int_equal(op->out.bad_row_count, 1);
	assert_true(td_slice_is(op->out.bad_rows[0].table, "user_subscriptions"));
	store_op_free(op);
}

/* ---- answers that are kept */

static void test_subscribe_keeps_its_answer_but_not_that_it_exists(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	struct store_op *op = selling_subscribe("s1", "ada");
	selling_keep(op, "one", "first");
	contract_expect(c->store, op, TD_OK);
	op = selling_subscribe("s2", "ada");
	selling_keep(op, "one", "second");
	op = contract_call(c->store, op, TD_OK);
	assert_true(op->idempotency->replayed);
	assert_true(td_slice_is(op->idempotency->kept.body, "first"));
	store_op_free(op);
	op = selling_subscribe("s3", "ada");
	selling_keep(op, "two", "third");
	contract_expect(c->store, op, TD_EXISTS);
	op = contract_op(STORE_ANSWER_FIND);
	selling_keep(op, "two", "");
	contract_expect(c->store, op, TD_NOTFOUND);
}

static void test_answers_are_found_and_kept_alone(void **state)
{
	struct contract *c = *state;
	struct store_op *op = contract_op(STORE_ANSWER_FIND);
	selling_keep(op, "one", "");
	contract_expect(c->store, op, TD_NOTFOUND);
	op = contract_op(STORE_ANSWER_KEEP);
	selling_keep(op, "one", "refused");
	contract_expect(c->store, op, TD_OK);
	op = contract_op(STORE_ANSWER_FIND);
	selling_keep(op, "one", "");
	op = contract_call(c->store, op, TD_OK);
	assert_true(op->idempotency->replayed);
	assert_true(td_slice_is(op->idempotency->kept.body, "refused"));
	store_op_free(op);
	op = contract_op(STORE_ANSWER_KEEP);
	selling_keep(op, "one", "again");
	op = contract_call(c->store, op, TD_OK);
	assert_true(op->idempotency->replayed);
	store_op_free(op);
	op = contract_op(STORE_ANSWER_FIND);
	selling_keep(op, "one", "");
	op->idempotency->fingerprint[0] ^= 1;
	contract_expect(c->store, op, TD_MISMATCH);
	op = contract_op(STORE_ANSWER_FIND);
	selling_keep(op, "one", "");
	op->now_ms += 2 * SELLING_DAY;
	contract_expect(c->store, op, TD_NOTFOUND);
}

/* ---- many at once */

static void test_fifty_subscribes_of_one_user_make_one(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	struct contract_crowd *crowd = crowd_new(50);
	for (int i = 0; i < 50; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "s%d", i);
		crowd_submit(crowd, c->store, selling_subscribe(id, "ada"));
	}
	assert_true(crowd_wait(crowd, 20000));
	assert_int_equal(crowd_count(crowd, TD_OK), 1);
	assert_int_equal(crowd_count(crowd, TD_EXISTS), 49);
	crowd_free(crowd);
	assert_int_equal(count_history(c, "ada"), 1);
}

/* From two handles, as two processes would. */
static void test_sixty_four_changes_of_one_version_make_one(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, selling_subscribe("s1", "ada"), TD_OK);
	struct store *other = contract_open(c, false);
	struct contract_crowd *crowd = crowd_new(64);
	for (int i = 0; i < 64; i++) {
		struct store_op *op = selling_change("s1", "ada", 1);
		((struct store_history *)(uintptr_t)op->in.history)->id = td_slice_str(
			td_arena_printf(&op->arena, "change-%d", i));
		crowd_submit(crowd, i % 2 == 0 ? c->store : other, op);
	}
	assert_true(crowd_wait(crowd, 20000));
	assert_int_equal(crowd_count(crowd, TD_OK), 1);
	assert_int_equal(crowd_count(crowd, TD_CONFLICT), 63);
	crowd_free(crowd);
	contract_close(c, other);
	assert_int_equal(count_history(c, "ada"), 2);
}

/* Half a plan, by another client: the row is left out, which is not as if there were none; rows
 * behind it are found. */
static void test_rows_outside_the_rules_are_left_out_and_counted(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	selling_make_user(c, "bob");
	contract_expect(c->store, selling_subscribe("s1", "ada"), TD_OK);
	contract_expect(c->store, selling_subscribe("s2", "bob"), TD_OK);
	c->factory->exec(
		c->db, "UPDATE user_subscriptions SET pending_action = 'change' WHERE id = 's1'");
	struct store_op *op = selling_get(c, "ada");
	assert_true(op->out.subscription_count == 0 && op->out.left_out == 1);
	store_op_free(op);
	op = selling_get(c, "bob");
	assert_true(op->out.subscription_count == 1 && op->out.left_out == 0);
	store_op_free(op);
	op = contract_op(STORE_SUBSCRIPTION_DUE);
	op->in.due_ms = CONTRACT_NOW + 365 * SELLING_DAY;
	op->in.limit = 10;
	op = contract_call(c->store, op, TD_OK);
	assert_true(op->out.subscription_count == 1 && op->out.left_out == 1);
	assert_true(td_slice_is(op->out.subscriptions[0].id, "s2"));
	store_op_free(op);
}

/* What is shown has two decimal places always. */
static void test_rows_in_other_currencies_are_left_out(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	contract_expect(c->store, selling_subscribe("s1", "ada"), TD_OK);
	c->factory->exec(c->db, "UPDATE user_subscriptions SET currency = 'JPY'");
	struct store_op *op = selling_get(c, "ada");
	assert_true(op->out.subscription_count == 0 && op->out.left_out == 1);
	store_op_free(op);
	c->factory->exec(c->db, "UPDATE user_subscriptions SET currency = 'EUR'");
	op = selling_get(c, "ada");
	assert_true(op->out.subscription_count == 1 && op->out.left_out == 0);
	store_op_free(op);
}

int contract_run_subscriptions(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_subscribe_is_read_back),
		CONTRACT_TEST(test_subscribe_says_what_is_missing),
		CONTRACT_TEST(test_subscribe_twice_exists),
		CONTRACT_TEST(test_the_live_one_is_found_before_the_latest),
		CONTRACT_TEST(test_get_without_user_or_subscription),
		CONTRACT_TEST(test_change_is_read_back),
		CONTRACT_TEST(test_change_plans_and_takes_back),
		CONTRACT_TEST(test_change_of_another_version_conflicts),
		CONTRACT_TEST(test_writes_are_whole_or_not_at_all),
		CONTRACT_TEST(test_history_comes_in_pages_newest_first),
		CONTRACT_TEST(test_change_of_many_steps_keeps_their_order),
		CONTRACT_TEST(test_history_names_the_key),
		CONTRACT_TEST(test_rows_in_other_currencies_are_left_out),
		CONTRACT_TEST(test_due_are_found_in_order),
		CONTRACT_TEST(test_get_leaves_out_and_names_what_breaks_the_rules),
		CONTRACT_TEST(test_rows_outside_the_rules_are_left_out_and_counted),
		CONTRACT_TEST(test_subscribe_keeps_its_answer_but_not_that_it_exists),
		CONTRACT_TEST(test_answers_are_found_and_kept_alone),
		CONTRACT_TEST(test_fifty_subscribes_of_one_user_make_one),
		CONTRACT_TEST(test_sixty_four_changes_of_one_version_make_one),
	};
	return cmocka_run_group_tests_name("subscriptions", tests, NULL, NULL);
}
