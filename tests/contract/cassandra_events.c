/* The event log. */
#include "cassandra_db.h"

#include <stdio.h>
#include <string.h>

#define EVENTS "contract.subscription_events"
#define DAY_MS INT64_C(86400000)
#define MANY   2000
#define SEPT_1 INT64_C(1788220800000) /* 2026-09-01 */

/* An event of "u". */
static struct store_history event_of(int64_t seq, int64_t created_at, const char *id)
{
	return (struct store_history){.id = td_slice_str(id),
		.subscription_id = TD_SLICE("s"),
		.user_id = TD_SLICE("u"),
		.action = STORE_ACTION_RENEWED,
		.from_package = TD_SLICE("free"),
		.to_package = TD_SLICE("pro"),
		.from_cycle = STORE_CYCLE_MONTHLY,
		.to_cycle = STORE_CYCLE_YEARLY,
		.has_price = true,
		.price = 2999,
		.currency = TD_SLICE("USD"),
		.reason = TD_SLICE("because"),
		.actor = TD_SLICE("user"),
		.created_at = created_at,
		.seq = seq};
}

static struct store_op *tell_op(const struct store_history *rows, size_t count, int64_t ttl_ms)
{
	struct store_op *op = contract_op(STORE_EVENTS_TELL);
	op->in.history = rows;
	op->in.history_count = count;
	op->in.ttl_ms = ttl_ms;
	return op;
}

static void tell(struct contract *c, const struct store_history *rows, size_t count)
{
	contract_expect(c->store, tell_op(rows, count, 0), TD_OK);
}

static struct store_op *list(struct contract *c, int64_t before_seq, size_t limit)
{
	struct store_op *op = contract_op(STORE_EVENTS_LIST);
	op->in.user.id = TD_SLICE("u");
	op->in.before_seq = before_seq;
	op->in.limit = limit;
	op->in.span = (struct store_span){SEPT_1 - 900 * DAY_MS, SEPT_1 + 40 * DAY_MS};
	return contract_call(c->store, op, TD_OK);
}

static void expect_list(
	struct contract *c, int64_t before_seq, size_t limit, const char *seqs, bool more)
{
	char got[256] = "";
	struct store_op *op = list(c, before_seq, limit);
	for (size_t i = 0; i < op->out.history_count; i++) {
		size_t used = strlen(got);
		(void)snprintf(got + used, sizeof(got) - used, "%s%lld", i > 0 ? " " : "",
			(long long)op->out.history[i].seq);
	}
	assert_string_equal(got, seqs);
	assert_int_equal(op->out.more, more);
	store_op_free(op);
}

static void test_event_says_all_again(void **state)
{
	struct contract *c = *state;
	const struct store_history rows[] = {
		event_of(7, SEPT_1, "full"), {.id = TD_SLICE("bare"),
						     .subscription_id = TD_SLICE("s"),
						     .user_id = TD_SLICE("u"),
						     .action = STORE_ACTION_CREATED,
						     .actor = TD_SLICE("api:x"),
						     .created_at = SEPT_1 + 1,
						     .seq = 8}};
	tell(c, rows, 2);
	struct store_op *op = list(c, 0, 10);
	assert_int_equal(op->out.history_count, 2);
	const struct store_history *bare = &op->out.history[0], *full = &op->out.history[1];
	assert_true(td_slice_is(full->id, "full"));
	assert_true(td_slice_is(full->subscription_id, "s"));
	assert_true(td_slice_is(full->user_id, "u"));
	assert_int_equal(full->action, STORE_ACTION_RENEWED);
	assert_true(td_slice_is(full->from_package, "free"));
	assert_true(td_slice_is(full->to_package, "pro"));
	assert_int_equal(full->from_cycle, STORE_CYCLE_MONTHLY);
	assert_int_equal(full->to_cycle, STORE_CYCLE_YEARLY);
	assert_true(full->has_price);
	assert_int_equal(full->price, 2999);
	assert_true(td_slice_is(full->currency, "USD"));
	assert_true(td_slice_is(full->reason, "because"));
	assert_true(td_slice_is(full->actor, "user"));
	assert_int_equal(full->created_at, SEPT_1);
	assert_int_equal(full->seq, 7);
	assert_null(bare->from_package.ptr);
	assert_null(bare->reason.ptr);
	assert_false(bare->has_price);
	assert_int_equal(bare->to_cycle, STORE_CYCLE_NONE);
	store_op_free(op);
}

static void test_event_told_twice_is_there_once(void **state)
{
	struct contract *c = *state;
	static struct store_history rows[MANY];
	static char ids[MANY][16];
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(ids[i], sizeof(ids[i]), "e%d", i);
		rows[i] = event_of(i + 1, SEPT_1 + i, ids[i]);
	}
	tell(c, rows, MANY);
	tell(c, rows + MANY / 2, MANY / 2);
	struct store_op *op = list(c, 0, MANY);
	assert_int_equal(op->out.history_count, MANY);
	assert_false(op->out.more);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(op->out.history[i].seq, MANY - i);
	store_op_free(op);
	tell(c, rows, 0);
}

/* A server refuses batches over several partitions that are larger than 50 KiB: texts that another
 * client wrote may be. */
static void test_event_of_any_size_is_told(void **state)
{
	struct contract *c = *state;
	static char large[60000], reason[1001];
	struct store_history rows[20];
	static char ids[TD_ARRAY_LEN(rows)][16];
	memset(large, 'x', sizeof(large));
	memset(reason, 'y', sizeof(reason) - 1);
	for (int i = 0; i < (int)TD_ARRAY_LEN(rows); i++) {
		(void)snprintf(ids[i], sizeof(ids[i]), "e%d", i);
		rows[i] = event_of(i + 1, SEPT_1 - 31 * (20 - i) * DAY_MS, ids[i]);
		rows[i].reason = td_slice_str(reason);
	}
	rows[3].from_package = rows[4].from_package = td_slice(large, sizeof(large));
	tell(c, rows, TD_ARRAY_LEN(rows));
	struct store_op *op = list(c, 0, 100);
	assert_int_equal(op->out.history_count, TD_ARRAY_LEN(rows));
	for (int i = 0; i < (int)TD_ARRAY_LEN(rows); i++)
		assert_true(td_slice_is(
			op->out.history[i].id, ids[TD_ARRAY_LEN(rows) - 1 - (size_t)i]));
	assert_int_equal(op->out.history[16].from_package.len, sizeof(large));
	store_op_free(op);
}

/* From month to month, the newest first; a clock that was wrong around a month's end does not
 * change the order. */
static void test_events_are_listed_in_the_order_of_writing(void **state)
{
	struct contract *c = *state;
	const struct store_history rows[] = {
		event_of(1, SEPT_1 - 800 * DAY_MS, "a"),
		event_of(2, SEPT_1 - 500 * DAY_MS, "b"),
		event_of(3, SEPT_1 - 100 * DAY_MS, "c"),
		event_of(4, SEPT_1 + 1, "d"),
		event_of(5, SEPT_1 - 1, "e"),
		event_of(6, SEPT_1 + 2, "f"),
	};
	tell(c, rows, TD_ARRAY_LEN(rows));
	expect_list(c, 0, 10, "6 5 4 3 2 1", false);
	expect_list(c, 0, 2, "6 5", true);
	expect_list(c, 5, 1, "4", true);
	expect_list(c, 4, 2, "3 2", true);
	expect_list(c, 3, 2, "2 1", false);
	expect_list(c, 1, 2, "", false);
}

/* What is over is not written, and what is left of its life comes from the event. */
static void test_event_lives_as_long_as_it_may(void **state)
{
	struct contract *c = *state;
	const struct store_history rows[] = {
		event_of(1, SEPT_1 - 30 * DAY_MS, "over"), event_of(2, SEPT_1, "lives")};
	struct store_op *op = tell_op(rows, 2, 30 * DAY_MS);
	op->now_ms = SEPT_1;
	contract_expect(c->store, op, TD_OK);
	expect_list(c, 0, 10, "2", false);
}

static void test_event_of_another_client_outside_the_rules_is_left_out(void **state)
{
	struct contract *c = *state;
	static const char *const tails[] = {
		"(1, 'a', 's', 'renewed', 'x', 1.50, '2026-09-02')",
		"(2, 'b', 's', 'exploded', 'x', 1.50, '2026-09-02')",
		"(3, 'c', 's', 'renewed', 'x', 1.5, '2026-09-02')",
		"(4, 'd', 's', 'renewed', 'x', -1.50, '2026-09-02')",
		"(5, 'e', '', 'renewed', 'x', 1.50, '2026-09-02')",
		"(6, 'f', 's', 'renewed', null, 1.50, '2026-09-02')",
		"(7, 'g', 's', 'renewed', 'x', 1.50, null)",
		"(-8, 'h', 's', 'renewed', 'x', 1.50, '2026-09-02')",
		"(9, 'i', 's', 'renewed', 'x', null, '2026-09-02')",
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(tails); i++) {
		char text[400];
		(void)snprintf(text, sizeof(text),
			"INSERT INTO " EVENTS " (user_id, month, seq, id, subscription_id, action,"
			" actor, price, created_at) VALUES ('u', '2026-09', %s",
			tails[i] + 1);
		cassdb_exec(c->db, text);
	}
	unsigned told = cassdb_bad_rows_told();
	expect_list(c, 0, 20, "9 1", false);
	expect_list(c, 0, 20, "9 1", false);
	assert_int_equal(cassdb_bad_rows_told() - told, TD_ARRAY_LEN(tails) - 2);
}

/* However many of them stand before the others. */
static void test_events_behind_those_that_are_left_out_are_listed(void **state)
{
	struct contract *c = *state;
	for (int seq = 1; seq <= 20; seq++) {
		char text[400];
		(void)snprintf(text, sizeof(text),
			"INSERT INTO " EVENTS " (user_id, month, seq, id, subscription_id, action,"
			" actor, created_at) VALUES ('u', '2026-09', %d, 'e', 's', '%s', 'x',"
			" '2026-09-02')",
			seq, seq > 5 ? "exploded" : "renewed");
		cassdb_exec(c->db, text);
	}
	const struct store_history older = event_of(100, SEPT_1 - 40 * DAY_MS, "older");
	tell(c, &older, 1);
	expect_list(c, 50, 2, "5 4", true);
	expect_list(c, 4, 5, "3 2 1", false);
}

int cassdb_run_events(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_event_says_all_again),
		CONTRACT_TEST(test_event_told_twice_is_there_once),
		CONTRACT_TEST(test_event_of_any_size_is_told),
		CONTRACT_TEST(test_events_are_listed_in_the_order_of_writing),
		CONTRACT_TEST(test_event_lives_as_long_as_it_may),
		CONTRACT_TEST(test_event_of_another_client_outside_the_rules_is_left_out),
		CONTRACT_TEST(test_events_behind_those_that_are_left_out_are_listed),
	};
	return cmocka_run_group_tests_name("cassandra events", tests, NULL, NULL);
}
