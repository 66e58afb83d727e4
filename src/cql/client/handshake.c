#include "cql/client/handshake.h"

#include "base/utf8.h"
#include "cql/protocol/error.h"
#include "cql/protocol/request.h"
#include "cql/protocol/response.h"
#include "cql/protocol/result.h"

#include <string.h>

#define DRIVER_NAME    "tools-dashboard cql"
#define DRIVER_VERSION "0.1.0"

/* Only one request is under way. */
static struct cql_request request_of(const struct cql_handshake *h)
{
	return (struct cql_request){.version = h->version, .stream = 0};
}

static enum cql_step fail(struct cql_handshake *h, enum cql_failure failure)
{
	h->failure = failure;
	return CQL_STEP_FAILED;
}

/* What could not be written or read: err says why. */
static enum cql_step step_of(struct cql_handshake *h, enum td_status status)
{
	if (status == TD_OK)
		return CQL_STEP_MORE;
	return fail(h, status == TD_NOMEM ? CQL_FAILURE_NOMEM : CQL_FAILURE_SERVER);
}

void cql_handshake_begin(
	struct cql_handshake *h, const struct cql_handshake_config *config, struct td_buf *out)
{
	/* All servers that we can speak with understand version 4; what follows may be in 5. */
	*h = (struct cql_handshake){
		.config = config, .state = CQL_ASKED_OPTIONS, .version = CQL_V4};
	const struct cql_request rq = request_of(h);
	enum td_status status = cql_put_options(out, &rq, NULL);
	(void)status; /* no memory: `out` has failed */
}

/* ---- SUPPORTED */

static enum cql_step take_supported(
	struct cql_handshake *h, struct td_slice message, struct td_buf *out, struct td_err *err)
{
	struct cql_items options;
	if (cql_supported_read(message, &options, err) != TD_OK)
		return fail(h, CQL_FAILURE_SERVER);
	unsigned version = cql_supported_version(&options, h->config->version_most);
	/* Servers before 3.10 list none, and speak 4 from 2.2 on; STARTUP tells. */
	if (version != 0 && version < CQL_V4) {
		(void)td_err_set(err, TD_MISMATCH,
			"the server speaks no protocol version from 4 on: it must be Cassandra 2.2 "
			"or later");
		return fail(h, CQL_FAILURE_VERSION);
	}
	h->version = version == CQL_V5 ? CQL_V5 : CQL_V4;
	h->lz4 = h->config->wants_lz4 && cql_supported_has(&options, "COMPRESSION", "lz4");
	const struct cql_request rq = request_of(h);
	const struct cql_startup startup = {
		.driver_name = TD_SLICE(DRIVER_NAME),
		.driver_version = TD_SLICE(DRIVER_VERSION),
		.lz4 = h->lz4,
		.throw_on_overload = true,
	};
	h->state = CQL_ASKED_STARTUP;
	/* The answer to STARTUP may be compressed already; segments begin behind it. */
	h->may_compress = h->version == CQL_V4 && h->lz4;
	return step_of(h, cql_put_startup(out, &rq, &startup, err));
}

/* ---- what follows once we are let in: the cluster's name, the keyspace, the events */

static enum cql_step ask(
	struct cql_handshake *h, struct td_slice cql, struct td_buf *out, struct td_err *err)
{
	const struct cql_request rq = request_of(h);
	const struct cql_params params = {.consistency = CQL_ONE};
	return step_of(h, cql_put_query(out, &rq, cql, &params, err));
}

static enum cql_step ask_cluster(struct cql_handshake *h, struct td_buf *out, struct td_err *err)
{
	h->state = CQL_ASKED_CLUSTER;
	return ask(
		h, TD_SLICE("SELECT cluster_name FROM system.local WHERE key='local'"), out, err);
}

static enum cql_step ask_events(struct cql_handshake *h, struct td_buf *out, struct td_err *err)
{
	if (!h->config->wants_events)
		return CQL_STEP_READY;
	const struct cql_request rq = request_of(h);
	h->state = CQL_ASKED_EVENTS;
	return step_of(h, cql_put_register(out, &rq,
				  CQL_EVENT_TOPOLOGY | CQL_EVENT_STATUS | CQL_EVENT_SCHEMA, err));
}

static enum cql_step ask_keyspace(struct cql_handshake *h, struct td_buf *out, struct td_err *err)
{
	struct td_slice name = h->config->keyspace;
	if (name.len == 0)
		return ask_events(h, out, err);
	struct td_buf use = TD_BUF_INIT;
	td_buf_put_str(&use, "USE \"");
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] == '"')
			td_buf_put_char(&use, '"');
		td_buf_put_char(&use, name.ptr[i]);
	}
	td_buf_put_char(&use, '"');
	h->state = CQL_ASKED_KEYSPACE;
	enum cql_step step = CQL_STEP_FAILED;
	if (use.failed)
		step = step_of(h, td_err_set(err, TD_NOMEM, "no memory for a request"));
	else
		step = ask(h, td_buf_slice(&use), out, err);
	td_buf_done(&use);
	return step;
}

/* The one cell of the one row. */
static enum td_status read_cluster_name(const struct cql_handshake *h, struct td_slice message,
	struct td_slice *ret_name, struct td_err *err)
{
	struct cql_result result;
	enum td_status status = cql_result_read(message, h->version, &result, err);
	if (status != TD_OK)
		return status;
	if (result.kind != CQL_RESULT_ROWS || result.rows.metadata.column_count != 1 ||
		!cql_rows_next(&result.rows, ret_name))
		return td_err_set(
			err, TD_CORRUPT, "the server does not tell the name of its cluster");
	return TD_OK;
}

static enum cql_step take_cluster(
	struct cql_handshake *h, struct td_slice message, struct td_buf *out, struct td_err *err)
{
	struct td_slice name, wanted = h->config->cluster_name;
	if (read_cluster_name(h, message, &name, err) != TD_OK)
		return fail(h, CQL_FAILURE_SERVER);
	if (wanted.len != 0 && !td_slice_equal(name, wanted)) {
		(void)td_err_set(err, TD_MISMATCH,
			"the node belongs to the cluster \"%.*s\", and \"%.*s\" is wanted",
			TD_SLICE_ARG(name), TD_SLICE_ARG(wanted));
		return fail(h, CQL_FAILURE_CLUSTER);
	}
	size_t len = name.len;
	if (len >= sizeof(h->cluster_name))
		len = td_utf8_floor(name.ptr, sizeof(h->cluster_name) - 1);
	if (len != 0)
		memcpy(h->cluster_name, name.ptr, len);
	h->cluster_name[len] = '\0';
	return ask_keyspace(h, out, err);
}

static enum cql_step take_keyspace(
	struct cql_handshake *h, struct td_slice message, struct td_buf *out, struct td_err *err)
{
	struct cql_result result;
	enum td_status status = cql_result_read(message, h->version, &result, err);
	if (status == TD_OK && result.kind != CQL_RESULT_KEYSPACE)
		status = td_err_set(err, TD_CORRUPT, "the server does not take the keyspace");
	return status == TD_OK ? ask_events(h, out, err) : fail(h, CQL_FAILURE_SERVER);
}

/* ---- what STARTUP is answered with */

static enum cql_step send_password(
	struct cql_handshake *h, struct td_slice message, struct td_buf *out, struct td_err *err)
{
	struct td_slice class_name;
	if (cql_authenticate_read(message, &class_name, err) != TD_OK)
		return fail(h, CQL_FAILURE_SERVER);
	if (h->config->username.ptr == NULL) {
		(void)td_err_set(err, TD_DENIED,
			"the server asks for a user and a password, and none is set");
		return fail(h, CQL_FAILURE_AUTH);
	}
	if (!cql_authenticator_is_known(class_name)) {
		(void)td_err_set(err, TD_DENIED,
			"the server's authenticator %.*s is not known to take a password: it is "
			"not sent",
			TD_SLICE_ARG(class_name));
		return fail(h, CQL_FAILURE_AUTH);
	}
	const struct cql_request rq = request_of(h);
	h->state = CQL_ASKED_PASSWORD;
	enum td_status status = cql_put_auth_plain(
		out, &rq, h->config->username, h->config->password, err);
	if (status != TD_INVALID)
		return step_of(h, status);
	if (err != NULL)
		err->code = TD_DENIED; /* as the server would say */
	return fail(h, CQL_FAILURE_AUTH);
}

static enum cql_step take_startup(struct cql_handshake *h, enum cql_opcode opcode,
	struct td_slice message, struct td_buf *out, struct td_err *err)
{
	h->has_segments = h->version == CQL_V5;
	if (opcode == CQL_OP_AUTHENTICATE)
		return send_password(h, message, out, err);
	h->password_not_asked = h->config->username.ptr != NULL;
	return ask_cluster(h, out, err);
}

/* ---- ERROR */

/* By their words, since one code is for many things (ProtocolException and its children). */
static bool is_about_version(const struct cql_error *error)
{
	static const char *const words[] = {
		"Invalid or unsupported protocol version", "Beta version of the protocol"};
	for (size_t i = 0; i < TD_ARRAY_LEN(words); i++)
		if (memmem(error->message.ptr, error->message.len, words[i], strlen(words[i])) !=
			NULL)
			return true;
	return false;
}

static enum cql_failure failure_of(const struct cql_handshake *h, const struct cql_error *error)
{
	switch (error->code) {
	case CQL_ERROR_PROTOCOL:
		return is_about_version(error) ? CQL_FAILURE_VERSION : CQL_FAILURE_SERVER;
	case CQL_ERROR_AUTHENTICATION: /* it may be that nobody can read the passwords now */
		return td_slice_has_prefix(error->message, "Unable to perform authentication")
			       ? CQL_FAILURE_AUTH_UNAVAILABLE
			       : CQL_FAILURE_AUTH;
	case CQL_ERROR_UNAUTHORIZED:
		return CQL_FAILURE_AUTH;
	case CQL_ERROR_OVERLOADED:
		return CQL_FAILURE_OVERLOADED;
	case CQL_ERROR_BOOTSTRAPPING:
		return CQL_FAILURE_BOOTSTRAPPING;
	case CQL_ERROR_INVALID:
		return h->state == CQL_ASKED_KEYSPACE ? CQL_FAILURE_KEYSPACE : CQL_FAILURE_SERVER;
	default:
		return CQL_FAILURE_SERVER;
	}
}

static enum td_status status_of(enum cql_failure failure)
{
	if (failure == CQL_FAILURE_VERSION)
		return TD_MISMATCH;
	if (failure == CQL_FAILURE_AUTH)
		return TD_DENIED;
	return failure == CQL_FAILURE_KEYSPACE ? TD_NOTFOUND : TD_UNAVAILABLE;
}

static enum cql_step fail_by_server(
	struct cql_handshake *h, struct td_slice message, struct td_err *err)
{
	struct cql_error error;
	if (cql_error_read(message, h->version, &error, err) != TD_OK)
		return fail(h, CQL_FAILURE_SERVER);
	enum cql_failure failure = failure_of(h, &error);
	(void)cql_error_tell(&error, err);
	if (err != NULL)
		err->code = status_of(failure);
	return fail(h, failure);
}

/* ---- */

static enum cql_step unexpected(
	struct cql_handshake *h, const struct cql_frame *frame, struct td_err *err)
{
	(void)td_err_set(err, TD_CORRUPT, "the server answered %s during the handshake",
		cql_opcode_name(frame->header.opcode));
	return fail(h, CQL_FAILURE_SERVER);
}

enum cql_step cql_handshake_take(struct cql_handshake *h, const struct cql_frame *frame,
	struct td_buf *out, struct td_err *err)
{
	struct cql_body body;
	if (cql_body_open(frame, &body, err) != TD_OK)
		return fail(h, CQL_FAILURE_SERVER);
	enum cql_opcode opcode = frame->header.opcode;
	if (opcode == CQL_OP_ERROR)
		return fail_by_server(h, body.message, err);
	switch (h->state) {
	case CQL_ASKED_OPTIONS:
		if (opcode == CQL_OP_SUPPORTED)
			return take_supported(h, body.message, out, err);
		break;
	case CQL_ASKED_STARTUP:
		if (opcode == CQL_OP_READY || opcode == CQL_OP_AUTHENTICATE)
			return take_startup(h, opcode, body.message, out, err);
		break;
	case CQL_ASKED_PASSWORD:
		if (opcode == CQL_OP_AUTH_SUCCESS)
			return ask_cluster(h, out, err);
		break;
	case CQL_ASKED_CLUSTER:
		if (opcode == CQL_OP_RESULT)
			return take_cluster(h, body.message, out, err);
		break;
	case CQL_ASKED_KEYSPACE:
		if (opcode == CQL_OP_RESULT)
			return take_keyspace(h, body.message, out, err);
		break;
	case CQL_ASKED_EVENTS:
		if (opcode == CQL_OP_READY)
			return CQL_STEP_READY;
		break;
	}
	return unexpected(h, frame, err);
}
