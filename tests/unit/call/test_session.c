/* Cookies and origins, over a real HTTP server that needs no store. */
#include "held_store.h"

#include "app/session.h"
#include "call/origin.h"
#include "call/session.h"

#include <sodium.h>

#define TOKEN "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

struct fixture {
	struct calls *calls;
	struct http_server *server;
};

static void handle(struct http_request *rq, void *ctx)
{
	struct fixture *f = ctx;
	struct td_slice token = call_cookie_token(f->calls, rq, CALL_COOKIE_SESSION);
	const char *fault = call_origin_fault(f->calls, rq);
	bool set = call_cookie_set(f->calls, rq, CALL_COOKIE_SESSION, TD_SLICE("x"), 5000) &&
		   call_cookie_set(f->calls, rq, CALL_COOKIE_CSRF, TD_SLICE("y"), 0) &&
		   call_cookie_set(f->calls, rq, CALL_COOKIE_SESSION, td_slice(NULL, 0), 5000);
	char *text = td_arena_printf(
		http_arena(rq), "[%.*s] %s", TD_SLICE_ARG(token), fault == NULL ? "ours" : fault);
	const struct http_reply reply = {.status = set ? 200 : 500, .body = td_slice_str(text)};
	http_reply(rq, &reply);
}

static void start(struct fixture *f, const char *public_url)
{
	struct td_err err = TD_ERR_INIT;
	struct http_server_config http = HTTP_SERVER_CONFIG_DEFAULT;
	const struct calls_config config = {
		.clock = &td_clock_system, .store_timeout_ms = 1000, .public_url = public_url};
	const struct http_route route = {
		.method = "GET", .pattern = "/", .handler = handle, .ctx = f};
	assert_int_equal(calls_create(&config, &f->calls, &err), TD_OK);
	http.port = 0;
	http.threads = 1;
	http.trusted_proxies = "127.0.0.1";
	http.public_url = public_url;
	assert_int_equal(http_server_create(&http, &f->server, &err), TD_OK);
	assert_int_equal(http_server_add_routes(f->server, &route, 1, &err), TD_OK);
	assert_int_equal(http_server_start(f->server, &err), TD_OK);
}

static void end(struct fixture *f)
{
	http_server_destroy(f->server);
	calls_destroy(f->calls);
}

static void expect(const struct fixture *f, const char *headers, const char *part)
{
	client_expect(client_send(f->server, "GET", "/", headers, ""), 200, part);
}

static void test_cookies_are_plain_without_https(void **state)
{
	struct fixture f;
	(void)state;
	start(&f, NULL);
	expect(&f, "", "[] ours");
	expect(&f, "", "Set-Cookie: session=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=5\r\n");
	expect(&f, "", "Set-Cookie: csrf=y; Path=/; HttpOnly; SameSite=Lax\r\n");
	expect(&f, "", "Set-Cookie: session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0\r\n");
	expect(&f, "Cookie: session=" TOKEN "\r\n", "[" TOKEN "]");
	expect(&f, "Cookie: __Host-session=" TOKEN "\r\n", "[]");
	expect(&f, "Cookie: session=" TOKEN "A\r\n", "[]");
	end(&f);
}

static void test_cookies_are_secure_with_https(void **state)
{
	struct fixture f;
	(void)state;
	start(&f, "https://plans.example.com");
	expect(&f, "",
		"Set-Cookie: __Host-session=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=5; "
		"Secure\r\n");
	expect(&f, "", "Set-Cookie: __Host-csrf=y; Path=/; HttpOnly; SameSite=Lax; Secure\r\n");
	expect(&f, "Cookie: __Host-session=" TOKEN "\r\n", "[" TOKEN "]");
	/* Any subdomain could have set that one. */
	expect(&f, "Cookie: session=" TOKEN "\r\n", "[]");
	end(&f);
}

struct row {
	const char *headers, *part;
};

static void expect_all(const struct fixture *f, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		expect(f, rows[i].headers, rows[i].part);
}

#define FOREIGN "another site"

static void test_origin_is_compared_with_host(void **state)
{
	struct fixture f;
	(void)state;
	static const struct row rows[] = {
		{"", "ours"},
		{"Origin: http://localhost\r\n", "ours"},
		{"Origin: http://LOCALHOST:80\r\n", "ours"},
		/* A proxy that is not trusted may end TLS. */
		{"Origin: https://localhost\r\n", "ours"},
		{"Origin: http://localhost\r\nX-Forwarded-Proto: https\r\n"
		 "X-Forwarded-For: 192.0.2.1\r\n",
			FOREIGN},
		{"Origin: null\r\n", FOREIGN},
		{"Origin: \r\n", FOREIGN},
		{"Origin: localhost\r\n", FOREIGN},
		{"Origin: http://\r\n", FOREIGN},
		{"Origin: http://localhost:8080\r\n", FOREIGN},
		{"Origin: http://localhost.evil.example\r\n", FOREIGN},
		{"Origin: http://evil.example/localhost\r\n", FOREIGN},
		{"Origin: ftp://localhost\r\n", FOREIGN},
		{"Origin: http://localhost http://evil.example\r\n", FOREIGN},
		{"Origin: http://localhost\r\nOrigin: http://evil.example\r\n", FOREIGN},
		{"Origin: http://localhost\r\nSec-Fetch-Site: cross-site\r\n", "ours"},
		{"Sec-Fetch-Site: same-origin\r\n", "ours"},
		{"Sec-Fetch-Site: none\r\n", "ours"},
		{"Sec-Fetch-Site: same-site\r\n", FOREIGN},
		{"Sec-Fetch-Site: cross-site\r\n", FOREIGN},
		{"Sec-Fetch-Site: \r\n", FOREIGN},
	};
	start(&f, NULL);
	expect_all(&f, rows, TD_ARRAY_LEN(rows));
	end(&f);
}

static void test_origin_is_compared_with_public_url(void **state)
{
	struct fixture f;
	(void)state;
	static const struct row rows[] = {
		{"Origin: https://plans.example.com\r\n", "ours"},
		{"Origin: https://plans.example.com:443\r\n", "ours"},
		{"Origin: http://plans.example.com\r\n", FOREIGN},
		{"Origin: https://plans.example.com:444\r\n", FOREIGN},
		{"Origin: https://example.com\r\n", FOREIGN},
		{"Origin: http://localhost\r\n", FOREIGN},
		{"Origin: null\r\n", FOREIGN},
	};
	start(&f, "https://Plans.example.com");
	expect_all(&f, rows, TD_ARRAY_LEN(rows));
	end(&f);
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cookies_are_plain_without_https),
		cmocka_unit_test(test_cookies_are_secure_with_https),
		cmocka_unit_test(test_origin_is_compared_with_host),
		cmocka_unit_test(test_origin_is_compared_with_public_url),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
