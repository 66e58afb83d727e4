/* What a person does with an account, as use cases (app/flow.h): check out, sign in and out, reset
 * the password, look at what there is, confirm a change that was shown. No HTTP: who calls brings
 * the hashes of tokens, and sets or forgets cookies by the result.
 *
 * Every flow needs flow.arena and flow.now_ms; what is filled before …_begin() is borrowed until
 * the flow has ended. Texts of results live as long as the flow's operations. */
#ifndef TD_APP_ACCOUNT_H
#define TD_APP_ACCOUNT_H

#include "app/selling.h"
#include "app/user.h"

/* Tries in APP_THROTTLE_WINDOW_MS: for one account, and from one address. */
#define APP_THROTTLE_ACCOUNT   5
#define APP_THROTTLE_ADDRESS   50
#define APP_THROTTLE_WINDOW_MS (INT64_C(15) * 60 * 1000)

#define APP_RESET_TTL_MS (INT64_C(60) * 60 * 1000)

/* The session that begins where the flow succeeds. */
struct app_new_session {
	uint8_t hash[TD_SHA256_SIZE];     /* of its token, which is new */
	uint8_t old_hash[TD_SHA256_SIZE]; /* the one that ends; all zero: none */
	int64_t ttl_ms;
};

/* Refusals: UNAUTHORIZED (the same for an unknown address and a wrong password, after the same
 * work), TOO_MANY_REQUESTS with flow.retry_ms. */
struct app_sign_in {
	struct app_flow flow; /* first */

	struct td_slice email, password;
	struct td_slice address; /* whose tries are counted: "203.0.113.9", an IPv6 /64 */
	struct app_new_session session;
	size_t memory; /* bytes that a hash takes which is made now; one of others is made anew */

	struct td_slice user_id; /* the result */

	/* The flow's own. */
	bool looked_again;
};

void app_sign_in_begin(struct app_sign_in *sign_in);

/* A visitor subscribes: user, subscription and session at once. Where the e-mail address is known
 * and the password is its own, the visitor is signed in, and subscribed if nothing runs yet; so a
 * form that is sent twice makes one. Refusals: PACKAGE_NOT_FOUND, EMAIL_TAKEN (and the password is
 * another), TOO_MANY_REQUESTS. */
struct app_checkout {
	struct app_flow flow; /* first */

	const struct app_user_form *form; /* checked */
	struct td_slice password;         /* checked */
	struct td_slice address;
	const struct store_package *package; /* active */
	enum store_cycle cycle;
	struct app_new_session session;
	size_t memory;

	struct store_subscription result; /* the one that is there now */
	bool written;                     /* false: it was there before */

	/* The flow's own. */
	struct app_change change;
	struct app_sign_in sign_in;
	struct app_selling selling;
};

void app_checkout_begin(struct app_checkout *checkout);

struct app_sign_out {
	struct app_flow flow; /* first */

	uint8_t hash[TD_SHA256_SIZE];
};

void app_sign_out_begin(struct app_sign_out *sign_out);

/* A one-time link. Without a new password it is only looked at. With one: the password is set, all
 * the user's sessions end, a new one begins. Refusals: NOT_FOUND (the link was never made, was
 * used, has expired or is void). */
struct app_reset {
	struct app_flow flow; /* first */

	uint8_t token_hash[TD_SHA256_SIZE];
	struct td_slice password; /* checked; a NULL pointer only looks */
	struct app_new_session session;
	size_t memory;

	struct td_slice email; /* the result: whose it is */
	bool signed_in;        /* false: the user was deleted, or has another password by now */

	/* The flow's own. */
	struct td_slice user_id;
};

void app_reset_begin(struct app_reset *reset);

/* Makes `op` a RESET_CREATE for the user with that e-mail address: a link with `token` that expires
 * APP_RESET_TTL_MS after op->now_ms. False: no memory. */
bool app_reset_create(
	struct store_op *op, struct td_slice email, struct td_slice token) TD_MUST_CHECK;

/* All that the account's pages show. Refusals: USER_NOT_FOUND. */
struct app_overview {
	struct app_flow flow; /* first */

	struct td_slice user_id;
	size_t history_limit; /* 1 to 1000 */
	int64_t before_seq;   /* 0: from the newest */
	enum app_history_log log;

	struct store_user user;
	struct app_history history; /* its results; the subscription as it stands now */
};

void app_overview_begin(struct app_overview *overview);

/* Does what somebody confirms after it was shown, but only if it is still what was shown: where the
 * subscription has changed meanwhile nothing is done, and `stale` says so; unless what is asked for
 * is so already (a form that was sent twice). Refusals: as app_selling's. */
struct app_confirm {
	struct app_flow flow; /* first */

	struct app_selling selling; /* filled as for app_selling_begin(), but for its flow; a SWITCH
				     * with its cycle */
	struct td_slice seen_id;    /* of the subscription that was shown */
	int64_t seen_version;       /* 0: nothing was shown; it is done in any case */

	bool stale;
};

void app_confirm_begin(struct app_confirm *confirm);

#endif
