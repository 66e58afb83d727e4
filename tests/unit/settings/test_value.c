#include "td_test.h"

#include "settings/settings_value.h"

#include <string.h>

/* Durations: seconds, decimals, every unit; to the millisecond, rounded up. */
static void test_duration_reads_every_form(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{"0", 0},
		{"5", 5000},
		{"5s", 5000},
		{"250ms", 250},
		{"2m", 120000},
		{"1h", 3600000},
		{"30d", 2592000000},
		{"0.5", 500},
		{"1.5h", 5400000},
		{"0.0001", 1},
		{"1.25m", 75000},
		{"0.1ms", 1},
		{"9223372036854775s", 9223372036854775000},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		int64_t ms = -1;
		assert_int_equal(
			settings_read_duration(td_slice_str(rows[i].text), &ms, NULL), TD_OK);
		assert_int_equal(ms, rows[i].ms);
	}
}

/* A refused value leaves the output alone and is named in the message. */
static void test_duration_names_what_it_refuses(void **state)
{
	(void)state;
	static const struct {
		const char *text, *part;
	} rows[] = {
		{"", "is not a duration"},
		{"x", "is not a duration"},
		{"-1", "is negative"},
		{"5x", "unit 'x'"},
		{"5 s", "unit ' s'"},
		{"1.", "is not a duration"},
		{".5", "is not a duration"},
		{"1e3", "unit 'e3'"},
		{"9223372036854775807", "is too long"},
		{"99999999999999999999", "is not a duration"},
		{"5\ns", "'5?s'"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_err err = TD_ERR_INIT;
		int64_t ms = 77;
		assert_int_equal(
			settings_read_duration(td_slice_str(rows[i].text), &ms, &err), TD_INVALID);
		assert_int_equal(ms, 77);
		assert_non_null(strstr(err.text, rows[i].part));
	}
}

/* Sizes: bytes, KiB and MiB; KB and the like get the right unit named. */
static void test_size_reads_bytes_kib_mib(void **state)
{
	(void)state;
	int64_t bytes = -1;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(settings_read_size(TD_SLICE("65536"), &bytes, NULL), TD_OK);
	assert_int_equal(bytes, 65536);
	assert_int_equal(settings_read_size(TD_SLICE("64KiB"), &bytes, NULL), TD_OK);
	assert_int_equal(bytes, 65536);
	assert_int_equal(settings_read_size(TD_SLICE("19MiB"), &bytes, NULL), TD_OK);
	assert_int_equal(bytes, 19 * 1048576);
	assert_int_equal(settings_read_size(TD_SLICE("64KB"), &bytes, &err), TD_INVALID);
	assert_string_equal(err.text, "'64KB' has the unit 'KB': use KiB or MiB");
	assert_int_equal(settings_read_size(TD_SLICE("KiB"), &bytes, &err), TD_INVALID);
	assert_int_equal(
		settings_read_size(TD_SLICE("9223372036854775807MiB"), &bytes, &err), TD_INVALID);
	assert_non_null(strstr(err.text, "is too large"));
}

/* The eight words of a boolean, in any case; nothing else. */
static void test_bool_reads_its_eight_words(void **state)
{
	(void)state;
	static const char *const words[] = {"false", "TRUE", "0", "1", "No", "yes", "OFF", "on"};
	struct td_err err = TD_ERR_INIT;
	bool value = false;
	for (size_t i = 0; i < TD_ARRAY_LEN(words); i++) {
		assert_int_equal(settings_read_bool(td_slice_str(words[i]), &value, NULL), TD_OK);
		assert_int_equal(value, i % 2 == 1);
	}
	assert_int_equal(settings_read_bool(TD_SLICE("2"), &value, &err), TD_INVALID);
	assert_non_null(strstr(err.text, "neither true nor false"));
	assert_int_equal(settings_read_bool(TD_SLICE(""), &value, NULL), TD_INVALID);
}

/* A word that is none of the list is answered with the list. */
static void test_word_lists_its_words(void **state)
{
	(void)state;
	int place = -1;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(settings_read_word(TD_SLICE("JSON"), "text|json", &place, NULL), TD_OK);
	assert_int_equal(place, 1);
	assert_int_equal(
		settings_read_word(TD_SLICE("jso"), "text|json", &place, &err), TD_INVALID);
	assert_string_equal(err.text, "'jso' is not one of its words: use text or json");
}

/* Hosts: addresses of both families, brackets, names; a mistyped address is no name. */
static void test_host_takes_addresses_and_names(void **state)
{
	(void)state;
	static const char *const good[] = {"127.0.0.1", "::", "::1", "[::1]", "localhost",
		"my-host.example", "my_service", "a1.b2"};
	static const char *const bad[] = {"", "127.0.0.300", "1.2.3", "[::1", "[127.0.0.1]", "a..b",
		"-a", "a-", "a b", "http://x", "a/b", "[]", "host:80"};
	for (size_t i = 0; i < TD_ARRAY_LEN(good); i++)
		assert_int_equal(settings_read_host(td_slice_str(good[i]), NULL), TD_OK);
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++)
		assert_int_equal(settings_read_host(td_slice_str(bad[i]), NULL), TD_INVALID);
}

/* An origin is scheme, host and port; whatever else there is gets named. */
static void test_origin_is_scheme_host_port(void **state)
{
	(void)state;
	static const struct {
		const char *text, *part; /* part NULL: good */
	} rows[] = {
		{"https://plans.example.com", NULL},
		{"https://plans.example.com/", NULL},
		{"http://localhost:8100", NULL},
		{"http://[::1]:8100", NULL},
		{"http://127.0.0.1", NULL},
		{"plans.example.com", "must begin with http"},
		{"ftp://x", "must begin with http"},
		{"https://", "its host"},
		{"https://u:p@x", "user or password"},
		{"https://x/path", "'/path' behind the host"},
		{"https://x?q", "'?q' behind the host"},
		{"https://x:0", "port '0'"},
		{"https://x:70000", "port '70000'"},
		{"https://::1", "brackets"},
		{"https://x y", "its host"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_err err = TD_ERR_INIT;
		bool https = false;
		size_t len = 0;
		struct td_slice text = td_slice_str(rows[i].text);
		enum td_status status = settings_read_origin(text, &https, &len, &err);
		assert_int_equal(status, rows[i].part == NULL ? TD_OK : TD_INVALID);
		if (rows[i].part != NULL)
			assert_non_null(strstr(err.text, rows[i].part));
		else
			assert_true(text.ptr[len - 1] != '/' && https == (text.ptr[4] == 's'));
	}
}

/* A list of addresses comes back without spaces and empty entries. */
static void test_addresses_are_normalised(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	const char *list = NULL;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(settings_read_addresses(TD_SLICE(" 10.0.0.0/8, ::1 ,,proxy,fd00::/8"),
				 &arena, &list, NULL),
		TD_OK);
	assert_string_equal(list, "10.0.0.0/8,::1,proxy,fd00::/8");
	static const char *const bad[] = {"10.0.0.0/33", "::1/129", "x/8", "10.0.0.0/",
		"10.0.0.0/x", ",", "a b", "10.0.0.0/8/8", "10.0.0.300"};
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++)
		assert_int_equal(settings_read_addresses(td_slice_str(bad[i]), &arena, &list, &err),
			TD_INVALID);
	td_arena_done(&arena);
}

/* SQLite's URLs: relative, absolute, percent-encoded. */
static void test_database_reads_sqlite_paths(void **state)
{
	(void)state;
	static const struct {
		const char *url, *path;
	} rows[] = {
		{"sqlite:///tools-dashboard.db", "tools-dashboard.db"},
		{"sqlite:////var/lib/td.db", "/var/lib/td.db"},
		{"sqlite+aiosqlite:///a/b.db", "a/b.db"},
		{"SQLite:///my%20file%3F.db", "my file?.db"},
		{"sqlite:///\xC3\xB1.db", "\xC3\xB1.db"},
	};
	struct td_arena arena = TD_ARENA_INIT;
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		const char *path = NULL;
		assert_int_equal(
			settings_read_database(td_slice_str(rows[i].url), &arena, &path, NULL),
			TD_OK);
		assert_string_equal(path, rows[i].path);
	}
	td_arena_done(&arena);
}

/* Each wrong form of a database's URL is told which part is wrong; a password is in no message. */
static void test_database_names_the_part_that_is_wrong(void **state)
{
	(void)state;
	static const struct {
		const char *url, *part;
	} rows[] = {
		{"tools.db", "its scheme is missing"},
		{"user:secret@host/db", "its scheme is missing"},
		{"mysql://u:secret@h/d", "its scheme 'mysql'"},
		{"sqlite://file.db", "its host"},
		{"sqlite://", "its host"},
		{"sqlite:///", "its path is empty"},
		{"sqlite:///a.db?secret=1", "its query"},
		{"sqlite:///a.db#x", "its query"},
		{"sqlite:///%4", "hexadecimal"},
		{"sqlite:///%zz", "hexadecimal"},
		{"sqlite:///a%00b", "control character"},
		{"sqlite:///:memory:", "memory"},
		{"sqlite:///file:x", "memory"},
		{"sqlite:///folder/", "ends with '/'"},
		{"postgresql://u:secret@h:x/d", "port is not a number"},
		{"postgres+asyncpg://u:secret@h:0/d", "port is 0"},
		{"postgresql://h/d?sslmod=require", "parameter sslmod is not known; did you mean "
						    "sslmode?"},
		{"postgresql://h/d?SSLMODE=require", "did you mean sslmode?"},
		{"postgresql://h/d?colour=blue", "parameter colour is not known; behind the ?"},
		{"postgresql://h/d?ssl=on", "parameter ssl is not known"},
		{"postgresql://h/d?x-secret=1", "parameter 1 behind its ?"},
		{"postgresql://h/d?application_name=a&password=x&secret=1",
			"parameter 3 behind its"},
		{"postgresql://u:12?secret=x@h/d", "an @ stands behind the host"},
		{"postgresql://h/d?sslmode=secret", "parameter sslmode must be one of: disable "},
		{"postgresql://h/d?sslmode=Require", "parameter sslmode must be one of"},
		{"postgresql://h/d?sslmode=prefer%20require", "parameter sslmode must be one of"},
		{"postgresql://h/d?keepalives_idle=10s", "keepalives_idle must be a whole number"},
		{"postgresql://h/d?tcp_user_timeout=99999999999", "must be a whole number"},
		{"postgresql://h/d?ssl_min_protocol_version=3", "must be one of: TLSv1 "},
	};
	struct td_arena arena = TD_ARENA_INIT;
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_err err = TD_ERR_INIT;
		const char *path = NULL;
		assert_int_not_equal(
			settings_read_database(td_slice_str(rows[i].url), &arena, &path, &err),
			TD_OK);
		assert_null(path);
		assert_non_null(strstr(err.text, rows[i].part));
		assert_null(strstr(err.text, "secret"));
	}
	td_arena_done(&arena);
}

/* A shown URL never has its password, wherever it stands. */
static void test_url_mask_hides_passwords(void **state)
{
	(void)state;
	static const struct {
		const char *url, *masked;
	} rows[] = {
		{"sqlite:///a.db", "sqlite:///a.db"},
		{"postgresql://u:pw@h/d", "postgresql://u:***@h/d"},
		{"postgresql://u:p@w@h/d", "postgresql://u:***@h/d"},
		{"postgresql://u:p@w/x@h/d", "***"},
		{"postgresql://u:12/x@h/d", "***"},
		{"postgresql://u:12?x@h/d", "***"},
		{"postgresql://u:12/x@h/d?x=a@b", "***"},
		{"postgresql://h:1/d?password=a@b", "***"},
		{"u:12/x@h/d", "***"},
		{"sqlite:////srv/a@b.db", "sqlite:////srv/a@b.db"},
		{"postgresql://u@h/d", "postgresql://u@h/d"},
		{"postgresql://u@h/d?password=pw&x=1", "postgresql://u@h/d?password=***&x=1"},
		{"postgresql://h/d?sslpassword=a&password=b",
			"postgresql://h/d?sslpassword=***&password=***"},
		{"u:pw@h", "u:***@h"},
	};
	struct td_arena arena = TD_ARENA_INIT;
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_slice url = td_slice_str(rows[i].url);
		assert_string_equal(settings_url_mask(url, &arena), rows[i].masked);
		assert_int_equal(
			settings_url_has_password(url), strcmp(rows[i].url, rows[i].masked) != 0);
	}
	td_arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_duration_reads_every_form),
		cmocka_unit_test(test_duration_names_what_it_refuses),
		cmocka_unit_test(test_size_reads_bytes_kib_mib),
		cmocka_unit_test(test_bool_reads_its_eight_words),
		cmocka_unit_test(test_word_lists_its_words),
		cmocka_unit_test(test_host_takes_addresses_and_names),
		cmocka_unit_test(test_origin_is_scheme_host_port),
		cmocka_unit_test(test_addresses_are_normalised),
		cmocka_unit_test(test_database_reads_sqlite_paths),
		cmocka_unit_test(test_database_names_the_part_that_is_wrong),
		cmocka_unit_test(test_url_mask_hides_passwords),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
