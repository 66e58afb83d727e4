/* Where Cassandra is and how it keeps our keyspace, as several settings say it together; for
 * settings_load(). */
#ifndef TD_SETTINGS_SETTINGS_CASSANDRA_H
#define TD_SETTINGS_SETTINGS_CASSANDRA_H

#include "settings/settings.h"

/* Fills settings->cassandra and ->uses_cassandra when all settings are converted. TD_INVALID:
 * *ret_wrong names the setting. TD_NOMEM. */
enum td_status settings_settle_cassandra(
	struct settings *settings, enum setting_id *ret_wrong, struct td_err *err) TD_MUST_CHECK;

#endif
