#include "page/forms.h"

#include "app/password.h"
#include "app/text.h"
#include "base/utf8.h"

#include <inttypes.h>

#define REASON_MOST   500
#define NEXT_MOST     200
#define NUMBER_DIGITS 18

const char *const page_checkout_names[] = {"csrf_token", "seen", "first_name", "last_name", "email",
	"company", "password", "terms", "billing_cycle", NULL};
const char *const page_sign_in_names[] = {"csrf_token", "next", "email", "password", NULL};
const char *const page_reset_names[] = {"csrf_token", "token", "password", NULL};
const char *const page_change_names[] = {"csrf_token", "package_slug", "billing_cycle", "when",
	"seen", "subscription_id", "version", NULL};
const char *const page_cancel_names[] = {
	"csrf_token", "when", "reason", "subscription_id", "version", NULL};
const char *const page_keep_names[] = {"csrf_token", "subscription_id", "version", NULL};

/* ---- fields
 * ------------------------------------------------------------------------------------------- */

static const struct page_field first_name = {
	"first_name", "field.first_name", NULL, "text", "given-name", false};
static const struct page_field last_name = {
	"last_name", "field.last_name", NULL, "text", "family-name", false};
static const struct page_field company = {
	"company", "field.company", NULL, "text", "organization", true};
static const struct page_field email = {"email", "field.email", NULL, "email", "email", false};
static const struct page_field user_name = {
	"email", "field.email", NULL, "email", "username", false};
static const struct page_field new_password = {
	"password", "field.password", "field.password.hint", "password", "new-password", false};
static const struct page_field other_password = {
	"password", "field.new_password", "field.password.hint", "password", "new-password", false};
static const struct page_field known_password = {
	"password", "field.password", NULL, "password", "current-password", false};
static const struct page_field reason = {"reason", "field.reason", NULL, "text", "off", true};

/* ---- what is wrong
 * ------------------------------------------------------------------------------------ */

enum store_cycle page_form_cycle(const struct page_form *form)
{
	enum store_cycle cycle = STORE_CYCLE_NONE;
	struct td_slice sent = page_form_get(form, "billing_cycle");
	if (sent.len > 0)
		(void)store_cycle_find(sent, &cycle);
	return cycle;
}

bool page_form_has_when(const struct page_form *form)
{
	struct td_slice sent = page_form_get(form, "when");
	return td_slice_is(sent, "now") || td_slice_is(sent, "period_end");
}

enum app_when page_form_when(const struct page_form *form)
{
	return td_slice_is(page_form_get(form, "when"), "period_end") ? APP_PERIOD_END : APP_NOW;
}

int64_t page_number(struct td_slice text)
{
	int64_t number = 0;
	if (text.len > NUMBER_DIGITS)
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return 0;
		number = number * 10 + (text.ptr[i] - '0');
	}
	return number;
}

const char *page_prices_seen(struct td_arena *arena, const struct store_package *package)
{
	return td_arena_printf(arena, "%" PRId64 "-%" PRId64 "-%.*s", package->price_monthly,
		package->price_yearly, TD_SLICE_ARG(package->currency));
}

static void check_new_password(struct page_form *form)
{
	struct td_slice sent = page_form_get(form, "password");
	if (app_password_fault(sent) == NULL)
		return;
	page_form_wrong(form, "password",
		sent.len == 0                              ? "wrong.password.missing"
		: td_utf8_count(sent) < APP_PASSWORD_LEAST ? "wrong.password.short"
		: sent.len > APP_PASSWORD_MOST             ? "wrong.password.long"
							   : "wrong.password");
}

static void check_part(struct page_form *form, const struct app_faults *faults, const char *name,
	const char *missing, const char *wrong)
{
	char pointer[32] = "/";
	(void)strncat(pointer, name, sizeof(pointer) - 2);
	if (app_faults_at(faults, pointer))
		page_form_wrong(
			form, name, page_form_trimmed(form, name).len == 0 ? missing : wrong);
}

/* The rules are the application's; the words are the page's. */
static void check_user(struct page_form *form, struct app_user_form *ret_user)
{
	struct app_faults faults = {.count = 0};
	struct app_user_form user = {
		.email = page_form_trimmed(form, "email"),
		.first_name = page_form_trimmed(form, "first_name"),
		.last_name = page_form_trimmed(form, "last_name"),
		.company = page_form_trimmed(form, "company"),
	};
	if (user.company.len == 0)
		user.company = td_slice(NULL, 0);
	app_user_check(&user, &faults);
	check_part(form, &faults, "first_name", "wrong.first_name.missing", "wrong.first_name");
	check_part(form, &faults, "last_name", "wrong.last_name.missing", "wrong.last_name");
	check_part(form, &faults, "email", "wrong.email.missing", "wrong.email");
	check_part(form, &faults, "company", "wrong.company", "wrong.company");
	*ret_user = user;
}

void page_check_prices(
	struct page_form *form, struct td_arena *arena, const struct store_package *package)
{
	struct td_slice seen = page_form_get(form, "seen");
	const char *prices = page_prices_seen(arena, package);
	if (seen.len > 0 && prices != NULL && !td_slice_is(seen, prices))
		page_form_wrong(form, "billing_cycle", "wrong.price");
}

void page_check_checkout(struct page_form *form, struct td_arena *arena,
	const struct store_package *package, bool is_visitor, struct app_user_form *ret_user)
{
	if (page_form_cycle(form) == STORE_CYCLE_NONE)
		page_form_wrong(form, "billing_cycle", "wrong.billing_cycle");
	page_check_prices(form, arena, package);
	if (is_visitor) {
		check_user(form, ret_user);
		check_new_password(form);
	}
	if (page_form_get(form, "terms").len == 0)
		page_form_wrong(form, "terms", "wrong.terms");
}

void page_check_sign_in(struct page_form *form)
{
	if (page_form_trimmed(form, "email").len == 0)
		page_form_wrong(form, "email", "wrong.email.missing");
	if (page_form_get(form, "password").len == 0)
		page_form_wrong(form, "password", "wrong.password.missing");
	else if (page_form_get(form, "password").len > APP_PASSWORD_MOST)
		page_form_wrong(form, "password", "wrong.password.long");
}

void page_check_reset(struct page_form *form)
{
	check_new_password(form);
}

void page_check_change(struct page_form *form, bool is_final)
{
	if (page_form_cycle(form) == STORE_CYCLE_NONE &&
		(is_final || page_form_get(form, "billing_cycle").len > 0))
		page_form_wrong(form, "billing_cycle", "wrong.billing_cycle");
	if (!page_form_has_when(form) && (is_final || page_form_get(form, "when").len > 0))
		page_form_wrong(form, "when", "wrong.when");
}

void page_check_cancel(struct page_form *form)
{
	struct td_slice why = page_form_trimmed(form, "reason");
	if (!page_form_has_when(form))
		page_form_wrong(form, "when", "wrong.when");
	if (why.len > 0 && (app_text_fault(why) != NULL || td_utf8_count(why) > REASON_MOST))
		page_form_wrong(form, "reason", "wrong.reason");
}

/* ---- how they look
 * ------------------------------------------------------------------------------------ */

static void put_field(struct td_arena *arena, struct tpl_value *root, const struct locale *locale,
	const struct page_form *form, const struct page_field *field)
{
	page_form_put_field(arena, root, locale, form, field, page_form_get(form, field->name));
}

void page_model_checkout(struct td_arena *arena, struct tpl_value *root,
	const struct locale *locale, const struct catalogue_package *package,
	const struct page_form *form, enum page_billing billing)
{
	static const struct page_field *const fields[] = {
		&first_name, &last_name, &email, &company, &new_password};
	bool is_yearly = billing == PAGE_YEARLY;
	page_model_package(arena, tpl_put_map(arena, root, "package"), locale, package);
	tpl_put_flag(arena, root, "is_yearly", is_yearly);
	tpl_put_str(arena, root, "billing_class", is_yearly ? "is-yearly" : "is-monthly");
	tpl_put_str(arena, root, "seen", page_prices_seen(arena, &package->row));
	tpl_put_str(arena, root, "sign_in_href",
		td_arena_printf(arena, "/sign-in?next=/checkout/%.*s%%3Fbilling%%3D%s&lang=%s",
			TD_SLICE_ARG(package->row.slug), page_billing_name(billing),
			page_model_language(arena, locale)));
	tpl_put_flag(arena, root, "has_terms", page_form_get(form, "terms").len > 0);
	for (size_t i = 0; i < TD_ARRAY_LEN(fields); i++)
		put_field(arena, root, locale, form, fields[i]);
	page_form_put_error(arena, root, locale, form, "billing_cycle");
	page_form_put_error(arena, root, locale, form, "terms");
	page_form_put_wrong(arena, root, locale, form);
}

void page_model_sign_in(struct td_arena *arena, struct tpl_value *root, const struct locale *locale,
	const struct page_form *form, struct td_slice next)
{
	tpl_put_text(arena, root, "next", next);
	put_field(arena, root, locale, form, &user_name);
	put_field(arena, root, locale, form, &known_password);
	page_form_put_wrong(arena, root, locale, form);
}

void page_model_reset(struct td_arena *arena, struct tpl_value *root, const struct locale *locale,
	const struct page_form *form, struct td_slice token, struct td_slice address)
{
	tpl_put_text(arena, root, "token", token);
	tpl_put_text(arena, tpl_put_map(arena, root, "user"), "email", address);
	put_field(arena, root, locale, form, &other_password);
	page_form_put_wrong(arena, root, locale, form);
}

void page_model_cancel(struct td_arena *arena, struct tpl_value *root, const struct locale *locale,
	const struct page_form *form)
{
	tpl_put_flag(arena, root, "is_now", td_slice_is(page_form_get(form, "when"), "now"));
	put_field(arena, root, locale, form, &reason);
	page_form_put_error(arena, root, locale, form, "when");
	page_form_put_wrong(arena, root, locale, form);
}

/* ---- where to go
 * -------------------------------------------------------------------------------------- */

/* Nothing that a browser drops, decodes or takes for the beginning of an authority. */
static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != '\0' && strchr("/-_~?=&", c) != NULL);
}

bool page_next_is_ours(struct td_slice next)
{
	if (next.len > NEXT_MOST)
		return false;
	for (size_t i = 0; i < next.len; i++) {
		bool is_double = next.ptr[i] == '/' && i + 1 < next.len && next.ptr[i + 1] == '/';
		if (!is_plain(next.ptr[i]) || is_double)
			return false;
	}
	return td_slice_is(next, "/account") || td_slice_has_prefix(next, "/account?") ||
	       td_slice_has_prefix(next, "/account/") || td_slice_has_prefix(next, "/checkout/");
}

const char *page_next_escaped(struct td_arena *arena, struct td_slice next)
{
	struct td_buf out = {.limit = 4 * NEXT_MOST};
	for (size_t i = 0; i < next.len; i++) {
		if (strchr("?&=", next.ptr[i]) != NULL)
			td_buf_printf(&out, "%%%02X", (unsigned)next.ptr[i]);
		else
			td_buf_put_char(&out, next.ptr[i]);
	}
	const char *text = out.failed ? NULL : td_arena_strndup(arena, out.ptr, out.len);
	td_buf_done(&out);
	return text;
}
