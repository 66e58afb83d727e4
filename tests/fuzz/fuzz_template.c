/* Templates: parsed, tied together, checked for texts, rendered. The input is up to three
 * templates ("main", "part", "deep/er") with the byte 0x1F between them. */
#include "fuzz.h"

#include "base/arena.h"
#include "page/template.h"
#include "page/value.h"

static struct td_slice find_text(const void *ctx, struct td_slice key)
{
	(void)ctx;
	if (td_slice_is(key, "hello"))
		return TD_SLICE("hello {name} & {no}, {name");
	if (td_slice_is(key, "a.b"))
		return TD_SLICE("{user.name}");
	return td_slice_is(key, "x") ? TD_SLICE("x") : td_slice(NULL, 0);
}

static struct tpl_value *make_values(struct td_arena *arena)
{
	struct tpl_value *root = tpl_map(arena);
	tpl_put_str(arena, root, "name", "<a href=\"x\" id='y'>&");
	tpl_put_flag(arena, root, "yes", true);
	tpl_put_flag(arena, root, "no", false);
	struct tpl_value *user = tpl_put_map(arena, root, "user");
	tpl_put_str(arena, user, "name", "Ana");
	struct tpl_value *list = tpl_put_list(arena, root, "list");
	for (unsigned i = 0; i < 3; i++) {
		struct tpl_value *item = tpl_add_map(arena, list);
		tpl_put_flag(arena, item, "odd", i % 2 == 1);
		tpl_put_str(arena, item, "x", "item");
	}
	struct tpl_value *texts = tpl_put_list(arena, root, "texts");
	tpl_add_text(arena, texts, TD_SLICE("one"));
	tpl_add_text(arena, texts, TD_SLICE(""));
	(void)tpl_put_list(arena, root, "empty");
	return root;
}

static void render(const struct tpl_set *set, const struct tpl_texts *texts)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct tpl_value *root = make_values(&arena);
	struct td_buf out = {.limit = 65536};
	struct td_err err = TD_ERR_INIT;
	if (!arena.failed && tpl_render(set, "main", root, texts, &out, &err) == TD_OK)
		FUZZ_CLAIM(!out.failed && out.len <= out.limit);
	td_buf_done(&out);
	td_arena_done(&arena);
}

/* Pieces of a text with braces add up to the text. */
static void cut_text(struct td_slice text)
{
	struct td_slice rest = text, before, name;
	while (tpl_text_next(&rest, &before, &name)) {
		FUZZ_CLAIM(before.len == 0 || fuzz_is_within(before, text));
		FUZZ_CLAIM(name.len == 0 || tpl_name_is_valid(name));
		if (name.len == 0)
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"main", "part", "deep/er"};
	struct tpl_source sources[TD_ARRAY_LEN(names)];
	struct td_slice rest = fuzz_slice(data, size), piece;
	size_t count = 0;
	while (count < TD_ARRAY_LEN(names) && td_slice_cut(&rest, '\x1F', &piece)) {
		cut_text(piece);
		sources[count] = (struct tpl_source){td_slice_str(names[count]), piece};
		count++;
	}
	struct tpl_set *set = NULL;
	struct td_err err = TD_ERR_INIT;
	struct tpl_texts texts = {.find = find_text};
	if (tpl_set_create(sources, count, &set, &err) != TD_OK) {
		FUZZ_CLAIM(err.code != TD_OK && err.text[0] != '\0');
		return 0;
	}
	FUZZ_CLAIM(tpl_set_has(set, "main") == (count > 0));
	if (tpl_set_check_texts(set, &texts, &err) != TD_OK)
		FUZZ_CLAIM(err.text[0] != 0);
	render(set, &texts);
	tpl_set_destroy(set);
	return 0;
}
