#include "http/route.h"

#include "http/syntax.h"

#include <string.h>

static uint32_t hash_path(struct td_slice path)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < path.len; i++)
		h = (h ^ (uint8_t)path.ptr[i]) * 16777619u;
	return h;
}

void http_route_table_init(struct http_route_table *t)
{
	memset(t, 0, sizeof(*t));
}

static bool is_param(struct td_slice segment)
{
	return segment.len > 0 && segment.ptr[0] == '{';
}

/* Splits "/a/b/" into "a", "b", "": what stands behind each slash. False: more than fit. */
static bool split_path(
	struct td_slice path, struct td_slice segments[HTTP_SEGMENTS_MOST], size_t *ret_count)
{
	struct td_slice rest = td_slice_skip(path, 1);
	struct td_slice piece;
	size_t count = 0;
	while (td_slice_cut(&rest, '/', &piece)) {
		if (count == HTTP_SEGMENTS_MOST)
			return false;
		segments[count++] = piece;
	}
	*ret_count = count;
	return true;
}

static bool is_segment_sound(struct td_slice s)
{
	bool has_brace = s.len > 0 &&
			 (memchr(s.ptr, '{', s.len) != NULL || memchr(s.ptr, '}', s.len) != NULL);
	if (!has_brace)
		return true;
	return s.len > 2 && s.ptr[0] == '{' && s.ptr[s.len - 1] == '}';
}

static bool compile(const char *text, struct http_pattern *ret_pattern)
{
	struct http_pattern p = {.text = text, .hash = hash_path(td_slice_str(text))};
	if (text[0] != '/' || !split_path(td_slice_str(text), p.segments, &p.segment_count))
		return false;
	for (size_t i = 0; i < p.segment_count; i++) {
		if (!is_segment_sound(p.segments[i]))
			return false;
		p.param_count += is_param(p.segments[i]);
	}
	for (size_t i = 0; i < HTTP_METHOD_COUNT; i++)
		p.routes[i] = -1;
	*ret_pattern = p;
	return p.param_count <= HTTP_PARAMS_MOST;
}

static void add_slot(struct http_route_table *t, size_t index)
{
	size_t at = t->patterns[index].hash % TD_ARRAY_LEN(t->slots);
	while (t->slots[at] != 0)
		at = (at + 1) % TD_ARRAY_LEN(t->slots);
	t->slots[at] = (uint8_t)(index + 1);
}

static struct http_pattern *find_text(struct http_route_table *t, const char *text)
{
	for (size_t i = 0; i < t->pattern_count; i++) {
		if (strcmp(t->patterns[i].text, text) == 0)
			return &t->patterns[i];
	}
	return NULL;
}

static bool may_be_routed(enum http_method_id m)
{
	return m == HTTP_METHOD_GET || m == HTTP_METHOD_POST || m == HTTP_METHOD_PUT ||
	       m == HTTP_METHOD_PATCH || m == HTTP_METHOD_DELETE;
}

enum td_status http_route_table_add(
	struct http_route_table *t, const struct http_route *route, struct td_err *err)
{
	enum http_method_id method = http_method_find(td_slice_str(route->method));
	if (t->row_count == HTTP_ROUTES_MOST)
		return td_err_set(err, TD_INVALID, "more than %d routes", HTTP_ROUTES_MOST);
	if (!may_be_routed(method) || route->handler == NULL)
		return td_err_set(err, TD_INVALID, "route %s %s: no method that can be routed",
			route->method, route->pattern);
	struct http_pattern *p = find_text(t, route->pattern);
	if (p == NULL) {
		p = &t->patterns[t->pattern_count];
		if (!compile(route->pattern, p))
			return td_err_set(
				err, TD_INVALID, "route %s: the pattern is wrong", route->pattern);
		if (p->param_count == 0)
			add_slot(t, t->pattern_count);
		t->pattern_count++;
	}
	if (p->routes[method] != -1)
		return td_err_set(err, TD_INVALID, "route %s %s is there twice", route->method,
			route->pattern);
	p->routes[method] = (int)t->row_count;
	t->rows[t->row_count++] = *route;
	return TD_OK;
}

static const struct http_pattern *find_exact(const struct http_route_table *t, struct td_slice path)
{
	uint32_t hash = hash_path(path);
	size_t at = hash % TD_ARRAY_LEN(t->slots);
	for (; t->slots[at] != 0; at = (at + 1) % TD_ARRAY_LEN(t->slots)) {
		const struct http_pattern *p = &t->patterns[t->slots[at] - 1];
		if (p->hash == hash && td_slice_is(path, p->text))
			return p;
	}
	return NULL;
}

static bool fits(const struct http_pattern *p, const struct td_slice *segments, size_t count)
{
	if (p->segment_count != count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (is_param(p->segments[i]) ? segments[i].len == 0
					     : !td_slice_equal(p->segments[i], segments[i]))
			return false;
	}
	return true;
}

static const struct http_pattern *find_fitting(
	const struct http_route_table *t, const struct td_slice *segments, size_t count)
{
	const struct http_pattern *best = NULL;
	for (size_t i = 0; i < t->pattern_count; i++) {
		const struct http_pattern *p = &t->patterns[i];
		if (fits(p, segments, count) &&
			(best == NULL || p->param_count < best->param_count))
			best = p;
	}
	return best;
}

/* Each segment by itself, so that %2F never becomes a separator. */
static enum td_status decode_segments(
	struct td_slice *segments, size_t count, struct td_arena *arena)
{
	for (size_t i = 0; i < count; i++) {
		struct td_slice s = segments[i];
		if (s.len == 0 || memchr(s.ptr, '%', s.len) == NULL)
			continue;
		char *out = td_arena_alloc(arena, s.len);
		if (out == NULL)
			return TD_NOMEM;
		if (!http_percent_decode(s, /* plus_is_space= */ false, out, &segments[i].len))
			return TD_INVALID;
		segments[i].ptr = out;
	}
	return TD_OK;
}

enum td_status http_route_find(const struct http_route_table *t, struct td_slice path,
	struct td_arena *arena, struct http_match *ret_match)
{
	ret_match->pattern = find_exact(t, path);
	if (ret_match->pattern != NULL)
		return TD_OK;
	struct td_slice segments[HTTP_SEGMENTS_MOST];
	size_t count = 0;
	if (path.len == 0 || path.ptr[0] != '/' || !split_path(path, segments, &count))
		return TD_OK;
	enum td_status status = decode_segments(segments, count, arena);
	if (status != TD_OK)
		return status;
	const struct http_pattern *p = find_fitting(t, segments, count);
	ret_match->pattern = p;
	for (size_t i = 0, n = 0; p != NULL && i < count; i++) {
		if (is_param(p->segments[i]))
			ret_match->values[n++] = segments[i];
	}
	return TD_OK;
}

int http_route_row(const struct http_pattern *pattern, enum http_method_id method)
{
	return pattern->routes[method == HTTP_METHOD_HEAD ? HTTP_METHOD_GET : method];
}

void http_route_allow(const struct http_pattern *pattern, char out[HTTP_ALLOW_SIZE])
{
	char *at = out;
	for (unsigned m = 0; m < HTTP_METHOD_OPTIONS; m++) {
		if (http_route_row(pattern, (enum http_method_id)m) < 0)
			continue;
		at = stpcpy(at, http_method_name((enum http_method_id)m));
		at = stpcpy(at, ", ");
	}
	(void)stpcpy(at, "OPTIONS");
}

int http_pattern_param(const struct http_pattern *pattern, const char *name)
{
	int index = 0;
	for (size_t i = 0; i < pattern->segment_count; i++) {
		struct td_slice s = pattern->segments[i];
		if (!is_param(s))
			continue;
		if (td_slice_is(td_slice(s.ptr + 1, s.len - 2), name))
			return index;
		index++;
	}
	return -1;
}
