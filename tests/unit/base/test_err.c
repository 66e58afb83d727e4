#include "td_test.h"

#include "base/err.h"
#include "base/utf8.h"

#include <errno.h>
#include <string.h>

/* Each layer puts its words before those of the layer below. */
static void test_err_context_grows_at_the_front(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(td_err_set(&err, TD_IO, "write %d", 7), TD_IO);
	assert_int_equal(td_err_context(&err, "store"), TD_IO);
	assert_string_equal(err.text, "store: write 7");
}

/* The system's number and words are kept, and errno is what it was. */
static void test_err_errno_names_the_number(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	errno = EAGAIN;
	(void)td_err_errno(&err, TD_IO, ENOSPC, "write");
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(err.native, ENOSPC);
	assert_non_null(strstr(err.text, "(errno 28)"));
}

/* A text that is too long is cut before a character, not inside one. */
static void test_err_long_text_is_cut_at_a_character(void **state)
{
	(void)state;
	char text[TD_ERR_TEXT_MAX * 2];
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xC3\xB1", 3);
	struct td_err err = TD_ERR_INIT;
	(void)td_err_set(&err, TD_IO, "%s", text);
	assert_int_equal(strlen(err.text) % 2, 0);
	assert_true(strlen(err.text) < TD_ERR_TEXT_MAX);
}

/* The arguments may be the text that is replaced. */
static void test_err_may_be_made_from_itself(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	(void)td_err_set(&err, TD_IO, "inner");
	(void)td_err_set(&err, TD_BUSY, "outer (%s)", err.text);
	assert_string_equal(err.text, "outer (inner)");
	(void)td_err_context(&err, "again %s", err.text);
	assert_string_equal(err.text, "again outer (inner): outer (inner)");
	assert_int_equal(err.code, TD_BUSY);
}

/* Whoever does not care gives NULL. */
static void test_err_null_is_taken(void **state)
{
	(void)state;
	assert_int_equal(td_err_set(NULL, TD_IO, "x"), TD_IO);
	assert_int_equal(td_err_errno(NULL, TD_IO, ENOSPC, "x"), TD_IO);
	assert_int_equal(td_err_context(NULL, "x"), TD_INTERNAL);
	td_err_check(NULL, "x");
}

/* Setting clears what an earlier failure left; context keeps it. */
static void test_err_set_clears_and_context_keeps(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	(void)td_err_errno(&err, TD_IO, ENOSPC, "x");
	td_err_check(&err, "sqlite.capacity-and-a-name-that-is-longer-than-its-place");
	assert_int_equal(strlen(err.check), sizeof(err.check) - 1);
	(void)td_err_context(&err, "y");
	assert_int_equal(err.native, ENOSPC);
	assert_true(err.check[0] != '\0');
	(void)td_err_set(&err, TD_BUSY, "z");
	assert_int_equal(err.native, 0);
	assert_string_equal(err.check, "");
}

/* Layer upon layer, the text stays within its place and ends with a whole character. */
static void test_err_context_without_end_stays_in_bounds(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	(void)td_err_set(&err, TD_IO, "\xC3\xB1");
	for (unsigned i = 0; i < 600; i++) {
		(void)td_err_context(&err, "%s", i % 2 != 0 ? "\xE2\x82\xAC" : "x");
		assert_true(strlen(err.text) < TD_ERR_TEXT_MAX);
		assert_true(td_utf8_is_valid(td_slice_str(err.text)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_context_grows_at_the_front),
		cmocka_unit_test(test_err_errno_names_the_number),
		cmocka_unit_test(test_err_long_text_is_cut_at_a_character),
		cmocka_unit_test(test_err_may_be_made_from_itself),
		cmocka_unit_test(test_err_null_is_taken),
		cmocka_unit_test(test_err_set_clears_and_context_keeps),
		cmocka_unit_test(test_err_context_without_end_stays_in_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
