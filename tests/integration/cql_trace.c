/* Reads random keys of a table by a prepared statement, one after the other, with tracing, so that
 * a test can see where each read was coordinated.
 *
 * usage: cql_trace HOST PORT TABLE KEYS TIMES
 *
 * The table has an int `key`. Prints a line for each read: "KEY TRACING-ID", the id in hexadecimal.
 * Ends with 0, or with 1 and the reason on stderr. */
#include "cql/cql.h"

#include <stdio.h>
#include <stdlib.h>

#define WAIT_MS 20000

static bool print_read(const struct cql_response *response, uint32_t key)
{
	const uint8_t *id = response->answer.tracing_id;
	if (id == NULL)
		return false;
	(void)printf("%u ", key);
	for (size_t i = 0; i < 16; i++)
		(void)printf("%02x", id[i]);
	(void)printf("\n");
	return true;
}

static enum td_status read_one(struct cql_session *session, struct cql_statement *statement,
	uint32_t key, struct td_err *err)
{
	struct td_buf values = TD_BUF_INIT;
	cql_bind_int(&values, (int32_t)key);
	struct cql_query query = CQL_QUERY_INIT;
	query.statement = statement;
	query.values = (struct cql_values){.bytes = td_buf_slice(&values), .count = 1};
	query.consistency = CQL_ONE;
	query.is_idempotent = true;
	query.wants_trace = true;
	struct cql_response response;
	enum td_status status = cql_session_run(session, &query, &response);
	if (status != TD_OK)
		*err = response.err;
	else if (!print_read(&response, key))
		status = td_err_set(err, TD_CORRUPT, "an answer without a tracing id");
	cql_response_done(&response);
	td_buf_done(&values);
	return status;
}

static enum td_status read_all(struct cql_session *session, char **argv, struct td_err *err)
{
	char cql[128];
	struct cql_statement *statement;
	uint32_t keys = (uint32_t)strtoul(argv[4], NULL, 10);
	unsigned long times = strtoul(argv[5], NULL, 10);
	(void)snprintf(cql, sizeof(cql), "SELECT key FROM %s WHERE key = ?", argv[3]);
	enum td_status status = cql_statement_create(session, cql, &statement, err);
	if (status != TD_OK)
		return status;
	for (unsigned long i = 0; status == TD_OK && i < times; i++)
		status = read_one(session, statement, arc4random_uniform(keys), err);
	cql_statement_free(statement);
	return status;
}

int main(int argc, char **argv)
{
	struct td_err err = TD_ERR_INIT;
	struct cql_session *session;
	struct cql_session_config config;
	if (argc != 6)
		return 2;
	const struct cql_contact_point point = {
		.name = argv[1], .port = (uint16_t)strtoul(argv[2], NULL, 10)};
	cql_session_config_init(&config);
	config.contact_points = &point;
	config.contact_point_count = 1;
	enum td_status status = cql_session_open(&config, &session, &err);
	if (status == TD_OK) {
		status = cql_session_wait(session, WAIT_MS, &err);
		if (status == TD_OK)
			status = read_all(session, argv, &err);
		cql_session_close(session);
	}
	if (status != TD_OK)
		(void)fprintf(stderr, "%s\n", err.text);
	return status == TD_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
