/* The routes of users: PUT and GET /user-subscription/users/{user_id}, POST and GET
 * /user-subscription/users. All need an API key. */
#ifndef TD_API_USERS_H
#define TD_API_USERS_H

#include "api/call.h"

/* Before the server starts; `api` is borrowed until it has stopped. */
enum td_status api_users_add_routes(
	struct api_calls *api, struct http_server *server, struct td_err *err) TD_MUST_CHECK;

#endif
