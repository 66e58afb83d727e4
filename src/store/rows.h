/* The rows that a store keeps, as plain data. Amounts are minor units (base/money.h), times
 * milliseconds since 1970 UTC; a time that may be absent is 0 then. Optional text that is absent
 * has a NULL pointer. Text is borrowed from wherever the row came from: an operation's arena, a
 * snapshot. */
#ifndef TD_STORE_ROWS_H
#define TD_STORE_ROWS_H

#include "base/digest.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- users and the catalogue
 * --------------------------------------------------------------------------- */

struct store_user {
	struct td_slice id, email, first_name, last_name, company; /* company: optional */
	int64_t created_at, updated_at;
};

struct store_package {
	struct td_slice id, slug, name, description, currency;
	int64_t price_monthly, price_yearly;
	int64_t rate_limit_per_hour, rate_limit_per_day;
	int64_t display_order;
	bool is_active;
	int64_t created_at, updated_at;
};

struct store_metadata {
	struct td_slice package_slug, key, value;
	int64_t updated_at;
};

struct store_feature {
	struct td_slice package_slug, feature_id, name, description, icon, category;
	bool included;
	int64_t display_order;
	int64_t updated_at;
};

/* Packages by display_order, then slug; metadata by package_slug, key; features by package_slug,
 * display_order, feature_id. */
struct store_catalogue {
	struct store_package *packages;
	size_t package_count;
	struct store_metadata *metadata;
	size_t metadata_count;
	struct store_feature *features;
	size_t feature_count;
};

/* A row that breaks the rules a client of the tables should keep (a negative price, bytes that are
 * not UTF-8): it is left out of what is read and named here, so that it can be logged once. */
struct store_bad_row {
	struct td_slice table, key, why;
	bool told; /* by the store itself: who reads it need not */
};

struct store_api_key {
	struct td_slice id, name;
	uint8_t hash[TD_SHA256_SIZE]; /* of the whole key's text */
	int64_t created_at;
	int64_t last_used_at; /* 0: never */
	int64_t revoked_at;   /* 0: in force */
};

/* An answer that is kept for a repeated request (Idempotency-Key). */
struct store_answer {
	int http_status;
	struct td_slice body, location; /* location: optional */
};

/* ---- subscriptions
 * ------------------------------------------------------------------------------------- */

/*    name, the word in the tables and the API, live */
#define STORE_STATUS_MAP(X)            \
	X(TRIALING, "trialing", true)  \
	X(ACTIVE, "active", true)      \
	X(PAST_DUE, "past_due", true)  \
	X(CANCELED, "canceled", false) \
	X(EXPIRED, "expired", false)

enum store_status {
#define STORE_STATUS_ENUM(name, word, live) STORE_##name,
	STORE_STATUS_MAP(STORE_STATUS_ENUM)
#undef STORE_STATUS_ENUM
	STORE_STATUS_COUNT
};

#define STORE_CYCLE_MAP(X)    \
	X(NONE, "")           \
	X(MONTHLY, "monthly") \
	X(YEARLY, "yearly")

/* NONE only where a cycle is optional. */
enum store_cycle {
#define STORE_CYCLE_ENUM(name, word) STORE_CYCLE_##name,
	STORE_CYCLE_MAP(STORE_CYCLE_ENUM)
#undef STORE_CYCLE_ENUM
	STORE_CYCLE_COUNT
};

/* What is planned for the end of the period. */
#define STORE_PENDING_MAP(X) \
	X(NONE, "")          \
	X(CHANGE, "change")  \
	X(CANCEL, "cancel")

enum store_pending_action {
#define STORE_PENDING_ENUM(name, word) STORE_PENDING_##name,
	STORE_PENDING_MAP(STORE_PENDING_ENUM)
#undef STORE_PENDING_ENUM
	STORE_PENDING_COUNT
};

#define STORE_ACTION_MAP(X)                     \
	X(CREATED, "created")                   \
	X(UPGRADED, "upgraded")                 \
	X(DOWNGRADED, "downgraded")             \
	X(CYCLE_CHANGED, "cycle_changed")       \
	X(CHANGE_SCHEDULED, "change_scheduled") \
	X(CANCEL_SCHEDULED, "cancel_scheduled") \
	X(RESUMED, "resumed")                   \
	X(CANCELED, "canceled")                 \
	X(RENEWED, "renewed")                   \
	X(EXPIRED, "expired")

enum store_action {
#define STORE_ACTION_ENUM(name, word) STORE_ACTION_##name,
	STORE_ACTION_MAP(STORE_ACTION_ENUM)
#undef STORE_ACTION_ENUM
	STORE_ACTION_COUNT
};

/* The words of the maps above; static storage. */
const char *store_status_word(enum store_status status);
bool store_status_is_live(enum store_status status);
const char *store_cycle_word(enum store_cycle cycle);
const char *store_pending_word(enum store_pending_action action);
const char *store_action_word(enum store_action action);

/* False: no such word (a row that somebody else wrote). */
bool store_status_find(struct td_slice word, enum store_status *ret);
bool store_cycle_find(struct td_slice word, enum store_cycle *ret);
bool store_pending_find(struct td_slice word, enum store_pending_action *ret);
bool store_action_find(struct td_slice word, enum store_action *ret);

/* What a subscription says of a package; a store joins it when it reads, and writes only `id`. */
struct store_package_part {
	struct td_slice id, slug, name;
	int64_t rate_limit_per_hour, rate_limit_per_day;
};

struct store_pending {
	enum store_pending_action action;  /* NONE: all else is empty */
	struct store_package_part package; /* CHANGE; a cancellation has none */
	enum store_cycle cycle;            /* CHANGE */
	int64_t price;                     /* CHANGE: what was promised */
	struct td_slice currency;          /* CHANGE */
	int64_t at;
};

struct store_subscription {
	struct td_slice id, user_id;
	struct store_package_part package;
	enum store_status status;
	enum store_cycle cycle;
	int64_t price;
	struct td_slice currency;
	int64_t started_at;
	int anchor_day; /* 1 to 31: the day of the month on which periods begin, where it has one */
	int64_t current_period_start, current_period_end;
	struct store_pending pending;
	bool cancel_at_period_end;
	int64_t canceled_at, ended_at;
	int64_t version; /* 1 at first, one more with each row of its history */
	int64_t created_at, updated_at;
};

struct store_history {
	struct td_slice id, subscription_id, user_id;
	enum store_action action;
	struct td_slice from_package, to_package; /* slugs; optional */
	enum store_cycle from_cycle, to_cycle;    /* or NONE */
	bool has_price;
	int64_t price;
	struct td_slice currency; /* optional */
	struct td_slice reason;   /* optional */
	struct td_slice actor; /* written with a NULL pointer: "api:" and the caller's key's name */
	int64_t created_at;
	int64_t seq; /* only read: grows with each row that is written */
};

/* ---- signing in
 * ---------------------------------------------------------------------------------------- */

struct store_session {
	uint8_t hash[TD_SHA256_SIZE]; /* of the token in the cookie */
	struct td_slice user_id;
	int64_t created_at, expires_at;
};

/* Who is counted, and how many tries it has in a window. */
struct store_throttle {
	struct td_slice subject; /* 1 to 200 bytes */
	int64_t limit;
};

#endif
