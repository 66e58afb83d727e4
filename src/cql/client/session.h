/* A session with a cluster of Cassandra: it finds the nodes, keeps connections to them for ever,
 * prepares statements where they are not known, sends each request to a node that has the data,
 * and tries another one where that is safe.
 *
 * Every function may be called from any thread unless it says otherwise; those that wait not from
 * a callback. Callbacks come on the session's own thread, one at a time: what they do holds up
 * everything else, so they do little and never wait. */
#ifndef TD_CQL_CLIENT_SESSION_H
#define TD_CQL_CLIENT_SESSION_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "cql/client/failure.h"
#include "cql/client/loop.h"
#include "cql/protocol/error.h"
#include "cql/protocol/request.h"
#include "cql/protocol/result.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CQL_CONTACT_POINTS_MOST   64
#define CQL_NODE_CONNECTIONS_MOST 8

/* ---- opening */

struct cql_tls;

struct cql_contact_point {
	const char *name; /* or a numeric address; looked up again for every round of attempts */
	uint16_t port;
};

/* What happened to the session, for a log. Valid during the call. */
struct cql_notice {
	enum cql_notice_kind {
		CQL_NOTICE_READY,     /* the session can serve requests, at first or again */
		CQL_NOTICE_LOST,      /* no connection is left */
		CQL_NOTICE_NODE_UP,   /* `address` has its first connection */
		CQL_NOTICE_NODE_DOWN, /* … has lost its last one, or cannot be reached at all */
		CQL_NOTICE_WARNING,   /* something is not as it was set: `text` */
	} kind;
	const char *address;      /* "10.0.0.1:9042", or "" */
	enum cql_failure failure; /* why; CQL_FAILURE_NONE where nothing failed */
	const char *text;         /* a sentence, or "" */
};

/* What became of connections, for metrics; zeroed at first. Every session that is given it adds to
 * it, and any thread may read it. */
struct cql_counts {
	_Atomic uint64_t made; /* became ready */
	_Atomic uint64_t
		failed[CQL_FAILURE_COUNT]; /* attempts in vain; none of a ready one's end */
};

/* All is copied by cql_session_open(). */
struct cql_session_config {
	const struct cql_contact_point *contact_points;
	size_t contact_point_count; /* 1 to CQL_CONTACT_POINTS_MOST */
	const char *username;       /* NULL: none */
	const char *password;
	struct cql_tls *tls; /* NULL: none. Borrowed until cql_session_close() has returned */
	/* What every node's certificate must be for, whatever its address. NULL: the name of the
	 * contact point that leads to the node's address, else the address. */
	const char *tls_name;
	const char *keyspace; /* of statements that name none; NULL: none */
	const char *local_dc; /* only nodes of it are used; NULL: that of the first node found */
	enum cql_version version_most;
	bool wants_lz4;

	unsigned node_connections; /* to each node, up to CQL_NODE_CONNECTIONS_MOST */
	size_t in_flight_most;     /* requests on each connection, up to 30,000 */
	size_t waiting_most;       /* requests that wait for a connection */
	size_t answer_most;        /* bytes of one answer */

	/* Milliseconds. */
	unsigned connect_ms;   /* one attempt at one address, the handshake included */
	unsigned stagger_ms;   /* until the next address is tried beside the first */
	unsigned request_ms;   /* a request that sets no timeout_ms */
	unsigned wait_ms;      /* a request while there is no connection at all */
	unsigned heartbeat_ms; /* of silence, until a node is asked whether it is there; 2000 at
				  most while requests wait for it */
	unsigned heartbeat_timeout_ms; /* until it has answered that */
	unsigned backoff_first_ms;     /* between attempts at a node; doubles … */
	unsigned backoff_most_ms;      /* … up to this */
	unsigned backoff_setting_ms;   /* … or this, where somebody has to change something */
	unsigned refresh_ms;           /* between looks at nodes and keyspaces, events or not */
	unsigned agreement_ms;         /* for the nodes to agree on a changed schema */
	unsigned speculative_ms; /* until an idempotent request is sent to a second node, too, and
				    a third; 0: never */

	struct cql_counts *counts; /* NULL: nobody counts. Borrowed as tls is */

	/* May be NULL. */
	void (*notice)(void *ctx, const struct cql_notice *notice);
	void *ctx;
};

/* Protocol 5, the default of everything, no contact point. */
void cql_session_config_init(struct cql_session_config *config);

struct cql_session;

/* Starts to connect, and never gives up until cql_session_close().
 *   TD_OK, TD_INVALID (of `config`; the text names the member), TD_NOMEM */
enum td_status cql_session_open(const struct cql_session_config *config,
	struct cql_session **ret_session, struct td_err *err) TD_MUST_CHECK;

/* Requests that are under way end with TD_STOPPING, and so do the functions below that wait in
 * other threads; no others may be called from now on, but in callbacks: what they send ends at
 * once. Waits until all is closed and each `done` has returned. NULL is fine. All statements must
 * have been given to cql_statement_free() before. Not in a callback. */
void cql_session_close(struct cql_session *session);

/* Waits until requests can be served.
 *   TD_OK           they can
 *   TD_TIMEOUT      not within timeout_ms; err says what is known so far
 *   TD_STOPPING     it is being closed
 *   else            every address was tried in vain since the call; err->code is that of the last
 *                   failure and the text has every address with its reason, as far as it fits:
 *                   cql_session_report() gives all. Call it again to go on waiting
 * Not in a callback. */
enum td_status cql_session_wait(
	struct cql_session *session, unsigned timeout_ms, struct td_err *err) TD_MUST_CHECK;

/* Writes "10.0.0.1:9042: cannot connect: Connection refused (errno 111); db3:9042: …" behind `out`:
 * every address whose last attempt failed. */
void cql_session_report(struct cql_session *session, struct td_buf *out);

/* What failed last at an address. */
struct cql_attempt_failure {
	const char *address;
	enum cql_failure failure;
	const char *text; /* with the address before it */
	unsigned times;   /* since it last worked */
};

/* Calls `fn` for each of what cql_session_report() writes, under a lock: it must not call the
 * session. */
void cql_session_each_failure(struct cql_session *session,
	void (*fn)(void *ctx, const struct cql_attempt_failure *failure), void *ctx);

struct cql_session_state {
	bool is_ready;
	size_t nodes;       /* known in the local data centre */
	size_t nodes_up;    /* of them */
	size_t connections; /* ready ones, the control connection included */
	uint64_t oldest_ms; /* the age of the oldest of them; 0 where there is none */
	size_t in_flight, waiting;
	unsigned rounds_lost; /* how often every address was tried in vain, from the opening on */
	enum cql_version version; /* of the control connection; 0: there is none */
	char local_dc[256];       /* "" as long as it is not known */
	char release[32];         /* of the server with the control connection: "4.1.9" */
};

void cql_session_state(struct cql_session *session, struct cql_session_state *ret_state);

/* ---- requests */

/* A statement that is prepared where it is not known, by itself: at its first request, and again
 * on a node that has forgotten it. */
struct cql_statement;

/* `cql` is copied. Nothing is sent yet: a mistake in it comes with the first request. Give it to
 * cql_statement_free() after its last request has ended. */
enum td_status cql_statement_create(struct cql_session *session, const char *cql,
	struct cql_statement **ret_statement, struct td_err *err) TD_MUST_CHECK;
void cql_statement_free(struct cql_statement *statement);

struct cql_query;
struct cql_answer;
struct cql_columns;
struct cql_waiter;
typedef void cql_query_fn(struct cql_query *query, const struct cql_answer *answer);

/* One of a batch: a statement, or a text. */
struct cql_batch_entry {
	struct cql_statement *statement; /* NULL: `text` */
	struct td_slice text;
	struct cql_values values;
};

/* One request. It stands in its owner, who keeps it and all that it points to until `done`. Zeroed
 * but for what is asked: CQL_QUERY_INIT. */
struct cql_query {
	/* What: the first that is set. */
	struct cql_statement *statement;
	const struct cql_batch_entry *batch;
	size_t batch_count;
	enum cql_batch_type batch_type;
	struct td_slice text;

	struct cql_values
		values; /* cql_bind_…() of value.h, one behind the other; not of a batch */
	enum cql_consistency consistency;
	enum cql_consistency serial; /* CQL_ANY: the server's choice */
	/* Run twice it is as if it had run once: it may be sent to another node where it is not
	 * known whether the first has run it. Never so: counters, list append, now(), IF. */
	bool is_idempotent;
	bool wants_trace;
	unsigned timeout_ms;          /* for all of it; 0: the session's request_ms */
	int32_t page_size;            /* rows; 0: all at once */
	struct td_slice paging_state; /* of the page before; ptr NULL: from the beginning */
	int64_t timestamp_us; /* of what is written, since 1970 UTC; 0: the session's clock, which
				 only grows; -1: the server's */
	const struct cql_pair *payload;
	size_t payload_count;

	cql_query_fn *done;

	/* The session's. */
	struct cql_session *session;
	struct cql_waiter *waiter;
	struct cql_task task;
};

#define CQL_QUERY_INIT                           \
	{                                        \
		.consistency = CQL_LOCAL_QUORUM, \
	}

/* Valid during the call. */
struct cql_answer {
	/* TD_OK, or why not: cql_error_status() of a server's error; TD_TIMEOUT; TD_UNAVAILABLE (no
	 * connection, or lost); TD_BUSY (too many wait); TD_STOPPING; TD_INVALID, TD_TOOBIG. */
	enum td_status status;
	const struct td_err *err;      /* NULL where status is TD_OK; names the addresses tried */
	const struct cql_error *error; /* the server's; NULL where it said none */
	/* What other nodes said before, one sentence with the address for each, "; " between them:
	 * whole, where err->text has what fits of it. Up to 4096 bytes. */
	struct td_slice before;
	bool may_have_run; /* false: certainly not */

	/* The rest where status is TD_OK. */
	struct cql_result result;
	bool is_schema_agreed; /* result.kind is CQL_RESULT_SCHEMA: all nodes have it */
	struct cql_items warnings;
	struct cql_items payload;
	const uint8_t *tracing_id; /* 16 bytes, or NULL */
	const char *address;       /* of the node that answered */

	/* The session's: for cql_answer_columns() and cql_response. */
	const struct cql_columns *known;
	struct td_slice message;
	enum cql_version version;
};

/* Sends it; `done` comes exactly once, at its deadline at the latest. In a callback, too, and
 * there with the same query that has just ended. */
void cql_session_send(struct cql_session *session, struct cql_query *query);

/* The columns of the rows, result.rows.metadata.column_count of them; valid as long as the answer
 * and the arena.
 *   TD_OK, TD_CORRUPT, TD_NOMEM; TD_INVALID: these are no rows */
enum td_status cql_answer_columns(const struct cql_answer *answer, struct td_arena *arena,
	const struct cql_column **ret_columns, struct td_err *err) TD_MUST_CHECK;

/* Makes `query` ask for the page behind `answer`, with the paging state kept in *state. False:
 * this was the last page (or no memory, and state->failed). */
bool cql_query_next_page(
	struct cql_query *query, const struct cql_answer *answer, struct td_buf *state);

/* ---- the same, waiting */

/* An answer of one's own. */
struct cql_response {
	struct cql_answer answer; /* points into the rest */
	struct td_err err;
	struct cql_error error;
	struct td_arena arena;
	const struct cql_column *columns; /* of rows, else NULL */
	char address[64];
};

/* Sends it and waits. Returns answer.status; give the response to cql_response_done() in every
 * case. query->done is the session's. Not in a callback. */
enum td_status cql_session_run(struct cql_session *session, struct cql_query *query,
	struct cql_response *ret_response) TD_MUST_CHECK;
void cql_response_done(struct cql_response *response);

/* Waits until all nodes that are up have one schema.
 *   TD_OK, TD_STOPPING, TD_NOMEM
 *   TD_TIMEOUT   err says how many versions there are, or that no node could be asked
 * Not in a callback. */
enum td_status cql_session_agree(
	struct cql_session *session, unsigned timeout_ms, struct td_err *err) TD_MUST_CHECK;

#endif
