#include "td_test.h"

#include "base/compiler.h"
#include "http/route.h"

#include <stdio.h>
#include <stdlib.h>

static void on_nothing(struct http_request *rq, void *ctx)
{
	(void)rq;
	(void)ctx;
}

static struct http_route_table *make_table(void)
{
	static const struct http_route rows[] = {
		{"GET", "/", on_nothing, NULL, 0, 0},
		{"GET", "/a", on_nothing, NULL, 0, 0},
		{"GET", "/a/", on_nothing, NULL, 0, 0},
		{"POST", "/a", on_nothing, NULL, 0, 0},
		{"GET", "/users/{id}", on_nothing, NULL, 0, 0},
		{"PUT", "/users/{id}", on_nothing, NULL, 0, 0},
		{"GET", "/users/me", on_nothing, NULL, 0, 0},
		{"GET", "/users/{id}/history/{item}", on_nothing, NULL, 0, 0},
		{"GET", "/users/{id}/history/all", on_nothing, NULL, 0, 0},
		{"GET", "/x y", on_nothing, NULL, 0, 0},
	};
	struct http_route_table *t = calloc(1, sizeof(*t));
	http_route_table_init(t);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++)
		assert_int_equal(http_route_table_add(t, &rows[i], NULL), TD_OK);
	return t;
}

struct row {
	const char *path;
	const char *pattern; /* NULL: none; "!": INVALID */
	const char *first, *second;
};

/* Matches are exact, text wins over a parameter, and %2F is never a separator. */
static void test_route_find(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"/", "/", NULL, NULL},
		{"/a", "/a", NULL, NULL},
		{"/a/", "/a/", NULL, NULL},
		{"/%61", "/a", NULL, NULL},
		{"/A", NULL, NULL, NULL},
		{"//a", NULL, NULL, NULL},
		{"/a//", NULL, NULL, NULL},
		{"/./a", NULL, NULL, NULL},
		{"/x%20y", "/x y", NULL, NULL},
		{"/users/7", "/users/{id}", "7", NULL},
		{"/users/me", "/users/me", NULL, NULL},
		{"/users/%6de", "/users/me", NULL, NULL},
		{"/users/", NULL, NULL, NULL},
		{"/users/7/", NULL, NULL, NULL},
		{"/users/a%2Fb", "/users/{id}", "a/b", NULL},
		{"/users/a%2fhistory%2fc", "/users/{id}", "a/history/c", NULL},
		{"/users%2F7", NULL, NULL, NULL},
		{"/users/%C3%A9", "/users/{id}", "é", NULL},
		{"/users/%E9", "!", NULL, NULL},
		{"/users/..", "/users/{id}", "..", NULL},
		{"/users/1/history/2", "/users/{id}/history/{item}", "1", "2"},
		{"/users/1/history/all", "/users/{id}/history/all", "1", NULL},
		{"/users/%7Bid%7D", "/users/{id}", "{id}", NULL},
		{"/1/2/3/4/5/6/7/8/9/10/11/12/13/14", NULL, NULL, NULL},
		{"*", NULL, NULL, NULL},
	};
	struct http_route_table *t = make_table();
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_arena arena = TD_ARENA_INIT;
		struct http_match m = {.pattern = NULL};
		enum td_status status = http_route_find(t, td_slice_str(rows[i].path), &arena, &m);
		bool is_wrong = rows[i].pattern != NULL && strcmp(rows[i].pattern, "!") == 0;
		assert_int_equal(status, is_wrong ? TD_INVALID : TD_OK);
		if (is_wrong || rows[i].pattern == NULL)
			assert_null(m.pattern);
		else
			assert_string_equal(m.pattern->text, rows[i].pattern);
		if (rows[i].first != NULL)
			assert_true(td_slice_is(m.values[0], rows[i].first));
		if (rows[i].second != NULL)
			assert_true(td_slice_is(m.values[1], rows[i].second));
		td_arena_done(&arena);
	}
	free(t);
}

static const struct http_pattern *find(
	const struct http_route_table *t, const char *path, struct td_arena *arena)
{
	struct http_match m;
	assert_int_equal(http_route_find(t, td_slice_str(path), arena, &m), TD_OK);
	return m.pattern;
}

/* HEAD takes GET's row; Allow lists what the path takes. */
static void test_route_methods(void **state)
{
	(void)state;
	struct http_route_table *t = make_table();
	struct td_arena arena = TD_ARENA_INIT;
	char allow[HTTP_ALLOW_SIZE];
	const struct http_pattern *p = find(t, "/users/7", &arena);
	assert_int_equal(http_route_row(p, HTTP_METHOD_HEAD), http_route_row(p, HTTP_METHOD_GET));
	assert_int_equal(http_route_row(p, HTTP_METHOD_POST), -1);
	assert_string_equal(t->rows[http_route_row(p, HTTP_METHOD_PUT)].method, "PUT");
	http_route_allow(p, allow);
	assert_string_equal(allow, "GET, HEAD, PUT, OPTIONS");
	http_route_allow(find(t, "/a", &arena), allow);
	assert_string_equal(allow, "GET, HEAD, POST, OPTIONS");
	assert_int_equal(http_pattern_param(find(t, "/users/1/history/2", &arena), "item"), 1);
	assert_int_equal(http_pattern_param(p, "item"), -1);
	td_arena_done(&arena);
	free(t);
}

/* A wrong pattern or method, or the same route twice, is refused. */
static void test_route_add_refusals(void **state)
{
	(void)state;
	static const struct http_route wrong[] = {
		{"GET", "", on_nothing, NULL, 0, 0},
		{"GET", "a", on_nothing, NULL, 0, 0},
		{"GET", "/{", on_nothing, NULL, 0, 0},
		{"GET", "/{}", on_nothing, NULL, 0, 0},
		{"GET", "/a{b}", on_nothing, NULL, 0, 0},
		{"GET", "/{a}{b}", NULL, NULL, 0, 0},
		{"HEAD", "/new", on_nothing, NULL, 0, 0},
		{"OPTIONS", "/new", on_nothing, NULL, 0, 0},
		{"get", "/new", on_nothing, NULL, 0, 0},
		{"GET", "/a", on_nothing, NULL, 0, 0},
		{"GET", "/new", NULL, NULL, 0, 0},
		{"GET", "/{a}/{b}/{c}/{d}/{e}", on_nothing, NULL, 0, 0},
		{"GET", "/1/2/3/4/5/6/7/8/9/10/11/12/13", on_nothing, NULL, 0, 0},
	};
	struct http_route_table *t = make_table();
	for (size_t i = 0; i < TD_ARRAY_LEN(wrong); i++) {
		struct td_err err = TD_ERR_INIT;
		assert_int_equal(http_route_table_add(t, &wrong[i], &err), TD_INVALID);
		assert_true(err.text[0] != '\0');
	}
	free(t);
}

/* As many routes as the table holds are all found again. */
static void test_route_table_full(void **state)
{
	(void)state;
	static char paths[HTTP_ROUTES_MOST][16];
	struct http_route_table *t = calloc(1, sizeof(*t));
	struct td_arena arena = TD_ARENA_INIT;
	http_route_table_init(t);
	for (int i = 0; i < HTTP_ROUTES_MOST; i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "/p%d", i);
		struct http_route route = {"GET", paths[i], on_nothing, NULL, 0, 0};
		assert_int_equal(http_route_table_add(t, &route, NULL), TD_OK);
	}
	for (int i = 0; i < HTTP_ROUTES_MOST; i++)
		assert_string_equal(find(t, paths[i], &arena)->text, paths[i]);
	struct http_route more = {"POST", "/p0", on_nothing, NULL, 0, 0};
	assert_int_equal(http_route_table_add(t, &more, NULL), TD_INVALID);
	td_arena_done(&arena);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_route_find),
		cmocka_unit_test(test_route_methods),
		cmocka_unit_test(test_route_add_refusals),
		cmocka_unit_test(test_route_table_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
