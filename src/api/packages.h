/* The routes of packages: GET /user-subscription/packages and …/packages/{slug}. Every answer is
 * made in advance, when the catalogue changes; a request costs a look-up and a reference. */
#ifndef TD_API_PACKAGES_H
#define TD_API_PACKAGES_H

#include "base/err.h"
#include "catalogue/snapshot.h"

struct api_packages;
struct http_server;

/* NULL: no memory. Give it to api_packages_destroy(). */
struct api_packages *api_packages_create(void) TD_MUST_CHECK;

/* After the server has stopped. NULL is fine. */
void api_packages_destroy(struct api_packages *packages);

/* Before the server starts; `packages` is borrowed until it has stopped. */
enum td_status api_packages_add_routes(struct api_packages *packages, struct http_server *server,
	struct td_err *err) TD_MUST_CHECK;

/* Makes the answers of the snapshot and swaps them in; without memory the old ones stay. Not on an
 * HTTP thread or a ticker. */
void api_packages_changed(struct api_packages *packages, struct catalogue_snapshot *snapshot);

#endif
