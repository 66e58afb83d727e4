#include "page/page_internal.h"

#include <stdio.h>

/* `problem.email_taken.title` of the locale itself: the list of problems is the English. */
static struct td_slice find_part(
	struct td_arena *arena, const struct locale *locale, const char *code, const char *part)
{
	char *key = td_arena_printf(arena, "problem.%s.%s", code, part);
	if (key == NULL)
		return td_slice(NULL, 0);
	for (char *at = key; *at != '\0'; at++) {
		if (*at == '-')
			*at = '_';
	}
	return locale_find_str(locale, key);
}

void page_model_problem(struct td_arena *arena, struct tpl_value *map, const struct locale *locale,
	const struct td_problem_info *info)
{
	struct td_slice title = find_part(arena, locale, info->code, "title");
	struct td_slice happened = find_part(arena, locale, info->code, "happened");
	struct td_slice remedy = find_part(arena, locale, info->code, "remedy");
	bool translated = title.ptr != NULL && happened.ptr != NULL && remedy.ptr != NULL;
	char status[16];
	(void)snprintf(status, sizeof(status), "%d", info->http);
	tpl_put_str(arena, map, "code", info->code);
	tpl_put_str(arena, map, "status", status);
	tpl_put_text(arena, map, "heading", translated ? title : td_slice_str(info->title));
	tpl_put_text(arena, map, "happened", translated ? happened : td_slice_str(info->happened));
	tpl_put_text(arena, map, "remedy", translated ? remedy : td_slice_str(info->remedy));
	tpl_put_str(arena, map, "text_lang",
		translated || td_slice_is(locale_code(locale), "en") ? NULL : "en");
}
