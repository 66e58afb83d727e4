#include "fault_alloc.h"
#include "td_test.h"

#include "base/alloc.h"

#include <stdint.h>
#include <string.h>

/* Nothing asked for is still a block of one's own. */
static void test_alloc_of_nothing_gives_a_block(void **state)
{
	(void)state;
	void *one = td_alloc(0), *two = td_alloc_zero(0), *three = td_alloc_array(0, 8);
	assert_non_null(one);
	assert_non_null(two);
	assert_non_null(three);
	assert_ptr_not_equal(one, two);
	td_free(one);
	td_free(two);
	td_free(three);
	td_free(NULL);
}

static void test_alloc_array_is_zeroed(void **state)
{
	(void)state;
	static const char zeros[24];
	char *block = td_alloc_array(3, 8);
	assert_non_null(block);
	assert_memory_equal(block, zeros, sizeof(zeros));
	td_free(block);
}

/* A product that does not fit is refused, not cut. */
static void test_alloc_array_refuses_a_product_that_overflows(void **state)
{
	(void)state;
	assert_null(td_alloc_array(SIZE_MAX / 2, 3));
	assert_null(td_alloc_array(3, SIZE_MAX / 2));
	char *block = td_strdup("kept");
	assert_non_null(block);
	assert_null(td_realloc_array(block, SIZE_MAX, 2));
	assert_string_equal(block, "kept");
	td_free(block);
}

static void test_strndup_ends_with_nul(void **state)
{
	(void)state;
	char *copy = td_strndup("a\0bc", 3);
	assert_non_null(copy);
	assert_memory_equal(copy, "a\0b\0", 4);
	td_free(copy);
	copy = td_strndup(NULL, 0);
	assert_non_null(copy);
	assert_string_equal(copy, "");
	td_free(copy);
	assert_null(td_strndup("x", SIZE_MAX));
}

static bool allocate_four(void *ctx)
{
	(void)ctx;
	void *blocks[4] = {td_alloc(1), td_alloc_zero(1), NULL, td_strdup("x")};
	blocks[2] = blocks[0] != NULL ? td_realloc_array(blocks[0], 2, 8) : NULL;
	bool worked = blocks[1] != NULL && blocks[2] != NULL && blocks[3] != NULL;
	td_free(blocks[2] != NULL ? blocks[2] : blocks[0]);
	td_free(blocks[1]);
	td_free(blocks[3]);
	return worked;
}

/* Each door to the heap can be made to fail. */
static void test_gate_stands_before_every_allocation(void **state)
{
	(void)state;
	assert_int_equal(fault_alloc_each(allocate_four, NULL), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc_of_nothing_gives_a_block),
		cmocka_unit_test(test_alloc_array_is_zeroed),
		cmocka_unit_test(test_alloc_array_refuses_a_product_that_overflows),
		cmocka_unit_test(test_strndup_ends_with_nul),
		cmocka_unit_test(test_gate_stands_before_every_allocation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
