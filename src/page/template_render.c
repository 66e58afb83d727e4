#include "page/template_internal.h"

#include <string.h>

/* A section that is being rendered; the innermost first. */
struct scope {
	const struct tpl_value *value;
	const struct scope *outer;
};

struct renderer {
	const struct tpl_set *set;
	const struct tpl_texts *texts;
	struct td_buf *out;
	size_t steps; /* rounds and ops so far */
	struct td_err *err;
};

void tpl_escape(struct td_buf *out, struct td_slice text)
{
	size_t from = 0;
	for (size_t i = 0; i < text.len; i++) {
		const char *entity;
		switch (text.ptr[i]) {
		case '&':
			entity = "&amp;";
			break;
		case '<':
			entity = "&lt;";
			break;
		case '>':
			entity = "&gt;";
			break;
		case '"':
			entity = "&quot;";
			break;
		case '\'':
			entity = "&#39;";
			break;
		default:
			continue;
		}
		td_buf_put(out, text.ptr + from, i - from);
		td_buf_put_str(out, entity);
		from = i + 1;
	}
	if (from < text.len)
		td_buf_put(out, text.ptr + from, text.len - from);
}

static const struct tpl_value *find_value(const struct scope *scope, struct td_slice path)
{
	if (td_slice_is(path, "."))
		return scope->value;
	struct td_slice piece;
	const struct tpl_value *value = NULL;
	if (!td_slice_cut(&path, '.', &piece))
		return NULL;
	for (; scope != NULL && value == NULL; scope = scope->outer)
		value = tpl_member(scope->value, piece);
	while (value != NULL && td_slice_cut(&path, '.', &piece))
		value = tpl_member(value, piece);
	return value;
}

static void put_value(struct renderer *r, const struct scope *scope, struct td_slice name)
{
	const struct tpl_value *value = find_value(scope, name);
	if (value != NULL && value->kind == TPL_TEXT)
		tpl_escape(r->out, value->text);
}

bool tpl_text_next(struct td_slice *rest, struct td_slice *ret_before, struct td_slice *ret_name)
{
	size_t at = 0;
	while (at < rest->len && rest->ptr[at] != '{' && rest->ptr[at] != '}')
		at++;
	struct td_slice behind = td_slice_skip(*rest, at);
	struct td_slice name = {behind.ptr, 0};
	if (behind.len > 0) {
		const char *close = memchr(behind.ptr, '}', behind.len);
		if (behind.ptr[0] == '}' || close == NULL)
			return false;
		name = (struct td_slice){behind.ptr + 1, (size_t)(close - behind.ptr) - 1};
		if (!tpl_name_is_valid(name))
			return false;
		behind = td_slice_skip(behind, name.len + 2);
	}
	*ret_before = (struct td_slice){rest->ptr, at};
	*ret_name = name;
	*rest = behind;
	return true;
}

/* A text whose braces are wrong is shown as it is: the locale's loader has refused it before. */
static void put_words(struct renderer *r, const struct scope *scope, struct td_slice key)
{
	if (r->texts == NULL)
		return;
	struct td_slice rest = r->texts->find(r->texts->ctx, key), before, name;
	while (rest.len > 0) {
		if (!tpl_text_next(&rest, &before, &name)) {
			tpl_escape(r->out, rest);
			return;
		}
		tpl_escape(r->out, before);
		if (name.len > 0)
			put_value(r, scope, name);
	}
}

static enum td_status render_range(struct renderer *r, const struct tpl_template *template,
	size_t from, size_t to, const struct scope *scope);

static enum td_status render_section(struct renderer *r, const struct tpl_template *template,
	size_t index, const struct scope *scope)
{
	const struct tpl_op *op = &template->ops[index];
	const struct tpl_value *value = find_value(scope, op->text);
	if (!tpl_is_true(value))
		return TD_OK;
	if (value->kind != TPL_LIST) {
		struct scope inner = {value, scope};
		return render_range(r, template, index + 1, op->target, &inner);
	}
	for (const struct tpl_value *item = value->first; item != NULL; item = item->next) {
		struct scope inner = {item, scope};
		enum td_status status = render_range(r, template, index + 1, op->target, &inner);
		if (status != TD_OK)
			return status;
	}
	return TD_OK;
}

static enum td_status render_op(struct renderer *r, const struct tpl_template *template,
	size_t index, const struct scope *scope)
{
	const struct tpl_op *op = &template->ops[index];
	switch (op->kind) {
	case TPL_OP_TEXT:
		td_buf_put_slice(r->out, op->text);
		return TD_OK;
	case TPL_OP_VALUE:
		put_value(r, scope, op->text);
		return TD_OK;
	case TPL_OP_WORDS:
		put_words(r, scope, op->text);
		return TD_OK;
	case TPL_OP_SECTION:
		return render_section(r, template, index, scope);
	case TPL_OP_INVERTED:
		if (tpl_is_true(find_value(scope, op->text)))
			return TD_OK;
		return render_range(r, template, index + 1, op->target, scope);
	case TPL_OP_PARTIAL: {
		const struct tpl_template *partial = &r->set->templates[op->target];
		return render_range(r, partial, 0, partial->count, scope);
	}
	}
	return TD_OK;
}

static enum td_status render_range(struct renderer *r, const struct tpl_template *template,
	size_t from, size_t to, const struct scope *scope)
{
	r->steps++; /* a round without an op costs too */
	for (size_t i = from; i < to;) {
		const struct tpl_op *op = &template->ops[i];
		if (++r->steps > TPL_STEP_MOST || r->out->failed)
			return tpl_fault(template, op->offset, TD_TOOBIG,
				"the page grows over its limit here", td_slice_str(NULL), r->err);
		enum td_status status = render_op(r, template, i, scope);
		if (status != TD_OK)
			return status;
		bool has_inside = op->kind == TPL_OP_SECTION || op->kind == TPL_OP_INVERTED;
		i = has_inside ? op->target : i + 1;
	}
	return TD_OK;
}

enum td_status tpl_render(const struct tpl_set *set, const char *name, const struct tpl_value *root,
	const struct tpl_texts *texts, struct td_buf *out, struct td_err *err)
{
	size_t index = tpl_set_index(set, td_slice_str(name));
	if (index == set->count)
		return td_err_set(err, TD_NOTFOUND, "there is no template named %s", name);
	struct renderer r = {set, texts, out, 0, err};
	struct scope scope = {root, NULL};
	const struct tpl_template *template = &set->templates[index];
	enum td_status status = render_range(&r, template, 0, template->count, &scope);
	if (status == TD_OK && out->failed)
		return td_err_set(err, TD_TOOBIG, "%s: the page is over its limit", name);
	return status;
}
