/* Templates: a subset of Mustache, parsed once into a small program and rendered many times.
 *
 *     {{name}} {{a.b}} {{.}}     the value, with & < > " ' escaped: always, there is no raw form
 *     {{t.key}}                  a text in the page's language; `{name}` inside it is the value
 *     {{#name}}…{{/name}}        once for a true value or map, once for each item of a list
 *     {{^name}}…{{/name}}        where the value is missing, false or empty
 *     {{> partial}}              another template of the set
 *     {{! comment }}
 *
 * Names are looked up from the innermost section outwards. A tag other than a value that stands
 * alone on its line takes the line with it. A missing value is empty.
 *
 * Pure: no I/O, no clock, no global state. A set never changes once made, so that any number of
 * threads may render from it. */
#ifndef TD_PAGE_TEMPLATE_H
#define TD_PAGE_TEMPLATE_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "page/value.h"

#include <stddef.h>

#define TPL_SOURCE_MOST  (256 * 1024) /* bytes of one template */
#define TPL_COUNT_MOST   64           /* templates of a set */
#define TPL_NAME_MOST    64           /* bytes of a name */
#define TPL_SECTION_MOST 16           /* sections inside each other, in one template */
#define TPL_PARTIAL_MOST 8            /* partials inside each other */
#define TPL_STEP_MOST    1000000      /* program steps of one rendering */

struct tpl_set;

struct tpl_source {
	struct td_slice name; /* "pricing", "partials/head": what {{> …}} says */
	struct td_slice text;
};

/* Parses all of them and ties the partials together. Copies everything.
 *   TD_OK       *ret_set is the caller's; tpl_set_destroy()
 *   TD_INVALID  err says "NAME:LINE:COLUMN: what is wrong" of the first fault
 *   TD_TOOBIG   a limit above is passed, in the same form
 *   TD_NOMEM */
enum td_status tpl_set_create(const struct tpl_source *sources, size_t count,
	struct tpl_set **ret_set, struct td_err *err) TD_MUST_CHECK;

/* NULL is fine. */
void tpl_set_destroy(struct tpl_set *set);

/* True where the set has a template of that name. */
bool tpl_set_has(const struct tpl_set *set, const char *name);

/* Where {{t.key}} gets its texts. */
struct tpl_texts {
	/* The text of a key; a NULL pointer where there is none. */
	struct td_slice (*find)(const void *ctx, struct td_slice key);
	const void *ctx;
};

/* Looks every {{t.key}} of the set up. TD_INVALID names the first place whose key has no text. */
enum td_status tpl_set_check_texts(
	const struct tpl_set *set, const struct tpl_texts *texts, struct td_err *err) TD_MUST_CHECK;

/* Appends the page to `out`.
 *   TD_NOTFOUND  no template of that name
 *   TD_TOOBIG    over out->limit or TPL_STEP_MOST
 *   TD_NOMEM
 * What was appended before a failure is of no use. */
enum td_status tpl_render(const struct tpl_set *set, const char *name, const struct tpl_value *root,
	const struct tpl_texts *texts, struct td_buf *out, struct td_err *err) TD_MUST_CHECK;

/* & < > " ' as entities: safe as text and inside quoted attributes. */
void tpl_escape(struct td_buf *out, struct td_slice text);

/* Takes the piece up to the next `{name}` off a text of a locale: *ret_before is shown as it is,
 * *ret_name is empty at the end. False, with nothing taken, where a brace has no partner or the
 * name is not one. An empty *rest gives an empty piece. */
bool tpl_text_next(struct td_slice *rest, struct td_slice *ret_before, struct td_slice *ret_name);

/* One or more of [a-z0-9_], joined by dots; or a single dot. */
bool tpl_name_is_valid(struct td_slice name);

#endif
