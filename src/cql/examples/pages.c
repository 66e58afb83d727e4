/* A table of any size in the memory of one page: each page is looked at in the callback, which then
 * asks for the next one.
 *
 * usage: pages HOST PORT [PAGE_SIZE]
 *
 * Adds up what many.c has written. */
#include "cql/cql.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

struct reading {
	struct cql_session *session;
	struct cql_query query;
	struct td_buf state; /* where the next page begins */
	unsigned pages;
	uint64_t rows, sum;
	struct td_err err; /* code TD_OK: all was read */
	sem_t ended;
};

static void add_rows(struct reading *r, const struct cql_answer *answer)
{
	struct cql_rows rows = answer->result.rows; /* a copy: it is what moves on */
	struct td_slice cells[2];
	int64_t square;
	while (cql_rows_next(&rows, cells)) {
		r->rows++;
		if (cql_get_bigint(cells[1], &square))
			r->sum += (uint64_t)square;
	}
	if (cql_rows_check(&rows, &r->err) != TD_OK)
		r->rows = 0; /* they were cut off: r->err says so */
}

/* On the session's thread. The answer is gone when this returns; the query may be sent again. */
static void take_page(struct cql_query *query, const struct cql_answer *answer)
{
	struct reading *r = TD_CONTAINER_OF(query, struct reading, query);
	if (answer->status != TD_OK) {
		r->err = *answer->err;
	} else {
		r->pages++;
		add_rows(r, answer);
	}
	if (r->err.code == TD_OK && cql_query_next_page(query, answer, &r->state))
		cql_session_send(r->session, query);
	else
		(void)sem_post(&r->ended);
}

static int read_all(struct cql_session *session, int32_t page_size)
{
	struct reading r = {.session = session, .query = CQL_QUERY_INIT};
	struct cql_statement *select;
	if (cql_statement_create(
		    session, "SELECT n, square FROM example.numbers", &select, &r.err) != TD_OK)
		return EXIT_FAILURE;
	(void)sem_init(&r.ended, 0, 0);
	r.query.statement = select;
	r.query.is_idempotent = true; /* a read: a page may be asked for twice */
	r.query.page_size = page_size;
	r.query.done = take_page;
	cql_session_send(session, &r.query);
	while (sem_wait(&r.ended) != 0)
		continue;
	if (r.err.code == TD_OK)
		(void)printf("%llu rows in %u pages, sum %llu\n", (unsigned long long)r.rows,
			r.pages, (unsigned long long)r.sum);
	else
		(void)fprintf(stderr, "%s\n", r.err.text);
	(void)sem_destroy(&r.ended);
	td_buf_done(&r.state);
	cql_statement_free(select);
	return r.err.code == TD_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct td_err err = TD_ERR_INIT;
	struct cql_session *session;
	struct cql_session_config config;
	if (argc < 3) {
		(void)fprintf(stderr, "usage: pages HOST PORT [PAGE_SIZE]\n");
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
	else
		code = read_all(session, argc > 3 ? (int32_t)strtol(argv[3], NULL, 10) : 1000);
	cql_session_close(session);
	return code;
}
