#include "connect/url.h"

#include "base/utf8.h"

#include <stdio.h>

struct parser {
	const char *variable;
	struct td_arena *arena;
	uint16_t default_port;
	struct td_err *err;
};

static enum td_status refuse(const struct parser *p, const char *what)
{
	return td_err_set(p->err, TD_INVALID, "%s%s%s", p->variable,
		p->variable[0] != '\0' ? ": " : "", what);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes a part and checks that it can be text: UTF-8 without controls. */
static enum td_status decode(
	const struct parser *p, struct td_slice part, const char *name, const char **ret)
{
	char what[96];
	char *text = td_arena_alloc(p->arena, part.len + 1);
	if (text == NULL)
		return td_err_set(p->err, TD_NOMEM, "%s: no memory", p->variable);
	size_t len = 0;
	for (size_t i = 0; i < part.len; i++) {
		if (part.ptr[i] != '%') {
			text[len++] = part.ptr[i];
			continue;
		}
		int high = part.len - i > 2 ? hex_value(part.ptr[i + 1]) : -1;
		int low = part.len - i > 2 ? hex_value(part.ptr[i + 2]) : -1;
		if (high < 0 || low < 0) {
			(void)snprintf(what, sizeof(what),
				"the %s has a %% that two hexadecimal digits do not follow (a %% "
				"itself is %%25)",
				name);
			return refuse(p, what);
		}
		text[len++] = (char)(high << 4 | low);
		i += 2;
	}
	struct td_slice rest = td_slice(text, len);
	uint32_t code;
	while (rest.len > 0) {
		if (!td_utf8_next(&rest, &code) || code < 0x20 || code == 0x7F) {
			(void)snprintf(what, sizeof(what),
				"the %s has a control character or is not UTF-8", name);
			return refuse(p, what);
		}
	}
	*ret = text;
	return TD_OK;
}

static enum td_status parse_port(const struct parser *p, struct td_slice text, uint16_t *ret_port)
{
	uint32_t port = 0;
	if (text.len == 0)
		return refuse(p, "the port is missing behind the colon");
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return refuse(p, "the port is not a number (a /, ?, : or @ in user or "
					 "password is written %2F, %3F, %3A, %40)");
		port = port * 10 + (uint32_t)(text.ptr[i] - '0');
		if (port > 65535)
			return refuse(p, "the port is larger than 65535");
	}
	if (port == 0)
		return refuse(p, "the port is 0; it must be 1 to 65535");
	*ret_port = (uint16_t)port;
	return TD_OK;
}

/* Letters, digits and what stands in names and addresses; not a second URL that slipped in. */
static bool is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_';
}

static enum td_status check_name(const struct parser *p, const char *name)
{
	if (name[0] == '/')
		return TD_OK; /* the folder of a Unix socket */
	if (name[0] == '\0')
		return refuse(p, "the host is empty");
	if (strlen(name) > 253)
		return refuse(p, "the host is longer than 253 characters");
	for (const char *c = name; *c != '\0'; c++) {
		if (!is_host_char(*c))
			return refuse(p, "the host has a character that no host name has");
	}
	return TD_OK;
}

static enum td_status parse_v6(
	const struct parser *p, struct td_slice text, struct connect_host *ret_host)
{
	const char *end = memchr(text.ptr, ']', text.len);
	if (end == NULL)
		return refuse(p, "the ] behind an IPv6 address is missing");
	struct td_slice inside = td_slice(text.ptr + 1, (size_t)(end - text.ptr - 1));
	for (size_t i = 0; i < inside.len; i++) {
		char c = inside.ptr[i];
		if (hex_value(c) < 0 && c != ':' && c != '.' && c != '%' && !is_host_char(c))
			return refuse(
				p, "the IPv6 address has a character that does not belong there");
	}
	if (inside.len < 2 || memchr(inside.ptr, ':', inside.len) == NULL)
		return refuse(p, "what stands in [] is not an IPv6 address");
	ret_host->name = td_arena_strndup(p->arena, inside.ptr, inside.len);
	if (ret_host->name == NULL)
		return td_err_set(p->err, TD_NOMEM, "%s: no memory", p->variable);
	struct td_slice rest = td_slice_skip(text, inside.len + 2);
	if (rest.len == 0)
		return TD_OK;
	if (rest.ptr[0] != ':')
		return refuse(p, "behind ] only :PORT may stand");
	return parse_port(p, td_slice_skip(rest, 1), &ret_host->port);
}

static enum td_status parse_host(
	const struct parser *p, struct td_slice text, struct connect_host *ret_host)
{
	ret_host->port = p->default_port;
	if (text.len > 0 && text.ptr[0] == '[')
		return parse_v6(p, text, ret_host);
	const char *colon = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;
	struct td_slice name = text;
	enum td_status status = TD_OK;
	if (colon != NULL) {
		struct td_slice port = td_slice_skip(text, (size_t)(colon - text.ptr) + 1);
		if (port.len > 0 && memchr(port.ptr, ':', port.len) != NULL)
			return refuse(p, "an IPv6 address must stand in [ ]");
		name.len = (size_t)(colon - text.ptr);
		status = parse_port(p, port, &ret_host->port);
	}
	if (status == TD_OK)
		status = decode(p, name, "host", &ret_host->name);
	return status == TD_OK ? check_name(p, ret_host->name) : status;
}

enum td_status connect_host_parse(struct td_slice text, const char *variable, uint16_t default_port,
	struct td_arena *arena, struct connect_host *ret_host, struct td_err *err)
{
	struct parser p = {
		.variable = variable, .arena = arena, .default_port = default_port, .err = err};
	return parse_host(&p, text, ret_host);
}

static enum td_status parse_hosts(
	const struct parser *p, struct td_slice text, struct connect_url *url)
{
	struct td_slice piece;
	while (td_slice_cut(&text, ',', &piece)) {
		if (url->host_count == CONNECT_HOSTS_MOST)
			return refuse(p, "more than 16 hosts");
		enum td_status status = parse_host(p, piece, &url->hosts[url->host_count]);
		if (status != TD_OK)
			return status;
		url->host_count++;
	}
	return TD_OK;
}

static enum td_status parse_user(
	const struct parser *p, struct td_slice text, struct connect_url *url)
{
	const char *colon = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;
	struct td_slice user = colon != NULL ? td_slice(text.ptr, (size_t)(colon - text.ptr))
					     : text;
	enum td_status status = TD_OK;
	if (user.len > 0)
		status = decode(p, user, "user", &url->user);
	if (status == TD_OK && colon != NULL) {
		struct td_slice password = td_slice_skip(text, user.len + 1);
		if (password.len > 0)
			status = decode(p, password, "password", &url->password);
	}
	return status;
}

static enum td_status parse_params(
	const struct parser *p, struct td_slice text, struct connect_url *url)
{
	struct td_slice piece;
	while (td_slice_cut(&text, '&', &piece)) {
		if (piece.len == 0)
			continue;
		if (url->param_count == CONNECT_PARAMS_MOST)
			return refuse(p, "more than 32 parameters");
		const char *equals = memchr(piece.ptr, '=', piece.len);
		if (equals == NULL)
			return refuse(p, "a parameter behind ? has no value (NAME=VALUE)");
		struct connect_param *param = &url->params[url->param_count];
		struct td_slice name = td_slice(piece.ptr, (size_t)(equals - piece.ptr));
		enum td_status status = decode(p, name, "name of a parameter", &param->name);
		if (status == TD_OK)
			status = decode(p, td_slice_skip(piece, name.len + 1),
				"value of a parameter", &param->value);
		if (status != TD_OK)
			return status;
		url->param_count++;
	}
	return TD_OK;
}

/* A part that is named by a parameter, as libpq has it: over the part itself. */
static enum td_status adopt_hosts(
	const struct parser *p, const char *names, struct connect_url *url)
{
	struct td_slice rest = td_slice_str(names), piece;
	url->host_count = 0;
	while (td_slice_cut(&rest, ',', &piece)) {
		if (url->host_count == CONNECT_HOSTS_MOST)
			return refuse(p, "more than 16 hosts");
		struct connect_host *host = &url->hosts[url->host_count++];
		host->port = p->default_port;
		host->name = td_arena_strndup(p->arena, piece.ptr, piece.len);
		if (host->name == NULL)
			return td_err_set(p->err, TD_NOMEM, "%s: no memory", p->variable);
		/* An IPv6 address needs no brackets here. */
		if (strchr(host->name, ':') == NULL) {
			enum td_status status = check_name(p, host->name);
			if (status != TD_OK)
				return status;
		}
	}
	return TD_OK;
}

/* One port for all hosts, or one for each. */
static enum td_status adopt_ports(
	const struct parser *p, const char *ports, struct connect_url *url)
{
	struct td_slice rest = td_slice_str(ports), piece = TD_SLICE("");
	enum td_status status = TD_OK;
	size_t given = 0;
	while (status == TD_OK && td_slice_cut(&rest, ',', &piece)) {
		if (given == url->host_count)
			return refuse(
				p, "the parameter port names more ports than there are hosts");
		status = parse_port(p, piece, &url->hosts[given++].port);
	}
	if (status == TD_OK && given != 1 && given != url->host_count)
		return refuse(p, "the parameter port names fewer ports than there are hosts");
	for (size_t i = 1; status == TD_OK && given == 1 && i < url->host_count; i++)
		url->hosts[i].port = url->hosts[0].port;
	return status;
}

/* libpq reads so what others write. */
static void adopt_ssl(struct connect_url *url)
{
	for (size_t i = 0; i < url->param_count; i++) {
		struct connect_param *param = &url->params[i];
		if (strcmp(param->name, "ssl") == 0 && strcmp(param->value, "true") == 0)
			*param = (struct connect_param){"sslmode", "require"};
	}
}

static enum td_status adopt_params(const struct parser *p, struct connect_url *url)
{
	const char *host = connect_url_param(url, "host"), *port = connect_url_param(url, "port");
	const char *user = connect_url_param(url, "user"),
		   *password = connect_url_param(url, "password"),
		   *database = connect_url_param(url, "dbname");
	enum td_status status = TD_OK;
	adopt_ssl(url);
	if (connect_url_param(url, "hostaddr") != NULL)
		return refuse(p, "the parameter hostaddr is not supported: write the address as "
				 "the host");
	if (host != NULL && host[0] != '\0')
		status = adopt_hosts(p, host, url);
	if (status == TD_OK && port != NULL && url->host_count > 0)
		status = adopt_ports(p, port, url);
	if (user != NULL && user[0] != '\0')
		url->user = user;
	if (password != NULL && password[0] != '\0')
		url->password = password;
	if (database != NULL && database[0] != '\0')
		url->database = database;
	return status;
}

static enum td_status parse_scheme(
	const struct parser *p, struct td_slice *rest, struct connect_url *url)
{
	size_t at = 0;
	while (at + 2 < rest->len && memcmp(rest->ptr + at, "://", 3) != 0)
		at++;
	if (at + 2 >= rest->len || at == 0)
		return refuse(p, "it does not begin with postgresql:// or sqlite://");
	struct td_slice scheme = td_slice(rest->ptr, at);
	const char *plus = memchr(scheme.ptr, '+', scheme.len);
	if (plus != NULL)
		scheme.len = (size_t)(plus - scheme.ptr);
	if (!td_slice_is_nocase(scheme, "postgresql") && !td_slice_is_nocase(scheme, "postgres"))
		return refuse(p, "it does not begin with postgresql:// or sqlite://");
	url->scheme = "postgresql";
	*rest = td_slice_skip(*rest, at + 3);
	return TD_OK;
}

/* Where the authority ends: before the first '/' or '?'. */
static size_t authority_length(struct td_slice rest)
{
	size_t at = 0;
	while (at < rest.len && rest.ptr[at] != '/' && rest.ptr[at] != '?')
		at++;
	return at;
}

/* A password with a '/' or a '?' that should have been encoded ends the authority too early: what
 * stands before would be taken for host and port, and shown. Its '@' then stands in `rest`. */
static enum td_status check_rest(const struct parser *p, struct td_slice rest)
{
	if (rest.len == 0 || memchr(rest.ptr, '@', rest.len) == NULL)
		return TD_OK;
	return refuse(p, "an @ stands behind the host: in user, password, database and parameters "
			 "/, @, :, ? and # are written %2F, %40, %3A, %3F and %23");
}

static enum td_status parse_authority(
	const struct parser *p, struct td_slice text, struct connect_url *url)
{
	const char *sign = text.len > 0 ? memrchr(text.ptr, '@', text.len) : NULL;
	if (sign != NULL) {
		struct td_slice user = td_slice(text.ptr, (size_t)(sign - text.ptr));
		enum td_status status = parse_user(p, user, url);
		if (status != TD_OK)
			return status;
		text = td_slice_skip(text, user.len + 1);
	}
	return text.len > 0 ? parse_hosts(p, text, url) : TD_OK;
}

enum td_status connect_url_parse(struct td_slice text, const char *variable, uint16_t default_port,
	struct td_arena *arena, struct connect_url *ret_url, struct td_err *err)
{
	struct parser p = {
		.variable = variable, .arena = arena, .default_port = default_port, .err = err};
	struct connect_url url = {.scheme = NULL};
	struct td_slice rest = text;
	enum td_status status = parse_scheme(&p, &rest, &url);
	size_t authority = authority_length(rest);
	if (status == TD_OK)
		status = check_rest(&p, td_slice_skip(rest, authority));
	if (status == TD_OK)
		status = parse_authority(&p, td_slice(rest.ptr, authority), &url);
	rest = td_slice_skip(rest, authority);
	const char *question = rest.len > 0 ? memchr(rest.ptr, '?', rest.len) : NULL;
	struct td_slice path = question != NULL ? td_slice(rest.ptr, (size_t)(question - rest.ptr))
						: rest;
	if (status == TD_OK && path.len > 1)
		status = decode(&p, td_slice_skip(path, 1), "database", &url.database);
	if (status == TD_OK && question != NULL)
		status = parse_params(&p, td_slice_skip(rest, path.len + 1), &url);
	if (status == TD_OK)
		status = adopt_params(&p, &url);
	if (status == TD_OK)
		*ret_url = url;
	return status;
}

const char *connect_url_param(const struct connect_url *url, const char *name)
{
	for (size_t i = url->param_count; i > 0; i--) {
		if (strcmp(url->params[i - 1].name, name) == 0)
			return url->params[i - 1].value;
	}
	return NULL;
}

char *connect_url_target(const struct connect_url *url, struct td_arena *arena)
{
	const struct connect_host *host = &url->hosts[0];
	bool v6 = strchr(host->name, ':') != NULL;
	return td_arena_printf(arena, "%s%s%s:%u/%s", v6 ? "[" : "", host->name, v6 ? "]" : "",
		host->port, url->database != NULL ? url->database : "");
}
