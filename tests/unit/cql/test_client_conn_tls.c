/* A connection with TLS. The server is the test itself, with OpenSSL on a socket. */
#include "td_test.h"
#include "tls_maker.h"
#include "wait_until.h"

#include "cql/client/conn.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_MS 10000

#define OPTIONS "\x04\0\0\0\x05\0\0\0\0"
/* {"PROTOCOL_VERSIONS": ["4/v4"]} */
#define SUPPORTED                                                       \
	"\x84\0\0\0\x06\0\0\0\x1d\0\1\0\x11PROTOCOL_VERSIONS\0\1\0\x04" \
	"4/v4"
#define READY "\x84\0\0\0\x02\0\0\0\0"
/* of the cluster's name: "tests" */
#define TESTS                                                  \
	"\x84\0\0\0\x08\0\0\0\x38\0\0\0\2\0\0\0\1\0\0\0\1\0\6" \
	"system\0\5"                                           \
	"local\0\x0c"                                          \
	"cluster_name\0\x0d\0\0\0\1\0\0\0\5"                   \
	"tests"
#define HEAD_SIZE 9

struct scene {
	struct temp_dir dir;
	struct tls_pair node;
	SSL_CTX *context;
	SSL *ssl; /* NULL: plain */
	int listener, peer;
	struct cql_loop *loop;
	struct cql_conn_config config;
	struct cql_conn *conn;
	struct cql_task open, send, close;
	struct cql_call call;
	enum td_status status; /* of `call` */
	_Atomic bool is_ready, is_done, is_closed;
	enum cql_failure failure;
	struct td_err err;
};

static void on_ready(void *ctx, struct cql_conn *conn)
{
	struct scene *s = ctx;
	assert_ptr_equal(conn, s->conn);
	atomic_store(&s->is_ready, true);
}

static void on_closed(void *ctx, struct cql_conn *conn, const struct td_err *err)
{
	struct scene *s = ctx;
	s->failure = cql_conn_failure(conn);
	s->err = *err;
	atomic_store(&s->is_closed, true);
}

static void on_done(struct cql_call *call, const struct cql_reply *reply)
{
	struct scene *s = TD_CONTAINER_OF(call, struct scene, call);
	s->status = reply->status;
	if (reply->status == TD_OK)
		assert_int_equal(reply->frame->body.len, 5);
	atomic_store(&s->is_done, true);
}

static void run_open(struct cql_task *task)
{
	struct scene *s = TD_CONTAINER_OF(task, struct scene, open);
	assert_int_equal(cql_conn_open(&s->config, &s->conn, NULL), TD_OK);
}

static void run_send(struct cql_task *task)
{
	struct scene *s = TD_CONTAINER_OF(task, struct scene, send);
	uint64_t deadline_ms = cql_loop_now_ms(s->loop) + LIMIT_MS;
	assert_int_equal(cql_conn_send(s->conn, &s->call, deadline_ms, NULL), TD_OK);
}

static void run_close(struct cql_task *task)
{
	cql_conn_close(TD_CONTAINER_OF(task, struct scene, close)->conn, "closed by the test");
}

static bool flag_is_set(void *ctx)
{
	return atomic_load((_Atomic bool *)ctx);
}

static void wait_flag(_Atomic bool *flag)
{
	assert_true(wait_until(flag_is_set, flag, LIMIT_MS));
}

/* ---- the server */

static void listen_somewhere(struct scene *s)
{
	struct cql_address *address = &s->config.address;
	address->as.v4 = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	address->len = sizeof(address->as.v4);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->listener >= 0);
	assert_int_equal(bind(s->listener, &address->as.any, address->len), 0);
	assert_int_equal(listen(s->listener, 8), 0);
	assert_int_equal(getsockname(s->listener, &address->as.any, &address->len), 0);
}

static void begin(struct scene *s, enum cql_tls_mode mode)
{
	*s = (struct scene){.open = {.run = run_open},
		.send = {.run = run_send},
		.close = {.run = run_close},
		.call = {.envelope = TD_SLICE("\x04\0\0\0\x07\0\0\0\x03"
					      "abc"),
			.done = on_done},
		.peer = -1};
	temp_dir_make(&s->dir);
	tls_make(&s->node, &(struct tls_wish){.common_name = "node", .alt_names = "IP:127.0.0.1"});
	tls_write_cert(&s->node, &s->dir, "ca.pem");
	s->context = tls_server(&s->node, NULL);
	struct cql_tls *tls = NULL;
	const struct cql_tls_config files = {
		.mode = mode, .ca_file = temp_dir_path(&s->dir, "ca.pem")};
	assert_int_equal(cql_tls_create(&files, &tls, NULL), TD_OK);
	assert_int_equal(cql_loop_create("test", &s->loop, NULL), TD_OK);
	s->config = (struct cql_conn_config){.loop = s->loop,
		.tls = tls,
		.handshake = {.version_most = CQL_V5},
		.connect_ms = LIMIT_MS,
		.heartbeat_ms = 60000,
		.heartbeat_timeout_ms = LIMIT_MS,
		.in_flight_most = 4,
		.orphans_most = 1,
		.body_most = 1000,
		.unsent_most = 1000,
		.ready = on_ready,
		.closed = on_closed,
		.ctx = s};
	listen_somewhere(s);
}

static void connect_only(struct scene *s)
{
	struct pollfd one = {.fd = s->listener, .events = POLLIN};
	cql_loop_post(s->loop, &s->open);
	assert_int_equal(poll(&one, 1, LIMIT_MS), 1);
	s->peer = accept(s->listener, NULL, NULL);
	assert_true(s->peer >= 0);
	const struct timeval limit = {.tv_sec = LIMIT_MS / 1000};
	assert_int_equal(setsockopt(s->peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
}

static int accept_tls(struct scene *s)
{
	s->ssl = SSL_new(s->context);
	assert_int_equal(SSL_set_fd(s->ssl, s->peer), 1);
	return SSL_accept(s->ssl);
}

static void take_bytes(struct scene *s, char *to, size_t size)
{
	for (size_t have = 0; have < size;) {
		int more = SSL_read(s->ssl, to + have, (int)(size - have));
		assert_true(more > 0);
		have += (size_t)more;
	}
}

static void take_request(struct scene *s, enum cql_opcode opcode)
{
	char head[HEAD_SIZE], body[512];
	take_bytes(s, head, sizeof(head));
	assert_int_equal(head[4], opcode);
	size_t len = (size_t)(uint8_t)head[7] << 8 | (uint8_t)head[8];
	assert_true(len <= sizeof(body));
	take_bytes(s, body, len);
}

/* Each byte in a record of its own. */
static void say(struct scene *s, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(SSL_write(s->ssl, bytes + i, 1), 1);
}

#define SAY(s, literal) say(s, literal, sizeof(literal) - 1)

static void become_ready(struct scene *s)
{
	connect_only(s);
	assert_int_equal(accept_tls(s), 1);
	take_request(s, CQL_OP_OPTIONS);
	SAY(s, SUPPORTED);
	take_request(s, CQL_OP_STARTUP);
	SAY(s, READY);
	take_request(s, CQL_OP_QUERY);
	SAY(s, TESTS);
	wait_flag(&s->is_ready);
}

static void hang_up(struct scene *s)
{
	(void)close(s->peer);
	s->peer = -1;
}

static void finish(struct scene *s)
{
	if (!atomic_load(&s->is_closed))
		cql_loop_post(s->loop, &s->close);
	wait_flag(&s->is_closed);
	cql_loop_destroy(s->loop);
	cql_tls_destroy(s->config.tls);
	SSL_free(s->ssl);
	SSL_CTX_free(s->context);
	tls_done(&s->node);
	temp_dir_remove(&s->dir);
	if (s->peer >= 0)
		(void)close(s->peer);
	(void)close(s->listener);
}

static void assert_failed(struct scene *s, enum cql_failure failure, const char *words)
{
	wait_flag(&s->is_closed);
	assert_int_equal(s->failure, failure);
	assert_non_null(strstr(s->err.text, words));
	assert_non_null(strstr(s->err.text, "127.0.0.1:"));
	finish(s);
}

/* ---- */

/* Without a name it is held against the address. */
static void test_requests_go_through_tls_and_the_end_is_told(void **state)
{
	(void)state;
	struct scene s;
	char byte;
	begin(&s, CQL_TLS_VERIFY_FULL);
	become_ready(&s);
	cql_loop_post(s.loop, &s.send);
	take_request(&s, CQL_OP_QUERY);
	SAY(&s, "\x84\0\0\0\x08\0\0\0\x05"
		"hello");
	wait_flag(&s.is_done);
	assert_int_equal(s.status, TD_OK);
	cql_loop_post(s.loop, &s.close);
	assert_int_equal(SSL_read(s.ssl, &byte, 1), 0);
	assert_int_equal(SSL_get_error(s.ssl, 0), SSL_ERROR_ZERO_RETURN);
	wait_flag(&s.is_closed);
	assert_int_equal(s.failure, CQL_FAILURE_NONE);
	finish(&s);
}

static void test_the_server_may_say_that_nothing_follows(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, CQL_TLS_REQUIRE);
	become_ready(&s);
	(void)SSL_shutdown(s.ssl);
	assert_failed(&s, CQL_FAILURE_LOST, "closed the connection");
}

/* The server is told why, by an alert. */
static void test_another_name_is_refused(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, CQL_TLS_VERIFY_FULL);
	s.config.tls_name = "db1.example";
	connect_only(&s);
	assert_true(accept_tls(&s) <= 0);
	assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_SSLV3_ALERT_BAD_CERTIFICATE);
	ERR_clear_error();
	assert_failed(&s, CQL_FAILURE_TLS_REFUSED, "not made out to db1.example");
}

static void test_a_server_without_tls_is_named(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, CQL_TLS_REQUIRE);
	connect_only(&s);
	assert_int_equal(write(s.peer, "\x85\0\0\0\0\0\0\0\6\0\0\0\x0a\0\0", 15), 15);
	assert_failed(&s, CQL_FAILURE_TLS_MISSING, "does not speak TLS");
}

/* As PostgreSQL does with a first message that it does not understand. */
static void test_a_server_that_hangs_up_is_asked_about(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, CQL_TLS_REQUIRE);
	connect_only(&s);
	hang_up(&s);
	assert_failed(&s, CQL_FAILURE_CLOSED, "does it speak TLS");
	begin(&s, CQL_TLS_REQUIRE);
	connect_only(&s);
	assert_int_equal(accept_tls(&s), 1);
	take_request(&s, CQL_OP_OPTIONS);
	hang_up(&s);
	assert_failed(&s, CQL_FAILURE_CLOSED, "is this Cassandra's port");
}

/* What a server answers to the first message, and no more than `most` bytes of it. */
static size_t answer_partly(struct scene *s, size_t most)
{
	char bytes[16384];
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	ssize_t got = read(s->peer, bytes, sizeof(bytes));
	assert_true(got > 0);
	s->ssl = SSL_new(s->context);
	SSL_set_bio(s->ssl, in, out);
	assert_int_equal(BIO_write(in, bytes, (int)got), got);
	assert_true(SSL_accept(s->ssl) <= 0);
	int len = BIO_read(out, bytes, sizeof(bytes));
	assert_true(len > 0);
	size_t sent = (size_t)len < most ? (size_t)len : most;
	assert_int_equal(write(s->peer, bytes, sent), sent);
	return (size_t)len;
}

static void test_an_end_anywhere_in_the_handshake_of_tls_is_told(void **state)
{
	(void)state;
	for (size_t len = 0, whole = 1; len < whole; len += 23) {
		struct scene s;
		begin(&s, CQL_TLS_VERIFY_FULL);
		connect_only(&s);
		whole = answer_partly(&s, len);
		hang_up(&s);
		assert_failed(&s, CQL_FAILURE_CLOSED, "does it speak TLS");
	}
}

static void test_the_deadline_holds_for_tls_too(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, CQL_TLS_REQUIRE);
	s.config.connect_ms = 50;
	connect_only(&s);
	wait_flag(&s.is_closed);
	assert_int_equal(s.err.code, TD_TIMEOUT);
	assert_failed(&s, CQL_FAILURE_SILENT, "does it speak TLS");
}

static void test_no_cql_within_tls_is_named(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, CQL_TLS_REQUIRE);
	connect_only(&s);
	assert_int_equal(accept_tls(&s), 1);
	assert_int_equal(SSL_write(s.ssl, "HTTP/1.1 400\r\n\r\n", 16), 16);
	assert_failed(&s, CQL_FAILURE_NOT_CQL, "HTTP");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_go_through_tls_and_the_end_is_told),
		cmocka_unit_test(test_the_server_may_say_that_nothing_follows),
		cmocka_unit_test(test_another_name_is_refused),
		cmocka_unit_test(test_a_server_without_tls_is_named),
		cmocka_unit_test(test_a_server_that_hangs_up_is_asked_about),
		cmocka_unit_test(test_an_end_anywhere_in_the_handshake_of_tls_is_told),
		cmocka_unit_test(test_the_deadline_holds_for_tls_too),
		cmocka_unit_test(test_no_cql_within_tls_is_named),
	};
	return cmocka_run_group_tests_name("cql/client/conn with TLS", tests, NULL, NULL);
}
