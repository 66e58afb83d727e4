#include "page/template_internal.h"

#include "base/alloc.h"

#include <string.h>

size_t tpl_set_index(const struct tpl_set *set, struct td_slice name)
{
	size_t i = 0;
	while (i < set->count && !td_slice_equal(set->templates[i].name, name))
		i++;
	return i;
}

bool tpl_set_has(const struct tpl_set *set, const char *name)
{
	return tpl_set_index(set, td_slice_str(name)) < set->count;
}

/* The source behind the name in one block, which the name's pointer owns. */
static enum td_status copy_source(
	struct tpl_template *template, const struct tpl_source *source, struct td_err *err)
{
	if (source->name.len > TPL_NAME_MOST)
		return td_err_set(err, TD_TOOBIG, "the name of a template is over %d bytes: %.*s",
			TPL_NAME_MOST, TPL_NAME_MOST, source->name.ptr);
	if (source->text.len > TPL_SOURCE_MOST)
		return td_err_set(err, TD_TOOBIG, "%.*s:1:1: longer than 256 KiB",
			TD_SLICE_ARG(source->name));
	char *block = td_alloc(source->name.len + source->text.len + 1);
	if (block == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for a template");
	if (source->name.len > 0)
		memcpy(block, source->name.ptr, source->name.len);
	if (source->text.len > 0)
		memcpy(block + source->name.len, source->text.ptr, source->text.len);
	template->name = td_slice(block, source->name.len);
	template->source = td_slice(block + source->name.len, source->text.len);
	return TD_OK;
}

/* How many partials stand inside each other below a template; found once for each. */
struct nesting {
	uint8_t height[TPL_COUNT_MOST];
	uint8_t state[TPL_COUNT_MOST]; /* 0 not looked at, 1 being looked at, 2 known */
};

static enum td_status link_one(
	struct tpl_set *set, size_t index, struct nesting *nesting, struct td_err *err)
{
	struct tpl_template *template = &set->templates[index];
	nesting->state[index] = 1;
	for (size_t i = 0; i < template->count; i++) {
		struct tpl_op *op = &template->ops[i];
		if (op->kind != TPL_OP_PARTIAL)
			continue;
		size_t target = tpl_set_index(set, op->text);
		if (target == set->count)
			return tpl_fault(template, op->offset, TD_INVALID,
				"there is no template named", op->text, err);
		if (nesting->state[target] == 1)
			return tpl_fault(template, op->offset, TD_INVALID,
				"a partial includes itself:", op->text, err);
		op->target = (uint32_t)target;
		enum td_status status = nesting->state[target] == 2
						? TD_OK
						: link_one(set, target, nesting, err);
		if (status != TD_OK)
			return status;
		if (nesting->height[target] + 1 > TPL_PARTIAL_MOST)
			return tpl_fault(template, op->offset, TD_TOOBIG,
				"more than 8 partials inside each other:", op->text, err);
		if (nesting->height[index] < nesting->height[target] + 1)
			nesting->height[index] = (uint8_t)(nesting->height[target] + 1);
	}
	nesting->state[index] = 2;
	return TD_OK;
}

static enum td_status fill(
	struct tpl_set *set, const struct tpl_source *sources, size_t count, struct td_err *err)
{
	for (size_t i = 0; i < count; i++) {
		if (tpl_set_index(set, sources[i].name) < set->count)
			return td_err_set(err, TD_INVALID, "%.*s:1:1: two templates have this name",
				TD_SLICE_ARG(sources[i].name));
		enum td_status status = copy_source(&set->templates[i], &sources[i], err);
		if (status != TD_OK)
			return status;
		set->count++;
		status = tpl_parse(&set->templates[i], err);
		if (status != TD_OK)
			return status;
	}
	struct nesting nesting = {{0}, {0}};
	for (size_t i = 0; i < count; i++) {
		enum td_status status = nesting.state[i] == 2 ? TD_OK
							      : link_one(set, i, &nesting, err);
		if (status != TD_OK)
			return status;
	}
	return TD_OK;
}

enum td_status tpl_set_create(const struct tpl_source *sources, size_t count,
	struct tpl_set **ret_set, struct td_err *err)
{
	if (count > TPL_COUNT_MOST)
		return td_err_set(err, TD_TOOBIG, "more than %d templates", TPL_COUNT_MOST);
	struct tpl_set *set = td_alloc_zero(sizeof(*set));
	if (set == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for templates");
	set->templates = td_alloc_array(count > 0 ? count : 1, sizeof(*set->templates));
	enum td_status status = set->templates == NULL
					? td_err_set(err, TD_NOMEM, "no memory for templates")
					: fill(set, sources, count, err);
	if (status != TD_OK) {
		tpl_set_destroy(set);
		return status;
	}
	*ret_set = set;
	return TD_OK;
}

void tpl_set_destroy(struct tpl_set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->count; i++) {
		td_free((void *)(uintptr_t)set->templates[i].name.ptr);
		td_free(set->templates[i].ops);
	}
	td_free(set->templates);
	td_free(set);
}

enum td_status tpl_set_check_texts(
	const struct tpl_set *set, const struct tpl_texts *texts, struct td_err *err)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct tpl_template *template = &set->templates[i];
		for (size_t k = 0; k < template->count; k++) {
			const struct tpl_op *op = &template->ops[k];
			if (op->kind == TPL_OP_WORDS &&
				texts->find(texts->ctx, op->text).ptr == NULL)
				return tpl_fault(template, op->offset, TD_INVALID,
					"no locale has the text", op->text, err);
		}
	}
	return TD_OK;
}
