/* The other side of the connection is the test itself: a socket that is told what to say. */
#include "td_test.h"
#include "wait_until.h"

#include "base/clock.h"
#include "cql/client/conn.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_MS 10000
#define CALLS    4

/* ---- the client's side: what the loop does, and what it was told */

struct item {
	struct cql_call call;
	struct scene *scene;
	uint64_t timeout_ms;
	enum td_status sent; /* what cql_conn_send() said */
	enum td_status status;
	bool may_have_run;
	char body[64];
	size_t body_len;
	char text[TD_ERR_TEXT_MAX];
	_Atomic unsigned told;
};

struct scene {
	struct cql_loop *loop;
	struct cql_conn_config config;
	struct cql_conn *conn;
	struct cql_task open, send, close;
	int listener, peer;
	struct item items[CALLS];
	size_t from, to; /* of the items: what `send` sends */
	_Atomic bool is_ready, is_closed, is_sent;
	_Atomic unsigned events;
	struct td_err closed_err;
	enum cql_failure failure;
	char cluster_name[32];
	bool password_not_asked;
};

static void on_ready(void *ctx, struct cql_conn *conn)
{
	struct scene *s = ctx;
	assert_ptr_equal(conn, s->conn);
	assert_true(cql_conn_is_ready(conn));
	(void)snprintf(s->cluster_name, sizeof(s->cluster_name), "%s", cql_conn_cluster_name(conn));
	s->password_not_asked = cql_conn_password_not_asked(conn);
	atomic_store(&s->is_ready, true);
}

static void on_event(void *ctx, struct cql_conn *conn, const struct cql_frame *frame)
{
	struct scene *s = ctx;
	(void)conn;
	assert_int_equal(frame->header.opcode, CQL_OP_EVENT);
	atomic_fetch_add(&s->events, 1);
}

static void on_closed(void *ctx, struct cql_conn *conn, const struct td_err *err)
{
	struct scene *s = ctx;
	assert_false(cql_conn_is_ready(conn));
	s->failure = cql_conn_failure(conn);
	s->closed_err = *err;
	atomic_store(&s->is_closed, true);
}

static void on_done(struct cql_call *call, const struct cql_reply *reply)
{
	struct item *item = TD_CONTAINER_OF(call, struct item, call);
	item->status = reply->status;
	item->may_have_run = reply->may_have_run;
	if (reply->frame != NULL) {
		item->body_len = reply->frame->body.len;
		assert_true(item->body_len <= sizeof(item->body));
		memcpy(item->body, reply->frame->body.ptr, item->body_len);
	} else {
		(void)snprintf(item->text, sizeof(item->text), "%s", reply->err->text);
	}
	atomic_fetch_add(&item->told, 1);
}

static void run_open(struct cql_task *task)
{
	struct scene *s = TD_CONTAINER_OF(task, struct scene, open);
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(cql_conn_open(&s->config, &s->conn, &err), TD_OK);
}

static void run_send(struct cql_task *task)
{
	struct scene *s = TD_CONTAINER_OF(task, struct scene, send);
	for (size_t i = s->from; i < s->to; i++) {
		struct item *item = &s->items[i];
		uint64_t deadline_ms = cql_loop_now_ms(s->loop) + item->timeout_ms;
		item->sent = cql_conn_send(s->conn, &item->call, deadline_ms, NULL);
	}
	atomic_store(&s->is_sent, true);
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

static bool item_is_told(void *ctx)
{
	return atomic_load(&((struct item *)ctx)->told) > 0;
}

static void wait_told(struct item *item)
{
	assert_true(wait_until(item_is_told, item, LIMIT_MS));
	assert_int_equal(atomic_load(&item->told), 1);
}

/* ---- the server's side */

static void wait_readable(int fd)
{
	struct pollfd one = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&one, 1, LIMIT_MS), 1);
}

static void expect(struct scene *s, const void *bytes, size_t len)
{
	char got[256];
	size_t have = 0;
	assert_true(len <= sizeof(got));
	while (have < len) {
		wait_readable(s->peer);
		ssize_t more = read(s->peer, got + have, len - have);
		assert_true(more > 0);
		have += (size_t)more;
	}
	assert_memory_equal(got, bytes, len);
}

static void say(struct scene *s, const void *bytes, size_t len)
{
	assert_int_equal(write(s->peer, bytes, len), (ssize_t)len);
}

#define EXPECT(s, literal) expect(s, literal, sizeof(literal) - 1)
#define SAY(s, literal)    say(s, literal, sizeof(literal) - 1)

#define OPTIONS "\x04\0\0\0\x05\0\0\0\0"
/* {"PROTOCOL_VERSIONS": ["4/v4"]} */
#define SUPPORTED                                                       \
	"\x84\0\0\0\x06\0\0\0\x1d\0\1\0\x11PROTOCOL_VERSIONS\0\1\0\x04" \
	"4/v4"
#define READY "\x84\0\0\0\x02\0\0\0\0"
/* SELECT cluster_name FROM system.local WHERE key='local' at ONE, and "tests" in answer to it */
#define CLUSTER                                                   \
	"\x04\0\0\0\x07\0\0\0\x3e\0\0\0\x37"                      \
	"SELECT cluster_name FROM system.local WHERE key='local'" \
	"\0\1\0"
#define TESTS                                                  \
	"\x84\0\0\0\x08\0\0\0\x38\0\0\0\2\0\0\0\1\0\0\0\1\0\6" \
	"system\0\5"                                           \
	"local\0\x0c"                                          \
	"cluster_name\0\x0d\0\0\0\1\0\0\0\5"                   \
	"tests"
#define QUERY                      \
	"\x04\0\0\0\x07\0\0\0\x03" \
	"abc" /* the body does not matter to a connection */

static void skip_startup(struct scene *s)
{
	char head[9], body[512];
	for (size_t have = 0; have < sizeof(head);) {
		wait_readable(s->peer);
		ssize_t more = read(s->peer, head + have, sizeof(head) - have);
		assert_true(more > 0);
		have += (size_t)more;
	}
	assert_int_equal(head[4], CQL_OP_STARTUP);
	size_t len = (size_t)(uint8_t)head[7] << 8 | (uint8_t)head[8];
	assert_true(len <= sizeof(body));
	for (size_t have = 0; have < len;) {
		wait_readable(s->peer);
		ssize_t more = read(s->peer, body + have, len - have);
		assert_true(more > 0);
		have += (size_t)more;
	}
}

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

static void begin(struct scene *s)
{
	struct td_err err = TD_ERR_INIT;
	*s = (struct scene){.open = {.run = run_open},
		.send = {.run = run_send},
		.close = {.run = run_close},
		.peer = -1};
	assert_int_equal(cql_loop_create("test", &s->loop, &err), TD_OK);
	s->config = (struct cql_conn_config){.loop = s->loop,
		.handshake = {.version_most = CQL_V5},
		.connect_ms = 5000,
		.heartbeat_ms = 60000,
		.heartbeat_timeout_ms = 5000,
		.in_flight_most = CALLS,
		.orphans_most = 1,
		.body_most = 1000,
		.unsent_most = 1000,
		.ready = on_ready,
		.event = on_event,
		.closed = on_closed,
		.ctx = s};
	for (size_t i = 0; i < CALLS; i++)
		s->items[i] = (struct item){.scene = s,
			.timeout_ms = LIMIT_MS,
			.call = {.envelope = TD_SLICE(QUERY), .done = on_done}};
	listen_somewhere(s);
}

static void connect_only(struct scene *s)
{
	cql_loop_post(s->loop, &s->open);
	wait_readable(s->listener);
	s->peer = accept(s->listener, NULL, NULL);
	assert_true(s->peer >= 0);
}

static void connect_and_shake_hands(struct scene *s)
{
	connect_only(s);
	EXPECT(s, OPTIONS);
	SAY(s, SUPPORTED);
	skip_startup(s);
	SAY(s, READY);
	EXPECT(s, CLUSTER);
	SAY(s, TESTS);
	wait_flag(&s->is_ready);
	assert_string_equal(s->cluster_name, "tests");
}

static void send_items(struct scene *s, size_t from, size_t to)
{
	s->from = from;
	s->to = to;
	atomic_store(&s->is_sent, false);
	cql_loop_post(s->loop, &s->send);
	wait_flag(&s->is_sent);
}

/* Whatever the test came to: the connection ends once, and tells it. */
static void finish(struct scene *s)
{
	if (!atomic_load(&s->is_closed))
		cql_loop_post(s->loop, &s->close);
	wait_flag(&s->is_closed);
	cql_loop_destroy(s->loop);
	if (s->peer >= 0)
		(void)close(s->peer);
	if (s->listener >= 0)
		(void)close(s->listener);
}

/* ---- */

/* Answers come in any order, and in any pieces; each goes to whoever asked. */
static void test_answers_go_to_whoever_asked(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	connect_and_shake_hands(&s);
	send_items(&s, 0, 3);
	EXPECT(&s, "\x04\0\0\0\x07\0\0\0\x03"
		   "abc"
		   "\x04\0\0\1\x07\0\0\0\x03"
		   "abc"
		   "\x04\0\0\2\x07\0\0\0\x03"
		   "abc");
	SAY(&s, "\x84\0\0\2\x08\0\0\0\x05"
		"third"
		"\x84\0\0\0\x08\0\0");
	wait_told(&s.items[2]);
	SAY(&s, "\0\x05"
		"first"
		"\x84\0\0\1\x08\0\0\0\x06"
		"second");
	wait_told(&s.items[0]);
	wait_told(&s.items[1]);
	static const char *const bodies[] = {"first", "second", "third"};
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(s.items[i].sent, TD_OK);
		assert_int_equal(s.items[i].status, TD_OK);
		assert_int_equal(s.items[i].body_len, strlen(bodies[i]));
		assert_memory_equal(s.items[i].body, bodies[i], s.items[i].body_len);
	}
	finish(&s);
}

/* An answer that comes after its deadline goes to nobody, and its stream waits for it. */
static void test_a_late_answer_reaches_nobody(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	connect_and_shake_hands(&s);
	s.items[0].timeout_ms = 1;
	send_items(&s, 0, 1);
	EXPECT(&s, QUERY);
	wait_told(&s.items[0]);
	assert_int_equal(s.items[0].status, TD_TIMEOUT);
	assert_true(s.items[0].may_have_run);
	assert_non_null(strstr(s.items[0].text, "127.0.0.1:"));
	send_items(&s, 1, 2);
	EXPECT(&s, "\x04\0\0\1\x07\0\0\0\x03"
		   "abc"); /* stream 1: 0 is not free */
	SAY(&s, "\x84\0\0\0\x08\0\0\0\x04"
		"late"
		"\x84\0\0\1\x08\0\0\0\x04"
		"mine");
	wait_told(&s.items[1]);
	assert_memory_equal(s.items[1].body, "mine", 4);
	finish(&s);
	assert_int_equal(atomic_load(&s.items[0].told), 1);
}

/* One more than may be given up, and none is answered: the connection is not worth keeping. */
static void test_too_many_orphans_end_the_connection(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	connect_and_shake_hands(&s);
	s.items[0].timeout_ms = 1;
	s.items[1].timeout_ms = 1;
	send_items(&s, 0, 3);
	EXPECT(&s, QUERY "\x04\0\0\1\x07\0\0\0\x03"
			 "abc"
			 "\x04\0\0\2\x07\0\0\0\x03"
			 "abc");
	EXPECT(&s, "\x04\0\0\3\x05\0\0\0\0"); /* it is there, and answers nothing else */
	SAY(&s, "\x84\0\0\3\x06\0\0\0\0");
	wait_flag(&s.is_closed);
	wait_told(&s.items[2]);
	assert_int_equal(s.items[2].status, TD_UNAVAILABLE);
	assert_int_equal(s.failure, CQL_FAILURE_LOST);
	assert_non_null(strstr(s.closed_err.text, "never answered"));
	finish(&s);
}

/* A node that is slow, not stuck: the answers come, though nobody waits for them any more. */
static void test_orphans_that_are_answered_harm_nobody(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	connect_and_shake_hands(&s);
	for (size_t i = 0; i < 3; i++)
		s.items[i].timeout_ms = 1;
	send_items(&s, 0, 3);
	for (size_t i = 0; i < 3; i++)
		wait_told(&s.items[i]);
	assert_false(atomic_load(&s.is_closed));
	EXPECT(&s, QUERY "\x04\0\0\1\x07\0\0\0\x03"
			 "abc"
			 "\x04\0\0\2\x07\0\0\0\x03"
			 "abc");
	SAY(&s, "\x84\0\0\0\x08\0\0\0\x04"
		"late"
		"\x84\0\0\1\x08\0\0\0\x04"
		"late");
	send_items(&s, 3, 4);
	EXPECT(&s, "\x04\0\0\1\x07\0\0\0\x03"
		   "abc"); /* stream 2 is not free */
	SAY(&s, "\x84\0\0\1\x08\0\0\0\x04"
		"mine");
	wait_told(&s.items[3]);
	assert_memory_equal(s.items[3].body, "mine", 4);
	finish(&s);
}

static void test_the_end_tells_all_who_wait(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	connect_and_shake_hands(&s);
	send_items(&s, 0, 2);
	EXPECT(&s, QUERY);
	(void)close(s.peer);
	s.peer = -1;
	for (size_t i = 0; i < 2; i++) {
		wait_told(&s.items[i]);
		assert_int_equal(s.items[i].status, TD_UNAVAILABLE);
		assert_true(s.items[i].may_have_run);
	}
	wait_flag(&s.is_closed);
	assert_int_equal(s.failure, CQL_FAILURE_LOST);
	send_items(&s, 2, 2); /* nothing: the loop is alive */
	finish(&s);
}

static void test_more_than_may_be_in_flight_is_refused(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	s.config.in_flight_most = 2;
	connect_and_shake_hands(&s);
	send_items(&s, 0, 3);
	assert_int_equal(s.items[1].sent, TD_OK);
	assert_int_equal(s.items[2].sent, TD_BUSY);
	finish(&s);
	assert_int_equal(atomic_load(&s.items[2].told), 0);
}

/* ---- what is no Cassandra, or not there */

static void test_a_refused_connection_names_the_address(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	(void)close(s.listener);
	s.listener = -1;
	cql_loop_post(s.loop, &s.open);
	wait_flag(&s.is_closed);
	assert_int_equal(s.closed_err.code, TD_UNAVAILABLE);
	assert_non_null(strstr(s.closed_err.text, "127.0.0.1:"));
	assert_non_null(strstr(s.closed_err.text, "refused"));
	assert_int_equal(s.failure, CQL_FAILURE_REFUSED);
	finish(&s);
}

static void test_a_silent_server_ends_in_time(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	s.config.connect_ms = 50;
	connect_only(&s);
	wait_flag(&s.is_closed);
	assert_int_equal(s.closed_err.code, TD_TIMEOUT);
	assert_non_null(strstr(s.closed_err.text, "silent"));
	assert_int_equal(s.failure, CQL_FAILURE_SILENT);
	finish(&s);
}

/* As PostgreSQL does with what it does not understand. */
static void test_a_server_that_hangs_up_is_asked_about(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	connect_only(&s);
	EXPECT(&s, OPTIONS);
	(void)close(s.peer);
	s.peer = -1;
	wait_flag(&s.is_closed);
	assert_int_equal(s.failure, CQL_FAILURE_CLOSED);
	assert_non_null(strstr(s.closed_err.text, "is this Cassandra's port"));
	finish(&s);
}

/* After each byte of the handshake: never silence, never ready too early. */
static void test_an_end_anywhere_in_the_handshake_is_told(void **state)
{
	(void)state;
	static const char answers[] = SUPPORTED READY TESTS;
	for (size_t len = 0; len < sizeof(answers); len++) {
		struct scene s;
		begin(&s);
		connect_only(&s);
		say(&s, answers, len);
		assert_int_equal(shutdown(s.peer, SHUT_WR), 0);
		wait_flag(&s.is_closed);
		bool is_whole = len == sizeof(answers) - 1;
		assert_int_equal(atomic_load(&s.is_ready), is_whole);
		assert_int_equal(s.failure, is_whole ? CQL_FAILURE_LOST : CQL_FAILURE_CLOSED);
		finish(&s);
	}
}

/* Cassandra 4.1 where it expects TLS. */
static void test_an_alert_means_that_tls_is_expected(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	connect_only(&s);
	EXPECT(&s, OPTIONS);
	SAY(&s, "\x15\3\1\0\2\2\x46");
	wait_flag(&s.is_closed);
	assert_int_equal(s.failure, CQL_FAILURE_TLS_EXPECTED);
	assert_true(cql_failure_is_setting(s.failure));
	assert_non_null(strstr(s.closed_err.text, "expects TLS"));
	finish(&s);
}

static void test_what_its_owner_closed_is_no_failure(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	connect_and_shake_hands(&s);
	finish(&s);
	assert_int_equal(s.failure, CQL_FAILURE_NONE);
	assert_non_null(strstr(s.closed_err.text, "closed by the test"));
}

static void test_another_protocol_is_named(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	connect_only(&s);
	EXPECT(&s, OPTIONS);
	SAY(&s, "HTTP/1.1 400 Bad Request\r\n\r\n");
	wait_flag(&s.is_closed);
	assert_int_equal(s.closed_err.code, TD_CORRUPT);
	assert_int_equal(s.failure, CQL_FAILURE_NOT_CQL);
	assert_non_null(strstr(s.closed_err.text, "HTTP"));
	finish(&s);
}

static void test_a_password_is_asked_for_and_none_is_set(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	connect_only(&s);
	EXPECT(&s, OPTIONS);
	SAY(&s, SUPPORTED);
	skip_startup(&s);
	SAY(&s, "\x84\0\0\0\x03\0\0\0\x31\0\x2forg.apache.cassandra.auth.PasswordAuthenticator");
	wait_flag(&s.is_closed);
	assert_int_equal(s.closed_err.code, TD_DENIED);
	assert_int_equal(s.failure, CQL_FAILURE_AUTH);
	finish(&s);
}

static void test_a_password_that_nobody_asks_for_is_noticed(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	connect_and_shake_hands(&s);
	assert_false(s.password_not_asked);
	finish(&s);
	begin(&s);
	s.config.handshake.username = TD_SLICE("user");
	s.config.handshake.password = TD_SLICE("secret");
	connect_and_shake_hands(&s);
	assert_true(s.password_not_asked);
	finish(&s);
}

static void test_a_password_is_not_sent_to_a_stranger(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	s.config.handshake.username = TD_SLICE("user");
	s.config.handshake.password = TD_SLICE("secret");
	connect_only(&s);
	EXPECT(&s, OPTIONS);
	SAY(&s, SUPPORTED);
	skip_startup(&s);
	SAY(&s, "\x84\0\0\0\x03\0\0\0\x0d\0\x0b"
		"com.evil.Me");
	wait_flag(&s.is_closed);
	assert_int_equal(s.closed_err.code, TD_DENIED);
	assert_non_null(strstr(s.closed_err.text, "com.evil.Me"));
	assert_null(strstr(s.closed_err.text, "secret"));
	char byte;
	assert_int_equal(read(s.peer, &byte, 1), 0); /* not a byte of it came */
	finish(&s);
}

/* ---- heartbeats and events */

static void test_a_heartbeat_that_is_answered_keeps_it(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	s.config.heartbeat_ms = 20;
	connect_and_shake_hands(&s);
	EXPECT(&s, OPTIONS);
	SAY(&s, SUPPORTED);
	EXPECT(&s, OPTIONS);
	SAY(&s, SUPPORTED);
	assert_false(atomic_load(&s.is_closed));
	finish(&s);
}

static void test_a_heartbeat_without_an_answer_ends_it(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	s.config.heartbeat_ms = 20;
	s.config.heartbeat_timeout_ms = 20;
	connect_and_shake_hands(&s);
	wait_flag(&s.is_closed);
	assert_non_null(strstr(s.closed_err.text, "heartbeat"));
	finish(&s);
}

/* Long before the minute is over that an idle one may be silent. */
static void test_a_request_under_way_makes_it_ask_sooner(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	s.config.heartbeat_timeout_ms = 20;
	s.items[0].timeout_ms = 50000;
	connect_and_shake_hands(&s);
	send_items(&s, 0, 1);
	EXPECT(&s, QUERY);
	wait_flag(&s.is_closed);
	assert_int_equal(s.items[0].status, TD_UNAVAILABLE);
	assert_non_null(strstr(s.closed_err.text, "heartbeat"));
	finish(&s);
}

/* Nobody knows the connection yet. */
static void test_an_event_may_overtake_the_answer_to_register(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	s.config.handshake.wants_events = true;
	connect_only(&s);
	EXPECT(&s, OPTIONS);
	SAY(&s, SUPPORTED);
	skip_startup(&s);
	SAY(&s, READY);
	EXPECT(&s, CLUSTER);
	SAY(&s, TESTS);
	EXPECT(&s, "\x04\0\0\0\x0b");
	SAY(&s, "\x84\0\xff\xff\x0c\0\0\0\0" READY);
	wait_flag(&s.is_ready);
	assert_int_equal(atomic_load(&s.events), 0);
	finish(&s);
}

static bool has_two_events(void *ctx)
{
	return atomic_load(&((struct scene *)ctx)->events) == 2;
}

static void test_events_come_without_being_asked_for(void **state)
{
	(void)state;
	struct scene s;
	begin(&s);
	connect_and_shake_hands(&s);
	SAY(&s, "\x84\0\xff\xff\x0c\0\0\0\0"
		"\x84\0\xff\xff\x0c\0\0\0\0");
	assert_true(wait_until(has_two_events, &s, LIMIT_MS));
	SAY(&s, "\x84\0\0\3\x08\0\0\0\0"); /* an answer to nothing */
	wait_flag(&s.is_closed);
	assert_int_equal(s.closed_err.code, TD_CORRUPT);
	finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_go_to_whoever_asked),
		cmocka_unit_test(test_a_late_answer_reaches_nobody),
		cmocka_unit_test(test_too_many_orphans_end_the_connection),
		cmocka_unit_test(test_orphans_that_are_answered_harm_nobody),
		cmocka_unit_test(test_the_end_tells_all_who_wait),
		cmocka_unit_test(test_more_than_may_be_in_flight_is_refused),
		cmocka_unit_test(test_a_refused_connection_names_the_address),
		cmocka_unit_test(test_a_silent_server_ends_in_time),
		cmocka_unit_test(test_a_server_that_hangs_up_is_asked_about),
		cmocka_unit_test(test_an_end_anywhere_in_the_handshake_is_told),
		cmocka_unit_test(test_an_alert_means_that_tls_is_expected),
		cmocka_unit_test(test_what_its_owner_closed_is_no_failure),
		cmocka_unit_test(test_another_protocol_is_named),
		cmocka_unit_test(test_a_password_is_asked_for_and_none_is_set),
		cmocka_unit_test(test_a_password_is_not_sent_to_a_stranger),
		cmocka_unit_test(test_a_password_that_nobody_asks_for_is_noticed),
		cmocka_unit_test(test_a_heartbeat_that_is_answered_keeps_it),
		cmocka_unit_test(test_a_heartbeat_without_an_answer_ends_it),
		cmocka_unit_test(test_a_request_under_way_makes_it_ask_sooner),
		cmocka_unit_test(test_an_event_may_overtake_the_answer_to_register),
		cmocka_unit_test(test_events_come_without_being_asked_for),
	};
	return cmocka_run_group_tests_name("cql/client/conn", tests, NULL, NULL);
}
