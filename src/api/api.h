/* The JSON API: packages, users, its own description. Each group of routes is one file that adds
 * its routes in api_add_routes(); what those that need a store share is in call.h. */
#ifndef TD_API_API_H
#define TD_API_API_H

#include "base/err.h"
#include "catalogue/snapshot.h"

struct api;
struct api_calls;
struct http_server;

/* `calls` is borrowed until destroy. Give it to api_destroy(). */
enum td_status api_create(
	struct api_calls *calls, struct api **ret_api, struct td_err *err) TD_MUST_CHECK;

/* After the server has stopped. NULL is fine. */
void api_destroy(struct api *api);

/* Before the server starts. */
enum td_status api_add_routes(
	struct api *api, struct http_server *server, struct td_err *err) TD_MUST_CHECK;

/* catalogue_changed_fn's shape: prepares the answers of the package routes. Not on an HTTP thread
 * or a ticker. */
void api_catalogue_changed(void *api, struct catalogue_snapshot *snapshot);

#endif
