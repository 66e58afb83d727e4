#include "page/form.h"

#include "app/text.h"

bool page_form_read(struct page_form *form, struct td_slice body, struct td_arena *arena,
	const char *const *names)
{
	*form = (struct page_form){.wrong_count = 0};
	if (http_form_decode(body, arena, &form->sent) != TD_OK)
		return false;
	for (; *names != NULL; names++) {
		if (http_form_count(&form->sent, *names) > 1)
			return false;
	}
	return true;
}

struct td_slice page_form_get(const struct page_form *form, const char *name)
{
	struct td_slice value = {NULL, 0};
	(void)http_form_get(&form->sent, name, &value);
	return value;
}

struct td_slice page_form_trimmed(const struct page_form *form, const char *name)
{
	return app_text_trim(page_form_get(form, name));
}

static const struct page_wrong *find_wrong(const struct page_form *form, const char *field)
{
	for (size_t i = 0; i < form->wrong_count; i++) {
		if (form->wrong[i].field != NULL && strcmp(form->wrong[i].field, field) == 0)
			return &form->wrong[i];
	}
	return NULL;
}

void page_form_wrong(struct page_form *form, const char *field, const char *key)
{
	if (form->wrong_count == PAGE_WRONG_MOST ||
		(field != NULL && find_wrong(form, field) != NULL))
		return;
	form->wrong[form->wrong_count++] = (struct page_wrong){field, key};
}

void page_form_put_wrong(struct td_arena *arena, struct tpl_value *root,
	const struct locale *locale, const struct page_form *form)
{
	tpl_put_flag(arena, root, "is_wrong", form->wrong_count > 0);
	struct tpl_value *list = tpl_put_list(arena, root, "problems");
	for (size_t i = 0; i < form->wrong_count; i++) {
		const struct page_wrong *wrong = &form->wrong[i];
		struct tpl_value *item = tpl_add_map(arena, list);
		tpl_put_text(arena, item, "text", locale_find_str(locale, wrong->key));
		tpl_put_str(arena, item, "href",
			wrong->field != NULL ? td_arena_printf(arena, "#%s", wrong->field) : NULL);
	}
}

static struct td_slice error_text(
	const struct locale *locale, const struct page_form *form, const char *name)
{
	const struct page_wrong *wrong = find_wrong(form, name);
	return wrong != NULL ? locale_find_str(locale, wrong->key) : td_slice(NULL, 0);
}

/* The ids of what describes an input: its hint and its error. */
static const char *describe(struct td_arena *arena, const char *name, bool hint, bool error)
{
	if (!hint && !error)
		return NULL;
	if (hint && error)
		return td_arena_printf(arena, "%s-hint %s-error", name, name);
	return td_arena_printf(arena, "%s-%s", name, hint ? "hint" : "error");
}

void page_form_put_field(struct td_arena *arena, struct tpl_value *root,
	const struct locale *locale, const struct page_form *form, const struct page_field *field,
	struct td_slice value)
{
	struct tpl_value *map = tpl_put_map(arena, root, field->name);
	struct td_slice error = error_text(locale, form, field->name);
	bool is_secret = strcmp(field->type, "password") == 0;
	tpl_put_str(arena, map, "name", field->name);
	tpl_put_text(arena, map, "label", locale_find_str(locale, field->label));
	tpl_put_text(arena, map, "hint",
		field->hint != NULL ? locale_find_str(locale, field->hint) : td_slice(NULL, 0));
	tpl_put_str(arena, map, "type", field->type);
	tpl_put_str(arena, map, "autocomplete", field->autocomplete);
	tpl_put_flag(arena, map, "is_optional", field->is_optional);
	tpl_put_flag(arena, map, "is_plain_text", strcmp(field->type, "text") != 0);
	tpl_put_text(arena, map, "value", is_secret ? td_slice(NULL, 0) : value);
	tpl_put_text(arena, map, "error", error);
	tpl_put_str(arena, map, "described",
		describe(arena, field->name, field->hint != NULL, error.len > 0));
}

void page_form_put_error(struct td_arena *arena, struct tpl_value *root,
	const struct locale *locale, const struct page_form *form, const char *name)
{
	const char *key = td_arena_printf(arena, "%s_error", name);
	if (key != NULL)
		tpl_put_text(arena, root, key, error_text(locale, form, name));
}
