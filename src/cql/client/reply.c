#include "cql/client/reply.h"

#include "cql/protocol/error.h"

enum td_status cql_reply_result(const struct cql_reply *reply, enum cql_version version,
	struct cql_result *ret_result, struct td_err *err)
{
	struct cql_body body;
	struct cql_error error;
	if (reply->status != TD_OK) {
		*err = *reply->err;
		return reply->status;
	}
	enum td_status status = cql_body_open(reply->frame, &body, err);
	if (status != TD_OK)
		return status;
	if (reply->frame->header.opcode == CQL_OP_RESULT)
		return cql_result_read(body.message, version, ret_result, err);
	if (reply->frame->header.opcode != CQL_OP_ERROR)
		return td_err_set(err, TD_CORRUPT, "a request was answered with %s",
			cql_opcode_name(reply->frame->header.opcode));
	status = cql_error_read(body.message, version, &error, err);
	return status == TD_OK ? cql_error_tell(&error, err) : status;
}
