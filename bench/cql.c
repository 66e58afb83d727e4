/* cql HOST:PORT: the CQL client at work, so that it can take turns with other drivers while each
 * stays warm. Prints "ready" once keyspace and tables are there and the statements are prepared,
 * then answers each line "OP AMOUNT" of standard input with a line of JSON, until its input ends:
 *
 *   load N         writes the rows 0 to N-1
 *   read SECONDS   a row by a random key, every column decoded
 *   write SECONDS  a row under a random key
 *   scan SECONDS   all rows in pages of 5,000, again and again; its operations are rows
 *
 * {"op", "ops", "seconds", "cpu", "errors", "p50_us", "p99_us"}: `cpu` has the seconds of processor
 * time of this process, p50 and p99 are of a request, or of a page. The first error of a round goes
 * to stderr. A line that cannot be run is answered with {"op", "error"}. */
#include "base/json.h"
#include "cql_rounds.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS      60000
#define SECONDS_MOST 3600
#define ROWS_MOST    1000000000

#define COLUMNS      "id, name, amount, body"
#define COLUMN_COUNT 4

static const char *const schema[] = {
	"CREATE KEYSPACE IF NOT EXISTS bench WITH replication = "
	"{'class': 'SimpleStrategy', 'replication_factor': 1}",
	"CREATE TABLE IF NOT EXISTS bench.rows (id bigint PRIMARY KEY, name text, amount int, "
	"body text)",
	"CREATE TABLE IF NOT EXISTS bench.written (id bigint PRIMARY KEY, name text, amount int, "
	"body text)",
};

static const struct {
	const char *name;
	const char *cql;
} ops[] = {
	[ROUND_LOAD] = {"load", "INSERT INTO bench.rows (" COLUMNS ") VALUES (?, ?, ?, ?)"},
	[ROUND_READ] = {"read", "SELECT " COLUMNS " FROM bench.rows WHERE id = ?"},
	[ROUND_WRITE] = {"write", "INSERT INTO bench.written (" COLUMNS ") VALUES (?, ?, ?, ?)"},
	[ROUND_SCAN] = {"scan", "SELECT " COLUMNS " FROM bench.rows"},
};

#define OP_COUNT (sizeof(ops) / sizeof(ops[0]))

static struct {
	struct cql_session *session;
	struct cql_statement *statements[OP_COUNT];
	uint64_t rows; /* of bench.rows; 0: not known */
	struct round round;
} bench;

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

/* ---- connecting */

static void open_session(char *address)
{
	struct td_err err = TD_ERR_INIT;
	struct cql_session_config config;
	char *colon = strrchr(address, ':');
	unsigned long port = colon != NULL ? strtoul(colon + 1, NULL, 10) : 0;
	if (port == 0 || port > UINT16_MAX)
		fail(address, "say HOST:PORT");
	*colon = '\0';
	const struct cql_contact_point point = {.name = address, .port = (uint16_t)port};
	cql_session_config_init(&config);
	config.contact_points = &point;
	config.contact_point_count = 1;
	config.node_connections = 1;
	if (cql_session_open(&config, &bench.session, &err) != TD_OK ||
		cql_session_wait(bench.session, WAIT_MS, &err) != TD_OK)
		fail(address, err.text);
}

/* Runs a query, whose answer's first cell is a number where `ret_number` is not NULL. */
static enum td_status run_query(struct cql_query *query, int64_t *ret_number, struct td_err *err)
{
	struct cql_response response;
	query->consistency = CQL_LOCAL_ONE;
	query->is_idempotent = true;
	query->timeout_ms = WAIT_MS;
	enum td_status status = cql_session_run(bench.session, query, &response);
	struct cql_rows *rows = &response.answer.result.rows;
	struct td_slice cell;
	if (status != TD_OK)
		*err = response.err;
	else if (ret_number != NULL &&
		 (rows->metadata.column_count != 1 || !cql_rows_next(rows, &cell) ||
			 !cql_get_bigint(cell, ret_number)))
		status = td_err_set(err, TD_CORRUPT, "the answer is no number");
	cql_response_done(&response);
	return status;
}

static void make_tables(void)
{
	for (size_t i = 0; i < sizeof(schema) / sizeof(schema[0]); i++) {
		struct td_err err = TD_ERR_INIT;
		struct cql_query query = CQL_QUERY_INIT;
		query.text = td_slice_str(schema[i]);
		if (run_query(&query, NULL, &err) != TD_OK)
			fail(schema[i], err.text);
	}
}

/* A server prepares the statement, and then refuses a row without a key: nothing is written. */
static void prepare_write(struct cql_statement *statement)
{
	struct td_err err = TD_ERR_INIT;
	struct td_buf values = TD_BUF_INIT;
	struct cql_query write = CQL_QUERY_INIT;
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		cql_bind_unset(&values);
	write.statement = statement;
	write.values = (struct cql_values){.bytes = td_buf_slice(&values), .count = COLUMN_COUNT};
	enum td_status status = run_query(&write, NULL, &err);
	td_buf_done(&values);
	if (status != TD_OK && status != TD_INVALID)
		fail("bench.written", err.text);
}

/* Statements are prepared at their first request, so each has one that leaves no trace. */
static void prepare_statements(void)
{
	struct td_err err = TD_ERR_INIT;
	for (size_t i = 0; i < OP_COUNT; i++) {
		if (cql_statement_create(bench.session, ops[i].cql, &bench.statements[i], &err) !=
			TD_OK)
			fail(ops[i].cql, err.text);
	}
	struct td_buf key = TD_BUF_INIT;
	cql_bind_bigint(&key, -1);
	struct cql_query read = CQL_QUERY_INIT, scan = CQL_QUERY_INIT;
	read.statement = bench.statements[ROUND_READ];
	read.values = (struct cql_values){.bytes = td_buf_slice(&key), .count = 1};
	scan.statement = bench.statements[ROUND_SCAN];
	scan.page_size = 1;
	if (run_query(&read, NULL, &err) != TD_OK || run_query(&scan, NULL, &err) != TD_OK)
		fail("bench.rows", err.text);
	td_buf_done(&key);
	prepare_write(bench.statements[ROUND_LOAD]);
	prepare_write(bench.statements[ROUND_WRITE]);
}

/* ---- lines */

/* How many rows there are, asked once where this process has loaded none. */
static enum td_status count_rows(struct td_err *err)
{
	if (bench.rows != 0)
		return TD_OK;
	struct cql_query query = CQL_QUERY_INIT;
	query.text = TD_SLICE("SELECT count(*) FROM bench.rows");
	int64_t count = 0;
	enum td_status status = run_query(&query, &count, err);
	if (status == TD_OK && count <= 0)
		return td_err_set(err, TD_NOTFOUND, "bench.rows is empty: say load N before");
	bench.rows = (uint64_t)count;
	return status;
}

/* Takes a line apart. */
static enum td_status read_line(
	char *line, enum round_kind *ret_kind, double *ret_amount, struct td_err *err)
{
	char *rest = NULL, *end = NULL;
	const char *op = strtok_r(line, " \n", &rest), *amount = strtok_r(NULL, " \n", &rest);
	size_t kind = 0;
	while (op != NULL && kind < OP_COUNT && strcmp(op, ops[kind].name) != 0)
		kind++;
	*ret_amount = amount != NULL ? strtod(amount, &end) : 0;
	double most = kind == ROUND_LOAD ? ROWS_MOST : SECONDS_MOST;
	if (op == NULL || kind == OP_COUNT || amount == NULL || *end != '\0' ||
		!(*ret_amount > 0 && *ret_amount <= most) || strtok_r(NULL, " \n", &rest) != NULL ||
		(kind == ROUND_LOAD && *ret_amount != (double)(uint64_t)*ret_amount))
		return td_err_set(
			err, TD_INVALID, "say load N, read SECONDS, write SECONDS or scan SECONDS");
	*ret_kind = (enum round_kind)kind;
	return TD_OK;
}

static void print_round(const struct round *round, double seconds, double cpu)
{
	if (round->errors > 0)
		fprintf(stderr, "%s: %s\n", ops[round->kind].name, round->first_error.text);
	printf("{\"op\": \"%s\", \"ops\": %" PRIu64 ", \"seconds\": %.6f, \"cpu\": %.6f, "
	       "\"errors\": %" PRIu64 ", \"p50_us\": %" PRIu64 ", \"p99_us\": %" PRIu64 "}\n",
		ops[round->kind].name, round->ops, seconds, cpu, round->errors,
		timing_quantile(&round->latencies, 0.5), timing_quantile(&round->latencies, 0.99));
}

static void run_round(enum round_kind kind, double amount)
{
	if (kind == ROUND_LOAD)
		bench.rows = (uint64_t)amount;
	bench.round = (struct round){
		.session = bench.session,
		.kind = kind,
		.statement = bench.statements[kind],
		.rows = bench.rows,
		.seconds = kind == ROUND_LOAD ? 0 : amount,
	};
	double cpu = timing_cpu(), from = timing_now();
	round_run(&bench.round);
	print_round(&bench.round, timing_now() - from, timing_cpu() - cpu);
}

static void print_error(const char *line, const struct td_err *err)
{
	struct td_buf out = TD_BUF_INIT;
	struct td_json json = td_json_to(&out);
	td_json_open(&json, '{');
	td_json_member_str(&json, "op", line);
	td_json_member_str(&json, "error", err->text);
	td_json_close(&json, '}');
	fprintf(stderr, "%s: %s\n", line, err->text);
	puts(td_buf_cstr(&out) != NULL ? td_buf_cstr(&out) : "{}");
	td_buf_done(&out);
}

/* After this `line` is its first word. */
static void answer_line(char *line)
{
	struct td_err err = TD_ERR_INIT;
	enum round_kind kind = ROUND_LOAD;
	double amount = 0;
	enum td_status status = read_line(line, &kind, &amount, &err);
	if (status == TD_OK && (kind == ROUND_READ || kind == ROUND_SCAN))
		status = count_rows(&err);
	if (status == TD_OK)
		run_round(kind, amount);
	else
		print_error(line, &err);
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s HOST:PORT\n", argv[0]);
		return 2;
	}
	char *line = NULL;
	size_t size = 0;
	open_session(argv[1]);
	make_tables();
	prepare_statements();
	puts("ready");
	(void)fflush(stdout);
	while (getline(&line, &size, stdin) >= 0)
		answer_line(line);
	free(line);
	for (size_t i = 0; i < OP_COUNT; i++)
		cql_statement_free(bench.statements[i]);
	cql_session_close(bench.session);
	return 0;
}
