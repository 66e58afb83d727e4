#include "td_test.h"

#include "base/compiler.h"
#include "base/problem.h"
#include "http/guard.h"

#include <stdio.h>

/* "Name: value" lines separated by '\n' are shown to the guard; gives the verdict's status. */
static unsigned judge_as(const char *method, const char *target, const char *lines, bool is_1_0)
{
	struct http_guard g = {.is_http_1_0 = is_1_0};
	struct td_slice rest = td_slice_str(lines);
	struct td_slice value;
	while (td_slice_cut(&rest, '\n', &value)) {
		struct td_slice name;
		if (value.len > 0 && td_slice_cut(&value, ':', &name))
			http_guard_header(&g, name, value.ptr != NULL ? value : td_slice("", 0));
	}
	struct http_target_parts parts;
	struct td_slice raw = td_slice_str(target);
	bool is_target = http_target_parse(raw, &parts);
	uint64_t len = 0;
	struct http_verdict v = http_guard_verdict(&g, http_method_find(td_slice_str(method)),
		td_slice_str(method), raw, is_target ? &parts : NULL, &len);
	if (v.status != 0) {
		const struct td_problem_info *info = td_problem_find(td_slice_str(v.code));
		assert_non_null(info);
		assert_int_equal(info->http, (int)v.status);
		assert_non_null(v.detail);
	}
	return v.status;
}

static unsigned judge(const char *method, const char *target, const char *lines)
{
	return judge_as(method, target, lines, false);
}

struct row {
	unsigned status;
	const char *method, *target, *lines;
};

/* Framing, host, names, values, target and method: each refused with its status. */
static void test_guard_verdicts(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{0, "GET", "/", "Host: h"},
		{0, "GET", "/", "Host:h"},
		{0, "GET", "/", "hOsT: h:80"},
		{0, "POST", "/", "Host: h\nContent-Length: 5"},
		{0, "POST", "/", "Host: h\nContent-Length: 005"},
		{0, "GET", "/", "Host: h\nContent-Length: 0"},
		{0, "DELETE", "/", "Host: h\nContent-Length: 9"},
		{0, "GET", "http://h/", "Host: h"},
		{0, "GET", "http://h:80/", "Host: H"},
		{0, "OPTIONS", "*", "Host: h"},
		{0, "POST", "/", "Host: h\nExpect: 100-Continue\nContent-Length: 1"},
		{0, "GET", "/",
			"Host: h\nContent-Type: a\nTE: trailers\nHeader: x\nContent-Language: en"},
		{400, "GET", "/", ""},
		{400, "GET", "/", "Host: h\nHost: h"},
		{400, "GET", "/", "Host: h\nhost: g"},
		{400, "GET", "/", "Host:"},
		{400, "GET", "/", "Host: a b"},
		{400, "GET", "http://g/", "Host: h"},
		{400, "GET", "https://h:80/", "Host: h"},
		{400, "POST", "/", "Host: h\nContent-Length: 5\nContent-Length: 5"},
		{400, "POST", "/", "Host: h\nContent-Length: 5, 5"},
		{400, "POST", "/", "Host: h\nContent-Length: +5"},
		{400, "POST", "/", "Host: h\nContent-Length: -5"},
		{400, "POST", "/", "Host: h\nContent-Length: 0x5"},
		{400, "POST", "/", "Host: h\nContent-Length:"},
		{400, "POST", "/", "Host: h\nContent-Length: 1234567890123456789"},
		{400, "GET", "/", "Host: h\nContent-Length: 5"},
		{400, "HEAD", "/", "Host: h\nContent-Length: 5"},
		{411, "POST", "/", "Host: h\nTransfer-Encoding: chunked"},
		{411, "POST", "/", "Host: h\nTransfer-Encoding: Chunked"},
		{400, "POST", "/", "Host: h\nTransfer-Encoding: gzip, chunked"},
		{400, "POST", "/", "Host: h\nTransfer-Encoding: identity"},
		{400, "POST", "/", "Host: h\nTransfer-Encoding:"},
		{400, "POST", "/",
			"Host: h\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked"},
		{400, "POST", "/", "Host: h\nTransfer-Encoding: chunked\nContent-Length: 5"},
		{400, "POST", "/", "Host: h\nContent-Length: 0\nTransfer-Encoding: chunked"},
		{400, "GET", "/", "Host: h\nHostx: a"},
		{400, "GET", "/", "Host: h\nContent-Length5: "},
		{400, "GET", "/", "Host: h\ntransfer-encodingchunked: "},
		{400, "GET", "/", "Host: h\nX A: b"},
		{400, "GET", "/", "Host: h\nX-A : b"},
		{400, "GET", "/", "Host: h\n: b"},
		{400, "GET", "/", "Host: h\nX\x01: b"},
		{400, "GET", "/", "Host: h\nX: a\rb"},
		{400, "GET", "/", "Host: h\nX: \x7f"},
		{400, "GET", "a", "Host: h"},
		{400, "GET", "/%00", "Host: h"},
		{400, "GET", "*", "Host: h"},
		{400, "G(T", "/", "Host: h"},
		{400, "", "/", "Host: h"},
		{501, "get", "/", "Host: h"},
		{501, "BREW", "/", "Host: h"},
		{417, "POST", "/", "Host: h\nExpect: 200-ok"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		unsigned status = judge(rows[i].method, rows[i].target, rows[i].lines);
		if (status != rows[i].status)
			print_error("row %zu: %s %s %s\n", i, rows[i].method, rows[i].target,
				rows[i].lines);
		assert_int_equal(status, rows[i].status);
	}
}

/* HTTP/1.0 may leave Host out, but knows no Transfer-Encoding. */
static void test_guard_http_1_0(void **state)
{
	(void)state;
	assert_int_equal(judge_as("GET", "/", "", true), 0);
	assert_int_equal(judge_as("GET", "/", "Host: h\nHost: h", true), 400);
	assert_int_equal(judge_as("POST", "/", "Transfer-Encoding: chunked", true), 400);
}

/* Limits of target, header bytes and header count are exact. */
static void test_guard_sizes(void **state)
{
	(void)state;
	static char target[HTTP_TARGET_MOST + 2] = "/";
	memset(target + 1, 'a', HTTP_TARGET_MOST - 1);
	assert_int_equal(judge("GET", target, "Host: h"), 0);
	target[HTTP_TARGET_MOST] = 'a';
	assert_int_equal(judge("GET", target, "Host: h"), 414);

	static char lines[HTTP_HEADERS_MOST + 64];
	/* "Host" " h" and 4 are 10 bytes; "X", the value and 4 are the rest. */
	size_t begin = (size_t)snprintf(lines, sizeof(lines), "Host: h\nX:");
	size_t room = HTTP_HEADERS_MOST - 10 - 5;
	memset(lines + begin, 'v', room);
	assert_int_equal(judge("GET", "/", lines), 0);
	lines[begin + room] = 'v';
	assert_int_equal(judge("GET", "/", lines), 431);

	char many[1024] = "Host: h";
	for (int i = 1; i < HTTP_HEADERS_COUNT_MOST; i++)
		strcat(many, "\nX: y");
	assert_int_equal(judge("GET", "/", many), 0);
	strcat(many, "\nX: y");
	assert_int_equal(judge("GET", "/", many), 431);
}

/* The body's length is given back only where nothing is wrong. */
static void test_guard_gives_the_length(void **state)
{
	(void)state;
	struct http_guard g = {.host = 1, .host_value = TD_SLICE("h")};
	http_guard_header(&g, TD_SLICE("Content-Length"), TD_SLICE(" 123456789012345678 "));
	struct http_target_parts parts = {.path = TD_SLICE("/")};
	uint64_t len = 7;
	struct http_verdict v = http_guard_verdict(
		&g, HTTP_METHOD_POST, TD_SLICE("POST"), TD_SLICE("/"), &parts, &len);
	assert_int_equal(v.status, 0);
	assert_int_equal(len, 123456789012345678);
}

/* Methods are found by their exact name and give it back. */
static void test_methods(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HTTP_METHOD_OTHER; i++) {
		const char *name = http_method_name((enum http_method_id)i);
		assert_int_equal(http_method_find(td_slice_str(name)), i);
	}
	assert_int_equal(http_method_find(TD_SLICE("Get")), HTTP_METHOD_OTHER);
	assert_int_equal(http_method_find(TD_SLICE("GETT")), HTTP_METHOD_OTHER);
	assert_int_equal(http_method_find(td_slice("", 0)), HTTP_METHOD_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guard_verdicts),
		cmocka_unit_test(test_guard_http_1_0),
		cmocka_unit_test(test_guard_sizes),
		cmocka_unit_test(test_guard_gives_the_length),
		cmocka_unit_test(test_methods),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
