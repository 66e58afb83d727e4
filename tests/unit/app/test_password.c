#include "td_test.h"

#include "app/password.h"
#include "base/compiler.h"

#include <sodium.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define MEMORY ((size_t)8192)

static struct app_hash_job make(const char *password)
{
	struct app_hash_job job = {.password = td_slice_str(password), .memory = MEMORY};
	app_password_work(&job);
	return job;
}

static struct app_hash_job verify(struct td_slice password, struct td_slice hash)
{
	struct app_hash_job job = {.verifies = true,
		.password = password,
		.hash = hash,
		.memory = MEMORY,
		.matches = true};
	app_password_work(&job);
	return job;
}

/* ---- what may be one
 * ----------------------------------------------------------------------------------- */

static void test_passwords_that_may_be(void **state)
{
	(void)state;
	static const char *const good[] = {"8letters", "correct horse battery staple", "        ",
		"\xC3\xB1\xC3\xB1\xC3\xB1\xC3\xB1\xC3\xB1\xC3\xB1\xC3\xB1\xC3\xB1",
		"tab\tand\nline", "<script>\"'", "passwordly"};
	for (size_t i = 0; i < TD_ARRAY_LEN(good); i++) {
		const char *fault = app_password_fault(td_slice_str(good[i]));
		if (fault != NULL)
			fail_msg("%s: %s", good[i], fault);
	}
	char longest[APP_PASSWORD_MOST];
	memset(longest, 'a', sizeof(longest));
	assert_null(app_password_fault(td_slice(longest, sizeof(longest))));
	assert_null(app_password_fault(td_slice("with\0nul", 8)));
}

static void assert_refused(struct td_slice password, const char *why)
{
	const char *fault = app_password_fault(password);
	if (fault == NULL || strstr(fault, why) == NULL)
		fail_msg("\"%.*s\": %s, not %s", TD_SLICE_ARG(password),
			fault != NULL ? fault : "taken", why);
}

/* Characters count, not bytes; bytes are what there may be too many of. */
static void test_passwords_that_may_not_be(void **state)
{
	(void)state;
	char longer[APP_PASSWORD_MOST + 1];
	memset(longer, 'a', sizeof(longer));
	assert_refused(td_slice(NULL, 0), "required");
	assert_refused(TD_SLICE(""), "required");
	assert_refused(TD_SLICE("1234567"), "short");
	assert_refused(TD_SLICE("\xC3\xB1\xC3\xB1\xC3\xB1\xC3\xB1"), "short");
	assert_refused(td_slice(longer, sizeof(longer)), "long");
	assert_refused(TD_SLICE("password\xFF"), "UTF-8");
	assert_refused(TD_SLICE("\xED\xA0\x80 surrogate"), "UTF-8");
	assert_refused(TD_SLICE("password"), "guess");
	assert_refused(TD_SLICE("PassWord123"), "guess");
	assert_refused(TD_SLICE("contrase\xC3\xB1"
				"a"),
		"guess");
}

/* ---- hashing
 * ------------------------------------------------------------------------------------------- */

/* What is made is argon2id with two passes and the memory that was asked for, never the same twice;
 * it takes the password that it was made of, and no other. */
static void test_hash_made_is_verified(void **state)
{
	(void)state;
	static const char *const others[] = {"correct horse ", "correct hors", "Correct horse", ""};
	struct app_hash_job one = make("correct horse"), other = make("correct horse");
	assert_int_equal(one.status, TD_OK);
	assert_memory_equal(one.made, "$argon2id$v=19$m=8,t=2,p=1$", 27);
	assert_string_not_equal(one.made, other.made);
	struct td_slice hash = td_slice_str(one.made);
	struct app_hash_job job = verify(TD_SLICE("correct horse"), hash);
	assert_int_equal(job.status, TD_OK);
	assert_true(job.matches);
	for (size_t i = 0; i < TD_ARRAY_LEN(others); i++)
		assert_false(verify(td_slice_str(others[i]), hash).matches);
}

/* A NUL is a character like others: what follows it counts. */
static void test_hash_takes_all_bytes(void **state)
{
	(void)state;
	struct app_hash_job job = {.password = td_slice("half\0one", 8), .memory = MEMORY};
	app_password_work(&job);
	assert_int_equal(job.status, TD_OK);
	struct td_slice hash = td_slice_str(job.made);
	assert_true(verify(td_slice("half\0one", 8), hash).matches);
	assert_false(verify(td_slice("half\0two", 8), hash).matches);
	assert_false(verify(td_slice("half", 4), hash).matches);
}

/* Rows that somebody else wrote: nothing matches, nothing is read behind the end, and nobody's
 * parameters take more than 1 GiB. */
static void test_hostile_hashes_match_nothing(void **state)
{
	(void)state;
	static const char over_limit[] = "$argon2id$v=19$m=1048577,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
					 "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";
	static const char for_days[] =
		"$argon2id$v=19$m=65536,t=4294967,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
		"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";
	static const char *const hostile[] = {"", "$", "$argon2id$", "$argon2id$v=19$m=,t=2,p=1$",
		"$argon2id$v=19$m=99999999999999999999,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaA",
		over_limit, for_days, "$argon2id$v=19$m=8,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA",
		"correct horse", "$argon2i$v=19$m=8,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaA",
		"$2b$10$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=-8,t=2,p=1$c2FsdA$aGFzaA"};
	for (size_t i = 0; i < TD_ARRAY_LEN(hostile); i++) {
		struct app_hash_job job = verify(
			TD_SLICE("correct horse"), td_slice_str(hostile[i]));
		assert_int_equal(job.status, TD_OK);
		assert_false(job.matches);
	}
	struct rusage usage;
	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	assert_true(usage.ru_maxrss < 512 * 1024);
	char longer[300];
	memset(longer, '$', sizeof(longer));
	assert_false(verify(TD_SLICE("correct horse"), td_slice(longer, sizeof(longer))).matches);
}

/* A dummy does the work of a real one, and leaves nothing that could be taken for a hash. */
static void test_dummy_fails_after_the_same_work(void **state)
{
	(void)state;
	struct app_hash_job job = verify(TD_SLICE("correct horse"), td_slice(NULL, 0));
	assert_int_equal(job.status, TD_OK);
	assert_false(job.matches);
	for (size_t i = 0; i < sizeof(job.made); i++)
		assert_int_equal(job.made[i], 0);
}

static struct app_hash_job verify_with(const char *password, const char *hash, size_t memory)
{
	struct app_hash_job job = {.verifies = true,
		.password = td_slice_str(password),
		.hash = td_slice_str(hash),
		.memory = memory};
	app_password_work(&job);
	return job;
}

/* A hash of other parameters is made anew, from the password that matched, and from no other. */
static void test_hash_of_other_memory_is_made_anew(void **state)
{
	(void)state;
	static const size_t memories[] = {MEMORY, MEMORY * 4};
	for (size_t i = 0; i < 2; i++) {
		struct app_hash_job old = {
			.password = TD_SLICE("correct horse"), .memory = memories[i]};
		app_password_work(&old);
		struct app_hash_job job = verify_with("correct horse", old.made, memories[i]);
		assert_true(job.matches);
		assert_string_equal(job.made, "");
		job = verify_with("correct horse", old.made, memories[1 - i]);
		assert_true(job.matches);
		assert_memory_equal(job.made,
			i == 0 ? "$argon2id$v=19$m=32,t=2,p=1$" : "$argon2id$v=19$m=8,t=2,p=1$",
			27);
		assert_true(verify_with("correct horse", job.made, memories[1 - i]).matches);
		job = verify_with("another one", old.made, memories[1 - i]);
		assert_false(job.matches);
		assert_string_equal(job.made, "");
	}
}

/* Where it cannot be made anew the password is right all the same. */
static void test_hash_that_cannot_be_made_anew(void **state)
{
	(void)state;
	struct app_hash_job job = verify_with("correct horse", make("correct horse").made, 1);
	assert_int_equal(job.status, TD_OK);
	assert_true(job.matches);
	assert_string_equal(job.made, "");
}

static double cpu_s(void)
{
	struct timespec now;
	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A wrong password for a hash of less memory costs about what an unknown address does. */
static void test_work_of_a_cheaper_hash_is_made_up_for(void **state)
{
	(void)state;
	static const size_t memory = (size_t)4 << 20;
	struct app_hash_job old = make("correct horse");
	double wrong = 0, dummy = 0;
	for (int i = 0; i < 5; i++) {
		double begin = cpu_s();
		(void)verify_with("another one", old.made, memory);
		double between = cpu_s();
		(void)verify_with("another one", "", memory);
		wrong += between - begin;
		dummy += cpu_s() - between;
	}
	if (wrong < dummy * 0.6 || wrong > dummy * 1.6)
		fail_msg("%.4f s and %.4f s", wrong, dummy);
}

/* Less memory than argon2id can do with, or more than there is: it says so. */
static void test_hash_that_cannot_be_made(void **state)
{
	(void)state;
	struct app_hash_job job = {.password = TD_SLICE("correct horse"), .memory = 1};
	app_password_work(&job);
	assert_int_equal(job.status, TD_NOMEM);
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passwords_that_may_be),
		cmocka_unit_test(test_passwords_that_may_not_be),
		cmocka_unit_test(test_hash_made_is_verified),
		cmocka_unit_test(test_hash_takes_all_bytes),
		cmocka_unit_test(test_hostile_hashes_match_nothing),
		cmocka_unit_test(test_dummy_fails_after_the_same_work),
		cmocka_unit_test(test_hash_of_other_memory_is_made_anew),
		cmocka_unit_test(test_hash_that_cannot_be_made_anew),
		cmocka_unit_test(test_work_of_a_cheaper_hash_is_made_up_for),
		cmocka_unit_test(test_hash_that_cannot_be_made),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
