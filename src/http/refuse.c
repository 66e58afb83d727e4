#include "http/internal.h"

#include "base/log.h"

#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

/* At most this much of what has come is read and dropped, so that the kernel does not answer it
 * with a reset, which would take our answer with it. */
#define DRAIN_MOST ((size_t)256 << 10)

static void put_line(struct td_buf *out, const char *name, const char *value)
{
	td_buf_put_str(out, name);
	td_buf_put_str(out, ": ");
	td_buf_put_str(out, value);
	td_buf_put_str(out, "\r\n");
}

static void put_date(struct td_buf *out, int64_t wall_ms)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;
	if (gmtime_r(&seconds, &tm) == NULL)
		return;
	td_buf_printf(out, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
		days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900,
		tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* Whatever was asked for, its address may be a secret. */
static void put_answer(struct http_request *rq, const struct http_problem *p, struct td_buf *out)
{
	struct td_buf body = TD_BUF_INIT;
	http_problem_put(&body, p);
	const char *reason = MHD_get_reason_phrase_for(p->status);
	td_buf_printf(out, "HTTP/1.1 %u %s\r\n", p->status, reason != NULL ? reason : "Refused");
	put_date(out, td_clock_wall_ms(&td_clock_system));
	put_line(out, "Connection", "close");
	put_line(out, "Content-Type", "application/problem+json");
	td_buf_printf(out, "Content-Length: %zu\r\n", body.len);
	put_line(out, "Cache-Control", "no-store");
	put_line(out, "Content-Security-Policy", HTTP_API_CSP);
	for (size_t i = 0; i < http_security_header_count; i++) {
		const struct http_header *h = &http_security_headers[i];
		bool is_referrer = strcmp(h->name, "Referrer-Policy") == 0;
		put_line(out, h->name, is_referrer ? "no-referrer" : h->value);
	}
	if (rq->server->is_https)
		put_line(out, "Strict-Transport-Security", HTTP_HSTS);
	if (p->retry_after_s != 0)
		td_buf_printf(out, "Retry-After: %u\r\n", p->retry_after_s);
	td_buf_put_str(out, "\r\n");
	if (rq->method != HTTP_METHOD_HEAD)
		td_buf_put_slice(out, td_buf_slice(&body));
	out->failed = out->failed || body.failed;
	td_buf_done(&body);
}

static void drain(int fd)
{
	char dropped[4096];
	size_t total = 0;
	ssize_t n = 0;
	do {
		n = recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT);
		total += n > 0 ? (size_t)n : 0;
	} while (n > 0 && total < DRAIN_MOST);
}

void http_refuse(struct http_request *rq, const struct http_verdict *verdict)
{
	struct http_problem given = {
		.status = verdict->status, .code = verdict->code, .detail = verdict->detail};
	struct http_problem p = http_problem_complete(&given);
	struct td_buf out = TD_BUF_INIT;
	put_answer(rq, &p, &out);
	/* Nothing of ours waits in the socket before it but answers that the client has not read.
	 */
	if (!out.failed && send(rq->conn->fd, out.ptr, out.len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
				   (ssize_t)out.len)
		rq->status = p.status;
	(void)shutdown(rq->conn->fd, SHUT_WR);
	drain(rq->conn->fd);
	rq->stage = HTTP_STAGE_REPLIED;
	atomic_fetch_add_explicit(&rq->server->requests, 1, memory_order_relaxed);
	td_buf_done(&out);
}
