#include "http/fields.h"

#include <stddef.h>

/* "0", "0.5", "1.000" as thousandths; anything else is 1000, as if it were not there. */
static unsigned parse_q(struct td_slice text)
{
	if (text.len == 0 || text.len > 5 || (text.ptr[0] != '0' && text.ptr[0] != '1'))
		return 1000;
	unsigned q = text.ptr[0] == '1' ? 1000 : 0;
	if (text.len > 1 && text.ptr[1] != '.')
		return 1000;
	unsigned place = 100;
	for (size_t i = 2; i < text.len; i++, place /= 10) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return 1000;
		q += place * (unsigned)(text.ptr[i] - '0');
	}
	return q > 1000 ? 1000 : q;
}

/* One element of a list: its name, and its q in thousandths. */
static struct td_slice split_element(struct td_slice element, unsigned *ret_q)
{
	struct td_slice rest = element;
	struct td_slice piece = {NULL, 0};
	struct td_slice name = {NULL, 0};
	*ret_q = 1000;
	if (!td_slice_cut(&rest, ';', &name))
		return name;
	while (td_slice_cut(&rest, ';', &piece)) {
		piece = td_slice_trim(piece);
		if (piece.len >= 2 && (piece.ptr[0] | 0x20) == 'q' && piece.ptr[1] == '=')
			*ret_q = parse_q(td_slice_skip(piece, 2));
	}
	return td_slice_trim(name);
}

#define NOT_NAMED (-1)

struct wishes {
	int q[HTTP_ENCODING_COUNT]; /* thousandths, or NOT_NAMED */
	int star;
};

static void take_wish(struct wishes *w, struct td_slice name, int q)
{
	if (td_slice_is_nocase(name, "br"))
		w->q[HTTP_BR] = q;
	else if (td_slice_is_nocase(name, "gzip") || td_slice_is_nocase(name, "x-gzip"))
		w->q[HTTP_GZIP] = q;
	else if (td_slice_is_nocase(name, "identity"))
		w->q[HTTP_IDENTITY] = q;
	else if (td_slice_is(name, "*"))
		w->star = q;
}

static int wish_of(const struct wishes *w, enum http_encoding encoding)
{
	if (w->q[encoding] != NOT_NAMED)
		return w->q[encoding];
	if (w->star != NOT_NAMED)
		return w->star;
	/* Identity is acceptable unless it is refused, but whoever names codings prefers them. */
	return encoding == HTTP_IDENTITY ? 1 : 0;
}

enum http_encoding http_encoding_choose(struct td_slice accept_encoding, unsigned offered)
{
	struct wishes wishes = {{NOT_NAMED, NOT_NAMED, NOT_NAMED}, NOT_NAMED};
	struct td_slice rest = accept_encoding;
	struct td_slice element;
	if (accept_encoding.len == 0)
		return HTTP_IDENTITY;
	while (td_slice_cut(&rest, ',', &element)) {
		unsigned q = 0;
		struct td_slice name = split_element(element, &q);
		take_wish(&wishes, name, (int)q);
	}
	enum http_encoding best = HTTP_IDENTITY;
	int best_q = 0;
	for (int e = HTTP_ENCODING_COUNT - 1; e >= 0; e--) {
		int q = wish_of(&wishes, (enum http_encoding)e);
		bool is_offered = e == HTTP_IDENTITY || (offered & 1u << e) != 0;
		if (is_offered && q > best_q) {
			best = (enum http_encoding)e;
			best_q = q;
		}
	}
	return best;
}

bool http_accept_prefers_html(struct td_slice accept)
{
	unsigned html = 0;
	unsigned json = 0;
	struct td_slice rest = accept;
	struct td_slice element;
	while (td_slice_cut(&rest, ',', &element)) {
		unsigned q = 0;
		struct td_slice name = split_element(element, &q);
		/* Of equals the first wins: the later one counts a little less. */
		if (td_slice_is_nocase(name, "text/html") && html == 0)
			html = q * 2 + (json == 0);
		else if (td_slice_is_nocase(name, "application/json") && json == 0)
			json = q * 2 + (html == 0);
	}
	return html > 1 && html > json;
}

/* Takes one entity-tag off the front: its quoted part, without W/. */
static bool take_etag(struct td_slice *rest, struct td_slice *ret_tag)
{
	struct td_slice s = *rest;
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t' || s.ptr[0] == ','))
		s = td_slice_skip(s, 1);
	if (td_slice_has_prefix(s, "W/"))
		s = td_slice_skip(s, 2);
	if (s.len < 2 || s.ptr[0] != '"')
		return false;
	const char *end = memchr(s.ptr + 1, '"', s.len - 1);
	if (end == NULL)
		return false;
	*ret_tag = td_slice(s.ptr, (size_t)(end - s.ptr) + 1);
	*rest = td_slice_skip(s, ret_tag->len);
	return true;
}

bool http_etag_matches(struct td_slice if_none_match, struct td_slice etag)
{
	struct td_slice rest = td_slice_trim(if_none_match);
	struct td_slice tag;
	if (rest.len == 0)
		return false;
	if (td_slice_is(rest, "*"))
		return true;
	while (take_etag(&rest, &tag)) {
		if (td_slice_equal(tag, etag))
			return true;
	}
	return false;
}

bool http_cookie_find(struct td_slice cookies, const char *name, struct td_slice *ret_value)
{
	struct td_slice rest = cookies;
	struct td_slice piece;
	while (td_slice_cut(&rest, ';', &piece)) {
		struct td_slice value = td_slice_trim(piece);
		struct td_slice key;
		if (!td_slice_cut(&value, '=', &key) || value.ptr == NULL ||
			!td_slice_is(td_slice_trim(key), name))
			continue;
		value = td_slice_trim(value);
		if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
			value = td_slice(value.ptr + 1, value.len - 2);
		*ret_value = value;
		return true;
	}
	return false;
}

bool http_media_type_is(struct td_slice content_type, const char *type)
{
	struct td_slice rest = content_type;
	struct td_slice name;
	struct td_slice piece;
	if (!td_slice_cut(&rest, ';', &name) || !td_slice_is_nocase(td_slice_trim(name), type))
		return false;
	while (td_slice_cut(&rest, ';', &piece)) {
		struct td_slice value = td_slice_trim(piece);
		struct td_slice key;
		if (!td_slice_cut(&value, '=', &key) || !td_slice_is_nocase(key, "charset"))
			continue;
		if (value.ptr == NULL || (!td_slice_is_nocase(value, "utf-8") &&
						 !td_slice_is_nocase(value, "\"utf-8\"")))
			return false;
	}
	return true;
}

struct td_slice http_list_last(struct td_slice list)
{
	size_t at = list.len;
	while (at > 0 && list.ptr[at - 1] != ',')
		at--;
	return td_slice_trim(td_slice_skip(list, at));
}
