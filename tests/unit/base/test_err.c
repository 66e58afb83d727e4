#include "td_test.h"

#include "base/err.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_context_grows_at_the_front),
		cmocka_unit_test(test_err_errno_names_the_number),
		cmocka_unit_test(test_err_long_text_is_cut_at_a_character),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
