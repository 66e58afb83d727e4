/* The table of routes: from a method and a path as it came to a handler and the values of the
 * pattern's parameters. Read-only once it serves. */
#ifndef TD_HTTP_ROUTE_H
#define TD_HTTP_ROUTE_H

#include "base/arena.h"
#include "base/err.h"
#include "http/guard.h"
#include "http/http.h"

#define HTTP_PARAMS_MOST   4  /* in one pattern */
#define HTTP_SEGMENTS_MOST 12 /* in one pattern */
#define HTTP_ROUTES_MOST   128

struct http_pattern {
	const char *text; /* borrowed from the first route that has it */
	struct td_slice segments[HTTP_SEGMENTS_MOST]; /* a parameter's name with its braces */
	size_t segment_count;
	size_t param_count;
	uint32_t hash;                 /* of `text` */
	int routes[HTTP_METHOD_COUNT]; /* index into rows, or -1 */
};

struct http_route_table {
	struct http_route rows[HTTP_ROUTES_MOST];
	size_t row_count;
	struct http_pattern patterns[HTTP_ROUTES_MOST];
	size_t pattern_count;
	uint8_t slots[256]; /* 1 + index of a pattern without parameters; open addressing */
};

void http_route_table_init(struct http_route_table *t);

/* TD_INVALID names the route: a method that is none, a pattern that does not begin with '/', is
 * there twice for a method, has an unclosed brace, or is too long. */
enum td_status http_route_table_add(struct http_route_table *t, const struct http_route *route,
	struct td_err *err) TD_MUST_CHECK;

struct http_match {
	const struct http_pattern *pattern;       /* NULL: no such path */
	struct td_slice values[HTTP_PARAMS_MOST]; /* decoded, in the arena or in `path` */
};

/* `path` as it came (http_target_parse). Of several patterns the one with more text wins.
 *   TD_OK        ret_match->pattern may be NULL
 *   TD_INVALID   the path's percent-encoding is not UTF-8
 *   TD_NOMEM */
enum td_status http_route_find(const struct http_route_table *t, struct td_slice path,
	struct td_arena *arena, struct http_match *ret_match) TD_MUST_CHECK;

/* The row for the method (HEAD takes GET's), or -1. */
int http_route_row(const struct http_pattern *pattern, enum http_method_id method);

/* "GET, HEAD, OPTIONS". */
#define HTTP_ALLOW_SIZE 64
void http_route_allow(const struct http_pattern *pattern, char out[HTTP_ALLOW_SIZE]);

/* The index of "{name}" among the pattern's parameters, or -1. */
int http_pattern_param(const struct http_pattern *pattern, const char *name);

#endif
