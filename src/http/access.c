/* What a handler may ask of its request. */
#include "http/internal.h"

#include "base/uuid.h"
#include "http/fields.h"
#include "http/syntax.h"

#include <string.h>

const char *http_method(const struct http_request *rq)
{
	return http_method_name(rq->method);
}

struct td_slice http_target(const struct http_request *rq)
{
	return td_slice(rq->raw, rq->raw_len);
}

struct td_slice http_path(const struct http_request *rq)
{
	return rq->path_text.ptr != NULL ? rq->path_text : rq->target.path;
}

const char *http_route_pattern(const struct http_request *rq)
{
	return rq->row >= 0 && rq->match.pattern != NULL ? rq->match.pattern->text : "";
}

unsigned http_route_flags(const struct http_request *rq)
{
	const struct http_route *route = http_request_route(rq);
	return route != NULL ? route->flags : 0;
}

struct td_slice http_param(const struct http_request *rq, const char *name)
{
	int index = rq->match.pattern == NULL ? -1 : http_pattern_param(rq->match.pattern, name);
	return index < 0 ? td_slice("", 0) : rq->match.values[index];
}

bool http_query(const struct http_request *rq, const char *name, struct td_slice *ret_value)
{
	return http_form_get(&rq->query, name, ret_value);
}

size_t http_query_count(const struct http_request *rq, const char *name)
{
	return http_form_count(&rq->query, name);
}

size_t http_query_total(const struct http_request *rq)
{
	return rq->query.count;
}

void http_query_at(const struct http_request *rq, size_t index, struct td_slice *ret_name,
	struct td_slice *ret_value)
{
	td_assert(index < rq->query.count);
	*ret_name = rq->query.pairs[index].name;
	*ret_value = rq->query.pairs[index].value;
}

struct search {
	const char *name;
	struct td_slice first;
	size_t count;
};

static enum MHD_Result look(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct search *s = cls;
	(void)kind;
	if (name == NULL || strcasecmp(name, s->name) != 0)
		return MHD_YES;
	if (s->count++ == 0)
		s->first = td_slice_trim(td_slice_str(value != NULL ? value : ""));
	return MHD_YES;
}

static struct search search(const struct http_request *rq, const char *name)
{
	struct search s = {.name = name};
	(void)MHD_get_connection_values(rq->mhd, MHD_HEADER_KIND, look, &s);
	return s;
}

bool http_header(const struct http_request *rq, const char *name, struct td_slice *ret_value)
{
	struct search s = search(rq, name);
	if (s.count > 0)
		*ret_value = s.first;
	return s.count > 0;
}

size_t http_header_count(const struct http_request *rq, const char *name)
{
	return search(rq, name).count;
}

bool http_cookie(const struct http_request *rq, const char *name, struct td_slice *ret_value)
{
	struct td_slice cookies;
	return http_header(rq, "Cookie", &cookies) && http_cookie_find(cookies, name, ret_value);
}

struct td_slice http_body(const struct http_request *rq)
{
	return td_slice(rq->body_len > 0 ? rq->body : "", rq->body_len);
}

struct td_arena *http_arena(struct http_request *rq)
{
	return &rq->arena;
}

struct join {
	const char *name;
	struct td_buf text;
};

static enum MHD_Result join_one(
	void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct join *j = cls;
	(void)kind;
	if (name == NULL || value == NULL || strcasecmp(name, j->name) != 0)
		return MHD_YES;
	if (j->text.len > 0)
		td_buf_put_char(&j->text, ',');
	td_buf_put_str(&j->text, value);
	return MHD_YES;
}

/* All headers of that name as one list, in their order: a proxy may add its own line behind one
 * that the client made up. Empty where there is none. */
static struct td_slice join_headers(struct http_request *rq, const char *name)
{
	struct join j = {.name = name, .text = TD_BUF_INIT};
	(void)MHD_get_connection_values(rq->mhd, MHD_HEADER_KIND, join_one, &j);
	struct td_slice joined = {NULL, 0};
	if (!j.text.failed && j.text.len > 0)
		joined = td_arena_slice(&rq->arena, td_buf_slice(&j.text));
	td_buf_done(&j.text);
	return joined;
}

static struct http_address remote_of(struct http_request *rq)
{
	if (!http_proxies_has(rq->server->proxies, &rq->conn->address))
		return rq->conn->address;
	struct td_slice forwarded = join_headers(rq, "X-Forwarded-For");
	return http_proxies_client(rq->server->proxies, &rq->conn->address, forwarded);
}

const char *http_remote_address(struct http_request *rq)
{
	char text[HTTP_ADDRESS_TEXT_SIZE];
	if (rq->remote_text != NULL)
		return rq->remote_text;
	struct http_address remote = remote_of(rq);
	http_address_format(&remote, text);
	rq->remote_text = td_arena_strndup(&rq->arena, text, strlen(text));
	return rq->remote_text != NULL ? rq->remote_text : "";
}

bool http_remote_is_loopback(struct http_request *rq)
{
	struct http_address remote = remote_of(rq);
	return http_address_is_loopback(&remote);
}

bool http_is_https(struct http_request *rq)
{
	return http_proxies_has(rq->server->proxies, &rq->conn->address) &&
	       td_slice_is_nocase(http_list_last(join_headers(rq, "X-Forwarded-Proto")), "https");
}

struct td_slice http_host(struct http_request *rq)
{
	struct td_slice host = rq->guard.host_value;
	if (rq->target.form == HTTP_TARGET_ABSOLUTE)
		host = rq->target.authority;
	char *copy = td_arena_strndup(&rq->arena, host.ptr, host.len);
	for (size_t i = 0; copy != NULL && i < host.len; i++) {
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] = (char)(copy[i] | 0x20);
	}
	return td_slice(copy != NULL ? copy : "", copy != NULL ? host.len : 0);
}

const char *http_request_id(struct http_request *rq)
{
	if (rq->id[0] == '\0') {
		char uuid[TD_UUID_TEXT_SIZE];
		td_uuid_v7(td_clock_wall_ms(rq->server->config.clock), uuid);
		/* The random end of it: 4 digits, a hyphen, 12 digits. */
		memcpy(rq->id, uuid + 19, 4);
		memcpy(rq->id + 4, uuid + 24, 12);
	}
	return rq->id;
}

bool http_wants_html(const struct http_request *rq)
{
	struct td_slice accept = {NULL, 0};
	return http_header(rq, "Accept", &accept) && http_accept_prefers_html(accept);
}

void http_set_user(struct http_request *rq, void *user)
{
	rq->user = user;
}

void *http_user(const struct http_request *rq)
{
	return rq->user;
}
