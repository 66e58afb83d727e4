/* The plans of the statements that requests wait for: on a large table none reads all of it. */
#include "postgres_db.h"

#include "store/postgres/pg_store_internal.h"

#include <stdio.h>
#include <string.h>

#define ROWS "20000"

/* `values` is made of the numbers i. */
static const struct {
	enum pg_statement statement;
	const char *types, *values, *index;
} rows[] = {
	{PG_STMT_USERS_BY_ID, "text[]", "array_agg('u' || i)", "users_pkey"},
	{PG_STMT_USERS_BY_EMAIL, "text[]", "array_agg('u' || i || '@example.org')",
		"users_email_key"},
	{PG_STMT_CALLERS, "bytea[]", "array_agg(sha256(i::text::bytea))", "api_keys_hash_key"},
	{PG_STMT_SUBSCRIPTIONS_BY_USER, "text[]", "array_agg('u' || i)",
		"user_subscriptions_by_user"},
};

static void fill(PGconn *conn)
{
	pgdb_run(conn,
		"INSERT INTO users (id, email, first_name, last_name) SELECT 'u' || i, 'u' ||"
		" i || '@example.org', 'A', 'B' FROM generate_series(1, " ROWS ") i");
	pgdb_run(conn, "INSERT INTO api_keys (id, name, hash, created_at) SELECT 'k' || i, 'n',"
		       " sha256(i::text::bytea), now() FROM generate_series(1, " ROWS ") i");
	pgdb_run(conn, "INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly)"
		       " VALUES ('basic', 'Basic', 1, 10)");
	pgdb_run(conn, "INSERT INTO user_subscriptions (id, user_id, package_id, status,"
		       " billing_cycle, price, currency, started_at, anchor_day,"
		       " current_period_start, current_period_end) SELECT 's' || u.id, u.id, p.id,"
		       " 'active', 'monthly', 1, 'USD', now(), 1, now(), now() + interval '1 day'"
		       " FROM users u, subscription_packages p WHERE p.slug = 'basic'");
	pgdb_run(conn, "ANALYZE users, api_keys, user_subscriptions");
}

/* Every line of the plan in `out`. */
static void explain(PGconn *conn, size_t row, int count, char *out, size_t size)
{
	char sql[300];
	size_t used = 0;
	(void)snprintf(sql, sizeof(sql),
		"SELECT format('EXPLAIN EXECUTE p (%%L)', (%s)::text) FROM generate_series(1, %d) "
		"i",
		rows[row].values, count);
	PGresult *made = PQexec(conn, sql);
	PGresult *r = PQexec(conn, PQgetvalue(made, 0, 0));
	PQclear(made);
	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s", PQerrorMessage(conn));
	out[0] = '\0';
	for (int i = 0; i < PQntuples(r) && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s\n", PQgetvalue(r, i, 0));
	PQclear(r);
}

/* The packages are few: reading them all is right. */
static bool reads_all_of_a_large_table(const char *plan)
{
	for (const char *at = plan; (at = strstr(at, "Seq Scan on ")) != NULL; at++) {
		if (strncmp(at, "Seq Scan on subscription_packages", 33) != 0)
			return true;
	}
	return false;
}

static void check_plan(PGconn *conn, size_t row, int count)
{
	char sql[2000], plan[4000], wanted[64];
	(void)snprintf(sql, sizeof(sql), "PREPARE p (%s) AS %s", rows[row].types,
		pg_statements[rows[row].statement].sql);
	pgdb_run(conn, sql);
	explain(conn, row, count, plan, sizeof(plan));
	pgdb_run(conn, "DEALLOCATE p");
	(void)snprintf(wanted, sizeof(wanted), " %s", rows[row].index);
	if (strstr(plan, wanted) == NULL || reads_all_of_a_large_table(plan))
		fail_msg("%d values:\n%s", count, plan);
}

static void test_plan_of_each_read_uses_its_index(void **state)
{
	struct contract *c = *state;
	struct pgdb *db = c->db;
	static const int counts[] = {1, 8, 64, PG_BATCH_LIMIT};
	db->holder = pgdb_connect(db->name);
	fill(db->holder);
	/* As the store's sessions have it. */
	pgdb_run(db->holder, "SET plan_cache_mode = force_generic_plan");
	for (size_t row = 0; row < TD_ARRAY_LEN(rows); row++) {
		for (size_t i = 0; i < TD_ARRAY_LEN(counts); i++)
			check_plan(db->holder, row, counts[i]);
	}
}

static void read_many(struct store *store, int count)
{
	struct contract_crowd *crowd = crowd_new((size_t)count);
	for (int i = 1; i <= count; i++) {
		struct store_op *op = contract_op(STORE_USER_GET);
		op->in.user.id = td_slice_str(td_arena_printf(&op->arena, "u%d", i));
		contract_use_key(op, 0);
		td_sha256(td_slice_str(td_arena_printf(&op->arena, "%d", i)), op->auth.hash);
		crowd_submit(crowd, store, op);
	}
	assert_true(crowd_wait(crowd, 20000));
	assert_int_equal(crowd_count(crowd, TD_OK), count);
	crowd_free(crowd);
}

static bool is_found(void *conn)
{
	return pgdb_finds(conn, "SELECT 1 FROM pg_stat_user_tables WHERE relname = 'users' AND"
				" idx_scan > 1000");
}

/* Whatever the size of a batch, and from the first on: no table is read from end to end. */
static void test_plan_large_batches_read_by_the_index(void **state)
{
	struct contract *c = *state;
	struct pgdb *db = c->db;
	db->holder = pgdb_connect(db->name);
	fill(db->holder);
	/* What filling read is counted first, and then forgotten. */
	pgdb_run(db->holder, "SELECT pg_stat_force_next_flush()");
	pgdb_run(db->holder, "SELECT pg_stat_reset()");
	for (int i = 0; i < 4; i++) {
		struct store *store = contract_open(c, false);
		read_many(store, 2000);
		/* What a session did is counted for certain when it has ended. */
		contract_close(c, store);
	}
	assert_true(contract_poll(is_found, db->holder, 5000));
	assert_false(
		pgdb_finds(db->holder, "SELECT 1 FROM pg_stat_user_tables WHERE seq_scan > 0"));
}

int pgdb_run_plans(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(test_plan_of_each_read_uses_its_index),
		CONTRACT_TEST(test_plan_large_batches_read_by_the_index),
	};
	return cmocka_run_group_tests_name("plans", tests, NULL, NULL);
}
