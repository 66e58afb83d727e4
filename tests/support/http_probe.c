/* A small server over src/http/ for tests over raw sockets: one route for each thing that the layer
 * does, its limits from the environment, and a counter of requests that must never be answered. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/http.h"
#include "work/lock.h"
#include "work/thread.h"
#include "work/ticker.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Somebody else, who wakes ---------------------------------------------------------------- */

struct waiting {
	struct waiting *next;
	struct http_request *rq;
	uint64_t due_ns;
};

static struct {
	struct td_lock lock;
	struct td_cond wake;
	struct waiting *first; /* guarded by lock */
	bool stop;             /* guarded by lock */
	struct td_thread thread;
} waker;

static atomic_uint hidden_count;
static struct http_server *server;
static struct http_prepared *prepared;

static struct waiting *take_due(uint64_t now_ns)
{
	for (struct waiting **at = &waker.first; *at != NULL; at = &(*at)->next) {
		struct waiting *w = *at;
		if (w->due_ns <= now_ns || waker.stop) {
			*at = w->next;
			return w;
		}
	}
	return NULL;
}

static void run_waker(void *ctx)
{
	(void)ctx;
	td_lock_take(&waker.lock);
	while (!waker.stop || waker.first != NULL) {
		uint64_t now_ns = td_clock_mono_ns();
		struct waiting *w = take_due(now_ns);
		if (w == NULL && waker.first == NULL) {
			td_cond_wait(&waker.wake, &waker.lock);
			continue;
		}
		if (w == NULL) {
			(void)td_cond_wait_until(&waker.wake, &waker.lock, now_ns + 1000000);
			continue;
		}
		td_lock_give(&waker.lock);
		http_wake(w->rq);
		td_free(w);
		td_lock_take(&waker.lock);
	}
	td_lock_give(&waker.lock);
}

/* ---- Routes ---------------------------------------------------------------------------------- */

static void reply_text(struct http_request *rq, const char *text)
{
	http_reply(rq, &(struct http_reply){.status = 200,
			       .content_type = "text/plain; charset=utf-8",
			       .body = td_slice_str(text)});
}

static void on_hello(struct http_request *rq, void *ctx)
{
	(void)ctx;
	reply_text(rq, "hello\n");
}

static void on_hidden(struct http_request *rq, void *ctx)
{
	(void)ctx;
	atomic_fetch_add(&hidden_count, 1);
	reply_text(rq, "HIDDEN\n");
}

static void on_count(struct http_request *rq, void *ctx)
{
	(void)ctx;
	char text[16];
	(void)snprintf(text, sizeof(text), "%u\n", atomic_load(&hidden_count));
	reply_text(rq, text);
}

static void on_prepared(struct http_request *rq, void *ctx)
{
	(void)ctx;
	http_reply_prepared(rq, prepared);
}

static void on_echo(struct http_request *rq, void *ctx)
{
	(void)ctx;
	http_reply(rq, &(struct http_reply){.status = 200,
			       .content_type = "application/octet-stream",
			       .body = http_body(rq)});
}

static void on_show(struct http_request *rq, void *ctx)
{
	(void)ctx;
	struct td_buf out = TD_BUF_INIT;
	struct td_slice value = {NULL, 0};
	td_buf_printf(&out, "method=%s\npattern=%s\nid=%.*s\nremote=%s\nhttps=%d\nloopback=%d\n",
		http_method(rq), http_route_pattern(rq), TD_SLICE_ARG(http_param(rq, "id")),
		http_remote_address(rq), http_is_https(rq), http_remote_is_loopback(rq));
	td_buf_printf(&out, "host=%.*s\nhtml=%d\nrequest_id=%s\n", TD_SLICE_ARG(http_host(rq)),
		http_wants_html(rq), http_request_id(rq));
	for (size_t i = 0; i < http_query_total(rq); i++) {
		struct td_slice name;
		http_query_at(rq, i, &name, &value);
		td_buf_printf(&out, "query %.*s=%.*s\n", TD_SLICE_ARG(name), TD_SLICE_ARG(value));
	}
	if (http_cookie(rq, "session", &value))
		td_buf_printf(&out, "session=%.*s\n", TD_SLICE_ARG(value));
	if (!http_add_header(rq, "Set-Cookie", "seen=1; HttpOnly"))
		td_buf_put_str(&out, "no cookie\n");
	http_reply(rq,
		&(struct http_reply){.status = 200, .content_type = "text/plain", .take = &out});
	td_buf_done(&out);
}

static void on_woken(struct http_request *rq, void *ctx)
{
	reply_text(rq, ctx);
}

static void on_await(struct http_request *rq, void *ctx)
{
	struct td_slice text = {NULL, 0};
	uint64_t ms = http_query(rq, "ms", &text) ? strtoull(text.ptr, NULL, 10) : 0;
	struct waiting *w = td_alloc_zero(sizeof(*w));
	http_await(rq, on_woken, ctx);
	if (w == NULL) {
		http_reply_err(rq, &(struct td_err){.code = TD_NOMEM}, "overloaded");
		return;
	}
	w->rq = rq;
	w->due_ns = td_clock_mono_ns() + ms * 1000000;
	td_lock_take(&waker.lock);
	w->next = waker.first;
	waker.first = w;
	td_cond_wake_one(&waker.wake);
	td_lock_give(&waker.lock);
}

static void on_await_now(struct http_request *rq, void *ctx)
{
	http_await(rq, on_woken, ctx);
	http_wake(rq);
}

/* The submitting failed: the answer takes the await back. */
static void on_await_not(struct http_request *rq, void *ctx)
{
	http_await(rq, on_woken, ctx);
	http_reply_err(rq, &(struct td_err){.code = TD_BUSY}, NULL);
}

static void on_await_twice(struct http_request *rq, void *ctx)
{
	(void)ctx;
	static char again[] = "twice\n";
	on_await(rq, again);
}

static void on_big(struct http_request *rq, void *ctx)
{
	(void)ctx;
	struct td_buf out = TD_BUF_INIT;
	char *at = td_buf_reserve(&out, 32u << 20);
	if (at != NULL) {
		memset(at, 'x', 32u << 20);
		out.len = 32u << 20;
	}
	http_reply(rq,
		&(struct http_reply){.status = 200, .content_type = "text/plain", .take = &out});
}

static void on_silent(struct http_request *rq, void *ctx)
{
	(void)rq;
	(void)ctx;
}

static void on_bad_header(struct http_request *rq, void *ctx)
{
	(void)ctx;
	http_redirect(rq, 303, "/x\r\nSet-Cookie: a=b");
}

static void on_metrics(struct http_request *rq, void *ctx)
{
	(void)ctx;
	struct td_buf out = TD_BUF_INIT;
	http_server_put_metrics(server, &out);
	http_reply(rq,
		&(struct http_reply){.status = 200, .content_type = "text/plain", .take = &out});
	td_buf_done(&out);
}

static char woken_text[] = "woken\n";

static const struct http_route routes[] = {
	{"GET", "/", on_hello, NULL, 0, 0},
	{"GET", "/hello", on_hello, NULL, 0, 0},
	{"GET", "/hidden", on_hidden, NULL, 0, 0},
	{"POST", "/hidden", on_hidden, NULL, 0, 0},
	{"GET", "/count", on_count, NULL, 0, 0},
	{"GET", "/prepared", on_prepared, NULL, 0, 0},
	{"POST", "/echo", on_echo, NULL, 0, 0},
	{"PUT", "/echo/{id}", on_echo, NULL, 0, 0},
	{"DELETE", "/echo/{id}", on_echo, NULL, 0, 0},
	{"POST", "/small", on_echo, NULL, 0, 16},
	{"POST", "/json", on_echo, NULL, HTTP_ROUTE_JSON, 0},
	{"POST", "/form", on_echo, NULL, HTTP_ROUTE_FORM, 0},
	{"GET", "/show/{id}", on_show, NULL, 0, 0},
	{"GET", "/show/fixed", on_hello, NULL, 0, 0},
	{"GET", "/await", on_await, woken_text, 0, 0},
	{"POST", "/await", on_await, woken_text, 0, 0},
	{"GET", "/await-now", on_await_now, woken_text, 0, 0},
	{"GET", "/await-not", on_await_not, woken_text, 0, 0},
	{"GET", "/await-twice", on_await_twice, NULL, 0, 0},
	{"GET", "/big", on_big, NULL, 0, 0},
	{"GET", "/silent", on_silent, NULL, 0, 0},
	{"GET", "/bad-header", on_bad_header, NULL, 0, 0},
	{"GET", "/metrics", on_metrics, NULL, 0, 0},
};

/* ---- The program ----------------------------------------------------------------------------- */

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text == NULL || *text == '\0' ? otherwise : strtoull(text, NULL, 10);
}

static void sink(void *ctx, const struct td_log_line *line)
{
	(void)ctx;
	(void)fprintf(
		stderr, "%s%s\n", line->level == TD_LOG_WARNING ? "warning: " : "", line->message);
}

static struct http_prepared *make_prepared(void)
{
	static char body[5000];
	memset(body, 'p', sizeof(body));
	struct http_prepared_config config = {
		.content_type = "application/json",
		.identity = td_slice(body, sizeof(body)),
		.gzip = TD_SLICE("this stands for gzip"),
		.br = TD_SLICE("this stands for br"),
		.etag = "tag1",
		.cache_control = "public, max-age=60",
	};
	return http_prepared_create(&config);
}

static void fail(const struct td_err *err)
{
	(void)fprintf(stderr, "error: %s\n", err->text);
	exit(1);
}

static void start(struct td_err *err)
{
	struct http_server_config config = HTTP_SERVER_CONFIG_DEFAULT;
	config.host = getenv("PROBE_HOST") != NULL ? getenv("PROBE_HOST") : "127.0.0.1";
	config.port = (unsigned)number("PROBE_PORT", 0);
	config.threads = (unsigned)number("PROBE_THREADS", 0);
	config.header_timeout_ms = number("PROBE_HEADER_MS", config.header_timeout_ms);
	config.request_timeout_ms = number("PROBE_REQUEST_MS", config.request_timeout_ms);
	config.send_timeout_ms = number("PROBE_SEND_MS", config.send_timeout_ms);
	config.idle_timeout_ms = number("PROBE_IDLE_MS", config.idle_timeout_ms);
	config.max_connections = number("PROBE_MAX", config.max_connections);
	config.max_per_address_set = getenv("PROBE_PER_ADDRESS") != NULL;
	config.max_per_address = number("PROBE_PER_ADDRESS", config.max_per_address);
	config.trusted_proxies = getenv("PROBE_PROXIES");
	config.public_url = getenv("PROBE_URL");
	if (http_server_create(&config, &server, err) != TD_OK ||
		http_server_add_routes(server, routes, TD_ARRAY_LEN(routes), err) != TD_OK ||
		http_server_start(server, err) != TD_OK)
		fail(err);
	(void)fprintf(stderr, "Listening on http://%s\n", http_server_address(server));
}

int main(void)
{
	struct td_err err = TD_ERR_INIT;
	struct td_ticker *ticker = NULL;
	sigset_t stop;
	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTERM);
	(void)sigaddset(&stop, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &stop, NULL);
	td_log_set_sink(sink, NULL);
	td_lock_init(&waker.lock);
	td_cond_init(&waker.wake);
	prepared = make_prepared();
	start(&err);
	if (prepared == NULL || td_ticker_create(20, &ticker, &err) != TD_OK ||
		td_ticker_add(ticker, http_server_tick, server, &err) != TD_OK ||
		td_thread_start(&waker.thread, "waker", run_waker, NULL, &err) != TD_OK)
		fail(&err);
	int got = 0;
	(void)sigwait(&stop, &got);
	uint64_t until_ms = td_clock_mono_ns() / 1000000 + number("PROBE_STOP_MS", 3000);
	bool is_clean = http_server_stop(server, until_ms);
	(void)fprintf(stderr, "%s\n", is_clean ? "stopped" : "stopped, some were cut off");
	td_ticker_destroy(ticker);
	http_server_destroy(server);
	td_lock_take(&waker.lock);
	waker.stop = true;
	td_cond_wake_all(&waker.wake);
	td_lock_give(&waker.lock);
	td_thread_join(&waker.thread);
	http_prepared_unref(prepared);
	return 0;
}
