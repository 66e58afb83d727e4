/* What a template shows: a tree of texts, flags, maps and lists, built in an arena and gone with
 * it.
 *
 * A failed allocation is remembered by the arena (`arena->failed`): the functions below take and
 * return NULL then, so that one look before rendering decides. Names are borrowed (literals); texts
 * are copied. A map's member that is put twice: the first one is found. One thread at a time. */
#ifndef TD_PAGE_VALUE_H
#define TD_PAGE_VALUE_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum tpl_kind {
	TPL_FLAG,
	TPL_TEXT,
	TPL_MAP,
	TPL_LIST,
};

struct tpl_value {
	enum tpl_kind kind;
	bool flag;
	struct td_slice name; /* as a member of a map; empty in a list */
	struct td_slice text;
	struct tpl_value *first, *last; /* members or items */
	struct tpl_value *next;
};

/* The map that a page begins with. */
struct tpl_value *tpl_map(struct td_arena *arena);

void tpl_put_text(
	struct td_arena *arena, struct tpl_value *map, const char *name, struct td_slice text);
/* NULL is an empty text, which counts as false. */
void tpl_put_str(struct td_arena *arena, struct tpl_value *map, const char *name, const char *text);
void tpl_put_flag(struct td_arena *arena, struct tpl_value *map, const char *name, bool flag);
struct tpl_value *tpl_put_map(struct td_arena *arena, struct tpl_value *map, const char *name);
struct tpl_value *tpl_put_list(struct td_arena *arena, struct tpl_value *map, const char *name);

struct tpl_value *tpl_add_map(struct td_arena *arena, struct tpl_value *list);
void tpl_add_text(struct td_arena *arena, struct tpl_value *list, struct td_slice text);

/* The member of that name; NULL where `map` is no map or has none. */
const struct tpl_value *tpl_member(const struct tpl_value *map, struct td_slice name);

/* NULL, false, an empty text and an empty list are false. */
bool tpl_is_true(const struct tpl_value *value);

#endif
