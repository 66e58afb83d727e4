/* What may become of a subscription: pure functions over a row that was loaded. No clock, no store,
 * no HTTP. Each takes the time, changes the row in memory and adds the rows of history that tell
 * it; a store then writes both, if the row's version is still the one that was loaded.
 *
 *	            start
 *	              │
 *	          ┌───▼────┐  roll: renewed, or the planned change
 *	          │  live  ├──┐
 *	          └─┬─▲────┘  │
 *	   cancel   │ └───────┘
 *	  (now, or  │  switch, cancel at the period's end, resume
 *	   by roll) │
 *	        ┌───▼────┐
 *	        │canceled│  for ever; the user may start another
 *	        └────────┘
 *
 * Rules:
 *  1. version is the number of rows in the history; each change adds one of both;
 *  2. a subscription keeps the price it was sold at; a planned change keeps the price it was
 *     planned at;
 *  3. a period begins where the one before it ended; only a change of cycle begins one at once;
 *  4. a change, or what is planned, takes the place of what was planned before. */
#ifndef TD_APP_SUBSCRIPTION_H
#define TD_APP_SUBSCRIPTION_H

#include "base/arena.h"
#include "store/rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows of history that one write brings, at most: catching up with more takes several. */
#define APP_STEPS_MOST 64

enum app_when {
	APP_NOW,
	APP_PERIOD_END,
};

/* A row on its way from one version to another. */
struct app_change {
	struct store_subscription row;
	int64_t loaded_version;        /* 0: a new one */
	struct store_history *history; /* in the arena */
	size_t count, capacity;
	struct td_arena *arena; /* borrowed: ids and history live there */
	struct td_slice actor;  /* of what is asked for; rolling is the system's */
};

enum app_rule {
	APP_RULE_OK,
	APP_RULE_NOT_LIVE,
	APP_RULE_NO_CHANGE,
	APP_RULE_NOTHING_PLANNED,
	APP_RULE_NOMEM,
};

/* Begins a change of a row that was loaded; its text stays borrowed. `actor` may have a NULL
 * pointer: the store fills in the API key's name. */
void app_change_begin(struct app_change *change, struct td_arena *arena,
	const struct store_subscription *row, struct td_slice actor);

/* A new subscription to `package`, whose text stays borrowed. OK or NOMEM. */
enum app_rule app_subscription_start(struct app_change *change, struct td_arena *arena,
	struct td_slice user_id, const struct store_package *package, enum store_cycle cycle,
	int64_t now_ms, struct td_slice actor);

/* Its period has ended, so that it is to be rolled. */
bool app_subscription_is_due(const struct store_subscription *row, int64_t now_ms);

/* Rolls every period that has ended, up to APP_STEPS_MOST of them. OK (perhaps still due) or
 * NOMEM. */
enum app_rule app_subscription_roll(struct app_change *change, int64_t now_ms);

/* The row as it stands at now_ms, all periods rolled, for who only looks. It takes no longer for
 * many periods than for two. */
void app_subscription_view(struct store_subscription *row, int64_t now_ms);

/* Another package, cycle or both; the row is not due. NO_CHANGE: it has that, or that is planned.
 * NOT_LIVE, NOMEM. */
enum app_rule app_subscription_switch(struct app_change *change,
	const struct store_package *package, enum store_cycle cycle, enum app_when when,
	int64_t now_ms);

/* OK without a new row of history: it is planned already. `reason` may have a NULL pointer, and
 * stays borrowed. */
enum app_rule app_subscription_cancel(
	struct app_change *change, enum app_when when, struct td_slice reason, int64_t now_ms);

/* Takes back what is planned. NOTHING_PLANNED, NOT_LIVE, NOMEM. */
enum app_rule app_subscription_resume(struct app_change *change, int64_t now_ms);

/* NULL, or a sentence that says what is wrong with why somebody cancels; static storage. Trim it
 * before (app_text_trim). */
const char *app_reason_fault(struct td_slice reason);

/* What `package` costs for one period of `cycle`. */
int64_t app_package_price(const struct store_package *package, enum store_cycle cycle);

#endif
