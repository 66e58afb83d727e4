#include "td_test.h"

#include "cql/client/failures.h"
#include "cql/client/session.h"

#include <stdio.h>
#include <string.h>

static struct td_err err_of(enum td_status code, const char *text)
{
	struct td_err err = TD_ERR_INIT;
	(void)td_err_set(&err, code, "%s", text);
	return err;
}

static void add(struct cql_failures *f, const char *address, enum td_status code, const char *text)
{
	const struct td_err err = err_of(code, text);
	cql_failures_add(f, address, CQL_FAILURE_REFUSED, &err);
}

static void assert_report(struct cql_failures *f, const char *expected)
{
	struct td_buf out = TD_BUF_INIT;
	td_buf_put_str(&out, "because: ");
	cql_failures_write(f, &out);
	assert_string_equal(td_buf_cstr(&out) + strlen("because: "), expected);
	td_buf_done(&out);
}

static void test_each_address_has_its_last_reason(void **state)
{
	(void)state;
	struct cql_failures f;
	cql_failures_init(&f);
	assert_report(&f, "");
	assert_int_equal(cql_failures_last(&f), TD_UNAVAILABLE);
	add(&f, "10.0.0.1:9042", TD_UNAVAILABLE, "10.0.0.1:9042: refused");
	add(&f, "db3:9042", TD_NOTFOUND, "no such name");
	assert_report(&f, "10.0.0.1:9042: refused; db3:9042: no such name");
	add(&f, "10.0.0.1:9042", TD_DENIED, "wrong password");
	assert_report(&f, "10.0.0.1:9042: wrong password; db3:9042: no such name");
	assert_int_equal(cql_failures_last(&f), TD_DENIED);
	cql_failures_remove(&f, "10.0.0.1:9042");
	cql_failures_remove(&f, "10.0.0.1:9042");
	assert_report(&f, "db3:9042: no such name");
	cql_failures_done(&f);
}

static void look(void *ctx, const struct cql_attempt_failure *failure)
{
	struct cql_attempt_failure *seen = ctx;
	*seen = *failure;
}

static void test_how_often_is_counted_until_it_works(void **state)
{
	(void)state;
	struct cql_failures f;
	struct cql_attempt_failure seen = {.times = 0};
	cql_failures_init(&f);
	for (int i = 0; i < 3; i++)
		add(&f, "a:1", TD_UNAVAILABLE, "no");
	cql_failures_each(&f, look, &seen);
	assert_int_equal(seen.times, 3);
	assert_int_equal(seen.failure, CQL_FAILURE_REFUSED);
	assert_string_equal(seen.address, "a:1");
	cql_failures_remove(&f, "a:1");
	add(&f, "a:1", TD_UNAVAILABLE, "no");
	cql_failures_each(&f, look, &seen);
	assert_int_equal(seen.times, 1);
	cql_failures_done(&f);
}

/* Where addresses come and go for months, the newest are of use. */
static void test_they_are_bounded_and_the_oldest_go(void **state)
{
	(void)state;
	struct cql_failures f;
	cql_failures_init(&f);
	for (int i = 0; i < 2 * CQL_FAILURES_MOST; i++) {
		char address[32];
		(void)snprintf(address, sizeof(address), "node%d:1", i);
		add(&f, address, TD_UNAVAILABLE, "no");
	}
	struct td_buf out = TD_BUF_INIT;
	cql_failures_write(&f, &out);
	const char *text = td_buf_cstr(&out);
	assert_non_null(strstr(text, "node511:1: no"));
	assert_non_null(strstr(text, "node256:1: no"));
	assert_null(strstr(text, "node255:1: no"));
	td_buf_done(&out);
	cql_failures_done(&f);
}

static void test_every_class_has_a_name_and_words(void **state)
{
	(void)state;
	for (int i = CQL_FAILURE_NONE; i <= CQL_FAILURE_NOMEM; i++) {
		assert_true(strlen(cql_failure_name((enum cql_failure)i)) > 0);
		assert_true(strlen(cql_failure_words((enum cql_failure)i)) > 0);
	}
	assert_string_equal(cql_failure_name(CQL_FAILURE_TLS_REFUSED), "TLS_REFUSED");
	assert_true(cql_failure_is_setting(CQL_FAILURE_AUTH));
	assert_false(cql_failure_is_setting(CQL_FAILURE_REFUSED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_address_has_its_last_reason),
		cmocka_unit_test(test_how_often_is_counted_until_it_works),
		cmocka_unit_test(test_they_are_bounded_and_the_oldest_go),
		cmocka_unit_test(test_every_class_has_a_name_and_words),
	};
	return cmocka_run_group_tests_name("cql/client/failures", tests, NULL, NULL);
}
