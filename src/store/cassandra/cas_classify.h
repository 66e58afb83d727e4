/* From the client's classes of failure to those that all engines share. */
#ifndef TD_STORE_CASSANDRA_CAS_CLASSIFY_H
#define TD_STORE_CASSANDRA_CAS_CLASSIFY_H

#include "connect/failure.h"
#include "cql/client/session.h"

enum connect_class cas_classify(enum cql_failure failure);

/* Address and reason, as the log of an attempt has them. */
void cas_failure_of(const struct cql_attempt_failure *from, struct connect_failure *to);

#endif
