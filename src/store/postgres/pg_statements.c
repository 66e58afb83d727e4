/* The text of every statement that a connection prepares. Parameters and results are binary. */
#include "store/postgres/pg_store_internal.h"

#define USER_COLUMNS \
	"u.id, u.email, u.first_name, u.last_name, u.company, u.created_at, u.updated_at"

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
	[PG_STMT_ANSWERS_SWEEP] = {false,
		"DELETE FROM idempotency WHERE (caller, route, key) IN"
		" (SELECT caller, route, key FROM idempotency"
		" WHERE expires_at <= ALL ($1::timestamptz[])"
		" ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED)"},
	[PG_STMT_ANSWERS_READ] = {false,
		"SELECT a.caller, a.route, a.key, a.fingerprint, a.http_status, a.body, a.location"
		" FROM idempotency a"
		" JOIN unnest($1::text[], $2::text[], $3::text[]) AS k (caller, route, key)"
		" ON a.caller = k.caller AND a.route = k.route AND a.key = k.key"},
};
