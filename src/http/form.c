#include "http/form.h"

#include "http/syntax.h"

static size_t count_pieces(struct td_slice text)
{
	size_t pieces = text.len > 0 ? 1 : 0;
	for (size_t i = 0; i < text.len; i++)
		pieces += text.ptr[i] == '&';
	return pieces;
}

/* Decodes into *at, which is moved behind what was written. */
static bool decode(struct td_slice text, char **at, struct td_slice *ret_out)
{
	size_t len = 0;
	if (!http_percent_decode(text, /* plus_is_space= */ true, *at, &len))
		return false;
	*ret_out = td_slice(*at, len);
	*at += len;
	return true;
}

static enum td_status decode_pieces(struct td_slice text, char *out, struct http_form *form)
{
	struct td_slice rest = text;
	struct td_slice piece;
	while (td_slice_cut(&rest, '&', &piece)) {
		struct td_slice value = piece;
		struct td_slice name;
		if (!td_slice_cut(&value, '=', &name) || name.len == 0)
			continue;
		if (form->count == HTTP_FORM_PAIRS_MOST)
			return TD_TOOBIG;
		struct http_pair *pair = &form->pairs[form->count];
		if (!decode(name, &out, &pair->name) || !decode(value, &out, &pair->value))
			return TD_INVALID;
		form->count++;
	}
	return TD_OK;
}

enum td_status http_form_decode(
	struct td_slice text, struct td_arena *arena, struct http_form *ret_form)
{
	struct http_form form = {.pairs = NULL};
	size_t most = count_pieces(text);
	if (most > HTTP_FORM_PAIRS_MOST)
		most = HTTP_FORM_PAIRS_MOST;
	if (most == 0) {
		*ret_form = form;
		return TD_OK;
	}
	/* Decoded text is never longer than what it came from. */
	char *out = td_arena_alloc(arena, text.len);
	form.pairs = td_arena_array(arena, most, sizeof(*form.pairs));
	if (out == NULL || form.pairs == NULL)
		return TD_NOMEM;
	enum td_status status = decode_pieces(text, out, &form);
	if (status == TD_OK)
		*ret_form = form;
	return status;
}

bool http_form_get(const struct http_form *form, const char *name, struct td_slice *ret_value)
{
	for (size_t i = 0; i < form->count; i++) {
		if (td_slice_is(form->pairs[i].name, name)) {
			*ret_value = form->pairs[i].value;
			return true;
		}
	}
	return false;
}

size_t http_form_count(const struct http_form *form, const char *name)
{
	size_t count = 0;
	for (size_t i = 0; i < form->count; i++)
		count += td_slice_is(form->pairs[i].name, name);
	return count;
}
