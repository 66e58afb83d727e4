/* The shortest way from a host to rows: one session, one prepared statement, waiting for each
 * answer.
 *
 * usage: first HOST PORT */
#include "cql/cql.h"

#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what, const struct td_err *err)
{
	(void)fprintf(stderr, "%s: %s\n", what, err->text);
	return EXIT_FAILURE;
}

static void print_rows(struct cql_response *response)
{
	struct cql_rows *rows = &response->answer.result.rows;
	struct td_slice cells[3];
	while (cql_rows_next(rows, cells)) {
		int32_t users;
		if (cql_get_int(cells[1], &users))
			(void)printf("%.*s: %d users\n", TD_SLICE_ARG(cells[0]), (int)users);
		else
			(void)printf("%.*s: nobody knows\n", TD_SLICE_ARG(cells[0]));
	}
}

static int run(struct cql_session *session, const char *cql)
{
	struct cql_query query = CQL_QUERY_INIT;
	struct cql_response response;
	query.text = td_slice_str(cql);
	enum td_status status = cql_session_run(session, &query, &response);
	int code = status == TD_OK ? EXIT_SUCCESS : fail(cql, response.answer.err);
	cql_response_done(&response);
	return code;
}

static int insert(struct cql_session *session, const char *city, int32_t users)
{
	struct td_err err = TD_ERR_INIT;
	struct cql_statement *statement;
	if (cql_statement_create(session, "INSERT INTO example.cities (city, users) VALUES (?, ?)",
		    &statement, &err) != TD_OK)
		return fail("statement", &err);
	struct td_buf values = TD_BUF_INIT;
	cql_bind_bytes(&values, td_slice_str(city));
	cql_bind_int(&values, users);
	struct cql_query query = CQL_QUERY_INIT;
	query.statement = statement;
	query.values = (struct cql_values){.bytes = td_buf_slice(&values), .count = 2};
	query.is_idempotent = true; /* twice the same row is the same row */
	struct cql_response response;
	enum td_status status = cql_session_run(session, &query, &response);
	int code = status == TD_OK ? EXIT_SUCCESS : fail("insert", response.answer.err);
	cql_response_done(&response);
	td_buf_done(&values);
	cql_statement_free(statement);
	return code;
}

static int select_all(struct cql_session *session)
{
	struct cql_query query = CQL_QUERY_INIT;
	struct cql_response response;
	query.text = TD_SLICE("SELECT city, users FROM example.cities");
	query.is_idempotent = true;
	enum td_status status = cql_session_run(session, &query, &response);
	int code = EXIT_SUCCESS;
	if (status == TD_OK)
		print_rows(&response);
	else
		code = fail("select", response.answer.err);
	cql_response_done(&response);
	return code;
}

static int work(struct cql_session *session)
{
	static const char *const statements[] = {
		"CREATE KEYSPACE IF NOT EXISTS example WITH replication = "
		"{'class': 'SimpleStrategy', 'replication_factor': 1}",
		"CREATE TABLE IF NOT EXISTS example.cities (city text PRIMARY KEY, users int)",
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(statements); i++) {
		if (run(session, statements[i]) != EXIT_SUCCESS)
			return EXIT_FAILURE;
	}
	if (insert(session, "Lisboa", 12) != EXIT_SUCCESS ||
		insert(session, "Napoli", 7) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	return select_all(session);
}

int main(int argc, char **argv)
{
	struct td_err err = TD_ERR_INIT;
	struct cql_session *session;
	struct cql_session_config config;
	if (argc != 3) {
		(void)fprintf(stderr, "usage: first HOST PORT\n");
		return EXIT_FAILURE;
	}
	const struct cql_contact_point point = {
		.name = argv[1], .port = (uint16_t)strtoul(argv[2], NULL, 10)};
	cql_session_config_init(&config);
	config.contact_points = &point;
	config.contact_point_count = 1;
	if (cql_session_open(&config, &session, &err) != TD_OK)
		return fail("session", &err);
	enum td_status status = cql_session_wait(session, 10000, &err);
	int code = status == TD_OK ? work(session) : fail("connect", &err);
	cql_session_close(session);
	return code;
}
