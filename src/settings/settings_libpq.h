/* The parameters behind the ? of a PostgreSQL URL are libpq's: a name or a value that it would
 * refuse is a wrong setting, and is told like one, before anything is connected. The library itself
 * is not needed for that. */
#ifndef TD_SETTINGS_SETTINGS_LIBPQ_H
#define TD_SETTINGS_SETTINGS_LIBPQ_H

#include "base/err.h"
#include "connect/url.h"

/* TD_INVALID: `err` names the parameter (with the nearest known name), never its value. */
enum td_status settings_check_libpq(
	const struct connect_url *url, struct td_err *err) TD_MUST_CHECK;

#endif
