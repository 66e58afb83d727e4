#include "td_test.h"

#include "fault_alloc.h"
#include "settings/settings_cluster.h"

#include <stdio.h>
#include <string.h>

/* "name:port" of each, or the error. */
static const char *points(struct td_arena *arena, const char *text)
{
	struct connect_host hosts[SETTINGS_CONTACT_POINTS_MOST];
	struct td_err err = TD_ERR_INIT;
	const char *out = "";
	size_t count = 0;
	if (settings_read_contact_points(td_slice_str(text), 9042, arena, hosts, &count, &err) !=
		TD_OK)
		return td_arena_printf(arena, "%s", err.text);
	for (size_t i = 0; i < count; i++)
		out = td_arena_printf(
			arena, "%s %s|%u", out, hosts[i].name, (unsigned)hosts[i].port);
	return out;
}

static const char *replication(struct td_arena *arena, const char *text)
{
	struct settings_replication r;
	struct td_err err = TD_ERR_INIT;
	if (settings_read_replication(td_slice_str(text), arena, &r, &err) != TD_OK)
		return td_arena_printf(arena, "%s", err.text);
	return r.map != NULL ? r.map : td_arena_printf(arena, "%u", r.factor);
}

struct row {
	const char *text, *expected;
};

#define NO_PASSWORD                                                                               \
	"it holds a '@', and nodes are named 'host' or 'host:port': user and password belong in " \
	"CASSANDRA_USER and CASSANDRA_PASSWORD"

/* Every form of a contact point, with and without spaces, and each fault in its own words. */
static void test_contact_points_of_every_form(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"cassandra", " cassandra|9042"},
		{"a, b:9043 ,10.0.0.1", " a|9042 b|9043 10.0.0.1|9042"},
		{"[::1]:1,[fe80::1],fe80::2", " ::1|1 fe80::1|9042 fe80::2|9042"},
		{",a,,b,", " a|9042 b|9042"},
		{"cassandra_1.local:65535", " cassandra_1.local|65535"},
		{"a:0", "the port '0' is not within 1 to 65535"},
		{"a:65536", "the port '65536' is not within 1 to 65535"},
		{"a:", "the port '' is not within 1 to 65535"},
		{"a:x", "the port 'x' is not within 1 to 65535"},
		{":9042", "':9042' is neither an address nor a host name"},
		{"a b", "'a b' is neither an address nor a host name"},
		{"/run/x", "'/run/x' is neither an address nor a host name"},
		{"[::1", "'[::1' is neither an address nor a host name"},
		{"[]:1", "'[]' is neither an address nor a host name"},
		{"cql://a", "the port '//a' is not within 1 to 65535"},
		{"cql://user:pass@a", NO_PASSWORD},
		{"user:pa,ss@a:9042", NO_PASSWORD},
		{" , ", "it names no node"},
		{"", "it names no node"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_arena arena = TD_ARENA_INIT;
		assert_string_equal(points(&arena, rows[i].text), rows[i].expected);
		td_arena_done(&arena);
	}
}

static void test_contact_points_have_a_limit(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	char text[SETTINGS_CONTACT_POINTS_MOST * 2 + 2];
	for (size_t i = 0; i <= SETTINGS_CONTACT_POINTS_MOST; i++)
		memcpy(text + 2 * i, "a,", 2);
	text[sizeof(text) - 1] = '\0';
	assert_string_equal(points(&arena, text), "it names more than 64 nodes");
	text[sizeof(text) - 3] = '\0';
	assert_null(strstr(points(&arena, text), "more"));
	td_arena_done(&arena);
}

/* A number stays one, until the data centre is known; the other forms become one map. */
static void test_replication_of_every_form(void **state)
{
	(void)state;
#define NTS    "'class': 'NetworkTopologyStrategy'"
#define NO_MAP "it is not a map like {" NTS ", 'dc1': 3}"
	static const struct row rows[] = {
		{"1", "1"},
		{" 3 ", "3"},
		{"dc1:3", "{" NTS ", 'dc1': '3'}"},
		{"dc1:3, dc-2.x : 2", "{" NTS ", 'dc1': '3', 'dc-2.x': '2'}"},
		{"{'class': 'SimpleStrategy', 'replication_factor': 2}",
			"{'class': 'SimpleStrategy', 'replication_factor': '2'}"},
		{"  {'dc1':'3',\t'class':'NetworkTopologyStrategy'} ", "{'dc1': '3', " NTS "}"},
		{"0", "'0' is not a number of replicas, 1 to 1000"},
		{"-1", "'-1' is not a number of replicas, 1 to 1000"},
		{"three", "'three' is not a number of replicas, 1 to 1000"},
		{"dc1:0", "'0' is not a number of replicas, 1 to 1000"},
		{"dc1:3,dc1:2", "it names 'dc1' twice"},
		{"dc1:3,", "'' is not like dc1:3: a data centre and its number of replicas"},
		{"dc'1:3", "'dc'1:3' is not like dc1:3: a data centre and its number of replicas"},
		{"dc1 3,a:1",
			"'dc1 3' is not like dc1:3: a data centre and its number of replicas"},
		{"class:3", "it names 'class' twice"},
		{"{}", NO_MAP},
		{"{'class': 'A'", NO_MAP},
		{"{'class': 'A'} AND x = {'a': 'b'}", NO_MAP},
		{"{'class': 'A\"'}", NO_MAP},
		{"{'class': 'A}", NO_MAP},
		{"{'class' 'A'}", NO_MAP},
		{"{class: 'A'}", NO_MAP},
		{"{'class': 'A',}", NO_MAP},
		{"{'dc1': 3}", "the map says no 'class': write " NTS},
		{"", "'' is not like dc1:3: a data centre and its number of replicas"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_arena arena = TD_ARENA_INIT;
		assert_string_equal(replication(&arena, rows[i].text), rows[i].expected);
		td_arena_done(&arena);
	}
}

static void test_replication_has_a_limit(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	const char *text = "a:1";
	for (unsigned i = 0; i < 32; i++)
		text = td_arena_printf(&arena, "%s,dc%u:1", text, i);
	assert_string_equal(replication(&arena, text), "it names more than 32 data centres");
	td_arena_done(&arena);
}

/* ---- several settings together */

static struct settings *load(const char *const *environment, struct settings_problems *problems)
{
	const struct settings_input input = {.environment = environment};
	struct settings *settings = NULL;
	enum td_status status = settings_load(&input, &settings, problems);
	assert_int_not_equal(status, TD_NOMEM);
	assert_non_null(settings);
	return settings;
}

static void test_defaults_lead_to_the_service_name(void **state)
{
	(void)state;
	const char *const nothing[] = {NULL};
	struct settings_problems problems;
	struct settings *s = load(nothing, &problems);
	assert_int_equal(problems.count, 0);
	assert_false(s->uses_cassandra);
	assert_int_equal(s->cassandra.host_count, 1);
	assert_string_equal(s->cassandra.hosts[0].name, "cassandra");
	assert_int_equal(s->cassandra.hosts[0].port, 9042);
	assert_null(s->cassandra.replication.map);
	assert_int_equal(s->cassandra.replication.factor, 1);
	assert_string_equal(s->cassandra_keyspace, "tools_dashboard");
	assert_null(s->cassandra_user);
	assert_null(s->cassandra_local_dc);
	settings_free(s);
}

static void test_contact_points_win_over_hosts(void **state)
{
	(void)state;
	const char *const both[] = {"CASSANDRA_HOSTS=a", "CASSANDRA_CONTACT_POINTS=b,c:1",
		"CASSANDRA_PORT=7", "CASSANDRA_USER=u", "CASSANDRA_PASSWORD=secret", NULL};
	struct settings_problems problems;
	struct settings *s = load(both, &problems);
	struct td_arena arena = TD_ARENA_INIT;
	const char *password = NULL;
	assert_int_equal(problems.count, 0);
	assert_true(s->uses_cassandra);
	assert_int_equal(s->cassandra.host_count, 2);
	assert_string_equal(s->cassandra.hosts[0].name, "b");
	assert_int_equal(s->cassandra.hosts[0].port, 7);
	assert_int_equal(s->cassandra.hosts[1].port, 1);
	assert_int_equal(settings_cassandra_password(s, &arena, &password, NULL), TD_OK);
	assert_string_equal(password, "secret");
	explicit_bzero((char *)(uintptr_t)password, strlen(password));
	assert_int_equal(settings_cassandra_password(s, &arena, &password, NULL), TD_OK);
	assert_string_equal(password, "secret");
	td_arena_done(&arena);
	settings_free(s);
	const char *const hosts[] = {"CASSANDRA_HOSTS=a", "CASSANDRA_CONTACT_POINTS=", NULL};
	s = load(hosts, &problems);
	assert_true(s->uses_cassandra);
	assert_string_equal(s->cassandra.hosts[0].name, "a");
	settings_free(s);
}

/* The setting that is wrong is named, and what is secret is not shown. */
static void test_wrong_settings_are_named(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"CASSANDRA_CONTACT_POINTS=a:x",
			"CASSANDRA_CONTACT_POINTS: the port 'x' is not within 1 to 65535"},
		{"CASSANDRA_HOSTS=a b",
			"CASSANDRA_HOSTS: 'a b' is neither an address nor a host name"},
		{"CASSANDRA_REPLICATION=x",
			"CASSANDRA_REPLICATION: 'x' is not a number of replicas, 1 to 1000"},
		{"CASSANDRA_KEYSPACE=a-b", "CASSANDRA_KEYSPACE: a keyspace's name is made of "
					   "letters, digits and '_', as tools_dashboard"},
		{"CASSANDRA_USER=u",
			"CASSANDRA_USER: CASSANDRA_PASSWORD is not set: set both, or neither"},
		{"CASSANDRA_PASSWORD=secret",
			"CASSANDRA_PASSWORD: CASSANDRA_USER is not set: set both, or neither"},
		{"CASSANDRA_TLS_CERT=/dev/null",
			"CASSANDRA_TLS_CERT: CASSANDRA_TLS_KEY is not set: set both, or neither"},
		{"CASSANDRA_CONSISTENCY=ANY",
			"CASSANDRA_CONSISTENCY: 'ANY' is not one of its words: use ONE, TWO, "
			"THREE, QUORUM, ALL, LOCAL_QUORUM, EACH_QUORUM or LOCAL_ONE"},
		{"CASSANDRA_TLS=yes", "CASSANDRA_TLS: 'yes' is not one of its words: use disable, "
				      "require, verify-ca or verify-full"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		const char *const environment[] = {rows[i].text, NULL};
		struct settings_problems problems;
		struct settings *s = load(environment, &problems);
		assert_int_equal(problems.count, 1);
		assert_string_equal(problems.text[0], rows[i].expected);
		settings_free(s);
	}
}

static bool try_readers(void *ctx)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct connect_host hosts[SETTINGS_CONTACT_POINTS_MOST];
	struct settings_replication r;
	size_t count;
	(void)ctx;
	bool ok = settings_read_contact_points(
			  TD_SLICE("a,b:1"), 9042, &arena, hosts, &count, NULL) == TD_OK &&
		  settings_read_replication(TD_SLICE("dc1:3,dc2:2"), &arena, &r, NULL) == TD_OK;
	td_arena_done(&arena);
	return ok;
}

static void test_no_memory_is_said(void **state)
{
	(void)state;
	fault_alloc_each(try_readers, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contact_points_of_every_form),
		cmocka_unit_test(test_contact_points_have_a_limit),
		cmocka_unit_test(test_replication_of_every_form),
		cmocka_unit_test(test_replication_has_a_limit),
		cmocka_unit_test(test_defaults_lead_to_the_service_name),
		cmocka_unit_test(test_contact_points_win_over_hosts),
		cmocka_unit_test(test_wrong_settings_are_named),
		cmocka_unit_test(test_no_memory_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
