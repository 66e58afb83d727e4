/* A session's own copy of its configuration, checked. */
#ifndef TD_CQL_CLIENT_CONFIG_H
#define TD_CQL_CLIENT_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "cql/client/session.h"

struct cql_config {
	struct cql_session_config set;
	struct td_arena arena; /* its texts */
};

/* TD_INVALID with the member's name and what it may be; TD_NOMEM. Give it to cql_config_done() in
 * every case. */
enum td_status cql_config_copy(struct cql_config *to, const struct cql_session_config *from,
	struct td_err *err) TD_MUST_CHECK;

/* The password is overwritten. */
void cql_config_done(struct cql_config *config);

#endif
