#include "td_test.h"

#include "api/subscription_json.h"

#include <jansson.h>
#include <string.h>

static json_t *parse(struct td_buf *text)
{
	assert_false(text->failed);
	assert_int_equal(text->ptr[text->len - 1], '\n');
	json_error_t error;
	json_t *root = json_loadb(text->ptr, text->len, JSON_REJECT_DUPLICATES, &error);
	if (root == NULL)
		fail_msg("%s in %.*s", error.text, (int)text->len, text->ptr);
	td_buf_done(text);
	return root;
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static bool is_null(const json_t *object, const char *name)
{
	return json_is_null(json_object_get(object, name));
}

static struct store_subscription make_row(void)
{
	return (struct store_subscription){.id = TD_SLICE("s-1"),
		.user_id = TD_SLICE("u-1"),
		.package = {.id = TD_SLICE("p-1"),
			.slug = TD_SLICE("standard"),
			.name = TD_SLICE("Standard \"<&>\""),
			.rate_limit_per_hour = 100,
			.rate_limit_per_day = 2000},
		.status = STORE_ACTIVE,
		.cycle = STORE_CYCLE_YEARLY,
		.price = 29900,
		.currency = TD_SLICE("USD"),
		.started_at = 1,
		.current_period_start = 1,
		.current_period_end = INT64_C(31536000001),
		.version = 7,
		.created_at = 1,
		.updated_at = 2};
}

static void test_subscription_has_its_members(void **state)
{
	(void)state;
	struct td_buf out = TD_BUF_INIT;
	struct store_subscription row = make_row();
	api_subscription_put(&out, &row);
	assert_true(memmem(out.ptr, out.len, "\"price\":299.00,", 15) != NULL);
	json_t *root = parse(&out);
	assert_int_equal(json_object_size(root), 21);
	assert_string_equal(text_of(root, "package_name"), "Standard \"<&>\"");
	assert_string_equal(text_of(root, "status"), "active");
	assert_string_equal(text_of(root, "billing_cycle"), "yearly");
	assert_string_equal(text_of(root, "current_period_end"), "1971-01-01T00:00:00.001Z");
	assert_true(is_null(root, "pending_change") && is_null(root, "canceled_at") &&
		    is_null(root, "ended_at"));
	assert_int_equal(json_integer_value(json_object_get(root, "version")), 7);
	json_decref(root);
}

static void test_subscription_says_what_is_planned(void **state)
{
	(void)state;
	struct td_buf out = TD_BUF_INIT;
	struct store_subscription row = make_row();
	row.pending = (struct store_pending){.action = STORE_PENDING_CHANGE,
		.package = {.slug = TD_SLICE("free")},
		.cycle = STORE_CYCLE_MONTHLY,
		.at = 1};
	api_subscription_put(&out, &row);
	json_t *root = parse(&out);
	const json_t *pending = json_object_get(root, "pending_change");
	assert_int_equal(json_object_size(pending), 4);
	assert_string_equal(text_of(pending, "action"), "change");
	assert_string_equal(text_of(pending, "package_slug"), "free");
	assert_string_equal(text_of(pending, "billing_cycle"), "monthly");
	assert_string_equal(text_of(pending, "at"), "1970-01-01T00:00:00.001Z");
	json_decref(root);

	row.pending = (struct store_pending){.action = STORE_PENDING_CANCEL, .at = 1};
	api_subscription_put(&out, &row);
	root = parse(&out);
	pending = json_object_get(root, "pending_change");
	assert_string_equal(text_of(pending, "action"), "cancel");
	assert_true(is_null(pending, "package_slug") && is_null(pending, "billing_cycle"));
	json_decref(root);
}

static void test_history_leads_to_its_next_page(void **state)
{
	(void)state;
	struct td_buf out = TD_BUF_INIT;
	const struct store_history items[] = {
		{.id = TD_SLICE("h-2"), .action = STORE_ACTION_CANCELED, .seq = 9},
		{.id = TD_SLICE("h-1"),
			.action = STORE_ACTION_CREATED,
			.to_package = TD_SLICE("free"),
			.to_cycle = STORE_CYCLE_MONTHLY,
			.has_price = true,
			.actor = TD_SLICE("api:x"),
			.seq = 4}};
	api_history_put(&out, items, 2, /* more= */ true);
	json_t *root = parse(&out);
	const json_t *list = json_object_get(root, "items");
	assert_int_equal(json_array_size(list), 2);
	assert_int_equal(json_object_size(json_array_get(list, 0)), 13);
	assert_true(is_null(json_array_get(list, 0), "price"));
	assert_true(is_null(json_array_get(list, 0), "to_cycle"));
	assert_true(json_is_number(json_object_get(json_array_get(list, 1), "price")));
	assert_string_equal(text_of(json_array_get(list, 1), "to_cycle"), "monthly");
	int64_t seq = 0;
	assert_true(api_cursor_read(td_slice_str(text_of(root, "next_cursor")), &seq));
	assert_int_equal(seq, 4);
	json_decref(root);

	api_history_put(&out, items, 2, /* more= */ false);
	root = parse(&out);
	assert_true(is_null(root, "next_cursor"));
	json_decref(root);

	api_history_put(&out, NULL, 0, /* more= */ true);
	root = parse(&out);
	assert_true(is_null(root, "next_cursor"));
	json_decref(root);
}

static void test_cursors_that_are_none(void **state)
{
	(void)state;
	static const char *const rows[] = {"", "p", "1", "p0", "p01", "p-1", "p+1", "P1", "p1 ",
		" p1", "p1x", "pp1", "p1234567890123456789"};
	int64_t seq = 77;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_false(api_cursor_read(td_slice_str(rows[i]), &seq));
	assert_int_equal(seq, 77);
	assert_true(api_cursor_read(TD_SLICE("p999999999999999999"), &seq));
	assert_true(seq == INT64_C(999999999999999999));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subscription_has_its_members),
		cmocka_unit_test(test_subscription_says_what_is_planned),
		cmocka_unit_test(test_history_leads_to_its_next_page),
		cmocka_unit_test(test_cursors_that_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
