/* The outbox: what the event log is still to be told. */
#include "contract_selling.h"
#include "postgres_db.h"

#include "work/thread.h"

#include <stdio.h>

#define USERS 6

/* Each user's first row of history. */
static void make_users(struct contract *c, int first, int last)
{
	char user[16], id[16];
	for (int i = first; i <= last; i++) {
		(void)snprintf(user, sizeof(user), "u%d", i);
		(void)snprintf(id, sizeof(id), "s%d", i);
		selling_make_user(c, user);
		contract_expect(c->store, selling_subscribe(id, user), TD_OK);
	}
}

static bool start_some(struct store *store, size_t limit)
{
	struct store_op *op = contract_op(STORE_EVENTS_START);
	op->in.limit = limit;
	op = contract_call(store, op, TD_OK);
	bool more = op->out.more;
	store_op_free(op);
	return more;
}

static void start(struct contract *c)
{
	while (start_some(c->store, 1000))
		continue;
}

static struct store_events count(struct contract *c)
{
	struct store_op *op = contract_call(c->store, contract_op(STORE_EVENTS_COUNT), TD_OK);
	struct store_events events = op->out.events;
	store_op_free(op);
	return events;
}

static struct store_op *take(struct store *store, size_t limit, int64_t now_ms)
{
	struct store_op *op = contract_op(STORE_EVENTS_TAKE);
	op->in.limit = limit;
	op->in.lease.now_ms = now_ms;
	op->in.lease.expires_at = now_ms + 30000;
	return contract_call(store, op, TD_OK);
}

static void done(struct contract *c, const int64_t *seqs, size_t seq_count)
{
	struct store_op *op = contract_op(STORE_EVENTS_TAKE);
	op->in.seqs = seqs;
	op->in.seq_count = seq_count;
	contract_expect(c->store, op, TD_OK);
}

/* Rows that went. */
static size_t trim(struct contract *c, int64_t due_ms, size_t limit)
{
	size_t gone = 0;
	for (bool more = true; more;) {
		struct store_op *op = contract_op(STORE_HISTORY_TRIM);
		op->in.due_ms = due_ms;
		op->in.limit = limit;
		op = contract_call(c->store, op, TD_OK);
		assert_true(op->out.swept <= limit);
		gone += op->out.swept;
		more = op->out.more;
		store_op_free(op);
	}
	return gone;
}

static size_t history_of(struct contract *c, const char *user)
{
	struct store_op *op = selling_history(c, user, 10, 0);
	size_t count = op->out.history_count;
	store_op_free(op);
	return count;
}

static void test_event_is_not_kept_before_the_start(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	make_users(c, 1, 2);
	assert_false(count(c).started);
	assert_int_equal(count(c).waiting, 0);
}

/* What was there before comes in pieces, what is new at once. */
static void test_event_of_every_row_of_history(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	make_users(c, 1, USERS);
	size_t calls = 1;
	while (start_some(c->store, 2))
		calls++;
	assert_true(calls >= USERS / 2);
	assert_true(count(c).started);
	assert_int_equal(count(c).waiting, USERS);
	assert_int_equal(count(c).oldest_ms, CONTRACT_NOW);
	start(c);
	assert_int_equal(count(c).waiting, USERS);

	make_users(c, USERS + 1, USERS + 1);
	contract_expect(c->store, selling_change("s1", "u1", 1), TD_OK);
	contract_expect(c->store, selling_change("s1", "u1", 1), TD_CONFLICT);
	assert_int_equal(count(c).waiting, USERS + 2);
}

static void test_event_is_one_takers_until_his_time_is_over(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	start(c);
	make_users(c, 1, USERS);
	struct store_op *first = take(c->store, 4, CONTRACT_NOW);
	struct store_op *second = take(c->store, 100, CONTRACT_NOW);
	assert_int_equal(first->out.history_count, 4);
	assert_int_equal(second->out.history_count, USERS - 4);
	assert_true(td_slice_is(first->out.history[0].id, "s1-h1"));
	assert_true(td_slice_is(second->out.history[0].id, "s5-h1"));
	assert_true(td_slice_is(first->out.history[3].user_id, "u4"));

	const int64_t told[] = {first->out.history[0].seq, first->out.history[2].seq};
	done(c, told, TD_ARRAY_LEN(told));
	done(c, told, TD_ARRAY_LEN(told));
	assert_int_equal(count(c).waiting, USERS - 2);
	struct store_op *later = take(c->store, 100, CONTRACT_NOW + 30000);
	assert_int_equal(later->out.history_count, USERS - 2);
	assert_true(td_slice_is(later->out.history[0].id, "s2-h1"));
	store_op_free(first);
	store_op_free(second);
	store_op_free(later);
}

/* Whoever took it while his clock was an hour ahead may be gone: nobody waits for an hour. */
static void test_event_that_a_wrong_clock_has_taken_is_free(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	start(c);
	make_users(c, 1, USERS);
	struct store_op *ahead = take(c->store, 100, CONTRACT_NOW + 3600000);
	struct store_op *right = take(c->store, 100, CONTRACT_NOW);
	struct store_op *again = take(c->store, 100, CONTRACT_NOW + 1);
	assert_int_equal(ahead->out.history_count, USERS);
	assert_int_equal(right->out.history_count, USERS);
	assert_int_equal(again->out.history_count, 0);
	store_op_free(ahead);
	store_op_free(right);
	store_op_free(again);
}

/* Another client holds rows: they are left for later, nobody waits. */
static void test_event_that_is_locked_is_skipped(void **state)
{
	struct contract *c = *state;
	struct pgdb *db = c->db;
	selling_prepare(c);
	start(c);
	make_users(c, 1, USERS);
	db->holder = pgdb_connect(db->name);
	pgdb_run(db->holder, "BEGIN");
	pgdb_run(db->holder,
		"SELECT 1 FROM subscription_outbox WHERE history_id = 's1-h1' FOR UPDATE");
	struct store_op *op = take(c->store, 100, CONTRACT_NOW);
	assert_int_equal(op->out.history_count, USERS - 1);
	assert_true(td_slice_is(op->out.history[0].id, "s2-h1"));
	store_op_free(op);
	pgdb_let_go(db);
}

/* A writer whose transaction began before the trigger was made: the start waits for it, and its
 * row is an event. */
static void test_event_of_a_writer_that_was_under_way(void **state)
{
	struct contract *c = *state;
	struct pgdb *db = c->db;
	selling_prepare(c);
	make_users(c, 1, 1);
	db->holder = pgdb_connect(db->name);
	pgdb_run(db->holder, "BEGIN");
	pgdb_run(db->holder,
		"INSERT INTO subscription_history (id, subscription_id, user_id, action, actor)"
		" VALUES ('under-way', 's1', 'u1', 'renewed', 'test')");
	struct contract_crowd *crowd = crowd_new(1);
	struct store_op *op = contract_op(STORE_EVENTS_START);
	op->in.limit = 1000;
	crowd_submit(crowd, c->store, op);
	assert_false(crowd_wait(crowd, 200));
	pgdb_run(db->holder, "COMMIT");
	assert_true(crowd_wait(crowd, 10000));
	assert_int_equal(crowd_count(crowd, TD_OK), 1);
	crowd_free(crowd);
	pgdb_let_go(db);
	start(c);
	assert_int_equal(count(c).waiting, 2);
}

/* What is told may go, what is not told stays, however old. */
static void test_event_that_waits_is_not_trimmed(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	make_users(c, 1, USERS);
	assert_int_equal(trim(c, CONTRACT_NOW + 1, 100), 0);
	start(c);
	assert_int_equal(trim(c, CONTRACT_NOW + 1, 100), 0);
	struct store_op *op = take(c->store, 3, CONTRACT_NOW);
	int64_t told[3];
	for (size_t i = 0; i < TD_ARRAY_LEN(told); i++)
		told[i] = op->out.history[i].seq;
	store_op_free(op);
	done(c, told, TD_ARRAY_LEN(told));
	assert_int_equal(trim(c, CONTRACT_NOW, 100), 0);
	assert_int_equal(trim(c, CONTRACT_NOW + 1, 2), 3);
	assert_int_equal(history_of(c, "u3"), 0);
	assert_int_equal(history_of(c, "u4"), 1);
}

/* Whoever deletes history takes its events with it: they wait for nobody. */
static void test_event_of_deleted_history_is_none(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	start(c);
	make_users(c, 1, USERS);
	pgdb_exec(c->db, "DELETE FROM subscription_history WHERE id IN ('s1-h1', 's4-h1')");
	struct store_op *op = take(c->store, 3, CONTRACT_NOW);
	assert_int_equal(op->out.history_count, 2);
	assert_true(td_slice_is(op->out.history[0].id, "s2-h1"));
	store_op_free(op);
	assert_int_equal(count(c).waiting, USERS - 1);
	op = take(c->store, 100, CONTRACT_NOW);
	assert_int_equal(op->out.history_count, 2);
	store_op_free(op);
	assert_int_equal(count(c).waiting, USERS - 2);
}

/* Only the beginning goes: not what stands behind a row that is not told, or is not so old. */
static void test_event_trimming_leaves_no_hole(void **state)
{
	struct contract *c = *state;
	struct pgdb *db = c->db;
	selling_prepare(c);
	start(c);
	make_users(c, 1, USERS);
	struct store_op *op = take(c->store, 100, CONTRACT_NOW);
	int64_t seqs[USERS];
	for (size_t i = 0; i < USERS; i++)
		seqs[i] = op->out.history[i].seq;
	store_op_free(op);
	const int64_t others[] = {seqs[0], seqs[2], seqs[3], seqs[4], seqs[5]};
	done(c, others, TD_ARRAY_LEN(others));
	assert_int_equal(trim(c, CONTRACT_NOW + 1, 2), 1);
	done(c, &seqs[1], 1);
	pgdb_exec(db, "UPDATE subscription_history SET created_at = created_at + interval '1 day'"
		      " WHERE id = 's5-h1'");
	assert_int_equal(trim(c, CONTRACT_NOW + 1, 2), 3);
	assert_int_equal(history_of(c, "u4"), 0);
	assert_int_equal(history_of(c, "u5"), 1);
	assert_int_equal(history_of(c, "u6"), 1);
	/* What is written later is trimmed later. */
	make_users(c, USERS + 1, USERS + 2);
	op = take(c->store, 100, CONTRACT_NOW);
	const int64_t last[] = {op->out.history[0].seq, op->out.history[1].seq};
	store_op_free(op);
	done(c, last, TD_ARRAY_LEN(last));
	assert_int_equal(trim(c, CONTRACT_NOW + 2 * 86400000LL, 2), 4);
}

/* Numbers that no row has, as refused writes leave them, stop nothing. */
static void test_event_trimming_goes_over_gaps(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	start(c);
	make_users(c, 1, 1);
	pgdb_exec(c->db, "SELECT setval('subscription_history_seq_seq', 1000)");
	make_users(c, 2, 2);
	struct store_op *op = take(c->store, 100, CONTRACT_NOW);
	const int64_t told[] = {op->out.history[0].seq, op->out.history[1].seq};
	store_op_free(op);
	done(c, told, TD_ARRAY_LEN(told));
	assert_int_equal(trim(c, CONTRACT_NOW + 1, 10), 2);
	make_users(c, 3, 3);
	op = take(c->store, 100, CONTRACT_NOW);
	done(c, &op->out.history[0].seq, 1);
	store_op_free(op);
	assert_int_equal(trim(c, CONTRACT_NOW + 1, 10), 1);
}

/* Who was there when it was written is told that older history may be elsewhere, and of when. */
static void test_event_log_alone_has_what_was_trimmed(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	start(c);
	make_users(c, 1, 2);
	struct store_op *op = selling_history(c, "u1", 10, 0);
	assert_int_equal(op->out.trimmed.to_ms, 0);
	store_op_free(op);
	op = take(c->store, 1, CONTRACT_NOW);
	done(c, &op->out.history[0].seq, 1);
	store_op_free(op);
	assert_int_equal(trim(c, CONTRACT_NOW + 5, 100), 1);
	op = selling_history(c, "u2", 10, 0);
	assert_int_equal(op->out.history_count, 1);
	assert_int_equal(op->out.trimmed.from_ms, CONTRACT_NOW);
	assert_int_equal(op->out.trimmed.to_ms, CONTRACT_NOW + 5);
	store_op_free(op);
	pgdb_exec(c->db, "UPDATE users SET created_at = created_at + interval '1 day'"
			 " WHERE id = 'u2'");
	op = selling_history(c, "u2", 10, 0);
	assert_int_equal(op->out.trimmed.to_ms, 0);
	store_op_free(op);
}

/* Brought from elsewhere, it may be older than its user. */
static void test_event_log_has_what_is_older_than_its_user(void **state)
{
	struct contract *c = *state;
	selling_prepare(c);
	start(c);
	make_users(c, 1, 2);
	pgdb_exec(c->db, "UPDATE users SET created_at = created_at + interval '300 days'");
	struct store_op *op = take(c->store, 100, CONTRACT_NOW);
	const int64_t told[] = {op->out.history[0].seq, op->out.history[1].seq};
	store_op_free(op);
	done(c, told, 1);
	assert_int_equal(trim(c, CONTRACT_NOW + 5, 100), 1);
	op = selling_history(c, "u1", 10, 0);
	assert_int_equal(op->out.history_count, 0);
	assert_int_equal(op->out.trimmed.from_ms, CONTRACT_NOW);
	assert_int_equal(op->out.trimmed.to_ms, CONTRACT_NOW + 5);
	store_op_free(op);
	op = selling_history(c, "u2", 10, 0);
	assert_int_equal(op->out.trimmed.to_ms, 0);
	store_op_free(op);
}

/* Two processes take everything, each row once. */
static void test_event_takers_share(void **state)
{
	struct contract *c = *state;
	struct store *other = contract_open(c, false);
	selling_prepare(c);
	start(c);
	make_users(c, 1, USERS);
	struct contract_crowd *crowd = crowd_new(2 * USERS);
	for (int i = 0; i < 2 * USERS; i++) {
		struct store_op *op = contract_op(STORE_EVENTS_TAKE);
		op->in.limit = 1;
		op->in.lease.now_ms = CONTRACT_NOW;
		op->in.lease.expires_at = CONTRACT_NOW + 30000;
		crowd_submit(crowd, i % 2 ? other : c->store, op);
	}
	assert_true(crowd_wait(crowd, 10000));
	assert_int_equal(crowd_count(crowd, TD_OK), 2 * USERS);
	crowd_free(crowd);
	struct store_op *op = take(c->store, 100, CONTRACT_NOW);
	size_t left = op->out.history_count;
	store_op_free(op);
	op = take(c->store, 100, CONTRACT_NOW + 30000);
	assert_int_equal(op->out.history_count + left, USERS);
	store_op_free(op);
	contract_close(c, other);
}

int pgdb_run_events(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_event_is_not_kept_before_the_start),
		CONTRACT_TEST(test_event_of_every_row_of_history),
		CONTRACT_TEST(test_event_is_one_takers_until_his_time_is_over),
		CONTRACT_TEST(test_event_that_a_wrong_clock_has_taken_is_free),
		CONTRACT_TEST(test_event_that_is_locked_is_skipped),
		CONTRACT_TEST(test_event_of_a_writer_that_was_under_way),
		CONTRACT_TEST(test_event_that_waits_is_not_trimmed),
		CONTRACT_TEST(test_event_of_deleted_history_is_none),
		CONTRACT_TEST(test_event_trimming_leaves_no_hole),
		CONTRACT_TEST(test_event_trimming_goes_over_gaps),
		CONTRACT_TEST(test_event_log_alone_has_what_was_trimmed),
		CONTRACT_TEST(test_event_log_has_what_is_older_than_its_user),
		CONTRACT_TEST(test_event_takers_share),
	};
	return cmocka_run_group_tests_name("postgresql events", tests, NULL, NULL);
}
