#include "fault_alloc.h"
#include "td_test.h"

#include "base/buf.h"

#include <string.h>

static void test_buf_grows_and_keeps_what_was_written(void **state)
{
	(void)state;
	struct td_buf b = TD_BUF_INIT;
	for (unsigned i = 0; i < 5000; i++)
		td_buf_put_char(&b, (char)('a' + i % 26));
	assert_false(b.failed);
	assert_int_equal(b.len, 5000);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(b.ptr[i], 'a' + i % 26);
	td_buf_done(&b);
	assert_null(b.ptr);
}

static void test_buf_numbers_at_the_ends_of_their_range(void **state)
{
	(void)state;
	struct td_buf b = TD_BUF_INIT;
	td_buf_put_u64(&b, 0);
	td_buf_put_char(&b, ' ');
	td_buf_put_u64(&b, UINT64_MAX);
	td_buf_put_char(&b, ' ');
	td_buf_put_i64(&b, INT64_MIN);
	td_buf_put_char(&b, ' ');
	td_buf_put_i64(&b, INT64_MAX);
	assert_string_equal(
		td_buf_cstr(&b), "0 18446744073709551615 -9223372036854775808 9223372036854775807");
	td_buf_done(&b);
}

/* Text of exactly the limit fits, with the NUL of td_buf_cstr() behind it; one byte more fails. */
static void test_buf_limit_counts_content_only(void **state)
{
	(void)state;
	struct td_buf b = TD_BUF_INIT;
	b.limit = 8;
	td_buf_put_str(&b, "1234");
	td_buf_printf(&b, "%d", 5678);
	assert_string_equal(td_buf_cstr(&b), "12345678");
	assert_int_equal(b.len, 8);
	td_buf_put_char(&b, '9');
	assert_true(b.failed);
	assert_null(td_buf_cstr(&b));
	assert_int_equal(b.len, 8);
	td_buf_done(&b);
	assert_int_equal(b.limit, 8);
}

/* After a failure nothing is written any more, until a reset. */
static void test_buf_failure_sticks(void **state)
{
	(void)state;
	struct td_buf b = TD_BUF_INIT;
	b.limit = 4;
	td_buf_put_str(&b, "12345");
	assert_true(b.failed);
	td_buf_put_char(&b, 'x');
	td_buf_printf(&b, "x");
	assert_int_equal(b.len, 0);
	td_buf_reset(&b);
	td_buf_put_str(&b, "1234");
	assert_false(b.failed);
	assert_true(td_slice_is(td_buf_slice(&b), "1234"));
	td_buf_done(&b);
}

static void test_buf_reserve_refuses_a_sum_that_overflows(void **state)
{
	(void)state;
	struct td_buf b = TD_BUF_INIT;
	td_buf_put_str(&b, "x");
	assert_null(td_buf_reserve(&b, SIZE_MAX));
	assert_true(b.failed);
	td_buf_done(&b);
	b.limit = SIZE_MAX;
	assert_null(td_buf_reserve(&b, SIZE_MAX));
	td_buf_done(&b);
}

static void test_buf_printf_grows_over_its_first_block(void **state)
{
	(void)state;
	struct td_buf b = TD_BUF_INIT;
	for (unsigned i = 0; i < 100; i++)
		td_buf_printf(&b, "%04u,", i);
	td_buf_put_slice(&b, td_slice_str(NULL));
	assert_int_equal(b.len, 500);
	assert_memory_equal(b.ptr + 495, "0099,", 5);
	assert_int_equal(strlen(td_buf_cstr(&b)), 500);
	td_buf_done(&b);
}

static bool write_much(void *ctx)
{
	(void)ctx;
	struct td_buf b = TD_BUF_INIT;
	for (unsigned i = 0; i < 200; i++)
		td_buf_printf(&b, "line %u\n", i);
	bool worked = td_buf_cstr(&b) != NULL && !b.failed;
	td_buf_done(&b);
	return worked;
}

/* Whichever allocation fails, `failed` says so and nothing leaks. */
static void test_buf_without_memory_says_so(void **state)
{
	(void)state;
	assert_true(fault_alloc_each(write_much, NULL) >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_grows_and_keeps_what_was_written),
		cmocka_unit_test(test_buf_numbers_at_the_ends_of_their_range),
		cmocka_unit_test(test_buf_limit_counts_content_only),
		cmocka_unit_test(test_buf_failure_sticks),
		cmocka_unit_test(test_buf_reserve_refuses_a_sum_that_overflows),
		cmocka_unit_test(test_buf_printf_grows_over_its_first_block),
		cmocka_unit_test(test_buf_without_memory_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
