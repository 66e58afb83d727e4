#include "td_test.h"

#include "base/status.h"

#include <string.h>

/* Each outcome has a name and words of its own, and an HTTP status that fits "may try again". */
static void test_status_every_row_is_complete(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TD_STATUS_COUNT; i++) {
		enum td_status status = (enum td_status)i;
		assert_true(strlen(td_status_name(status)) > 0);
		assert_true(strlen(td_status_words(status)) > 0);
		int http = td_status_http(status);
		assert_true(http == 200 || (http >= 400 && http <= 599));
		if (td_status_may_retry(status))
			assert_true(http == 503 || http == 409 || http == 429);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(
				td_status_name(status), td_status_name((enum td_status)k));
	}
	assert_int_equal(TD_OK, 0);
	assert_string_equal(td_status_name(TD_TIMEOUT), "TIMEOUT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status_every_row_is_complete),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
