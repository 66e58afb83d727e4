#include "http/late.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* What a slow reader must take in one send deadline. */
#define PROGRESS_BYTES 4096
#define SEND_ROUNDS    10

#define FIRST_LOOK_MS    200
#define STATE_CLOSE_WAIT 8 /* TCP_CLOSE_WAIT, which only netinet/tcp.h names */

static const char timeout_answer[] =
	"HTTP/1.1 408 Request Timeout\r\n"
	"Content-Type: application/problem+json\r\n"
	"Content-Length: 162\r\n"
	"Cache-Control: no-store\r\n"
	"Referrer-Policy: no-referrer\r\n"
	"X-Content-Type-Options: nosniff\r\n"
	"Connection: close\r\n\r\n"
	"{\"type\":\"/problems/request-timeout\",\"title\":\"The request took too long to arrive\","
	"\"status\":408,\"code\":\"request-timeout\",\"detail\":\"send the whole request "
	"sooner\"}\n";

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t http_late_pause_ms(const struct http_conns_config *config)
{
	uint64_t least = min_u64(min_u64(config->header_ms, config->request_ms),
		min_u64(config->send_ms, config->idle_ms));
	uint64_t pause = least / 8;
	if (pause < 20)
		return 20;
	return pause > 250 ? 250 : pause;
}

static bool get_tcp(const struct http_conn *conn, struct tcp_info *ret_info)
{
	socklen_t len = sizeof(*ret_info);
	*ret_info = (struct tcp_info){.tcpi_state = 0};
	return getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, ret_info, &len) == 0;
}

/* Only where the phase is still the one that was looked at: its HTTP thread may have moved on. */
static bool move(struct http_conn *conn, uint64_t old, enum http_phase to, uint64_t ms)
{
	return atomic_compare_exchange_strong(&conn->phase, &old, ms << 3 | (uint64_t)to);
}

static void end(struct http_conn *conn, uint64_t old, uint64_t now_ms)
{
	enum http_phase from = (enum http_phase)(old & 7);
	if (!move(conn, old, HTTP_PHASE_DEAD, now_ms))
		return;
	/* Nothing of an answer was sent in these phases, and now nothing else will be. */
	if (from == HTTP_PHASE_HEADER || from == HTTP_PHASE_BODY)
		(void)send(conn->fd, timeout_answer, sizeof(timeout_answer) - 1,
			MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(conn->fd, SHUT_RDWR);
	atomic_fetch_add(&conn->owner->timed_out, 1);
}

static void check_idle(struct http_conn *conn, uint64_t old, uint64_t now_ms)
{
	const struct http_conns_config *config = &conn->owner->config;
	uint64_t since = old >> 3;
	if (now_ms >= since + config->idle_ms) {
		end(conn, old, now_ms);
		return;
	}
	uint64_t pause = config->header_ms / 8;
	bool is_first = conn->looked_ms < since;
	if (is_first && pause > FIRST_LOOK_MS)
		pause = FIRST_LOOK_MS;
	if (now_ms < (is_first ? since : conn->looked_ms) + pause)
		return;
	conn->looked_ms = now_ms;
	struct tcp_info info;
	if (!get_tcp(conn, &info))
		return;
	/* The client has closed its side before its request was read: libmicrohttpd waits for an
	 * edge that never comes. What has arrived is still read and answered. */
	if (info.tcpi_state == STATE_CLOSE_WAIT)
		(void)shutdown(conn->fd, SHUT_RD);
	if (info.tcpi_bytes_received == 0)
		return;
	/* Bytes that came after the last answer was done are the beginning of a header. The
	 * kernel's time is in ticks of up to 10 ms. */
	bool is_new = !atomic_load_explicit(&conn->has_served, memory_order_relaxed) ||
		      info.tcpi_last_data_recv + UINT64_C(10) < now_ms - since;
	if (is_new)
		(void)move(conn, old, HTTP_PHASE_HEADER, now_ms);
}

/* The first look notes how far the client has read; from then on it must read on. */
static void check_send(struct http_conn *conn, uint64_t old, uint64_t now_ms)
{
	const struct http_conns_config *config = &conn->owner->config;
	uint64_t since = old >> 3;
	uint64_t half_ms = config->send_ms / 2;
	bool is_first = conn->looked_ms < since;
	uint64_t looked = is_first ? since : conn->looked_ms;
	if (now_ms < looked + half_ms)
		return;
	conn->looked_ms = now_ms;
	struct tcp_info info;
	bool is_known = get_tcp(conn, &info);
	bool reads = is_known &&
		     (is_first || info.tcpi_bytes_acked >= conn->acked + PROGRESS_BYTES);
	if (now_ms >= since + config->send_ms * (reads ? SEND_ROUNDS : 1))
		end(conn, old, now_ms);
	conn->acked = is_known ? info.tcpi_bytes_acked : 0;
}

void http_late_check(struct http_conn *conn, uint64_t now_ms)
{
	const struct http_conns_config *config = &conn->owner->config;
	uint64_t old = atomic_load_explicit(&conn->phase, memory_order_relaxed);
	uint64_t since = old >> 3;
	switch ((enum http_phase)(old & 7)) {
	case HTTP_PHASE_IDLE:
		check_idle(conn, old, now_ms);
		break;
	case HTTP_PHASE_HEADER:
		if (now_ms >= since + config->header_ms)
			end(conn, old, now_ms);
		break;
	case HTTP_PHASE_BODY:
		if (now_ms >= since + config->request_ms)
			end(conn, old, now_ms);
		break;
	case HTTP_PHASE_SEND:
		check_send(conn, old, now_ms);
		break;
	case HTTP_PHASE_BUSY:
	case HTTP_PHASE_DEAD:
	case HTTP_PHASE_COUNT:
		break;
	}
}
