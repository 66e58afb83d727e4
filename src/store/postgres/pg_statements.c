/* The text of every statement that a connection prepares. Parameters and results are binary. */
#include "store/postgres/pg_store_internal.h"

#define USER_COLUMNS \
	"u.id, u.email, u.first_name, u.last_name, u.company, u.created_at, u.updated_at"

/* The order in which pg_subscription() reads them. */
#define SUBSCRIPTION_COLUMNS                                                                    \
	"s.id, s.user_id, s.package_id, p.slug, p.name, p.rate_limit_per_hour,"                 \
	" p.rate_limit_per_day, s.status, s.billing_cycle, " PG_SQL_CENTS(                      \
		"s.price") ", s.currency,"                                                      \
			   " s.started_at, s.anchor_day, s.current_period_start, "              \
			   "s.current_period_end,"                                              \
			   " s.pending_action, s.pending_package_id, q.slug, q.name, "          \
			   "q.rate_limit_per_hour,"                                             \
			   " q.rate_limit_per_day, s.pending_billing_cycle, " PG_SQL_CENTS(     \
				   "s.pending_price") ","                                       \
						      " s.pending_currency, s.pending_at, "     \
						      "s.cancel_at_period_end, s.canceled_at, " \
						      "s.ended_at,"                             \
						      " s.version, s.created_at, s.updated_at"

#define SUBSCRIPTION_PACKAGES                                       \
	" LEFT JOIN subscription_packages p ON p.id = s.package_id" \
	" LEFT JOIN subscription_packages q ON q.id = s.pending_package_id"

#define IS_LIVE "s.status IN ('trialing', 'active', 'past_due')"

const char pg_sql_subscriptions_due[] = "SELECT " SUBSCRIPTION_COLUMNS
					" FROM user_subscriptions s" SUBSCRIPTION_PACKAGES
					" WHERE " IS_LIVE
					" AND s.current_period_end <= $1::timestamptz"
					" ORDER BY s.current_period_end LIMIT $2::bigint";

/* As pg_is_time() has it. */
#define IS_TIME(column) \
	column " BETWEEN '0001-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00'"

/* What is written comes as arrays, each row with its number (n): the result names rows by it. */
const struct pg_statement_text pg_statements[PG_STMT_COUNT] = {
	[PG_STMT_CALLERS] = {true, "SELECT hash, id, name, last_used_at FROM api_keys"
				   " WHERE hash = ANY ($1::bytea[]) AND revoked_at IS NULL"},
	/* Nobody waits for a row that another client holds: it is noted the next time. */
	[PG_STMT_KEY_USED] = {false,
		"UPDATE api_keys SET last_used_at = k.at"
		" FROM unnest($1::text[], $2::timestamptz[]) AS k (id, at),"
		" (SELECT id FROM api_keys WHERE id = ANY ($1::text[]) FOR UPDATE SKIP LOCKED)"
		" AS free"
		" WHERE api_keys.id = k.id AND api_keys.id = free.id"},
	[PG_STMT_KEYS_CREATE] = {false,
		"WITH i AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[],"
		" $4::timestamptz[]) WITH ORDINALITY AS t (id, name, hash, at, n)),"
		" made AS (INSERT INTO api_keys (id, name, hash, created_at)"
		" SELECT id, name, hash, at FROM i ORDER BY id ON CONFLICT DO NOTHING RETURNING id)"
		" SELECT i.n FROM i JOIN made ON made.id = i.id"},
	[PG_STMT_KEYS_REVOKE] = {false,
		"UPDATE api_keys k SET revoked_at = COALESCE(k.revoked_at, i.at)"
		" FROM unnest($1::text[], $2::timestamptz[]) WITH ORDINALITY AS i (id, at, n)"
		" WHERE k.id = i.id RETURNING i.n"},
	[PG_STMT_USERS_BY_ID] = {true,
		"SELECT " USER_COLUMNS " FROM users u WHERE u.id = ANY ($1::text[])"},
	[PG_STMT_USERS_BY_EMAIL] = {true,
		"SELECT lower(u.email COLLATE \"C\"), " USER_COLUMNS
		" FROM users u WHERE lower(u.email COLLATE \"C\") = ANY ($1::text[])"},
	/* Whose subscription it is need not be looked for in users: the foreign key tells. */
	[PG_STMT_SUBSCRIPTIONS_BY_USER] = {true,
		"SELECT k.id, " SUBSCRIPTION_COLUMNS " FROM unnest($1::text[]) AS k (id)"
		" LEFT JOIN LATERAL (SELECT s.* FROM user_subscriptions s WHERE s.user_id = k.id"
		" ORDER BY " IS_LIVE
		" DESC, s.created_at DESC, s.id DESC LIMIT 1) s ON true" SUBSCRIPTION_PACKAGES
		" WHERE s.id IS NOT NULL OR EXISTS (SELECT 1 FROM users u WHERE u.id = k.id)"},
	[PG_STMT_SUBSCRIBE] = {false,
		"WITH i AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[], $3::text[],"
		" $4::text[], $5::text[], $6::bigint[], $7::text[], $8::timestamptz[],"
		" $9::bigint[], $10::timestamptz[], $11::timestamptz[], $12::bigint[],"
		" $13::timestamptz[], $14::timestamptz[], $15::text[], $16::text[], $17::text[])"
		" WITH ORDINALITY AS t (id, user_id, package_id, status, cycle, cents, currency,"
		" started_at, anchor_day, period_start, period_end, version, created_at,"
		" updated_at, history_id, slug, actor, n)),"
		" f AS MATERIALIZED (SELECT i.n, u.id IS NOT NULL AS has_user,"
		" p.id IS NOT NULL AS has_package FROM i LEFT JOIN users u ON u.id = i.user_id"
		" LEFT JOIN subscription_packages p ON p.id = i.package_id),"
		" made AS (INSERT INTO user_subscriptions (id, user_id, package_id, status,"
		" billing_cycle, price, currency, started_at, anchor_day, current_period_start,"
		" current_period_end, version, created_at, updated_at)"
		" SELECT i.id, user_id, package_id, status, cycle, cents::numeric / 100, currency,"
		" started_at, anchor_day, period_start, period_end, version, created_at, updated_at"
		" FROM i JOIN f ON f.n = i.n WHERE f.has_user AND f.has_package ORDER BY i.user_id"
		" ON CONFLICT DO NOTHING RETURNING id),"
		" told AS (INSERT INTO subscription_history (id, subscription_id, user_id, action,"
		" to_package, to_cycle, price, currency, actor, created_at)"
		" SELECT history_id, i.id, user_id, 'created', slug, cycle, cents::numeric / 100,"
		" currency, actor, created_at FROM i JOIN made ON made.id = i.id ORDER BY i.n)"
		" SELECT i.n, made.id IS NOT NULL, f.has_user, f.has_package"
		" FROM i JOIN f ON f.n = i.n LEFT JOIN made ON made.id = i.id"},
	[PG_STMT_SUBSCRIPTIONS_CHANGE] = {false,
		"WITH i AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::bigint[],"
		" $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::bigint[],"
		" $9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[], $13::text[],"
		" $14::bigint[], $15::text[], $16::timestamptz[], $17::boolean[],"
		" $18::timestamptz[], $19::timestamptz[], $20::bigint[], $21::timestamptz[])"
		" WITH ORDINALITY AS t (id, was, package_id, status, cycle, cents, currency,"
		" anchor_day, period_start, period_end, pending_action, pending_package_id,"
		" pending_cycle, pending_cents, pending_currency, pending_at, cancels, canceled_at,"
		" ended_at, version, updated_at, n)),"
		" done AS (UPDATE user_subscriptions s SET package_id = i.package_id,"
		" status = i.status, billing_cycle = i.cycle, price = i.cents::numeric / 100,"
		" currency = i.currency, anchor_day = i.anchor_day,"
		" current_period_start = i.period_start, current_period_end = i.period_end,"
		" pending_action = i.pending_action, pending_package_id = i.pending_package_id,"
		" pending_billing_cycle = i.pending_cycle,"
		" pending_price = i.pending_cents::numeric / 100,"
		" pending_currency = i.pending_currency, pending_at = i.pending_at,"
		" cancel_at_period_end = i.cancels, canceled_at = i.canceled_at,"
		" ended_at = i.ended_at, version = i.version, updated_at = i.updated_at"
		" FROM i WHERE s.id = i.id AND s.version = i.was RETURNING i.n),"
		" told AS (INSERT INTO subscription_history (id, subscription_id, user_id, action,"
		" from_package, to_package, from_cycle, to_cycle, price, currency, reason, actor,"
		" created_at)"
		" SELECT h.id, h.subscription_id, h.user_id, h.action, h.from_package,"
		" h.to_package, h.from_cycle, h.to_cycle, h.cents::numeric / 100, h.currency,"
		" h.reason, h.actor, h.created_at"
		" FROM unnest($22::bigint[], $23::text[], $24::text[], $25::text[], $26::text[],"
		" $27::text[], $28::text[], $29::text[], $30::text[], $31::bigint[], $32::text[],"
		" $33::text[], $34::text[], $35::timestamptz[])"
		" WITH ORDINALITY AS h (n, id, subscription_id, user_id, action, from_package,"
		" to_package, from_cycle, to_cycle, cents, currency, reason, actor, created_at, o)"
		" JOIN done ON done.n = h.n ORDER BY h.o)"
		" SELECT n FROM done"},
	[PG_STMT_SESSIONS_BY_HASH] = {true,
		"SELECT hash, user_id, expires_at FROM sessions WHERE hash = ANY ($1::bytea[])"},
	[PG_STMT_LOGINS_BY_EMAIL] = {true,
		"SELECT lower(u.email COLLATE \"C\"), " USER_COLUMNS ", u.password_hash"
		" FROM users u WHERE lower(u.email COLLATE \"C\") = ANY ($1::text[])"},
	/* The batch holds each id and each address once. A row with a time that is none is mended.
	   What the last SELECT sees of `users` is
	   how it was before. */
	[PG_STMT_USERS_PUT] = {false,
		"WITH i AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[], $3::text[],"
		" $4::text[], $5::text[], $6::timestamptz[])"
		" WITH ORDINALITY AS t (id, email, first_name, last_name, company, at, n)),"
		" was AS MATERIALIZED (SELECT u.* FROM users u JOIN i ON u.id = i.id),"
		" taken AS MATERIALIZED (SELECT i.id FROM i JOIN users o"
		" ON lower(o.email COLLATE \"C\") = lower(i.email COLLATE \"C\") AND o.id <> i.id),"
		" changed AS (UPDATE users u SET email = i.email, first_name = i.first_name,"
		" last_name = i.last_name, company = i.company, updated_at = i.at, created_at ="
		" CASE WHEN " IS_TIME(
			"u.created_at") " THEN u.created_at ELSE i.at END"
					" FROM i WHERE u.id = i.id AND i.id NOT IN (SELECT id FROM "
					"taken)"
					" AND ((u.email, u.first_name, u.last_name, u.company) IS "
					"DISTINCT FROM"
					" (i.email, i.first_name, i.last_name, i.company)"
					" OR NOT " IS_TIME("u.created_at") " OR NOT " IS_TIME(
						"u.updated_at") ")"
								" RETURNING u.id),"
								" made AS (INSERT INTO users (id, "
								"email, first_name, last_name, "
								"company,"
								" created_at, updated_at)"
								" SELECT id, email, first_name, "
								"last_name, company, at, at FROM i"
								" WHERE i.id NOT IN (SELECT id "
								"FROM was) AND i.id NOT IN (SELECT "
								"id FROM taken)"
								" ORDER BY id ON CONFLICT DO "
								"NOTHING RETURNING id)"
								" SELECT i.n, made.id IS NOT NULL, "
								"changed.id IS NOT NULL, taken.id "
								"IS NOT NULL,"
								" was.created_at, was.updated_at "
								"FROM i LEFT JOIN made ON made.id "
								"= i.id"
								" LEFT JOIN changed ON changed.id "
								"= i.id LEFT JOIN taken ON "
								"taken.id = i.id"
								" LEFT JOIN was ON was.id = i.id"},
	[PG_STMT_USERS_CREATE] = {false,
		"WITH i AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[], $3::text[],"
		" $4::text[], $5::text[], $6::timestamptz[])"
		" WITH ORDINALITY AS t (id, email, first_name, last_name, company, at, n)),"
		" made AS (INSERT INTO users (id, email, first_name, last_name, company,"
		" created_at, updated_at)"
		" SELECT id, email, first_name, last_name, company, at, at FROM i"
		" ORDER BY id ON CONFLICT DO NOTHING RETURNING id)"
		" SELECT i.n FROM i JOIN made ON made.id = i.id"},
	[PG_STMT_ANSWERS_EXPIRE] = {false,
		"DELETE FROM idempotency a USING unnest($1::text[], $2::text[], $3::text[],"
		" $4::timestamptz[]) AS k (caller, route, key, now)"
		" WHERE a.caller = k.caller AND a.route = k.route AND a.key = k.key"
		" AND a.expires_at <= k.now"},
	[PG_STMT_ANSWERS_CLAIM] = {false,
		"INSERT INTO idempotency (caller, route, key, fingerprint, expires_at,"
		" http_status, body, location)"
		" SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[],"
		" $5::timestamptz[], $6::bigint[], $7::text[], $8::text[])"
		" AS t (caller, route, key, fingerprint, expires_at, http_status, body, location)"
		" ORDER BY caller, route, key ON CONFLICT DO NOTHING"
		" RETURNING caller, route, key"},
	[PG_STMT_ANSWERS_FIX] = {false,
		"UPDATE idempotency a SET http_status = k.http_status, body = k.body,"
		" location = k.location"
		" FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[],"
		" $6::text[]) AS k (caller, route, key, http_status, body, location)"
		" WHERE a.caller = k.caller AND a.route = k.route AND a.key = k.key"},
	[PG_STMT_ANSWERS_READ] = {true,
		"SELECT a.caller, a.route, a.key, a.fingerprint, a.http_status, a.body, a.location"
		" FROM idempotency a"
		" JOIN unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])"
		" AS k (caller, route, key, now)"
		" ON a.caller = k.caller AND a.route = k.route AND a.key = k.key"
		" AND a.expires_at > k.now"},
};
