#include "cql/protocol/error.h"

#include "base/utf8.h"
#include "cql/protocol/frame.h"

#include <stdio.h>

#define SENTENCE_MOST 320 /* bytes of the server's sentence that are told */
#define REASON_LEAST  7   /* bytes of an address and a code */

static const struct {
	int32_t code;
	enum td_status status;
	const char *name;
} codes[] = {
	{CQL_ERROR_SERVER, TD_INTERNAL, "server error"},
	{CQL_ERROR_PROTOCOL, TD_INVALID, "protocol error"},
	{CQL_ERROR_AUTHENTICATION, TD_DENIED, "authentication error"},
	{CQL_ERROR_UNAVAILABLE, TD_UNAVAILABLE, "unavailable"},
	{CQL_ERROR_OVERLOADED, TD_BUSY, "overloaded"},
	{CQL_ERROR_BOOTSTRAPPING, TD_UNAVAILABLE, "bootstrapping"},
	{CQL_ERROR_TRUNCATE, TD_IO, "truncate error"},
	{CQL_ERROR_WRITE_TIMEOUT, TD_TIMEOUT, "write timeout"},
	{CQL_ERROR_READ_TIMEOUT, TD_TIMEOUT, "read timeout"},
	{CQL_ERROR_READ_FAILURE, TD_IO, "read failure"},
	{CQL_ERROR_FUNCTION, TD_INVALID, "function failure"},
	{CQL_ERROR_WRITE_FAILURE, TD_IO, "write failure"},
	{CQL_ERROR_CDC_WRITE, TD_IO, "CDC write failure"},
	{CQL_ERROR_CAS_UNKNOWN, TD_TIMEOUT, "CAS write with unknown outcome"},
	{CQL_ERROR_SYNTAX, TD_INVALID, "syntax error"},
	{CQL_ERROR_UNAUTHORIZED, TD_DENIED, "unauthorized"},
	{CQL_ERROR_INVALID, TD_INVALID, "invalid query"},
	{CQL_ERROR_CONFIG, TD_SCHEMA, "configuration error"},
	{CQL_ERROR_EXISTS, TD_EXISTS, "already exists"},
	{CQL_ERROR_UNPREPARED, TD_NOTFOUND, "unprepared"},
};

const char *cql_error_name(int32_t code)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(codes); i++)
		if (codes[i].code == code)
			return codes[i].name;
	return "unknown error";
}

enum td_status cql_error_status(int32_t code)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(codes); i++)
		if (codes[i].code == code)
			return codes[i].status;
	return TD_INTERNAL;
}

/* [reasonmap] (v5.spec section 3): walked to its end, its count against what is left first. */
static struct cql_items read_reasons(struct cql_reader *r)
{
	struct cql_items reasons = {.count = cql_read_size(r)};
	struct td_slice rest = cql_reader_rest(r);
	if (reasons.count > r->left / REASON_LEAST)
		cql_reader_fail(r);
	for (size_t i = 0; i < reasons.count && !r->failed; i++) {
		(void)cql_read_inetaddr(r);
		(void)cql_read_short(r);
	}
	if (r->failed)
		return (struct cql_items){.count = 0};
	reasons.bytes = td_slice(rest.ptr, rest.len - r->left);
	return reasons;
}

/* How many replicas said no; since version 5 which ones and why. */
static void read_failures(struct cql_reader *r, unsigned version, struct cql_error *e)
{
	if (version < CQL_V5) {
		e->failures = cql_read_int(r);
		return;
	}
	e->reasons = read_reasons(r);
	e->failures = (int32_t)e->reasons.count;
}

static void read_replicas(struct cql_reader *r, struct cql_error *e)
{
	e->consistency = cql_read_short(r);
	e->received = cql_read_int(r);
	e->required = cql_read_int(r);
}

static void read_write_timeout(struct cql_reader *r, unsigned version, struct cql_error *e)
{
	read_replicas(r, e);
	e->write_type = cql_read_string(r);
	if (version >= CQL_V5 && td_slice_is(e->write_type, "CAS"))
		e->contentions = cql_read_short(r);
}

static void read_detail(struct cql_reader *r, unsigned version, struct cql_error *e)
{
	switch (e->code) {
	case CQL_ERROR_UNAVAILABLE:
		e->consistency = cql_read_short(r);
		e->required = cql_read_int(r);
		e->received = cql_read_int(r);
		break;
	case CQL_ERROR_WRITE_TIMEOUT:
		read_write_timeout(r, version, e);
		break;
	case CQL_ERROR_READ_TIMEOUT:
		read_replicas(r, e);
		e->data_present = cql_read_byte(r) != 0;
		break;
	case CQL_ERROR_READ_FAILURE:
		read_replicas(r, e);
		read_failures(r, version, e);
		e->data_present = cql_read_byte(r) != 0;
		break;
	case CQL_ERROR_FUNCTION:
		e->keyspace = cql_read_string(r);
		e->name = cql_read_string(r);
		e->argument_types = cql_read_string_list(r);
		break;
	case CQL_ERROR_WRITE_FAILURE:
		read_replicas(r, e);
		read_failures(r, version, e);
		e->write_type = cql_read_string(r);
		break;
	case CQL_ERROR_CAS_UNKNOWN:
		read_replicas(r, e);
		break;
	case CQL_ERROR_EXISTS:
		e->keyspace = cql_read_string(r);
		e->name = cql_read_string(r);
		break;
	case CQL_ERROR_UNPREPARED:
		e->id = cql_read_string(r);
		break;
	default:
		break;
	}
}

enum td_status cql_error_read(
	struct td_slice message, unsigned version, struct cql_error *ret_error, struct td_err *err)
{
	struct cql_reader r = cql_reader(message);
	struct cql_error error = {.code = cql_read_int(&r)};
	error.message = cql_read_string(&r);
	enum td_status status = cql_reader_check(&r, "ERROR", err);
	if (status != TD_OK)
		return status;
	struct cql_error bare = error;
	read_detail(&r, version, &error);
	error.has_detail = !r.failed;
	*ret_error = r.failed ? bare : error;
	return TD_OK;
}

/* What the numbers say, in brackets behind the sentence; "" where there are none. */
static void describe(const struct cql_error *e, char *to, size_t size)
{
	to[0] = '\0';
	if (!e->has_detail)
		return;
	if (e->code == CQL_ERROR_UNAVAILABLE)
		(void)snprintf(to, size, " (%s needs %d replicas, %d alive)",
			cql_consistency_name(e->consistency), e->required, e->received);
	else if (e->code == CQL_ERROR_READ_FAILURE || e->code == CQL_ERROR_WRITE_FAILURE)
		(void)snprintf(to, size, " (%s needs %d replicas, %d answered, %d failed)",
			cql_consistency_name(e->consistency), e->required, e->received,
			e->failures);
	else if (e->code == CQL_ERROR_READ_TIMEOUT || e->code == CQL_ERROR_WRITE_TIMEOUT ||
		 e->code == CQL_ERROR_CAS_UNKNOWN)
		(void)snprintf(to, size, " (%s needs %d replicas, %d answered)",
			cql_consistency_name(e->consistency), e->required, e->received);
}

enum td_status cql_error_tell(const struct cql_error *error, struct td_err *err)
{
	char detail[128];
	struct td_slice text = error->message;
	if (text.len > SENTENCE_MOST)
		text.len = td_utf8_floor(text.ptr, SENTENCE_MOST);
	describe(error, detail, sizeof(detail));
	enum td_status status = td_err_set(err, cql_error_status(error->code),
		"Cassandra: %s (0x%04x): %.*s%s", cql_error_name(error->code),
		(unsigned)error->code, TD_SLICE_ARG(text), detail);
	if (err != NULL)
		err->native = error->code;
	return status;
}
