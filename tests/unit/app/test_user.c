#include "td_test.h"

#include "app/user.h"
#include "base/uuid.h"

#include <sodium.h>
#include <string.h>

static struct app_user_form good_form(void)
{
	return (struct app_user_form){
		.email = TD_SLICE("ana@example.com"),
		.first_name = TD_SLICE("Ana"),
		.last_name = TD_SLICE("Gil"),
	};
}

/* The rule of ids holds at its ends and lets no path or quote through. */
static void test_user_id_rule(void **state)
{
	(void)state;
	char longest[65];
	memset(longest, 'a', sizeof(longest));
	static const char *const good[] = {"a", "A.b_c:d@e-9", "...", "a.", "..a",
		"01890a5d-ac96-774b-bcce-b302099a8057", "auth0:5f7"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(app_user_id_is_valid(td_slice_str(good[i])));
	const struct td_slice bad[] = {TD_SLICE(""), TD_SLICE("."), TD_SLICE(".."), TD_SLICE("a b"),
		TD_SLICE("a/b"), TD_SLICE("a'b"), TD_SLICE("a\0b"), TD_SLICE("a%41"),
		TD_SLICE("\xC3\xB1"), TD_SLICE("a\n"), TD_SLICE("a|b"), TD_SLICE("a+b")};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(app_user_id_is_valid(bad[i]));
	assert_true(app_user_id_is_valid(td_slice(longest, 64)));
	assert_false(app_user_id_is_valid(td_slice(longest, 65)));
	assert_false(app_user_id_is_valid((struct td_slice){NULL, 0}));
}

/* All that is wrong is told at once, in the order of the fields. */
static void test_user_check_tells_every_fault(void **state)
{
	(void)state;
	struct app_user_form form = {.email = TD_SLICE("nobody"),
		.last_name = TD_SLICE("a\nb"),
		.company = TD_SLICE("")};
	struct app_faults faults = {.count = 0};
	app_user_check(&form, &faults);
	assert_int_equal(faults.count, 4);
	assert_string_equal(faults.items[0].pointer, "/email");
	assert_string_equal(faults.items[1].pointer, "/first_name");
	assert_non_null(strstr(faults.items[1].detail, "missing"));
	assert_string_equal(faults.items[2].pointer, "/last_name");
	assert_string_equal(faults.items[3].pointer, "/company");
}

/* A place that a reader of the body has found wrong already gets no second sentence. */
static void test_user_check_adds_no_second_fault(void **state)
{
	(void)state;
	struct app_user_form form = good_form();
	form.email = (struct td_slice){NULL, 0};
	struct app_faults faults = {.count = 0};
	app_faults_add(&faults, "/email", "is a number; a string is expected");
	app_user_check(&form, &faults);
	assert_int_equal(faults.count, 1);
}

/* Faults over the limit are dropped, not written out of bounds. */
static void test_faults_are_bounded(void **state)
{
	(void)state;
	struct app_faults faults = {.count = 0};
	for (int i = 0; i < 100; i++)
		app_faults_add(&faults, "/x", "y");
	assert_int_equal(faults.count, APP_FAULTS_MOST);
}

static void check_lengths(size_t len, size_t company_len, size_t expected_faults)
{
	char text[512];
	for (size_t i = 0; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xC3\xB1", 2);
	struct app_user_form form = good_form();
	form.first_name = form.last_name = td_slice(text, 2 * len);
	form.company = td_slice(text, 2 * company_len);
	struct app_faults faults = {.count = 0};
	app_user_check(&form, &faults);
	assert_int_equal(faults.count, expected_faults);
}

/* Lengths count characters, not bytes, and hold at their ends. */
static void test_user_lengths_count_characters(void **state)
{
	(void)state;
	check_lengths(1, 1, 0);
	check_lengths(100, 200, 0);
	check_lengths(101, 200, 2);
	check_lengths(100, 201, 1);
}

/* Spaces at the ends are not kept. */
static void test_user_fields_are_trimmed(void **state)
{
	(void)state;
	struct app_user_form form = good_form();
	form.email = TD_SLICE(" ana@example.com ");
	form.company = TD_SLICE("  Gil y Gil ");
	struct app_faults faults = {.count = 0};
	app_user_check(&form, &faults);
	assert_int_equal(faults.count, 0);
	assert_true(td_slice_is(form.email, "ana@example.com"));
	assert_true(td_slice_is(form.company, "Gil y Gil"));
}

/* An operation owns all it needs: what it was made of may go. */
static void test_user_operation_owns_its_text(void **state)
{
	(void)state;
	char id[] = "u-1", email[] = "ana@example.com";
	struct app_user_form form = good_form();
	form.email = td_slice_str(email);
	struct store_op *op = store_op_new(STORE_AUTHORIZE);
	op->now_ms = 1234;
	assert_true(app_user_put(op, td_slice_str(id), &form));
	memset(id, 'x', sizeof(id) - 1);
	memset(email, 'x', sizeof(email) - 1);
	assert_int_equal(op->kind, STORE_USER_PUT);
	assert_true(td_slice_is(op->in.user.id, "u-1"));
	assert_true(td_slice_is(op->in.user.email, "ana@example.com"));
	assert_null(op->in.user.company.ptr);
	assert_int_equal(op->in.user.created_at, 1234);
	store_op_free(op);
}

/* Ids of ours are UUIDs of version 7 and differ. */
static void test_user_create_makes_an_id(void **state)
{
	(void)state;
	struct app_user_form form = good_form();
	struct store_op *a = store_op_new(STORE_AUTHORIZE), *b = store_op_new(STORE_AUTHORIZE);
	assert_true(app_user_create(a, &form));
	assert_true(app_user_create(b, &form));
	assert_true(td_uuid_is_valid(a->in.user.id));
	assert_int_equal(a->in.user.id.ptr[14], '7');
	assert_false(td_slice_equal(a->in.user.id, b->in.user.id));
	store_op_free(a);
	store_op_free(b);
}

/* A search trims as a write does. */
static void test_user_find_trims(void **state)
{
	(void)state;
	struct store_op *op = store_op_new(STORE_AUTHORIZE);
	assert_true(app_user_find(op, TD_SLICE(" a@b.co ")));
	assert_int_equal(op->kind, STORE_USER_BY_EMAIL);
	assert_true(td_slice_is(op->in.user.email, "a@b.co"));
	store_op_free(op);
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user_id_rule),
		cmocka_unit_test(test_user_check_tells_every_fault),
		cmocka_unit_test(test_user_check_adds_no_second_fault),
		cmocka_unit_test(test_faults_are_bounded),
		cmocka_unit_test(test_user_lengths_count_characters),
		cmocka_unit_test(test_user_fields_are_trimmed),
		cmocka_unit_test(test_user_operation_owns_its_text),
		cmocka_unit_test(test_user_create_makes_an_id),
		cmocka_unit_test(test_user_find_trims),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
