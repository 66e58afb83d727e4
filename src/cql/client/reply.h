/* What an answer holds. Pure. */
#ifndef TD_CQL_CLIENT_REPLY_H
#define TD_CQL_CLIENT_REPLY_H

#include "base/err.h"
#include "cql/client/conn.h"
#include "cql/protocol/result.h"

/* The result in a reply, or the story of why there is none: reply->err, or the server's error in
 * its words (err->native is its code). The result is valid as long as the frame. */
enum td_status cql_reply_result(const struct cql_reply *reply, enum cql_version version,
	struct cql_result *ret_result, struct td_err *err) TD_MUST_CHECK;

#endif
