#include "td_test.h"

#include "base/compiler.h"
#include "cql/client/retry.h"

#include <stdio.h>

#define NEVER   CQL_RETRY_NEVER
#define SAME    CQL_RETRY_SAME
#define NEXT    CQL_RETRY_NEXT
#define LATER   CQL_RETRY_LATER
#define PREPARE CQL_RETRY_PREPARE

/* What becomes of a request: idempotent or not, after its first failure and after a second. */
struct row {
	struct cql_error error;
	enum cql_retry idempotent[2], other[2];
	bool may_have_run;
};

#define DATA_MISSING(got, wanted, data)                                                \
	{                                                                              \
		.code = CQL_ERROR_READ_TIMEOUT, .has_detail = true, .received = (got), \
		.required = (wanted), .data_present = (data)                           \
	}

static const struct row rows[] = {
	{{.code = CQL_ERROR_UNAVAILABLE}, {NEXT, NEXT}, {NEVER, NEVER}, true},
	{{.code = CQL_ERROR_BOOTSTRAPPING}, {NEXT, NEXT}, {NEXT, NEXT}, false},
	{{.code = CQL_ERROR_OVERLOADED}, {LATER, LATER}, {NEVER, NEVER}, true},
	{{.code = CQL_ERROR_SERVER}, {NEXT, NEVER}, {NEVER, NEVER}, true},
	{{.code = CQL_ERROR_TRUNCATE}, {NEXT, NEVER}, {NEVER, NEVER}, true},
	{DATA_MISSING(2, 2, false), {NEXT, NEXT}, {SAME, NEVER}, true},
	{DATA_MISSING(2, 2, true), {NEXT, NEXT}, {NEVER, NEVER}, true},
	{DATA_MISSING(1, 2, false), {NEXT, NEXT}, {NEVER, NEVER}, true},
	{{.code = CQL_ERROR_READ_TIMEOUT}, {NEXT, NEXT}, {NEVER, NEVER}, true},
	{{.code = CQL_ERROR_WRITE_TIMEOUT}, {NEXT, NEXT}, {NEVER, NEVER}, true},
	{{.code = CQL_ERROR_READ_FAILURE}, {NEVER, NEVER}, {NEVER, NEVER}, true},
	{{.code = CQL_ERROR_WRITE_FAILURE}, {NEVER, NEVER}, {NEVER, NEVER}, true},
	{{.code = CQL_ERROR_FUNCTION}, {NEVER, NEVER}, {NEVER, NEVER}, true},
	{{.code = CQL_ERROR_CDC_WRITE}, {NEVER, NEVER}, {NEVER, NEVER}, true},
	{{.code = CQL_ERROR_CAS_UNKNOWN}, {NEVER, NEVER}, {NEVER, NEVER}, true},
	{{.code = CQL_ERROR_PROTOCOL}, {NEVER, NEVER}, {NEVER, NEVER}, false},
	{{.code = CQL_ERROR_AUTHENTICATION}, {NEVER, NEVER}, {NEVER, NEVER}, false},
	{{.code = CQL_ERROR_SYNTAX}, {NEVER, NEVER}, {NEVER, NEVER}, false},
	{{.code = CQL_ERROR_UNAUTHORIZED}, {NEVER, NEVER}, {NEVER, NEVER}, false},
	{{.code = CQL_ERROR_INVALID}, {NEVER, NEVER}, {NEVER, NEVER}, false},
	{{.code = CQL_ERROR_CONFIG}, {NEVER, NEVER}, {NEVER, NEVER}, false},
	{{.code = CQL_ERROR_EXISTS}, {NEVER, NEVER}, {NEVER, NEVER}, false},
	{{.code = CQL_ERROR_UNPREPARED}, {PREPARE, PREPARE}, {PREPARE, PREPARE}, false},
	{{.code = 0x7777}, {NEVER, NEVER}, {NEVER, NEVER}, true},
};

static enum cql_retry decide(const struct cql_error *error, bool is_idempotent, unsigned failed)
{
	const struct cql_retry_case c = {.is_idempotent = is_idempotent, .failed = failed};
	return cql_retry_error(error, &c);
}

static void test_every_error_goes_by_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		print_message("error 0x%04x\n", (unsigned)row->error.code);
		for (unsigned failed = 0; failed < 2; failed++) {
			assert_int_equal(
				decide(&row->error, true, failed), row->idempotent[failed]);
			assert_int_equal(decide(&row->error, false, failed), row->other[failed]);
		}
		assert_int_equal(cql_error_may_have_run(row->error.code), row->may_have_run);
	}
}

/* The rule behind the table, for every code there can be: what may have run and is not idempotent
 * is not run again (but for a read, which changes nothing). */
static void test_what_may_have_run_is_not_repeated(void **state)
{
	(void)state;
	for (int32_t code = 0; code < 0x10000; code++) {
		for (unsigned failed = 0; failed < 2; failed++) {
			const struct cql_error error = {.code = code};
			if (cql_error_may_have_run(code))
				assert_int_equal(decide(&error, false, failed), NEVER);
		}
	}
}

static enum cql_retry lost(
	enum td_status status, bool may_have_run, bool is_idempotent, unsigned failed)
{
	const struct cql_retry_case c = {.is_idempotent = is_idempotent, .failed = failed};
	return cql_retry_lost(status, may_have_run, &c);
}

static void test_a_lost_connection(void **state)
{
	(void)state;
	for (unsigned failed = 0; failed < 5; failed++) {
		assert_int_equal(lost(TD_UNAVAILABLE, true, true, failed), NEXT);
		assert_int_equal(lost(TD_UNAVAILABLE, true, false, failed), NEVER);
		assert_int_equal(lost(TD_UNAVAILABLE, false, false, failed), NEXT);
		assert_int_equal(lost(TD_TIMEOUT, true, true, failed), NEVER);
		assert_int_equal(lost(TD_TOOBIG, true, true, failed), NEVER);
		assert_int_equal(lost(TD_NOMEM, false, true, failed), NEVER);
		assert_int_equal(lost(TD_CORRUPT, true, false, failed), NEVER);
		assert_int_equal(lost(TD_CORRUPT, true, true, failed), failed == 0 ? NEXT : NEVER);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_error_goes_by_the_table),
		cmocka_unit_test(test_what_may_have_run_is_not_repeated),
		cmocka_unit_test(test_a_lost_connection),
	};
	return cmocka_run_group_tests_name("cql/client/retry", tests, NULL, NULL);
}
