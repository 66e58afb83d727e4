/* The program that a template becomes; for template_*.c and their tests only. */
#ifndef TD_PAGE_TEMPLATE_INTERNAL_H
#define TD_PAGE_TEMPLATE_INTERNAL_H

#include "page/template.h"

#include <stdint.h>

enum tpl_op_kind {
	TPL_OP_TEXT,     /* text: bytes to copy */
	TPL_OP_VALUE,    /* text: the name */
	TPL_OP_WORDS,    /* text: the key, without "t." */
	TPL_OP_SECTION,  /* text: the name; `target`: the op behind its end */
	TPL_OP_INVERTED, /* the same */
	TPL_OP_PARTIAL,  /* text: the name; `target`: the template's number */
};

struct tpl_op {
	enum tpl_op_kind kind;
	uint32_t target;
	uint32_t offset; /* of the tag in the source, for messages */
	struct td_slice text;
};

struct tpl_template {
	struct td_slice name, source; /* owned by the set */
	struct tpl_op *ops;           /* owned */
	size_t count, cap;
};

struct tpl_set {
	struct tpl_template *templates;
	size_t count;
};

/* The template's number, or `count` where there is none. */
size_t tpl_set_index(const struct tpl_set *set, struct td_slice name);

/* Fills `template->ops` from `template->source`. */
enum td_status tpl_parse(struct tpl_template *template, struct td_err *err) TD_MUST_CHECK;

/* "NAME:LINE:COLUMN: words". */
enum td_status tpl_fault(const struct tpl_template *template, size_t offset, enum td_status status,
	const char *words, struct td_slice name, struct td_err *err);

#endif
