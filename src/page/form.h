/* A form as it was sent, what is wrong with it, and how it is shown again: every answer kept but
 * passwords, the summary of errors at the top. Only for page/'s own files and their tests. */
#ifndef TD_PAGE_FORM_H
#define TD_PAGE_FORM_H

#include "http/form.h"
#include "page/page_internal.h"

#define PAGE_WRONG_MOST 12

/* How an input is shown; static. */
struct page_field {
	const char *name;         /* of the input, its id, and its map in the template */
	const char *label, *hint; /* keys of the locale; hint: or NULL */
	const char *type;         /* "text", "email", "password" */
	const char *autocomplete;
	bool is_optional;
};

struct page_wrong {
	const char *field; /* the id that the summary leads to; NULL: no field's fault */
	const char *key;   /* of the locale */
};

struct page_form {
	struct http_form sent; /* empty at first */
	struct page_wrong wrong[PAGE_WRONG_MOST];
	size_t wrong_count;
};

/* Reads a body. False: it is no form, or a field that we know came twice (`names` ends with NULL):
 * somebody plays with it. */
bool page_form_read(struct page_form *form, struct td_slice body, struct td_arena *arena,
	const char *const *names) TD_MUST_CHECK;

/* What was sent; an empty slice where it was not. Names and addresses of e-mail without the spaces
 * at their ends, if they are UTF-8 (a form always is). */
struct td_slice page_form_get(const struct page_form *form, const char *name);
struct td_slice page_form_trimmed(const struct page_form *form, const char *name);

/* In the order of the page. One fault a field: later ones are left out. `key` is static. */
void page_form_wrong(struct page_form *form, const char *field, const char *key);

/* The summary: `problems` (`text`, `href`), and `is_wrong`. */
void page_form_put_wrong(struct td_arena *arena, struct tpl_value *root,
	const struct locale *locale, const struct page_form *form);

/* A map under the field's name for partials/field. `value` is what it holds. */
void page_form_put_field(struct td_arena *arena, struct tpl_value *root,
	const struct locale *locale, const struct page_form *form, const struct page_field *field,
	struct td_slice value);

/* "checked" and the fault of a checkbox or a group of radios: `NAME_error`. */
void page_form_put_error(struct td_arena *arena, struct tpl_value *root,
	const struct locale *locale, const struct page_form *form, const char *name);

#endif
