/* The comparison: one row for each feature that any package names, one cell for each package. */
#include "page/page_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A feature of one package, and when it was first seen in reading order. */
struct seen {
	const struct store_feature *feature;
	size_t package;
	size_t place;
};

/* All of one feature: `count` from `first`, by package. */
struct group {
	const struct seen *first;
	size_t count;
	bool done; /* its row was written */
};

struct comparison {
	struct td_arena *arena;
	const struct locale *locale;
	const char *language;
	const struct catalogue_package *packages;
	size_t package_count;
	size_t best;
	struct group *groups; /* in reading order */
	size_t group_count;
};

static int compare_text(struct td_slice a, struct td_slice b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter == 0 ? 0 : memcmp(a.ptr, b.ptr, shorter);
	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_feature(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	int order = compare_text(x->feature->feature_id, y->feature->feature_id);
	return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

static int by_place(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	return (x->first->place > y->first->place) - (x->first->place < y->first->place);
}

static bool collect(struct comparison *c)
{
	size_t total = 0, at = 0;
	for (size_t i = 0; i < c->package_count; i++)
		total += c->packages[i].feature_count;
	struct seen *all = td_arena_array(c->arena, total + 1, sizeof(*all));
	c->groups = td_arena_array(c->arena, total + 1, sizeof(*c->groups));
	if (all == NULL || c->groups == NULL)
		return false;
	for (size_t i = 0; i < c->package_count; i++) {
		for (size_t k = 0; k < c->packages[i].feature_count; k++, at++)
			all[at] = (struct seen){&c->packages[i].features[k], i, at};
	}
	qsort(all, total, sizeof(*all), by_feature);
	for (size_t i = 0; i < total; i++) {
		struct group *last = c->group_count > 0 ? &c->groups[c->group_count - 1] : NULL;
		if (last != NULL && td_slice_equal(last->first->feature->feature_id,
					    all[i].feature->feature_id))
			last->count++;
		else
			c->groups[c->group_count++] = (struct group){&all[i], 1, false};
	}
	qsort(c->groups, c->group_count, sizeof(*c->groups), by_place);
	return true;
}

/* `part` ("name", "description") of a feature in the locale's language. */
static struct td_slice feature_text(const struct comparison *c, const struct seen *seen,
	const char *part, struct td_slice fallback)
{
	const char *key = td_arena_printf(
		c->arena, "feature.%.*s.%s", TD_SLICE_ARG(seen->feature->feature_id), part);
	return key == NULL ? fallback
			   : catalogue_package_translated(
				     &c->packages[seen->package], key, c->language, fallback);
}

static void put_cells(struct comparison *c, struct tpl_value *row, const struct group *group)
{
	struct tpl_value *cells = tpl_put_list(c->arena, row, "cells");
	size_t at = 0;
	for (size_t i = 0; i < c->package_count; i++) {
		struct tpl_value *cell = tpl_add_map(c->arena, cells);
		const struct seen *seen = NULL;
		while (at < group->count && group->first[at].package < i)
			at++;
		if (at < group->count && group->first[at].package == i)
			seen = &group->first[at];
		bool included = seen != NULL && seen->feature->included;
		tpl_put_flag(c->arena, cell, "included", included);
		tpl_put_flag(c->arena, cell, "highlight", i == c->best);
		tpl_put_str(c->arena, cell, "mark", included ? "yes" : "no");
		tpl_put_text(c->arena, cell, "text",
			included ? feature_text(c, seen, "description", seen->feature->description)
				 : td_slice(NULL, 0));
	}
}

/* A text of the locale (`category.KEY`), else the catalogue's own word. */
static struct td_slice category_name(const struct comparison *c, struct td_slice category)
{
	if (category.len == 0)
		category = TD_SLICE("other");
	const char *key = td_arena_printf(c->arena, "category.%.*s", TD_SLICE_ARG(category));
	struct td_slice text = locale_find_str(c->locale, key != NULL ? key : "");
	return text.ptr != NULL ? text : category;
}

static void put_category(struct comparison *c, struct tpl_value *list, size_t from)
{
	struct td_slice category = c->groups[from].first->feature->category;
	struct tpl_value *map = tpl_add_map(c->arena, list);
	tpl_put_text(c->arena, map, "name", category_name(c, category));
	struct tpl_value *rows = tpl_put_list(c->arena, map, "rows");
	for (size_t i = from; i < c->group_count; i++) {
		struct group *group = &c->groups[i];
		const struct seen *first = group->first;
		if (group->done || !td_slice_equal(first->feature->category, category))
			continue;
		struct tpl_value *row = tpl_add_map(c->arena, rows);
		tpl_put_text(c->arena, row, "name",
			feature_text(c, first, "name", first->feature->name));
		put_cells(c, row, group);
		group->done = true;
	}
}

void page_model_compare(struct td_arena *arena, struct tpl_value *root, const struct locale *locale,
	const struct catalogue_package *packages, size_t count, size_t best)
{
	struct comparison c = {.arena = arena,
		.locale = locale,
		.language = page_model_language(arena, locale),
		.packages = packages,
		.package_count = count,
		.best = best};
	struct tpl_value *list = tpl_put_list(arena, root, "categories");
	if (!collect(&c))
		return;
	for (size_t i = 0; i < c.group_count; i++) {
		if (!c.groups[i].done)
			put_category(&c, list, i);
	}
}
