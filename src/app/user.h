/* Users: what a record must look like, and the operations that write and read it. No HTTP, no SQL.
 *
 * The functions that prepare an operation set its kind and fill op->in from op->arena; the caller
 * has set op->now_ms. They return false only where there is no memory, and then nothing of `op` may
 * be submitted. */
#ifndef TD_APP_USER_H
#define TD_APP_USER_H

#include "app/fault.h"
#include "base/compiler.h"
#include "base/slice.h"
#include "store/store.h"

#include <stdbool.h>

#define APP_USER_ID_MAX 64

/* The words of the rule below, for messages. */
#define APP_USER_ID_RULE                                                                         \
	"a user_id has 1 to 64 characters of A-Z, a-z, 0-9 and . _ : @ -, and is neither \".\" " \
	"nor "                                                                                   \
	"\"..\""

/* What a caller may set. A field that was not given has a NULL pointer; one that is empty has not.
 */
struct app_user_form {
	struct td_slice email, first_name, last_name;
	struct td_slice company; /* optional */
};

/* The caller's own id or one of ours. */
bool app_user_id_is_valid(struct td_slice id);

/* Trims the fields of *form (app_text_trim) and adds every fault there is, at "/email",
 * "/first_name", "/last_name", "/company"; a place that has one already gets no second. Names have
 * 1 to 100 characters, a company 1 to 200. */
void app_user_check(struct app_user_form *form, struct app_faults *faults);

/* The user is `form`, which must have passed the check, under the caller's id. */
bool app_user_put(
	struct store_op *op, struct td_slice id, const struct app_user_form *form) TD_MUST_CHECK;

/* As above under an id of ours, a UUID of version 7: op->in.user is the user as it will stand in
 * the store, so an answer can be made of it before it is written. */
bool app_user_create(struct store_op *op, const struct app_user_form *form) TD_MUST_CHECK;

/* Only op->in.user of the above, for an operation that makes a user along with other things. */
bool app_user_fill(struct store_op *op, const struct app_user_form *form) TD_MUST_CHECK;

bool app_user_get(struct store_op *op, struct td_slice id) TD_MUST_CHECK;

/* Letters compare without case (ASCII); spaces at the ends do not count. */
bool app_user_find(struct store_op *op, struct td_slice email) TD_MUST_CHECK;

#endif
