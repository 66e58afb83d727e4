/* A session of the CQL client that does what standard input says, a command a line, for tests with
 * fake servers. Each answer is a line, and what happens by itself, too.
 *
 *   open NAME=VALUE…       points=HOST:PORT,…, ca=FILE and members of struct cql_session_config
 *   wait MS | agree MS     wait STATUS TEXT | agree STATUS TEXT
 *   state                  state ready=1 nodes=1 up=1 connections=2 flight=0 waiting=0 version=5 …
 *   counts                 counts made=N CLASS=N…, of those that are not 0
 *   report                 report TEXT
 *   failures               failure CLASS TIMES TEXT, for each; then: failures
 *   statement NAME CQL
 *   free NAME
 *   send ID NAME=VALUE…    idempotent timeout page timestamp trace times again statement values
 *                          batch (names of statements) text (the last: the rest of the line)
 *   fault FIRST COUNT      of the session's own allocations from now on, COUNT from the FIRST on
 * fail close                  closed
 *
 * A request ends with "done ID STATUS may=0|1 native=N agreed=0|1 at=ADDRESS warnings=N columns=A,B
 * rows=1|2,3|4 error=TEXT"; with times=N there are N of them, at once; with again=N it is sent N
 * times more from its own callback before it is told. A notice is "notice KIND ADDRESS CLASS TEXT".
 */
#include "base/alloc.h"
#include "base/buf.h"
#include "cql/cql.h"
#include "work/lock.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MOST 24
#define NAMES_MOST 16
#define BATCH_MOST 4

struct named {
	char name[32];
	struct cql_statement *statement;
};

struct item {
	struct cql_query query;
	struct cql_batch_entry batch[BATCH_MOST];
	char id[32];
	unsigned long again;
	char *text;
	struct td_buf values;
};

static struct {
	struct cql_session *session;
	struct cql_tls *tls; /* NULL: none */
	struct cql_counts counts;
	struct named statements[NAMES_MOST];
	char *words[WORDS_MOST];
	size_t count;
} probe;

/* ---- memory */

static _Atomic size_t asked, first_fault, faults;
static _Thread_local bool is_exempt; /* this program's own allocations */

static bool gate(void)
{
	if (is_exempt)
		return true;
	size_t n = atomic_fetch_add(&asked, 1) + 1, first = atomic_load(&first_fault);
	return first == 0 || n < first || n >= first + atomic_load(&faults);
}

static void set_fault(void)
{
	atomic_store(&first_fault, 0);
	atomic_store(&faults, strtoul(probe.words[2], NULL, 10));
	atomic_store(&asked, 0);
	atomic_store(&first_fault, strtoul(probe.words[1], NULL, 10));
}

/* ---- words */

/* The value of NAME=VALUE among the words, or NULL. */
static const char *find(const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 1; i < probe.count; i++) {
		if (strncmp(probe.words[i], name, len) == 0 && probe.words[i][len] == '=')
			return probe.words[i] + len + 1;
	}
	return NULL;
}

static unsigned long find_number(const char *name, unsigned long otherwise)
{
	const char *value = find(name);
	return value != NULL ? strtoul(value, NULL, 10) : otherwise;
}

/* text=… takes the rest of the line, and so does what stands behind `statement NAME`. */
static void split(char *line)
{
	bool is_statement = strncmp(line, "statement ", 10) == 0;
	probe.count = 0;
	while (*line != '\0' && probe.count < WORDS_MOST) {
		probe.words[probe.count++] = line;
		if (strncmp(line, "text=", 5) == 0 || (is_statement && probe.count == 3))
			return;
		line += strcspn(line, " ");
		if (*line != '\0')
			*line++ = '\0';
	}
}

static struct named *find_statement(const char *name, size_t len)
{
	for (size_t i = 0; i < NAMES_MOST; i++) {
		struct named *one = &probe.statements[i];
		if (strlen(one->name) == len && strncmp(one->name, name, len) == 0)
			return one;
	}
	return NULL;
}

/* ---- opening and asking */

static void on_notice(void *ctx, const struct cql_notice *notice)
{
	static const char *const kinds[] = {"READY", "LOST", "UP", "DOWN", "WARNING"};
	(void)ctx;
	(void)printf("notice %s %s %s %s\n", kinds[notice->kind],
		notice->address[0] != '\0' ? notice->address : "-",
		cql_failure_name(notice->failure), notice->text);
	(void)fflush(stdout);
}

static size_t take_points(char *text, struct cql_contact_point *points, size_t most)
{
	size_t count = 0;
	while (text != NULL && *text != '\0' && count < most) {
		char *end = strchr(text, ',');
		if (end != NULL)
			*end = '\0';
		char *colon = strrchr(text, ':');
		if (colon == NULL)
			break;
		*colon = '\0';
		points[count].name = text;
		points[count++].port = (uint16_t)strtoul(colon + 1, NULL, 10);
		text = end != NULL ? end + 1 : NULL;
	}
	return count;
}

static void take_numbers(struct cql_session_config *c)
{
	unsigned *const places[] = {&c->connect_ms, &c->stagger_ms, &c->request_ms, &c->wait_ms,
		&c->heartbeat_ms, &c->heartbeat_timeout_ms, &c->backoff_first_ms,
		&c->backoff_most_ms, &c->backoff_setting_ms, &c->refresh_ms, &c->agreement_ms,
		&c->speculative_ms, &c->node_connections};
	static const char *const names[] = {"connect_ms", "stagger_ms", "request_ms", "wait_ms",
		"heartbeat_ms", "heartbeat_timeout_ms", "backoff_first_ms", "backoff_most_ms",
		"backoff_setting_ms", "refresh_ms", "agreement_ms", "speculative_ms",
		"node_connections"};
	for (size_t i = 0; i < TD_ARRAY_LEN(names); i++)
		*places[i] = (unsigned)find_number(names[i], *places[i]);
	c->in_flight_most = find_number("in_flight_most", c->in_flight_most);
	c->waiting_most = find_number("waiting_most", c->waiting_most);
	c->answer_most = find_number("answer_most", c->answer_most);
	if (find_number("version", 5) == 4)
		c->version_most = CQL_V4;
	c->wants_lz4 = find_number("lz4", 0) != 0;
}

/* False: it has said why. */
static bool take_tls(struct cql_session_config *config)
{
	const struct cql_tls_config tls = {.mode = CQL_TLS_VERIFY_FULL, .ca_file = find("ca")};
	struct td_err err = TD_ERR_INIT;
	config->tls_name = find("tls_name");
	if (tls.ca_file == NULL || cql_tls_create(&tls, &probe.tls, &err) == TD_OK) {
		config->tls = probe.tls;
		return true;
	}
	(void)printf("open %s\n", err.text);
	return false;
}

static void open_session(void)
{
	struct cql_contact_point points[CQL_CONTACT_POINTS_MOST];
	struct cql_session_config config;
	struct td_err err = TD_ERR_INIT;
	cql_session_config_init(&config);
	config.contact_points = points;
	config.contact_point_count = take_points(
		(char *)(uintptr_t)find("points"), points, TD_ARRAY_LEN(points));
	config.username = find("user");
	config.password = find("password");
	config.keyspace = find("keyspace");
	config.local_dc = find("dc");
	config.notice = on_notice;
	config.counts = &probe.counts;
	take_numbers(&config);
	if (!take_tls(&config))
		return;
	enum td_status status = cql_session_open(&config, &probe.session, &err);
	(void)printf("open %s %s\n", td_status_name(status), err.text);
}

static void wait_for(bool agreement)
{
	struct td_err err = TD_ERR_INIT;
	unsigned ms = (unsigned)strtoul(probe.words[1], NULL, 10);
	enum td_status status = agreement ? cql_session_agree(probe.session, ms, &err)
					  : cql_session_wait(probe.session, ms, &err);
	(void)printf("%s %s %s\n", probe.words[0], td_status_name(status), err.text);
}

static void print_state(void)
{
	struct cql_session_state s;
	cql_session_state(probe.session, &s);
	(void)printf("state ready=%d nodes=%zu up=%zu connections=%zu oldest=%" PRIu64
		     " flight=%zu waiting=%zu "
		     "version=%d dc=%s release=%s\n",
		s.is_ready, s.nodes, s.nodes_up, s.connections, s.oldest_ms, s.in_flight, s.waiting,
		(int)s.version, s.local_dc, s.release);
}

static void print_counts(void)
{
	(void)printf("counts made=%" PRIu64, atomic_load(&probe.counts.made));
	for (unsigned i = 0; i < CQL_FAILURE_COUNT; i++) {
		uint64_t failed = atomic_load(&probe.counts.failed[i]);
		if (failed > 0)
			(void)printf(" %s=%" PRIu64, cql_failure_name((enum cql_failure)i), failed);
	}
	(void)printf("\n");
}

static void print_report(void)
{
	struct td_buf out = TD_BUF_INIT;
	cql_session_report(probe.session, &out);
	(void)printf("report %s\n", out.len > 0 ? td_buf_cstr(&out) : "");
	td_buf_done(&out);
}

static void print_failure(void *ctx, const struct cql_attempt_failure *failure)
{
	(void)ctx;
	(void)printf("failure %s %u %s\n", cql_failure_name(failure->failure), failure->times,
		failure->text);
}

static void print_failures(void)
{
	cql_session_each_failure(probe.session, print_failure, NULL);
	(void)printf("failures\n");
}

static void make_statement(void)
{
	struct td_err err = TD_ERR_INIT;
	struct named *one = find_statement("", 0);
	if (one == NULL || probe.count < 3)
		return;
	(void)snprintf(one->name, sizeof(one->name), "%s", probe.words[1]);
	enum td_status status = cql_statement_create(
		probe.session, probe.words[2], &one->statement, &err);
	(void)printf("statement %s\n", td_status_name(status));
}

static void free_statement(struct named *one)
{
	if (one == NULL || one->name[0] == '\0')
		return;
	cql_statement_free(one->statement);
	one->name[0] = '\0';
}

/* ---- requests */

static void put_rows(struct td_buf *out, const struct cql_answer *answer)
{
	struct td_arena arena = TD_ARENA_INIT;
	const struct cql_column *columns = NULL;
	struct td_slice cells[16];
	struct cql_rows rows = answer->result.rows;
	size_t count = rows.metadata.column_count;
	td_buf_put_str(out, " columns=");
	if (count <= TD_ARRAY_LEN(cells) &&
		cql_answer_columns(answer, &arena, &columns, NULL) == TD_OK) {
		for (size_t i = 0; i < count; i++)
			td_buf_printf(
				out, "%s%.*s", i > 0 ? "," : "", TD_SLICE_ARG(columns[i].name));
		td_buf_put_str(out, " rows=");
		for (size_t row = 0; cql_rows_next(&rows, cells); row++)
			for (size_t i = 0; i < count; i++) {
				const char *before = i > 0 ? "|" : row > 0 ? "," : "";
				td_buf_put_str(out, before);
				td_buf_put_slice(
					out, cql_is_null(cells[i]) ? TD_SLICE("null") : cells[i]);
			}
	}
	td_arena_done(&arena);
}

static void print_answer(const struct item *item, const struct cql_answer *answer)
{
	struct td_buf out = TD_BUF_INIT;
	td_buf_printf(&out, "done %s %s may=%d native=%d agreed=%d at=%s warnings=%zu trace=%d",
		item->id, td_status_name(answer->status), answer->may_have_run,
		answer->error != NULL ? (int)answer->error->code : -1, answer->is_schema_agreed,
		answer->address, answer->warnings.count, answer->tracing_id != NULL);
	if (answer->status != TD_OK)
		td_buf_printf(&out, " error=%s", answer->err->text);
	else if (answer->result.kind == CQL_RESULT_ROWS)
		put_rows(&out, answer);
	(void)puts(td_buf_cstr(&out));
	(void)fflush(stdout);
	td_buf_done(&out);
}

static void on_done(struct cql_query *query, const struct cql_answer *answer)
{
	struct item *item = TD_CONTAINER_OF(query, struct item, query);
	if (item->again > 0) {
		item->again--;
		cql_session_send(query->session, query);
		return;
	}
	is_exempt = true;
	print_answer(item, answer);
	is_exempt = false;
	td_buf_done(&item->values);
	td_free(item->text);
	td_free(item);
}

/* values=a,b: texts; "-" is null, "?" unset. */
static void put_values(struct item *item, const char *text)
{
	size_t count = 0;
	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, ",");
		if (len == 1 && *text == '-')
			cql_bind_null(&item->values);
		else if (len == 1 && *text == '?')
			cql_bind_unset(&item->values);
		else
			cql_bind_bytes(&item->values, td_slice(text, len));
		count++;
		text += len + (text[len] == ',' ? 1 : 0);
	}
	item->query.values = (struct cql_values){
		.bytes = td_buf_slice(&item->values), .count = (uint16_t)count};
}

/* batch=NAME,NAME: each with the values. */
static void put_batch(struct item *item, const char *names)
{
	struct cql_query *q = &item->query;
	while (*names != '\0' && q->batch_count < BATCH_MOST) {
		size_t len = strcspn(names, ",");
		struct cql_batch_entry *entry = &item->batch[q->batch_count++];
		const struct named *one = find_statement(names, len);
		entry->statement = one != NULL ? one->statement : NULL;
		entry->values = q->values;
		names += len + (names[len] == ',' ? 1 : 0);
	}
	q->batch = item->batch;
	q->values = (struct cql_values){.count = 0};
}

static void fill(struct item *item)
{
	struct cql_query *q = &item->query;
	const char *statement = find("statement");
	*q = (struct cql_query)CQL_QUERY_INIT;
	item->again = find_number("again", 0);
	item->text = td_strdup(find("text") != NULL ? find("text") : "");
	q->text = td_slice_str(item->text);
	put_values(item, find("values"));
	if (statement != NULL)
		q->statement = find_statement(statement, strlen(statement))->statement;
	if (find("batch") != NULL)
		put_batch(item, find("batch"));
	q->is_idempotent = find_number("idempotent", 0) != 0;
	q->wants_trace = find_number("trace", 0) != 0;
	q->timeout_ms = (unsigned)find_number("timeout", 0);
	q->page_size = (int32_t)find_number("page", 0);
	q->timestamp_us = (int64_t)find_number("timestamp", 0);
	q->done = on_done;
}

static void send_items(void)
{
	unsigned long times = find_number("times", 1);
	for (unsigned long i = 0; i < times; i++) {
		struct item *item = td_alloc_zero(sizeof(*item));
		if (item == NULL)
			abort();
		(void)snprintf(item->id, sizeof(item->id), "%s", probe.words[1]);
		fill(item);
		cql_session_send(probe.session, &item->query);
	}
}

static void close_session(void)
{
	for (size_t i = 0; probe.session != NULL && i < NAMES_MOST; i++)
		free_statement(&probe.statements[i]);
	cql_session_close(probe.session);
	probe.session = NULL;
	cql_tls_destroy(probe.tls);
	probe.tls = NULL;
	(void)printf("closed\n");
}

/* ---- */

static void run_request_command(const char *what)
{
	if (strcmp(what, "statement") == 0)
		make_statement();
	else if (strcmp(what, "free") == 0)
		free_statement(find_statement(probe.words[1], strlen(probe.words[1])));
	else if (strcmp(what, "send") == 0)
		send_items();
	else if (strcmp(what, "fault") == 0 && probe.count == 3)
		set_fault();
	else
		(void)printf("what? %s\n", what);
}

static void run_command(void)
{
	const char *what = probe.words[0];
	if (strcmp(what, "open") == 0)
		open_session();
	else if (strcmp(what, "wait") == 0 || strcmp(what, "agree") == 0)
		wait_for(what[0] == 'a');
	else if (strcmp(what, "state") == 0)
		print_state();
	else if (strcmp(what, "counts") == 0)
		print_counts();
	else if (strcmp(what, "report") == 0)
		print_report();
	else if (strcmp(what, "failures") == 0)
		print_failures();
	else if (strcmp(what, "close") == 0)
		close_session();
	else
		run_request_command(what);
	(void)fflush(stdout);
}

int main(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	td_alloc_set_gate(gate);
	is_exempt = true;
	while ((len = getline(&line, &room, stdin)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		split(line);
		if (probe.count > 0)
			run_command();
	}
	if (probe.session != NULL)
		close_session();
	free(line);
	return 0;
}
