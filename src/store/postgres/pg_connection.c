#include "store/postgres/pg_connection.h"

#include "base/clock.h"
#include "connect/resolve.h"
#include "store/postgres/pg_classify.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define PARAMS_MOST (CONNECT_PARAMS_MOST + 24)

static uint64_t now_ms(void)
{
	return td_clock_mono_ns() / 1000000u;
}

static bool wait_fd(int fd, short events, const struct connect_limit *limit)
{
	for (;;) {
		int slice = connect_limit_slice_ms(limit);
		struct pollfd p = {.fd = fd, .events = events};
		if (slice == 0 || fd < 0)
			return false;
		int n = poll(&p, 1, slice);
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

bool pg_wait(PGconn *conn, bool for_write, const struct connect_limit *limit)
{
	return wait_fd(PQsocket(conn), for_write ? POLLIN | POLLOUT : POLLIN, limit);
}

/* ---- parameters
 * --------------------------------------------------------------------------------------- */

struct params {
	const char *names[PARAMS_MOST + 1];
	const char *values[PARAMS_MOST + 1];
	int count;
};

/* A later value of the same name wins. */
static void set_param(struct params *p, const char *name, const char *value)
{
	int i = 0;
	while (i < p->count && strcmp(p->names[i], name) != 0)
		i++;
	if (value == NULL || i >= PARAMS_MOST)
		return;
	p->names[i] = name;
	p->values[i] = value;
	if (i == p->count)
		p->count++;
}

/* What we promise ourselves; a URL's own parameters go over them. */
static void set_defaults(struct params *p, const struct pg_config *config)
{
	set_param(p, "keepalives", "1");
	set_param(p, "keepalives_idle", "30");
	set_param(p, "keepalives_interval", "10");
	set_param(p, "keepalives_count", "3");
	set_param(p, "tcp_user_timeout", "30000");
	set_param(p, "gssencmode", "disable");
	set_param(p, "application_name", config->application);
	for (size_t i = 0; i < config->url.param_count; i++) {
		const char *name = config->url.params[i].name;
		/* We choose the server ourselves, one address at a time. */
		if (strcmp(name, "target_session_attrs") != 0 &&
			strcmp(name, "connect_timeout") != 0)
			set_param(p, name, config->url.params[i].value);
	}
	set_param(p, "client_encoding", "UTF8");
	set_param(p, "user", config->url.user);
	set_param(p, "dbname", config->url.database);
}

/* libpq looks at all parameters before it connects, here to a socket that cannot be: what it says
 * about a connection means that it took them. */
enum td_status pg_check_params(const struct pg_config *config, struct td_err *err)
{
	struct params p = {.count = 0};
	char words[300];
	set_defaults(&p, config);
	set_param(&p, "host", "/dev/null");
	p.names[p.count] = NULL;
	p.values[p.count] = NULL;
	PGconn *conn = PQconnectStartParams(p.names, p.values, /* expand_dbname= */ 0);
	if (conn == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for a connection");
	const char *message = PQerrorMessage(conn);
	bool refused = PQstatus(conn) == CONNECTION_BAD &&
		       strstr(message, "connection to server") == NULL;
	pg_message_for_people(message, words, sizeof(words));
	PQfinish(conn);
	return refused ? td_err_set(err, TD_INVALID, "libpq refuses it: %s", words) : TD_OK;
}

/* ---- one address
 * ---------------------------------------------------------------------------------------- */

struct attempt {
	const struct pg_config *config;
	const char *host;    /* as it was set */
	const char *address; /* numeric; NULL for a socket's folder */
	uint16_t port;
	enum pg_stage stage;
};

static void put_address(const struct attempt *a, char *out, size_t out_size)
{
	const char *host = a->address != NULL ? a->address : a->host;
	bool v6 = strchr(host, ':') != NULL;
	(void)snprintf(out, out_size, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", a->port);
}

static enum td_status fail(const struct attempt *a, enum connect_class class, const char *words,
	struct connect_failure *f)
{
	static const char *const verbs[] = {
		[PG_STAGE_TCP] = "connect to", [PG_STAGE_HANDSHAKE] = "log in at"};
	put_address(a, f->address, sizeof(f->address));
	f->class = class;
	int n = snprintf(
		f->reason, sizeof(f->reason), "%s %s: %s", verbs[a->stage], f->address, words);
	if (n < 0) /* one that is too long is cut */
		f->reason[0] = '\0';
	return TD_UNAVAILABLE;
}

static enum td_status fail_with_message(
	const struct attempt *a, PGconn *conn, struct connect_failure *f)
{
	const char *message = PQerrorMessage(conn);
	char words[300];
	struct attempt at = *a;
	enum connect_class class = pg_classify(message, a->stage);
	pg_message_for_people(message, words, sizeof(words));
	if (strcmp(connect_class_layer(class), "tcp") == 0)
		at.stage = PG_STAGE_TCP;
	if (class == CONNECT_NOT_THE_SERVER)
		return fail(
			&at, class, "what answers there does not speak PostgreSQL's protocol", f);
	if (class == CONNECT_CLOSED)
		return fail(&at, class, "the connection was accepted and then closed", f);
	return fail(&at, class, words, f);
}

static enum td_status fail_at_limit(const struct attempt *a, struct connect_failure *f)
{
	if (a->stage == PG_STAGE_TCP)
		return fail(a, CONNECT_NO_ANSWER, "no answer in time", f);
	return fail(a, CONNECT_SILENT, "the connection was accepted, but then nothing came", f);
}

static PGconn *begin(const struct attempt *a, const char *password)
{
	struct params p = {.count = 0};
	char port[8];
	(void)snprintf(port, sizeof(port), "%u", a->port);
	set_defaults(&p, a->config);
	set_param(&p, "host", a->host);
	set_param(&p, "hostaddr", a->address);
	set_param(&p, "port", port);
	set_param(&p, "password", password);
	p.names[p.count] = NULL;
	p.values[p.count] = NULL;
	return PQconnectStartParams(p.names, p.values, /* expand_dbname= */ 0);
}

/* Nothing was sent yet: `words` name the setting. */
static enum td_status fail_unreadable(
	const struct attempt *a, const char *words, struct connect_failure *f)
{
	put_address(a, f->address, sizeof(f->address));
	f->class = CONNECT_UNREADABLE;
	(void)snprintf(f->reason, sizeof(f->reason), "%.399s", words);
	return TD_UNAVAILABLE;
}

/* With the password as it is now, which is forgotten at once. */
static enum td_status begin_with_password(
	const struct attempt *a, PGconn **ret_conn, struct connect_failure *f)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	const char *password = NULL;
	enum td_status status = TD_OK;
	if (a->config->password != NULL)
		status = a->config->password(a->config->password_ctx, &arena, &password, &err);
	if (status != TD_OK) {
		status = fail_unreadable(a, err.text, f);
	} else {
		*ret_conn = begin(a, password);
		if (*ret_conn == NULL)
			status = fail(a, CONNECT_UNKNOWN, "no memory", f);
	}
	if (password != NULL)
		explicit_bzero((char *)(uintptr_t)password, strlen(password));
	td_arena_done(&arena);
	return status;
}

/* Drives libpq's state machine. The socket may be another one after each step. */
static enum td_status drive(struct attempt *a, PGconn *conn, const struct connect_limit *limit,
	struct connect_failure *f)
{
	PostgresPollingStatusType want = PGRES_POLLING_WRITING;
	while (want != PGRES_POLLING_OK) {
		if (want == PGRES_POLLING_FAILED || PQstatus(conn) == CONNECTION_BAD)
			return fail_with_message(a, conn, f);
		short events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		if (!wait_fd(PQsocket(conn), events, limit))
			return fail_at_limit(a, f);
		want = PQconnectPoll(conn);
		if (PQstatus(conn) != CONNECTION_STARTED && PQstatus(conn) != CONNECTION_BAD)
			a->stage = PG_STAGE_HANDSHAKE;
	}
	return TD_OK;
}

/* A pooler accepts a login while its server is away: only an answered query counts. */
static enum td_status check_server(const struct attempt *a, PGconn *conn,
	const struct connect_limit *limit, struct connect_failure *f)
{
	struct td_err err = TD_ERR_INIT;
	struct attempt at = *a;
	at.stage = PG_STAGE_HANDSHAKE;
	PGresult *result = NULL;
	enum td_status status = pg_query_row(conn,
		"SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')", 2,
		limit, &result, &err);
	if (status == TD_TIMEOUT)
		return fail_at_limit(&at, f);
	if (status != TD_OK)
		return fail(&at,
			err.state[0] != '\0' ? pg_classify_sqlstate(err.state) : CONNECT_CLOSED,
			err.text, f);
	bool standby = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
	bool read_only = strcmp(PQgetvalue(result, 0, 1), "on") == 0;
	PQclear(result);
	if ((standby || read_only) && !a->config->may_be_read_only)
		return fail(&at, CONNECT_READ_ONLY,
			standby ? "the server is a read-only standby"
				: "the server's sessions are read-only",
			f);
	if (PQserverVersion(conn) < 120000)
		return fail(&at, CONNECT_TOO_OLD, "the server is older than PostgreSQL 12", f);
	return TD_OK;
}

/* libpq would print notices to stderr. */
static void ignore_notice(void *ctx, const PGresult *result)
{
	(void)ctx;
	(void)result;
}

static enum td_status connect_address(struct attempt *a, const struct connect_limit *limit,
	PGconn **ret_conn, struct connect_failure *f)
{
	PGconn *conn = NULL;
	enum td_status status = begin_with_password(a, &conn, f);
	if (status != TD_OK)
		return status;
	(void)PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	(void)PQsetNoticeReceiver(conn, ignore_notice, NULL);
	status = drive(a, conn, limit, f);
	if (status == TD_OK && PQsetnonblocking(conn, 1) != 0)
		status = fail(a, CONNECT_UNKNOWN, "the socket cannot be made non-blocking", f);
	if (status == TD_OK)
		status = check_server(a, conn, limit, f);
	if (status != TD_OK) {
		PQfinish(conn);
		return status;
	}
	*ret_conn = conn;
	return TD_OK;
}

/* ---- all addresses
 * -------------------------------------------------------------------------------------- */

static struct connect_failure *next_row(struct connect_failures *failures)
{
	if (failures->count < CONNECT_FAILURES_MOST)
		failures->count++;
	return &failures->list[failures->count - 1];
}

/* What is left of the time, shared evenly by what is still to be tried, so that one silent address
 * does not eat it all. */
static struct connect_limit share_of(const struct connect_limit *limit, size_t still_to_try)
{
	uint64_t now = now_ms();
	uint64_t left = limit->deadline_ms > now ? limit->deadline_ms - now : 0;
	return (struct connect_limit){
		now + left / (still_to_try > 0 ? still_to_try : 1), limit->stop};
}

static enum td_status connect_host(const struct pg_config *config, const struct connect_host *host,
	const struct connect_limit *limit, PGconn **ret_conn, struct connect_failures *failures)
{
	struct attempt a = {.config = config, .host = host->name, .port = host->port};
	if (host->name[0] == '/')
		return connect_address(&a, limit, ret_conn, next_row(failures));
	struct connect_addresses found;
	struct connect_failure unresolved = {.class = CONNECT_NAME};
	enum td_status status = connect_resolve(host->name, limit, &found, &unresolved);
	if (status != TD_OK) {
		(void)snprintf(unresolved.address, sizeof(unresolved.address), "%.250s:%u",
			host->name, host->port);
		*next_row(failures) = unresolved;
		return TD_UNAVAILABLE;
	}
	for (size_t i = 0; i < found.count; i++) {
		struct connect_limit share = share_of(limit, found.count - i);
		a.address = found.text[i];
		a.stage = PG_STAGE_TCP;
		status = connect_address(&a, &share, ret_conn, next_row(failures));
		if (status == TD_OK)
			return TD_OK;
	}
	return TD_UNAVAILABLE;
}

enum td_status pg_connect(const struct pg_config *config, const struct connect_limit *limit,
	PGconn **ret_conn, struct connect_failures *ret_failures)
{
	ret_failures->count = 0;
	for (size_t i = 0; i < config->url.host_count; i++) {
		struct connect_limit share = share_of(limit, config->url.host_count - i);
		if (connect_host(config, &config->url.hosts[i], &share, ret_conn, ret_failures) ==
			TD_OK)
			return TD_OK;
	}
	return TD_UNAVAILABLE;
}

/* ---- talking
 * -------------------------------------------------------------------------------------------- */

bool pg_flush(PGconn *conn, const struct connect_limit *limit)
{
	for (;;) {
		int left = PQflush(conn);
		if (left == 0)
			return true;
		if (left < 0 || !pg_wait(conn, /* for_write= */ true, limit) ||
			PQconsumeInput(conn) == 0)
			return false;
	}
}

PGresult *pg_next_result(PGconn *conn, const struct connect_limit *limit, bool *ret_lost)
{
	*ret_lost = false;
	while (PQisBusy(conn)) {
		if (!pg_wait(conn, /* for_write= */ false, limit) || PQconsumeInput(conn) == 0) {
			*ret_lost = true;
			return NULL;
		}
	}
	return PQgetResult(conn);
}

enum td_status pg_result_error(const PGresult *result, struct td_err *err)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	enum td_status code = state == NULL ? TD_UNAVAILABLE : TD_INTERNAL;
	(void)td_err_set(err, code, "%s%s%s%s",
		text != NULL ? text : "the connection to PostgreSQL was lost",
		state != NULL ? " (SQLSTATE " : "", state != NULL ? state : "",
		state != NULL ? ")" : "");
	if (err != NULL && state != NULL)
		(void)snprintf(err->state, sizeof(err->state), "%.5s", state);
	return code;
}

static bool is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
	       status == PGRES_EMPTY_QUERY;
}

/* Reads all results; the first error is the one that tells why (a FATAL goes before "closed
 * unexpectedly"). */
enum td_status pg_finish_query(
	PGconn *conn, const struct connect_limit *limit, PGresult **ret_result, struct td_err *err)
{
	enum td_status status = TD_OK;
	PGresult *kept = NULL;
	for (;;) {
		bool lost;
		PGresult *result = pg_next_result(conn, limit, &lost);
		if (lost && status == TD_OK)
			status = connect_limit_slice_ms(limit) == 0 &&
						 PQstatus(conn) == CONNECTION_OK
					 ? td_err_set(err, TD_TIMEOUT,
						   "PostgreSQL did not answer in time")
					 : td_err_set(err, TD_UNAVAILABLE,
						   "the connection to PostgreSQL was lost");
		if (result == NULL)
			break;
		if (status == TD_OK && !is_good(result))
			status = pg_result_error(result, err);
		PQclear(kept);
		kept = result;
	}
	if (status == TD_OK && ret_result != NULL)
		*ret_result = kept;
	else
		PQclear(kept);
	return status;
}

enum td_status pg_query(PGconn *conn, const char *sql, const char *const *params, int count,
	const struct connect_limit *limit, PGresult **ret_result, struct td_err *err)
{
	if (PQsendQueryParams(conn, sql, count, NULL, params, NULL, NULL, /* resultFormat= */ 0) ==
			0 ||
		!pg_flush(conn, limit))
		return td_err_set(err, TD_UNAVAILABLE, "the connection to PostgreSQL was lost");
	return pg_finish_query(conn, limit, ret_result, err);
}

enum td_status pg_query_row(PGconn *conn, const char *sql, int columns,
	const struct connect_limit *limit, PGresult **ret_result, struct td_err *err)
{
	PGresult *result = NULL;
	enum td_status status = pg_query(conn, sql, NULL, 0, limit, &result, err);
	if (status == TD_OK && (PQntuples(result) != 1 || PQnfields(result) != columns)) {
		PQclear(result);
		return td_err_set(
			err, TD_INTERNAL, "what answers is not the PostgreSQL that it says it is");
	}
	if (status == TD_OK)
		*ret_result = result;
	return status;
}
