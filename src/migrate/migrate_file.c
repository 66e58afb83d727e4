/* From the bytes of files to a set of migrations: nothing here knows a database. */
#include "migrate/migrate.h"

#include "assets/assets.h"
#include "base/utf8.h"

#include <stdlib.h>

#define DIGITS_LEAST 3
#define DIGITS_MOST  9

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

static const char *suffix_of(enum sql_flavour flavour)
{
	return flavour == SQL_CQL ? ".cql" : ".sql";
}

static bool has_suffix(struct td_slice name, const char *suffix)
{
	size_t len = strlen(suffix);
	return name.len >= len && memcmp(name.ptr + name.len - len, suffix, len) == 0;
}

/* The number of "NNN_name.sql"; 0 where the name is not like that. */
static uint32_t parse_number(struct td_slice name, enum sql_flavour flavour)
{
	uint32_t number = 0;
	size_t i = 0;
	while (i < name.len && i < DIGITS_MOST && name.ptr[i] >= '0' && name.ptr[i] <= '9')
		number = number * 10 + (uint32_t)(name.ptr[i++] - '0');
	size_t least = i + 1 + 1 + strlen(suffix_of(flavour)); /* "_" and one letter */
	if (i < DIGITS_LEAST || name.len < least || name.ptr[i] != '_')
		return 0;
	for (; i < name.len; i++) {
		if (!is_name_char(name.ptr[i]))
			return 0;
	}
	return has_suffix(name, suffix_of(flavour)) ? number : 0;
}

static unsigned line_of(struct td_slice bytes, const char *at)
{
	unsigned line = 1;
	for (const char *p = bytes.ptr; p < at; p++)
		line += *p == '\n';
	return line;
}

static enum td_status check_bytes(struct td_slice name, struct td_slice bytes, struct td_err *err)
{
	if (td_slice_has_prefix(bytes, "\xFF\xFE") || td_slice_has_prefix(bytes, "\xFE\xFF"))
		return td_err_set(err, TD_INVALID, "migration %.*s is UTF-16; save it as UTF-8",
			TD_SLICE_ARG(name));
	const char *nul = bytes.len != 0 ? memchr(bytes.ptr, '\0', bytes.len) : NULL;
	if (nul != NULL)
		return td_err_set(err, TD_INVALID,
			"migration %.*s line %u holds a NUL byte; it must be UTF-8 text",
			TD_SLICE_ARG(name), line_of(bytes, nul));
	struct td_slice rest = bytes;
	uint32_t code;
	while (rest.len > 0) {
		if (!td_utf8_next(&rest, &code))
			return td_err_set(err, TD_INVALID,
				"migration %.*s line %u is not UTF-8; save it as UTF-8",
				TD_SLICE_ARG(name), line_of(bytes, rest.ptr));
	}
	return TD_OK;
}

/* Without a byte-order mark and with LF for CR LF, so that an editor or a checkout on another
 * system does not change the hash. NULL: no memory. */
static char *normalise(struct td_slice bytes, struct td_arena *arena, size_t *ret_len)
{
	if (td_slice_has_prefix(bytes, "\xEF\xBB\xBF"))
		bytes = td_slice_skip(bytes, 3);
	char *out = td_arena_alloc(arena, bytes.len + 1);
	if (out == NULL)
		return NULL;
	size_t len = 0;
	for (size_t i = 0; i < bytes.len; i++) {
		bool crlf = bytes.ptr[i] == '\r' && i + 1 < bytes.len && bytes.ptr[i + 1] == '\n';
		if (!crlf)
			out[len++] = bytes.ptr[i];
	}
	out[len] = '\0';
	*ret_len = len;
	return out;
}

static bool holds_marker(struct td_slice text)
{
	struct td_slice line;
	while (td_slice_cut(&text, '\n', &line)) {
		if (td_slice_is(td_slice_trim(line), MIGRATE_NO_TRANSACTION))
			return true;
	}
	return false;
}

static enum td_status check_statement(struct td_slice name, enum sql_flavour flavour,
	const struct sql_statement *s, struct td_err *err)
{
	if (sql_is_transaction(flavour, s))
		return td_err_set(err, TD_INVALID,
			"migration %.*s line %u: %.*s; a migration is one transaction already, "
			"take "
			"it out",
			TD_SLICE_ARG(name), s->line, TD_SLICE_ARG(s->word));
	if (flavour == SQL_POSTGRES && s->text.ptr[0] == '\\')
		return td_err_set(err, TD_INVALID,
			"migration %.*s line %u: a command of psql; only SQL may be used",
			TD_SLICE_ARG(name), s->line);
	return TD_OK;
}

/* Counts with statements NULL, else also writes them. */
static enum td_status split_file(const struct migrate_file *file, enum sql_flavour flavour,
	struct sql_statement *statements, size_t *ret_count, struct td_err *err)
{
	struct sql_split split = {flavour, file->text, 1};
	struct sql_statement statement;
	enum sql_next next;
	size_t count = 0;
	while ((next = sql_split_next(&split, &statement)) == SQL_STATEMENT) {
		enum td_status status = check_statement(file->name, flavour, &statement, err);
		if (status != TD_OK)
			return status;
		if (statements != NULL)
			statements[count] = statement;
		count++;
	}
	if (next == SQL_BROKEN)
		return td_err_set(err, TD_INVALID,
			"migration %.*s line %u: a string, quoted name or comment has no end",
			TD_SLICE_ARG(file->name), statement.line);
	*ret_count = count;
	return TD_OK;
}

enum td_status migrate_file_parse(struct td_slice name, struct td_slice bytes,
	enum sql_flavour flavour, struct td_arena *arena, struct migrate_file *ret_file,
	struct td_err *err)
{
	struct migrate_file file = {.name = name, .number = parse_number(name, flavour)};
	if (file.number == 0)
		return td_err_set(err, TD_INVALID,
			"migration %.*s: the name must be like 001_users%s (three to nine digits, "
			"from 001)",
			TD_SLICE_ARG(name), suffix_of(flavour));
	enum td_status status = check_bytes(name, bytes, err);
	if (status != TD_OK)
		return status;
	file.text.ptr = normalise(bytes, arena, &file.text.len);
	if (file.text.ptr == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for migrations");
	td_sha256(file.text, file.hash);
	file.no_transaction = holds_marker(file.text);
	status = split_file(&file, flavour, NULL, &file.statement_count, err);
	if (status != TD_OK)
		return status;
	struct sql_statement *statements = td_arena_array(
		arena, file.statement_count + 1, sizeof(*statements));
	if (statements == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for migrations");
	status = split_file(&file, flavour, statements, &file.statement_count, err);
	file.statements = statements;
	if (status == TD_OK)
		*ret_file = file;
	return status;
}

static int by_number(const void *a, const void *b)
{
	const struct migrate_file *x = a, *y = b;
	return (x->number > y->number) - (x->number < y->number);
}

static enum td_status check_numbers(
	const struct migrate_file *files, size_t count, const char *prefix, struct td_err *err)
{
	if (count == 0)
		return td_err_set(err, TD_SCHEMA,
			"there is no migration in %s; set SCHEMA_DIR to the folder that holds it, "
			"or "
			"unset it",
			prefix);
	for (size_t i = 1; i < count; i++) {
		if (files[i].number == files[i - 1].number)
			return td_err_set(err, TD_INVALID,
				"migrations %.*s and %.*s have the same number; give one another",
				TD_SLICE_ARG(files[i - 1].name), TD_SLICE_ARG(files[i].name));
	}
	return TD_OK;
}

enum td_status migrate_load(const char *folder, const char *prefix, enum sql_flavour flavour,
	struct td_arena *arena, struct migrate_set *ret_set, struct td_err *err)
{
	struct asset_file *found;
	size_t found_count, count = 0;
	enum td_status status = asset_load(
		ASSET_SCHEMA, folder, prefix, arena, &found, &found_count, err);
	if (status != TD_OK)
		return status;
	struct migrate_file *files = td_arena_array(arena, found_count + 1, sizeof(*files));
	if (files == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for migrations");
	for (size_t i = 0; i < found_count; i++) {
		struct td_slice name = td_slice_skip(found[i].path, strlen(prefix));
		if (!has_suffix(name, suffix_of(flavour)))
			continue;
		status = migrate_file_parse(
			name, found[i].bytes, flavour, arena, &files[count++], err);
		if (status != TD_OK)
			return status;
	}
	qsort(files, count, sizeof(*files), by_number);
	status = check_numbers(files, count, prefix, err);
	if (status == TD_OK)
		*ret_set = (struct migrate_set){files, count};
	return status;
}
