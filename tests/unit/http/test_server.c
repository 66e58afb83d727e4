#include "td_test.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "fault_alloc.h"
#include "http/http.h"
#include "work/thread.h"
#include "work/ticker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- A server, and a client --------------------------------------------------------------------
 */

static struct http_server *start(
	const struct http_route *routes, size_t count, const struct http_server_config *more)
{
	struct http_server_config config = HTTP_SERVER_CONFIG_DEFAULT;
	struct http_server *s = NULL;
	struct td_err err = TD_ERR_INIT;
	if (more != NULL)
		config = *more;
	config.port = 0;
	config.threads = 2;
	config.max_connections = 200;
	assert_int_equal(http_server_create(&config, &s, &err), TD_OK);
	assert_int_equal(http_server_add_routes(s, routes, count, &err), TD_OK);
	assert_int_equal(http_server_start(s, &err), TD_OK);
	return s;
}

static int connect_to(struct http_server *s)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)http_server_port(s))};
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = {.tv_sec = 20};
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
		connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		return -1;
	return fd;
}

/* Sends, and reads until the server closes; true when all came. */
static bool talk(struct http_server *s, const char *request, char *out, size_t size)
{
	int fd = connect_to(s);
	if (fd < 0)
		return false;
	size_t len = strlen(request);
	bool ok = send(fd, request, len, MSG_NOSIGNAL) == (ssize_t)len;
	size_t got = 0;
	ssize_t n = 1;
	while (ok && n > 0 && got < size - 1) {
		n = recv(fd, out + got, size - 1 - got, 0);
		got += n > 0 ? (size_t)n : 0;
	}
	out[got] = '\0';
	(void)close(fd);
	return ok && n == 0;
}

static const char *get(struct http_server *s, const char *target, const char *headers)
{
	static char out[65536];
	char request[2048];
	(void)snprintf(request, sizeof(request),
		"GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", target, headers);
	assert_true(talk(s, request, out, sizeof(out)));
	return out;
}

static bool says(const char *answer, const char *text)
{
	return strstr(answer, text) != NULL;
}

/* ---- Handlers ---------------------------------------------------------------------------------
 */

static void reply_text(struct http_request *rq, const char *text)
{
	http_reply(rq,
		&(struct http_reply){
			.status = 200, .content_type = "text/plain", .body = td_slice_str(text)});
}

static void on_hello(struct http_request *rq, void *ctx)
{
	(void)ctx;
	reply_text(rq, "hello");
}

static void on_prepared(struct http_request *rq, void *ctx)
{
	http_reply_prepared(rq, ctx);
}

static void on_problem(struct http_request *rq, void *ctx)
{
	(void)ctx;
	const struct http_field_error errors[] = {{"/a", "is \"wrong\""}, {"/b", "too"}};
	http_reply_problem(rq, &(struct http_problem){.code = "validation",
				       .detail = "two fields",
				       .errors = errors,
				       .error_count = 2,
				       .extra_json = "\"user_id\":\"x\""});
}

static void on_err(struct http_request *rq, void *ctx)
{
	(void)ctx;
	struct td_err err = TD_ERR_INIT;
	struct td_slice which = {NULL, 0};
	int code = http_query(rq, "code", &which) ? atoi(which.ptr) : 0;
	(void)td_err_set(&err, (enum td_status)code, "the story");
	http_reply_err(rq, &err, "package-not-found");
}

struct waker {
	struct td_thread thread;
	struct http_request *rq;
	atomic_bool is_set;
	atomic_uint woken;
	atomic_bool stop;
};

static void run_waker(void *ctx)
{
	struct waker *w = ctx;
	while (!atomic_load(&w->stop)) {
		if (!atomic_load_explicit(&w->is_set, memory_order_acquire))
			continue;
		struct http_request *rq = w->rq;
		atomic_store_explicit(&w->is_set, false, memory_order_release);
		http_wake(rq);
		atomic_fetch_add(&w->woken, 1);
	}
}

static void on_woken(struct http_request *rq, void *ctx)
{
	(void)ctx;
	reply_text(rq, http_user(rq));
}

/* Wakes in another thread, as near to the suspending as can be. */
static void on_race(struct http_request *rq, void *ctx)
{
	struct waker *w = ctx;
	static char text[] = "woken";
	http_set_user(rq, text);
	http_await(rq, on_woken, w);
	w->rq = rq;
	atomic_store_explicit(&w->is_set, true, memory_order_release);
}

static struct http_request *_Atomic parked;

static void on_park(struct http_request *rq, void *ctx)
{
	(void)ctx;
	http_await(rq, on_woken, NULL);
	atomic_store(&parked, rq);
}

static bool page_for_errors(struct http_request *rq, const struct http_problem *p, void *ctx)
{
	(void)ctx;
	http_reply(rq, &(struct http_reply){.status = p->status,
			       .content_type = "text/html; charset=utf-8",
			       .csp = "default-src 'self'",
			       .body = TD_SLICE("<p>sorry</p>")});
	return true;
}

static bool not_ready(struct http_request *rq, const struct http_route *route, void *ctx)
{
	(void)ctx;
	if (strcmp(route->pattern, "/hello") != 0)
		return false;
	http_reply_problem(
		rq, &(struct http_problem){.code = "store-unavailable", .retry_after_s = 7});
	return true;
}

/* ---- Tests ------------------------------------------------------------------------------------
 */

/* Every answer carries the security headers; HSTS only where PUBLIC_URL is https. */
static void test_server_security_headers(void **state)
{
	(void)state;
	const struct http_route routes[] = {{"GET", "/hello", on_hello, NULL, 0, 0}};
	static const char *const wanted[] = {"X-Content-Type-Options: nosniff", "Referrer-Policy: ",
		"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
		"Permissions-Policy: ", "Cross-Origin-Opener-Policy: same-origin",
		"Cross-Origin-Resource-Policy: same-origin", "Cache-Control: no-store", "Date: "};
	static const char *const targets[] = {"/hello", "/nope", "/%zz"};
	for (int https = 0; https < 2; https++) {
		struct http_server_config config = HTTP_SERVER_CONFIG_DEFAULT;
		config.public_url = https ? "https://example.com" : "http://example.com";
		struct http_server *s = start(routes, TD_ARRAY_LEN(routes), &config);
		for (size_t t = 0; t < TD_ARRAY_LEN(targets); t++) {
			const char *answer = get(s, targets[t], "");
			for (size_t i = 0; i < TD_ARRAY_LEN(wanted); i++)
				assert_true(says(answer, wanted[i]));
			assert_int_equal(
				says(answer, "Strict-Transport-Security: max-age="), https);
			assert_false(says(answer, "Server:"));
		}
		http_server_destroy(s);
	}
}

/* A prepared answer comes in the encoding that was asked for, each with its own ETag, and as 304.
 */
static void test_server_prepared(void **state)
{
	(void)state;
	const struct http_header header = {"X-More", "yes"};
	struct http_prepared *p = http_prepared_create(&(struct http_prepared_config){
		.content_type = "text/plain",
		.identity = TD_SLICE("plain body"),
		.gzip = TD_SLICE("gz body"),
		.br = TD_SLICE("br body"),
		.etag = "v1",
		.vary = "Accept-Language",
		.headers = &header,
		.header_count = 1,
	});
	assert_non_null(p);
	const struct http_route routes[] = {{"GET", "/p", on_prepared, p, 0, 0}};
	struct http_server *s = start(routes, 1, NULL);
	for (int i = 0; i < 3; i++) {
		const char *a = get(s, "/p", "");
		assert_true(says(a, "200 OK") && says(a, "\r\n\r\nplain body"));
		assert_true(says(a, "ETag: \"v1\"\r\n") && says(a, "X-More: yes"));
		assert_true(says(a, "Vary: Accept-Encoding, Accept-Language\r\n"));
		a = get(s, "/p", "Accept-Encoding: gzip\r\n");
		assert_true(says(a, "\r\n\r\ngz body") && says(a, "ETag: \"v1-gz\""));
		assert_true(says(a, "Content-Encoding: gzip"));
		a = get(s, "/p", "Accept-Encoding: gzip, br\r\n");
		assert_true(says(a, "\r\n\r\nbr body") && says(a, "ETag: \"v1-br\""));
		a = get(s, "/p", "If-None-Match: \"x\", W/\"v1\"\r\n");
		assert_true(says(a, "304 Not Modified") && !says(a, "plain body"));
		a = get(s, "/p", "If-None-Match: \"v1\"\r\nAccept-Encoding: gzip\r\n");
		assert_true(says(a, "200 OK"));
	}
	assert_true(td_slice_is(http_prepared_body(p), "plain body"));
	http_server_destroy(s);
	http_prepared_unref(p);
}

/* The body outlives the last reference while a connection sends it: ASan would see otherwise. */
static void on_short_lived(struct http_request *rq, void *ctx)
{
	(void)ctx;
	struct http_prepared *p = http_prepared_create(&(struct http_prepared_config){
		.content_type = "text/plain", .identity = TD_SLICE("brief")});
	http_reply_prepared(rq, p);
	http_prepared_unref(p);
}

static void test_server_prepared_goes_while_it_is_sent(void **state)
{
	(void)state;
	const struct http_route routes[] = {{"GET", "/p", on_short_lived, NULL, 0, 0}};
	struct http_server *s = start(routes, 1, NULL);
	for (int i = 0; i < 20; i++)
		assert_true(says(get(s, "/p", ""), "\r\n\r\nbrief"));
	http_server_destroy(s);
}

/* A header that is none makes no prepared answer. */
static void test_prepared_refuses_bad_headers(void **state)
{
	(void)state;
	static const struct http_header bad[] = {
		{"X Y", "a"}, {"X", "a\r\nSet-Cookie: b=c"}, {"", "a"}};
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++)
		assert_null(http_prepared_create(&(struct http_prepared_config){
			.identity = TD_SLICE("x"), .headers = &bad[i], .header_count = 1}));
	assert_null(http_prepared_create(
		&(struct http_prepared_config){.identity = TD_SLICE("x"), .etag = "a\"b"}));
}

static bool make_prepared(void *ctx)
{
	(void)ctx;
	const struct http_header header = {"X-More", "yes"};
	struct http_prepared *p = http_prepared_create(
		&(struct http_prepared_config){.content_type = "text/plain",
			.identity = TD_SLICE("x"),
			.vary = "Cookie",
			.headers = &header,
			.header_count = 1});
	bool made = p != NULL;
	http_prepared_unref(p);
	return made;
}

static bool make_server(void *ctx)
{
	struct http_server_config config = HTTP_SERVER_CONFIG_DEFAULT;
	struct http_server *s = NULL;
	(void)ctx;
	config.trusted_proxies = "10.0.0.0/8, proxy.example";
	bool made = http_server_create(&config, &s, NULL) == TD_OK;
	if (made)
		http_server_destroy(s);
	return made;
}

/* Without memory nothing is made and nothing is lost. */
static void test_without_memory(void **state)
{
	(void)state;
	assert_true(fault_alloc_each(make_prepared, NULL) >= 3);
	assert_true(fault_alloc_each(make_server, NULL) >= 4);
}

/* Problems have the members of the contract. */
static void test_server_problems(void **state)
{
	(void)state;
	const struct http_route routes[] = {
		{"GET", "/problem", on_problem, NULL, 0, 0}, {"GET", "/err", on_err, NULL, 0, 0}};
	struct http_server *s = start(routes, 2, NULL);
	const char *a = get(s, "/problem", "");
	assert_true(says(a, "HTTP/1.1 422 ") && says(a, "Content-Type: application/problem+json"));
	assert_true(says(a,
		"{\"type\":\"/problems/validation\",\"title\":\"Some fields are not right\","
		"\"status\":422,\"code\":\"validation\",\"detail\":\"two fields\",\"errors\":["
		"{\"pointer\":\"/a\",\"detail\":\"is \\\"wrong\\\"\"},"
		"{\"pointer\":\"/b\",\"detail\":\"too\"}],\"user_id\":\"x\"}"));
	static const struct {
		enum td_status code;
		const char *wanted;
		const char *more;
	} rows[] = {
		{TD_NOTFOUND, "HTTP/1.1 404 ", "\"code\":\"package-not-found\""},
		{TD_NOTFOUND, "the story", "package-not-found"},
		{TD_BUSY, "HTTP/1.1 503 ", "\"code\":\"overloaded\""},
		{TD_BUSY, "Retry-After: 1\r\n", ""},
		{TD_TIMEOUT, "HTTP/1.1 503 ", "\"code\":\"store-unavailable\""},
		{TD_IO, "HTTP/1.1 500 ", "\"code\":\"internal-error\""},
		{TD_DENIED, "HTTP/1.1 401 ", "WWW-Authenticate: Bearer"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		char target[32];
		(void)snprintf(target, sizeof(target), "/err?code=%d", (int)rows[i].code);
		a = get(s, target, "");
		assert_true(says(a, rows[i].wanted) && says(a, rows[i].more));
		assert_int_equal(says(a, "the story"), td_status_http(rows[i].code) < 500);
	}
	http_server_destroy(s);
}

/* A browser gets a page for what no route took; a program gets JSON. The hook before handlers may
 * answer, but not for routes that are always there. */
static void test_server_hooks(void **state)
{
	(void)state;
	const struct http_route routes[] = {{"GET", "/hello", on_hello, NULL, 0, 0},
		{"GET", "/page", on_problem, NULL, HTTP_ROUTE_PAGE, 0},
		{"GET", "/live", on_hello, NULL, HTTP_ROUTE_ALWAYS, 0}};
	struct http_server_config config = HTTP_SERVER_CONFIG_DEFAULT;
	config.error_page = page_for_errors;
	config.before = not_ready;
	struct http_server *s = start(routes, 3, &config);
	const char *a = get(s, "/nope", "Accept: text/html,*/*;q=0.1\r\n");
	assert_true(says(a, "404 Not Found") && says(a, "<p>sorry</p>"));
	assert_true(says(a, "Content-Security-Policy: default-src 'self'\r\n"));
	assert_true(says(get(s, "/nope", ""), "application/problem+json"));
	a = get(s, "/page", "");
	assert_true(says(a, "HTTP/1.1 422 ") && says(a, "<p>sorry</p>"));
	a = get(s, "/hello", "Accept: text/html\r\n");
	assert_true(says(a, "HTTP/1.1 503 ") && says(a, "Retry-After: 7\r\n"));
	assert_true(says(get(s, "/live", ""), "hello"));
	http_server_destroy(s);
}

/* A wake that comes while the handler is still on its way to suspending is not lost. */
static void test_server_wake_races_with_suspend(void **state)
{
	(void)state;
	struct waker w = {.rq = NULL};
	const struct http_route routes[] = {{"GET", "/race", on_race, &w, 0, 0}};
	struct http_server *s = start(routes, 1, NULL);
	assert_int_equal(td_thread_start(&w.thread, "waker", run_waker, &w, NULL), TD_OK);
	unsigned good = 0;
	for (int i = 0; i < 200; i++)
		good += says(get(s, "/race", ""), "\r\n\r\nwoken");
	atomic_store(&w.stop, true);
	td_thread_join(&w.thread);
	http_server_destroy(s);
	assert_int_equal(good, 200);
	assert_int_equal(atomic_load(&w.woken), 200);
}

/* Stopping cuts off who awaits; the wake that comes after everything is gone is harmless. */
static void test_server_stop_then_late_wake(void **state)
{
	(void)state;
	const struct http_route routes[] = {{"GET", "/park", on_park, NULL, 0, 0}};
	struct http_server *s = start(routes, 1, NULL);
	static const char request[] = "GET /park HTTP/1.1\r\nHost: h\r\n\r\n";
	int fd = connect_to(s);
	assert_true(fd >= 0);
	assert_int_equal(send(fd, request, sizeof(request) - 1, 0), (int)sizeof(request) - 1);
	struct http_server_stats stats = {.awaiting = 0};
	while (stats.awaiting == 0)
		http_server_get_stats(s, &stats);
	assert_false(http_server_stop(s, 0));
	http_server_destroy(s);
	char byte;
	assert_true(recv(fd, &byte, 1, 0) <= 0);
	http_wake(atomic_load(&parked));
	(void)close(fd);
}

/* Figures: by route, method and status; the histogram counts each request once. */
static void test_server_metrics(void **state)
{
	(void)state;
	const struct http_route routes[] = {{"GET", "/hello", on_hello, NULL, 0, 0}};
	struct http_server *s = start(routes, 1, NULL);
	for (int i = 0; i < 3; i++)
		(void)get(s, "/hello", "");
	(void)get(s, "/nope", "");
	char dropped[4096];
	assert_true(talk(s, "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", dropped, sizeof(dropped)));
	/* A request is counted when the connection's thread has seen the end of its answer. */
	struct http_server_stats stats = {.connections = 1};
	while (stats.connections > 0)
		http_server_get_stats(s, &stats);
	struct td_buf out = TD_BUF_INIT;
	http_server_put_metrics(s, &out);
	const char *text = td_buf_cstr(&out);
	assert_non_null(text);
	assert_true(says(text,
		"http_server_requests_total{method=\"GET\",route=\"/hello\",status=\"200\"} 3\n"));
	assert_true(says(
		text, "http_server_requests_total{method=\"GET\",route=\"\",status=\"404\"} 1\n"));
	assert_true(says(text,
		"http_server_requests_total{method=\"_OTHER\",route=\"\",status=\"501\"} 1\n"));
	assert_true(says(text,
		"http_server_request_duration_seconds_count{method=\"GET\",route=\"/hello\"} 3\n"));
	assert_true(says(text, "route=\"/hello\",le=\"+Inf\"} 3\n"));
	assert_true(says(text, "http_server_requests_rejected_total 1\n"));
	assert_true(says(text, "http_server_connections 0\n"));
	td_buf_done(&out);
	http_server_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_security_headers),
		cmocka_unit_test(test_server_prepared),
		cmocka_unit_test(test_server_prepared_goes_while_it_is_sent),
		cmocka_unit_test(test_prepared_refuses_bad_headers),
		cmocka_unit_test(test_without_memory),
		cmocka_unit_test(test_server_problems),
		cmocka_unit_test(test_server_hooks),
		cmocka_unit_test(test_server_wake_races_with_suspend),
		cmocka_unit_test(test_server_stop_then_late_wake),
		cmocka_unit_test(test_server_metrics),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
