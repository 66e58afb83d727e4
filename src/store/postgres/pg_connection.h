/* One connection to PostgreSQL: made with one deadline over name look-up, TCP, TLS and
 * authentication, at every address of every host in turn, and each failure named for what it is. */
#ifndef TD_STORE_POSTGRES_PG_CONNECTION_H
#define TD_STORE_POSTGRES_PG_CONNECTION_H

#include "connect/supervisor.h"
#include "connect/url.h"

#include <libpq-fe.h>

/* As store_postgres_password_fn. */
typedef enum td_status pg_password_fn(
	void *ctx, struct td_arena *arena, const char **ret_password, struct td_err *err);

struct pg_config {
	struct connect_url url;   /* without the password; borrowed until the store is destroyed */
	pg_password_fn *password; /* NULL: none */
	void *password_ctx;
	const char *application; /* "tools-dashboard serve" */
	int64_t timeout_ms;      /* CONNECT_TIMEOUT */
	int64_t statement_timeout_ms;
	bool may_be_read_only; /* doctor looks at replicas too */
};

/* What is known of the server after connecting. */
struct pg_server {
	int version;       /* 150018 */
	char address[300]; /* the one that answered, with its port */
	bool fsync_off, synchronous_commit_off;
	bool pooled; /* a pooler in transaction mode stands between: no LISTEN, no session locks */
};

/* Whether libpq takes the URL's parameters; connects to nothing. TD_INVALID: its words. TD_NOMEM.
 */
enum td_status pg_check_params(const struct pg_config *config, struct td_err *err) TD_MUST_CHECK;

/* TD_OK: *ret_conn is connected, non-blocking, has answered a query, and is the caller's to
 * PQfinish(). Otherwise ret_failures has one row for each address that was tried. */
enum td_status pg_connect(const struct pg_config *config, const struct connect_limit *limit,
	PGconn **ret_conn, struct connect_failures *ret_failures) TD_MUST_CHECK;

/* Waits until the socket can be read (or written, where `for_write`), or the limit is reached
 * (false). */
bool pg_wait(PGconn *conn, bool for_write, const struct connect_limit *limit);

/* Sends everything that is queued. False: lost, or the limit is reached. */
bool pg_flush(PGconn *conn, const struct connect_limit *limit);

/* The next result of the statement that was sent, NULL at its end; *ret_lost when the connection is
 * gone or the limit is reached. The caller PQclear()s it. */
PGresult *pg_next_result(PGconn *conn, const struct connect_limit *limit, bool *ret_lost);

/* One statement with text parameters, not in pipeline mode. TD_OK: *ret_result (may be NULL when
 * not wanted) is the caller's. Else `err` with SQLSTATE: TD_UNAVAILABLE when the connection is
 * lost, TD_TIMEOUT at the limit. */
enum td_status pg_query(PGconn *conn, const char *sql, const char *const *params, int count,
	const struct connect_limit *limit, PGresult **ret_result, struct td_err *err) TD_MUST_CHECK;

/* A statement without parameters that answers one row of `columns` columns: what has another shape
 * is TD_INTERNAL, for whoever answers may be anybody. TD_OK: *ret_result is the caller's. */
enum td_status pg_query_row(PGconn *conn, const char *sql, int columns,
	const struct connect_limit *limit, PGresult **ret_result, struct td_err *err) TD_MUST_CHECK;

/* The second half of pg_query(), for a statement that was sent already. */
enum td_status pg_finish_query(PGconn *conn, const struct connect_limit *limit,
	PGresult **ret_result, struct td_err *err) TD_MUST_CHECK;

/* The error of a result in one td_err, with SQLSTATE and the server's sentence. Returns its code.
 */
enum td_status pg_result_error(const PGresult *result, struct td_err *err);

#endif
