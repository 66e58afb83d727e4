/* Whole connections: any bytes into a server in this process. The oracle is a reader that takes the
 * grammar of RFC 9112 word by word and stops at the first thing that is not in it: the server may
 * run fewer requests than it finds, never more. The first byte says into how many pieces the bytes
 * are cut on their way. */
#include "fuzz.h"

#include "base/alloc.h"
#include "http/drive.h"
#include "http/http.h"
#include "http/syntax.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS_MOST 10000

static size_t ran; /* handlers, for one input */

/* ---- The oracle --------------------------------------------------------------------------------
 */

/* Cuts a line off that ends in CRLF and holds neither CR nor LF before it. A NUL in the place of
 * the CR passes: libmicrohttpd 0.9.75 overwrites both with NULs, so that nobody can tell any more.
 */
static bool take_line(struct td_slice *rest, struct td_slice *ret_line)
{
	for (size_t i = 0; i + 1 < rest->len; i++) {
		if (rest->ptr[i] == '\n')
			return false;
		bool may_end = rest->ptr[i] == '\r' ||
			       (rest->ptr[i] == '\0' && rest->ptr[i + 1] == '\n');
		if (!may_end)
			continue;
		if (rest->ptr[i + 1] != '\n')
			return false;
		*ret_line = td_slice(rest->ptr, i);
		*rest = td_slice_skip(*rest, i + 2);
		return true;
	}
	return false;
}

static bool is_request_line(struct td_slice line)
{
	struct td_slice rest = line, method, target;
	if (!td_slice_cut(&rest, ' ', &method) || !td_slice_cut(&rest, ' ', &target) ||
		rest.ptr == NULL)
		return false;
	for (size_t i = 0; i < target.len; i++) {
		if (target.ptr[i] < 0x21 || target.ptr[i] > 0x7e)
			return false;
	}
	return http_is_token(method) && target.len > 0 && rest.len == 8 &&
	       td_slice_has_prefix(rest, "HTTP/1.") && rest.ptr[7] >= '0' && rest.ptr[7] <= '9';
}

struct framing {
	unsigned lengths, codings;
	size_t body;
};

static bool take_length(struct td_slice value, struct framing *f)
{
	f->body = 0;
	f->lengths++;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9' || f->body > 1u << 30)
			return false;
		f->body = f->body * 10 + (size_t)(value.ptr[i] - '0');
	}
	return value.len > 0 && f->lengths == 1;
}

static bool take_field(struct td_slice line, struct framing *f)
{
	struct td_slice value = line, name;
	if (!td_slice_cut(&value, ':', &name) || value.ptr == NULL || !http_is_token(name) ||
		!http_is_field_value(value))
		return false;
	value = td_slice_trim(value);
	f->codings += td_slice_is_nocase(name, "Transfer-Encoding");
	return !td_slice_is_nocase(name, "Content-Length") || take_length(value, f);
}

/* Empty lines before a request are ignored, and 0.9.75 takes one that begins with a NUL for empty.
 */
static void skip_empty_lines(struct td_slice *rest)
{
	while (rest->len > 0 && strchr("\r\n", rest->ptr[0]) != NULL) {
		bool is_nul = rest->ptr[0] == '\0';
		while (is_nul && rest->len > 0 && rest->ptr[0] != '\r' && rest->ptr[0] != '\n')
			*rest = td_slice_skip(*rest, 1);
		*rest = td_slice_skip(*rest, 1);
	}
}

/* 0.9.75 ends a header at a line that is empty, begins with a NUL, or is a colon alone, whether CR,
 * LF or both end it, and leaves NULs in those places as it does for CRLF CRLF. Where that makes
 * four of them, nobody can tell any more. Takes the last field and such an end off. */
static bool take_blurred_end(struct td_slice *rest, struct td_slice *ret_line)
{
	static const char blurred[] = {'\r', '\n', '\0', ':'};
	size_t len = 0;
	while (len < rest->len && memchr(blurred, rest->ptr[len], 3) == NULL)
		len++;
	if (len == 0 || rest->len - len < 4)
		return false;
	for (size_t i = len; i < len + 4; i++) {
		if (memchr(blurred, rest->ptr[i], sizeof(blurred)) == NULL)
			return false;
	}
	if (memchr(blurred, rest->ptr[len + 3], 2) == NULL)
		return false;
	*ret_line = td_slice(rest->ptr, len);
	*rest = td_slice_skip(*rest, len + 4);
	return true;
}

/* Takes one whole request off; false: there is none that is whole and well formed. */
static bool take_request(struct td_slice *rest)
{
	struct framing f = {.lengths = 0};
	struct td_slice line;
	skip_empty_lines(rest);
	if (!take_line(rest, &line) || !is_request_line(line))
		return false;
	for (;;) {
		bool is_last = take_blurred_end(rest, &line);
		if (!is_last && !take_line(rest, &line))
			return false;
		if (line.len == 0)
			break;
		if (!take_field(line, &f))
			return false;
		if (is_last)
			break;
	}
	if (f.codings > 0 || f.body > rest->len)
		return false;
	*rest = td_slice_skip(*rest, f.body);
	return true;
}

static size_t count_requests(struct td_slice bytes)
{
	size_t count = 0;
	while (take_request(&bytes))
		count++;
	return count;
}

/* ---- The server --------------------------------------------------------------------------------
 */

static void on_echo(struct http_request *rq, void *ctx)
{
	struct td_slice value = http_param(rq, "id");
	(void)ctx;
	ran++;
	FUZZ_CLAIM(http_is_host(http_host(rq)) || http_host(rq).len == 0);
	if (http_cookie(rq, "session", &value))
		FUZZ_CLAIM(http_is_field_value(value));
	(void)http_remote_address(rq);
	(void)http_wants_html(rq);
	http_reply(rq, &(struct http_reply){
			       .status = 200, .content_type = "text/plain", .body = http_body(rq)});
}

static void on_woken(struct http_request *rq, void *ctx)
{
	on_echo(rq, ctx);
}

static struct http_request *waiting;

static void on_await(struct http_request *rq, void *ctx)
{
	http_await(rq, on_woken, ctx);
	if (waiting == NULL)
		waiting = rq;
	else
		http_wake(rq);
}

static struct http_server *the_server(void)
{
	static const struct http_route routes[] = {
		{.method = "GET", .pattern = "/", .handler = on_echo},
		{.method = "POST", .pattern = "/", .handler = on_echo},
		{.method = "PUT", .pattern = "/{id}", .handler = on_echo, .max_body = 64},
		{.method = "DELETE", .pattern = "/{id}", .handler = on_echo},
		{.method = "GET", .pattern = "/a", .handler = on_await},
		{.method = "POST", .pattern = "/a", .handler = on_await, .flags = HTTP_ROUTE_JSON},
	};
	static struct http_server *server;
	struct http_server_config config = HTTP_SERVER_CONFIG_DEFAULT;
	struct td_err err = TD_ERR_INIT;
	if (server != NULL)
		return server;
	config.threads = 1;
	config.max_connections = 16;
	config.trusted_proxies = "127.0.0.1";
	FUZZ_CLAIM(http_server_create(&config, &server, &err) == TD_OK);
	FUZZ_CLAIM(http_server_add_routes(server, routes, TD_ARRAY_LEN(routes), &err) == TD_OK);
	FUZZ_CLAIM(http_drive_start(server, &err) == TD_OK);
	return server;
}

static bool run_server(struct http_server *server)
{
	bool is_open = http_drive_run(server);
	if (waiting != NULL) {
		struct http_request *rq = waiting;
		waiting = NULL;
		http_wake(rq);
	}
	return is_open;
}

/* What comes out must be answers, as far as it goes. */
static void read_answers(int fd)
{
	char bytes[16384];
	bool is_first = true;
	ssize_t n = 0;
	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		if (is_first && n >= 9)
			FUZZ_CLAIM(memcmp(bytes, "HTTP/1.1 ", 9) == 0);
		is_first = false;
	}
}

static void feed(struct http_server *server, int fd, struct td_slice bytes, size_t pieces)
{
	size_t step = bytes.len / pieces + 1;
	while (bytes.len > 0) {
		size_t len = bytes.len < step ? bytes.len : step;
		if (send(fd, bytes.ptr, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
			return;
		bytes = td_slice_skip(bytes, len);
		if (!run_server(server))
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t pieces = 1 + fuzz_choose(&data, &size, 6);
	struct td_slice bytes = fuzz_slice(data, size);
	struct http_server *server = the_server();
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return 0;
	ran = 0;
	http_drive_connect(server, pair[0]);
	feed(server, pair[1], bytes, pieces);
	(void)shutdown(pair[1], SHUT_WR);
	size_t rounds = 0;
	while (run_server(server)) {
		read_answers(pair[1]);
		FUZZ_CLAIM(++rounds < ROUNDS_MOST);
	}
	read_answers(pair[1]);
	(void)close(pair[1]);
	FUZZ_CLAIM(ran <= count_requests(bytes));
	return 0;
}
