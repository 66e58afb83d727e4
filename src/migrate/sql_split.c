/* Tokens first (what quotes and comments hide), then statements (which ';' ends one). */
#include "migrate/sql_split.h"

#include <stddef.h>

enum token_kind {
	TOKEN_END,
	TOKEN_SPACE, /* a comment too */
	TOKEN_WORD,
	TOKEN_QUOTED,
	TOKEN_SEMICOLON,
	TOKEN_OTHER, /* one byte */
	TOKEN_BROKEN,
};

struct token {
	enum token_kind kind;
	struct td_slice text;
};

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || (unsigned char)c >= 0x80;
}

static char byte_at(struct td_slice s, size_t i)
{
	return i < s.len ? s.ptr[i] : '\0';
}

static struct token take(enum token_kind kind, struct td_slice rest, size_t len)
{
	return (struct token){kind, td_slice(rest.ptr, len)};
}

static struct token take_broken(struct td_slice rest)
{
	return take(TOKEN_BROKEN, rest, rest.len);
}

static struct token take_line(struct td_slice rest)
{
	const char *end = memchr(rest.ptr, '\n', rest.len);
	return take(TOKEN_SPACE, rest, end != NULL ? (size_t)(end - rest.ptr) : rest.len);
}

/* Only PostgreSQL's comments nest. */
static struct token take_block(enum sql_flavour flavour, struct td_slice rest)
{
	size_t depth = 1;
	for (size_t i = 2; i + 1 < rest.len; i++) {
		if (rest.ptr[i] == '*' && rest.ptr[i + 1] == '/') {
			i++;
			if (--depth == 0)
				return take(TOKEN_SPACE, rest, i + 1);
		} else if (flavour == SQL_POSTGRES && rest.ptr[i] == '/' &&
			   rest.ptr[i + 1] == '*') {
			i++;
			depth++;
		}
	}
	return take_broken(rest);
}

/* From the quote at `from` to the next one that is not doubled, nor behind a backslash where those
 * count. */
static struct token take_quoted(struct td_slice rest, size_t from, char close, bool backslash)
{
	for (size_t i = from + 1; i < rest.len; i++) {
		if (backslash && rest.ptr[i] == '\\') {
			i++;
		} else if (rest.ptr[i] == close) {
			if (close == ']' || byte_at(rest, i + 1) != close)
				return take(TOKEN_QUOTED, rest, i + 1);
			i++;
		}
	}
	return take_broken(rest);
}

/* Bytes of "$tag$" at the beginning, 0 where there is no such thing. A tag is a name without '$'
 * that begins with no digit; CQL has "$$" alone. */
static size_t dollar_mark(enum sql_flavour flavour, struct td_slice rest)
{
	size_t i = 1;
	if (flavour == SQL_POSTGRES && !(byte_at(rest, 1) >= '0' && byte_at(rest, 1) <= '9')) {
		while (i < rest.len && is_word(rest.ptr[i]))
			i++;
	}
	return byte_at(rest, i) == '$' ? i + 1 : 0;
}

static struct token take_dollar(struct td_slice rest, size_t mark)
{
	struct td_slice body = td_slice_skip(rest, mark);
	const char *end = memmem(body.ptr, body.len, rest.ptr, mark);
	if (end == NULL)
		return take_broken(rest);
	return take(TOKEN_QUOTED, rest, (size_t)(end - rest.ptr) + mark);
}

static bool is_word_or_dollar(char c)
{
	return is_word(c) || c == '$';
}

static struct token take_run(enum token_kind kind, struct td_slice rest, bool (*belongs)(char))
{
	size_t len = 1;
	while (len < rest.len && belongs(rest.ptr[len]))
		len++;
	return take(kind, rest, len);
}

static struct token take_word(enum sql_flavour flavour, struct td_slice rest)
{
	if (flavour == SQL_POSTGRES && (rest.ptr[0] == 'e' || rest.ptr[0] == 'E') &&
		byte_at(rest, 1) == '\'')
		return take_quoted(rest, 1, '\'', /* backslash= */ true);
	/* CQL's names have no '$': "AS$$" ends before a quote. */
	return take_run(TOKEN_WORD, rest, flavour == SQL_CQL ? is_word : is_word_or_dollar);
}

static struct token next_token(enum sql_flavour flavour, struct td_slice rest)
{
	char c = byte_at(rest, 0), then = byte_at(rest, 1);
	if (rest.len == 0)
		return take(TOKEN_END, rest, 0);
	if (is_space(c))
		return take_run(TOKEN_SPACE, rest, is_space);
	if ((c == '-' && then == '-') || (flavour == SQL_CQL && c == '/' && then == '/'))
		return take_line(rest);
	if (c == '/' && then == '*')
		return take_block(flavour, rest);
	if (is_word(c))
		return take_word(flavour, rest);
	if (c == '\'' || c == '"' || (flavour == SQL_SQLITE && c == '`'))
		return take_quoted(rest, 0, c, /* backslash= */ false);
	if (flavour == SQL_SQLITE && c == '[')
		return take_quoted(rest, 0, ']', /* backslash= */ false);
	if (flavour != SQL_SQLITE && c == '$' && dollar_mark(flavour, rest) != 0)
		return take_dollar(rest, dollar_mark(flavour, rest));
	return take(c == ';' ? TOKEN_SEMICOLON : TOKEN_OTHER, rest, 1);
}

/* What decides whether a ';' ends the statement. */
enum body {
	BODY_NONE,
	BODY_TRIGGER, /* SQLite: until "; END ;" */
	BODY_ROUTINE, /* PostgreSQL: not between BEGIN ATOMIC and its END */
	BODY_BATCH,   /* CQL: until "APPLY BATCH ;" */
};

#define HEAD_MOST 4

struct scan {
	enum sql_flavour flavour;
	struct td_slice head[HEAD_MOST]; /* the statement's first tokens that are words */
	size_t head_count;
	bool head_over; /* something that is no word came */
	enum body body;
	struct token last, before_last; /* neither spaces nor comments */
	size_t blocks;                  /* BEGIN and CASE that are open */
	size_t parens;
};

static bool head_is(const struct scan *s, size_t i, const char *word)
{
	return i < s->head_count && td_slice_is_nocase(s->head[i], word);
}

static bool token_is(struct token token, const char *word)
{
	return token.kind == TOKEN_WORD && td_slice_is_nocase(token.text, word);
}

static bool names_routine(const struct scan *s, size_t i)
{
	return head_is(s, i, "FUNCTION") || head_is(s, i, "PROCEDURE");
}

static enum body find_body(const struct scan *s)
{
	bool create = head_is(s, 0, "CREATE");
	switch (s->flavour) {
	case SQL_SQLITE:
		if (create && (head_is(s, 1, "TRIGGER") ||
				      ((head_is(s, 1, "TEMP") || head_is(s, 1, "TEMPORARY")) &&
					      head_is(s, 2, "TRIGGER"))))
			return BODY_TRIGGER;
		break;
	case SQL_POSTGRES:
		if (create &&
			(names_routine(s, 1) || (head_is(s, 1, "OR") && head_is(s, 2, "REPLACE") &&
							names_routine(s, 3))))
			return BODY_ROUTINE;
		break;
	case SQL_CQL:
		if (head_is(s, 0, "BEGIN"))
			return BODY_BATCH;
		break;
	}
	return BODY_NONE;
}

static void scan_head(struct scan *s, struct token token)
{
	if (token.kind != TOKEN_WORD)
		s->head_over = true;
	if (s->head_over || s->head_count == HEAD_MOST)
		return;
	s->head[s->head_count++] = token.text;
	s->body = find_body(s);
}

static void scan_depth(struct scan *s, struct token token)
{
	if (s->flavour != SQL_POSTGRES)
		return;
	if (token.kind == TOKEN_OTHER && token.text.ptr[0] == '(')
		s->parens++;
	else if (token.kind == TOKEN_OTHER && token.text.ptr[0] == ')' && s->parens > 0)
		s->parens--;
	if (s->body != BODY_ROUTINE)
		return;
	if (token_is(token, "BEGIN") || (s->blocks > 0 && token_is(token, "CASE")))
		s->blocks++;
	else if (s->blocks > 0 && token_is(token, "END"))
		s->blocks--;
}

/* True when this ';' ends the statement; looks at what came before it. */
static bool ends_here(const struct scan *s)
{
	switch (s->body) {
	case BODY_TRIGGER:
		return token_is(s->last, "END") && s->before_last.kind == TOKEN_SEMICOLON;
	case BODY_BATCH:
		return token_is(s->last, "BATCH") && token_is(s->before_last, "APPLY");
	case BODY_ROUTINE:
	case BODY_NONE:
		break;
	}
	return s->blocks == 0 && s->parens == 0;
}

static void advance(struct sql_split *split, struct token token)
{
	for (size_t i = 0; i < token.text.len; i++)
		split->line += token.text.ptr[i] == '\n';
	split->rest = td_slice_skip(split->rest, token.text.len);
}

/* Moves on to where a statement begins; its first token, or an end or a fault. */
static struct token skip_to_statement(struct sql_split *split)
{
	struct token token = next_token(split->flavour, split->rest);
	while (token.kind == TOKEN_SPACE || token.kind == TOKEN_SEMICOLON) {
		advance(split, token);
		token = next_token(split->flavour, split->rest);
	}
	return token;
}

enum sql_next sql_split_next(struct sql_split *split, struct sql_statement *ret)
{
	struct scan scan = {.flavour = split->flavour};
	struct token token = skip_to_statement(split);
	if (token.kind == TOKEN_END)
		return SQL_END;
	const char *begin = token.text.ptr;
	size_t len = 0;
	*ret = (struct sql_statement){.line = split->line};
	if (token.kind == TOKEN_WORD)
		ret->word = token.text;
	for (;; token = next_token(split->flavour, split->rest)) {
		if (token.kind == TOKEN_BROKEN) {
			*ret = (struct sql_statement){.text = token.text, .line = split->line};
			split->rest = td_slice_skip(split->rest, split->rest.len);
			return SQL_BROKEN;
		}
		bool ends = token.kind == TOKEN_END ||
			    (token.kind == TOKEN_SEMICOLON && ends_here(&scan));
		advance(split, token);
		if (ends)
			break;
		if (token.kind == TOKEN_SPACE)
			continue;
		len = (size_t)(token.text.ptr + token.text.len - begin);
		scan_head(&scan, token);
		scan_depth(&scan, token);
		scan.before_last = scan.last;
		scan.last = token;
	}
	ret->text = td_slice(begin, len);
	return SQL_STATEMENT;
}

bool sql_is_transaction(enum sql_flavour flavour, const struct sql_statement *statement)
{
	static const char *const words[] = {
		"BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "START", "ABORT"};
	if (flavour == SQL_CQL)
		return false;
	for (size_t i = 0; i < TD_ARRAY_LEN(words); i++) {
		if (td_slice_is_nocase(statement->word, words[i]))
			return true;
	}
	return false;
}
