/* Settings in words: what is in force, and the reference that is made from the table. */
#ifndef TD_SETTINGS_SETTINGS_PRINT_H
#define TD_SETTINGS_SETTINGS_PRINT_H

#include "base/buf.h"
#include "settings/settings.h"

/* The value in force as it may be shown: a secret is "***", and so is a password in a URL. NULL:
 * unset. Lives as long as `arena` and `settings`. */
const char *settings_show(
	const struct settings *settings, enum setting_id id, struct td_arena *arena);

/* Where it came from: "default", "environment", "flag --port", "/etc/td.conf line 3", and "through
 * NAME_FILE /run/secrets/x". Lives in `arena`; NULL: no memory. */
const char *settings_show_origin(
	const struct settings *settings, enum setting_id id, struct td_arena *arena);

/* A line for each setting. */
void settings_write_text(const struct settings *settings, struct td_buf *out);

/* {"config_file": …, "settings": {"PORT": {"value": "8100", "from": "default"}}} */
void settings_write_json(const struct settings *settings, struct td_buf *out);

/* The settings, as the part of a `--help`. */
void settings_write_help(struct td_buf *out);

/* docs/CONFIGURATION.md. */
void settings_write_markdown(struct td_buf *out);

/* The section of the man page (roff). */
void settings_write_man(struct td_buf *out);

#endif
