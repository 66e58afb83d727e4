/* From a value's text to the typed field of struct settings. */
#ifndef TD_SETTINGS_SETTINGS_CONVERT_H
#define TD_SETTINGS_SETTINGS_CONVERT_H

#include "settings/settings.h"

/* Reads `text` as the setting's type and limits say, and stores it. `text` lives as long as
 * `settings`. TD_INVALID: the field is untouched, and `err` says what is wrong with which part,
 * without the setting's name. */
enum td_status settings_convert(struct settings *settings, enum setting_id id, const char *text,
	struct td_err *err) TD_MUST_CHECK;

/* A limit as people write it: "100ms", "64KiB", "65535". */
struct setting_limit {
	char text[32];
};
struct setting_limit setting_limit_show(enum setting_type type, int64_t value);

#endif
