/* Rows that other clients wrote, and the tables themselves. */
#include "contract_selling.h"
#include "postgres_db.h"

#include <stdio.h>
#include <string.h>

static enum td_status get(struct contract *c, const char *id, struct store_user *ret_user)
{
	struct store_op *op = contract_op(STORE_USER_GET);
	op->in.user.id = td_slice_str(id);
	enum td_status status = store_call(c->store, &op, NULL);
	*ret_user = op->out.user;
	store_op_free(op);
	return status;
}

static enum td_status get_by_email(struct contract *c, const char *email)
{
	struct store_op *op = contract_op(STORE_USER_BY_EMAIL);
	op->in.user.email = td_slice_str(email);
	enum td_status status = store_call(c->store, &op, NULL);
	store_op_free(op);
	return status;
}

static const char *const odd_times[] = {
	"infinity", "-infinity", "10000-01-01 00:00:00+00", "0001-12-31 23:59:59+00 BC"};

static void make_odd_user(struct contract *c, size_t i)
{
	char sql[300];
	(void)snprintf(sql, sizeof(sql),
		"INSERT INTO users (id, email, first_name, last_name, %s) VALUES ('odd%zu', "
		"'odd%zu@example.org', 'O', 'D', '%s')",
		i % 2 ? "created_at" : "updated_at", i, i, odd_times[i]);
	pgdb_exec(c->db, sql);
}

/* A time that no answer can show: the row is left out and told of once, the others are served. */
static void test_row_user_without_a_time_is_left_out_and_told_once(void **state)
{
	struct contract *c = *state;
	unsigned before = pgdb_bad_rows_told();
	struct store_user user;
	char id[16], email[40];
	pgdb_exec(c->db, "INSERT INTO users (id, email, first_name, last_name, created_at) VALUES"
			 " ('late', 'late@example.org', 'L', 'E', '9999-12-31 23:59:59.999999+00'),"
			 " ('early', 'early@example.org', 'E', 'Y', '0001-01-01 00:00:00+00')");
	for (size_t i = 0; i < TD_ARRAY_LEN(odd_times); i++) {
		(void)snprintf(id, sizeof(id), "odd%zu", i);
		(void)snprintf(email, sizeof(email), "odd%zu@example.org", i);
		make_odd_user(c, i);
		assert_int_equal(get(c, id, &user), TD_NOTFOUND);
		assert_int_equal(get(c, id, &user), TD_NOTFOUND);
		assert_int_equal(get_by_email(c, email), TD_NOTFOUND);
		assert_int_equal(pgdb_bad_rows_told() - before, i + 1);
	}
	assert_int_equal(get(c, "late", &user), TD_OK);
	assert_int_equal(user.created_at, INT64_C(253402300799999));
	assert_int_equal(get(c, "early", &user), TD_OK);
	assert_int_equal(user.created_at, INT64_C(-62135596800000));
	assert_int_equal(pgdb_bad_rows_told() - before, TD_ARRAY_LEN(odd_times));
}

/* Writing such a user mends the row, also where nothing else changes. */
static void test_row_user_without_a_time_is_mended_by_a_write(void **state)
{
	struct contract *c = *state;
	struct store_user user;
	for (size_t i = 0; i < TD_ARRAY_LEN(odd_times); i++) {
		char id[16], email[40];
		(void)snprintf(id, sizeof(id), "odd%zu", i);
		(void)snprintf(email, sizeof(email), "odd%zu@example.org", i);
		make_odd_user(c, i);
		struct store_op *op = contract_put_user(id, email);
		op->in.user.first_name = TD_SLICE("O");
		op->in.user.last_name = TD_SLICE("D");
		op = contract_call(c->store, op, TD_OK);
		assert_false(op->out.created);
		struct store_user told = op->out.user;
		store_op_free(op);
		assert_int_equal(get(c, id, &user), TD_OK);
		assert_int_equal(user.updated_at, CONTRACT_NOW);
		assert_int_equal(told.updated_at, CONTRACT_NOW);
		assert_int_equal(user.created_at, told.created_at);
	}
}

/* NaN passes every CHECK of a price: such a subscription is left out, and such a row of history,
 * and nothing else fails for it. */
static void test_row_price_that_is_no_number_is_left_out(void **state)
{
	struct contract *c = *state;
	static const char *const columns[] = {"price = 'NaN'",
		"price = 1, pending_action = 'change', pending_package_id = 'p-team',"
		" pending_billing_cycle = 'monthly', pending_currency = 'USD',"
		" pending_price = 'NaN'"};
	selling_prepare(c);
	contract_expect(c->store, selling_subscribe("s1", "ada"), TD_OK);
	for (size_t i = 0; i < TD_ARRAY_LEN(columns); i++) {
		char sql[300];
		(void)snprintf(sql, sizeof(sql), "UPDATE user_subscriptions SET %s", columns[i]);
		pgdb_exec(c->db, sql);
		struct store_op *op = selling_get(c, "ada");
		assert_true(op->out.subscription_count == 0 && op->out.left_out == 1);
		store_op_free(op);
	}
	pgdb_exec(c->db, "UPDATE subscription_history SET price = 'NaN'");
	struct store_op *op = selling_history(c, "ada", 10, 0);
	assert_int_equal(op->out.history_count, 0);
	store_op_free(op);
}

static void check_left_out(struct contract *c, const char *user)
{
	struct store_op *op = selling_get(c, user);
	assert_true(op->out.subscription_count == 0 && op->out.left_out == 1);
	assert_true(op->out.bad_rows[0].told);
	store_op_free(op);
}

/* However many there are: whoever reads such rows over and over does not fill the log, and is told
 * that they are named already. */
static void test_row_each_of_many_is_told_once(void **state)
{
	struct contract *c = *state;
	unsigned before = pgdb_bad_rows_told();
	char user[16], id[16];
	selling_prepare(c);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(user, sizeof(user), "u%d", i);
		(void)snprintf(id, sizeof(id), "s%d", i);
		selling_make_user(c, user);
		contract_expect(c->store, selling_subscribe(id, user), TD_OK);
	}
	pgdb_exec(c->db, "UPDATE user_subscriptions SET currency = 'JPY'");
	for (int i = 0; i < 200; i++) {
		(void)snprintf(user, sizeof(user), "u%d", i % 100);
		check_left_out(c, user);
	}
	assert_int_equal(pgdb_bad_rows_told() - before, 100);
}

/* What a foreign key names can be deleted without reading the whole table that names it. */
static void test_row_every_foreign_key_has_an_index(void **state)
{
	struct contract *c = *state;
	struct pgdb *db = c->db;
	PGconn *conn = pgdb_connect(db->name);
	assert_true(pgdb_finds(conn, "SELECT 1 FROM pg_constraint WHERE contype = 'f'"));
	assert_false(pgdb_finds(conn,
		"SELECT 1 FROM pg_constraint c WHERE contype = 'f' AND NOT EXISTS (SELECT 1"
		" FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1])"));
	PQfinish(conn);
}

int pgdb_run_rows(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_row_user_without_a_time_is_left_out_and_told_once),
		CONTRACT_TEST(test_row_user_without_a_time_is_mended_by_a_write),
		CONTRACT_TEST(test_row_price_that_is_no_number_is_left_out),
		CONTRACT_TEST(test_row_each_of_many_is_told_once),
		CONTRACT_TEST(test_row_every_foreign_key_has_an_index),
	};
	return cmocka_run_group_tests_name("rows", tests, NULL, NULL);
}
