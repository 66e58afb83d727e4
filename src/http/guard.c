#include "http/guard.h"

#include "base/compiler.h"

#include <string.h>

static const char *const method_names[HTTP_METHOD_COUNT] = {
#define METHOD_NAME(name) #name,
	HTTP_METHOD_MAP(METHOD_NAME)
#undef METHOD_NAME
		"_OTHER",
};

enum http_method_id http_method_find(struct td_slice name)
{
	for (unsigned i = 0; i < HTTP_METHOD_OTHER; i++) {
		if (td_slice_is(name, method_names[i]))
			return (enum http_method_id)i;
	}
	return HTTP_METHOD_OTHER;
}

const char *http_method_name(enum http_method_id id)
{
	return method_names[id];
}

static bool begins_nocase(struct td_slice text, const char *prefix)
{
	size_t len = strlen(prefix);
	return text.len >= len && strncasecmp(text.ptr, prefix, len) == 0;
}

/* Names that decide where a message ends or whom it is for. A name that merely begins with one is
 * what 0.9.75 makes of a folded line ("Content-Length:" CRLF " 5" arrives as Content-Length5). */
static void check_framing_name(struct http_guard *g, struct td_slice name, struct td_slice value)
{
	if (td_slice_is_nocase(name, "Host")) {
		g->host++;
		g->host_value = value;
	} else if (td_slice_is_nocase(name, "Content-Length")) {
		g->content_length++;
		g->length_value = value;
	} else if (td_slice_is_nocase(name, "Transfer-Encoding")) {
		g->transfer_encoding++;
		g->coding_value = value;
	} else if (begins_nocase(name, "Host") || begins_nocase(name, "Content-Length") ||
		   begins_nocase(name, "Transfer-Encoding")) {
		g->near_name = true;
	}
}

void http_guard_header(struct http_guard *g, struct td_slice name, struct td_slice value)
{
	g->count++;
	g->bytes += name.len + value.len + 4;
	if (!http_is_token(name))
		g->bad_name = true;
	if (!http_is_field_value(value))
		g->bad_value = true;
	if (name.len == 0)
		return;
	value = td_slice_trim(value);
	switch (name.ptr[0] | 0x20) {
	case 'h':
	case 'c':
	case 't':
		check_framing_name(g, name, value);
		break;
	case 'a':
		if (g->accept_encoding.ptr == NULL && td_slice_is_nocase(name, "Accept-Encoding"))
			g->accept_encoding = value;
		break;
	case 'i':
		if (g->if_none_match.ptr == NULL && td_slice_is_nocase(name, "If-None-Match"))
			g->if_none_match = value;
		break;
	case 'e':
		if (td_slice_is_nocase(name, "Expect") &&
			!td_slice_is_nocase(value, "100-continue"))
			g->expects_other = true;
		break;
	default:
		break;
	}
}

/* 1*DIGIT (RFC 9110 section 8.6), at most 18 of them, so that no sum wraps. */
static bool parse_length(struct td_slice text, uint64_t *ret_len)
{
	uint64_t len = 0;
	if (text.len == 0 || text.len > 18)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		len = len * 10 + (uint64_t)(text.ptr[i] - '0');
	}
	*ret_len = len;
	return true;
}

static struct http_verdict refuse(unsigned status, const char *code, const char *detail)
{
	return (struct http_verdict){status, code, detail};
}

static struct http_verdict bad(const char *detail)
{
	return refuse(400, "bad-request", detail);
}

static const struct http_verdict fine = {0, NULL, NULL};

struct http_verdict http_guard_target(struct td_slice raw_target)
{
	if (raw_target.len > HTTP_TARGET_MOST)
		return refuse(414, "uri-too-long",
			"the request target is longer than 2048 bytes; shorten the path or query");
	return fine;
}

static struct http_verdict check_sizes(const struct http_guard *g, struct td_slice raw_target)
{
	struct http_verdict v = http_guard_target(raw_target);
	if (v.status != 0)
		return v;
	if (g->bytes > HTTP_HEADERS_MOST)
		return refuse(431, "headers-too-large",
			"the header fields together are longer than 4096 bytes; send fewer or "
			"shorter ones (cookies?)");
	if (g->count > HTTP_HEADERS_COUNT_MOST)
		return refuse(431, "headers-too-large", "there are more than 64 header fields");
	return fine;
}

static struct http_verdict check_host(
	const struct http_guard *g, const struct http_target_parts *target)
{
	if (g->host > 1)
		return bad("there is more than one Host header; send exactly one");
	if (g->host == 0 && !g->is_http_1_0)
		return bad("the Host header is missing; HTTP/1.1 needs exactly one");
	if (g->host == 1 && !http_is_host(g->host_value))
		return bad("the Host header is not a host with an optional port");
	if (g->host == 1 && target->form == HTTP_TARGET_ABSOLUTE &&
		!http_same_host(g->host_value, target->authority, target->default_port))
		return bad("the Host header and the host in the request target differ");
	return fine;
}

static struct http_verdict check_framing(
	const struct http_guard *g, enum http_method_id method, uint64_t *ret_body_len)
{
	uint64_t len = 0;
	if (g->transfer_encoding > 0 && g->content_length > 0)
		return bad("Content-Length and Transfer-Encoding exclude each other");
	if (g->transfer_encoding > 1)
		return bad("there is more than one Transfer-Encoding header");
	if (g->transfer_encoding == 1 &&
		(g->is_http_1_0 || !td_slice_is_nocase(g->coding_value, "chunked")))
		return bad("the Transfer-Encoding is not one that this server takes");
	if (g->transfer_encoding == 1)
		return refuse(411, "length-required",
			"request bodies need a Content-Length; chunked ones are not taken");
	if (g->content_length > 1)
		return bad("there is more than one Content-Length header; send exactly one");
	if (g->content_length == 1 && !parse_length(g->length_value, &len))
		return bad("the Content-Length is not a number of bytes");
	if (len > 0 && (method == HTTP_METHOD_GET || method == HTTP_METHOD_HEAD))
		return bad("a GET or HEAD request must have no body");
	*ret_body_len = len;
	return fine;
}

struct http_verdict http_guard_verdict(const struct http_guard *g, enum http_method_id method,
	struct td_slice method_name, struct td_slice raw_target,
	const struct http_target_parts *target, uint64_t *ret_body_len)
{
	if (method == HTTP_METHOD_OTHER && !http_is_token(method_name))
		return bad("the method is not a token");
	struct http_verdict v = check_sizes(g, raw_target);
	if (v.status != 0)
		return v;
	if (g->bad_name)
		return bad("a header's name has a character that names may not have");
	if (g->bad_value)
		return bad("a header's value has a control character");
	if (g->near_name)
		return bad("a header's name begins with Host, Content-Length or Transfer-Encoding "
			   "but is none of them; folded header lines are not taken");
	v = check_framing(g, method, ret_body_len);
	if (v.status != 0)
		return v;
	if (method == HTTP_METHOD_OTHER)
		return refuse(501, "method-unknown", "use GET, HEAD, POST, PUT, DELETE or OPTIONS");
	if (target == NULL)
		return bad("the request target is not a path with an optional query, or has a "
			   "character that must be percent-encoded");
	if (target->form == HTTP_TARGET_ASTERISK && method != HTTP_METHOD_OPTIONS)
		return bad("only OPTIONS may have the target *");
	if (g->expects_other)
		return refuse(
			417, "expectation-failed", "the only expectation met is 100-continue");
	return check_host(g, target);
}
