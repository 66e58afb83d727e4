/* GET /openapi.json: the API described for programs (OpenAPI 3.1), kept as static/openapi.json. */
#ifndef TD_API_OPENAPI_H
#define TD_API_OPENAPI_H

#include "base/err.h"

struct http_prepared;
struct http_server;

/* The answer, always the compiled-in one. The caller's to http_prepared_unref(). NULL: no memory.
 */
struct http_prepared *api_openapi_prepare(void) TD_MUST_CHECK;

/* Before the server starts; `prepared` is borrowed until it has stopped. */
enum td_status api_openapi_add_routes(struct http_prepared *prepared, struct http_server *server,
	struct td_err *err) TD_MUST_CHECK;

#endif
