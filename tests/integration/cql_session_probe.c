/* Opens a session of the CQL client, waits until it can serve requests, and runs statements.
 *
 * usage: cql_session_probe HOST PORT WAIT_MS USER|- STATEMENT...
 *
 * The password is CQL_PASSWORD; TLS as in cql_tls_env.h. What the session tells comes at once, as
 * lines: "warning: …", "down FAILURE: …", "up ADDRESS". So does what a vain round of attempts came
 * to ("vain: …"). Then a line for each statement: "ok", or "failed: …". Ends with 0 where all went
 * well, with 1 after WAIT_MS in vain. */
#include "cql_tls_env.h"

#include "base/clock.h"
#include "cql/client/session.h"

#include <stdio.h>

static void on_notice(void *ctx, const struct cql_notice *notice)
{
	(void)ctx;
	if (notice->kind == CQL_NOTICE_WARNING)
		(void)printf("warning: %s\n", notice->text);
	else if (notice->kind == CQL_NOTICE_NODE_DOWN)
		(void)printf("down %s: %s\n", cql_failure_name(notice->failure), notice->text);
	else if (notice->kind == CQL_NOTICE_NODE_UP)
		(void)printf("up %s\n", notice->address);
}

static uint64_t now_ms(void)
{
	return td_clock_mono_ns() / 1000000;
}

/* A round of attempts in vain is told, and waited for again. */
static bool wait_for_ready(struct cql_session *session, unsigned wait_ms)
{
	uint64_t end_ms = now_ms() + wait_ms;
	for (uint64_t now = now_ms(); now < end_ms; now = now_ms()) {
		struct td_err err = TD_ERR_INIT;
		if (cql_session_wait(session, (unsigned)(end_ms - now), &err) == TD_OK)
			return true;
		(void)printf("vain: %s\n", err.text);
	}
	return false;
}

static bool run(struct cql_session *session, const char *cql)
{
	struct cql_query query = CQL_QUERY_INIT;
	struct cql_response response;
	query.text = td_slice_str(cql);
	enum td_status status = cql_session_run(session, &query, &response);
	if (status == TD_OK)
		(void)puts("ok");
	else
		(void)printf("failed: %s\n", response.answer.err->text);
	cql_response_done(&response);
	return status == TD_OK;
}

static bool use(struct cql_session *session, char **argv)
{
	bool good = wait_for_ready(session, (unsigned)strtoul(argv[3], NULL, 10));
	for (size_t i = 5; good && argv[i] != NULL; i++)
		good = run(session, argv[i]);
	return good;
}

int main(int argc, char **argv)
{
	struct td_err err = TD_ERR_INIT;
	struct cql_session_config config;
	struct cql_session *session;
	if (argc < 5)
		return 2;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	cql_session_config_init(&config);
	const struct cql_contact_point point = {argv[1], (uint16_t)strtoul(argv[2], NULL, 10)};
	config.contact_points = &point;
	config.contact_point_count = 1;
	config.backoff_setting_ms = 500;
	config.notice = on_notice;
	if (strcmp(argv[4], "-") != 0) {
		config.username = argv[4];
		config.password = getenv("CQL_PASSWORD");
	}
	if (cql_tls_from_env(&config.tls, &err) != TD_OK ||
		cql_session_open(&config, &session, &err) != TD_OK) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	bool good = use(session, argv);
	cql_session_close(session);
	cql_tls_destroy(config.tls);
	return good ? 0 : 1;
}
