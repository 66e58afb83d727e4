#include "page/value.h"

static struct tpl_value *append(
	struct td_arena *arena, struct tpl_value *parent, enum tpl_kind kind, const char *name)
{
	if (parent == NULL)
		return NULL;
	struct tpl_value *value = td_arena_alloc(arena, sizeof(*value));
	if (value == NULL)
		return NULL;
	value->kind = kind;
	value->name = td_slice_str(name);
	if (parent->last != NULL)
		parent->last->next = value;
	else
		parent->first = value;
	parent->last = value;
	return value;
}

struct tpl_value *tpl_map(struct td_arena *arena)
{
	struct tpl_value *map = td_arena_alloc(arena, sizeof(*map));
	if (map != NULL)
		map->kind = TPL_MAP;
	return map;
}

void tpl_put_text(
	struct td_arena *arena, struct tpl_value *map, const char *name, struct td_slice text)
{
	struct tpl_value *value = append(arena, map, TPL_TEXT, name);
	if (value != NULL && text.len > 0)
		value->text = td_arena_slice(arena, text);
}

void tpl_put_str(struct td_arena *arena, struct tpl_value *map, const char *name, const char *text)
{
	tpl_put_text(arena, map, name, td_slice_str(text));
}

void tpl_put_flag(struct td_arena *arena, struct tpl_value *map, const char *name, bool flag)
{
	struct tpl_value *value = append(arena, map, TPL_FLAG, name);
	if (value != NULL)
		value->flag = flag;
}

struct tpl_value *tpl_put_map(struct td_arena *arena, struct tpl_value *map, const char *name)
{
	return append(arena, map, TPL_MAP, name);
}

struct tpl_value *tpl_put_list(struct td_arena *arena, struct tpl_value *map, const char *name)
{
	return append(arena, map, TPL_LIST, name);
}

struct tpl_value *tpl_add_map(struct td_arena *arena, struct tpl_value *list)
{
	return append(arena, list, TPL_MAP, NULL);
}

void tpl_add_text(struct td_arena *arena, struct tpl_value *list, struct td_slice text)
{
	tpl_put_text(arena, list, NULL, text);
}

const struct tpl_value *tpl_member(const struct tpl_value *map, struct td_slice name)
{
	if (map == NULL || map->kind != TPL_MAP)
		return NULL;
	for (const struct tpl_value *at = map->first; at != NULL; at = at->next) {
		if (td_slice_equal(at->name, name))
			return at;
	}
	return NULL;
}

bool tpl_is_true(const struct tpl_value *value)
{
	if (value == NULL)
		return false;
	switch (value->kind) {
	case TPL_FLAG:
		return value->flag;
	case TPL_TEXT:
		return value->text.len > 0;
	case TPL_LIST:
		return value->first != NULL;
	case TPL_MAP:
		return true;
	}
	return false;
}
