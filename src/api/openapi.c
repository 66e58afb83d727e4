#include "api/openapi.h"

#include "api/problem.h"
#include "assets/assets.h"
#include "http/http.h"

struct http_prepared *api_openapi_prepare(void)
{
	const struct asset *file = asset_find(ASSET_STATIC, "openapi.json");
	td_assert(file != NULL);
	const struct http_prepared_config config = {
		.content_type = API_JSON_TYPE,
		.identity = file->bytes,
		.gzip = file->gzip,
		.br = file->br,
	};
	return http_prepared_create(&config);
}

static void get_openapi(struct http_request *rq, void *ctx)
{
	http_reply_prepared(rq, ctx);
}

enum td_status api_openapi_add_routes(
	struct http_prepared *prepared, struct http_server *server, struct td_err *err)
{
	const struct http_route route = {.method = "GET",
		.pattern = "/openapi.json",
		.handler = get_openapi,
		.ctx = prepared};
	return http_server_add_routes(server, &route, 1, err);
}
