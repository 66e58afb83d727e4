/* Why a connection ended, for whoever decides when to try again and what to tell a person: the
 * classes of failures of a node. The whole story is in the struct td_err beside it. */
#ifndef TD_CQL_CLIENT_FAILURE_H
#define TD_CQL_CLIENT_FAILURE_H

#include <stdbool.h>

/*    name                a person must change something; words */
#define CQL_FAILURE_MAP(X)                                              \
	X(NONE, false, "closed by its owner")                           \
	X(LOST, false, "connection lost") /* one that was ready */      \
	X(NAME, false, "name cannot be looked up")                      \
	X(REFUSED, false, "not listening")                              \
	X(UNREACHABLE, false, "cannot be reached")                      \
	X(NO_ANSWER, false, "no connection in time")                    \
	X(SILENT, false, "accepts connections, but is silent")          \
	X(CLOSED, false, "closes connections during the handshake")     \
	X(NOT_CQL, true, "not Cassandra's port")                        \
	X(TLS_EXPECTED, true, "the server expects TLS")                 \
	X(TLS_MISSING, true, "the server does not speak TLS")           \
	X(TLS_REFUSED, true, "TLS failed")                              \
	X(AUTH, true, "not permitted")                                  \
	X(AUTH_UNAVAILABLE, false, "the server cannot check passwords") \
	X(VERSION, true, "no common protocol version")                  \
	X(CLUSTER, true, "another cluster")                             \
	X(KEYSPACE, true, "the keyspace is missing")                    \
	X(DATA_CENTRE, true, "no node is in the local data centre")     \
	X(OVERLOADED, false, "overloaded")                              \
	X(BOOTSTRAPPING, false, "still starting")                       \
	X(SERVER, false, "the server failed")                           \
	X(NOMEM, false, "out of memory") /* here, not there */

enum cql_failure {
#define CQL_FAILURE_ENUM(name, is_setting, words) CQL_FAILURE_##name,
	CQL_FAILURE_MAP(CQL_FAILURE_ENUM)
#undef CQL_FAILURE_ENUM
};

enum {
#define CQL_FAILURE_ONE(name, is_setting, words) +1
	CQL_FAILURE_COUNT = 0 CQL_FAILURE_MAP(CQL_FAILURE_ONE)
#undef CQL_FAILURE_ONE
};

/* "TLS_REFUSED"; static storage. */
const char *cql_failure_name(enum cql_failure failure);

/* "TLS failed"; static storage. */
const char *cql_failure_words(enum cql_failure failure);

/* True where time alone mends nothing: try again, but more slowly. */
bool cql_failure_is_setting(enum cql_failure failure);

#endif
