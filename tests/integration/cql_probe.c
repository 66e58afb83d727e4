/* Runs statements over one connection of the CQL client and prints what comes back, so that tests
 * can hold it against what another client sees.
 *
 * usage: cql_probe HOST PORT VERSION lz4|plain USER|- TIMES STATEMENT...
 *
 * The password is CQL_PASSWORD, the keyspace CQL_KEYSPACE, the cluster CQL_CLUSTER. TLS as
 * in cql_tls_env.h, with CQL_TLS_NAME where that is not HOST. With CQL_HEX cells are hexadecimal.
 * First a line "connected version=N", then for each statement and each of its TIMES runs, all of
 * them in flight at once, a line: "rows TEXT|TEXT,TEXT|TEXT" (cells as text, null as "null"),
 * "done", or "error CODE: …". Ends with 0, or with 1 and "FAILURE: the reason" on stderr. */
#include "cql_tls_env.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "cql/client/conn.h"
#include "cql/protocol/error.h"
#include "cql/protocol/request.h"
#include "cql/protocol/result.h"
#include "work/lock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 20000
#define CELLS_MOST 64

struct run {
	struct cql_call call;
	struct probe *probe;
	struct td_buf envelope;
	struct td_buf line;
};

struct probe {
	struct cql_loop *loop;
	struct cql_conn_config config;
	struct cql_conn *conn;
	struct cql_lookup *lookup;
	struct cql_task start, next;
	const char *host;
	uint16_t port;
	char *const *statements; /* NULL behind the last */
	size_t times, open;
	struct run *runs;

	struct td_lock lock;
	struct td_cond ended;
	bool has_ended; /* guarded by lock */
	enum cql_failure failure;
	struct td_err err;
};

static void end(struct probe *p)
{
	td_lock_take(&p->lock);
	p->has_ended = true;
	td_cond_wake_all(&p->ended);
	td_lock_give(&p->lock);
}

static void print_cell(struct td_buf *line, struct td_slice cell)
{
	if (cql_is_null(cell))
		td_buf_put_str(line, "null");
	else if (getenv("CQL_HEX") == NULL)
		td_buf_put_slice(line, cell);
	else
		for (size_t i = 0; i < cell.len; i++)
			td_buf_printf(line, "%02x", (unsigned)(unsigned char)cell.ptr[i]);
}

static void print_rows(struct td_buf *line, struct cql_rows *rows)
{
	struct td_slice cells[CELLS_MOST];
	td_buf_put_str(line, "rows ");
	if (rows->metadata.column_count > CELLS_MOST)
		return;
	for (size_t row = 0; cql_rows_next(rows, cells); row++) {
		td_buf_put_str(line, row > 0 ? "," : "");
		for (size_t i = 0; i < rows->metadata.column_count; i++) {
			td_buf_put_str(line, i > 0 ? "|" : "");
			print_cell(line, cells[i]);
		}
	}
	if (cql_rows_check(rows, NULL) != TD_OK)
		td_buf_put_str(line, " DAMAGED");
}

static void print_message(struct run *run, const struct cql_frame *frame)
{
	struct td_err err = TD_ERR_INIT;
	struct cql_body body;
	struct cql_error error;
	struct cql_result result;
	unsigned version = cql_conn_version(run->probe->conn);
	if (cql_body_open(frame, &body, &err) != TD_OK)
		td_buf_printf(&run->line, "damaged: %s", err.text);
	else if (frame->header.opcode == CQL_OP_ERROR &&
		 cql_error_read(body.message, version, &error, &err) == TD_OK)
		td_buf_printf(&run->line, "error %04x: %.*s", (unsigned)error.code,
			TD_SLICE_ARG(error.message));
	else if (cql_result_read(body.message, version, &result, &err) != TD_OK)
		td_buf_printf(&run->line, "damaged: %s", err.text);
	else if (result.kind == CQL_RESULT_ROWS)
		print_rows(&run->line, &result.rows);
	else
		td_buf_put_str(&run->line, "done");
}

static void note(struct cql_call *call, const struct cql_reply *reply)
{
	struct run *run = TD_CONTAINER_OF(call, struct run, call);
	struct probe *p = run->probe;
	if (reply->frame != NULL)
		print_message(run, reply->frame);
	else
		td_buf_printf(&run->line, "failed: %s", reply->err->text);
	if (--p->open == 0)
		cql_loop_defer(p->loop, &p->next);
}

static void send_one(struct probe *p, struct run *run)
{
	const struct cql_request rq = {.version = cql_conn_version(p->conn)};
	const struct cql_params params = {.consistency = CQL_ONE};
	td_buf_reset(&run->envelope);
	enum td_status status = cql_put_query(
		&run->envelope, &rq, td_slice_str(*p->statements), &params, &p->err);
	run->probe = p;
	run->call.done = note;
	run->call.envelope = td_buf_slice(&run->envelope);
	if (status == TD_OK)
		status = cql_conn_send(
			p->conn, &run->call, cql_loop_now_ms(p->loop) + TIMEOUT_MS, &p->err);
	if (status == TD_OK)
		p->open++;
	else
		td_buf_printf(&run->line, "not sent: %s", p->err.text);
}

static void print_lines(struct probe *p)
{
	for (size_t i = 0; i < p->times; i++) {
		const char *text = td_buf_cstr(&p->runs[i].line);
		if (p->runs[i].line.len > 0)
			(void)puts(text != NULL ? text : "no memory");
		td_buf_reset(&p->runs[i].line);
	}
}

/* What the statement before gave is printed; then the next one. */
static void run_next(struct cql_task *task)
{
	struct probe *p = TD_CONTAINER_OF(task, struct probe, next);
	print_lines(p);
	if (*p->statements == NULL) {
		cql_conn_close(p->conn, "all done");
		return;
	}
	for (size_t i = 0; i < p->times; i++)
		send_one(p, &p->runs[i]);
	p->statements++;
	if (p->open == 0)
		cql_loop_defer(p->loop, task);
}

static void on_ready(void *ctx, struct cql_conn *conn)
{
	struct probe *p = ctx;
	(void)printf("connected version=%d\n", (int)cql_conn_version(conn));
	cql_loop_defer(p->loop, &p->next);
}

static void on_closed(void *ctx, struct cql_conn *conn, const struct td_err *err)
{
	struct probe *p = ctx;
	p->failure = cql_conn_failure(conn);
	p->err = *err;
	if (p->failure == CQL_FAILURE_NONE)
		p->err = (struct td_err)TD_ERR_INIT;
	end(p);
}

static void on_addresses(void *ctx, enum td_status status, const struct cql_address *addresses,
	size_t count, const struct td_err *err)
{
	struct probe *p = ctx;
	if (status != TD_OK)
		p->err = *err;
	else
		p->config.address = addresses[0];
	if (count == 0 || cql_conn_open(&p->config, &p->conn, &p->err) != TD_OK)
		end(p);
}

static void run_start(struct cql_task *task)
{
	struct probe *p = TD_CONTAINER_OF(task, struct probe, start);
	if (cql_lookup_start(p->loop, p->host, p->port, on_addresses, p, &p->lookup, &p->err) !=
		TD_OK)
		end(p);
}

static enum td_status configure_tls(struct probe *p)
{
	const char *name = getenv("CQL_TLS_NAME");
	p->config.tls_name = name != NULL ? name : p->host;
	return cql_tls_from_env(&p->config.tls, &p->err);
}

static void configure(struct probe *p, char **argv)
{
	p->host = argv[1];
	p->port = (uint16_t)strtoul(argv[2], NULL, 10);
	p->times = strtoul(argv[6], NULL, 10);
	p->statements = argv + 7;
	p->config = (struct cql_conn_config){
		.handshake = {.version_most = argv[3][0] == '5' ? CQL_V5 : CQL_V4,
			.wants_lz4 = strcmp(argv[4], "lz4") == 0,
			.wants_events = true,
			.keyspace = td_slice_str(getenv("CQL_KEYSPACE")),
			.cluster_name = td_slice_str(getenv("CQL_CLUSTER"))},
		.connect_ms = TIMEOUT_MS,
		.heartbeat_ms = 1000,
		.heartbeat_timeout_ms = TIMEOUT_MS,
		.in_flight_most = 1000,
		.orphans_most = 10,
		.body_most = CQL_BODY_MOST,
		.unsent_most = 64u << 20,
		.ready = on_ready,
		.closed = on_closed,
		.ctx = p};
	if (strcmp(argv[5], "-") != 0) {
		p->config.handshake.username = td_slice_str(argv[5]);
		p->config.handshake.password = td_slice_str(getenv("CQL_PASSWORD"));
	}
	p->start.run = run_start;
	p->next.run = run_next;
}

static void wait_for_end(struct probe *p)
{
	td_lock_take(&p->lock);
	while (!p->has_ended)
		td_cond_wait(&p->ended, &p->lock);
	td_lock_give(&p->lock);
}

static void free_runs(struct probe *p)
{
	for (size_t i = 0; i < p->times; i++) {
		td_buf_done(&p->runs[i].envelope);
		td_buf_done(&p->runs[i].line);
	}
	td_free(p->runs);
}

int main(int argc, char **argv)
{
	static struct probe p;
	if (argc < 8)
		return 2;
	configure(&p, argv);
	p.runs = td_alloc_array(p.times, sizeof(p.runs[0]));
	if (configure_tls(&p) != TD_OK) {
		(void)fprintf(stderr, "%s\n", p.err.text);
		return 1;
	}
	if (p.runs == NULL || cql_loop_create("cql-probe", &p.loop, &p.err) != TD_OK)
		return 1;
	p.config.loop = p.loop;
	td_lock_init(&p.lock);
	td_cond_init(&p.ended);
	cql_loop_post(p.loop, &p.start);
	wait_for_end(&p);
	cql_loop_destroy(p.loop);
	cql_tls_destroy(p.config.tls);
	free_runs(&p);
	td_cond_done(&p.ended);
	td_lock_done(&p.lock);
	if (p.err.code != TD_OK)
		(void)fprintf(stderr, "%s: %s\n", cql_failure_name(p.failure), p.err.text);
	return p.err.code == TD_OK ? 0 : 1;
}
