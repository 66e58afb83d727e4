/* What a session does with other threads when it is closed. The server listens, and is silent. */
#include "td_test.h"
#include "wait_until.h"

#include "base/compiler.h"
#include "cql/client/session.h"
#include "work/thread.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_MS 10000
#define LONG_MS  60000

static int listener = -1;
static struct cql_contact_point point = {.name = "127.0.0.1"};

static int listen_silently(void **state)
{
	(void)state;
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&address, len) != 0 || listen(listener, 64) != 0 ||
		getsockname(listener, (struct sockaddr *)&address, &len) != 0)
		return -1;
	point.port = ntohs(address.sin_port);
	return 0;
}

static int stop_listening(void **state)
{
	(void)state;
	return close(listener);
}

static struct cql_session *open_session(void)
{
	struct cql_session_config config;
	struct cql_session *session = NULL;
	struct td_err err = TD_ERR_INIT;
	cql_session_config_init(&config);
	config.contact_points = &point;
	config.contact_point_count = 1;
	config.connect_ms = config.wait_ms = config.request_ms = LONG_MS;
	assert_int_equal(cql_session_open(&config, &session, &err), TD_OK);
	return session;
}

/* ---- other threads that wait */

struct guest {
	struct td_thread thread;
	struct cql_session *session;
	_Atomic bool is_in;
	enum td_status status;
	struct td_err err;
};

static void wait_for_session(void *arg)
{
	struct guest *g = arg;
	atomic_store(&g->is_in, true);
	g->status = cql_session_wait(g->session, LONG_MS, &g->err);
}

static void wait_for_agreement(void *arg)
{
	struct guest *g = arg;
	atomic_store(&g->is_in, true);
	g->status = cql_session_agree(g->session, LONG_MS, &g->err);
}

static void run_query(void *arg)
{
	struct guest *g = arg;
	struct cql_query query = CQL_QUERY_INIT;
	struct cql_response response;
	query.text = TD_SLICE("SELECT key FROM system.local");
	atomic_store(&g->is_in, true);
	g->status = cql_session_run(g->session, &query, &response);
	assert_false(response.answer.may_have_run);
	cql_response_done(&response);
}

static bool is_waiting(void *ctx)
{
	struct guest *guests = ctx;
	struct cql_session_state state;
	cql_session_state(guests[2].session, &state);
	return atomic_load(&guests[0].is_in) && atomic_load(&guests[1].is_in) && state.waiting == 1;
}

static void test_whoever_waits_is_told_that_it_is_closed(void **state)
{
	(void)state;
	static void (*const runs[])(void *) = {wait_for_session, wait_for_agreement, run_query};
	struct guest guests[3] = {{.status = TD_OK}};
	struct td_err err = TD_ERR_INIT;
	struct cql_session *session = open_session();
	for (size_t i = 0; i < TD_ARRAY_LEN(runs); i++) {
		guests[i].session = session;
		assert_int_equal(
			td_thread_start(&guests[i].thread, "guest", runs[i], &guests[i], &err),
			TD_OK);
	}
	assert_true(wait_until(is_waiting, guests, LIMIT_MS));
	/* The first two are within their functions as good as surely. */
	(void)usleep(100000);
	cql_session_close(session);
	for (size_t i = 0; i < TD_ARRAY_LEN(runs); i++) {
		td_thread_join(&guests[i].thread);
		assert_int_equal(guests[i].status, TD_STOPPING);
	}
}

/* ---- callbacks that go on */

struct echo {
	struct cql_query query;
	unsigned left, told;
};

static void send_again(struct cql_query *query, const struct cql_answer *answer)
{
	struct echo *echo = TD_CONTAINER_OF(query, struct echo, query);
	assert_int_equal(answer->status, TD_STOPPING);
	assert_false(answer->may_have_run);
	echo->told++;
	if (echo->left > 0) {
		echo->left--;
		cql_session_send(query->session, query);
	}
}

/* Each `done` comes, also of what callbacks send while it is being closed. */
static void test_what_callbacks_send_while_it_closes_ends_too(void **state)
{
	(void)state;
	struct echo echoes[20];
	struct cql_session *session = open_session();
	for (unsigned i = 0; i < TD_ARRAY_LEN(echoes); i++) {
		echoes[i] = (struct echo){.query = CQL_QUERY_INIT, .left = i};
		echoes[i].query.text = TD_SLICE("SELECT");
		echoes[i].query.done = send_again;
		cql_session_send(session, &echoes[i].query);
	}
	cql_session_close(session);
	for (unsigned i = 0; i < TD_ARRAY_LEN(echoes); i++)
		assert_int_equal(echoes[i].told, i + 1);
}

static void test_it_may_be_closed_at_once(void **state)
{
	(void)state;
	cql_session_close(NULL);
	for (int i = 0; i < 50; i++) {
		struct cql_statement *statement = NULL;
		struct cql_session *session = open_session();
		assert_int_equal(cql_statement_create(session, "SELECT", &statement, NULL), TD_OK);
		cql_statement_free(statement);
		cql_statement_free(NULL);
		cql_session_close(session);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whoever_waits_is_told_that_it_is_closed),
		cmocka_unit_test(test_what_callbacks_send_while_it_closes_ends_too),
		cmocka_unit_test(test_it_may_be_closed_at_once),
	};
	return cmocka_run_group_tests_name(
		"cql/client/session", tests, listen_silently, stop_listening);
}
