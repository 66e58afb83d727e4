#include "fault_alloc.h"
#include "td_test.h"

#include "base/arena.h"

#include <stdint.h>
#include <string.h>

/* Every piece is zeroed, aligned, and no piece overlaps another. */
static void test_arena_pieces_are_zeroed_aligned_and_apart(void **state)
{
	(void)state;
	static const char zeros[512];
	struct td_arena a = TD_ARENA_INIT;
	char *pieces[300];
	for (size_t i = 0; i < 300; i++) {
		pieces[i] = td_arena_alloc(&a, i + 1);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		assert_memory_equal(pieces[i], zeros, i + 1);
		memset(pieces[i], (int)(i % 255) + 1, i + 1);
	}
	for (size_t i = 0; i < 300; i++) {
		for (size_t k = 0; k <= i; k++)
			assert_int_equal((unsigned char)pieces[i][k], i % 255 + 1);
	}
	td_arena_done(&a);
}

static void test_arena_large_piece_gets_a_block_of_its_own(void **state)
{
	(void)state;
	struct td_arena a = TD_ARENA_INIT;
	char *big = td_arena_alloc(&a, 1000000);
	assert_non_null(big);
	big[999999] = 'x';
	assert_non_null(td_arena_alloc(&a, 10));
	td_arena_done(&a);
	assert_int_equal(a.total, 0);
}

/* Over the limit it fails, and it goes on failing until a reset. */
static void test_arena_limit_sticks_until_reset(void **state)
{
	(void)state;
	struct td_arena a = {.limit = 4096};
	assert_non_null(td_arena_alloc(&a, 2000));
	assert_null(td_arena_alloc(&a, 4000));
	assert_true(a.failed);
	assert_null(td_arena_alloc(&a, 1));
	assert_true(a.total <= 4096);
	td_arena_reset(&a);
	assert_false(a.failed);
	assert_non_null(td_arena_alloc(&a, 1));
	td_arena_done(&a);
	assert_int_equal(a.limit, 4096);
}

/* What is given out after a reset is zeroed again. */
static void test_arena_reset_gives_clean_memory(void **state)
{
	(void)state;
	static const char zeros[64];
	struct td_arena a = TD_ARENA_INIT;
	td_arena_reset(&a);
	for (unsigned round = 0; round < 3; round++) {
		char *piece = td_arena_alloc(&a, sizeof(zeros));
		assert_non_null(piece);
		assert_memory_equal(piece, zeros, sizeof(zeros));
		memset(piece, 0xAA, sizeof(zeros));
		assert_non_null(td_arena_alloc(&a, 3000));
		td_arena_reset(&a);
	}
	td_arena_done(&a);
}

static void test_arena_refuses_sizes_that_overflow(void **state)
{
	(void)state;
	struct td_arena a = TD_ARENA_INIT;
	assert_null(td_arena_alloc(&a, SIZE_MAX));
	td_arena_reset(&a);
	assert_null(td_arena_alloc(&a, SIZE_MAX - 9));
	td_arena_reset(&a);
	assert_null(td_arena_array(&a, SIZE_MAX / 2, 3));
	assert_true(a.failed);
	td_arena_reset(&a);
	assert_null(td_arena_strndup(&a, "x", SIZE_MAX));
	assert_true(a.failed);
	td_arena_done(&a);
}

static void test_arena_copies_end_with_nul(void **state)
{
	(void)state;
	struct td_arena a = TD_ARENA_INIT;
	char *copy = td_arena_strndup(&a, "a\0b", 3);
	assert_non_null(copy);
	assert_memory_equal(copy, "a\0b\0", 4);
	struct td_slice slice = td_arena_slice(&a, TD_SLICE("word"));
	assert_string_equal(slice.ptr, "word");
	assert_int_equal(slice.len, 4);
	assert_non_null(td_arena_slice(&a, td_slice_str(NULL)).ptr);
	char *text = td_arena_printf(&a, "%s-%d", "x", 12);
	assert_non_null(text);
	assert_string_equal(text, "x-12");
	td_arena_done(&a);
}

static bool use_arena(void *ctx)
{
	(void)ctx;
	struct td_arena a = TD_ARENA_INIT;
	bool worked = true;
	for (unsigned i = 0; i < 20; i++)
		worked = td_arena_printf(&a, "%0500u", i) != NULL && worked;
	worked = td_arena_array(&a, 100, 100) != NULL && worked;
	assert_int_equal(a.failed, !worked);
	td_arena_done(&a);
	return worked;
}

static void test_arena_without_memory_says_so(void **state)
{
	(void)state;
	assert_true(fault_alloc_each(use_arena, NULL) >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena_pieces_are_zeroed_aligned_and_apart),
		cmocka_unit_test(test_arena_large_piece_gets_a_block_of_its_own),
		cmocka_unit_test(test_arena_limit_sticks_until_reset),
		cmocka_unit_test(test_arena_reset_gives_clean_memory),
		cmocka_unit_test(test_arena_refuses_sizes_that_overflow),
		cmocka_unit_test(test_arena_copies_end_with_nul),
		cmocka_unit_test(test_arena_without_memory_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
