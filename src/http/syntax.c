#include "http/syntax.h"

#include "base/utf8.h"

#include <stdint.h>

/* Bits of char_class[]. */
enum {
	TOKEN = 1, /* tchar */
	PATH = 2,  /* pchar, '/' and '%' (RFC 3986 section 3.3) */
	HOST = 4,  /* letters, digits, '-', '.', '_' */
	HEX = 8,
	QUERY = 16, /* printable ASCII but '#': browsers send more than pchar */
};

/* One row for 16 characters, made from the lists of RFC 9110 and 3986; the unit test spells those
 * lists out again. Bytes above 0x7f have no bit. */
/* clang-format off */
static const uint8_t char_class[256] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 0x00 */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 0x10 */
	0, 19, 16, 1, 19, 19, 19, 19, 18, 18, 19, 19, 18, 23, 23, 18, /* 0x20 */
	31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 18, 18, 16, 18, 16, 16, /* 0x30 */
	18, 31, 31, 31, 31, 31, 31, 23, 23, 23, 23, 23, 23, 23, 23, 23, /* 0x40 */
	23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 16, 16, 16, 17, 23, /* 0x50 */
	17, 31, 31, 31, 31, 31, 31, 23, 23, 23, 23, 23, 23, 23, 23, 23, /* 0x60 */
	23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 16, 17, 16, 19, 0, /* 0x70 */
};
/* clang-format on */

static bool is_all(struct td_slice text, uint8_t wanted)
{
	uint8_t all = wanted;
	for (size_t i = 0; i < text.len; i++)
		all &= char_class[(uint8_t)text.ptr[i]];
	return all == wanted;
}

bool http_is_token(struct td_slice text)
{
	return text.len > 0 && is_all(text, TOKEN);
}

bool http_is_field_value(struct td_slice text)
{
	bool bad = false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = (uint8_t)text.ptr[i];
		bad |= (c < 0x20) & (c != '\t');
		bad |= c == 0x7f;
	}
	return !bad;
}

static unsigned hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	return (unsigned)((c | 0x20) - 'a') + 10;
}

static bool is_hex(char c)
{
	return (char_class[(uint8_t)c] & HEX) != 0;
}

bool http_percent_decode(struct td_slice text, bool plus_is_space, char *out, size_t *ret_len)
{
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '%') {
			if (text.len - i < 3 || !is_hex(text.ptr[i + 1]) ||
				!is_hex(text.ptr[i + 2]))
				return false;
			c = (char)(hex_value(text.ptr[i + 1]) << 4 | hex_value(text.ptr[i + 2]));
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		if (c == '\0')
			return false;
		out[len++] = c;
	}
	if (!td_utf8_is_valid(td_slice(out, len)))
		return false;
	*ret_len = len;
	return true;
}

static bool is_port(struct td_slice text)
{
	unsigned port = 0;
	if (text.len > 5)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		port = port * 10 + (unsigned)(text.ptr[i] - '0');
	}
	return port <= 65535;
}

/* What stands in the brackets of an IP literal: hexadecimal digits, ':' and '.'; a zone or a
 * future version has no business in a Host header. */
static bool is_ipv6_text(struct td_slice text)
{
	size_t colons = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == ':')
			colons++;
		else if (c != '.' && !is_hex(c))
			return false;
	}
	return text.len >= 2 && text.len <= 45 && colons >= 2 && colons <= 8;
}

/* Splits "host", "host:port", "[v6]:port"; the port without its colon, empty where there is none.
 */
static bool split_host(struct td_slice text, struct td_slice *ret_host, struct td_slice *ret_port)
{
	size_t end = 0;
	if (text.len > 0 && text.ptr[0] == '[') {
		const char *close = memchr(text.ptr, ']', text.len);
		if (close == NULL)
			return false;
		end = (size_t)(close - text.ptr) + 1;
	} else {
		while (end < text.len && text.ptr[end] != ':')
			end++;
	}
	struct td_slice rest = td_slice_skip(text, end);
	if (rest.len > 0 && rest.ptr[0] != ':')
		return false;
	*ret_host = td_slice(text.ptr, end);
	*ret_port = td_slice_skip(rest, 1);
	return true;
}

bool http_is_host(struct td_slice text)
{
	struct td_slice host;
	struct td_slice port;
	if (text.len == 0 || text.len > 255 || !split_host(text, &host, &port) || !is_port(port))
		return false;
	if (host.len > 0 && host.ptr[0] == '[')
		return is_ipv6_text(td_slice(host.ptr + 1, host.len - 2));
	return host.len > 0 && host.ptr[0] != '.' && is_all(host, HOST);
}

static unsigned port_number(struct td_slice text, unsigned default_port)
{
	unsigned port = 0;
	for (size_t i = 0; i < text.len; i++)
		port = port * 10 + (unsigned)(text.ptr[i] - '0');
	return text.len == 0 ? default_port : port;
}

bool http_same_host(struct td_slice a, struct td_slice b, unsigned default_port)
{
	struct td_slice host_a, port_a, host_b, port_b;
	if (!split_host(a, &host_a, &port_a) || !split_host(b, &host_b, &port_b))
		return false;
	return host_a.len == host_b.len &&
	       (host_a.len == 0 || strncasecmp(host_a.ptr, host_b.ptr, host_a.len) == 0) &&
	       port_number(port_a, default_port) == port_number(port_b, default_port);
}

static bool is_encoding_whole(struct td_slice text)
{
	const char *at = text.ptr;
	const char *end = text.ptr + text.len;
	while (at < end && (at = memchr(at, '%', (size_t)(end - at))) != NULL) {
		if (end - at < 3 || !is_hex(at[1]) || !is_hex(at[2]))
			return false;
		if (at[1] == '0' && at[2] == '0')
			return false;
		at += 3;
	}
	return true;
}

/* Cuts "http://authority" off; the rest is a path, a query or nothing. */
static bool take_authority(struct td_slice *rest, struct http_target_parts *parts)
{
	size_t scheme = 0;
	if (rest->len >= 7 && strncasecmp(rest->ptr, "http://", 7) == 0) {
		scheme = 7;
		parts->default_port = 80;
	} else if (rest->len >= 8 && strncasecmp(rest->ptr, "https://", 8) == 0) {
		scheme = 8;
		parts->default_port = 443;
	} else {
		return false;
	}
	*rest = td_slice_skip(*rest, scheme);
	size_t end = 0;
	while (end < rest->len && rest->ptr[end] != '/' && rest->ptr[end] != '?')
		end++;
	parts->authority = td_slice(rest->ptr, end);
	*rest = td_slice_skip(*rest, end);
	parts->form = HTTP_TARGET_ABSOLUTE;
	return http_is_host(parts->authority);
}

bool http_target_parse(struct td_slice raw, struct http_target_parts *ret_parts)
{
	struct http_target_parts parts = {.form = HTTP_TARGET_ORIGIN};
	if (td_slice_is(raw, "*")) {
		parts.form = HTTP_TARGET_ASTERISK;
		parts.path = raw;
		*ret_parts = parts;
		return true;
	}
	struct td_slice rest = raw;
	if (rest.len == 0 || (rest.ptr[0] != '/' && !take_authority(&rest, &parts)))
		return false;
	const char *mark = rest.len == 0 ? NULL : memchr(rest.ptr, '?', rest.len);
	parts.path = rest;
	if (mark != NULL) {
		parts.path.len = (size_t)(mark - rest.ptr);
		parts.query = td_slice_skip(rest, parts.path.len + 1);
	}
	if (parts.path.len == 0 && parts.form == HTTP_TARGET_ABSOLUTE)
		parts.path = TD_SLICE("/");
	if (!is_all(parts.path, PATH) || !is_all(parts.query, QUERY) || !is_encoding_whole(raw))
		return false;
	*ret_parts = parts;
	return true;
}
