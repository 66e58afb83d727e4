/* Subscriptions, their history and changes as values for templates. Only for page/'s own files and
 * their tests. */
#ifndef TD_PAGE_MODEL_ACCOUNT_H
#define TD_PAGE_MODEL_ACCOUNT_H

#include "page/page_internal.h"
#include "store/rows.h"

/* What the models look names of packages up in. */
struct page_shelf {
	const struct locale *locale;
	const struct catalogue_snapshot *snapshot; /* NULL: a package goes by the row's own name */
};

/* "{user.…}": first_name, last_name, email, company. */
void page_model_user(struct td_arena *arena, struct tpl_value *root, const struct store_user *user);

/* A subscription as it stands, as members of `map`. */
void page_model_subscription(struct td_arena *arena, struct tpl_value *map,
	const struct page_shelf *shelf, const struct store_subscription *row);

/* "history": a list, the newest first. */
void page_model_history(struct td_arena *arena, struct tpl_value *root,
	const struct page_shelf *shelf, const struct store_history *items, size_t count);

/* What a change means: both rows, as they are before and after it, at `now_ms`. */
void page_model_preview(struct td_arena *arena, struct tpl_value *root,
	const struct page_shelf *shelf, const struct store_subscription *before,
	const struct store_subscription *after, int64_t now_ms);

/* "choices": the packages on offer; the row's own is marked `is_current`, that of `slug` is
 * `is_chosen`. */
void page_model_choices(struct td_arena *arena, struct tpl_value *root,
	const struct page_shelf *shelf, const struct store_subscription *row, struct td_slice slug);

#endif
