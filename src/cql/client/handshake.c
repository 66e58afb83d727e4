#include "cql/client/handshake.h"

#include "cql/protocol/error.h"
#include "cql/protocol/request.h"
#include "cql/protocol/response.h"

#define DRIVER_NAME    "tools-dashboard cql"
#define DRIVER_VERSION "0.1.0"

/* Only one request is under way. */
static struct cql_request request_of(const struct cql_handshake *h)
{
	return (struct cql_request){.version = h->version, .stream = 0};
}

static enum cql_step step_of(enum td_status status)
{
	return status == TD_OK ? CQL_STEP_MORE : CQL_STEP_FAILED;
}

static enum cql_step refuse(struct td_err *err, enum td_status status, const char *words)
{
	(void)td_err_set(err, status, "%s", words);
	return CQL_STEP_FAILED;
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
		return CQL_STEP_FAILED;
	unsigned version = cql_supported_version(&options, h->config->version_most);
	/* Servers before 3.10 list none, and speak 4 from 2.2 on; STARTUP tells. */
	if (version != 0 && version < CQL_V4)
		return refuse(err, TD_MISMATCH,
			"the server speaks no protocol version from 4 on: it must be Cassandra 2.2 "
			"or later");
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
	return step_of(cql_put_startup(out, &rq, &startup, err));
}

/* ---- what STARTUP is answered with */

static enum cql_step authenticated(struct cql_handshake *h, struct td_buf *out, struct td_err *err)
{
	if (!h->config->wants_events)
		return CQL_STEP_READY;
	const struct cql_request rq = request_of(h);
	h->state = CQL_ASKED_EVENTS;
	return step_of(cql_put_register(
		out, &rq, CQL_EVENT_TOPOLOGY | CQL_EVENT_STATUS | CQL_EVENT_SCHEMA, err));
}

static enum cql_step send_password(
	struct cql_handshake *h, struct td_slice message, struct td_buf *out, struct td_err *err)
{
	struct td_slice class_name;
	if (cql_authenticate_read(message, &class_name, err) != TD_OK)
		return CQL_STEP_FAILED;
	if (h->config->username.ptr == NULL)
		return refuse(err, TD_DENIED,
			"the server asks for a user and a password, and none is set");
	if (!cql_authenticator_is_known(class_name)) {
		(void)td_err_set(err, TD_DENIED,
			"the server's authenticator %.*s is not known to take a password: it is "
			"not sent",
			TD_SLICE_ARG(class_name));
		return CQL_STEP_FAILED;
	}
	const struct cql_request rq = request_of(h);
	h->state = CQL_ASKED_PASSWORD;
	return step_of(cql_put_auth_plain(out, &rq, h->config->username, h->config->password, err));
}

/* ---- */

static enum cql_step fail_by_server(
	const struct cql_handshake *h, struct td_slice message, struct td_err *err)
{
	struct cql_error error;
	if (cql_error_read(message, h->version, &error, err) != TD_OK)
		return CQL_STEP_FAILED;
	enum td_status status = cql_error_tell(&error, err);
	if (error.code == CQL_ERROR_PROTOCOL && h->state != CQL_ASKED_PASSWORD)
		status = TD_MISMATCH;
	else if (status != TD_DENIED)
		status = TD_UNAVAILABLE;
	if (err != NULL)
		err->code = status;
	return CQL_STEP_FAILED;
}

static enum cql_step unexpected(const struct cql_frame *frame, struct td_err *err)
{
	(void)td_err_set(err, TD_CORRUPT, "the server answered %s during the handshake",
		cql_opcode_name(frame->header.opcode));
	return CQL_STEP_FAILED;
}

enum cql_step cql_handshake_take(struct cql_handshake *h, const struct cql_frame *frame,
	struct td_buf *out, struct td_err *err)
{
	struct cql_body body;
	if (cql_body_open(frame, &body, err) != TD_OK)
		return CQL_STEP_FAILED;
	enum cql_opcode opcode = frame->header.opcode;
	if (opcode == CQL_OP_ERROR)
		return fail_by_server(h, body.message, err);
	switch (h->state) {
	case CQL_ASKED_OPTIONS:
		if (opcode == CQL_OP_SUPPORTED)
			return take_supported(h, body.message, out, err);
		break;
	case CQL_ASKED_STARTUP:
		if (opcode != CQL_OP_READY && opcode != CQL_OP_AUTHENTICATE)
			break;
		h->has_segments = h->version == CQL_V5;
		return opcode == CQL_OP_READY ? authenticated(h, out, err)
					      : send_password(h, body.message, out, err);
	case CQL_ASKED_PASSWORD:
		if (opcode == CQL_OP_AUTH_SUCCESS)
			return authenticated(h, out, err);
		break;
	case CQL_ASKED_EVENTS:
		if (opcode == CQL_OP_READY)
			return CQL_STEP_READY;
		break;
	}
	return unexpected(frame, err);
}
