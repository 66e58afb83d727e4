/* HTTP over libmicrohttpd: routes, requests, answers, limits, deadlines. The only layer that
 * includes microhttpd.h; those above know nothing of it.
 *
 * Threads. `threads` HTTP threads parse and run handlers; no handler may wait for anything (a
 * store, a lock that is held long, a file). What must wait goes through http_await()/http_wake().
 *
 * Memory. A request, its arena and every slice that an accessor gives live until the handler (or
 * the continuation) that replied has returned; after http_await() they live on until the
 * continuation has replied. An operation of a store must own its memory: it may outlive the
 * request. */
#ifndef TD_HTTP_HTTP_H
#define TD_HTTP_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_server;
struct http_request;
struct http_prepared;
struct http_problem;

/* ---- Routes ---------------------------------------------------------------------------------- */

/* Called once a request, on an HTTP thread, when all of it (its body too) is there. It must call
 * exactly one of http_reply…(), http_redirect() or http_await() before it returns; one that calls
 * none is answered 500. */
typedef void http_handler_fn(struct http_request *rq, void *ctx);

/* http_route.flags */
#define HTTP_ROUTE_JSON   0x01u /* a body must be application/json (charset UTF-8), else 415 */
#define HTTP_ROUTE_FORM   0x02u /* a body must be application/x-www-form-urlencoded, else 415 */
#define HTTP_ROUTE_PAGE   0x04u /* errors of this route go to the error_page hook */
#define HTTP_ROUTE_ALWAYS 0x08u /* the `before` hook is not asked (health, metrics) */
#define HTTP_ROUTE_PLAIN  0x10u /* an answer without cache_control gets none (default: no-store) */
#define HTTP_ROUTE_SECRET 0x20u /* its address is a secret: Referrer-Policy is no-referrer */

struct http_route {
	/* "GET" (answers HEAD too), "POST", "PUT", "PATCH", "DELETE". */
	const char *method;
	/* "/user-subscription/packages/{slug}": a name in braces stands for one whole, non-empty
	 * segment. Everything else must match exactly, a slash at the end too. Of several that
	 * match, the one with text where the other has a parameter wins. Static storage. */
	const char *pattern;
	http_handler_fn *handler;
	void *ctx;
	unsigned flags;
	size_t max_body; /* bytes; 0: the server's max_body */
};

/* ---- Server ---------------------------------------------------------------------------------- */

/* Asked before every handler whose route lacks HTTP_ROUTE_ALWAYS, on an HTTP thread. True: it has
 * replied, and the handler is not called. */
typedef bool http_before_fn(struct http_request *rq, const struct http_route *route, void *ctx);

/* Asked for an error that this layer or http_reply_problem() is about to send, where the route has
 * HTTP_ROUTE_PAGE, or there is no route and the client accepts text/html. True: it has replied (as
 * HTML, with problem->status). It must not call http_reply_problem(). */
typedef bool http_error_page_fn(
	struct http_request *rq, const struct http_problem *problem, void *ctx);

/* Called once for each answer but those of the framing guard, before it is made: it may call
 * http_add_header(). On an HTTP thread. */
typedef void http_answer_fn(struct http_request *rq, void *ctx);

struct http_server_config {
	const char *host; /* an IPv4 or IPv6 address or a name, all of whose addresses are used */
	unsigned port;    /* 0: the system picks one; see http_server_port() */
	unsigned threads; /* 0: as many as there are processors */

	uint64_t header_timeout_ms;  /* a whole header, from its first byte */
	uint64_t request_timeout_ms; /* a whole request, from its first byte */
	uint64_t send_timeout_ms;    /* a client that does not read */
	uint64_t idle_timeout_ms;    /* a kept-alive connection without a request */

	size_t max_connections;
	size_t max_per_address;   /* IPv6: per /64 */
	bool max_per_address_set; /* true: holds for loopback too */
	size_t max_body;          /* bytes, where a route sets none */
	size_t arena_limit;       /* bytes of one request's arena; 0: 1 MiB */
	unsigned reserved_files;  /* descriptors that the rest of the program needs; 0: 128 */

	/* Addresses, networks (CIDR) and names, separated by commas or spaces; NULL or "": none.
	 * Names are looked up again every 30 seconds. */
	const char *trusted_proxies;
	const char *public_url; /* NULL or "": unknown; "https://…" turns HSTS on */

	const struct td_clock *clock;   /* borrowed until destroy; wall time of request ids */
	http_before_fn *before;         /* NULL: none */
	http_error_page_fn *error_page; /* NULL: none */
	void *hook_ctx;                 /* for before and error_page */
	http_answer_fn *answer;         /* NULL: none */
	void *answer_ctx;
};

/* The defaults (docs/CONFIGURATION.md): 127.0.0.1:8100, 10/30/30/60 s, 20000, 256, 64 KiB, the
 * system's clock. */
#define HTTP_SERVER_CONFIG_DEFAULT                                                               \
	{                                                                                        \
		.host = "127.0.0.1", .port = 8100, .header_timeout_ms = 10000,                   \
		.request_timeout_ms = 30000, .send_timeout_ms = 30000, .idle_timeout_ms = 60000, \
		.max_connections = 20000, .max_per_address = 256, .max_body = 65536,             \
		.clock = &td_clock_system                                                        \
	}

/* Copies the configuration; opens nothing yet. Errors name the setting. TD_INVALID: a proxy is
 * not an address, network or name. Give it to http_server_destroy(). */
enum td_status http_server_create(const struct http_server_config *config,
	struct http_server **ret_server, struct td_err *err) TD_MUST_CHECK;

/* Before start. Copies the rows; their strings must be static. TD_INVALID: a pattern is wrong or
 * there twice. */
enum td_status http_server_add_routes(struct http_server *server, const struct http_route *routes,
	size_t count, struct td_err *err) TD_MUST_CHECK;

/* Binds, listens, starts the threads. TD_IO with a text that names the port and the way out when
 * the address is in use or not ours. Raises RLIMIT_NOFILE, and lowers max_connections, with one
 * warning in the log, to what it leaves. */
enum td_status http_server_start(struct http_server *server, struct td_err *err) TD_MUST_CHECK;

/* "127.0.0.1:8100" or "[::1]:8100" of the first listening socket; valid until destroy. "" before
 * start. */
const char *http_server_address(const struct http_server *server);
unsigned http_server_port(const struct http_server *server);

/* Accepts no more, closes idle connections, and gives every answer from now on `Connection:
 * close`. Any thread; may be called twice. */
void http_server_quiesce(struct http_server *server);

/* Quiesces, waits until every request has been answered or td_clock_mono_ns()/1000000 passes
 * deadline_ms, then cuts the rest off (those that await are not continued) and stops the threads.
 * http_wake() stays allowed for requests that were cut off. True: nothing was cut off. */
bool http_server_stop(struct http_server *server, uint64_t deadline_ms);

/* Stops it at once, if that was not done. NULL is fine. Its tick must not run any more. */
void http_server_destroy(struct http_server *server);

/* Enforces the deadlines; a td_tick_fn for a td_ticker, every 100 to 500 ms, ctx = the server.
 * May run from create to destroy. */
void http_server_tick(void *server, uint64_t now_ms);

/* ---- Figures --------------------------------------------------------------------------------- */

struct http_server_stats {
	size_t connections;       /* open now */
	size_t max_connections;   /* in force */
	size_t awaiting;          /* requests suspended now */
	uint64_t accepted;        /* connections since start */
	uint64_t refused_address; /* closed at once: max_per_address */
	uint64_t evicted;         /* idle ones closed to make room at max_connections */
	uint64_t timed_out;       /* closed by a deadline */
	uint64_t requests;        /* answered */
	uint64_t rejected;        /* refused by the framing guard */
};

/* Any thread. */
void http_server_get_stats(struct http_server *server, struct http_server_stats *ret_stats);

/* Prometheus text: http_server_requests_total{method,route,status},
 * http_server_request_duration_seconds (histogram by route), http_server_connections and others.
 * Any thread. */
void http_server_put_metrics(struct http_server *server, struct td_buf *out);

/* ---- Requests: only on the HTTP thread that runs the handler or the continuation ------------- */

const char *http_method(const struct http_request *rq); /* "HEAD" too, for a GET route */

/* Decoded (percent-decoding, UTF-8 checked), without the query. */
struct td_slice http_path(const struct http_request *rq);

/* As the client sent it, path and query. Printable ASCII only. */
struct td_slice http_target(const struct http_request *rq);

const char *http_route_pattern(const struct http_request *rq); /* "" where none matched */
unsigned http_route_flags(const struct http_request *rq);      /* 0 where none matched */

/* The decoded value of "{name}" in the route's pattern: not empty, UTF-8, no NUL, perhaps with
 * slashes (%2F). A name that the pattern lacks is a fault of the program: an empty slice. */
struct td_slice http_param(const struct http_request *rq, const char *name);

/* Query parameters, decoded ('+' is a space), UTF-8, no NUL: a query that is not was answered 400
 * before the handler. http_query() gives the first value and false when there is none. */
bool http_query(const struct http_request *rq, const char *name, struct td_slice *ret_value);
size_t http_query_count(const struct http_request *rq, const char *name); /* 2 and more: repeated */
size_t http_query_total(const struct http_request *rq);
void http_query_at(const struct http_request *rq, size_t index, struct td_slice *ret_name,
	struct td_slice *ret_value);

/* The first header of that name (any case), trimmed; false when there is none. */
bool http_header(const struct http_request *rq, const char *name, struct td_slice *ret_value);
size_t http_header_count(const struct http_request *rq, const char *name);

/* The first cookie of that name (exact case), without quotes. */
bool http_cookie(const struct http_request *rq, const char *name, struct td_slice *ret_value);

struct td_slice http_body(const struct http_request *rq);
struct td_arena *http_arena(struct http_request *rq);

/* The client's address as text ("203.0.113.9", "2001:db8::1"): the peer, or behind
 * TRUSTED_PROXIES the last address in X-Forwarded-For that is none of them. */
const char *http_remote_address(struct http_request *rq);
bool http_remote_is_loopback(struct http_request *rq);

/* True where a trusted proxy said X-Forwarded-Proto: https. */
bool http_is_https(struct http_request *rq);

/* The Host header, or the authority of an absolute target: checked, lower case. "" in HTTP/1.0
 * without one. */
struct td_slice http_host(struct http_request *rq);

const char *http_request_id(struct http_request *rq); /* 16 hexadecimal digits of ours */

/* True where Accept prefers text/html to application/json (a browser). */
bool http_wants_html(const struct http_request *rq);

/* For the layer above: a pointer that belongs to the request. */
void http_set_user(struct http_request *rq, void *user);
void *http_user(const struct http_request *rq);

/* ---- Answers --------------------------------------------------------------------------------- */

/* A header's name must be a token and its value free of CR, LF and NUL, else the answer is 500. */
struct http_header {
	const char *name;
	const char *value; /* NULL: the header is left out */
};

struct http_reply {
	unsigned status;           /* 200 to 599 */
	const char *content_type;  /* NULL: none (for an empty body) */
	struct td_slice body;      /* copied; not used where `take` is set */
	struct td_buf *take;       /* its bytes are taken, and it is left empty; or NULL */
	const char *cache_control; /* NULL: no-store (see HTTP_ROUTE_PLAIN) */
	const char *csp;           /* NULL: default-src 'none'; frame-ancestors 'none' */
	const char *vary;          /* NULL: none */
	const char *etag;          /* with its quotes, strong; If-None-Match is answered 304 */
	const struct http_header *headers; /* more of them; or NULL */
	size_t header_count;
};

/* Everything pointed to may go when it returns. The security headers are added. */
void http_reply(struct http_request *rq, const struct http_reply *reply);

/* One wrong field of a request: a JSON pointer ("/email") and what is wrong with it. */
struct http_field_error {
	const char *pointer;
	const char *detail;
};

/* RFC 9457: application/problem+json with type /problems/CODE. */
struct http_problem {
	unsigned status;
	const char *code;   /* "package-not-found" */
	const char *title;  /* NULL: the status's reason phrase */
	const char *detail; /* a sentence that names the thing and the fix; NULL: none */
	const struct http_field_error *errors;
	size_t error_count;
	unsigned retry_after_s; /* Retry-After; 0: 1 for 503 and 429, else none */
	const char *allow;      /* Allow, for 405; or NULL */
	const char *extra_json; /* further members, as `"user_id":"x"`; or NULL */
};

/* WWW-Authenticate: Bearer comes with every 401. */
void http_reply_problem(struct http_request *rq, const struct http_problem *problem);

/* The body that http_reply_problem() sends, for an answer that is kept and sent again later. */
void http_problem_put(struct td_buf *out, const struct http_problem *problem);

/* From an error: its status, and its text as detail where that is not 5xx. NOMEM, BUSY, STOPPING:
 * code `overloaded`; UNAVAILABLE, TIMEOUT: `store-unavailable`; other 5xx: `internal-error`; else
 * `code`. */
void http_reply_err(struct http_request *rq, const struct td_err *err, const char *code);

/* 303 (or another 3xx) to a path of ours or an absolute URL; CR and LF are refused (500). */
void http_redirect(struct http_request *rq, unsigned status, const char *location);

/* More headers (Set-Cookie) for whatever this request is answered with, prepared answers too.
 * Copied. False: not a header, or no memory. */
bool http_add_header(struct http_request *rq, const char *name, const char *value) TD_MUST_CHECK;

/* ---- Prepared answers ------------------------------------------------------------------------ */

struct http_prepared_config {
	unsigned status; /* 0: 200 */
	const char *content_type;
	struct td_slice identity; /* the body; copied */
	struct td_slice gzip;     /* copied; empty: there is none */
	struct td_slice br;       /* copied; empty: there is none */
	/* Without quotes, of [A-Za-z0-9._-], at most 80: the identity body's ETag is "TAG", the
	 * others' "TAG-gz" and "TAG-br". NULL: the start of the body's SHA-256. */
	const char *etag;
	const char *cache_control; /* NULL: no-cache (kept, but asked for each time) */
	const char *csp;           /* as in http_reply */
	const char *vary;          /* added to Accept-Encoding; or NULL */
	const struct http_header *headers;
	size_t header_count;
};

/* Everything that does not depend on the request, made once. NULL: no memory, or a header is not
 * one. The caller has one reference. Needs no server. Any thread. */
struct http_prepared *http_prepared_create(const struct http_prepared_config *config) TD_MUST_CHECK;
struct http_prepared *http_prepared_ref(struct http_prepared *p); /* returns p */
void http_prepared_unref(struct http_prepared *p);                /* NULL is fine */

/* The body as it is, for tests and for other answers; valid as long as the reference. */
struct td_slice http_prepared_body(const struct http_prepared *p);

/* The best encoding for Accept-Encoding, or 304 where If-None-Match has its ETag. Takes what
 * references it needs; the caller keeps its own. */
void http_reply_prepared(struct http_request *rq, struct http_prepared *p);

/* ---- Waiting without a thread ---------------------------------------------------------------- */

/* Runs on an HTTP thread after http_wake(); must reply or await again. */
typedef void http_continue_fn(struct http_request *rq, void *ctx);

/* From a handler or a continuation: the request stays without an answer until somebody calls
 * http_wake(rq), and is then continued. Call it before the operation is submitted. Where the
 * submitting fails, just reply: that takes the await back (nobody must wake it then). */
void http_await(struct http_request *rq, http_continue_fn *fn, void *ctx);

/* Exactly once for every http_await() that was not taken back; any thread, and from within the
 * handler too; never waits. What the caller wrote before it is seen by the continuation. The caller
 * must not touch rq any more. */
void http_wake(struct http_request *rq);

#endif
