/* Many at once, locks, deadlines, ends. */
#include "contract.h"

#include "work/thread.h"

#include <stdio.h>
#include <string.h>

static struct store_op *numbered_user(int number)
{
	char id[16], email[40];
	(void)snprintf(id, sizeof(id), "u%d", number);
	(void)snprintf(email, sizeof(email), "u%d@example.org", number);
	return contract_put_user(id, email);
}

static bool has_user(struct store *store, int number)
{
	struct store_op *op = numbered_user(number);
	op->kind = STORE_USER_GET;
	bool has = store_call(store, &op, NULL) == TD_OK;
	store_op_free(op);
	return has;
}

/* ---- submitters */

#define SUBMITTERS 64
#define EACH       40

struct submitter {
	struct td_thread thread;
	struct store *store;
	int first;
	size_t ok, taken, other;
};

/* Writes its own users, and tries now and then to take the address of a neighbour. */
static void submit_some(void *ctx)
{
	struct submitter *s = ctx;
	for (int i = 0; i < EACH; i++) {
		struct store_op *op = numbered_user(s->first + i);
		bool rob = i % 10 == 9;
		if (rob)
			op->in.user.email = TD_SLICE("wanted@example.org");
		enum td_status status = store_call(s->store, &op, NULL);
		s->ok += status == TD_OK;
		s->taken += status == TD_EXISTS;
		s->other += status != TD_OK && status != TD_EXISTS;
		store_op_free(op);
	}
}

/* Sixty-four threads over two handles: every answer is right, and what was acknowledged is there.
 */
static void test_crowd_of_submitters_over_two_handles(void **state)
{
	struct contract *c = *state;
	struct store *other = contract_open(c, false);
	static struct submitter submitters[SUBMITTERS];
	memset(submitters, 0, sizeof(submitters));
	contract_expect(c->store, contract_put_user("owner", "wanted@example.org"), TD_OK);
	for (int i = 0; i < SUBMITTERS; i++) {
		submitters[i].store = i % 2 ? other : c->store;
		submitters[i].first = i * EACH;
		assert_int_equal(td_thread_start(&submitters[i].thread, "submitter", submit_some,
					 &submitters[i], NULL),
			TD_OK);
	}
	for (int i = 0; i < SUBMITTERS; i++)
		td_thread_join(&submitters[i].thread);
	for (int i = 0; i < SUBMITTERS; i++) {
		assert_int_equal(submitters[i].other, 0);
		assert_int_equal(submitters[i].taken, EACH / 10);
		assert_int_equal(submitters[i].ok, EACH - EACH / 10);
	}
	for (int i = 0; i < SUBMITTERS * EACH; i += 37)
		assert_int_equal(has_user(i % 2 ? c->store : other, i), i % 10 != 9);
	contract_close(c, other);
}

/* One of a batch that fails takes no other with it, wherever it stands. */
static void test_crowd_one_failure_harms_no_other(void **state)
{
	struct contract *c = *state;
	struct contract_crowd *crowd = crowd_new(101);
	c->factory->hold(c->db);
	for (int i = 0; i < 101; i++) {
		struct store_op *op = numbered_user(i);
		if (i == 50)
			op->in.user.first_name = TD_SLICE(""); /* breaks a rule of the table */
		crowd_submit(crowd, c->store, op);
	}
	c->factory->let_go(c->db);
	assert_true(crowd_wait(crowd, 10000));
	assert_int_equal(crowd_count(crowd, TD_OK), 100);
	crowd_free(crowd);
	assert_false(has_user(c->store, 50));
	assert_true(has_user(c->store, 49) && has_user(c->store, 51));
}

/* What waits together is committed together. */
static void find_writer(void *ctx, struct lane *lane)
{
	struct lane_stats *stats = ctx, one;
	lane_get_stats(lane, &one);
	if (one.submitted > stats->submitted)
		*stats = one;
}

static void test_crowd_is_committed_in_few_batches(void **state)
{
	struct contract *c = *state;
	struct contract_crowd *crowd = crowd_new(1000);
	c->factory->hold(c->db);
	for (int i = 0; i < 1000; i++)
		crowd_submit(crowd, c->store, numbered_user(i));
	c->factory->let_go(c->db);
	assert_true(crowd_wait(crowd, 10000));
	assert_int_equal(crowd_count(crowd, TD_OK), 1000);
	crowd_free(crowd);
	struct lane_stats stats = {.submitted = 0};
	store_each_lane(c->store, find_writer, &stats);
	assert_int_equal(stats.submitted, 1000);
	assert_true(stats.batches <= 10);
}

/* ---- locks and deadlines */

/* A write that waits for another's lock is answered at its deadline; reads go on; afterwards all
 * is well. */
static void test_deadline_passes_behind_a_lock(void **state)
{
	struct contract *c = *state;
	contract_expect(c->store, numbered_user(1), TD_OK);
	struct contract_crowd *crowd = crowd_new(20);
	c->factory->hold(c->db);
	uint64_t begin = td_clock_mono_ms(&td_clock_system);
	for (int i = 2; i < 22; i++) {
		struct store_op *op = numbered_user(i);
		op->deadline_ms = begin + 300;
		crowd_submit(crowd, c->store, op);
	}
	assert_true(has_user(c->store, 1));
	assert_true(crowd_wait(crowd, 5000));
	uint64_t took = td_clock_mono_ms(&td_clock_system) - begin;
	assert_int_equal(crowd_count(crowd, TD_TIMEOUT), 20);
	assert_true(took >= 250 && took < 2000);
	c->factory->let_go(c->db);
	crowd_free(crowd);
	contract_expect(c->store, numbered_user(30), TD_OK);
	/* What was sent to a server may run all the same; what is repeated has one outcome. */
	for (int i = 2; i < 22; i++) {
		contract_expect(c->store, numbered_user(i), TD_OK);
		assert_true(has_user(c->store, i));
	}
}

/* Each has its own deadline, also within one batch. */
static void test_deadline_is_each_operations_own(void **state)
{
	struct contract *c = *state;
	struct contract_crowd *first = crowd_new(5), *second = crowd_new(5);
	c->factory->hold(c->db);
	uint64_t begin = td_clock_mono_ms(&td_clock_system);
	for (int i = 0; i < 10; i++) {
		struct store_op *op = numbered_user(i);
		op->deadline_ms = begin + (i < 5 ? 200 : 8000);
		crowd_submit(i < 5 ? first : second, c->store, op);
	}
	assert_true(crowd_wait(first, 4000));
	assert_int_equal(crowd_count(first, TD_TIMEOUT), 5);
	c->factory->let_go(c->db);
	assert_true(crowd_wait(second, 6000));
	assert_int_equal(crowd_count(second, TD_OK), 5);
	crowd_free(first);
	crowd_free(second);
	assert_true(!c->factory->late_is_never || !has_user(c->store, 2));
	assert_true(has_user(c->store, 7));
}

struct state_wanted {
	struct store *store;
	enum store_state state;
};

static bool has_state(void *ctx)
{
	struct state_wanted *wanted = ctx;
	struct store_health health;
	store_get_health(wanted->store, &health);
	return health.state == wanted->state;
}

/* Health tells of what stops writes, why, and of its end, without a request. */
static void test_health_tells_of_a_lock_and_its_end(void **state)
{
	struct contract *c = *state;
	struct store_health health;
	struct state_wanted wanted = {c->store, STORE_UP};
	assert_true(has_state(&wanted));
	if (!c->factory->lock_is_down)
		return; /* there a lock keeps only those waiting who need it */
	c->factory->hold(c->db);
	struct store_op *op = numbered_user(1);
	op->deadline_ms = td_clock_mono_ms(&td_clock_system) + 100;
	enum td_status status = store_call(c->store, &op, NULL);
	store_op_free(op);
	assert_int_equal(status, TD_TIMEOUT);
	wanted.state = STORE_DOWN;
	assert_true(contract_poll(has_state, &wanted, 2000));
	store_get_health(c->store, &health);
	assert_non_null(strstr(health.last_error, "lock"));
	c->factory->let_go(c->db);
	wanted.state = STORE_UP;
	assert_true(contract_poll(has_state, &wanted, 3000));
}

/* ---- full queues */

static void test_queue_full_refuses_and_recovers(void **state)
{
	struct contract *c = *state;
	struct store *small = contract_open(c, true);
	struct contract_crowd *crowd = crowd_new(600);
	c->factory->hold(c->db);
	for (int i = 0; i < 600; i++)
		crowd_submit(crowd, small, numbered_user(i));
	assert_true(crowd_count(crowd, TD_BUSY) >= 600 - 512 - 8);
	c->factory->let_go(c->db);
	assert_true(crowd_wait(crowd, 10000));
	assert_int_equal(crowd_count(crowd, TD_BUSY) + crowd_count(crowd, TD_OK), 600);
	crowd_free(crowd);
	contract_expect(small, numbered_user(1000), TD_OK);
	contract_close(c, small);
}

/* ---- stopping */

/* With time enough, what waits is written; later ones are refused. */
static void test_stop_drains_what_waits(void **state)
{
	struct contract *c = *state;
	struct contract_crowd *crowd = crowd_new(501);
	for (int i = 0; i < 500; i++)
		crowd_submit(crowd, c->store, numbered_user(i));
	store_stop(c->store, td_clock_mono_ms(&td_clock_system) + 5000);
	assert_int_equal(crowd_count(crowd, TD_OK), 500);
	crowd_submit(crowd, c->store, numbered_user(500));
	assert_int_equal(crowd_count(crowd, TD_STOPPING), 1);
	crowd_free(crowd);
	contract_close(c, c->store);
	c->store = contract_open(c, false);
	assert_true(has_user(c->store, 0) && has_user(c->store, 499));
}

/* A lock held by another program does not hold up the end: everybody is answered. */
static void test_stop_behind_a_lock_answers_all_in_time(void **state)
{
	struct contract *c = *state;
	struct contract_crowd *crowd = crowd_new(700);
	c->factory->hold(c->db);
	for (int i = 0; i < 700; i++)
		crowd_submit(crowd, c->store, numbered_user(i));
	uint64_t begin = td_clock_mono_ms(&td_clock_system);
	store_stop(c->store, begin + 300);
	assert_true(td_clock_mono_ms(&td_clock_system) - begin < 2000);
	assert_true(crowd_wait(crowd, 100));
	assert_int_equal(crowd_count(crowd, TD_OK), 0);
	crowd_free(crowd);
	c->factory->let_go(c->db);
	contract_close(c, c->store);
	c->store = contract_open(c, false);
	assert_false(has_user(c->store, 0) || has_user(c->store, 699));
}

int contract_run_crowds(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_crowd_of_submitters_over_two_handles),
		CONTRACT_TEST(test_crowd_one_failure_harms_no_other),
		CONTRACT_TEST(test_crowd_is_committed_in_few_batches),
		CONTRACT_TEST(test_deadline_passes_behind_a_lock),
		CONTRACT_TEST(test_deadline_is_each_operations_own),
		CONTRACT_TEST(test_health_tells_of_a_lock_and_its_end),
		CONTRACT_TEST(test_queue_full_refuses_and_recovers),
		CONTRACT_TEST(test_stop_drains_what_waits),
		CONTRACT_TEST(test_stop_behind_a_lock_answers_all_in_time),
	};
	return cmocka_run_group_tests_name("crowds", tests, NULL, NULL);
}
