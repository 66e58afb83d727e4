/* Header fields that decide an answer: Cookie, Accept-Encoding, Accept, If-None-Match,
 * Content-Type, X-Forwarded-Proto. Pure; hostile input: what is not understood counts as absent. */
#ifndef TD_HTTP_FIELDS_H
#define TD_HTTP_FIELDS_H

#include "base/slice.h"

#include <stdbool.h>

enum http_encoding {
	HTTP_IDENTITY,
	HTTP_GZIP,
	HTTP_BR,
	HTTP_ENCODING_COUNT
};

/* The best of those in `offered` (bits 1u << enum http_encoding; identity always counts as
 * offered) by RFC 9110 section 12.5.3: the highest q, of equals br before gzip before identity. An
 * empty header means identity. Where even identity is refused, it is chosen all the same: an answer
 * is better than none. */
enum http_encoding http_encoding_choose(struct td_slice accept_encoding, unsigned offered);

/* True where text/html has a higher q than application/json, or the same and comes first. */
bool http_accept_prefers_html(struct td_slice accept);

/* If-None-Match (RFC 9110 section 13.1.2): "*", or a list with this tag (weak comparison). `etag`
 * with its quotes. */
bool http_etag_matches(struct td_slice if_none_match, struct td_slice etag);

/* The first cookie of that name in a Cookie header (RFC 6265 section 5.4), without its quotes. */
bool http_cookie_find(struct td_slice cookies, const char *name, struct td_slice *ret_value);

/* "application/json", perhaps with charset=utf-8: RFC 9110 section 8.3.1. Other parameters pass. */
bool http_media_type_is(struct td_slice content_type, const char *type);

/* The last element of a comma-separated list, trimmed; empty where there is none. */
struct td_slice http_list_last(struct td_slice list);

#endif
