/* Answers that are made for one request. */
#include "http/internal.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/problem.h"
#include "http/fields.h"
#include "http/syntax.h"

#include <stdio.h>
#include <string.h>

/* ---- Headers --------------------------------------------------------------------------------- */

bool http_put_header(struct MHD_Response *response, const char *name, const char *value)
{
	return http_is_token(td_slice_str(name)) && http_is_field_value(td_slice_str(value)) &&
	       MHD_add_response_header(response, name, value) == MHD_YES;
}

const struct http_header http_security_headers[] = {
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "strict-origin-when-cross-origin"},
	{"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
};
const size_t http_security_header_count = TD_ARRAY_LEN(http_security_headers);

bool http_put_security(
	struct MHD_Response *response, const char *csp, const char *referrer, bool hsts)
{
	bool ok = http_put_header(
		response, "Content-Security-Policy", csp != NULL ? csp : HTTP_API_CSP);
	for (size_t i = 0; i < http_security_header_count; i++) {
		const struct http_header *h = &http_security_headers[i];
		bool is_other = referrer != NULL && strcmp(h->name, "Referrer-Policy") == 0;
		ok = ok && MHD_add_response_header(
				   response, h->name, is_other ? referrer : h->value) == MHD_YES;
	}
	if (hsts)
		ok = ok && http_put_header(response, "Strict-Transport-Security", HTTP_HSTS);
	return ok;
}

static bool closes(const struct http_request *rq)
{
	return atomic_load_explicit(&rq->server->is_quiescing, memory_order_relaxed);
}

bool http_needs_own(const struct http_request *rq)
{
	return rq->extra != NULL || closes(rq);
}

bool http_put_own(struct http_request *rq, struct MHD_Response *response)
{
	bool ok = true;
	for (const struct http_extra_header *h = rq->extra; h != NULL; h = h->next)
		ok = ok && http_put_header(response, h->name, h->value);
	if (closes(rq))
		ok = ok && http_put_header(response, "Connection", "close");
	return ok;
}

bool http_add_header(struct http_request *rq, const char *name, const char *value)
{
	if (!http_is_token(td_slice_str(name)) || !http_is_field_value(td_slice_str(value)))
		return false;
	struct http_extra_header *h = td_arena_alloc(&rq->arena, sizeof(*h));
	if (h == NULL)
		return false;
	h->name = td_arena_strndup(&rq->arena, name, strlen(name));
	h->value = td_arena_strndup(&rq->arena, value, strlen(value));
	if (h->name == NULL || h->value == NULL)
		return false;
	struct http_extra_header **at = &rq->extra;
	while (*at != NULL)
		at = &(*at)->next;
	*at = h;
	return true;
}

/* ---- Queueing -------------------------------------------------------------------------------- */

void http_queue(struct http_request *rq, unsigned status, struct MHD_Response *response)
{
	http_request_disarm(rq);
	rq->stage = HTTP_STAGE_REPLIED;
	if (!http_conn_enter(rq->conn, HTTP_PHASE_SEND, td_clock_mono_ns() / 1000000))
		return;
	if (MHD_queue_response(rq->mhd, status, response) == MHD_YES)
		rq->status = status;
	atomic_fetch_add_explicit(&rq->server->requests, 1, memory_order_relaxed);
}

/* NULL: as everywhere. An address that is no route's may be a secret one that was mistyped. */
static const char *referrer_policy_of(const struct http_request *rq)
{
	bool is_secret = http_request_route(rq) == NULL ||
			 (http_route_flags(rq) & HTTP_ROUTE_SECRET) != 0;
	return is_secret ? "no-referrer" : NULL;
}

void http_reply_bare(struct http_request *rq)
{
	static char fault[] = "{\"type\":\"/problems/internal-error\",\"title\":\"Something went "
			      "wrong on our side\",\"status\":500,\"code\":\"internal-error\"}\n";
	struct MHD_Response *response = MHD_create_response_from_buffer(
		sizeof(fault) - 1, fault, MHD_RESPMEM_PERSISTENT);
	rq->stage = HTTP_STAGE_REPLIED;
	http_request_disarm(rq);
	if (response == NULL)
		return;
	/* Without them it is still an answer. */
	(void)(http_put_header(response, "Content-Type", "application/problem+json") &&
		http_put_header(response, "Cache-Control", "no-store") &&
		http_put_security(response, NULL, referrer_policy_of(rq), rq->server->is_https));
	http_queue(rq, 500, response);
	MHD_destroy_response(response);
}

static struct MHD_Response *make_body(const struct http_reply *reply)
{
	static char empty[1];
	struct td_buf *take = reply->take;
	if (take != NULL && take->ptr != NULL) {
		struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback(
			take->len, take->ptr, td_free);
		if (response != NULL)
			*take = (struct td_buf)TD_BUF_INIT;
		return response;
	}
	if (reply->body.len == 0 || take != NULL)
		return MHD_create_response_from_buffer(0, empty, MHD_RESPMEM_PERSISTENT);
	char *copy = td_strndup(reply->body.ptr, reply->body.len);
	if (copy == NULL)
		return NULL;
	struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback(
		reply->body.len, copy, td_free);
	if (response == NULL)
		td_free(copy);
	return response;
}

static bool put_optional(struct MHD_Response *response, const char *name, const char *value)
{
	return value == NULL || http_put_header(response, name, value);
}

static const char *cache_control_of(const struct http_request *rq, const struct http_reply *reply)
{
	if (reply->cache_control != NULL)
		return reply->cache_control;
	return (http_route_flags(rq) & HTTP_ROUTE_PLAIN) != 0 ? NULL : "no-store";
}

static bool put_all(
	struct http_request *rq, const struct http_reply *reply, struct MHD_Response *response)
{
	bool ok = put_optional(response, "Content-Type", reply->content_type) &&
		  put_optional(response, "Cache-Control", cache_control_of(rq, reply)) &&
		  put_optional(response, "Vary", reply->vary) &&
		  put_optional(response, "ETag", reply->etag) &&
		  http_put_security(
			  response, reply->csp, referrer_policy_of(rq), rq->server->is_https);
	for (size_t i = 0; i < reply->header_count; i++)
		ok = ok && put_optional(response, reply->headers[i].name, reply->headers[i].value);
	return ok && http_put_own(rq, response);
}

void http_begin_answer(struct http_request *rq)
{
	const struct http_server_config *config = &rq->server->config;
	if (config->answer != NULL)
		config->answer(rq, config->answer_ctx);
}

void http_reply(struct http_request *rq, const struct http_reply *reply)
{
	http_begin_answer(rq);
	bool is_failed = reply->take != NULL && reply->take->failed;
	struct MHD_Response *response = is_failed ? NULL : make_body(reply);
	if (response == NULL || !put_all(rq, reply, response)) {
		if (response != NULL)
			MHD_destroy_response(response);
		http_reply_bare(rq);
		return;
	}
	bool is_safe = rq->method == HTTP_METHOD_GET || rq->method == HTTP_METHOD_HEAD;
	bool is_same = reply->etag != NULL && reply->status == 200 && is_safe &&
		       http_etag_matches(rq->guard.if_none_match, td_slice_str(reply->etag));
	http_queue(rq, is_same ? 304 : reply->status, response);
	MHD_destroy_response(response);
}

void http_redirect(struct http_request *rq, unsigned status, const char *location)
{
	struct http_header header = {"Location", location};
	http_reply(
		rq, &(struct http_reply){.status = status, .headers = &header, .header_count = 1});
}

/* ---- Problems -------------------------------------------------------------------------------- */

static void put_errors(struct td_json *json, const struct http_problem *p)
{
	td_json_name(json, "errors");
	td_json_open(json, '[');
	for (size_t i = 0; i < p->error_count; i++) {
		td_json_open(json, '{');
		td_json_member_str(json, "pointer", p->errors[i].pointer);
		td_json_member_str(json, "detail", p->errors[i].detail);
		td_json_close(json, '}');
	}
	td_json_close(json, ']');
}

static void put_problem(struct td_buf *body, const struct http_problem *p)
{
	struct td_json json = td_json_to(body);
	td_json_open(&json, '{');
	char type[96];
	(void)snprintf(type, sizeof(type), "/problems/%s", p->code);
	td_json_member_str(&json, "type", type);
	td_json_member_str(&json, "title", p->title);
	td_json_member_i64(&json, "status", p->status);
	td_json_member_str(&json, "code", p->code);
	if (p->detail != NULL)
		td_json_member_str(&json, "detail", p->detail);
	if (p->error_count > 0)
		put_errors(&json, p);
	if (p->extra_json != NULL) {
		td_buf_put_char(body, ',');
		td_buf_put_str(body, p->extra_json);
	}
	td_json_close(&json, '}');
	td_buf_put_char(body, '\n');
}

struct http_problem http_problem_complete(const struct http_problem *given)
{
	struct http_problem p = *given;
	const struct td_problem_info *info = td_problem_find(td_slice_str(p.code));
	if (p.status == 0)
		p.status = info != NULL ? (unsigned)info->http : 500;
	if (p.title == NULL)
		p.title = info != NULL ? info->title : "";
	if (p.retry_after_s == 0 && (p.status == 503 || p.status == 429))
		p.retry_after_s = 1;
	return p;
}

void http_problem_put(struct td_buf *out, const struct http_problem *given)
{
	struct http_problem p = http_problem_complete(given);
	put_problem(out, &p);
}

static void send_problem(struct http_request *rq, const struct http_problem *p)
{
	struct td_buf body = TD_BUF_INIT;
	char retry[16] = "";
	http_problem_put(&body, p);
	(void)snprintf(retry, sizeof(retry), "%u", p->retry_after_s);
	const struct http_header headers[] = {
		{"Retry-After", p->retry_after_s != 0 ? retry : NULL},
		{"Allow", p->allow},
		{"WWW-Authenticate", p->status == 401 ? "Bearer" : NULL},
	};
	http_reply(rq, &(struct http_reply){
			       .status = p->status,
			       .content_type = "application/problem+json",
			       .take = &body,
			       .cache_control = "no-store",
			       .headers = headers,
			       .header_count = TD_ARRAY_LEN(headers),
		       });
	td_buf_done(&body);
}

static bool wants_page(const struct http_request *rq)
{
	const struct http_route *route = http_request_route(rq);
	if (rq->server->config.error_page == NULL || rq->in_error_page)
		return false;
	if (route != NULL)
		return (route->flags & HTTP_ROUTE_PAGE) != 0;
	return http_wants_html(rq);
}

void http_reply_problem(struct http_request *rq, const struct http_problem *given)
{
	struct http_problem p = http_problem_complete(given);
	if (wants_page(rq)) {
		rq->in_error_page = true;
		bool is_done = rq->server->config.error_page(rq, &p, rq->server->config.hook_ctx);
		rq->in_error_page = false;
		if (is_done)
			return;
	}
	send_problem(rq, &p);
}

static const char *code_of(enum td_status status, const char *code)
{
	if (status == TD_NOMEM || status == TD_BUSY || status == TD_STOPPING)
		return "overloaded";
	if (status == TD_UNAVAILABLE || status == TD_TIMEOUT)
		return "store-unavailable";
	if (td_status_http(status) >= 500)
		return "internal-error";
	return code;
}

void http_reply_err(struct http_request *rq, const struct td_err *err, const char *code)
{
	bool is_ours = td_status_http(err->code) >= 500;
	http_reply_problem(rq, &(struct http_problem){
				       .status = (unsigned)td_status_http(err->code),
				       .code = code_of(err->code, code),
				       .detail = is_ours ? td_status_words(err->code) : err->text,
			       });
}
