/* Log lines, through a sink that main sets. Below http/, service/, command/ and main nothing logs.
 * A line is: a level, a message exactly as people read it, a stable event name, and key=value
 * fields. */
#ifndef TD_BASE_LOG_H
#define TD_BASE_LOG_H

#include "base/compiler.h"
#include "base/err.h"

#include <stddef.h>

enum td_log_level {
	TD_LOG_DEBUG,
	TD_LOG_INFO,
	TD_LOG_WARNING,
	TD_LOG_ERROR,
};

struct td_log_field {
	const char *key;
	const char *value; /* NULL: the field is left out */
};

struct td_log_line {
	enum td_log_level level;
	const char *event; /* "store.connected": stable, for machines */
	const char *message;
	const struct td_log_field *fields;
	size_t field_count;
};

/* Called by any thread; must write the line whole. */
typedef void td_log_sink_fn(void *ctx, const struct td_log_line *line);

/* Before threads start. NULL: lines are dropped (that is how it begins). */
void td_log_set_sink(td_log_sink_fn *sink, void *ctx);
void td_log_set_level(enum td_log_level least);
bool td_log_is_on(enum td_log_level level);

/* Any thread. Messages over 2 KiB are cut. */
void td_log(enum td_log_level level, const char *event, const char *fmt, ...) TD_PRINTF(3, 4);

/* With fields; ends with one that has a NULL key. */
void td_log_fields(enum td_log_level level, const char *event, const struct td_log_field *fields,
	const char *fmt, ...) TD_PRINTF(4, 5);

/* "what: err's text", with check=ID where the error names one. */
void td_log_err(
	enum td_log_level level, const char *event, const char *what, const struct td_err *err);

#endif
