#include "page/template_internal.h"

#include "base/alloc.h"

#include <string.h>

struct open_section {
	struct td_slice name;
	size_t op; /* its number in the program */
};

struct parser {
	struct tpl_template *template;
	struct td_err *err;
	size_t at;   /* the next byte to look at */
	size_t from; /* where the text not yet in the program begins */
	struct open_section open[TPL_SECTION_MOST];
	size_t open_count;
};

/* A tag as it stands in the source: from "{{" to behind "}}". */
struct tag {
	size_t begin, end;
	char sign; /* one of # ^ / > !, or 0 for a value */
	struct td_slice name;
};

enum td_status tpl_fault(const struct tpl_template *template, size_t offset, enum td_status status,
	const char *words, struct td_slice name, struct td_err *err)
{
	size_t line = 1, column = 1;
	for (size_t i = 0; i < offset && i < template->source.len; i++) {
		column++;
		if (template->source.ptr[i] == '\n') {
			line++;
			column = 1;
		}
	}
	if (name.len > TPL_NAME_MOST)
		name.len = TPL_NAME_MOST;
	return td_err_set(err, status, "%.*s:%zu:%zu: %s%s%.*s%s", TD_SLICE_ARG(template->name),
		line, column, words, name.len > 0 ? " \"" : "", (int)name.len,
		name.len > 0 ? name.ptr : "", name.len > 0 ? "\"" : "");
}

static enum td_status fail(struct parser *p, size_t offset, const char *words, struct td_slice name)
{
	return tpl_fault(p->template, offset, TD_INVALID, words, name, p->err);
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

bool tpl_name_is_valid(struct td_slice name)
{
	if (name.len == 0 || name.len > TPL_NAME_MOST)
		return false;
	if (name.len == 1 && name.ptr[0] == '.')
		return true;
	bool want_char = true;
	for (size_t i = 0; i < name.len; i++) {
		if (is_name_char(name.ptr[i]))
			want_char = false;
		else if (name.ptr[i] == '.' && !want_char)
			want_char = true;
		else
			return false;
	}
	return !want_char;
}

static bool is_partial_name(struct td_slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (!is_name_char(name.ptr[i]) && name.ptr[i] != '/' && name.ptr[i] != '-')
			return false;
	}
	return name.len > 0 && name.len <= TPL_NAME_MOST;
}

static enum td_status add_op(
	struct parser *p, enum tpl_op_kind kind, struct td_slice text, size_t offset)
{
	struct tpl_template *t = p->template;
	if (t->count == t->cap) {
		size_t cap = t->cap == 0 ? 32 : t->cap * 2;
		struct tpl_op *ops = td_realloc_array(t->ops, cap, sizeof(*ops));
		if (ops == NULL)
			return td_err_set(p->err, TD_NOMEM, "no memory to parse a template");
		t->ops = ops;
		t->cap = cap;
	}
	t->ops[t->count++] = (struct tpl_op){kind, 0, (uint32_t)offset, text};
	return TD_OK;
}

static enum td_status add_text(struct parser *p, size_t end)
{
	if (end <= p->from)
		return TD_OK;
	struct td_slice text = {p->template->source.ptr + p->from, end - p->from};
	return add_op(p, TPL_OP_TEXT, text, p->from);
}

/* The first byte of `pair` (two equal braces) at or behind `at`; the source's length if none. */
static size_t find_pair(struct td_slice source, size_t at, char brace)
{
	while (at + 1 < source.len) {
		const char *hit = memchr(source.ptr + at, brace, source.len - at - 1);
		if (hit == NULL)
			break;
		at = (size_t)(hit - source.ptr);
		if (source.ptr[at + 1] == brace)
			return at;
		at++;
	}
	return source.len;
}

static struct td_slice trim_all(struct td_slice s)
{
	static const char blank[] = " \t\r\n";
	while (s.len > 0 && memchr(blank, s.ptr[0], 4) != NULL)
		s = td_slice_skip(s, 1);
	while (s.len > 0 && memchr(blank, s.ptr[s.len - 1], 4) != NULL)
		s.len--;
	return s;
}

/* p->at stands at "{{". */
static enum td_status read_tag(struct parser *p, struct tag *tag)
{
	struct td_slice source = p->template->source;
	tag->begin = p->at;
	size_t close = find_pair(source, p->at + 2, '}');
	if (close == source.len)
		return fail(p, tag->begin, "a tag is not closed with }}", td_slice_str(NULL));
	tag->end = close + 2;
	struct td_slice inside = trim_all(
		(struct td_slice){source.ptr + p->at + 2, close - p->at - 2});
	tag->sign = 0;
	if (inside.len > 0 && memchr("{&=", inside.ptr[0], 3) != NULL)
		return fail(p, tag->begin,
			"raw values ({{{, {{&) and other delimiters ({{=) are not supported",
			td_slice_str(NULL));
	if (inside.len > 0 && memchr("#^/>!", inside.ptr[0], 5) != NULL) {
		tag->sign = inside.ptr[0];
		inside = trim_all(td_slice_skip(inside, 1));
	}
	tag->name = inside;
	if (tag->sign == '!')
		return TD_OK;
	if (tag->sign == '>' ? !is_partial_name(inside) : !tpl_name_is_valid(inside))
		return fail(p, tag->begin, "not a name:", inside.len > 0 ? inside : TD_SLICE(" "));
	return TD_OK;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* A tag alone on its line takes the whole line: widens it from the line's begin to behind its end.
 */
static void take_line(struct parser *p, struct tag *tag)
{
	struct td_slice source = p->template->source;
	size_t begin = tag->begin, end = tag->end;
	while (begin > p->from && is_blank(source.ptr[begin - 1]))
		begin--;
	if (begin > 0 && source.ptr[begin - 1] != '\n')
		return;
	while (end < source.len && is_blank(source.ptr[end]))
		end++;
	if (end < source.len && source.ptr[end] != '\n')
		return;
	tag->begin = begin;
	tag->end = end < source.len ? end + 1 : end;
}

static enum td_status open_section(struct parser *p, const struct tag *tag, size_t offset)
{
	if (p->open_count == TPL_SECTION_MOST)
		return tpl_fault(p->template, offset, TD_TOOBIG,
			"more than 16 sections inside each other:", tag->name, p->err);
	p->open[p->open_count++] = (struct open_section){tag->name, p->template->count};
	return add_op(p, tag->sign == '#' ? TPL_OP_SECTION : TPL_OP_INVERTED, tag->name, offset);
}

static enum td_status close_section(struct parser *p, const struct tag *tag, size_t offset)
{
	if (p->open_count == 0)
		return fail(p, offset, "no section is open that this could close:", tag->name);
	struct open_section *last = &p->open[p->open_count - 1];
	if (!td_slice_equal(last->name, tag->name))
		return fail(p, offset, "another section has to be closed first, not", tag->name);
	p->template->ops[last->op].target = (uint32_t)p->template->count;
	p->open_count--;
	return TD_OK;
}

static enum td_status add_tag(struct parser *p, const struct tag *tag, size_t offset)
{
	switch (tag->sign) {
	case '#':
	case '^':
		return open_section(p, tag, offset);
	case '/':
		return close_section(p, tag, offset);
	case '>':
		return add_op(p, TPL_OP_PARTIAL, tag->name, offset);
	case '!':
		return TD_OK;
	default:
		if (td_slice_has_prefix(tag->name, "t."))
			return add_op(p, TPL_OP_WORDS, td_slice_skip(tag->name, 2), offset);
		return add_op(p, TPL_OP_VALUE, tag->name, offset);
	}
}

static enum td_status parse_tag(struct parser *p)
{
	struct tag tag = {0};
	size_t offset = p->at;
	enum td_status status = read_tag(p, &tag);
	if (status != TD_OK)
		return status;
	if (tag.sign != 0)
		take_line(p, &tag);
	status = add_text(p, tag.begin);
	if (status == TD_OK)
		status = add_tag(p, &tag, offset);
	p->at = p->from = tag.end;
	return status;
}

enum td_status tpl_parse(struct tpl_template *template, struct td_err *err)
{
	struct parser p = {.template = template, .err = err};
	if (template->source.len > TPL_SOURCE_MOST)
		return tpl_fault(
			template, 0, TD_TOOBIG, "longer than 256 KiB", td_slice_str(NULL), err);
	for (;;) {
		p.at = find_pair(template->source, p.at, '{');
		if (p.at == template->source.len)
			break;
		enum td_status status = parse_tag(&p);
		if (status != TD_OK)
			return status;
	}
	if (p.open_count > 0) {
		const struct open_section *last = &p.open[p.open_count - 1];
		return fail(&p, template->ops[last->op].offset,
			"this section is never closed:", last->name);
	}
	return add_text(&p, template->source.len);
}
