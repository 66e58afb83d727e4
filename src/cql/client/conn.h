/* One connection to one node: many requests at once, each with its own deadline. It lives on a
 * loop, and all of its functions are called there and call back there. It is never used again after
 * `closed`: who wants another connection opens another one. The loop is not to be destroyed before
 * that. */
#ifndef TD_CQL_CLIENT_CONN_H
#define TD_CQL_CLIENT_CONN_H

#include "base/err.h"
#include "cql/client/failure.h"
#include "cql/client/handshake.h"
#include "cql/client/lookup.h"
#include "cql/client/loop.h"
#include "cql/client/tls.h"
#include "cql/protocol/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cql_conn;

/* How a request ended. What it points to is valid during the call. */
struct cql_reply {
	/* TD_OK: the server answered (perhaps with an ERROR, and not read further than its header).
	 * TD_TIMEOUT: its deadline passed. TD_UNAVAILABLE: the connection ended.
	 * TD_TOOBIG: its answer is over the limit, which ended the connection. TD_CORRUPT: so did
	 * an answer that cannot be read, to whatever request. */
	enum td_status status;
	const struct cql_frame *frame; /* NULL where status is not TD_OK */
	const struct td_err *err;      /* NULL where it is */
	bool may_have_run;             /* false: not a byte of it was given to the system */
};

struct cql_call;
typedef void cql_call_fn(struct cql_call *call, const struct cql_reply *reply);

/* It stands in its owner, who keeps it until `done` was called. */
struct cql_call {
	struct td_slice envelope; /* one whole request of the connection's version, read during
				     cql_conn_send() only; its stream is ours */
	cql_call_fn *done;        /* exactly once, never before cql_conn_send() has returned */

	/* The connection's. */
	struct cql_conn *conn;
	struct cql_timer deadline;
	uint64_t flush; /* the number of the flush that takes it along */
	int stream;
};

struct cql_conn_config {
	struct cql_loop *loop;
	struct cql_address address;
	struct cql_tls *tls;  /* NULL: plain. Needed during cql_conn_open() only, as is tls_name */
	const char *tls_name; /* what the certificate must have, see cql_tls_session_new(); NULL:
				 the address */
	struct cql_handshake_config handshake;
	unsigned connect_ms;   /* for all that comes before the first request */
	unsigned heartbeat_ms; /* so long nothing was read: ask whether the server is there; 2000
				  at most where requests are under way */
	unsigned heartbeat_timeout_ms; /* so long no answer to that: the connection ends */
	size_t in_flight_most;         /* requests; with the next and 1, up to CQL_STREAMS_MOST */
	size_t orphans_most;           /* given up: more of them end the connection, where none was
					  answered for three seconds */
	size_t body_most;              /* bytes of an answer */
	size_t unsent_most;            /* bytes that the system did not take yet */

	/* The handshake is over. */
	void (*ready)(void *ctx, struct cql_conn *conn);
	/* An EVENT came; the frame is valid during the call. May be NULL. */
	void (*event)(void *ctx, struct cql_conn *conn, const struct cql_frame *frame);
	/* It is over, and all requests have ended; `conn` is freed after this call. The error has
	 * the address in its text; cql_conn_failure() tells what kind of an end it was. After
	 * CQL_FAILURE_VERSION with cql_conn_version() CQL_V5 the server has listed a version that
	 * it then did not take: open another one with handshake.version_most CQL_V4. */
	void (*closed)(void *ctx, struct cql_conn *conn, const struct td_err *err);
	void *ctx;
};

/* Begins to connect; `config` is copied, but not what its slices point to.
 *   TD_OK          ready() or closed() comes, on a later turn
 *   TD_NOMEM       no memory or descriptor; neither comes
 *   TD_INVALID     tls_name cannot be a name; neither comes */
enum td_status cql_conn_open(const struct cql_conn_config *config, struct cql_conn **ret_conn,
	struct td_err *err) TD_MUST_CHECK;

/* Sends it at the end of the turn, with all others of it. Between ready() and closed().
 *   TD_OK           done comes, at deadline_ms of the monotonic clock at the latest
 *   TD_BUSY         too many are in flight, or too many bytes wait
 *   TD_UNAVAILABLE  the connection ends
 * `done` does not come for the last two. */
enum td_status cql_conn_send(struct cql_conn *conn, struct cql_call *call, uint64_t deadline_ms,
	struct td_err *err) TD_MUST_CHECK;

/* Nobody waits for its answer any more: `done` does not come. During or after its sending, before
 * its `done`. */
void cql_conn_abandon(struct cql_conn *conn, struct cql_call *call);

/* Ends it: its requests end with TD_UNAVAILABLE now, closed() comes at the end of the turn. Once it
 * ends, nothing happens. */
void cql_conn_close(struct cql_conn *conn, const char *why);

enum cql_version cql_conn_version(const struct cql_conn *conn);

/* Between ready() and the end: cql_conn_send() takes requests. */
bool cql_conn_is_ready(const struct cql_conn *conn);

/* During closed(). */
enum cql_failure cql_conn_failure(const struct cql_conn *conn);

/* From ready() on, as long as the connection; cut to CQL_CLUSTER_NAME_SIZE - 1 bytes. */
const char *cql_conn_cluster_name(const struct cql_conn *conn);

/* From ready() on: a user is set, and the server lets everybody in. Worth a warning. */
bool cql_conn_password_not_asked(const struct cql_conn *conn);

/* Without those that were given up. */
size_t cql_conn_in_flight(const struct cql_conn *conn);

/* Those that were given up and are not answered yet. */
size_t cql_conn_orphans(const struct cql_conn *conn);

/* "127.0.0.1:9042" in CQL_ADDRESS_TEXT_SIZE bytes; as long as the connection. */
const char *cql_conn_address(const struct cql_conn *conn);

#endif
