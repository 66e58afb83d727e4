#include "page_fixture.h"

#include "app/subscription.h"
#include "fault_alloc.h"

#include <sodium.h>

#define NOW INT64_C(1795774200000) /* 2026-11-27T10:10:00Z */
#define DAY (INT64_C(24) * 60 * 60 * 1000)

static struct store_subscription standard_monthly(struct page_fixture *f)
{
	const struct store_package *package =
		&catalogue_snapshot_find(f->snapshot, TD_SLICE("standard"))->row;
	struct app_change change;
	assert_int_equal(app_subscription_start(&change, &f->arena, TD_SLICE("u1"), package,
				 STORE_CYCLE_MONTHLY, NOW, TD_SLICE("user")),
		APP_RULE_OK);
	return change.row;
}

static const char *render_account(struct page_fixture *f, const char *language,
	const struct store_subscription *row, const struct store_history *items, size_t count)
{
	struct page_frame frame = fixture_frame(f, language);
	struct page_shelf shelf = fixture_shelf(f, &frame);
	frame.is_signed_in = true;
	struct tpl_value *root = page_model_frame(&f->arena, &frame);
	const struct store_user user = {.first_name = TD_SLICE("Ana"),
		.last_name = TD_SLICE("<Gil>"),
		.email = TD_SLICE("ana@example.com")};
	page_model_user(&f->arena, root, &user);
	if (row != NULL)
		page_model_subscription(
			&f->arena, tpl_put_map(&f->arena, root, "subscription"), &shelf, row);
	page_model_history(&f->arena, root, &shelf, items, count);
	tpl_put_flag(&f->arena, root, "has_history", count > 0);
	return fixture_render(f, &frame, "account", root);
}

/* Package, period, next date and amount, in each language's way. */
static void test_account_of_a_running_subscription(void **state)
{
	struct page_fixture *f = *state;
	struct store_subscription row = standard_monthly(f);
	const char *html = render_account(f, "en", &row, NULL, 0);
	assert_has(html, "Ana &lt;Gil&gt;, ana@example.com");
	assert_has(html, "<p class=\"plan\">Standard</p>");
	assert_has(html, "<p class=\"state\">Active</p>");
	assert_has(html, "$29.99 a month");
	assert_has(html, "November 27, 2026 to December 27, 2026");
	assert_has(html, "Renews on December 27, 2026 for $29.99");
	assert_has(html, ">Change package</button>");
	assert_has(html, ">Cancel subscription</button>");
	assert_lacks(html, "Keep my subscription");
	html = render_account(f, "es", &row, NULL, 0);
	assert_has(html, "Del 27 de noviembre de 2026 al 27 de diciembre de 2026");
	assert_has(html, "29,99\xC2\xA0US$ al mes");
	assert_has(html, ">Cambiar de paquete</button>");
}

/* A planned end says its date, and can be taken back; it is not offered a second time. */
static void test_account_with_a_planned_end(void **state)
{
	struct page_fixture *f = *state;
	struct store_subscription row = standard_monthly(f);
	struct app_change change;
	app_change_begin(&change, &f->arena, &row, TD_SLICE("user"));
	assert_int_equal(
		app_subscription_cancel(&change, APP_PERIOD_END, td_slice(NULL, 0), NOW + DAY),
		APP_RULE_OK);
	const char *html = render_account(f, "en", &change.row, NULL, 0);
	assert_has(html, "Your subscription ends on December 27, 2026.");
	assert_has(html, "Ends on December 27, 2026; nothing more to pay");
	assert_has(html, "<p class=\"state ending\">Ends soon</p>");
	assert_has(html, ">Keep my subscription</button>");
	assert_has(html, "name=\"version\" value=\"2\"");
	assert_lacks(html, ">Cancel subscription</button>");
}

/* A planned change says what comes, when and for how much. */
static void test_account_with_a_planned_change(void **state)
{
	struct page_fixture *f = *state;
	struct store_subscription row = standard_monthly(f);
	const struct store_package *premium =
		&catalogue_snapshot_find(f->snapshot, TD_SLICE("premium"))->row;
	struct app_change change;
	app_change_begin(&change, &f->arena, &row, TD_SLICE("user"));
	assert_int_equal(
		app_subscription_switch(&change, premium, STORE_CYCLE_YEARLY, APP_PERIOD_END, NOW),
		APP_RULE_OK);
	const char *html = render_account(f, "en", &change.row, NULL, 0);
	assert_has(html, "On December 27, 2026 your package becomes Premium, yearly, for "
			 "$799.00 a year.");
	assert_has(html, "Becomes Premium on December 27, 2026 for $799.00");
	assert_has(html, ">Keep my subscription</button>");
	assert_has(html, ">Cancel subscription</button>");
}

/* After the end, and before the beginning, the way leads to the packages. */
static void test_account_without_a_running_subscription(void **state)
{
	struct page_fixture *f = *state;
	struct store_subscription row = standard_monthly(f);
	row.status = STORE_CANCELED;
	row.ended_at = NOW + DAY;
	const char *html = render_account(f, "en", &row, NULL, 0);
	assert_has(html, "Your subscription to Standard ended on November 28, 2026.");
	assert_lacks(html, ">Change package</button>");
	assert_lacks(html, ">Cancel subscription</button>");
	html = render_account(f, "en", NULL, NULL, 0);
	assert_has(html, "You have no subscription yet.");
	assert_has(html, "href=\"/pricing?lang=en\"");
}

/* Every action has a sentence in every language, without holes. */
static void test_history_of_every_action(void **state)
{
	struct page_fixture *f = *state;
	struct store_history items[STORE_ACTION_COUNT];
	static const char *const actors[] = {"user", "system", "api:shop & co"};
	for (int i = 0; i < STORE_ACTION_COUNT; i++)
		items[i] = (struct store_history){
			.action = (enum store_action)i,
			.from_package = TD_SLICE("free"),
			.to_package = TD_SLICE("gone-package"),
			.from_cycle = STORE_CYCLE_MONTHLY,
			.to_cycle = STORE_CYCLE_YEARLY,
			.has_price = i % 2 == 0,
			.price = 79900,
			.currency = TD_SLICE("USD"),
			.actor = td_slice_str(actors[i % 3]),
			.created_at = NOW,
		};
	items[0].reason = TD_SLICE("<b>too dear</b>");
	for (size_t l = 0; l < f->site->language_count; l++) {
		const char *code = td_arena_strndup(
			&f->arena, f->site->codes[l].ptr, f->site->codes[l].len);
		const char *html = render_account(f, code, NULL, items, STORE_ACTION_COUNT);
		assert_lacks(html, "</time></td><td></td>");
		assert_has(html, "gone-package");
		assert_has(html, "&lt;b&gt;too dear&lt;/b&gt;");
		assert_has(html, "shop &amp; co (API)");
		assert_has(html, "<time datetime=\"2026-11-27T10:10:00.000Z\">");
	}
	const char *html = render_account(f, "en", NULL, items, STORE_ACTION_COUNT);
	assert_has(html, "Changed up from Free to gone-package, yearly");
	assert_has(html, "$799.00 a year");
	assert_has(html, "<td>You</td>");
	assert_has(html, "<td>Automatic</td>");
}

static const char *render_preview(struct page_fixture *f, const struct store_subscription *row,
	const char *slug, enum store_cycle cycle, enum app_when when)
{
	struct page_frame frame = fixture_frame(f, "en");
	struct page_shelf shelf = fixture_shelf(f, &frame);
	struct tpl_value *root = page_model_frame(&f->arena, &frame);
	const struct store_package *package =
		&catalogue_snapshot_find(f->snapshot, td_slice_str(slug))->row;
	struct app_change change;
	app_change_begin(&change, &f->arena, row, TD_SLICE("user"));
	assert_int_equal(
		app_subscription_switch(&change, package, cycle, when, NOW + DAY), APP_RULE_OK);
	page_model_preview(&f->arena, root, &shelf, row, &change.row, NOW + DAY);
	page_model_subscription(
		&f->arena, tpl_put_map(&f->arena, root, "subscription"), &shelf, row);
	return fixture_render(f, &frame, "preview", root);
}

/* The preview tells what the rules make of it: at once, a new period, or later. */
static void test_preview_of_a_change(void **state)
{
	struct page_fixture *f = *state;
	struct store_subscription row = standard_monthly(f);
	const char *html = render_preview(f, &row, "premium", STORE_CYCLE_MONTHLY, APP_NOW);
	assert_has(html, "Now: </span>$29.99 a month</span> <span aria-hidden=\"true\">→</span> "
			 "<span class=\"vh\">After: </span>$79.99 a month</dd>");
	assert_has(html, "At once, November 28, 2026");
	assert_has(html, "The current period stays as it is: November 27, 2026 to December 27, "
			 "2026.");
	assert_has(html, "December 27, 2026: $79.99");
	assert_has(html, "<dd>$0.00</dd>");
	html = render_preview(f, &row, "standard", STORE_CYCLE_YEARLY, APP_NOW);
	assert_has(html, "A new period begins at once: November 28, 2026 to November 28, 2027.");
	assert_has(html, "November 28, 2027: $299.00");
	html = render_preview(f, &row, "free", STORE_CYCLE_MONTHLY, APP_PERIOD_END);
	assert_has(html, "At the end of the period, December 27, 2026");
	assert_has(html, "Now: </span>Standard</span> <span aria-hidden=\"true\">→</span> <span "
			 "class=\"vh\">After: </span>Free</dd>");
	assert_has(html, "December 27, 2026: $0.00");
	assert_lacks(html, "takes the place");
	row.pending.action = STORE_PENDING_CANCEL;
	row.cancel_at_period_end = true;
	html = render_preview(f, &row, "free", STORE_CYCLE_MONTHLY, APP_PERIOD_END);
	assert_has(html, "takes the place of what was planned");
}

/* The packages to choose from: one's own is marked, what was chosen is checked. */
static void test_choices(void **state)
{
	struct page_fixture *f = *state;
	struct store_subscription row = standard_monthly(f);
	struct page_frame frame = fixture_frame(f, "en");
	struct page_shelf shelf = fixture_shelf(f, &frame);
	struct tpl_value *root = page_model_frame(&f->arena, &frame);
	page_model_choices(&f->arena, root, &shelf, &row, TD_SLICE("premium"));
	page_model_subscription(
		&f->arena, tpl_put_map(&f->arena, root, "subscription"), &shelf, &row);
	const char *html = fixture_render(f, &frame, "change", root);
	assert_has(html, "Standard <span class=\"badge\">Yours now</span>");
	assert_has(html, "value=\"premium\" checked>");
	assert_lacks(html, "value=\"standard\" checked>");
	assert_has(html, "You have Standard, monthly.");
}

static bool attempt_pages(void *ctx)
{
	struct page_fixture *f = ctx;
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	struct td_buf html = {.limit = PAGE_BODY_MOST};
	const struct page_frame frame = fixture_frame(f, "es");
	const struct page_shelf shelf = fixture_shelf(f, &frame);
	const struct store_subscription row = {.status = STORE_ACTIVE,
		.package = {.slug = TD_SLICE("free"), .name = TD_SLICE("Free")},
		.cycle = STORE_CYCLE_MONTHLY,
		.currency = TD_SLICE("USD")};
	const struct store_history item = {.action = STORE_ACTION_CREATED,
		.to_package = TD_SLICE("free"),
		.to_cycle = STORE_CYCLE_MONTHLY,
		.actor = TD_SLICE("user")};
	struct tpl_value *root = page_model_frame(&arena, &frame);
	page_model_subscription(&arena, tpl_put_map(&arena, root, "subscription"), &shelf, &row);
	page_model_history(&arena, root, &shelf, &item, 1);
	page_model_preview(&arena, root, &shelf, &row, &row, NOW);
	page_model_choices(&arena, root, &shelf, &row, TD_SLICE("free"));
	bool ok = page_render(&frame, "account", &arena, root, &html, &err) == TD_OK &&
		  page_render(&frame, "preview", &arena, root, &html, &err) == TD_OK &&
		  page_render(&frame, "change", &arena, root, &html, &err) == TD_OK;
	td_buf_done(&html);
	td_arena_done(&arena);
	return ok;
}

/* Whatever allocation fails: there is no page, and nothing is lost or torn. */
static void test_pages_without_memory(void **state)
{
	assert_true(fault_alloc_each(attempt_pages, *state) > 50);
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		PAGE_TEST(test_account_of_a_running_subscription),
		PAGE_TEST(test_account_with_a_planned_end),
		PAGE_TEST(test_account_with_a_planned_change),
		PAGE_TEST(test_account_without_a_running_subscription),
		PAGE_TEST(test_history_of_every_action),
		PAGE_TEST(test_preview_of_a_change),
		PAGE_TEST(test_choices),
		PAGE_TEST(test_pages_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
