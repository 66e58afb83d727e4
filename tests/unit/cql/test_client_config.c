#include "fault_alloc.h"
#include "td_test.h"

#include "base/compiler.h"
#include "cql/client/config.h"

#include <stdlib.h>
#include <string.h>

static struct cql_contact_point points[CQL_CONTACT_POINTS_MOST + 1];
static char long_name[257];

static struct cql_session_config usable(void)
{
	struct cql_session_config c;
	cql_session_config_init(&c);
	points[0] = (struct cql_contact_point){.name = "db1", .port = 9042};
	points[1] = (struct cql_contact_point){.name = "db2", .port = 9043};
	c.contact_points = points;
	c.contact_point_count = 2;
	return c;
}

static void test_the_defaults_are_usable_and_all_is_copied(void **state)
{
	(void)state;
	struct cql_session_config c = usable();
	struct cql_config copy;
	struct td_err err = TD_ERR_INIT;
	char user[] = "u", password[] = "secret", keyspace[] = "ks", dc[] = "dc1";
	c.username = user;
	c.password = password;
	c.keyspace = keyspace;
	c.local_dc = dc;
	assert_int_equal(cql_config_copy(&copy, &c, &err), TD_OK);
	user[0] = password[0] = keyspace[0] = dc[0] = 'X';
	points[0].name = points[1].name = "X";
	assert_string_equal(copy.set.username, "u");
	assert_string_equal(copy.set.password, "secret");
	assert_string_equal(copy.set.keyspace, "ks");
	assert_string_equal(copy.set.local_dc, "dc1");
	assert_string_equal(copy.set.contact_points[0].name, "db1");
	assert_string_equal(copy.set.contact_points[1].name, "db2");
	assert_int_equal(copy.set.contact_points[1].port, 9043);
	cql_config_done(&copy);
}

/* Each makes a usable configuration unusable; the refusal names the member. */
struct spoil {
	const char *member;
	void (*spoil)(struct cql_session_config *c);
};

#define SPOIL(name, statement)                                 \
	static void spoil_##name(struct cql_session_config *c) \
	{                                                      \
		statement;                                     \
	}

SPOIL(no_points, c->contact_point_count = 0)
SPOIL(many_points, c->contact_point_count = CQL_CONTACT_POINTS_MOST + 1)
SPOIL(null_points, c->contact_points = NULL)
SPOIL(null_name, (void)c; points[1].name = NULL)
SPOIL(empty_name, (void)c; points[1].name = "")
SPOIL(long_name, (void)c; points[1].name = long_name)
SPOIL(port, (void)c; points[1].port = 0)
SPOIL(version, c->version_most = 6)
SPOIL(no_connections, c->node_connections = 0)
SPOIL(many_connections, c->node_connections = CQL_NODE_CONNECTIONS_MOST + 1)
SPOIL(no_flight, c->in_flight_most = 0)
SPOIL(much_flight, c->in_flight_most = 30001)
SPOIL(small_answer, c->answer_most = 1023)
SPOIL(large_answer, c->answer_most = (size_t)CQL_BODY_MOST + 1)
SPOIL(connect_ms, c->connect_ms = 0)
SPOIL(request_ms, c->request_ms = 0)
SPOIL(heartbeat_ms, c->heartbeat_ms = 0)
SPOIL(heartbeat_timeout_ms, c->heartbeat_timeout_ms = 0)
SPOIL(backoff_first_ms, c->backoff_first_ms = 0)
SPOIL(backoff_most_ms, c->backoff_most_ms = c->backoff_first_ms - 1)
SPOIL(backoff_setting_ms, c->backoff_setting_ms = 0)
SPOIL(refresh_ms, c->refresh_ms = 0)
SPOIL(empty_dc, c->local_dc = "")
SPOIL(long_dc, c->local_dc = long_name)
SPOIL(empty_tls_name, c->tls_name = "")
SPOIL(long_tls_name, c->tls_name = long_name)
SPOIL(keyspace, c->keyspace = "")
SPOIL(password, c->username = "u")
SPOIL(username, c->password = "p")

static const struct spoil spoils[] = {
	{"contact_point_count", spoil_no_points},
	{"contact_point_count", spoil_many_points},
	{"contact_points", spoil_null_points},
	{"name of a contact point", spoil_null_name},
	{"name of a contact point", spoil_empty_name},
	{"name of a contact point", spoil_long_name},
	{"port of a contact point", spoil_port},
	{"version_most", spoil_version},
	{"node_connections", spoil_no_connections},
	{"node_connections", spoil_many_connections},
	{"in_flight_most", spoil_no_flight},
	{"in_flight_most", spoil_much_flight},
	{"answer_most", spoil_small_answer},
	{"answer_most", spoil_large_answer},
	{"connect_ms", spoil_connect_ms},
	{"request_ms", spoil_request_ms},
	{"heartbeat_ms", spoil_heartbeat_ms},
	{"heartbeat_timeout_ms", spoil_heartbeat_timeout_ms},
	{"backoff_first_ms", spoil_backoff_first_ms},
	{"backoff_most_ms", spoil_backoff_most_ms},
	{"backoff_setting_ms", spoil_backoff_setting_ms},
	{"refresh_ms", spoil_refresh_ms},
	{"local_dc", spoil_empty_dc},
	{"local_dc", spoil_long_dc},
	{"tls_name", spoil_empty_tls_name},
	{"tls_name", spoil_long_tls_name},
	{"keyspace", spoil_keyspace},
	{"password", spoil_password},
	{"username", spoil_username},
};

static void test_each_refusal_names_its_member(void **state)
{
	(void)state;
	memset(long_name, 'n', sizeof(long_name) - 1);
	for (size_t i = 0; i < TD_ARRAY_LEN(spoils); i++) {
		struct cql_session_config c = usable();
		struct cql_session *session;
		struct td_err err = TD_ERR_INIT;
		print_message("%s\n", spoils[i].member);
		spoils[i].spoil(&c);
		assert_int_equal(cql_session_open(&c, &session, &err), TD_INVALID);
		assert_non_null(strstr(err.text, spoils[i].member));
		assert_non_null(strstr(err.text, " must be "));
	}
}

static bool attempt(void *ctx)
{
	struct cql_session_config *c = ctx;
	struct cql_config copy;
	enum td_status status = cql_config_copy(&copy, c, NULL);
	assert_true(status == TD_OK || status == TD_NOMEM);
	cql_config_done(&copy);
	return status == TD_OK;
}

static void test_no_memory_is_told(void **state)
{
	(void)state;
	struct cql_session_config c = usable();
	c.username = c.password = c.keyspace = "text";
	assert_true(fault_alloc_each(attempt, &c) >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_defaults_are_usable_and_all_is_copied),
		cmocka_unit_test(test_each_refusal_names_its_member),
		cmocka_unit_test(test_no_memory_is_told),
	};
	return cmocka_run_group_tests_name("cql/client/config", tests, NULL, NULL);
}
