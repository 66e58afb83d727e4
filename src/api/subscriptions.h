/* The routes of subscriptions: GET /user-subscription/user/{user_id}, …/me and …/history; POST
 * /user-subscription/subscribe, upgrade, cancel and resume. With an API key, or with a session for
 * the user's own. */
#ifndef TD_API_SUBSCRIPTIONS_H
#define TD_API_SUBSCRIPTIONS_H

#include "api/call.h"

/* Before the server starts; `api` is borrowed until it has stopped. */
enum td_status api_subscriptions_add_routes(
	struct api_calls *api, struct http_server *server, struct td_err *err) TD_MUST_CHECK;

#endif
