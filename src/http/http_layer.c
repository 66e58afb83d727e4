/* The shape of the layer, so that those above link while its parts come in. */
#include "http/http.h"

#define NOTHING(T) ((T){0})
#define U(x)       (void)(x)

enum td_status http_server_create(
	const struct http_server_config *c, struct http_server **s, struct td_err *e)
{
	U(c);
	U(s);
	return td_err_set(e, TD_INTERNAL, "no server yet");
}
enum td_status http_server_add_routes(
	struct http_server *s, const struct http_route *r, size_t n, struct td_err *e)
{
	U(s);
	U(r);
	U(n);
	return td_err_set(e, TD_INTERNAL, "no server yet");
}
enum td_status http_server_start(struct http_server *s, struct td_err *e)
{
	U(s);
	return td_err_set(e, TD_INTERNAL, "no server yet");
}
const char *http_server_address(const struct http_server *s)
{
	U(s);
	return "";
}
unsigned http_server_port(const struct http_server *s)
{
	U(s);
	return 0;
}
void http_server_quiesce(struct http_server *s)
{
	U(s);
}
bool http_server_stop(struct http_server *s, uint64_t d)
{
	U(s);
	U(d);
	return true;
}
void http_server_destroy(struct http_server *s)
{
	U(s);
}
void http_server_tick(void *s, uint64_t n)
{
	U(s);
	U(n);
}
void http_server_get_stats(struct http_server *s, struct http_server_stats *r)
{
	U(s);
	*r = NOTHING(struct http_server_stats);
}
void http_server_put_metrics(struct http_server *s, struct td_buf *o)
{
	U(s);
	U(o);
}
const char *http_method(const struct http_request *r)
{
	U(r);
	return "";
}
struct td_slice http_path(const struct http_request *r)
{
	U(r);
	return NOTHING(struct td_slice);
}
struct td_slice http_target(const struct http_request *r)
{
	U(r);
	return NOTHING(struct td_slice);
}
const char *http_route_pattern(const struct http_request *r)
{
	U(r);
	return "";
}
struct td_slice http_param(const struct http_request *r, const char *n)
{
	U(r);
	U(n);
	return NOTHING(struct td_slice);
}
bool http_query(const struct http_request *r, const char *n, struct td_slice *v)
{
	U(r);
	U(n);
	U(v);
	return false;
}
size_t http_query_count(const struct http_request *r, const char *n)
{
	U(r);
	U(n);
	return 0;
}
size_t http_query_total(const struct http_request *r)
{
	U(r);
	return 0;
}
void http_query_at(const struct http_request *r, size_t i, struct td_slice *n, struct td_slice *v)
{
	U(r);
	U(i);
	U(n);
	U(v);
}
bool http_header(const struct http_request *r, const char *n, struct td_slice *v)
{
	U(r);
	U(n);
	U(v);
	return false;
}
size_t http_header_count(const struct http_request *r, const char *n)
{
	U(r);
	U(n);
	return 0;
}
bool http_cookie(const struct http_request *r, const char *n, struct td_slice *v)
{
	U(r);
	U(n);
	U(v);
	return false;
}
struct td_slice http_body(const struct http_request *r)
{
	U(r);
	return NOTHING(struct td_slice);
}
struct td_arena *http_arena(struct http_request *r)
{
	U(r);
	return NULL;
}
const char *http_remote_address(struct http_request *r)
{
	U(r);
	return "";
}
bool http_remote_is_loopback(struct http_request *r)
{
	U(r);
	return false;
}
bool http_is_https(struct http_request *r)
{
	U(r);
	return false;
}
struct td_slice http_host(struct http_request *r)
{
	U(r);
	return NOTHING(struct td_slice);
}
const char *http_request_id(struct http_request *r)
{
	U(r);
	return "";
}
bool http_wants_html(const struct http_request *r)
{
	U(r);
	return false;
}
void http_set_user(struct http_request *r, void *u)
{
	U(r);
	U(u);
}
void *http_user(const struct http_request *r)
{
	U(r);
	return NULL;
}
void http_reply(struct http_request *r, const struct http_reply *p)
{
	U(r);
	U(p);
}
void http_reply_problem(struct http_request *r, const struct http_problem *p)
{
	U(r);
	U(p);
}
void http_reply_err(struct http_request *r, const struct td_err *e, const char *c)
{
	U(r);
	U(e);
	U(c);
}
void http_redirect(struct http_request *r, unsigned s, const char *l)
{
	U(r);
	U(s);
	U(l);
}
bool http_add_header(struct http_request *r, const char *n, const char *v)
{
	U(r);
	U(n);
	U(v);
	return false;
}
struct http_prepared *http_prepared_create(const struct http_prepared_config *c)
{
	U(c);
	return NULL;
}
struct http_prepared *http_prepared_ref(struct http_prepared *p)
{
	return p;
}
void http_prepared_unref(struct http_prepared *p)
{
	U(p);
}
struct td_slice http_prepared_body(const struct http_prepared *p)
{
	U(p);
	return NOTHING(struct td_slice);
}
void http_reply_prepared(struct http_request *r, struct http_prepared *p)
{
	U(r);
	U(p);
}
void http_await(struct http_request *r, http_continue_fn *f, void *c)
{
	U(r);
	U(f);
	U(c);
}
void http_wake(struct http_request *r)
{
	U(r);
}
