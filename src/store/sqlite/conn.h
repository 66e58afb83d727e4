/* One connection to the file: its prepared statements, its deadline, and what SQLite's errors mean
 * here. One thread at a time. Only for src/store/sqlite/. */
#ifndef TD_STORE_SQLITE_CONN_H
#define TD_STORE_SQLITE_CONN_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A subscription with its packages; the order in which op_subscription.c reads the columns. */
#define SQLITE_SUBSCRIPTION                                                                    \
	"s.id, s.user_id, s.package_id, p.slug, p.name, p.rate_limit_per_hour,"                \
	" p.rate_limit_per_day, s.status, s.billing_cycle, s.price, s.currency, s.started_at," \
	" s.anchor_day, s.current_period_start, s.current_period_end, s.pending_action,"       \
	" s.pending_package_id, q.slug, q.name, q.rate_limit_per_hour, q.rate_limit_per_day,"  \
	" s.pending_billing_cycle, s.pending_price, s.pending_currency, s.pending_at,"         \
	" s.cancel_at_period_end, s.canceled_at, s.ended_at, s.version, s.created_at,"         \
	" s.updated_at FROM user_subscriptions s"                                              \
	" LEFT JOIN subscription_packages p ON p.id = s.package_id"                            \
	" LEFT JOIN subscription_packages q ON q.id = s.pending_package_id"

/* Every statement that is run again and again, by name. */
#define SQLITE_QUERY_MAP(X)                                                                        \
	X(BEGIN_READ, "BEGIN")                                                                     \
	X(BEGIN_WRITE, "BEGIN IMMEDIATE")                                                          \
	X(COMMIT, "COMMIT")                                                                        \
	X(ROLLBACK, "ROLLBACK")                                                                    \
	X(SAVEPOINT, "SAVEPOINT op")                                                               \
	X(ROLLBACK_TO, "ROLLBACK TO op")                                                           \
	X(RELEASE, "RELEASE op")                                                                   \
	X(DATA_VERSION, "PRAGMA data_version")                                                     \
	X(CATALOGUE_VERSION, "SELECT version FROM catalogue_version WHERE id = 1")                 \
	X(USER_INSERT, "INSERT INTO users (id, email, first_name, last_name, company, created_at," \
		       " updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING")  \
	X(USER_UPDATE, "UPDATE users SET email = ?2, first_name = ?3, last_name = ?4,"             \
		       " company = ?5, updated_at = ?7 WHERE id = ?1")                             \
	X(USER_BY_ID, "SELECT id, email, first_name, last_name, company, created_at, updated_at"   \
		      " FROM users WHERE id = ?1")                                                 \
	X(USER_BY_EMAIL, "SELECT id, email, first_name, last_name, company, created_at,"           \
			 " updated_at FROM users WHERE email = ?1")                                \
	X(KEY_BY_HASH, "SELECT id, name, last_used_at, revoked_at FROM api_keys WHERE hash = ?1")  \
	X(KEY_INSERT,                                                                              \
		"INSERT INTO api_keys (id, name, hash, created_at, last_used_at, revoked_at)"      \
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING")                         \
	X(KEY_REVOKE, "UPDATE api_keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at = 0")      \
	X(KEY_EXISTS, "SELECT 1 FROM api_keys WHERE id = ?1")                                      \
	X(KEY_TOUCH, "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1 AND last_used_at < ?2")  \
	X(KEY_COUNT, "SELECT count(*) FROM api_keys")                                              \
	X(KEY_LIST, "SELECT id, name, hash, created_at, last_used_at, revoked_at FROM api_keys"    \
		    " ORDER BY created_at, id")                                                    \
	X(ANSWER_FIND, "SELECT fingerprint, http_status, body, location FROM idempotency"          \
		       " WHERE caller = ?1 AND route = ?2 AND key = ?3 AND expires_at > ?4")       \
	X(ANSWER_KEEP, "INSERT OR REPLACE INTO idempotency (caller, route, key, fingerprint,"      \
		       " expires_at, http_status, body, location)"                                 \
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                 \
	X(ANSWER_SWEEP, "DELETE FROM idempotency WHERE (caller, route, key) IN"                    \
			" (SELECT caller, route, key FROM idempotency WHERE expires_at <= ?1"      \
			" ORDER BY expires_at LIMIT ?2)")                                          \
	X(SUBSCRIPTION_INSERT,                                                                     \
		"INSERT INTO user_subscriptions (id, user_id, package_id, status, billing_cycle,"  \
		" price, currency, started_at, anchor_day, current_period_start,"                  \
		" current_period_end, version, created_at, updated_at)"                            \
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"            \
		" ON CONFLICT DO NOTHING")                                                         \
	X(SUBSCRIPTION_UPDATE,                                                                     \
		"UPDATE user_subscriptions SET package_id = ?3, status = ?4, billing_cycle = ?5,"  \
		" price = ?6, currency = ?7, anchor_day = ?8, current_period_start = ?9,"          \
		" current_period_end = ?10, pending_action = ?11, pending_package_id = ?12,"       \
		" pending_billing_cycle = ?13, pending_price = ?14, pending_currency = ?15,"       \
		" pending_at = ?16, cancel_at_period_end = ?17, canceled_at = ?18,"                \
		" ended_at = ?19, version = ?20, updated_at = ?21 WHERE id = ?1 AND version = ?2") \
	X(SUBSCRIPTION_OF_USER, "SELECT " SQLITE_SUBSCRIPTION " WHERE s.user_id = ?1"              \
				" ORDER BY s.status IN ('trialing', 'active', 'past_due') DESC,"   \
				" s.created_at DESC, s.id DESC LIMIT 1")                           \
	X(SUBSCRIPTION_DUE,                                                                        \
		"SELECT " SQLITE_SUBSCRIPTION                                                      \
		" WHERE s.status IN ('trialing', 'active', 'past_due')"                            \
		" AND s.current_period_end <= ?1 ORDER BY s.current_period_end LIMIT ?2")          \
	X(HISTORY_INSERT,                                                                          \
		"INSERT INTO subscription_history (id, subscription_id, user_id, action,"          \
		" from_package, to_package, from_cycle, to_cycle, price, currency, reason, actor," \
		" created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)")    \
	X(HISTORY_LIST, "SELECT user_id, id, subscription_id, action, from_package, to_package,"   \
			" from_cycle, to_cycle, price, currency, reason, actor, created_at, seq"   \
			" FROM subscription_history WHERE user_id = ?1 AND seq < ?2"               \
			" ORDER BY seq DESC LIMIT ?3")                                             \
	X(USER_EXISTS, "SELECT 1 FROM users WHERE id = ?1")                                        \
	X(PACKAGE_EXISTS, "SELECT 1 FROM subscription_packages WHERE id = ?1")                     \
	X(LOGIN_BY_EMAIL, "SELECT id, email, first_name, last_name, company, created_at,"          \
			  " updated_at, password_hash FROM users WHERE email = ?1")                \
	X(USER_INSERT_WITH_PASSWORD,                                                               \
		"INSERT INTO users (id, email, first_name, last_name, company, created_at,"        \
		" updated_at, password_hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)"              \
		" ON CONFLICT DO NOTHING")                                                         \
	X(SESSION_BY_HASH, "SELECT user_id FROM sessions WHERE hash = ?1 AND expires_at > ?2")     \
	X(SESSION_INSERT, "INSERT INTO sessions (hash, user_id, created_at, expires_at)"           \
			  " SELECT ?1, id, ?3, ?4 FROM users"                                      \
			  " WHERE id = ?2 AND password_hash IS ?5")                                \
	X(SESSION_DELETE, "DELETE FROM sessions WHERE hash = ?1")                                  \
	X(SESSION_DELETE_OF_USER, "DELETE FROM sessions WHERE user_id = ?1")                       \
	X(THROTTLE_TAKE, "INSERT INTO throttles (subject, count, expires_at) VALUES (?1, 1, ?3)"   \
			 " ON CONFLICT (subject) DO UPDATE SET"                                    \
			 " count = CASE WHEN expires_at <= ?2 THEN 1 ELSE count + 1 END,"          \
			 " expires_at = CASE WHEN expires_at <= ?2 THEN ?3 ELSE expires_at END"    \
			 " RETURNING count, expires_at")                                           \
	X(THROTTLE_FORGET, "DELETE FROM throttles WHERE subject = ?1")                             \
	X(THROTTLE_GIVE, "UPDATE throttles SET count = count - 1"                                  \
			 " WHERE subject = ?1 AND count > 0")                                      \
	X(RESET_PUT, "INSERT INTO password_resets (user_id, hash, expires_at) VALUES (?1, ?2, ?3)" \
		     " ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash,"                  \
		     " expires_at = excluded.expires_at")                                          \
	X(RESET_BY_HASH, "SELECT u.id, u.email, u.first_name, u.last_name, u.company,"             \
			 " u.created_at, u.updated_at FROM password_resets r"                      \
			 " JOIN users u ON u.id = r.user_id WHERE r.hash = ?1"                     \
			 " AND r.expires_at > ?2")                                                 \
	X(RESET_DELETE, "DELETE FROM password_resets WHERE user_id = ?1")                          \
	X(PASSWORD_SET, "UPDATE users SET password_hash = ?2 WHERE id = ?1")                       \
	X(SESSION_SWEEP, "DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions"           \
			 " WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)")                  \
	X(RESET_SWEEP, "DELETE FROM password_resets WHERE user_id IN (SELECT user_id"              \
		       " FROM password_resets WHERE expires_at <= ?1 ORDER BY expires_at"          \
		       " LIMIT ?2)")                                                               \
	X(THROTTLE_SWEEP, "DELETE FROM throttles WHERE subject IN (SELECT subject FROM throttles"  \
			  " WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)")                 \
	X(LEASE_TRY, "INSERT INTO leases (name, owner, expires_at) VALUES ('a trial', '', 0)")     \
	X(LEASE_TRIED, "DELETE FROM leases WHERE name = 'a trial'")                                \
	X(LEASE_TAKE, "INSERT INTO leases (name, owner, expires_at) VALUES (?1, ?2, ?4)"           \
		      " ON CONFLICT (name) DO UPDATE SET owner = excluded.owner,"                  \
		      " expires_at = excluded.expires_at"                                          \
		      " WHERE leases.owner = excluded.owner OR leases.expires_at <= ?3"            \
		      " OR leases.expires_at > ?4 + 60000")                                        \
	X(CLOCK_GET, "SELECT offset_ms FROM test_clock WHERE id = 1")                              \
	X(CLOCK_INSERT, "INSERT INTO test_clock (id, offset_ms) VALUES (1, ?1)"                    \
			" ON CONFLICT DO NOTHING")                                                 \
	X(CLOCK_UPDATE, "UPDATE test_clock SET offset_ms = ?1 WHERE id = 1 AND offset_ms = ?2")    \
	X(PACKAGE_COUNT, "SELECT count(*) FROM subscription_packages")                             \
	X(PACKAGE_LIST, "SELECT id, slug, name, description, currency, price_monthly,"             \
			" price_yearly, rate_limit_per_hour, rate_limit_per_day, display_order,"   \
			" is_active, created_at, updated_at FROM subscription_packages"            \
			" ORDER BY display_order, slug")                                           \
	X(PACKAGE_PUT, "INSERT INTO subscription_packages (id, slug, name, description, currency," \
		       " price_monthly, price_yearly, rate_limit_per_hour, rate_limit_per_day,"    \
		       " display_order, is_active, created_at, updated_at)"                        \
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"          \
		       " ON CONFLICT (slug) DO UPDATE SET name = excluded.name,"                   \
		       " description = excluded.description, currency = excluded.currency,"        \
		       " price_monthly = excluded.price_monthly,"                                  \
		       " price_yearly = excluded.price_yearly,"                                    \
		       " rate_limit_per_hour = excluded.rate_limit_per_hour,"                      \
		       " rate_limit_per_day = excluded.rate_limit_per_day,"                        \
		       " display_order = excluded.display_order,"                                  \
		       " is_active = excluded.is_active, updated_at = excluded.updated_at")        \
	X(METADATA_COUNT, "SELECT count(*) FROM subscription_package_metadata")                    \
	X(METADATA_LIST, "SELECT package_slug, key, value, updated_at"                             \
			 " FROM subscription_package_metadata ORDER BY package_slug, key")         \
	X(METADATA_PUT, "INSERT INTO subscription_package_metadata (package_slug, key, value,"     \
			" updated_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (package_slug, key)"     \
			" DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at") \
	X(METADATA_DELETE, "DELETE FROM subscription_package_metadata WHERE package_slug = ?1"     \
			   " AND key = ?2")                                                        \
	X(FEATURE_COUNT, "SELECT count(*) FROM subscription_features")                             \
	X(FEATURE_LIST, "SELECT package_slug, feature_id, name, description, icon, category,"      \
			" included, display_order, updated_at FROM subscription_features"          \
			" ORDER BY package_slug, display_order, feature_id")                       \
	X(FEATURE_PUT, "INSERT INTO subscription_features (package_slug, feature_id, name,"        \
		       " description, icon, category, included, display_order, updated_at)"        \
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"                              \
		       " ON CONFLICT (package_slug, feature_id) DO UPDATE SET"                     \
		       " name = excluded.name, description = excluded.description,"                \
		       " icon = excluded.icon, category = excluded.category,"                      \
		       " included = excluded.included, display_order = excluded.display_order,"    \
		       " updated_at = excluded.updated_at")                                        \
	X(FEATURE_DELETE, "DELETE FROM subscription_features WHERE package_slug = ?1"              \
			  " AND feature_id = ?2")

enum sqlite_query {
#define SQLITE_QUERY_ENUM(name, sql) SQLITE_##name##_QUERY,
	SQLITE_QUERY_MAP(SQLITE_QUERY_ENUM)
#undef SQLITE_QUERY_ENUM
	SQLITE_QUERY_COUNT
};

/* SQLITE_QUERY(USER_INSERT): the statement's number. */
#define SQLITE_QUERY(name) SQLITE_##name##_QUERY

struct sqlite_conn {
	sqlite3 *db;
	char *path; /* owned; for messages */
	const struct td_clock *clock;
	const _Atomic uint64_t *stop_ms; /* the store's: nothing waits longer; NULL: none */
	uint64_t deadline_ms;            /* nor longer than this; of the clock's mono_ms */
	sqlite3_stmt *stmts[SQLITE_QUERY_COUNT];
};

/* Opens the file for reading and writing and sets what every connection needs; waits for a lock
 * until deadline_ms, which stays in force. On failure nothing is left to close. Errors as
 * store_sqlite_open(). */
enum td_status sqlite_conn_open(struct sqlite_conn *conn, const char *path, bool create,
	const struct td_clock *clock, uint64_t deadline_ms, struct td_err *err) TD_MUST_CHECK;

/* Of a zeroed struct too. */
void sqlite_conn_close(struct sqlite_conn *conn);

/* True when the deadline of what runs now, or that of stopping, has passed. */
bool sqlite_conn_is_late(const struct sqlite_conn *conn);

/* The error behind SQLite's result code `rc`, in words that say what to do; returns its status. */
enum td_status sqlite_conn_fail(struct sqlite_conn *conn, int rc, struct td_err *err);

/* The prepared statement, reset; NULL: `err` says why. */
sqlite3_stmt *sqlite_conn_stmt(
	struct sqlite_conn *conn, enum sqlite_query query, struct td_err *err) TD_MUST_CHECK;

/* Runs a statement that gives no row. */
enum td_status sqlite_conn_run(
	struct sqlite_conn *conn, enum sqlite_query query, struct td_err *err) TD_MUST_CHECK;

/* Steps a bound statement that gives no row and resets it. */
enum td_status sqlite_conn_finish(
	struct sqlite_conn *conn, sqlite3_stmt *stmt, struct td_err *err) TD_MUST_CHECK;

/* The first number of the first row; TD_NOTFOUND where there is no row. */
enum td_status sqlite_conn_number(struct sqlite_conn *conn, enum sqlite_query query,
	int64_t *ret_number, struct td_err *err) TD_MUST_CHECK;

/* As above, of text that is prepared for this once. */
enum td_status sqlite_conn_number_of(struct sqlite_conn *conn, const char *sql, int64_t *ret_number,
	struct td_err *err) TD_MUST_CHECK;

/* Runs text, whole. */
enum td_status sqlite_conn_exec(
	struct sqlite_conn *conn, const char *sql, struct td_err *err) TD_MUST_CHECK;

/* Begins a transaction (BEGIN_READ, BEGIN_WRITE), waiting for a lock until the deadline. */
enum td_status sqlite_conn_begin(
	struct sqlite_conn *conn, enum sqlite_query begin, struct td_err *err) TD_MUST_CHECK;

/* Ends the transaction, if there is one, without keeping what it did. */
void sqlite_conn_rollback(struct sqlite_conn *conn);

/* True when a transaction is open: false after an error means that SQLite took it back. */
bool sqlite_conn_is_open(const struct sqlite_conn *conn);

/* Binding borrows the bytes until the statement is run. A NULL pointer binds the empty text, but
 * NULL for optional text. */
void sqlite_bind_slice(sqlite3_stmt *stmt, int index, struct td_slice text);
void sqlite_bind_optional(sqlite3_stmt *stmt, int index, struct td_slice text);
void sqlite_bind_bytes(sqlite3_stmt *stmt, int index, const uint8_t *bytes, size_t len);
void sqlite_bind_number(sqlite3_stmt *stmt, int index, int64_t number);

/* A column's text, valid until the statement moves on; a NULL pointer for NULL. */
struct td_slice sqlite_column_slice(sqlite3_stmt *stmt, int column);

/* Its copy in the arena, whose `failed` tells of a lack of memory. */
struct td_slice sqlite_column_copy(sqlite3_stmt *stmt, int column, struct td_arena *arena);

#endif
