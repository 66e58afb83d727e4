#include "fault_alloc.h"
#include "td_test.h"

#include "cql/client/streams.h"

static struct cql_streams make(size_t limit)
{
	struct cql_streams s;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(cql_streams_init(&s, limit, &err), TD_OK);
	return s;
}

static void test_each_is_given_once_until_it_is_answered(void **state)
{
	(void)state;
	static int owners[CQL_STREAMS_MOST];
	struct cql_streams s = make(CQL_STREAMS_MOST);
	for (int i = 0; i < CQL_STREAMS_MOST; i++)
		assert_int_equal(cql_streams_take(&s, &owners[i]), i);
	assert_int_equal(cql_streams_take(&s, &owners[0]), -1);
	assert_int_equal(cql_streams_in_use(&s), CQL_STREAMS_MOST);
	void *owner = NULL;
	assert_int_equal(cql_streams_answered(&s, 32767, &owner), CQL_STREAM_OWNED);
	assert_ptr_equal(owner, &owners[32767]);
	assert_int_equal(cql_streams_take(&s, &owners[5]), 32767);
	cql_streams_done(&s);
}

/* The answer to a request that was given up never goes to another one. */
static void test_one_that_was_given_up_waits_for_its_answer(void **state)
{
	(void)state;
	int one, two;
	void *owner = NULL;
	struct cql_streams s = make(1);
	assert_int_equal(cql_streams_take(&s, &one), 0);
	cql_streams_give_up(&s, 0);
	assert_int_equal(s.orphans, 1);
	assert_int_equal(cql_streams_take(&s, &two), -1);
	assert_int_equal(cql_streams_answered(&s, 0, &owner), CQL_STREAM_ORPHAN);
	assert_null(owner);
	assert_int_equal(s.orphans, 0);
	assert_int_equal(cql_streams_take(&s, &two), 0);
	cql_streams_done(&s);
}

static void test_an_answer_to_nothing_is_told(void **state)
{
	(void)state;
	int one;
	void *owner = NULL;
	struct cql_streams s = make(4);
	assert_int_equal(cql_streams_take(&s, &one), 0);
	assert_int_equal(cql_streams_answered(&s, 0, &owner), CQL_STREAM_OWNED);
	static const int wrong[] = {0, 1, 3, 4, 32767, -1, -32768};
	for (size_t i = 0; i < TD_ARRAY_LEN(wrong); i++)
		assert_int_equal(cql_streams_answered(&s, wrong[i], &owner), CQL_STREAM_UNKNOWN);
	assert_int_equal(s.free_count, 4);
	cql_streams_done(&s);
}

static void test_what_is_owned_can_be_taken_away(void **state)
{
	(void)state;
	int one, two, three;
	struct cql_streams s = make(4);
	assert_int_equal(cql_streams_take(&s, &one), 0);
	assert_int_equal(cql_streams_take(&s, &two), 1);
	assert_int_equal(cql_streams_take(&s, &three), 2);
	cql_streams_give_up(&s, 1);
	size_t at = 0;
	assert_ptr_equal(cql_streams_pop(&s, &at), &one);
	assert_ptr_equal(cql_streams_pop(&s, &at), &three);
	assert_null(cql_streams_pop(&s, &at));
	cql_streams_done(&s);
}

static bool attempt(void *ctx)
{
	(void)ctx;
	struct cql_streams s;
	enum td_status status = cql_streams_init(&s, 8, NULL);
	cql_streams_done(&s);
	return status == TD_OK;
}

static void test_without_memory_nothing_is_left_behind(void **state)
{
	(void)state;
	assert_int_equal(fault_alloc_each(attempt, NULL), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_is_given_once_until_it_is_answered),
		cmocka_unit_test(test_one_that_was_given_up_waits_for_its_answer),
		cmocka_unit_test(test_an_answer_to_nothing_is_told),
		cmocka_unit_test(test_what_is_owned_can_be_taken_away),
		cmocka_unit_test(test_without_memory_nothing_is_left_behind),
	};
	return cmocka_run_group_tests_name("cql/client/streams", tests, NULL, NULL);
}
