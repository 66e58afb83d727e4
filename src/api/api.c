#include "api/api.h"

#include "api/call.h"
#include "api/openapi.h"
#include "api/packages.h"
#include "api/subscriptions.h"
#include "api/users.h"
#include "base/alloc.h"
#include "http/http.h"

struct api {
	struct api_calls *calls; /* borrowed */
	struct api_packages *packages;
	struct http_prepared *openapi;
};

enum td_status api_create(struct api_calls *calls, struct api **ret_api, struct td_err *err)
{
	struct api *api = td_alloc_zero(sizeof(*api));
	if (api == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for the API");
	api->calls = calls;
	api->packages = api_packages_create();
	api->openapi = api_openapi_prepare();
	if (api->packages == NULL || api->openapi == NULL) {
		api_destroy(api);
		return td_err_set(err, TD_NOMEM, "no memory for the API");
	}
	*ret_api = api;
	return TD_OK;
}

void api_destroy(struct api *api)
{
	if (api == NULL)
		return;
	api_packages_destroy(api->packages);
	http_prepared_unref(api->openapi);
	td_free(api);
}

enum td_status api_add_routes(struct api *api, struct http_server *server, struct td_err *err)
{
	enum td_status status = api_packages_add_routes(api->packages, server, err);
	if (status == TD_OK)
		status = api_users_add_routes(api->calls, server, err);
	if (status == TD_OK)
		status = api_subscriptions_add_routes(api->calls, server, err);
	if (status == TD_OK)
		status = api_openapi_add_routes(api->openapi, server, err);
	return status;
}

void api_catalogue_changed(void *api, struct catalogue_snapshot *snapshot)
{
	struct api *a = api;
	api_packages_changed(a->packages, snapshot);
}
