#include "td_test.h"

#include "connect/url.h"

#include <stdio.h>
#include <string.h>

struct good {
	const char *text;
	const char *user, *password, *database, *target;
	size_t hosts;
};

static const struct good goods[] = {
	{"postgresql://user:pass@postgresql:5432/main_db", "user", "pass", "main_db",
		"postgresql:5432/main_db", 1},
	{"postgres://h/d", NULL, NULL, "d", "h:5432/d", 1},
	{"postgresql+asyncpg://u@h/d", "u", NULL, "d", "h:5432/d", 1},
	{"POSTGRESQL://h", NULL, NULL, NULL, "h:5432/", 1},
	{"postgresql://u:p%40s%2Fs%25@[::1]:6000/d", "u", "p@s/s%", "d", "[::1]:6000/d", 1},
	{"postgresql://a:1,b:2,c/d", NULL, NULL, "d", "a:1/d", 3},
	{"postgresql://u:p@ss@h/d", "u", "p@ss", "d", "h:5432/d", 1},
	{"postgresql://h/d%C3%B1?sslmode=require&x=1", NULL, NULL, "d\xC3\xB1", "h:5432/d\xC3\xB1",
		1},
	{"postgresql://%2Frun%2Fpostgresql/d", NULL, NULL, "d", "/run/postgresql:5432/d", 1},
	{"postgresql:///d?host=/run/postgresql&port=5433", NULL, NULL, "d",
		"/run/postgresql:5433/d", 1},
	{"postgresql://?host=a,b&port=1,2&user=u&password=p%26&dbname=d", "u", "p&", "d", "a:1/d",
		2},
	{"postgresql://h/d?host=::1", NULL, NULL, "d", "[::1]:5432/d", 1},
};

static void check_text(const char *got, const char *wanted)
{
	if (wanted == NULL)
		assert_null(got);
	else
		assert_string_equal(got, wanted);
}

/* Every form of the address gives its parts, decoded. */
static void test_url_good_forms_give_their_parts(void **state)
{
	(void)state;
	for (size_t i = 0; i < TD_ARRAY_LEN(goods); i++) {
		struct td_arena arena = TD_ARENA_INIT;
		struct td_err err = TD_ERR_INIT;
		struct connect_url url;
		print_message("%s\n", goods[i].text);
		assert_int_equal(connect_url_parse(td_slice_str(goods[i].text), "DATABASE_URL",
					 5432, &arena, &url, &err),
			TD_OK);
		check_text(url.user, goods[i].user);
		check_text(url.password, goods[i].password);
		check_text(url.database, goods[i].database);
		assert_int_equal(url.host_count, goods[i].hosts);
		assert_string_equal(connect_url_target(&url, &arena), goods[i].target);
		td_arena_done(&arena);
	}
}

static const struct {
	const char *text, *says;
} bads[] = {
	{"", "does not begin"},
	{"mysql://h/d", "does not begin"},
	{"//h/d", "does not begin"},
	{"postgresql://h:0/d", "port is 0"},
	{"postgresql://h:65536/d", "larger than 65535"},
	{"postgresql://h:/d", "port is missing"},
	{"postgresql://u:secret/word@h/d", "%2F"},
	{"postgresql://u:12/secret@h/d", "%2F"},
	{"postgresql://u:5432/secret@h/d?sslmode=disable", "%2F"},
	{"postgresql://u:12,secret/y@h/d", "%2F"},
	{"postgresql://u:12?secret=y@h/d", "%2F"},
	{"postgresql://u/secret@h/d", "%2F"},
	{"postgresql://h/d?password=secret@x", "%40"},
	{"postgresql://h/secret@x", "%40"},
	{"postgresql://::1/d", "[ ]"},
	{"postgresql://[::1/d", "] behind"},
	{"postgresql://[abc]/d", "not an IPv6"},
	{"postgresql://[::1]x/d", "only :PORT"},
	{"postgresql://h h/d", "no host name has"},
	{"postgresql://a,,b/d", "host is empty"},
	{"postgresql://u:secret%zz@h/d", "password has a %"},
	{"postgresql://u:secret%00@h/d", "control character"},
	{"postgresql://u:secret%FF@h/d", "not UTF-8"},
	{"postgresql://h/d?sslmode", "no value"},
};

/* What is wrong is named with the variable and the part, and the password never. */
static void test_url_bad_forms_name_variable_and_part(void **state)
{
	(void)state;
	for (size_t i = 0; i < TD_ARRAY_LEN(bads); i++) {
		struct td_arena arena = TD_ARENA_INIT;
		struct td_err err = TD_ERR_INIT;
		struct connect_url url;
		print_message("%s\n", bads[i].text);
		assert_int_equal(connect_url_parse(td_slice_str(bads[i].text), "DATABASE_URL", 5432,
					 &arena, &url, &err),
			TD_INVALID);
		assert_non_null(strstr(err.text, "DATABASE_URL"));
		assert_non_null(strstr(err.text, bads[i].says));
		assert_null(strstr(err.text, "secret"));
		td_arena_done(&arena);
	}
}

/* What was percent-encoded comes back as it was, for every byte that a password may have. */
static void test_url_password_of_every_character_survives(void **state)
{
	(void)state;
	char text[1024] = "postgresql://u:", wanted[128];
	size_t len = strlen(text), n = 0;
	for (int c = 0x20; c < 0x7F; c++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%%%02X", (unsigned)c);
		wanted[n++] = (char)c;
	}
	wanted[n] = '\0';
	(void)snprintf(text + len, sizeof(text) - len, "@h/d");
	struct td_arena arena = TD_ARENA_INIT;
	struct connect_url url;
	assert_int_equal(
		connect_url_parse(td_slice_str(text), "X", 5432, &arena, &url, NULL), TD_OK);
	assert_string_equal(url.password, wanted);
	td_arena_done(&arena);
}

/* The URL of a password that is not encoded, at that of a server called h: it is read as it was
 * meant, or refused without a word of it. */
static void check_raw_password(const char *password)
{
	char text[128];
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	struct connect_url url;
	(void)snprintf(text, sizeof(text), "postgresql://u:%s@h:1/d?sslmode=disable", password);
	enum td_status status = connect_url_parse(
		td_slice_str(text), "DATABASE_URL", 5432, &arena, &url, &err);
	if (strpbrk(password, "/?") != NULL) {
		assert_int_equal(status, TD_INVALID);
		assert_non_null(strstr(err.text, "DATABASE_URL"));
		assert_non_null(strstr(err.text, "%2F"));
		assert_null(strstr(err.text, "77"));
	} else {
		assert_int_equal(status, TD_OK);
		assert_string_equal(url.password, password);
		assert_string_equal(connect_url_target(&url, &arena), "h:1/d");
	}
	td_arena_done(&arena);
}

/* Two of the characters that have a meaning at every two places of a password of digits, which
 * could be a port: the whole is never taken apart as something else. */
static void test_url_raw_password_is_whole_or_refused(void **state)
{
	(void)state;
	static const char marks[] = "7/?#@,:[]=&";
	for (size_t i = 0; i < 36; i++) {
		for (size_t m = 0; m < 121; m++) {
			char password[] = "777777";
			password[i / 6] = marks[m / 11];
			password[i % 6] = marks[m % 11];
			check_raw_password(password);
		}
	}
}

/* As other drivers write it, and libpq reads it. */
static void test_url_ssl_true_is_sslmode_require(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	struct connect_url url;
	assert_int_equal(connect_url_parse(TD_SLICE("postgresql://h/d?ssl=true"), "X", 5432, &arena,
				 &url, NULL),
		TD_OK);
	assert_string_equal(connect_url_param(&url, "sslmode"), "require");
	assert_null(connect_url_param(&url, "ssl"));
	td_arena_done(&arena);
}

/* The last of two parameters with one name counts. */
static void test_url_last_parameter_wins(void **state)
{
	(void)state;
	struct td_arena arena = TD_ARENA_INIT;
	struct connect_url url;
	assert_int_equal(connect_url_parse(TD_SLICE("postgresql://h/d?a=1&b=2&a=3"), "X", 5432,
				 &arena, &url, NULL),
		TD_OK);
	assert_string_equal(connect_url_param(&url, "a"), "3");
	assert_null(connect_url_param(&url, "c"));
	td_arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url_good_forms_give_their_parts),
		cmocka_unit_test(test_url_bad_forms_name_variable_and_part),
		cmocka_unit_test(test_url_password_of_every_character_survives),
		cmocka_unit_test(test_url_raw_password_is_whole_or_refused),
		cmocka_unit_test(test_url_ssl_true_is_sslmode_require),
		cmocka_unit_test(test_url_last_parameter_wins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
