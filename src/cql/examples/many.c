/* Many rows, quickly: 128 writes are always under way, each answer sends the next one from its
 * callback, and what the cluster is too busy for is asked again.
 *
 * usage: many HOST PORT [ROWS]
 *
 * Writes ROWS (10000) rows into example.numbers: n, and its square. */
#include "cql/cql.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#define IN_FLIGHT 128

/* All of it is touched on the session's thread only, until `ended` is posted. */
struct load {
	struct cql_session *session;
	struct cql_statement *insert;
	int64_t next, rows;    /* the next number, and how many there are to be */
	unsigned under_way;    /* writers that have not ended */
	unsigned again;        /* writes that had to be asked for again */
	enum td_status status; /* TD_OK, or why it ended early */
	char why[512];
	sem_t ended;
};

/* One of those that are under way: the query stands in it. */
struct writer {
	struct cql_query query;
	struct load *load;
	struct td_buf values;
};

static void end(struct load *load)
{
	if (--load->under_way == 0)
		(void)sem_post(&load->ended);
}

/* False: nothing is left to be written. */
static bool send_next(struct writer *writer)
{
	struct load *load = writer->load;
	if (load->next == load->rows || load->status != TD_OK)
		return false;
	int64_t n = load->next++;
	td_buf_reset(&writer->values);
	cql_bind_bigint(&writer->values, n);
	cql_bind_bigint(&writer->values, n * n);
	writer->query.values = (struct cql_values){
		.bytes = td_buf_slice(&writer->values), .count = 2};
	cql_session_send(load->session, &writer->query);
	return true;
}

/* The same row again is the same row: where it is not known whether it was written, it may be
 * written again, and the session does so by itself as long as the deadline allows. What is left are
 * errors of which some pass. */
static void written(struct cql_query *query, const struct cql_answer *answer)
{
	struct writer *writer = TD_CONTAINER_OF(query, struct writer, query);
	struct load *load = writer->load;
	bool may_pass = answer->status == TD_BUSY || answer->status == TD_TIMEOUT ||
			answer->status == TD_UNAVAILABLE;
	if (may_pass && load->again < 1000) {
		load->again++;
		cql_session_send(load->session, query);
		return;
	}
	if (answer->status != TD_OK && load->status == TD_OK) {
		load->status = answer->status;
		(void)snprintf(load->why, sizeof(load->why), "%s", answer->err->text);
	}
	if (answer->status != TD_OK || !send_next(writer))
		end(load);
}

/* From here on all happens in written(): what a callback touches is not touched here any more. */
static void begin(struct load *load, struct writer *writers)
{
	for (int i = 0; i < IN_FLIGHT; i++) {
		writers[i] = (struct writer){.query = CQL_QUERY_INIT, .load = load};
		writers[i].query.statement = load->insert;
		writers[i].query.is_idempotent = true;
		writers[i].query.done = written;
	}
}

struct start {
	struct cql_query query;
	struct load *load;
	struct writer *writers;
};

/* The table is there: the writers begin, on the session's thread. */
static void created(struct cql_query *query, const struct cql_answer *answer)
{
	struct start *start = TD_CONTAINER_OF(query, struct start, query);
	struct load *load = start->load;
	load->under_way = 1; /* this one */
	if (answer->status != TD_OK) {
		load->status = answer->status;
		(void)snprintf(load->why, sizeof(load->why), "%s", answer->err->text);
	}
	for (int i = 0; i < IN_FLIGHT && send_next(&start->writers[i]); i++)
		load->under_way++;
	end(load);
}

static int run(struct cql_session *session, int64_t rows)
{
	static struct writer writers[IN_FLIGHT];
	struct load load = {.session = session, .rows = rows};
	struct start start = {.query = CQL_QUERY_INIT, .load = &load, .writers = writers};
	struct td_err err = TD_ERR_INIT;
	if (cql_statement_create(session, "INSERT INTO example.numbers (n, square) VALUES (?, ?)",
		    &load.insert, &err) != TD_OK)
		return EXIT_FAILURE;
	(void)sem_init(&load.ended, 0, 0);
	begin(&load, writers);
	start.query.text = TD_SLICE(
		"CREATE TABLE IF NOT EXISTS example.numbers (n bigint PRIMARY KEY, square bigint)");
	start.query.done = created;
	cql_session_send(session, &start.query);
	while (sem_wait(&load.ended) != 0)
		continue;
	if (load.status == TD_OK)
		(void)printf("%lld rows, %u asked for again\n", (long long)rows, load.again);
	else
		(void)fprintf(stderr, "%s\n", load.why);
	for (int i = 0; i < IN_FLIGHT; i++)
		td_buf_done(&writers[i].values);
	(void)sem_destroy(&load.ended);
	cql_statement_free(load.insert);
	return load.status == TD_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static enum td_status create_keyspace(struct cql_session *session)
{
	struct cql_query query = CQL_QUERY_INIT;
	struct cql_response response;
	query.text = TD_SLICE("CREATE KEYSPACE IF NOT EXISTS example WITH replication = "
			      "{'class': 'SimpleStrategy', 'replication_factor': 1}");
	enum td_status status = cql_session_run(session, &query, &response);
	if (status != TD_OK)
		(void)fprintf(stderr, "%s\n", response.answer.err->text);
	cql_response_done(&response);
	return status;
}

int main(int argc, char **argv)
{
	struct td_err err = TD_ERR_INIT;
	struct cql_session *session;
	struct cql_session_config config;
	if (argc < 3) {
		(void)fprintf(stderr, "usage: many HOST PORT [ROWS]\n");
		return EXIT_FAILURE;
	}
	const struct cql_contact_point point = {
		.name = argv[1], .port = (uint16_t)strtoul(argv[2], NULL, 10)};
	cql_session_config_init(&config);
	config.contact_points = &point;
	config.contact_point_count = 1;
	if (cql_session_open(&config, &session, &err) != TD_OK) {
		(void)fprintf(stderr, "%s\n", err.text);
		return EXIT_FAILURE;
	}
	int code = EXIT_FAILURE;
	if (cql_session_wait(session, 10000, &err) != TD_OK)
		(void)fprintf(stderr, "%s\n", err.text);
	else if (create_keyspace(session) == TD_OK)
		code = run(session, argc > 3 ? strtoll(argv[3], NULL, 10) : 10000);
	cql_session_close(session);
	return code;
}
