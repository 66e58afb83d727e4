/* Writes log lines to stderr, each with one write(2), so that lines of several threads and
 * processes never mix. No byte of a message or a value can begin another line or move a terminal's
 * cursor.
 *
 *   text   2026-11-23T08:05:00.123Z warning: message key=value key="two words"
 *   json   {"time":…,"level":"warning","message":…,"event":…,"key":"value"} */
#ifndef TD_SERVICE_LOG_SINK_H
#define TD_SERVICE_LOG_SINK_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdbool.h>

struct log_sink_config {
	bool json;
	bool time;                    /* text: a time before each line; json always has one */
	bool colour;                  /* text: "warning:" and "error:" stand out */
	const struct td_clock *clock; /* borrowed for ever */
};

/* Before threads start; may be called again then. */
void log_sink_install(const struct log_sink_config *config);

/* The line with its line end, as it is written. */
void log_sink_format(
	const struct log_sink_config *config, const struct td_log_line *line, struct td_buf *out);

/* Text with what could move a cursor or begin a line as escapes (\n, \u001b, \xff). */
void log_sink_put_safe(struct td_buf *out, struct td_slice text);

/* False where whoever collects the lines puts a time before them: in a container (/.dockerenv,
 * /run/.containerenv, `container` in the environment), under systemd with JOURNAL_STREAM. */
bool log_sink_wants_time(const char *const *environment);

/* True where stderr is a terminal that knows colours. */
bool log_sink_has_colour(const char *const *environment);

/* The value of a name in "NAME=value" texts; NULL: not there. */
const char *environment_get(const char *const *environment, const char *name);

#endif
