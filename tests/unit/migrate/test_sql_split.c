#include "td_test.h"

#include "base/buf.h"
#include "migrate/sql_split.h"

#include <string.h>

/* Each statement in brackets; "!" where something has no end. */
static const char *split_text(struct td_buf *out, enum sql_flavour flavour, const char *text)
{
	struct sql_split split = {flavour, td_slice_str(text), 1};
	struct sql_statement statement;
	enum sql_next next;
	td_buf_reset(out);
	while ((next = sql_split_next(&split, &statement)) == SQL_STATEMENT) {
		td_buf_put_char(out, '[');
		td_buf_put_slice(out, statement.text);
		td_buf_put_char(out, ']');
	}
	if (next == SQL_BROKEN)
		td_buf_put_char(out, '!');
	return td_buf_cstr(out);
}

struct row {
	const char *text, *expected;
};

static void check_rows(enum sql_flavour flavour, const struct row *rows, size_t count)
{
	struct td_buf out = TD_BUF_INIT;
	for (size_t i = 0; i < count; i++)
		assert_string_equal(split_text(&out, flavour, rows[i].text), rows[i].expected);
	td_buf_done(&out);
}

/* What quotes and comments hide ends no statement, in every flavour. */
static void test_split_quotes_and_comments_hide_semicolons(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"", ""},
		{" ;;\n ; ", ""},
		{"-- only a comment;\n/* and ; another */", ""},
		{"A", "[A]"},
		{"A;B", "[A][B]"},
		{" A ; B ; ", "[A][B]"},
		{"A -- x;\n B; C", "[A -- x;\n B][C]"},
		{"A /* ; */ B;C", "[A /* ; */ B][C]"},
		{"A ';' B;C", "[A ';' B][C]"},
		{"A 'it''s;' B;C", "[A 'it''s;' B][C]"},
		{"A \";\"\"\" B;C", "[A \";\"\"\" B][C]"},
		{"A - B / C;D", "[A - B / C][D]"},
		{"A; /* tail ; */ -- end", "[A]"},
		{"A 'open;", "!"},
		{"A \"open;", "!"},
		{"A; /* open", "[A]!"},
		{"'", "!"},
		{"/*", "!"},
		{"/*/", "!"},
	};
	check_rows(SQL_SQLITE, rows, TD_ARRAY_LEN(rows));
	check_rows(SQL_POSTGRES, rows, TD_ARRAY_LEN(rows));
	check_rows(SQL_CQL, rows, TD_ARRAY_LEN(rows));
}

/* A trigger's body belongs to its statement, and a CASE in it does not end it. */
static void test_split_sqlite_trigger_is_one_statement(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"CREATE TRIGGER t AFTER INSERT ON x BEGIN A; B; END; C",
			"[CREATE TRIGGER t AFTER INSERT ON x BEGIN A; B; END][C]"},
		{"create temp trigger t BEGIN A; END;C", "[create temp trigger t BEGIN A; END][C]"},
		{"CREATE TEMPORARY TRIGGER t BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; B; END /**/ ;C",
			"[CREATE TEMPORARY TRIGGER t BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; B; "
			"END][C]"},
		{"CREATE TABLE trigger (a); B", "[CREATE TABLE trigger (a)][B]"},
		{"/* x */ CREATE /* y */ TRIGGER t BEGIN A; END; B",
			"[CREATE /* y */ TRIGGER t BEGIN A; END][B]"},
		{"A `;` [;] B;C", "[A `;` [;] B][C]"},
		{"A [open;", "!"},
		{"/* a /* b */ C;D", "[C][D]"},
	};
	check_rows(SQL_SQLITE, rows, TD_ARRAY_LEN(rows));
}

static void test_split_postgres_bodies_are_one_statement(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"A $$ ; $$;B", "[A $$ ; $$][B]"},
		{"A $x$ ; $$ ; $x$;B", "[A $x$ ; $$ ; $x$][B]"},
		{"A $x$ ; $y$", "!"},
		{"A $1;B $2", "[A $1][B $2]"},
		{"A b$$;C", "[A b$$][C]"},
		{"A E'\\';' ;B", "[A E'\\';'][B]"},
		{"A e'open\\'", "!"},
		{"A '\\';B", "[A '\\'][B]"},
		{"/* a /* b; */ c; */ D;E", "[D][E]"},
		{"CREATE RULE r AS DO (A; B);C", "[CREATE RULE r AS DO (A; B)][C]"},
		{"CREATE FUNCTION f() BEGIN ATOMIC A; SELECT CASE 1 WHEN 1 THEN 2 END; END; B",
			"[CREATE FUNCTION f() BEGIN ATOMIC A; SELECT CASE 1 WHEN 1 THEN 2 END; "
			"END][B]"},
		{"CREATE OR REPLACE PROCEDURE f() BEGIN ATOMIC A; END; B",
			"[CREATE OR REPLACE PROCEDURE f() BEGIN ATOMIC A; END][B]"},
	};
	check_rows(SQL_POSTGRES, rows, TD_ARRAY_LEN(rows));
}

static void test_split_cql_batches_and_comments(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"A // x;\n;B", "[A][B]"},
		{"A $$ ; ' $$;B", "[A $$ ; ' $$][B]"},
		{"A AS$$ ; ' $$;B", "[A AS$$ ; ' $$][B]"},
		{"A $x$ ; $x$", "[A $x$][$x$]"},
		{"A $$ ;", "!"},
		{"A /* x; /* y; */ B;C", "[A /* x; /* y; */ B][C]"},
		{"-- A;\n// B;\n/* C; */", ""},
		{"BEGIN BATCH INSERT 'APPLY BATCH;'; apply batch;C",
			"[BEGIN BATCH INSERT 'APPLY BATCH;'; apply batch][C]"},
		{"BEGIN COUNTER BATCH A; /* APPLY BATCH; */ APPLY // x\n BATCH;C",
			"[BEGIN COUNTER BATCH A; /* APPLY BATCH; */ APPLY // x\n BATCH][C]"},
		{"BEGIN BATCH A; B; APPLY BATCH;C", "[BEGIN BATCH A; B; APPLY BATCH][C]"},
		{"BEGIN UNLOGGED BATCH A; APPLY BATCH", "[BEGIN UNLOGGED BATCH A; APPLY BATCH]"},
		{"A 'http://x;';B", "[A 'http://x;'][B]"},
	};
	check_rows(SQL_CQL, rows, TD_ARRAY_LEN(rows));
}

/* A statement knows its line, so that an error can point at it. */
static void test_split_statement_tells_its_line_and_word(void **state)
{
	(void)state;
	struct sql_split split = {SQL_SQLITE, TD_SLICE("-- a\n\n create\n x;\n'\n';\n"), 1};
	struct sql_statement statement;
	assert_int_equal(sql_split_next(&split, &statement), SQL_STATEMENT);
	assert_int_equal(statement.line, 3);
	assert_true(td_slice_is(statement.word, "create"));
	assert_int_equal(sql_split_next(&split, &statement), SQL_STATEMENT);
	assert_int_equal(statement.line, 5);
	assert_int_equal(statement.word.len, 0);
	assert_int_equal(sql_split_next(&split, &statement), SQL_END);
	assert_int_equal(sql_split_next(&split, &statement), SQL_END);
}

/* Any cut of a text ends, and what comes out lies within it. */
static void test_split_any_cut_ends_within_its_text(void **state)
{
	(void)state;
	static const char text[] =
		"CREATE TRIGGER t BEGIN A 'x''y'; END; \"q\"\"r\" $t$ ; $t$ "
		"E'\\'' /* a /* b */ */ -- c\n BEGIN BATCH; APPLY BATCH; [z] `w`";
	for (int flavour = SQL_SQLITE; flavour <= SQL_CQL; flavour++) {
		for (size_t from = 0; from < sizeof(text); from++) {
			struct td_slice cut = td_slice(text + from, sizeof(text) - 1 - from);
			struct sql_split split = {(enum sql_flavour)flavour, cut, 1};
			struct sql_statement s;
			size_t rounds = 0;
			while (sql_split_next(&split, &s) == SQL_STATEMENT) {
				assert_true(s.text.len > 0 && s.text.ptr >= cut.ptr);
				assert_true(s.text.ptr + s.text.len <= cut.ptr + cut.len);
				assert_true(++rounds <= sizeof(text));
			}
		}
	}
}

static void test_split_transaction_words_are_known(void **state)
{
	(void)state;
	struct sql_statement s = {.word = TD_SLICE("commit")};
	assert_true(sql_is_transaction(SQL_SQLITE, &s));
	assert_true(sql_is_transaction(SQL_POSTGRES, &s));
	s.word = TD_SLICE("BEGIN");
	assert_true(sql_is_transaction(SQL_SQLITE, &s));
	assert_false(sql_is_transaction(SQL_CQL, &s));
	s.word = TD_SLICE("CREATE");
	assert_false(sql_is_transaction(SQL_SQLITE, &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_quotes_and_comments_hide_semicolons),
		cmocka_unit_test(test_split_sqlite_trigger_is_one_statement),
		cmocka_unit_test(test_split_postgres_bodies_are_one_statement),
		cmocka_unit_test(test_split_cql_batches_and_comments),
		cmocka_unit_test(test_split_statement_tells_its_line_and_word),
		cmocka_unit_test(test_split_any_cut_ends_within_its_text),
		cmocka_unit_test(test_split_transaction_words_are_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
