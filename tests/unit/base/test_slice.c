#include "td_test.h"

#include "base/slice.h"

/* Slices without bytes are equal, whatever they point at. */
static void test_slice_empty_slices_are_equal(void **state)
{
	(void)state;
	assert_true(td_slice_equal(td_slice_str(NULL), td_slice("x", 0)));
	assert_true(td_slice_is(td_slice_str(NULL), ""));
	assert_true(td_slice_is_nocase(td_slice_str(NULL), ""));
	assert_true(td_slice_has_prefix(td_slice_str(NULL), ""));
	assert_false(td_slice_has_prefix(td_slice_str(NULL), "a"));
}

static void test_slice_compares_length_and_bytes(void **state)
{
	(void)state;
	assert_true(td_slice_is(TD_SLICE("abc"), "abc"));
	assert_false(td_slice_is(TD_SLICE("abc"), "ab"));
	assert_false(td_slice_is(TD_SLICE("ab"), "abc"));
	assert_false(td_slice_is(TD_SLICE("a\0b"), "a"));
	assert_true(td_slice_is_nocase(TD_SLICE("Content-LENGTH"), "content-length"));
	assert_false(td_slice_is_nocase(TD_SLICE("content-lengt"), "content-length"));
	assert_true(td_slice_has_prefix(TD_SLICE("bearer x"), "bearer "));
	assert_false(td_slice_has_prefix(TD_SLICE("bear"), "bearer "));
}

static void test_slice_skip_stops_at_the_end(void **state)
{
	(void)state;
	assert_true(td_slice_is(td_slice_skip(TD_SLICE("abc"), 1), "bc"));
	assert_int_equal(td_slice_skip(TD_SLICE("abc"), 3).len, 0);
	assert_int_equal(td_slice_skip(TD_SLICE("abc"), 99).len, 0);
	assert_null(td_slice_skip(td_slice_str(NULL), 5).ptr);
}

static void test_slice_trim_takes_spaces_and_tabs_off_both_ends(void **state)
{
	(void)state;
	assert_true(td_slice_is(td_slice_trim(TD_SLICE(" \t a b\t ")), "a b"));
	assert_true(td_slice_is(td_slice_trim(TD_SLICE(" \t ")), ""));
	assert_true(td_slice_is(td_slice_trim(td_slice_str(NULL)), ""));
}

/* n separators make n + 1 pieces, empty ones included, and then it is over. */
static void test_slice_cut_gives_each_piece_once(void **state)
{
	(void)state;
	struct td_slice rest = TD_SLICE("a,,b,"), piece = {NULL, 0};
	static const char *const wanted[] = {"a", "", "b", ""};
	for (size_t i = 0; i < 4; i++) {
		assert_true(td_slice_cut(&rest, ',', &piece));
		assert_true(td_slice_is(piece, wanted[i]));
	}
	assert_false(td_slice_cut(&rest, ',', &piece));
	assert_false(td_slice_cut(&rest, ',', &piece));
	rest = TD_SLICE("");
	assert_true(td_slice_cut(&rest, ',', &piece));
	assert_int_equal(piece.len, 0);
	assert_false(td_slice_cut(&rest, ',', &piece));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slice_empty_slices_are_equal),
		cmocka_unit_test(test_slice_compares_length_and_bytes),
		cmocka_unit_test(test_slice_skip_stops_at_the_end),
		cmocka_unit_test(test_slice_trim_takes_spaces_and_tabs_off_both_ends),
		cmocka_unit_test(test_slice_cut_gives_each_piece_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
