/* Where PostgreSQL is, as several settings say it together; for settings_load(). */
#ifndef TD_SETTINGS_SETTINGS_POSTGRES_H
#define TD_SETTINGS_SETTINGS_POSTGRES_H

#include "settings/settings.h"

/* Fills settings->postgres and ->uses_postgres when all settings are converted. TD_INVALID:
 * *ret_wrong names the setting. TD_NOMEM. */
enum td_status settings_settle_postgres(
	struct settings *settings, enum setting_id *ret_wrong, struct td_err *err) TD_MUST_CHECK;

#endif
