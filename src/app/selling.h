/* Selling as use cases: subscribe, change, cancel, resume; and what a user's history is. Each loads
 * what there is, lets the rules decide (app/subscription.h), and writes; where somebody else was
 * faster it does so again, until the driver's deadline. */
#ifndef TD_APP_SELLING_H
#define TD_APP_SELLING_H

#include "app/flow.h"
#include "app/subscription.h"

enum app_selling_verb {
	APP_SUBSCRIBE,
	APP_SWITCH,
	APP_CANCEL,
	APP_RESUME,
};

/* Refusals: USER_NOT_FOUND, PACKAGE_NOT_FOUND, NO_SUBSCRIPTION, ALREADY_SUBSCRIBED, NO_CHANGE,
 * NOTHING_PLANNED. */
struct app_selling {
	struct app_flow flow; /* first */

	/* Filled before app_selling_begin(); borrowed until the flow's end. */
	enum app_selling_verb verb;
	struct td_slice user_id;
	const struct store_package *package; /* SUBSCRIBE, SWITCH: active */
	enum store_cycle cycle;              /* SUBSCRIBE; SWITCH: NONE is the present one */
	enum app_when when;                  /* SWITCH, CANCEL */
	struct td_slice reason;              /* CANCEL; or a NULL pointer */

	/* The result: the subscription as it stands now. Of a refusal with ALREADY_SUBSCRIBED the
	 * one that is there. */
	struct store_subscription result;
	bool written; /* false: it was so already */

	/* The flow's own. */
	struct app_change change;
};

/* flow.arena, now_ms, actor and keeper are set too. */
void app_selling_begin(struct app_selling *selling);

/* Where a page looks for history that the records do not have any more. */
enum app_history_log {
	APP_LOG_NOWHERE,
	APP_LOG_WHEN_OLDER, /* in the event log, where an older page than the first is asked for */
	APP_LOG_ALWAYS,
};

/* Comes before all rows of history that there are. */
#define APP_HISTORY_NEWEST INT64_C(999999999999999999)

/* A page of a user's history, after every period that has ended was rolled. The newest rows are in
 * the records, and older ones, where these were trimmed, in the event log alone. Refusals:
 * USER_NOT_FOUND. */
struct app_history {
	struct app_flow flow; /* first */

	struct td_slice user_id;
	size_t limit;
	int64_t before_seq;
	enum app_history_log log;

	/* The result; it lives as long as the operations. */
	const struct store_subscription *subscription; /* NULL: there never was one */
	const struct store_history *items;
	size_t count;
	bool more; /* before older_before */
	int64_t older_before;

	struct app_change change;
};

void app_history_begin(struct app_history *history);

/* Fills flow->op with what loads the user's subscription. False: no memory. */
bool app_flow_load(struct app_flow *flow, struct td_slice user_id) TD_MUST_CHECK;

/* Puts the row and its history into an operation, copied into its arena. False: no memory. */
bool app_flow_put_change(struct store_op *op, const struct app_change *change) TD_MUST_CHECK;

/* Fills flow->op with what writes `change`, whose rows it borrows until it has run. False: no
 * memory. */
bool app_flow_write(struct app_flow *flow, const struct app_change *change) TD_MUST_CHECK;

#endif
