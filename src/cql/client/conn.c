#include "cql/client/conn.h"

#include "base/alloc.h"
#include "cql/client/socket.h"
#include "cql/client/streams.h"
#include "cql/protocol/decoder.h"
#include "cql/protocol/segment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READ_AT_ONCE  65536
#define READ_MOST     524288 /* where large answers come one behind the other */
#define TLS_AT_ONCE   16384  /* on the stack */
#define READS_A_TURN  16     /* then others of the loop have theirs */
#define SILENCE_MS    1000   /* after which a request's time-out makes us ask … */
#define BUSY_MS       2000   /* … and after which requests under way do */
#define ORPHAN_MS     3000   /* so long none of those that were given up was answered */
#define STREAM_OFFSET 2      /* of the stream in an envelope's header */

enum state {
	CONNECTING,
	SECURING, /* the handshake of TLS */
	SHAKING_HANDS,
	READY,
	CLOSED,
};

struct cql_conn {
	struct cql_conn_config config;
	char address[CQL_ADDRESS_TEXT_SIZE];
	enum state state;
	struct cql_watch watch;
	bool wants_to_write;         /* the watch asks for EPOLLOUT */
	struct cql_tls_session *tls; /* NULL: plain */
	struct cql_handshake handshake;
	struct cql_decoder decoder;
	struct cql_streams streams;
	struct cql_timer connect_timer, heartbeat_timer;
	struct cql_task flush, bury;
	struct td_buf envelopes; /* of this turn, not framed yet */
	struct td_buf framed;    /* with TLS: not encrypted yet */
	struct td_buf unsent;    /* what goes to the system */
	size_t unsent_at;        /* of it, what the system took */
	uint64_t flushes;        /* how often `envelopes` was framed */
	uint64_t read_ms;        /* when bytes came last */
	bool is_wiped;           /* of what the handshake sent */
	uint64_t orphan_ms;      /* when the first request was given up, or one of them answered
				    last */
	size_t read_size;        /* bytes of the next read: READ_AT_ONCE to READ_MOST */
	struct cql_call heartbeat;
	bool is_heartbeat_out;
	enum cql_failure failure; /* what kind of an end it was, and … */
	struct td_err err;        /* … why it is CLOSED */
};

/* ---- the end */

static void end_call(struct cql_call *call, enum td_status status, const struct td_err *err)
{
	struct cql_conn *conn = call->conn;
	cql_loop_clear_timer(conn->config.loop, &call->deadline);
	const struct cql_reply reply = {
		.status = status, .err = err, .may_have_run = call->flush < conn->flushes};
	call->done(call, &reply);
}

/* A password may have been in them. */
static void wipe(struct cql_conn *conn)
{
	conn->is_wiped = true;
	td_buf_wipe(&conn->envelopes);
	td_buf_wipe(&conn->framed);
	td_buf_wipe(&conn->unsent);
}

static void free_conn(struct cql_conn *conn)
{
	if (!conn->is_wiped)
		wipe(conn);
	cql_tls_session_free(conn->tls);
	cql_decoder_done(&conn->decoder);
	cql_streams_done(&conn->streams);
	td_buf_done(&conn->envelopes);
	td_buf_done(&conn->framed);
	td_buf_done(&conn->unsent);
	td_free(conn);
}

static void bury(struct cql_task *task)
{
	struct cql_conn *conn = TD_CONTAINER_OF(task, struct cql_conn, bury);
	conn->config.closed(conn->config.ctx, conn, &conn->err);
	free_conn(conn);
}

/* An alert that says why, or that nothing follows, where the system takes it. */
static void say_goodbye(struct cql_conn *conn)
{
	if (conn->tls == NULL || conn->state == CONNECTING)
		return;
	cql_tls_say_goodbye(conn->tls, &conn->unsent);
	size_t left = conn->unsent.len - conn->unsent_at;
	if (left > 0)
		(void)send(conn->watch.fd, conn->unsent.ptr + conn->unsent_at, left,
			MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* An answer that is too large is the fault of its own request only. */
static enum td_status status_of_end(const struct cql_conn *conn, const struct cql_call *call)
{
	if (conn->err.code == TD_CORRUPT)
		return TD_CORRUPT;
	bool is_too_big = conn->err.code == TD_TOOBIG && conn->err.native == call->stream;
	return is_too_big ? TD_TOOBIG : TD_UNAVAILABLE;
}

/* conn->err says why. `failure`: of one that never was ready, or NONE. */
static void end(struct cql_conn *conn, enum cql_failure failure)
{
	struct cql_loop *loop = conn->config.loop;
	bool is_lost = conn->state == READY && failure != CQL_FAILURE_NONE;
	say_goodbye(conn);
	conn->failure = is_lost ? CQL_FAILURE_LOST : failure;
	conn->state = CLOSED;
	cql_loop_clear_timer(loop, &conn->connect_timer);
	cql_loop_clear_timer(loop, &conn->heartbeat_timer);
	cql_loop_unwatch(loop, &conn->watch);
	(void)close(conn->watch.fd);
	(void)td_err_context(&conn->err, "%s", conn->address);
	struct cql_call *call;
	for (size_t at = 0; (call = cql_streams_pop(&conn->streams, &at)) != NULL;)
		end_call(call, status_of_end(conn, call), &conn->err);
	cql_loop_defer(loop, &conn->bury);
}

static void fail(
	struct cql_conn *conn, enum cql_failure failure, enum td_status status, const char *why)
{
	(void)td_err_set(&conn->err, status, "%s", why);
	end(conn, failure);
}

void cql_conn_close(struct cql_conn *conn, const char *why)
{
	if (conn->state != CLOSED)
		fail(conn, CQL_FAILURE_NONE, TD_UNAVAILABLE, why);
}

/* It was ready once, and is of no more use. */
static void lose(struct cql_conn *conn, const char *why)
{
	fail(conn, CQL_FAILURE_LOST, TD_UNAVAILABLE, why);
}

static void fail_errno(
	struct cql_conn *conn, enum cql_failure failure, int error_number, const char *what)
{
	(void)td_err_errno(&conn->err, TD_UNAVAILABLE, error_number, "%s", what);
	end(conn, failure);
}

/* `error_number`: 0 where it ended as it should. Cassandra 5.0 on a port with TLS resets a
 * connection that speaks plainly. */
static void note_closed_by_server(struct cql_conn *conn, int error_number)
{
	const char *what = "the server closed the connection";
	if (conn->state == SECURING)
		what = "the server closed the connection during the handshake of TLS (is this "
		       "Cassandra's port, and does it speak TLS?)";
	else if (conn->state == SHAKING_HANDS && conn->tls != NULL)
		what = "the server closed the connection during the handshake (is this "
		       "Cassandra's port?)";
	else if (conn->state == SHAKING_HANDS)
		what = "the server closed the connection during the handshake (is this "
		       "Cassandra's port, and does it expect TLS?)";
	if (error_number != 0)
		fail_errno(conn, CQL_FAILURE_CLOSED, error_number, what);
	else
		fail(conn, CQL_FAILURE_CLOSED, TD_UNAVAILABLE, what);
}

/* ---- writing */

/* What the system took makes room once it is the larger part. */
static void drop_sent(struct cql_conn *conn)
{
	if (conn->unsent_at <= conn->unsent.len / 2)
		return;
	conn->unsent.len -= conn->unsent_at;
	memmove(conn->unsent.ptr, conn->unsent.ptr + conn->unsent_at, conn->unsent.len);
	conn->unsent_at = 0;
}

/* Protocol 4: the body of each by itself. STARTUP and OPTIONS stay as they are. */
static void compress_each(struct td_buf *out, struct td_slice envelopes)
{
	while (envelopes.len >= CQL_HEADER_SIZE) {
		const uint8_t *length = (const uint8_t *)envelopes.ptr + CQL_HEADER_SIZE - 4;
		size_t size = CQL_HEADER_SIZE + cql_load_u32(length);
		td_assert(size <= envelopes.len);
		cql_envelope_compress(out, td_slice(envelopes.ptr, size));
		envelopes = td_slice_skip(envelopes, size);
	}
}

static void frame_envelopes(struct cql_conn *conn, struct td_buf *out)
{
	struct td_slice envelopes = td_buf_slice(&conn->envelopes);
	if (conn->handshake.has_segments)
		cql_segment_put_all(out, envelopes, conn->handshake.lz4);
	else if (conn->handshake.may_compress)
		compress_each(out, envelopes);
	else
		td_buf_put_slice(out, envelopes);
}

static void fail_tls(struct cql_conn *conn)
{
	end(conn, cql_tls_failure(conn->tls));
}

/* Makes bytes for the system of what was to be sent in this turn. False: the connection has ended.
 */
static bool prepare(struct cql_conn *conn)
{
	conn->flushes++;
	drop_sent(conn);
	frame_envelopes(conn, conn->tls != NULL ? &conn->framed : &conn->unsent);
	if (conn->unsent.failed || conn->framed.failed || conn->envelopes.failed) {
		fail(conn, CQL_FAILURE_NOMEM, TD_NOMEM, "no memory for what is to be sent");
		return false;
	}
	td_buf_reset(&conn->envelopes);
	if (conn->tls == NULL)
		return true;
	enum td_status status = cql_tls_write(
		conn->tls, td_buf_slice(&conn->framed), &conn->unsent, &conn->err);
	td_buf_reset(&conn->framed);
	if (status != TD_OK)
		fail_tls(conn);
	else if (conn->unsent.failed)
		fail(conn, CQL_FAILURE_NOMEM, TD_NOMEM, "no memory for what is to be sent");
	return conn->state != CLOSED;
}

/* Gives the system what it takes. False: the connection has ended. */
static bool send_unsent(struct cql_conn *conn)
{
	while (conn->unsent_at < conn->unsent.len) {
		ssize_t sent = send(conn->watch.fd, conn->unsent.ptr + conn->unsent_at,
			conn->unsent.len - conn->unsent_at, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno != EAGAIN) {
			note_closed_by_server(conn, errno);
			return false;
		}
		if (sent < 0)
			return true;
		conn->unsent_at += (size_t)sent;
	}
	td_buf_reset(&conn->unsent);
	conn->unsent_at = 0;
	return true;
}

static void ask_to_write(struct cql_conn *conn, bool wants)
{
	if (wants == conn->wants_to_write)
		return;
	conn->wants_to_write = wants;
	uint32_t events = wants ? EPOLLIN | EPOLLOUT : EPOLLIN;
	cql_loop_rewatch(conn->config.loop, &conn->watch, events);
}

static void flush(struct cql_task *task)
{
	struct cql_conn *conn = TD_CONTAINER_OF(task, struct cql_conn, flush);
	if (conn->state != CLOSED && prepare(conn) && send_unsent(conn))
		ask_to_write(conn, conn->unsent_at < conn->unsent.len);
}

static void send_later(struct cql_conn *conn)
{
	cql_loop_defer(conn->config.loop, &conn->flush);
}

/* ---- requests */

/* Many are given up while a node pauses, or where another one was quicker; it is of no use any more
 * where none of them is answered for a while. */
static void check_orphans(struct cql_conn *conn)
{
	bool is_stuck = conn->streams.orphans > conn->config.orphans_most &&
			cql_loop_now_ms(conn->config.loop) >= conn->orphan_ms + ORPHAN_MS;
	if (conn->state != CLOSED && is_stuck)
		lose(conn, "too many requests were never answered");
}

static void give_up(struct cql_conn *conn, const struct cql_call *call)
{
	if (conn->streams.orphans == 0)
		conn->orphan_ms = cql_loop_now_ms(conn->config.loop);
	cql_streams_give_up(&conn->streams, call->stream);
}

static void ask_if_there(struct cql_conn *conn);

static void time_out(struct cql_timer *timer)
{
	struct cql_call *call = TD_CONTAINER_OF(timer, struct cql_call, deadline);
	struct cql_conn *conn = call->conn;
	struct td_err err = TD_ERR_INIT;
	(void)td_err_set(&err, TD_TIMEOUT, "%s: no answer in time", conn->address);
	give_up(conn, call);
	end_call(call, TD_TIMEOUT, &err);
	ask_if_there(conn);
	check_orphans(conn);
}

void cql_conn_abandon(struct cql_conn *conn, struct cql_call *call)
{
	cql_loop_clear_timer(conn->config.loop, &call->deadline);
	give_up(conn, call);
}

static enum td_status send_on(
	struct cql_conn *conn, struct cql_call *call, uint64_t deadline_ms, struct td_err *err)
{
	size_t start = conn->envelopes.len;
	call->stream = cql_streams_take(&conn->streams, call);
	if (call->stream < 0)
		return td_err_set(err, TD_BUSY, "%s: too many requests wait", conn->address);
	call->conn = conn;
	call->flush = conn->flushes;
	td_buf_put_slice(&conn->envelopes, call->envelope);
	if (!conn->envelopes.failed) {
		conn->envelopes.ptr[start + STREAM_OFFSET] = (char)(call->stream >> 8);
		conn->envelopes.ptr[start + STREAM_OFFSET + 1] = (char)(call->stream & 0xff);
	}
	call->deadline.fire = time_out;
	cql_loop_set_timer(conn->config.loop, &call->deadline, deadline_ms);
	send_later(conn); /* which sees a buffer that failed */
	return TD_OK;
}

enum td_status cql_conn_send(
	struct cql_conn *conn, struct cql_call *call, uint64_t deadline_ms, struct td_err *err)
{
	if (conn->state != READY)
		return td_err_set(err, TD_UNAVAILABLE, "%s: not connected", conn->address);
	size_t waiting = conn->unsent.len - conn->unsent_at + conn->envelopes.len;
	bool is_full = cql_conn_in_flight(conn) >= conn->config.in_flight_most ||
		       waiting + call->envelope.len > conn->config.unsent_most;
	if (is_full)
		return td_err_set(err, TD_BUSY, "%s: too many requests wait", conn->address);
	return send_on(conn, call, deadline_ms, err);
}

static void take_answer(struct cql_conn *conn, const struct cql_frame *frame)
{
	void *owner = NULL;
	enum cql_stream_kind kind = cql_streams_answered(
		&conn->streams, frame->header.stream, &owner);
	if (kind == CQL_STREAM_UNKNOWN) {
		(void)td_err_set(&conn->err, TD_CORRUPT,
			"an answer to nothing that was asked (stream %d)", frame->header.stream);
		end(conn, CQL_FAILURE_LOST);
		return;
	}
	if (kind == CQL_STREAM_ORPHAN) {
		conn->orphan_ms = cql_loop_now_ms(conn->config.loop);
		return;
	}
	struct cql_call *call = owner;
	cql_loop_clear_timer(conn->config.loop, &call->deadline);
	const struct cql_reply reply = {.status = TD_OK, .frame = frame, .may_have_run = true};
	call->done(call, &reply);
}

/* ---- heartbeats: whether the server is there, where nothing else tells (v5.spec section 4.1.2) */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Whoever waits for an answer learns sooner that nobody is there. */
static uint64_t silence_allowed(const struct cql_conn *conn)
{
	uint64_t heartbeat_ms = conn->config.heartbeat_ms;
	return cql_conn_in_flight(conn) > 0 ? least(heartbeat_ms, BUSY_MS) : heartbeat_ms;
}

/* A look at it: requests may be under way by then. */
static void set_heartbeat(struct cql_conn *conn)
{
	uint64_t now_ms = cql_loop_now_ms(conn->config.loop);
	cql_loop_set_timer(conn->config.loop, &conn->heartbeat_timer,
		least(conn->read_ms + conn->config.heartbeat_ms, now_ms + BUSY_MS / 2));
}

static void heartbeat_done(struct cql_call *call, const struct cql_reply *reply)
{
	struct cql_conn *conn = TD_CONTAINER_OF(call, struct cql_conn, heartbeat);
	conn->is_heartbeat_out = false;
	if (conn->state == CLOSED)
		return;
	if (reply->status == TD_TIMEOUT)
		lose(conn, "the server is silent: no answer to a heartbeat");
	else
		set_heartbeat(conn);
}

static void send_heartbeat(struct cql_conn *conn)
{
	static const char options[2][CQL_HEADER_SIZE] = {
		{CQL_V4, 0, 0, 0, CQL_OP_OPTIONS}, {CQL_V5, 0, 0, 0, CQL_OP_OPTIONS}};
	const char *envelope = options[conn->handshake.version == CQL_V5];
	uint64_t now_ms = cql_loop_now_ms(conn->config.loop);
	conn->heartbeat.envelope = td_slice(envelope, CQL_HEADER_SIZE);
	conn->heartbeat.done = heartbeat_done;
	conn->is_heartbeat_out = true;
	uint64_t deadline_ms = now_ms + conn->config.heartbeat_timeout_ms;
	if (send_on(conn, &conn->heartbeat, deadline_ms, NULL) != TD_OK)
		lose(conn, "the server is silent: every stream waits for an answer");
}

static void beat(struct cql_timer *timer)
{
	struct cql_conn *conn = TD_CONTAINER_OF(timer, struct cql_conn, heartbeat_timer);
	check_orphans(conn);
	if (conn->state == CLOSED)
		return;
	if (cql_loop_now_ms(conn->config.loop) < conn->read_ms + silence_allowed(conn))
		set_heartbeat(conn);
	else
		send_heartbeat(conn);
}

/* After a request without an answer, where nothing else came for a while either. */
static void ask_if_there(struct cql_conn *conn)
{
	uint64_t now_ms = cql_loop_now_ms(conn->config.loop);
	if (conn->state != READY || conn->is_heartbeat_out || now_ms < conn->read_ms + SILENCE_MS)
		return;
	cql_loop_clear_timer(conn->config.loop, &conn->heartbeat_timer);
	send_heartbeat(conn);
}

/* ---- reading */

static void become_ready(struct cql_conn *conn)
{
	conn->state = READY;
	if (conn->unsent_at == conn->unsent.len)
		wipe(conn);
	cql_loop_clear_timer(conn->config.loop, &conn->connect_timer);
	set_heartbeat(conn);
	conn->config.ready(conn->config.ctx, conn);
}

/* What was agreed on goes for what comes next. */
static void switch_form(struct cql_conn *conn)
{
	const struct cql_handshake *h = &conn->handshake;
	if (h->has_segments && !conn->decoder.has_segments)
		cql_decoder_use_segments(&conn->decoder, h->lz4);
	else if (h->may_compress && !conn->decoder.lz4)
		cql_decoder_use_lz4(&conn->decoder);
}

static void take_step(struct cql_conn *conn, const struct cql_frame *frame)
{
	enum cql_step step = cql_handshake_take(
		&conn->handshake, frame, &conn->envelopes, &conn->err);
	if (step == CQL_STEP_FAILED) {
		end(conn, conn->handshake.failure);
		return;
	}
	switch_form(conn);
	if (step == CQL_STEP_READY)
		become_ready(conn);
	else
		send_later(conn);
}

/* An event may overtake the answer to REGISTER. Nobody has seen this connection yet, so nobody has
 * looked at what it tells of either. */
static void take_event(struct cql_conn *conn, const struct cql_frame *frame)
{
	if (conn->state == READY && conn->config.event != NULL)
		conn->config.event(conn->config.ctx, conn, frame);
}

static void take_frame(struct cql_conn *conn, const struct cql_frame *frame)
{
	if (frame->header.stream == CQL_STREAM_EVENT && frame->header.opcode == CQL_OP_EVENT)
		take_event(conn, frame);
	else if (conn->state == SHAKING_HANDS)
		take_step(conn, frame);
	else
		take_answer(conn, frame);
}

/* What came is no CQL: at the first bytes, that is another server's port. */
static void end_broken(struct cql_conn *conn)
{
	struct td_slice bytes = td_buf_slice(&conn->decoder.input);
	if (conn->handshake.state != CQL_ASKED_OPTIONS)
		end(conn, CQL_FAILURE_SERVER);
	else if (td_slice_has_prefix(bytes, "\x15\x03")) /* an alert (RFC 8446 section 6) */
		fail(conn, CQL_FAILURE_TLS_EXPECTED, TD_MISMATCH,
			"the server expects TLS, and none is set");
	else
		end(conn, CQL_FAILURE_NOT_CQL);
}

static void take_frames(struct cql_conn *conn)
{
	struct cql_frame frame;
	enum cql_next next = CQL_GIVEN;
	while (conn->state != CLOSED && next == CQL_GIVEN) {
		next = cql_decoder_next(&conn->decoder, &frame, &conn->err);
		if (next == CQL_GIVEN)
			take_frame(conn, &frame);
		else if (next == CQL_BROKEN)
			end_broken(conn);
	}
}

/* How many bytes came; 0: none is there now, or the connection has ended. */
static size_t receive(struct cql_conn *conn, char *to, size_t size)
{
	ssize_t got = recv(conn->watch.fd, to, size, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0) {
		note_closed_by_server(conn, got < 0 ? errno : 0);
		return 0;
	}
	conn->read_ms = cql_loop_now_ms(conn->config.loop);
	return (size_t)got;
}

/* Where `len` plain bytes may go; NULL: the connection has ended. */
static char *reserve(struct cql_conn *conn, size_t len)
{
	char *to = cql_decoder_reserve(&conn->decoder, len);
	if (to == NULL)
		fail(conn, CQL_FAILURE_NOMEM, TD_NOMEM, "no memory for an answer");
	return to;
}

static void take_plain(struct cql_conn *conn, size_t len)
{
	cql_decoder_commit(&conn->decoder, len);
	take_frames(conn);
}

/* Whoever is sent much reads much at once: the less often is a piece of a segment moved. */
static void adapt_read_size(struct cql_conn *conn, size_t got)
{
	if (got == conn->read_size && conn->read_size < READ_MOST)
		conn->read_size *= 2;
	else if (got < conn->read_size / 4 && conn->read_size > READ_AT_ONCE)
		conn->read_size /= 2;
}

/* False: nothing more is there now, or the connection has ended. */
static bool read_plain(struct cql_conn *conn)
{
	size_t size = conn->read_size;
	char *to = reserve(conn, size);
	size_t got = to != NULL ? receive(conn, to, size) : 0;
	adapt_read_size(conn, got);
	if (got > 0)
		take_plain(conn, got);
	return conn->state != CLOSED && got == size;
}

/* ---- reading what is encrypted */

static void begin_handshake(struct cql_conn *conn)
{
	conn->state = SHAKING_HANDS;
	cql_handshake_begin(&conn->handshake, &conn->config.handshake, &conn->envelopes);
	send_later(conn);
}

static void shake_tls(struct cql_conn *conn)
{
	enum cql_tls_step step = cql_tls_shake(conn->tls, &conn->unsent, &conn->err);
	if (step == CQL_TLS_FAILED)
		fail_tls(conn);
	else if (step == CQL_TLS_DONE)
		begin_handshake(conn);
	else
		send_later(conn);
}

/* False: all was taken, or the connection has ended. */
static bool take_decrypted(struct cql_conn *conn)
{
	char *to = reserve(conn, READ_AT_ONCE);
	if (to == NULL)
		return false;
	size_t len = 0, before = conn->unsent.len;
	enum cql_tls_step step = cql_tls_read(
		conn->tls, to, READ_AT_ONCE, &len, &conn->unsent, &conn->err);
	if (conn->unsent.len != before)
		send_later(conn);
	if (step == CQL_TLS_DONE)
		take_plain(conn, len);
	else if (step == CQL_TLS_CLOSED)
		note_closed_by_server(conn, 0);
	else if (step == CQL_TLS_FAILED)
		fail_tls(conn);
	return conn->state != CLOSED && step == CQL_TLS_DONE;
}

static bool read_tls(struct cql_conn *conn)
{
	char bytes[TLS_AT_ONCE];
	size_t got = receive(conn, bytes, sizeof(bytes));
	if (got == 0)
		return false;
	if (cql_tls_feed(conn->tls, td_slice(bytes, got)) != TD_OK)
		fail(conn, CQL_FAILURE_NOMEM, TD_NOMEM, "no memory for an answer");
	if (conn->state == SECURING)
		shake_tls(conn);
	while (conn->state >= SHAKING_HANDS && conn->state != CLOSED && take_decrypted(conn))
		;
	return conn->state != CLOSED && got == sizeof(bytes);
}

/* ---- connecting */

static void time_out_connect(struct cql_timer *timer)
{
	struct cql_conn *conn = TD_CONTAINER_OF(timer, struct cql_conn, connect_timer);
	if (conn->state == CONNECTING)
		fail(conn, CQL_FAILURE_NO_ANSWER, TD_TIMEOUT, "no connection in time");
	else if (conn->state == SECURING)
		fail(conn, CQL_FAILURE_SILENT, TD_TIMEOUT,
			"connected, but silent: the handshake of TLS did not end in time (does it "
			"speak TLS?)");
	else
		fail(conn, CQL_FAILURE_SILENT, TD_TIMEOUT,
			"connected, but silent: the handshake did not end in time");
}

static void fail_connect(struct cql_conn *conn, int error_number)
{
	fail_errno(conn, cql_socket_failure(error_number), error_number, "cannot connect");
}

static void finish_connect(struct cql_conn *conn)
{
	int error_number = cql_socket_error(conn->watch.fd);
	if (error_number != 0) {
		fail_connect(conn, error_number);
		return;
	}
	ask_to_write(conn, false);
	if (conn->tls == NULL) {
		begin_handshake(conn);
	} else {
		conn->state = SECURING;
		shake_tls(conn);
	}
}

static void look(struct cql_watch *watch, uint32_t events)
{
	struct cql_conn *conn = TD_CONTAINER_OF(watch, struct cql_conn, watch);
	if (conn->state == CONNECTING) {
		finish_connect(conn);
		return;
	}
	for (int i = 0; i < READS_A_TURN && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0; i++) {
		if (!(conn->tls != NULL ? read_tls(conn) : read_plain(conn)))
			break;
	}
	if (conn->state != CLOSED && (events & EPOLLOUT) != 0)
		send_later(conn);
}

/* On the loop even where connect() fails at once: ready and closed come on a later turn. */
static enum td_status start_connect(struct cql_conn *conn, struct td_err *err)
{
	int fd;
	int error_number = cql_socket_connect(&conn->config.address, &fd);
	if (fd < 0)
		return td_err_errno(err, TD_NOMEM, error_number, "%s: no socket", conn->address);
	conn->watch.fd = fd;
	enum td_status status = cql_loop_watch(
		conn->config.loop, &conn->watch, EPOLLIN | EPOLLOUT, err);
	conn->wants_to_write = true;
	if (status == TD_OK && error_number != 0 && error_number != EINPROGRESS)
		fail_connect(conn, error_number);
	if (status != TD_OK)
		(void)close(fd);
	return status;
}

/* The certificate is held against the name that was asked for, or else against the address. */
static enum td_status begin_tls(
	struct cql_conn *conn, const struct cql_conn_config *config, struct td_err *err)
{
	if (config->tls == NULL)
		return TD_OK;
	char host[CQL_ADDRESS_TEXT_SIZE];
	cql_address_host(&config->address, host);
	const char *name = config->tls_name != NULL ? config->tls_name : host;
	return cql_tls_session_new(config->tls, name, &conn->tls, err);
}

enum td_status cql_conn_open(
	const struct cql_conn_config *config, struct cql_conn **ret_conn, struct td_err *err)
{
	struct cql_conn *conn = td_alloc_zero(sizeof(*conn));
	if (conn == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for a connection");
	conn->config = *config;
	cql_address_format(&config->address, conn->address);
	conn->watch.ready = look;
	conn->flush.run = flush;
	conn->bury.run = bury;
	conn->connect_timer.fire = time_out_connect;
	conn->heartbeat_timer.fire = beat;
	conn->read_ms = cql_loop_now_ms(config->loop);
	conn->read_size = READ_AT_ONCE;
	cql_decoder_init(&conn->decoder, config->body_most);
	/* One more for the heartbeat. */
	enum td_status status = cql_streams_init(
		&conn->streams, config->in_flight_most + config->orphans_most + 1, err);
	if (status == TD_OK)
		status = begin_tls(conn, config, err);
	if (status == TD_OK)
		status = start_connect(conn, err);
	if (status != TD_OK) {
		free_conn(conn);
		return status;
	}
	if (conn->state != CLOSED)
		cql_loop_set_timer(
			config->loop, &conn->connect_timer, conn->read_ms + config->connect_ms);
	*ret_conn = conn;
	return TD_OK;
}

/* ---- what it is */

enum cql_version cql_conn_version(const struct cql_conn *conn)
{
	return conn->handshake.version;
}

bool cql_conn_is_ready(const struct cql_conn *conn)
{
	return conn->state == READY;
}

enum cql_failure cql_conn_failure(const struct cql_conn *conn)
{
	return conn->failure;
}

const char *cql_conn_cluster_name(const struct cql_conn *conn)
{
	return conn->handshake.cluster_name;
}

bool cql_conn_password_not_asked(const struct cql_conn *conn)
{
	return conn->handshake.password_not_asked;
}

size_t cql_conn_orphans(const struct cql_conn *conn)
{
	return conn->streams.orphans;
}

size_t cql_conn_in_flight(const struct cql_conn *conn)
{
	size_t heartbeat = conn->is_heartbeat_out ? 1 : 0;
	return cql_streams_in_use(&conn->streams) - conn->streams.orphans - heartbeat;
}

const char *cql_conn_address(const struct cql_conn *conn)
{
	return conn->address;
}
