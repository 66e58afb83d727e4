/* A client of Apache Cassandra's native protocol, versions 4 and 5: everything that a program
 * needs. Where to begin: README.md, and the examples beside it.
 *
 *   session.h  opening, requests, answers        tls.h     certificates
 *   value.h    values both ways                  error.h   what servers say
 *   result.h   rows and columns                  type.h    their types
 *   request.h  batches, consistency (wire.h)     failure.h why a connection failed */
#ifndef TD_CQL_CQL_H
#define TD_CQL_CQL_H

#include "cql/client/failure.h"
#include "cql/client/session.h"
#include "cql/client/tls.h"
#include "cql/protocol/error.h"
#include "cql/protocol/request.h"
#include "cql/protocol/result.h"
#include "cql/protocol/type.h"
#include "cql/protocol/value.h"

#endif
