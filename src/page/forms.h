/* The forms that people fill in: what is looked at before anything is done, and how each is shown.
 * Pure. Only for page/'s own files and their tests. */
#ifndef TD_PAGE_FORMS_H
#define TD_PAGE_FORMS_H

#include "app/subscription.h"
#include "app/user.h"
#include "page/form.h"

/* The names that each form knows, for page_form_read(); each list ends with NULL. */
extern const char *const page_checkout_names[];
extern const char *const page_sign_in_names[];
extern const char *const page_reset_names[];
extern const char *const page_change_names[];
extern const char *const page_cancel_names[];
extern const char *const page_keep_names[];

/* The period that was sent under `billing_cycle`; NONE: none of ours. */
enum store_cycle page_form_cycle(const struct page_form *form);

/* Whether `when` is one of ours. */
bool page_form_has_when(const struct page_form *form);

/* What was sent under `when`: "period_end", else it is now; to be done only where it is ours. */
enum app_when page_form_when(const struct page_form *form);

/* A whole number above 0 of at most 18 digits; 0: it is none. */
int64_t page_number(struct td_slice text);

/* The package's prices as a form carries them, so that nobody agrees to a price that was not shown.
 * NULL: no memory. */
const char *page_prices_seen(struct td_arena *arena, const struct store_package *package);

/* Adds every fault there is. For a visitor *ret_user is what the form says, ready for the store. */
void page_check_checkout(struct page_form *form, struct td_arena *arena,
	const struct store_package *package, bool is_visitor, struct app_user_form *ret_user);

/* The prices that the form has seen are the package's, or it has seen none. */
void page_check_prices(
	struct page_form *form, struct td_arena *arena, const struct store_package *package);

void page_check_sign_in(struct page_form *form);
void page_check_reset(struct page_form *form);

/* The period, and when it happens: one of ours each. Until it is final both may be missing. */
void page_check_change(struct page_form *form, bool is_final);
void page_check_cancel(struct page_form *form);

void page_model_checkout(struct td_arena *arena, struct tpl_value *root,
	const struct locale *locale, const struct catalogue_package *package,
	const struct page_form *form, enum page_billing billing);

/* `next`: where to go after it; empty: to the account. */
void page_model_sign_in(struct td_arena *arena, struct tpl_value *root, const struct locale *locale,
	const struct page_form *form, struct td_slice next);

void page_model_reset(struct td_arena *arena, struct tpl_value *root, const struct locale *locale,
	const struct page_form *form, struct td_slice token, struct td_slice email);

void page_model_cancel(struct td_arena *arena, struct tpl_value *root, const struct locale *locale,
	const struct page_form *form);

/* Where somebody may be led after signing in: the account or a checkout, with a plain query.
 * Everything else, and what a browser might take for another site, is not one. */
bool page_next_is_ours(struct td_slice next);

/* One of those as a value in a query. NULL: no memory. */
const char *page_next_escaped(struct td_arena *arena, struct td_slice next);

#endif
