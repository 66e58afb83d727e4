/* The life of a request, as libmicrohttpd calls it:
 *
 *   on_uri        the request line has come: struct http_request is made          NEW
 *   on_access     the header has come: guard, route, query                        NEW -> BODY or
 * HANDLER on_access     parts of the body                                               BODY
 *   on_access     the body is whole: the handler runs                             BODY -> HANDLER
 *                 it replied                                                      REPLIED
 *                 it awaits: suspended                                            AWAITING
 *   on_access     resumed: the continuation runs                                  AWAITING ->
 * HANDLER on_completed  answered or broken off: figures, phase, memory
 *
 * All of these come on the one HTTP thread that has the connection. */
#include "http/internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "http/fields.h"

#include <string.h>
#include <sys/socket.h>

#define BODY_FIRST 4096

static struct http_request *check(void *request)
{
	struct http_request *rq = request;
	td_assert(rq == NULL || rq->magic == HTTP_REQUEST_MAGIC);
	return rq;
}

const struct http_route *http_request_route(const struct http_request *rq)
{
	return rq->row < 0 ? NULL : &rq->server->routes.rows[rq->row];
}

/* ---- Coming and going ------------------------------------------------------------------------ */

static struct http_conn *conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info == NULL ? NULL : info->socket_context;
}

/* 0.9.75 cuts the query into parameters that share the connection's memory; where some 115 of them
 * fill it, it neither answers nor closes. The query is decoded from our copy, so theirs needs no
 * parts. What is written to is their buffer, which they are about to write to themselves. */
static void hide_query(const char *uri, size_t len)
{
#if !HTTP_MHD_IS_NEW
	char *text = (char *)(uintptr_t)uri;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '?' || text[i] == '&')
			text[i] = '_';
	}
#else
	(void)uri;
	(void)len;
#endif
}

/* Later there might be no room for the header, and then the library answers, with another status.
 */
static void refuse_early(struct http_request *rq)
{
	struct http_verdict v = http_guard_target(td_slice(rq->raw, rq->raw_len));
	atomic_fetch_add_explicit(&rq->server->rejected, 1, memory_order_relaxed);
	http_refuse(rq, &v);
	(void)http_conn_enter(rq->conn, HTTP_PHASE_DEAD, rq->begin_ns / 1000000);
	(void)shutdown(rq->conn->fd, SHUT_RDWR);
}

void *http_request_on_uri(void *server, const char *uri, struct MHD_Connection *mhd)
{
	struct http_server *s = server;
	struct http_conn *conn = conn_of(mhd);
	size_t len = strlen(uri);
	uint64_t now_ns = td_clock_mono_ns();
	if (conn == NULL || !http_conn_enter(conn, HTTP_PHASE_HEADER, now_ns / 1000000))
		return NULL;
	struct http_request *rq = td_alloc(sizeof(*rq) + len + 1);
	if (rq == NULL)
		return NULL;
	memset(rq, 0, sizeof(*rq));
	rq->magic = HTTP_REQUEST_MAGIC;
	rq->stage = HTTP_STAGE_NEW;
	atomic_init(&rq->gate, HTTP_GATE_OPEN);
	atomic_init(&rq->refs, 1);
	rq->server = s;
	rq->conn = conn;
	rq->mhd = mhd;
	rq->row = -1;
	rq->method = HTTP_METHOD_OTHER;
	rq->arena.limit = s->config.arena_limit;
	rq->begin_ns = now_ns;
	rq->raw_len = len;
	rq->wire_target = uri;
	memcpy(rq->raw, uri, len + 1);
	hide_query(uri, len);
	if (len > HTTP_TARGET_MOST)
		refuse_early(rq);
	return rq;
}

static void let_go(struct http_request *rq)
{
	if (atomic_fetch_sub_explicit(&rq->refs, 1, memory_order_acq_rel) != 1)
		return;
	td_free(rq->body);
	td_arena_done(&rq->arena);
	rq->magic = 0;
	td_free(rq);
}

static void log_request(const struct http_request *rq, uint64_t duration_ns)
{
	td_log(TD_LOG_DEBUG, "http.request", "%s %s %u %.3f ms", http_method_name(rq->method),
		http_route_pattern(rq), rq->status, (double)duration_ns / 1e6);
}

void http_request_on_completed(void *server, struct MHD_Connection *mhd, void **request,
	enum MHD_RequestTerminationCode how)
{
	struct http_server *s = server;
	struct http_request *rq = check(*request);
	(void)mhd;
	(void)how;
	if (rq == NULL)
		return;
	*request = NULL;
	uint64_t now_ns = td_clock_mono_ns();
	if (rq->status != 0) {
		uint64_t duration_ns = now_ns - rq->begin_ns;
		http_metrics_count(&s->metrics, rq->conn->thread, rq->row, rq->method, rq->status,
			duration_ns);
		if (td_log_is_on(TD_LOG_DEBUG))
			log_request(rq, duration_ns);
	}
	if (rq->stage == HTTP_STAGE_AWAITING)
		(void)http_conn_set_awaiting(rq->conn, NULL);
	atomic_store_explicit(&rq->conn->has_served, true, memory_order_relaxed);
	(void)http_conn_enter(rq->conn, HTTP_PHASE_IDLE, now_ns / 1000000);
	let_go(rq);
}

/* ---- Handlers, and waiting ------------------------------------------------------------------- */

void http_await(struct http_request *rq, http_continue_fn *fn, void *ctx)
{
	td_assert(rq->stage == HTTP_STAGE_HANDLER);
	td_assert(atomic_load(&rq->gate) == HTTP_GATE_OPEN);
	rq->continue_fn = fn;
	rq->continue_ctx = ctx;
	atomic_fetch_add(&rq->refs, 1);
	atomic_store_explicit(&rq->gate, HTTP_GATE_ARMED, memory_order_release);
}

void http_request_disarm(struct http_request *rq)
{
	int gate = HTTP_GATE_ARMED;
	if (atomic_compare_exchange_strong(&rq->gate, &gate, HTTP_GATE_OPEN))
		let_go(rq);
}

void http_wake(struct http_request *rq)
{
	struct MHD_Connection *mhd = rq->mhd;
	int gate = HTTP_GATE_ARMED;
	if (!atomic_compare_exchange_strong(&rq->gate, &gate, HTTP_GATE_WOKEN)) {
		gate = HTTP_GATE_SUSPENDED;
		if (atomic_compare_exchange_strong(&rq->gate, &gate, HTTP_GATE_WOKEN))
			MHD_resume_connection(mhd);
	}
	let_go(rq);
}

bool http_request_cut(struct http_request *rq)
{
	int gate = HTTP_GATE_SUSPENDED;
	return atomic_compare_exchange_strong(&rq->gate, &gate, HTTP_GATE_CUT);
}

void http_request_resume(struct http_request *rq)
{
	MHD_resume_connection(rq->mhd);
}

static enum MHD_Result suspend(struct http_request *rq)
{
	rq->stage = HTTP_STAGE_AWAITING;
	(void)http_conn_enter(rq->conn, HTTP_PHASE_BUSY, td_clock_mono_ns() / 1000000);
	MHD_suspend_connection(rq->mhd);
	bool may_wait = http_conn_set_awaiting(rq->conn, rq);
	int gate = HTTP_GATE_ARMED;
	int next = may_wait ? HTTP_GATE_SUSPENDED : HTTP_GATE_CUT;
	bool is_woken = !atomic_compare_exchange_strong(&rq->gate, &gate, next);
	/* Nobody else resumes in these two cases; in the third somebody may have already. */
	if (is_woken || !may_wait)
		MHD_resume_connection(rq->mhd);
	return MHD_YES;
}

static void run_continuation(struct http_request *rq)
{
	atomic_store_explicit(&rq->gate, HTTP_GATE_OPEN, memory_order_relaxed);
	rq->continue_fn(rq, rq->continue_ctx);
}

/* After a handler or continuation has returned: it replied, or it awaits, or it forgot both. */
static enum MHD_Result settle(struct http_request *rq)
{
	while (rq->stage == HTTP_STAGE_HANDLER) {
		int gate = atomic_load_explicit(&rq->gate, memory_order_acquire);
		if (gate == HTTP_GATE_ARMED)
			return suspend(rq);
		if (gate == HTTP_GATE_WOKEN)
			run_continuation(rq);
		else
			http_reply_bare(rq);
	}
	return rq->status != 0 ? MHD_YES : MHD_NO;
}

static enum MHD_Result go_on(struct http_request *rq)
{
	int gate = atomic_load_explicit(&rq->gate, memory_order_acquire);
	if (gate == HTTP_GATE_SUSPENDED)
		return MHD_YES;
	(void)http_conn_set_awaiting(rq->conn, NULL);
	rq->stage = HTTP_STAGE_HANDLER;
	if (gate == HTTP_GATE_CUT)
		return MHD_NO;
	run_continuation(rq);
	return settle(rq);
}

static void problem(struct http_request *rq, unsigned status, const char *code, const char *detail)
{
	http_reply_problem(
		rq, &(struct http_problem){.status = status, .code = code, .detail = detail});
}

static void reply_not_allowed(struct http_request *rq)
{
	char allow[HTTP_ALLOW_SIZE];
	http_route_allow(rq->match.pattern, allow);
	http_reply_problem(rq, &(struct http_problem){.status = 405,
				       .code = "method-not-allowed",
				       .detail = "this address does not take that method",
				       .allow = allow});
}

static void reply_options(struct http_request *rq)
{
	char allow[HTTP_ALLOW_SIZE] = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
	if (rq->match.pattern != NULL)
		http_route_allow(rq->match.pattern, allow);
	struct http_header header = {"Allow", allow};
	http_reply(rq, &(struct http_reply){.status = 204, .headers = &header, .header_count = 1});
}

static bool has_wanted_type(struct http_request *rq, unsigned flags)
{
	if ((flags & (HTTP_ROUTE_JSON | HTTP_ROUTE_FORM)) == 0 || rq->body_len == 0)
		return true;
	struct td_slice type = {NULL, 0};
	if (!http_header(rq, "Content-Type", &type) ||
		http_header_count(rq, "Content-Encoding") > 0)
		return false;
	return http_media_type_is(type, (flags & HTTP_ROUTE_JSON) != 0
						? "application/json"
						: "application/x-www-form-urlencoded");
}

static void call_handler(struct http_request *rq, const struct http_route *route)
{
	const struct http_server_config *config = &rq->server->config;
	if (!has_wanted_type(rq, route->flags)) {
		problem(rq, 415, "unsupported-media-type",
			(route->flags & HTTP_ROUTE_JSON) != 0
				? "send the body with Content-Type: application/json"
				: "send the body with Content-Type: "
				  "application/x-www-form-urlencoded");
		return;
	}
	bool asks = config->before != NULL && (route->flags & HTTP_ROUTE_ALWAYS) == 0;
	if (asks && config->before(rq, route, config->hook_ctx))
		return;
	route->handler(rq, route->ctx);
}

static enum MHD_Result dispatch(struct http_request *rq)
{
	const struct http_route *route = http_request_route(rq);
	rq->stage = HTTP_STAGE_HANDLER;
	if (!http_conn_enter(rq->conn, HTTP_PHASE_BUSY, td_clock_mono_ns() / 1000000))
		return MHD_NO;
	if (rq->method == HTTP_METHOD_OPTIONS &&
		(rq->match.pattern != NULL || rq->target.form == HTTP_TARGET_ASTERISK))
		reply_options(rq);
	else if (rq->match.pattern == NULL)
		problem(rq, 404, "not-found", "there is nothing at this address");
	else if (route == NULL)
		reply_not_allowed(rq);
	else
		call_handler(rq, route);
	return settle(rq);
}

/* ---- The header ------------------------------------------------------------------------------ */

static struct http_verdict refuse(unsigned status, const char *code, const char *detail)
{
	return (struct http_verdict){status, code, detail};
}

static struct http_verdict find_route(struct http_request *rq)
{
	if (rq->target.form == HTTP_TARGET_ASTERISK)
		return refuse(0, NULL, NULL);
	enum td_status status = http_route_find(
		&rq->server->routes, rq->target.path, &rq->arena, &rq->match);
	if (status == TD_INVALID)
		return refuse(400, "bad-request", "the path's percent-encoding is not UTF-8");
	if (status != TD_OK)
		return refuse(503, "overloaded", NULL);
	if (rq->match.pattern != NULL)
		rq->row = http_route_row(rq->match.pattern, rq->method);
	if (rq->target.query.len == 0)
		return refuse(0, NULL, NULL);
	status = http_form_decode(rq->target.query, &rq->arena, &rq->query);
	if (status == TD_INVALID)
		return refuse(400, "bad-request", "the query's percent-encoding is not UTF-8");
	if (status == TD_TOOBIG)
		return refuse(400, "bad-request", "the query has too many parameters");
	return status == TD_OK ? refuse(0, NULL, NULL) : refuse(503, "overloaded", NULL);
}

static size_t most_body(const struct http_request *rq)
{
	const struct http_route *route = http_request_route(rq);
	return route != NULL && route->max_body != 0 ? route->max_body
						     : rq->server->config.max_body;
}

static struct http_verdict read_header(
	struct http_request *rq, const char *method, const char *version)
{
	struct td_slice raw = td_slice(rq->raw, rq->raw_len);
	struct td_slice method_name = td_slice_str(method);
	uint64_t body_len = 0;
	rq->method = http_method_find(method_name);
	rq->guard.is_http_1_0 = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
	struct http_verdict v = http_wire_check(rq, method, version);
	if (v.status != 0)
		return v;
	bool is_target = http_target_parse(raw, &rq->target);
	v = http_guard_verdict(&rq->guard, rq->method, method_name, raw,
		is_target ? &rq->target : NULL, &body_len);
	if (v.status != 0)
		return v;
	v = find_route(rq);
	if (v.status == 0 && body_len > most_body(rq))
		v = refuse(413, "payload-too-large",
			"the request body is larger than this address takes");
	rq->body_wanted = v.status == 0 ? (size_t)body_len : 0;
	return v;
}

static enum MHD_Result begin(struct http_request *rq, const char *method, const char *version)
{
	struct http_verdict v = read_header(rq, method, version);
	rq->stage = HTTP_STAGE_HANDLER;
	if (v.status != 0) {
		if (!http_conn_enter(rq->conn, HTTP_PHASE_SEND, td_clock_mono_ns() / 1000000))
			return MHD_NO;
		atomic_fetch_add_explicit(&rq->server->rejected, 1, memory_order_relaxed);
		http_refuse(rq, &v);
		return MHD_NO;
	}
	/* What is answered in this first call is answered with Connection: close, and what follows
	 * is never read: right for what was refused, wrong for all else. */
	rq->stage = HTTP_STAGE_BODY;
	return http_conn_enter(rq->conn, HTTP_PHASE_BODY, rq->begin_ns / 1000000) ? MHD_YES
										  : MHD_NO;
}

/* ---- The body -------------------------------------------------------------------------------- */

/* Memory grows with what has come, not with what was announced. */
static bool make_room(struct http_request *rq, size_t more)
{
	if (more <= rq->body_cap - rq->body_len)
		return true;
	size_t cap = rq->body_cap == 0 ? BODY_FIRST : rq->body_cap * 2;
	while (cap - rq->body_len < more)
		cap *= 2;
	if (cap > rq->body_wanted)
		cap = rq->body_wanted;
	char *body = td_realloc_array(rq->body, cap + 1, 1);
	if (body == NULL)
		return false;
	rq->body = body;
	rq->body_cap = cap;
	return true;
}

static enum MHD_Result take_body(struct http_request *rq, const char *bytes, size_t *len)
{
	if (*len > rq->body_wanted - rq->body_len || !make_room(rq, *len))
		return MHD_NO;
	memcpy(rq->body + rq->body_len, bytes, *len);
	rq->body_len += *len;
	rq->body[rq->body_len] = '\0';
	*len = 0;
	return MHD_YES;
}

enum MHD_Result http_request_on_access(void *server, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_len,
	void **request)
{
	(void)server;
	(void)mhd;
	(void)url;
	struct http_request *rq = check(*request);
	if (rq == NULL)
		return MHD_NO;
	switch (rq->stage) {
	case HTTP_STAGE_NEW:
		return begin(rq, method, version);
	case HTTP_STAGE_BODY:
		if (*upload_len > 0)
			return take_body(rq, upload, upload_len);
		return rq->body_len == rq->body_wanted ? dispatch(rq) : MHD_NO;
	case HTTP_STAGE_AWAITING:
		return go_on(rq);
	case HTTP_STAGE_REPLIED:
	case HTTP_STAGE_HANDLER:
		break; /* refused already, or broken off */
	}
	return MHD_NO;
}
