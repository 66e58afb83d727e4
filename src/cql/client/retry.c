#include "cql/client/retry.h"

/* A server's own fault may be that of the statement, and so may an answer that cannot be read: it
 * is not shown to every node. */
#define FAULTS_MOST 1

static enum cql_retry if_idempotent(const struct cql_retry_case *c, enum cql_retry what)
{
	return c->is_idempotent ? what : CQL_RETRY_NEVER;
}

/* Enough replicas answered, but none with the data: the next try will ask another one for it. */
static bool is_data_missing(const struct cql_error *error)
{
	return error->has_detail && error->received >= error->required && !error->data_present;
}

static enum cql_retry after_fault(const struct cql_retry_case *c)
{
	return c->failed < FAULTS_MOST ? if_idempotent(c, CQL_RETRY_NEXT) : CQL_RETRY_NEVER;
}

static enum cql_retry after_read_timeout(
	const struct cql_error *error, const struct cql_retry_case *c)
{
	if (c->is_idempotent)
		return CQL_RETRY_NEXT;
	/* A read changes nothing, whatever its caller said of it. */
	return is_data_missing(error) && c->failed == 0 ? CQL_RETRY_SAME : CQL_RETRY_NEVER;
}

enum cql_retry cql_retry_error(const struct cql_error *error, const struct cql_retry_case *c)
{
	switch (error->code) {
	case CQL_ERROR_UNPREPARED:
		return CQL_RETRY_PREPARE;
	case CQL_ERROR_BOOTSTRAPPING:
		return CQL_RETRY_NEXT;
	case CQL_ERROR_READ_TIMEOUT:
		return after_read_timeout(error, c);
	case CQL_ERROR_UNAVAILABLE:
	case CQL_ERROR_WRITE_TIMEOUT:
		return if_idempotent(c, CQL_RETRY_NEXT);
	case CQL_ERROR_OVERLOADED:
		return if_idempotent(c, CQL_RETRY_LATER);
	case CQL_ERROR_SERVER:
	case CQL_ERROR_TRUNCATE:
		return after_fault(c);
	default:
		return CQL_RETRY_NEVER;
	}
}

enum cql_retry cql_retry_lost(
	enum td_status status, bool may_have_run, const struct cql_retry_case *c)
{
	if (status == TD_CORRUPT)
		return after_fault(c);
	if (status != TD_UNAVAILABLE) /* its time is over, or its answer too large for us */
		return CQL_RETRY_NEVER;
	return may_have_run ? if_idempotent(c, CQL_RETRY_NEXT) : CQL_RETRY_NEXT;
}

bool cql_error_may_have_run(int32_t code)
{
	static const int32_t nothing_ran[] = {CQL_ERROR_PROTOCOL, CQL_ERROR_AUTHENTICATION,
		CQL_ERROR_BOOTSTRAPPING, CQL_ERROR_SYNTAX, CQL_ERROR_UNAUTHORIZED,
		CQL_ERROR_INVALID, CQL_ERROR_CONFIG, CQL_ERROR_EXISTS, CQL_ERROR_UNPREPARED};
	for (size_t i = 0; i < TD_ARRAY_LEN(nothing_ran); i++) {
		if (nothing_ran[i] == code)
			return false;
	}
	return true;
}
