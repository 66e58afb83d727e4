#include "td_test.h"

#include "base/alloc.h"
#include "catalogue/catalogue.h"
#include "page/page_internal.h"

#include <stdio.h>
#include <string.h>

static const struct page_config config = {.site_name = "Shop <&>"};
static struct page_site *site;

static int set_up(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	if (page_site_create(&config, &site, &err) != TD_OK)
		fail_msg("%s", err.text);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	page_site_unref(site);
	return 0;
}

static size_t language(const char *code)
{
	return language_find(site->codes, site->language_count, td_slice_str(code));
}

/* The page of these rows; td_free() it. */
static char *render(const struct store_catalogue *rows, const struct page_config *with,
	const char *code, enum page_billing billing)
{
	struct td_err err = TD_ERR_INIT;
	struct td_buf html = {.limit = PAGE_BODY_MOST};
	struct catalogue_snapshot *snapshot = NULL;
	assert_int_equal(catalogue_snapshot_create(rows, &snapshot, &err), TD_OK);
	size_t count;
	const struct catalogue_package *packages = catalogue_snapshot_list(snapshot, &count);
	if (page_render_pricing(
		    with, site, packages, count, language(code), billing, &html, &err) != TD_OK)
		fail_msg("%s", err.text);
	char *text = td_strdup(td_buf_cstr(&html));
	td_buf_done(&html);
	catalogue_snapshot_unref(snapshot);
	assert_non_null(text);
	return text;
}

static void assert_has(const char *html, const char *part)
{
	if (strstr(html, part) == NULL)
		fail_msg("the page lacks %s", part);
}

static void assert_lacks(const char *html, const char *part)
{
	if (strstr(html, part) != NULL)
		fail_msg("the page has %s", part);
}

static size_t count_of(const char *html, const char *part)
{
	size_t count = 0;
	for (const char *at = html; (at = strstr(at, part)) != NULL; at += strlen(part))
		count++;
	return count;
}

static struct store_package package_row(const char *slug, int64_t monthly, int64_t yearly)
{
	return (struct store_package){.id = TD_SLICE("0190a000-0000-7000-8000-000000000001"),
		.slug = td_slice_str(slug),
		.name = td_slice_str(slug),
		.description = TD_SLICE("About it"),
		.currency = TD_SLICE("USD"),
		.price_monthly = monthly,
		.price_yearly = yearly,
		.rate_limit_per_hour = 1,
		.rate_limit_per_day = 2,
		.is_active = true};
}

/* The saving is 12 months less a year, and nothing is said where there is none. */
static void test_pricing_saving_is_computed(void **state)
{
	(void)state;
	struct store_package rows[] = {package_row("none", 1000, 12000),
		package_row("more", 1000, 13000), package_row("half", 1000, 6000)};
	const struct store_catalogue catalogue = {.packages = rows, .package_count = 3};
	char *html = render(&catalogue, &config, "en", PAGE_MONTHLY);
	assert_int_equal(count_of(html, "class=\"save\""), 2); /* monthly and yearly of one */
	assert_has(html, "Saves $60.00 a year (50%)");
	assert_has(html, "Save up to 50% with yearly billing");
	td_free(html);
	html = render(&(struct store_catalogue){.packages = rows, .package_count = 2}, &config,
		"en", PAGE_MONTHLY);
	assert_lacks(html, "class=\"save\"");
	assert_lacks(html, "class=\"upto\"");
	td_free(html);
}

/* Everything that a row says is escaped, in text and in attributes. */
static void test_pricing_rows_are_escaped(void **state)
{
	(void)state;
	struct store_package row = package_row("x", 100, 100);
	row.name = TD_SLICE("\"><script>alert('1')</script>&");
	struct store_metadata texts[] = {
		{TD_SLICE("x"), TD_SLICE("tagline"), TD_SLICE("<i>&</i>"), 0}};
	struct store_feature features[] = {{.package_slug = TD_SLICE("x"),
		.feature_id = TD_SLICE("f"),
		.name = TD_SLICE("<b>F</b>"),
		.description = TD_SLICE("<u>D</u>"),
		.icon = TD_SLICE(""),
		.category = TD_SLICE("<c>"),
		.included = true}};
	const struct store_catalogue catalogue = {&row, 1, texts, 1, features, 1};
	char *html = render(&catalogue, &config, "en", PAGE_MONTHLY);
	const char *const raw[] = {"<script", "<i>", "<b>F", "<u>", "<c>", "<&>"};
	for (size_t i = 0; i < TD_ARRAY_LEN(raw); i++)
		assert_lacks(html, raw[i]);
	assert_has(html,
		"Continue with &quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;");
	assert_has(html, "Shop &lt;&amp;&gt;");
	td_free(html);
}

/* One package is highlighted, in words, and only one even where two say so. */
static void test_pricing_highlights_one(void **state)
{
	(void)state;
	struct store_package rows[] = {package_row("a", 1, 1), package_row("b", 1, 1)};
	struct store_metadata texts[] = {
		{TD_SLICE("a"), TD_SLICE("highlight"), TD_SLICE("true"), 0},
		{TD_SLICE("b"), TD_SLICE("highlight"), TD_SLICE("true"), 0},
	};
	struct store_catalogue catalogue = {rows, 2, texts, 2, NULL, 0};
	char *html = render(&catalogue, &config, "en", PAGE_MONTHLY);
	assert_int_equal(count_of(html, "<p class=\"badge\">Most popular</p>"), 1);
	td_free(html);
	texts[0].value = texts[1].value = TD_SLICE("false");
	html = render(&catalogue, &config, "en", PAGE_MONTHLY);
	assert_lacks(html, "Most popular");
	td_free(html);
}

/* A translation where the catalogue has one, else what it says in its own language. */
static void test_pricing_translations_fall_back(void **state)
{
	(void)state;
	struct store_package row = package_row("x", 100, 100);
	row.name = TD_SLICE("Basic");
	struct store_metadata texts[] = {
		{TD_SLICE("x"), TD_SLICE("feature.f.name.es"), TD_SLICE("Paneles"), 0},
		{TD_SLICE("x"), TD_SLICE("name.es"), TD_SLICE("Básico"), 0},
		{TD_SLICE("x"), TD_SLICE("tagline"), TD_SLICE("Only English"), 0},
	};
	struct store_feature features[] = {
		{.package_slug = TD_SLICE("x"),
			.feature_id = TD_SLICE("f"),
			.name = TD_SLICE("Boards")},
		{.package_slug = TD_SLICE("x"),
			.feature_id = TD_SLICE("g"),
			.name = TD_SLICE("Seats")},
	};
	const struct store_catalogue catalogue = {&row, 1, texts, 3, features, 2};
	char *html = render(&catalogue, &config, "es", PAGE_MONTHLY);
	assert_has(html, "Continuar con Básico");
	assert_has(html, "Paneles");
	assert_has(html, "Seats");
	assert_has(html, "Only English");
	assert_lacks(html, "Boards");
	assert_has(html, "1,00\xC2\xA0US$");
	td_free(html);
}

/* A feature that a package does not name counts as not included; each row has a cell for each. */
static void test_pricing_compares_every_feature(void **state)
{
	(void)state;
	struct store_package rows[] = {package_row("a", 1, 1), package_row("b", 1, 1)};
	struct store_feature features[] = {
		{.package_slug = TD_SLICE("a"),
			.feature_id = TD_SLICE("f"),
			.name = TD_SLICE("F"),
			.description = TD_SLICE("five"),
			.included = true},
		{.package_slug = TD_SLICE("b"),
			.feature_id = TD_SLICE("f"),
			.name = TD_SLICE("F"),
			.included = true},
		{.package_slug = TD_SLICE("b"),
			.feature_id = TD_SLICE("g"),
			.name = TD_SLICE("G"),
			.category = TD_SLICE("service"),
			.included = true},
	};
	const struct store_catalogue catalogue = {rows, 2, NULL, 0, features, 3};
	char *html = render(&catalogue, &config, "en", PAGE_MONTHLY);
	const char *table = strstr(html, "<table>");
	assert_non_null(table);
	assert_int_equal(count_of(table, "<td class=\"yes\">"), 3);
	assert_int_equal(count_of(table, "<td class=\"no\">"), 1);
	assert_int_equal(count_of(table, "scope=\"rowgroup\""), 3); /* limits, other, service */
	assert_has(table, "<span class=\"vh\">Not included</span>");
	assert_has(table, "<span class=\"vh\">Included: </span>five");
	assert_has(table, "colspan=\"3\"");
	td_free(html);
}

/* Without packages the page says so, without choice and table. */
static void test_pricing_without_packages_says_so(void **state)
{
	(void)state;
	char *html = render(
		&(struct store_catalogue){.packages = NULL}, &config, "en", PAGE_MONTHLY);
	assert_has(html, "There is no package on offer");
	assert_lacks(html, "<table");
	assert_lacks(html, "type=\"radio\"");
	td_free(html);
}

/* ?billing= decides which choice is made, and what the links to other languages keep. */
static void test_pricing_billing_is_checked(void **state)
{
	(void)state;
	struct store_package row = package_row("x", 100, 100);
	const struct store_catalogue catalogue = {.packages = &row, .package_count = 1};
	char *html = render(&catalogue, &config, "en", PAGE_YEARLY);
	assert_has(html, "value=\"yearly\" checked");
	assert_lacks(html, "value=\"monthly\" checked");
	assert_has(html, "href=\"/pricing?lang=es&amp;billing=yearly\"");
	td_free(html);
}

/* Addresses for search engines are whole ones, so only with PUBLIC_URL. */
static void test_pricing_alternates_need_the_public_url(void **state)
{
	(void)state;
	const struct page_config public = {.public_url = "https://shop.example/"};
	const struct store_catalogue none = {.packages = NULL};
	char *html = render(&none, &public, "en", PAGE_MONTHLY);
	assert_has(html, "hreflang=\"es\" href=\"https://shop.example/pricing?lang=es\"");
	assert_has(html, "hreflang=\"x-default\" href=\"https://shop.example/pricing\"");
	td_free(html);
	html = render(&none, &config, "en", PAGE_MONTHLY);
	assert_lacks(html, "rel=\"alternate\"");
	td_free(html);
}

/* Static files are found by both names, and by no other. */
static void test_pricing_static_names(void **state)
{
	(void)state;
	assert_true(site->static_count >= 2);
	for (size_t i = 0; i < site->static_count; i++) {
		const struct page_static *row = &site->statics[i];
		assert_ptr_equal(page_site_static(site, td_slice_str(row->hashed)), row->kept);
		assert_ptr_equal(page_site_static(site, td_slice_str(row->name)), row->asked);
	}
	assert_null(page_site_static(site, TD_SLICE("../style.css")));
	assert_null(page_site_static(site, TD_SLICE("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pricing_saving_is_computed),
		cmocka_unit_test(test_pricing_rows_are_escaped),
		cmocka_unit_test(test_pricing_highlights_one),
		cmocka_unit_test(test_pricing_translations_fall_back),
		cmocka_unit_test(test_pricing_compares_every_feature),
		cmocka_unit_test(test_pricing_without_packages_says_so),
		cmocka_unit_test(test_pricing_billing_is_checked),
		cmocka_unit_test(test_pricing_alternates_need_the_public_url),
		cmocka_unit_test(test_pricing_static_names),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
