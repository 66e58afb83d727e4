/* The framing guard and the routes: "routes" and a pattern a line, or lines of "METHOD TARGET",
 * then "name:value" for each header; lines end with LF. */
#include "fuzz.h"

#include "http/guard.h"
#include "http/route.h"

static void handle(struct http_request *rq, void *ctx)
{
	(void)rq;
	(void)ctx;
}

static const struct http_route_table *routes(void)
{
	static const struct http_route rows[] = {
		{.method = "GET", .pattern = "/", .handler = handle},
		{.method = "GET", .pattern = "/a/{x}", .handler = handle},
		{.method = "PUT", .pattern = "/a/{x}", .handler = handle},
		{.method = "GET", .pattern = "/a/me", .handler = handle},
		{.method = "POST", .pattern = "/a/{x}/b/{y}", .handler = handle}};
	static struct http_route_table table;
	if (table.row_count == 0) {
		struct td_err err = TD_ERR_INIT;
		http_route_table_init(&table);
		for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++)
			FUZZ_CLAIM(http_route_table_add(&table, &rows[i], &err) == TD_OK);
	}
	return &table;
}

static void find_route(struct td_slice path, enum http_method_id method)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct http_match match;
	if (http_route_find(routes(), path, &arena, &match) == TD_OK && match.pattern != NULL) {
		char allow[HTTP_ALLOW_SIZE];
		http_route_allow(match.pattern, allow);
		FUZZ_CLAIM(strlen(allow) < sizeof(allow));
		FUZZ_CLAIM(http_route_row(match.pattern, method) < (int)routes()->row_count);
		for (size_t i = 0; i < match.pattern->param_count; i++)
			FUZZ_CLAIM(match.values[i].len > 0);
		FUZZ_CLAIM(http_pattern_param(match.pattern, "x") < (int)HTTP_PARAMS_MOST);
	}
	td_arena_done(&arena);
}

/* Each line is a pattern: what the table takes, it finds again. */
static void add_routes(struct td_slice patterns)
{
	static struct http_route_table table;
	struct td_arena arena = TD_ARENA_INIT;
	struct td_slice line;
	http_route_table_init(&table);
	while (td_slice_cut(&patterns, '\n', &line)) {
		struct td_err err = TD_ERR_INIT;
		struct http_match match;
		char *pattern = td_arena_strndup(&arena, line.ptr, line.len);
		if (pattern == NULL)
			break;
		struct http_route row = {.method = line.len % 7 == 6 ? "FETCH" : "GET",
			.pattern = pattern,
			.handler = handle};
		if (http_route_table_add(&table, &row, &err) != TD_OK)
			FUZZ_CLAIM(err.text[0] != '\0');
		else if (strpbrk(pattern, "%{}") == NULL &&
			 http_route_find(&table, td_slice_str(pattern), &arena, &match) == TD_OK)
			FUZZ_CLAIM(match.pattern != NULL);
	}
	td_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_slice rest = fuzz_slice(data, size), line, method, target, name;
	struct http_guard guard = {.host = 0};
	struct http_target_parts parts;
	uint64_t body_len = 0;
	if (!td_slice_cut(&rest, '\n', &line))
		return 0;
	if (td_slice_is(line, "routes")) {
		add_routes(rest);
		return 0;
	}
	target = line;
	if (!td_slice_cut(&target, ' ', &method))
		return 0;
	enum http_method_id id = http_method_find(method);
	bool parsed = target.ptr != NULL && http_target_parse(target, &parts);
	unsigned lengths = 0;
	while (td_slice_cut(&rest, '\n', &line)) {
		struct td_slice value = line;
		if (!td_slice_cut(&value, ':', &name))
			continue;
		lengths += td_slice_is_nocase(name, "content-length");
		http_guard_header(&guard, name, td_slice_trim(value));
	}
	struct http_verdict verdict = http_guard_verdict(
		&guard, id, method, target, parsed ? &parts : NULL, &body_len);
	FUZZ_CLAIM(verdict.status == 0 || (verdict.status >= 400 && verdict.status < 600));
	if (verdict.status == 0) {
		FUZZ_CLAIM(parsed && lengths <= 1);
		if (parts.form != HTTP_TARGET_ASTERISK)
			find_route(parts.path, id);
	} else {
		FUZZ_CLAIM(verdict.code != NULL && verdict.detail != NULL);
	}
	return 0;
}
