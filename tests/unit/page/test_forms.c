#include "page_fixture.h"

#include "fault_alloc.h"

#include <stdio.h>

static void read_form(struct page_fixture *f, struct page_form *form, const char *body)
{
	assert_true(page_form_read(form, td_slice_str(body), &f->arena, page_checkout_names));
}

static const struct catalogue_package *standard(const struct page_fixture *f)
{
	const struct catalogue_package *package = catalogue_snapshot_find(
		f->snapshot, TD_SLICE("standard"));
	assert_non_null(package);
	return package;
}

#define GOOD                                                                                  \
	"first_name=Ana&last_name=Gil&email=ana@example.com&company=&password=correct+horse&" \
	"terms=yes&billing_cycle=yearly"

static size_t check(struct page_fixture *f, struct page_form *form, const char *body)
{
	struct app_user_form user;
	read_form(f, form, body);
	page_check_checkout(form, &f->arena, &standard(f)->row, /* is_visitor= */ true, &user);
	return form->wrong_count;
}

static const char *render(
	struct page_fixture *f, const char *language, const struct page_form *form, bool signed_in)
{
	struct page_frame frame = fixture_frame(f, language);
	frame.is_signed_in = signed_in;
	struct tpl_value *root = page_model_frame(&f->arena, &frame);
	page_model_checkout(
		&f->arena, root, f->site->locales[frame.language], standard(f), form, PAGE_YEARLY);
	return fixture_render(f, &frame, "checkout", root);
}

/* What is right passes, and comes out as the store takes it: trimmed, an empty company as none. */
static void test_checkout_that_is_right(void **state)
{
	struct page_fixture *f = *state;
	struct page_form form;
	struct app_user_form user;
	read_form(f, &form,
		"first_name=+Ana+&last_name=Gil&email=+ana@example.com&company=+&"
		"password=correct+horse&terms=on&billing_cycle=monthly");
	page_check_checkout(&form, &f->arena, &standard(f)->row, /* is_visitor= */ true, &user);
	assert_int_equal(form.wrong_count, 0);
	assert_true(td_slice_is(user.first_name, "Ana"));
	assert_true(td_slice_is(user.email, "ana@example.com"));
	assert_null(user.company.ptr);
	assert_int_equal(page_form_cycle(&form), STORE_CYCLE_MONTHLY);
}

/* All that is wrong is told at once, in the order of the page, in words that say what to do. */
static void test_checkout_tells_every_fault(void **state)
{
	struct page_fixture *f = *state;
	static const char *const fields[] = {
		"billing_cycle", "first_name", "last_name", "email", "password", "terms"};
	struct page_form form;
	assert_int_equal(check(f, &form, ""), TD_ARRAY_LEN(fields));
	for (size_t i = 0; i < TD_ARRAY_LEN(fields); i++)
		assert_string_equal(form.wrong[i].field, fields[i]);
	const char *html = render(f, "en", &form, /* signed_in= */ false);
	assert_has(html, "<title>Error: title");
	assert_has(html, "There is a problem</h2>");
	assert_has(html, "<a href=\"#email\">Enter your e-mail address</a>");
	assert_has(html, "aria-describedby=\"email-error\" aria-invalid=\"true\"");
	assert_has(html, "aria-describedby=\"password-hint password-error\"");
	html = render(f, "es", &form, /* signed_in= */ false);
	assert_has(html, "<title>Error: title");
	assert_has(html, "Hay un problema</h2>");
	assert_has(html, "<a href=\"#email\">Escribe tu correo electrónico</a>");
}

/* Each wrong answer has words of its own. */
static void test_checkout_words_of_faults(void **state)
{
	struct page_fixture *f = *state;
	static const struct {
		const char *more, *key;
	} rows[] = {
		{"password=short", "wrong.password.short"},
		{"password=password1", "wrong.password"},
		{"password=", "wrong.password.missing"},
		{"email=nobody", "wrong.email"},
		{"email=+", "wrong.email.missing"},
		{"first_name=a%0Ab", "wrong.first_name"},
		{"last_name=%E2%80%8B", "wrong.last_name"},
		{"company=a%0Ab", "wrong.company"},
		{"billing_cycle=weekly", "wrong.billing_cycle"},
		{"terms=", "wrong.terms"},
		{"seen=1-2-USD", "wrong.price"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		/* The first of a name counts: what is wrong stands before what is right. */
		struct page_form form = {.wrong_count = 0};
		struct app_user_form user;
		char body[512];
		(void)snprintf(body, sizeof(body), "%s&" GOOD, rows[i].more);
		assert_int_equal(
			http_form_decode(td_slice_str(body), &f->arena, &form.sent), TD_OK);
		page_check_checkout(&form, &f->arena, &standard(f)->row, true, &user);
		assert_int_equal(form.wrong_count, 1);
		assert_string_equal(form.wrong[0].key, rows[i].key);
		for (size_t l = 0; l < f->site->language_count; l++)
			assert_true(locale_find_str(f->site->locales[l], rows[i].key).len > 0);
	}
}

/* Only words that we know are taken, in a form that is looked at and in one that is sent; what is
 * missing is a fault only in the latter. */
static void test_change_takes_known_words_only(void **state)
{
	struct page_fixture *f = *state;
	static const struct {
		const char *body;
		size_t looked_at, final;
	} rows[] = {
		{"billing_cycle=yearly&when=now", 0, 0},
		{"billing_cycle=monthly&when=period_end", 0, 0},
		{"billing_cycle=yearly&when=bogus", 1, 1},
		{"billing_cycle=yearly&when=NOW", 1, 1},
		{"billing_cycle=yearly&when=now+", 1, 1},
		{"billing_cycle=weekly&when=now", 1, 1},
		{"billing_cycle=weekly&when=later", 2, 2},
		{"billing_cycle=yearly", 0, 1},
		{"when=now", 0, 1},
		{"", 0, 2},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct page_form form = {.wrong_count = 0};
		assert_int_equal(
			http_form_decode(td_slice_str(rows[i].body), &f->arena, &form.sent), TD_OK);
		page_check_change(&form, /* is_final= */ false);
		assert_int_equal(form.wrong_count, rows[i].looked_at);
		page_check_change(&form, /* is_final= */ true);
		assert_int_equal(form.wrong_count, rows[i].final);
	}
}

/* The prices that the page showed still hold. */
static void test_checkout_with_the_prices_that_were_shown(void **state)
{
	struct page_fixture *f = *state;
	struct page_form form;
	char body[512];
	(void)snprintf(body, sizeof(body), GOOD "&seen=%s",
		page_prices_seen(&f->arena, &standard(f)->row));
	assert_int_equal(check(f, &form, body), 0);
}

/* Every answer is kept but the password, and script in it stays text. */
static void test_checkout_keeps_answers_as_text(void **state)
{
	struct page_fixture *f = *state;
	struct page_form form;
	(void)check(f, &form,
		"first_name=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E&email=%27%3E%3Cb%3E&company="
		"Ada+%26+Co&password=my+secret+words&terms=yes");
	const char *html = render(f, "en", &form, /* signed_in= */ false);
	assert_has(html, "value=\"&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\"");
	assert_has(html, "value=\"Ada &amp; Co\"");
	assert_has(html, "name=\"terms\" value=\"yes\" checked");
	assert_lacks(html, "<script");
	assert_lacks(html, "<b>'");
	assert_lacks(html, "my secret words");
}

/* Somebody who is signed in is asked for nothing that is known. */
static void test_checkout_of_who_is_signed_in(void **state)
{
	struct page_fixture *f = *state;
	struct page_form form = {.wrong_count = 0};
	const char *html = render(f, "en", &form, /* signed_in= */ true);
	assert_lacks(html, "name=\"email\"");
	assert_lacks(html, "name=\"password\"");
	assert_has(html, "name=\"billing_cycle\"");
	assert_has(html, "name=\"terms\"");
	assert_has(html, "action=\"/sign-out?lang=en\"");
	struct app_user_form user;
	read_form(f, &form, "terms=yes&billing_cycle=monthly");
	page_check_checkout(&form, &f->arena, &standard(f)->row, /* is_visitor= */ false, &user);
	assert_int_equal(form.wrong_count, 0);
}

/* The page's promises: no payment, a price with its period, labels, autocomplete. */
static void test_checkout_page(void **state)
{
	struct page_fixture *f = *state;
	struct page_form form = {.wrong_count = 0};
	const char *html = render(f, "en", &form, /* signed_in= */ false);
	assert_has(html, "No payment is taken.");
	assert_has(html, "$299.00 <span class=\"per\">a year</span>");
	assert_has(html, "name=\"csrf_token\" value=\"TOKEN\"");
	assert_has(html, "autocomplete=\"given-name\"");
	assert_has(html, "autocomplete=\"new-password\"");
	assert_has(html, "<label for=\"email\">E-mail address</label>");
	assert_has(html, ">Subscribe</button>");
	assert_lacks(html, "aria-invalid");
	assert_lacks(html, "<title>Error");
	html = render(f, "es", &form, /* signed_in= */ false);
	assert_has(html, "No se cobra nada.");
	assert_has(html, "299,00\xC2\xA0US$");
}

/* A name that comes twice is no form of ours; unknown names are looked over. */
static void test_repeated_fields_are_refused(void **state)
{
	struct page_fixture *f = *state;
	struct page_form form;
	assert_false(
		page_form_read(&form, TD_SLICE("email=a&email=b"), &f->arena, page_checkout_names));
	assert_false(page_form_read(
		&form, TD_SLICE("csrf_token=a&x=1&csrf_token=a"), &f->arena, page_checkout_names));
	assert_false(page_form_read(&form, TD_SLICE("email=%ff"), &f->arena, page_checkout_names));
	assert_false(page_form_read(&form, TD_SLICE("email=%0"), &f->arena, page_checkout_names));
	assert_true(page_form_read(
		&form, TD_SLICE("utm=a&utm=b&email=c"), &f->arena, page_checkout_names));
}

/* Signing in leads to the account or a checkout, never elsewhere. */
static void test_next_is_ours(void **state)
{
	(void)state;
	static const char *const ours[] = {"/account", "/account?before=12",
		"/account/change?package_slug=premium&billing_cycle=yearly", "/account/cancel",
		"/checkout/premium?billing=yearly"};
	static const char *const others[] = {"", "/", "/pricing", "account", "//evil.example",
		"/\\evil.example", "https://evil.example/account", "/account//evil.example",
		"/account\r\nSet-Cookie: a=b", "/account?x=%0d", "/accounts",
		"/account/../sign-out", "/checkout/..//evil", "javascript:alert(1)",
		"/checkout/@evil.example", " /account", "/account#x", "/account?x=<script>"};
	for (size_t i = 0; i < TD_ARRAY_LEN(ours); i++)
		assert_true(page_next_is_ours(td_slice_str(ours[i])));
	for (size_t i = 0; i < TD_ARRAY_LEN(others); i++)
		assert_false(page_next_is_ours(td_slice_str(others[i])));
	assert_false(page_next_is_ours(td_slice(NULL, 0)));
	char longest[300] = "/account?";
	memset(longest + 9, 'a', 250);
	assert_false(page_next_is_ours(td_slice_str(longest)));
}

static const char *render_sign_in(struct page_fixture *f, const struct page_form *form)
{
	struct page_frame frame = fixture_frame(f, "en");
	struct tpl_value *root = page_model_frame(&f->arena, &frame);
	page_model_sign_in(
		&f->arena, root, f->site->locales[frame.language], form, TD_SLICE("/account"));
	return fixture_render(f, &frame, "sign_in", root);
}

/* Signing in: what is missing is named, the password never comes back. */
static void test_sign_in_page(void **state)
{
	struct page_fixture *f = *state;
	struct page_form form;
	assert_true(
		page_form_read(&form, TD_SLICE("email=&password="), &f->arena, page_sign_in_names));
	page_check_sign_in(&form);
	assert_int_equal(form.wrong_count, 2);
	assert_true(page_form_read(&form, TD_SLICE("email=ana%40example.com&password=my+secret"),
		&f->arena, page_sign_in_names));
	page_check_sign_in(&form);
	assert_int_equal(form.wrong_count, 0);
	page_form_wrong(&form, NULL, "wrong.sign_in");
	const char *html = render_sign_in(f, &form);
	assert_has(html, "value=\"ana@example.com\"");
	assert_has(html, "autocomplete=\"username\"");
	assert_has(html, "autocomplete=\"current-password\"");
	assert_has(html, "do not belong together</li>");
	assert_lacks(html, "my secret");
	assert_has(html, ">Sign in</button>");
}

/* The link's page carries its token in the form, and offers the address to a password manager. */
static void test_reset_page(void **state)
{
	struct page_fixture *f = *state;
	struct page_form form = {.wrong_count = 0};
	struct page_frame frame = fixture_frame(f, "en");
	struct tpl_value *root = page_model_frame(&f->arena, &frame);
	page_model_reset(&f->arena, root, f->site->locales[frame.language], &form,
		TD_SLICE("SECRET"), TD_SLICE("ana@example.com"));
	const char *html = fixture_render(f, &frame, "reset", root);
	assert_has(html, "name=\"token\" value=\"SECRET\"");
	assert_has(html, "For ana@example.com.");
	root = page_model_frame(&f->arena, &frame);
	tpl_put_flag(&f->arena, root, "is_void", true);
	html = fixture_render(f, &frame, "reset", root);
	assert_has(html, "This link does not work any more");
	assert_lacks(html, "<form class");
}

/* A reason is one line of people's words; when must be said. */
static void test_cancel_form(void **state)
{
	struct page_fixture *f = *state;
	struct page_form form;
	assert_true(page_form_read(
		&form, TD_SLICE("when=now&reason=too+dear"), &f->arena, page_cancel_names));
	page_check_cancel(&form);
	assert_int_equal(form.wrong_count, 0);
	assert_true(page_form_read(&form, TD_SLICE("when=never&reason=a%00"), &f->arena,
			    page_cancel_names) == false);
	assert_true(page_form_read(
		&form, TD_SLICE("when=never&reason=a%07"), &f->arena, page_cancel_names));
	page_check_cancel(&form);
	assert_int_equal(form.wrong_count, 2);
}

/* An address of ours comes back from a query as it went in. */
static void test_next_is_escaped(void **state)
{
	struct page_fixture *f = *state;
	assert_string_equal(page_next_escaped(&f->arena, TD_SLICE("/account/change?a=b&c=d-e_f~")),
		"/account/change%3Fa%3Db%26c%3Dd-e_f~");
}

/* Numbers of forms: whole, above 0, without sign, and none that does not fit. */
static void test_numbers_of_forms(void **state)
{
	(void)state;
	assert_int_equal(page_number(TD_SLICE("12")), 12);
	assert_int_equal(page_number(TD_SLICE("007")), 7);
	assert_true(page_number(TD_SLICE("999999999999999999")) == INT64_C(999999999999999999));
	static const char *const none[] = {
		"", "0", "-1", "+1", " 1", "1x", "1e3", "9999999999999999999", "0x10", "١"};
	for (size_t i = 0; i < TD_ARRAY_LEN(none); i++)
		assert_int_equal(page_number(td_slice_str(none[i])), 0);
}

static bool attempt_checkout(void *ctx)
{
	struct page_fixture *f = ctx;
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	struct td_buf html = {.limit = PAGE_BODY_MOST};
	struct page_form form;
	struct app_user_form user;
	const struct page_frame frame = fixture_frame(f, "es");
	bool ok = page_form_read(&form, TD_SLICE("email=x&seen=1"), &arena, page_checkout_names);
	if (ok) {
		page_check_checkout(&form, &arena, &standard(f)->row, true, &user);
		struct tpl_value *root = page_model_frame(&arena, &frame);
		page_model_checkout(&arena, root, f->site->locales[frame.language], standard(f),
			&form, PAGE_MONTHLY);
		ok = page_render(&frame, "checkout", &arena, root, &html, &err) == TD_OK;
	}
	td_buf_done(&html);
	td_arena_done(&arena);
	return ok;
}

/* Whatever allocation fails: there is no page, and nothing is lost or torn. */
static void test_checkout_without_memory(void **state)
{
	assert_true(fault_alloc_each(attempt_checkout, *state) > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAGE_TEST(test_checkout_that_is_right),
		PAGE_TEST(test_checkout_tells_every_fault),
		PAGE_TEST(test_checkout_words_of_faults),
		PAGE_TEST(test_change_takes_known_words_only),
		PAGE_TEST(test_checkout_with_the_prices_that_were_shown),
		PAGE_TEST(test_checkout_keeps_answers_as_text),
		PAGE_TEST(test_checkout_of_who_is_signed_in),
		PAGE_TEST(test_checkout_page),
		PAGE_TEST(test_repeated_fields_are_refused),
		PAGE_TEST(test_next_is_ours),
		PAGE_TEST(test_sign_in_page),
		PAGE_TEST(test_reset_page),
		PAGE_TEST(test_cancel_form),
		PAGE_TEST(test_next_is_escaped),
		PAGE_TEST(test_numbers_of_forms),
		PAGE_TEST(test_checkout_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
