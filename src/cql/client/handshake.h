/* What two sides say to each other before the first request (native_protocol_v5.spec section 2.3
 * and 4.1; v4.spec 4.1): OPTIONS, STARTUP, perhaps a password, the cluster's name, perhaps a
 * keyspace, perhaps REGISTER. It takes envelopes and writes envelopes: it knows no socket and no
 * clock. One thread. */
#ifndef TD_CQL_CLIENT_HANDSHAKE_H
#define TD_CQL_CLIENT_HANDSHAKE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "cql/client/failure.h"
#include "cql/protocol/frame.h"

#include <stdbool.h>

#define CQL_CLUSTER_NAME_SIZE 256

struct cql_handshake_config {
	enum cql_version version_most; /* the highest that is asked for */
	bool wants_lz4;                /* where the server has it, too */
	bool wants_events;             /* REGISTER for all three kinds */
	/* ptr NULL: none. A password is sent to authenticators that are known to take a plain one,
	 * and to no others. It never stands in an error. */
	struct td_slice username, password;
	struct td_slice cluster_name; /* a node of any other is refused; empty: any will do */
	struct td_slice keyspace; /* what statements without one mean, letter by letter; empty: none
				   */
};

enum cql_step {
	CQL_STEP_MORE,   /* what was written is to be sent, and the answer given to
			    cql_handshake_take() */
	CQL_STEP_READY,  /* requests may be sent */
	CQL_STEP_FAILED, /* *err says why; close the connection */
};

struct cql_handshake {
	const struct cql_handshake_config *config;
	enum {
		CQL_ASKED_OPTIONS,
		CQL_ASKED_STARTUP,
		CQL_ASKED_PASSWORD,
		CQL_ASKED_CLUSTER,
		CQL_ASKED_KEYSPACE,
		CQL_ASKED_EVENTS,
	} state;
	enum cql_failure failure; /* after CQL_STEP_FAILED */
	enum cql_version version; /* agreed; known once SUPPORTED was taken */
	bool lz4;                 /* agreed */
	bool has_segments;        /* all that follows is in segments, both ways */
	bool may_compress;        /* protocol 4: bodies of all but STARTUP may be compressed */
	bool password_not_asked;  /* there is one, and the server lets everybody in */
	char cluster_name[CQL_CLUSTER_NAME_SIZE]; /* once known; cut to what fits */
};

/* Writes the first request behind `out`. `config` stays until the end. */
void cql_handshake_begin(
	struct cql_handshake *h, const struct cql_handshake_config *config, struct td_buf *out);

/* Takes an answer and writes the next request behind `out`; look at out->failed.
 *   CQL_STEP_FAILED  with h->failure and err->code
 *     TD_DENIED       AUTH: the password is wrong, or there is none and one is wanted, or one may
 *                     not be sent
 *     TD_MISMATCH     VERSION: no protocol that both speak. CLUSTER: a node of another one
 *     TD_NOTFOUND     KEYSPACE
 *     TD_CORRUPT      SERVER: an answer that does not belong here, or is damaged
 *     TD_UNAVAILABLE  AUTH_UNAVAILABLE, OVERLOADED, BOOTSTRAPPING, SERVER
 *   and where the server said so itself in its words; err->native is its code. */
enum cql_step cql_handshake_take(struct cql_handshake *h, const struct cql_frame *frame,
	struct td_buf *out, struct td_err *err) TD_MUST_CHECK;

#endif
