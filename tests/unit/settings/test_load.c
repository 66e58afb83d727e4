#include "td_test.h"

#include "base/log.h"
#include "fault_alloc.h"
#include "settings/settings.h"
#include "settings/settings_file.h"
#include "settings/settings_print.h"
#include "temp_dir.h"

#include <stdio.h>
#include <string.h>

/* Loads from an environment of at most seven texts, and keeps what came out. */
struct loaded {
	struct settings *settings;
	struct settings_problems problems;
	enum td_status status;
};

static struct loaded load(const char *config, const char *const *environment,
	const struct settings_flag *flags, size_t flag_count)
{
	struct loaded l = {.settings = NULL};
	const struct settings_input input = {
		.flags = flags,
		.flag_count = flag_count,
		.config_path = config,
		.environment = environment,
	};
	l.status = settings_load(&input, &l.settings, &l.problems);
	assert_int_not_equal(l.status, TD_NOMEM);
	return l;
}

static struct loaded load_env(const char *const *environment)
{
	return load(NULL, environment, NULL, 0);
}

/* Exactly one problem, and it is this text. */
static void assert_problem(const char *setting, const char *text)
{
	const char *const environment[] = {setting, NULL};
	struct loaded l = load_env(environment);
	assert_int_equal(l.status, TD_INVALID);
	assert_int_equal(l.problems.count, 1);
	assert_string_equal(l.problems.text[0], text);
	settings_free(l.settings);
}

/* Nothing set: every default can be understood, and is what the contract says. */
static void test_defaults_are_in_force(void **state)
{
	(void)state;
	const char *const none[] = {NULL};
	struct loaded l = load_env(none);
	assert_int_equal(l.status, TD_OK);
	const struct settings *s = l.settings;
	assert_string_equal(s->host, "127.0.0.1");
	assert_int_equal(s->port, 8100);
	assert_string_equal(s->sqlite_path, "tools-dashboard.db");
	assert_int_equal(s->store_timeout_ms, 10000);
	assert_int_equal(s->catalogue_refresh_ms, 5000);
	assert_int_equal(s->http_header_timeout_ms, 10000);
	assert_int_equal(s->http_request_timeout_ms, 30000);
	assert_int_equal(s->http_send_timeout_ms, 30000);
	assert_int_equal(s->http_idle_timeout_ms, 60000);
	assert_int_equal(s->http_max_connections, 20000);
	assert_int_equal(s->http_max_per_address, 256);
	assert_int_equal(s->http_max_body, 65536);
	assert_int_equal(s->shutdown_timeout_ms, 8000);
	assert_string_equal(s->site_name, "Tools Dashboard");
	assert_int_equal(s->log_level, TD_LOG_INFO);
	assert_null(s->public_url);
	assert_false(s->no_color);
	assert_false(settings_is_set(s, SETTING_PORT));
	settings_free(l.settings);
}

/* Flags win over the environment, over the file, over the default. */
static void test_precedence(void **state)
{
	(void)state;
	struct temp_dir dir;
	temp_dir_make(&dir);
	temp_dir_write_text(&dir, "td.conf", "PORT=1\nSITE_NAME=file\nHTTP_MAX_BODY=2KiB\n");
	const char *const environment[] = {"PORT=2", "SITE_NAME=environment", NULL};
	const struct settings_flag flags[] = {{"port", "3"}};
	struct loaded l = load(temp_dir_path(&dir, "td.conf"), environment, flags, 1);
	assert_int_equal(l.status, TD_OK);
	assert_int_equal(l.settings->port, 3);
	assert_string_equal(l.settings->site_name, "environment");
	assert_int_equal(l.settings->http_max_body, 2048);
	assert_int_equal(l.settings->origin[SETTING_PORT].from, SETTING_FROM_FLAG);
	assert_int_equal(l.settings->origin[SETTING_SITE_NAME].from, SETTING_FROM_ENVIRONMENT);
	assert_int_equal(l.settings->origin[SETTING_HTTP_MAX_BODY].from, SETTING_FROM_CONFIG);
	assert_int_equal(l.settings->origin[SETTING_HTTP_MAX_BODY].line, 3);
	settings_free(l.settings);
	temp_dir_remove(&dir);
}

/* An empty value is unset, in every place: the next one counts. */
static void test_empty_is_unset(void **state)
{
	(void)state;
	struct temp_dir dir;
	temp_dir_make(&dir);
	temp_dir_write_text(&dir, "td.conf", "PORT=1\nSITE_NAME=\n");
	const char *const environment[] = {"PORT=", "POSTGRES_HOST=", NULL};
	const struct settings_flag flags[] = {{"port", ""}};
	struct loaded l = load(temp_dir_path(&dir, "td.conf"), environment, flags, 1);
	assert_int_equal(l.status, TD_OK);
	assert_int_equal(l.settings->port, 1);
	assert_string_equal(l.settings->site_name, "Tools Dashboard");
	settings_free(l.settings);
	temp_dir_remove(&dir);
}

/* Everything that is wrong is said at once, and what is right is in force all the same. */
static void test_all_problems_at_once(void **state)
{
	(void)state;
	struct temp_dir dir;
	temp_dir_make(&dir);
	temp_dir_write_text(&dir, "td.conf", "PROT=1\nnonsense\nHOST=a b\n");
	const char *const environment[] = {
		"PORT=99999", "LOG_LEVEL=loud", "HTTP_IDLE_TIMEOUT=5x", "LOG_FORMAT=json", NULL};
	struct loaded l = load(temp_dir_path(&dir, "td.conf"), environment, NULL, 0);
	assert_int_equal(l.status, TD_INVALID);
	assert_int_equal(l.problems.count, 6);
	assert_non_null(strstr(l.problems.text[0], "td.conf, line 1: there is no setting PROT; did "
						   "you mean PORT?"));
	assert_non_null(strstr(l.problems.text[1], "line 2: there is no '='"));
	assert_non_null(strstr(l.problems.text[2], "HOST ("));
	assert_non_null(strstr(l.problems.text[2], "line 3): 'a b' is neither"));
	assert_string_equal(l.problems.text[3], "PORT: '99999' is not within 0 to 65535");
	assert_int_equal(l.settings->log_format, SETTING_LOG_JSON);
	settings_free(l.settings);
	temp_dir_remove(&dir);
}

/* The words of each kind of fault, with the variable's name before them. */
static void test_texts_name_variable_and_part(void **state)
{
	(void)state;
	assert_problem("PORT=x", "PORT: 'x' is not a whole number");
	assert_problem("PORT=-1", "PORT: '-1' is not within 0 to 65535");
	assert_problem("HTTP_MAX_BODY=1", "HTTP_MAX_BODY: '1' is not within 1KiB to 16MiB");
	assert_problem("STORE_TIMEOUT=1ms", "STORE_TIMEOUT: '1ms' is not within 100ms to 10m");
	assert_problem(
		"HTTP_MAX_CONNECTIONS=0", "HTTP_MAX_CONNECTIONS: '0' is not within 1 to 1000000");
	assert_problem("LOG_FORMAT=xml", "LOG_FORMAT: 'xml' is not one of its words: use text or "
					 "json");
	assert_problem("DATABASE_URL=sqlite:///a?b",
		"DATABASE_URL: its query: SQLite takes no parameters here; a '?' or '#' that "
		"belongs to the path is written %3F or %23");
	assert_problem("SITE_NAME=a\x01", "SITE_NAME: it holds a control character");
	assert_problem("SITE_NAME=\xff", "SITE_NAME: it is not UTF-8");
	assert_problem("TRUSTED_PROXIES=10.0.0.0/40",
		"TRUSTED_PROXIES: '10.0.0.0/40': behind the '/' stands a number of bits, 0 to 32");
	assert_problem("TEST_CLOCK=1969-12-31T23:59:59Z",
		"TEST_CLOCK: '1969-12-31T23:59:59Z' is before 1970 or after 9989: take a time "
		"between");
	assert_problem("TEMPLATES_DIR=/nowhere/at/all",
		"TEMPLATES_DIR: /nowhere/at/all: No such file or directory (errno 2)");
	assert_problem("CATALOGUE_FILE=/", "CATALOGUE_FILE: / is a folder, and a file is meant");
	assert_problem("SCHEMA_DIR=/dev/null", "SCHEMA_DIR: /dev/null is not a folder");
}

/* Loads one or two settings from the environment; the caller frees it. */
static struct settings *load_two(const char *one, const char *two)
{
	const char *environment[] = {one, two, NULL};
	const struct settings_input input = {.environment = environment};
	struct settings *settings = NULL;
	struct settings_problems problems;
	assert_int_equal(settings_load(&input, &settings, &problems), TD_OK);
	return settings;
}

/* What is trimmed from PostgreSQL must be in the event log. */
static void test_history_is_kept_no_longer_than_events(void **state)
{
	struct settings *settings = load_two("HISTORY_KEEP=30d", "EVENTS_TTL=30d");
	(void)state;
	assert_int_equal(settings->history_keep_ms, settings->events_ttl_ms);
	settings_free(settings);
	settings = load_two("HISTORY_KEEP=31d", "EVENTS_TTL=forever");
	settings_free(settings);
	settings = load_two("HISTORY_KEEP=all", "EVENTS_TTL=1d");
	assert_int_equal(settings->history_keep_ms, -1);
	assert_int_equal(settings->events_rate, 5000);
	settings_free(settings);
	const char *const environment[] = {"HISTORY_KEEP=31d", "EVENTS_TTL=30d", NULL};
	struct loaded l = load_env(environment);
	assert_int_equal(l.status, TD_INVALID);
	assert_string_equal(l.problems.text[0],
		"HISTORY_KEEP: it is longer than EVENTS_TTL, so history would be gone from "
		"Cassandra before it is read there; make it no longer");
	settings_free(l.settings);
}

/* DATABASE_URL decides; without it any POSTGRES_ chooses PostgreSQL; what is left out has its
 * default. */
static void test_postgres_is_chosen_by_url_or_by_its_settings(void **state)
{
	(void)state;
	static const struct {
		const char *one, *two;
		bool postgres;
		const char *user, *host, *database;
		uint16_t port;
	} rows[] = {
		{NULL, NULL, false, "user", "postgresql", "main_db", 5432},
		{"POSTGRES_HOST=db", NULL, true, "user", "db", "main_db", 5432},
		{"POSTGRES_PORT=6000", "POSTGRES_DB=d", true, "user", "postgresql", "d", 6000},
		{"DATABASE_URL=postgresql://u:secret@h/d", "POSTGRES_HOST=db", true, "u", "h", "d",
			5432},
		{"DATABASE_URL=postgres+asyncpg://h:1", "POSTGRES_USER=me", true, "me", "h",
			"main_db", 1},
		{"DATABASE_URL=sqlite:///x.db", "POSTGRES_HOST=db", false, "user", "db", "main_db",
			5432},
		{"DATABASE_URL=", "POSTGRES_USER=", false, "user", "postgresql", "main_db", 5432},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct settings *s = load_two(rows[i].one, rows[i].two);
		assert_int_equal(s->uses_postgres, rows[i].postgres);
		assert_int_equal(s->sqlite_path == NULL, rows[i].postgres);
		assert_string_equal(s->postgres.user, rows[i].user);
		assert_string_equal(s->postgres.hosts[0].name, rows[i].host);
		assert_string_equal(s->postgres.database, rows[i].database);
		assert_int_equal(s->postgres.hosts[0].port, rows[i].port);
		settings_free(s);
	}
}

/* The URL's password goes before POSTGRES_PASSWORD, which fills the gap only where it is set. */
static void test_postgres_password_comes_from_the_winner(void **state)
{
	(void)state;
	static const struct {
		const char *one, *two, *password;
	} rows[] = {
		{"DATABASE_URL=postgresql://u:p%40ss@h/d", "POSTGRES_PASSWORD=other", "p@ss"},
		{"DATABASE_URL=postgresql://u@h/d", "POSTGRES_PASSWORD=other", "other"},
		{"DATABASE_URL=postgresql://u@h/d", NULL, NULL},
		{"POSTGRES_HOST=h", NULL, "pass"},
		{"POSTGRES_PASSWORD=x y", NULL, "x y"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_arena arena = TD_ARENA_INIT;
		struct settings *s = load_two(rows[i].one, rows[i].two);
		const char *password = "";
		assert_int_equal(settings_postgres_password(s, &arena, &password, NULL), TD_OK);
		if (rows[i].password == NULL)
			assert_null(password);
		else
			assert_string_equal(password, rows[i].password);
		td_arena_done(&arena);
		settings_free(s);
	}
}

/* What is wrong in PostgreSQL's settings is named with its part, and the password never. */
static void test_postgres_settings_that_are_wrong_are_named(void **state)
{
	(void)state;
	assert_problem("POSTGRES_HOST=a b",
		"POSTGRES_HOST: the host has a character that no host name has");
	assert_problem("DATABASE_URL=postgresql://u:secret@h:99999/d",
		"DATABASE_URL: the port is larger than 65535");
}

/* A secret's value, good or bad, is in no message and in nothing that is shown. */
static void test_secrets_stay_secret(void **state)
{
	(void)state;
	const char *const environment[] = {
		"POSTGRES_PASSWORD=hunter2\x01", "DATABASE_URL=mysql://u:hunter2@h/d", NULL};
	struct loaded l = load_env(environment);
	assert_int_equal(l.status, TD_INVALID);
	for (size_t i = 0; i < l.problems.count; i++)
		assert_null(strstr(l.problems.text[i], "hunter2"));
	struct td_buf out = TD_BUF_INIT;
	settings_write_text(l.settings, &out);
	settings_write_json(l.settings, &out);
	assert_null(strstr(td_buf_cstr(&out), "hunter2"));
	td_buf_done(&out);
	settings_free(l.settings);
}

/* A password in a flag is refused, because ps shows it. */
static void test_flag_with_password_is_refused(void **state)
{
	(void)state;
	const char *const none[] = {NULL};
	const struct settings_flag flags[] = {{"database-url", "postgresql://u:hunter2@h/d"}};
	struct loaded l = load(NULL, none, flags, 1);
	assert_int_equal(l.status, TD_INVALID);
	assert_int_equal(l.problems.count, 1);
	assert_non_null(strstr(l.problems.text[0],
		"DATABASE_URL (--database-url): a password has no place in a flag"));
	assert_null(strstr(l.problems.text[0], "hunter2"));
	settings_free(l.settings);
}

/* NAME_FILE: its line is the value, is read again on demand, and excludes NAME. */
static void test_value_through_a_file(void **state)
{
	(void)state;
	struct temp_dir dir;
	struct td_arena arena = TD_ARENA_INIT;
	char file[320];
	temp_dir_make(&dir);
	temp_dir_write_text(&dir, "url", "sqlite:///one.db\r\n");
	(void)snprintf(file, sizeof(file), "DATABASE_URL_FILE=%s", temp_dir_path(&dir, "url"));
	const char *const environment[] = {file, NULL};
	struct loaded l = load_env(environment);
	assert_int_equal(l.status, TD_OK);
	assert_string_equal(l.settings->sqlite_path, "one.db");
	assert_true(l.settings->origin[SETTING_DATABASE_URL].through_file);
	temp_dir_write_text(&dir, "url", "sqlite:///two.db\n");
	const char *again = NULL;
	assert_int_equal(
		settings_read_again(l.settings, SETTING_DATABASE_URL, &arena, &again, NULL), TD_OK);
	assert_string_equal(again, "sqlite:///two.db");
	settings_free(l.settings);
	const char *const both[] = {file, "DATABASE_URL=sqlite:///x.db", NULL};
	l = load_env(both);
	assert_int_equal(l.problems.count, 1);
	assert_string_equal(l.problems.text[0],
		"DATABASE_URL and DATABASE_URL_FILE are both set; unset one of them");
	settings_free(l.settings);
	td_arena_done(&arena);
	temp_dir_remove(&dir);
}

/* A file of NAME_FILE that is missing, empty or long is named. */
static void test_bad_value_files_are_named(void **state)
{
	(void)state;
	struct temp_dir dir;
	char file[320];
	temp_dir_make(&dir);
	temp_dir_write_text(&dir, "empty", "\n");
	temp_dir_write_text(&dir, "two", "a\nb\n");
	static const struct {
		const char *name, *part;
	} rows[] = {{"missing", "No such file"}, {"empty", "is empty"}, {"two", "more than one"}};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		(void)snprintf(file, sizeof(file), "DATABASE_URL_FILE=%s",
			temp_dir_path(&dir, rows[i].name));
		const char *const environment[] = {file, NULL};
		struct loaded l = load_env(environment);
		assert_int_equal(l.problems.count, 1);
		assert_non_null(strstr(l.problems.text[0], "DATABASE_URL_FILE: "));
		assert_non_null(strstr(l.problems.text[0], rows[i].part));
		settings_free(l.settings);
	}
	temp_dir_remove(&dir);
}

/* Every setting has a flag unless it is a secret, and every flag leads back to it. */
static void test_flags_lead_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		char flag[SETTING_FLAG_SIZE];
		enum setting_id id = (enum setting_id)i;
		unsigned marks = setting_get(id)->marks;
		enum setting_id found = SETTING_COUNT;
		bool file = true;
		assert_int_equal(setting_flag(id, false, flag), (marks & SETTING_SECRET) == 0);
		if ((marks & SETTING_SECRET) == 0) {
			assert_true(setting_of_flag(flag, &found, &file));
			assert_int_equal(found, id);
			assert_false(file);
		}
		assert_int_equal(setting_flag(id, true, flag), (marks & SETTING_FILE) != 0);
	}
}

/* The file: comments, quotes, spaces, CRLF and a byte-order mark; a key twice is an error. */
static void test_file_forms(void **state)
{
	(void)state;
	static const char text[] = "\xEF\xBB\xBF# comment\r\n\r\n  PORT = 1 \r\nA=\"b c\"\nB='#x'\n"
				   "=1\nC\n";
	struct settings_file file = settings_file_open(TD_SLICE(text));
	struct td_slice key;
	struct td_slice value;
	assert_int_equal(settings_file_next(&file, &key, &value, NULL), TD_OK);
	assert_true(td_slice_is(key, "PORT") && td_slice_is(value, "1"));
	assert_int_equal(file.line, 3);
	assert_int_equal(settings_file_next(&file, &key, &value, NULL), TD_OK);
	assert_true(td_slice_is(value, "b c"));
	assert_int_equal(settings_file_next(&file, &key, &value, NULL), TD_OK);
	assert_true(td_slice_is(value, "#x"));
	assert_int_equal(settings_file_next(&file, &key, &value, NULL), TD_INVALID);
	assert_int_equal(settings_file_next(&file, &key, &value, NULL), TD_INVALID);
	assert_int_equal(file.line, 7);
	assert_int_equal(settings_file_next(&file, &key, &value, NULL), TD_NOTFOUND);
}

static void test_file_refuses_what_is_twice(void **state)
{
	(void)state;
	struct temp_dir dir;
	const char *const none[] = {NULL};
	temp_dir_make(&dir);
	temp_dir_write_text(&dir, "c", "PORT=1\nPORT=2\n");
	struct loaded l = load(temp_dir_path(&dir, "c"), none, NULL, 0);
	assert_int_equal(l.problems.count, 1);
	assert_non_null(strstr(l.problems.text[0], "line 2: PORT is set in line 1 already"));
	settings_free(l.settings);
	l = load(temp_dir_path(&dir, "missing"), none, NULL, 0);
	assert_int_equal(l.problems.count, 1);
	assert_non_null(strstr(l.problems.text[0], "--config: "));
	settings_free(l.settings);
	temp_dir_remove(&dir);
}

static bool attempt_load(void *ctx)
{
	const struct settings_input *input = ctx;
	struct settings *settings = NULL;
	struct settings_problems problems;
	enum td_status status = settings_load(input, &settings, &problems);
	if (status != TD_NOMEM)
		settings_free(settings);
	return status != TD_NOMEM;
}

/* Out of memory at any place: TD_NOMEM, and nothing is lost. */
static void test_load_without_memory(void **state)
{
	(void)state;
	struct temp_dir dir;
	temp_dir_make(&dir);
	temp_dir_write_text(&dir, "c", "PORT=1\nPROT=2\nHOST=[::1]\n");
	const char *const environment[] = {"PUBLIC_URL=https://x/", "TRUSTED_PROXIES=a,b", NULL};
	struct settings_input input = {
		.config_path = temp_dir_path(&dir, "c"), .environment = environment};
	assert_true(fault_alloc_each(attempt_load, &input) > 1);
	temp_dir_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_in_force),
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_empty_is_unset),
		cmocka_unit_test(test_all_problems_at_once),
		cmocka_unit_test(test_texts_name_variable_and_part),
		cmocka_unit_test(test_history_is_kept_no_longer_than_events),
		cmocka_unit_test(test_postgres_is_chosen_by_url_or_by_its_settings),
		cmocka_unit_test(test_postgres_password_comes_from_the_winner),
		cmocka_unit_test(test_postgres_settings_that_are_wrong_are_named),
		cmocka_unit_test(test_secrets_stay_secret),
		cmocka_unit_test(test_flag_with_password_is_refused),
		cmocka_unit_test(test_value_through_a_file),
		cmocka_unit_test(test_bad_value_files_are_named),
		cmocka_unit_test(test_flags_lead_back),
		cmocka_unit_test(test_file_forms),
		cmocka_unit_test(test_file_refuses_what_is_twice),
		cmocka_unit_test(test_load_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
