/* What the files of this layer share. The only header that includes microhttpd.h. */
#ifndef TD_HTTP_INTERNAL_H
#define TD_HTTP_INTERNAL_H

#include "http/conns.h"
#include "http/form.h"
#include "http/guard.h"
#include "http/http.h"
#include "http/metrics.h"
#include "http/proxies.h"
#include "http/route.h"
#include "work/thread.h"

#include <microhttpd.h>

/* 0.9.75 sheds no connection and knows no discipline level; from 0.9.77 on the parser is another
 * one. */
#define HTTP_MHD_IS_NEW (MHD_VERSION >= 0x00097701)

#define HTTP_LISTEN_MOST 8

struct http_server {
	/* Set before start, then read-only. */
	struct http_server_config config;
	char *host, *public_url;
	bool is_https;
	struct http_route_table routes;
	struct http_proxies *proxies;
	struct http_metrics metrics;
	char address[72];
	unsigned port;

	struct http_conns conns;
	bool has_conns;
	struct MHD_Daemon *daemon;
	int listeners[HTTP_LISTEN_MOST];
	size_t listener_count;
	struct td_thread acceptor;
	bool is_accepting; /* the acceptor's thread runs; the owner's thread only */
	int wake_fd;       /* eventfd: the acceptor looks again */

	atomic_bool is_quiescing;
	atomic_bool wants_room; /* the acceptor waits for a connection to end */

	struct td_lock stop_lock;
	struct td_cond stop_wake; /* a connection ended while stopping */
	bool is_stopped;          /* the owner's thread only */

	_Atomic uint64_t requests, rejected;
};

/* Where a request stands; its HTTP thread only. */
enum http_stage {
	HTTP_STAGE_NEW,      /* the request line has come */
	HTTP_STAGE_BODY,     /* the body is coming */
	HTTP_STAGE_HANDLER,  /* a handler or continuation runs */
	HTTP_STAGE_AWAITING, /* suspended */
	HTTP_STAGE_REPLIED,
};

/* Between the HTTP thread and whoever wakes; each step is one compare-and-swap.
 *   OPEN       nothing is awaited
 *   ARMED      http_await() was called, the connection is not suspended yet
 *   SUSPENDED  the connection is suspended; who takes it from here must resume it
 *   WOKEN      http_wake() was called
 *   CUT        the server ends it; a later http_wake() only lets go of its reference */
enum http_gate {
	HTTP_GATE_OPEN,
	HTTP_GATE_ARMED,
	HTTP_GATE_SUSPENDED,
	HTTP_GATE_WOKEN,
	HTTP_GATE_CUT,
};

struct http_extra_header {
	struct http_extra_header *next;
	const char *name, *value; /* in the arena */
};

#define HTTP_REQUEST_MAGIC 0x7d4a11c5u

struct http_request {
	uint32_t magic;
	enum http_stage stage;
	_Atomic int gate; /* enum http_gate */
	_Atomic int refs; /* libmicrohttpd's, and one for each wake that is to come */
	struct http_server *server;
	struct http_conn *conn;
	struct MHD_Connection *mhd;

	struct http_guard guard;
	enum http_method_id method;
	struct http_target_parts target;
	struct http_match match;
	int row; /* of the route table; -1: none */
	struct http_form query;

	char *body; /* owned */
	size_t body_len, body_cap;
	size_t body_wanted; /* Content-Length */

	struct td_arena arena;
	http_continue_fn *continue_fn;
	void *continue_ctx;
	void *user;
	struct http_extra_header *extra;
	bool in_error_page; /* the hook runs: it may not be asked again */

	struct td_slice path_text; /* decoded; made when asked for */
	const char *remote_text;   /* made when asked for */
	char id[17];

	uint64_t begin_ns;
	unsigned status;         /* of the answer that was queued */
	const char *wire_target; /* where it stood; only its place is looked at */
	size_t raw_len;
	char raw[]; /* the request target, with a NUL */
};

/* ---- request.c: libmicrohttpd's callbacks ---------------------------------------------------- */

void *http_request_on_uri(void *server, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result http_request_on_access(void *server, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_len,
	void **request);
void http_request_on_completed(void *server, struct MHD_Connection *mhd, void **request,
	enum MHD_RequestTerminationCode how);

/* For http_conns_cut(). */
bool http_request_cut(struct http_request *rq);
void http_request_resume(struct http_request *rq);

/* Takes an await back, where one is armed: an answer is about to be given instead. */
void http_request_disarm(struct http_request *rq);

const struct http_route *http_request_route(const struct http_request *rq); /* or NULL */

/* ---- wire.c ---------------------------------------------------------------------------------- */

/* Shows every header to the request's guard, and refuses a header whose lines are not what they
 * look like. */
struct http_verdict http_wire_check(
	struct http_request *rq, const char *method, const char *version);

/* ---- reply.c --------------------------------------------------------------------------------- */

/* The security headers with the given policies (csp NULL: the API's; referrer NULL: as everywhere).
 * False: no memory. */
bool http_put_security(
	struct MHD_Response *response, const char *csp, const char *referrer, bool hsts);

/* Adds a header; false where it is not one, or no memory. */
bool http_put_header(struct MHD_Response *response, const char *name, const char *value);

/* The request's own extra headers, and Connection: close where it must be. */
bool http_put_own(struct http_request *rq, struct MHD_Response *response);

/* True where the answer cannot be one that is shared: it needs headers of its own. */
bool http_needs_own(const struct http_request *rq);

/* Lets the layer above add headers to what is about to be answered. */
void http_begin_answer(struct http_request *rq);

/* Queues it; the response stays the caller's. */
void http_queue(struct http_request *rq, unsigned status, struct MHD_Response *response);

/* When nothing else works: 500 with an empty body. */
void http_reply_bare(struct http_request *rq);

/* Fills in what the caller left out, from the one list of problems. */
struct http_problem http_problem_complete(const struct http_problem *given);

extern const struct http_header http_security_headers[];
extern const size_t http_security_header_count;
#define HTTP_API_CSP "default-src 'none'; frame-ancestors 'none'"
#define HTTP_HSTS    "max-age=31536000"

/* ---- refuse.c -------------------------------------------------------------------------------- */

/* Writes the whole answer to the socket, with Connection: close; the caller then ends the
 * connection by returning MHD_NO. An answer of libmicrohttpd's needs room in the connection's
 * memory, which the very request that is refused may have filled. */
void http_refuse(struct http_request *rq, const struct http_verdict *verdict);

/* ---- listen.c -------------------------------------------------------------------------------- */

/* Opens the listening sockets of the configuration into the server. */
enum td_status http_listen(struct http_server *server, struct td_err *err) TD_MUST_CHECK;
void http_listen_close(struct http_server *server);

/* ---- accept.c -------------------------------------------------------------------------------- */

enum td_status http_accept_start(struct http_server *server, struct td_err *err) TD_MUST_CHECK;
void http_accept_stop(struct http_server *server);
void http_accept_wake(struct http_server *server);

/* Hands a connected socket over to libmicrohttpd; closes it where it is refused. False: refused.
 * Used by the acceptor, and by the fuzz target with one end of a socket pair. */
bool http_accept_hand_over(struct http_server *server, int fd, const struct http_address *peer,
	const void *sockaddr, unsigned sockaddr_len);

/* ---- server.c -------------------------------------------------------------------------------- */

/* Raises RLIMIT_NOFILE, fits the limits to it, and makes the tables that they size. */
enum td_status http_tables_start(struct http_server *server, struct td_err *err) TD_MUST_CHECK;

/* Starts libmicrohttpd. `threads` 0: none, the caller drives it with MHD_run() (fuzzing). */
enum td_status http_daemon_start(
	struct http_server *server, unsigned threads, struct td_err *err) TD_MUST_CHECK;

#endif
