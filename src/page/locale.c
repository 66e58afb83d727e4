#include "page/locale.h"

#include "base/alloc.h"
#include "base/arena.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	struct td_slice key, text;
};

struct locale {
	struct td_slice code;
	const struct locale *fallback;
	struct entry *entries; /* by key */
	size_t count;
	struct td_arena arena; /* owns all of the above */
};

static int compare(struct td_slice a, struct td_slice b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter == 0 ? 0 : memcmp(a.ptr, b.ptr, shorter);
	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	return compare(x->key, y->key);
}

static bool is_well_formed(struct td_slice text)
{
	struct td_slice before, name;
	while (text.len > 0) {
		if (!tpl_text_next(&text, &before, &name))
			return false;
	}
	return true;
}

static enum td_status add_entry(
	struct locale *locale, const char *key, const json_t *value, struct td_err *err)
{
	struct td_slice name = td_slice_str(key);
	if (!tpl_name_is_valid(name))
		return td_err_set(err, TD_INVALID,
			"locale %.*s: \"%.64s\" is not a key (small letters, digits, _ and dots)",
			TD_SLICE_ARG(locale->code), key);
	if (!json_is_string(value))
		return td_err_set(err, TD_INVALID, "locale %.*s: \"%s\" has to be a text",
			TD_SLICE_ARG(locale->code), key);
	struct td_slice text = {json_string_value(value), json_string_length(value)};
	if (text.len > LOCALE_TEXT_MOST)
		return td_err_set(err, TD_TOOBIG, "locale %.*s: \"%s\" is over %d bytes",
			TD_SLICE_ARG(locale->code), key, LOCALE_TEXT_MOST);
	if (!is_well_formed(text))
		return td_err_set(err, TD_INVALID,
			"locale %.*s: \"%s\": a brace without its partner, or no name in it",
			TD_SLICE_ARG(locale->code), key);
	struct entry *entry = &locale->entries[locale->count++];
	entry->key = td_arena_slice(&locale->arena, name);
	entry->text = text.len > 0 ? td_arena_slice(&locale->arena, text) : TD_SLICE("");
	return TD_OK;
}

static enum td_status add_all(struct locale *locale, json_t *root, struct td_err *err)
{
	if (!json_is_object(root))
		return td_err_set(err, TD_INVALID, "locale %.*s: not a JSON object of texts",
			TD_SLICE_ARG(locale->code));
	size_t count = json_object_size(root);
	if (count > LOCALE_KEY_MOST)
		return td_err_set(err, TD_TOOBIG, "locale %.*s: more than %d texts",
			TD_SLICE_ARG(locale->code), LOCALE_KEY_MOST);
	locale->entries = td_arena_array(
		&locale->arena, count > 0 ? count : 1, sizeof(*locale->entries));
	if (locale->entries == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for a locale");
	const char *key;
	json_t *value;
	json_object_foreach(root, key, value)
	{
		enum td_status status = add_entry(locale, key, value, err);
		if (status != TD_OK)
			return status;
	}
	if (locale->arena.failed)
		return td_err_set(err, TD_NOMEM, "no memory for a locale");
	qsort(locale->entries, locale->count, sizeof(*locale->entries), by_key);
	return TD_OK;
}

static enum td_status fill(struct locale *locale, struct td_slice json, struct td_err *err)
{
	json_error_t fault;
	json_t *root = json_loadb(
		json.ptr != NULL ? json.ptr : "", json.len, JSON_REJECT_DUPLICATES, &fault);
	if (root == NULL)
		return td_err_set(err, TD_INVALID, "locale %.*s: line %d, column %d: %s",
			TD_SLICE_ARG(locale->code), fault.line, fault.column, fault.text);
	enum td_status status = add_all(locale, root, err);
	json_decref(root);
	return status;
}

enum td_status locale_create(struct td_slice code, struct td_slice json,
	const struct locale *fallback, struct locale **ret_locale, struct td_err *err)
{
	struct locale *locale = td_alloc_zero(sizeof(*locale));
	if (locale == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for a locale");
	locale->arena = (struct td_arena)TD_ARENA_INIT;
	locale->fallback = fallback;
	locale->code = td_arena_slice(&locale->arena, code);
	enum td_status status = fill(locale, json, err);
	if (status != TD_OK) {
		locale_destroy(locale);
		return status;
	}
	*ret_locale = locale;
	return TD_OK;
}

void locale_destroy(struct locale *locale)
{
	if (locale == NULL)
		return;
	td_arena_done(&locale->arena);
	td_free(locale);
}

struct td_slice locale_code(const struct locale *locale)
{
	return locale->code;
}

static struct td_slice find_own(const struct locale *locale, struct td_slice key)
{
	size_t low = 0, high = locale->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(key, locale->entries[middle].key);
		if (order == 0)
			return locale->entries[middle].text;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return (struct td_slice){NULL, 0};
}

struct td_slice locale_find(const struct locale *locale, struct td_slice key)
{
	struct td_slice text = find_own(locale, key);
	if (text.ptr == NULL && locale->fallback != NULL)
		return find_own(locale->fallback, key);
	return text;
}

struct td_slice locale_find_str(const struct locale *locale, const char *key)
{
	return locale_find(locale, td_slice_str(key));
}

size_t locale_count(const struct locale *locale)
{
	return locale->count;
}

struct td_slice locale_key(const struct locale *locale, size_t i)
{
	return i < locale->count ? locale->entries[i].key : (struct td_slice){NULL, 0};
}

static struct td_slice find_text(const void *ctx, struct td_slice key)
{
	return locale_find(ctx, key);
}

struct tpl_texts locale_texts(const struct locale *locale)
{
	return (struct tpl_texts){find_text, locale};
}
