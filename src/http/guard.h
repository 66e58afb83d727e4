/* The framing guard: what libmicrohttpd 0.9.75 lets pass although the message's end, its host or
 * its meaning would be read differently by a proxy in front (RFC 9112 sections 3.2, 5, 6.3 and 11).
 * Pure; hostile input. A request that it refuses is answered and its connection closed, so that
 * nothing behind it is ever read as a request. */
#ifndef TD_HTTP_GUARD_H
#define TD_HTTP_GUARD_H

#include "base/slice.h"
#include "http/syntax.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_METHOD_MAP(X) \
	X(GET) X(HEAD) X(POST) X(PUT) X(PATCH) X(DELETE) X(OPTIONS) X(TRACE) X(CONNECT)

enum http_method_id {
#define HTTP_METHOD_ENUM(name) HTTP_METHOD_##name,
	HTTP_METHOD_MAP(HTTP_METHOD_ENUM)
#undef HTTP_METHOD_ENUM
	HTTP_METHOD_OTHER,
	HTTP_METHOD_COUNT
};

/* By its exact name (methods know no other case). */
enum http_method_id http_method_find(struct td_slice name);
const char *http_method_name(enum http_method_id id); /* "_OTHER" for OTHER */

/* Limits of one header in bytes, all lines with their ends; both fit into the connection's memory
 * together with our longest answer's header. */
#define HTTP_TARGET_MOST        2048
#define HTTP_HEADERS_MOST       4096
#define HTTP_HEADERS_COUNT_MOST 64

struct http_guard {
	unsigned host, content_length, transfer_encoding, count;
	size_t bytes; /* names and values, with ": " and CRLF */
	bool bad_name, bad_value, near_name, expects_other;
	bool is_http_1_0;
	struct td_slice host_value, length_value, coding_value;
	/* Seen on the way, because every answer needs them. */
	struct td_slice accept_encoding, if_none_match;
};

/* One header field, in any order. The value must live until the verdict. */
void http_guard_header(struct http_guard *g, struct td_slice name, struct td_slice value);

/* What refuses a request: 0 for none. */
struct http_verdict {
	unsigned status;
	const char *code;   /* of base/problem.h */
	const char *detail; /* static storage */
};

/* The target's length alone. */
struct http_verdict http_guard_target(struct td_slice raw_target);

/* Looks at all of it. With status 0, *ret_body_len is the Content-Length (0 where there is none).
 * `target` is NULL where the request target could not be parsed. */
struct http_verdict http_guard_verdict(const struct http_guard *g, enum http_method_id method,
	struct td_slice method_name, struct td_slice raw_target,
	const struct http_target_parts *target, uint64_t *ret_body_len);

#endif
