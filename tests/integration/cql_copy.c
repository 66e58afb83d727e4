/* Copies rows from one table to another through a session: every cell is read by the functions of
 * its type and bound again by those that write it, so that another driver can hold the copy against
 * what it wrote itself.
 *
 * usage: cql_copy HOST PORT VERSION lz4|plain USER|- SELECT WRITE
 *
 * Both statements are prepared; the columns of SELECT are the values of WRITE, in their order. What
 * is null is bound as null in every other row, and as unset in the others, the first with null. The
 * password is CQL_PASSWORD; TLS as cql_tls_env.h says. Prints what was read of each row, a JSON
 * array in a line (cql_rebind.h), so that a mistake made alike in reading and in writing is seen;
 * then "copied N", and "warned" behind it where the server warned. Ends with 1 and the reason on
 * stderr where something failed. */
#include "cql_rebind.h"
#include "cql_tls_env.h"

#include "cql/cql.h"

#include <stdio.h>

#define COLUMNS_MOST 64
#define PAGE_ROWS    7
#define WAIT_MS      30000

static struct cql_session *session;
static struct cql_statement *source, *target;
static size_t copied, warned;

static int fail(const char *what, const char *text)
{
	(void)fprintf(stderr, "%s: %s\n", what, text);
	return 1;
}

/* False: it was told. */
static bool run(struct cql_query *query, struct cql_response *response)
{
	query->timeout_ms = WAIT_MS;
	query->consistency = CQL_ONE;
	enum td_status status = cql_session_run(session, query, response);
	if (status != TD_OK)
		(void)fail("request", response->answer.err->text);
	warned += response->answer.warnings.count;
	return status == TD_OK;
}

static bool copy_row(const struct cql_column *columns, const struct td_slice *cells, size_t count)
{
	struct td_buf json = TD_BUF_INIT, values = TD_BUF_INIT;
	struct cql_query query = CQL_QUERY_INIT;
	struct cql_response response;
	const struct cql_pair payload = {TD_SLICE("nobody"), TD_SLICE("reads this")};
	for (size_t i = 0; i < count; i++) {
		td_buf_put_char(&json, i > 0 ? ',' : '[');
		if (cql_is_null(cells[i]) && copied % 2 == 1) {
			td_buf_put_str(&json, "null");
			cql_bind_unset(&values);
		} else {
			cql_rebind(&columns[i].type, cells[i], &json, &values);
		}
	}
	(void)printf("%s]\n", td_buf_cstr(&json));
	query.statement = target;
	query.values = (struct cql_values){
		.bytes = td_buf_slice(&values), .count = (uint16_t)count};
	query.payload = &payload;
	query.payload_count = 1;
	bool good = !values.failed && !json.failed && run(&query, &response);
	if (!values.failed && !json.failed)
		cql_response_done(&response);
	td_buf_done(&json);
	td_buf_done(&values);
	copied++;
	return good;
}

static bool copy_page(struct cql_response *page)
{
	struct cql_rows *rows = &page->answer.result.rows;
	struct td_slice cells[COLUMNS_MOST];
	size_t count = rows->metadata.column_count;
	if (count > COLUMNS_MOST)
		return fail("select", "too many columns") == 0;
	while (cql_rows_next(rows, cells)) {
		if (!copy_row(page->columns, cells, count))
			return false;
	}
	return cql_rows_check(rows, NULL) == TD_OK;
}

static bool copy_all(void)
{
	struct td_buf state = TD_BUF_INIT;
	struct cql_query query = CQL_QUERY_INIT;
	bool good = true, more = true;
	query.statement = source;
	query.is_idempotent = true;
	query.page_size = PAGE_ROWS;
	while (good && more) {
		struct cql_response page;
		good = run(&query, &page) && copy_page(&page);
		more = good && cql_query_next_page(&query, &page.answer, &state);
		cql_response_done(&page);
	}
	td_buf_done(&state);
	return good;
}

static enum td_status open_all(char **argv, struct cql_tls *tls, struct td_err *err)
{
	struct cql_session_config config;
	const struct cql_contact_point point = {
		.name = argv[1], .port = (uint16_t)strtoul(argv[2], NULL, 10)};
	cql_session_config_init(&config);
	config.contact_points = &point;
	config.contact_point_count = 1;
	config.version_most = argv[3][0] == '5' ? CQL_V5 : CQL_V4;
	config.wants_lz4 = strcmp(argv[4], "lz4") == 0;
	config.tls = tls;
	if (argv[5][0] != '-') {
		config.username = argv[5];
		config.password = getenv("CQL_PASSWORD");
	}
	enum td_status status = cql_session_open(&config, &session, err);
	if (status == TD_OK)
		status = cql_session_wait(session, WAIT_MS, err);
	if (status == TD_OK)
		status = cql_statement_create(session, argv[6], &source, err);
	if (status == TD_OK)
		status = cql_statement_create(session, argv[7], &target, err);
	return status;
}

int main(int argc, char **argv)
{
	struct td_err err = TD_ERR_INIT;
	struct cql_tls *tls = NULL;
	if (argc != 8)
		return fail("usage", "cql_copy HOST PORT VERSION lz4|plain USER|- SELECT WRITE");
	enum td_status status = cql_tls_from_env(&tls, &err);
	if (status == TD_OK)
		status = open_all(argv, tls, &err);
	bool good = status == TD_OK && copy_all();
	if (status != TD_OK)
		(void)fail("session", err.text);
	cql_statement_free(source);
	cql_statement_free(target);
	cql_session_close(session);
	cql_tls_destroy(tls);
	if (good)
		(void)printf("copied %zu%s\n", copied, warned > 0 ? " warned" : "");
	return good ? 0 : 1;
}
