/* The grammar of RFC 9110 and 9112 that the guard stands on: tokens, percent-encoding, Host, the
 * request target. Pure; hostile input. */
#ifndef TD_HTTP_SYNTAX_H
#define TD_HTTP_SYNTAX_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* A token (RFC 9110 section 5.6.2): one or more of letters, digits and !#$%&'*+-.^_`|~ */
bool http_is_token(struct td_slice text);

/* Free of controls but for the tab: what a header's value may hold (RFC 9110 section 5.5). */
bool http_is_field_value(struct td_slice text);

/* Decodes %XX (and '+' as a space where plus_is_space) into `out`, which holds text.len bytes and
 * may be text.ptr itself. False: a '%' without two hexadecimal digits, a NUL, or what comes out is
 * not UTF-8. */
bool http_percent_decode(struct td_slice text, bool plus_is_space, char *out, size_t *ret_len);

/* uri-host [":" port] (RFC 9110 section 7.2): a name or IPv4 address of letters, digits, '-', '.',
 * '_', or an IPv6 address in brackets; a port of 1 to 5 digits up to 65535 or empty; 1 to 255
 * bytes. */
bool http_is_host(struct td_slice text);

/* The same host: without case, an empty port and the scheme's own port left out. */
bool http_same_host(struct td_slice a, struct td_slice b, unsigned default_port);

enum http_target_form {
	HTTP_TARGET_ORIGIN,   /* "/path?query" */
	HTTP_TARGET_ABSOLUTE, /* "http://host/path?query" */
	HTTP_TARGET_ASTERISK, /* "*", for OPTIONS */
};

struct http_target_parts {
	enum http_target_form form;
	struct td_slice authority; /* absolute form only */
	unsigned default_port;     /* absolute form only: 80 or 443 */
	struct td_slice path;      /* as it came; begins with '/', or "*" */
	struct td_slice query;     /* without the '?'; its ptr is NULL where there is none */
};

/* RFC 9112 section 3.2. False: a byte outside printable ASCII, a character that RFC 3986 has
 * nowhere in a path, '#', an incomplete %XX, %00, userinfo, a scheme other than http and https, or
 * neither form. The slices point into `raw`, but for the
 * path "/" of an absolute form without one. */
bool http_target_parse(struct td_slice raw, struct http_target_parts *ret_parts);

#endif
