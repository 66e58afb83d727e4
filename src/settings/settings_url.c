/* The URL of a database (RFC 3986 syntax), and how to show one without its password. */
#include "settings/settings_libpq.h"
#include "settings/settings_value.h"

#include "connect/url.h"

#include <ctype.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-encoding undone into `arena`. */
static enum td_status decode_path(
	struct td_slice text, struct td_arena *arena, const char **ret_path, struct td_err *err)
{
	char *out = td_arena_alloc(arena, text.len + 1);
	if (out == NULL)
		return td_err_set(err, TD_NOMEM, "out of memory");
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '%') {
			int high = i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
			int low = i + 2 < text.len ? hex_digit(text.ptr[i + 2]) : -1;
			if (high < 0 || low < 0)
				return td_err_set(err, TD_INVALID,
					"its path: two hexadecimal digits must follow '%%'");
			c = (char)(high * 16 + low);
			i += 2;
		}
		if ((unsigned char)c < 0x20 || c == 0x7f)
			return td_err_set(err, TD_INVALID, "its path holds a control character");
		out[len++] = c;
	}
	out[len] = '\0';
	*ret_path = out;
	return TD_OK;
}

/* The scheme without its "+driver"; *ret_rest is what follows "://". */
static bool cut_scheme(struct td_slice text, struct td_slice *ret_scheme, struct td_slice *ret_rest)
{
	size_t len = 0;
	size_t name = 0;
	while (len < text.len &&
		(isalnum((unsigned char)text.ptr[len]) || strchr("+-.", text.ptr[len]) != NULL) &&
		text.ptr[len] != '\0') {
		if (text.ptr[len] == '+' && name == 0)
			name = len;
		len++;
	}
	if (len == 0 || !td_slice_has_prefix(td_slice_skip(text, len), "://"))
		return false;
	*ret_scheme = td_slice(text.ptr, name > 0 ? name : len);
	*ret_rest = td_slice_skip(text, len + 3);
	return true;
}

static enum td_status read_sqlite(
	struct td_slice rest, struct td_arena *arena, const char **ret_path, struct td_err *err)
{
	if (rest.len == 0 || rest.ptr[0] != '/')
		return td_err_set(err, TD_INVALID,
			"its host: SQLite has none; write sqlite:///relative.db (three slashes) or "
			"sqlite:////absolute.db (four)");
	struct td_slice path = td_slice_skip(rest, 1);
	if (path.len > 0 && (memchr(path.ptr, '?', path.len) != NULL ||
				    memchr(path.ptr, '#', path.len) != NULL))
		return td_err_set(err, TD_INVALID,
			"its query: SQLite takes no parameters here; a '?' or '#' that belongs to "
			"the path is written %%3F or %%23");
	const char *decoded = NULL;
	enum td_status status = decode_path(path, arena, &decoded, err);
	if (status != TD_OK)
		return status;
	if (decoded[0] == '\0')
		return td_err_set(err, TD_INVALID,
			"its path is empty; write sqlite:///relative.db or "
			"sqlite:////absolute.db");
	if (strcmp(decoded, ":memory:") == 0 || strncmp(decoded, "file:", 5) == 0)
		return td_err_set(err, TD_INVALID,
			"its path: a database in memory would be lost; name a file, as in "
			"sqlite:///tools-dashboard.db");
	size_t len = strlen(decoded);
	if (decoded[len - 1] == '/')
		return td_err_set(err, TD_INVALID, "its path ends with '/': name a file");
	*ret_path = decoded;
	return TD_OK;
}

/* Checked here, read in settings_postgres.c. */
static enum td_status read_postgres(
	struct td_slice text, struct td_arena *arena, const char **ret_path, struct td_err *err)
{
	struct connect_url url;
	enum td_status status = connect_url_parse(
		text, "", SETTINGS_POSTGRES_PORT, arena, &url, err);
	if (status == TD_OK)
		status = settings_check_libpq(&url, err);
	if (status == TD_OK)
		*ret_path = NULL;
	return status;
}

enum td_status settings_read_database(
	struct td_slice text, struct td_arena *arena, const char **ret_path, struct td_err *err)
{
	struct td_slice scheme;
	struct td_slice rest;
	if (!cut_scheme(text, &scheme, &rest))
		return td_err_set(err, TD_INVALID,
			"its scheme is missing; write "
			"postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
			"sqlite:///relative.db or sqlite:////absolute.db");
	if (td_slice_is_nocase(scheme, "sqlite"))
		return read_sqlite(rest, arena, ret_path, err);
	if (td_slice_is_nocase(scheme, "postgresql") || td_slice_is_nocase(scheme, "postgres"))
		return read_postgres(text, arena, ret_path, err);
	return td_err_set(err, TD_INVALID,
		"its scheme '%.*s' is not known; use postgresql://USER:PASSWORD@HOST:PORT/DATABASE "
		"or "
		"sqlite:///FILE",
		scheme.len > 20 ? 20 : (int)scheme.len, scheme.ptr);
}

/* An '@' behind what the URL says is its host: the password goes on to somewhere in there, and so
 * nothing of the value can be shown. SQLite's path may have one. */
static bool is_broken(struct td_slice text)
{
	struct td_slice scheme = {NULL, 0}, rest = text;
	if (cut_scheme(text, &scheme, &rest) && td_slice_is_nocase(scheme, "sqlite"))
		return false;
	size_t host = 0;
	while (host < rest.len && rest.ptr[host] != '/' && rest.ptr[host] != '?')
		host++;
	return host < rest.len && memchr(rest.ptr + host, '@', rest.len - host) != NULL;
}

/* The part between "//" and the last '@'. */
static bool find_password(struct td_slice text, size_t *ret_start, size_t *ret_end)
{
	const char *at = text.len > 0 ? memrchr(text.ptr, '@', text.len) : NULL;
	if (at == NULL)
		return false;
	struct td_slice scheme, rest;
	size_t start = cut_scheme(text, &scheme, &rest) ? (size_t)(rest.ptr - text.ptr) : 0;
	size_t end = (size_t)(at - text.ptr);
	const char *colon = start < end ? memchr(text.ptr + start, ':', end - start) : NULL;
	if (colon == NULL)
		return false;
	*ret_start = (size_t)(colon - text.ptr) + 1;
	*ret_end = end;
	return true;
}

/* The value of a query parameter that holds a password ("password=", "sslpassword="). */
static bool find_query_password(
	struct td_slice text, size_t from, size_t *ret_start, size_t *ret_end)
{
	static const char word[] = "password=";
	size_t len = sizeof(word) - 1;
	for (size_t i = from; i + len <= text.len; i++) {
		if (strncasecmp(text.ptr + i, word, len) != 0)
			continue;
		size_t end = i + len;
		while (end < text.len && text.ptr[end] != '&' && text.ptr[end] != '#')
			end++;
		*ret_start = i + len;
		*ret_end = end;
		return true;
	}
	return false;
}

bool settings_url_has_password(struct td_slice text)
{
	size_t start;
	size_t end;
	return is_broken(text) || find_password(text, &start, &end) ||
	       find_query_password(text, 0, &start, &end);
}

const char *settings_url_mask(struct td_slice text, struct td_arena *arena)
{
	struct td_slice parts[2] = {text, {NULL, 0}};
	size_t start;
	size_t end;
	if (is_broken(text))
		return td_arena_strndup(arena, "***", 3);
	const char *masked = td_arena_strndup(arena, text.ptr, text.len);
	if (masked != NULL && find_password(text, &start, &end)) {
		parts[0] = td_slice(text.ptr, start);
		parts[1] = td_slice_skip(text, end);
		masked = td_arena_printf(
			arena, "%.*s***%.*s", TD_SLICE_ARG(parts[0]), TD_SLICE_ARG(parts[1]));
	}
	size_t from = 0;
	while (masked != NULL && find_query_password(td_slice_str(masked), from, &start, &end)) {
		masked = td_arena_printf(arena, "%.*s***%s", (int)start, masked, masked + end);
		from = start + 3;
	}
	return masked;
}
