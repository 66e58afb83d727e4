#include "td_test.h"

#include "base/nearest.h"

#include <string.h>

static const char *const words[] = {
	"PORT", "HOST", "DATABASE_URL", "LOG_FORMAT", "LOG_LEVEL", "STORE_TIMEOUT"};

static void check_near(const char *word, const char *wanted)
{
	const char *got = td_nearest(word, words, sizeof(words) / sizeof(words[0]));
	if (wanted == NULL)
		assert_null(got);
	else if (got == NULL)
		fail_msg("%s is near to nothing", word);
	else
		assert_string_equal(got, wanted);
}

static void test_nearest_one_or_two_edits(void **state)
{
	(void)state;
	check_near("PROT", "PORT");
	check_near("POT", "PORT");
	check_near("PORTS", "PORT");
	check_near("port", "PORT");
	check_near("LOG_LEVLE", "LOG_LEVEL");
	check_near("DATABSE_ULR", "DATABASE_URL");
	check_near("STORETIMEOUT", "STORE_TIMEOUT");
}

static void test_nearest_farther_is_nothing(void **state)
{
	(void)state;
	check_near("PASSWORD", NULL);
	check_near("", NULL);
	check_near("X", NULL);
	check_near("DATABASE", NULL);
}

/* Words of any length are compared within bounds. */
static void test_nearest_long_words_are_near_to_nothing(void **state)
{
	(void)state;
	char word[200];
	memset(word, 'a', sizeof(word));
	for (size_t len = 60; len < sizeof(word) - 1; len++) {
		char text[200];
		memcpy(text, word, len);
		text[len] = '\0';
		const char *const candidates[] = {text};
		const char *got = td_nearest(text, candidates, 1);
		assert_int_equal(got != NULL, len <= 63);
	}
}

static void test_nearest_of_two_the_nearer(void **state)
{
	(void)state;
	static const char *const two[] = {"abcdxx", "abcdex"};
	assert_string_equal(td_nearest("abcdef", two, 2), "abcdex");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nearest_one_or_two_edits),
		cmocka_unit_test(test_nearest_farther_is_nothing),
		cmocka_unit_test(test_nearest_long_words_are_near_to_nothing),
		cmocka_unit_test(test_nearest_of_two_the_nearer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
