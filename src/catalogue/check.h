/* Checking values of a parsed catalogue file, one fault a wrong value, and going on. Only for the
 * catalogue's own files. */
#ifndef TD_CATALOGUE_CHECK_H
#define TD_CATALOGUE_CHECK_H

#include "base/arena.h"
#include "base/compiler.h"
#include "base/slice.h"
#include "catalogue/file.h"

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct check {
	struct td_arena *arena;
	struct catalogue_faults *faults;
	char pointer[512]; /* of the value being looked at; cut where it would be longer */
	size_t pointer_len;
};

/* Goes into a member or element; check_leave() with the result goes back. */
size_t check_enter(struct check *c, const char *member);
size_t check_enter_index(struct check *c, size_t index);
void check_leave(struct check *c, size_t before);

/* Notes a fault at the current pointer. Characters that a terminal would obey become '?'. */
void check_fault(struct check *c, const char *fmt, ...) TD_PRINTF(2, 3);

/* Every member of `object` must be one of `names`. */
void check_members(struct check *c, json_t *object, const char *const *names, size_t count);

struct check_text {
	const char *member;
	size_t most;                           /* characters */
	bool required;                         /* and not empty */
	bool lines;                            /* line feeds may be in it */
	bool (*is_form)(struct td_slice text); /* NULL: any text without control characters */
	const char *form;                      /* what it should be, in words */
};

/* Each takes the member off the object, notes what is wrong with it, and gives a value that is safe
 * to go on with. */
struct td_slice check_take_text(
	struct check *c, const json_t *object, const struct check_text *rule);
int64_t check_take_money(struct check *c, const json_t *object, const char *member);
bool check_take_bool(struct check *c, const json_t *object, const char *member, bool absent);

struct check_number {
	const char *member;
	int64_t least, most;
	bool required;
	int64_t absent; /* where it is not required */
};

int64_t check_take_number(struct check *c, const json_t *object, const struct check_number *rule);

/* The value as text by the rule, which names no member. */
struct td_slice check_value_text(
	struct check *c, const json_t *value, const struct check_text *rule);

/* "standard", "pro-2". */
bool check_is_slug(struct td_slice text);

/* "api_access", "feature.sso.name.es", "name.pt-BR". */
bool check_is_key(struct td_slice text);

#endif
