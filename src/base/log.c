#include "base/log.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_MAX 2048

/* Set before threads start, then read-only. */
static td_log_sink_fn *log_sink;
static void *log_ctx;
static enum td_log_level log_least = TD_LOG_INFO;

void td_log_set_sink(td_log_sink_fn *sink, void *ctx)
{
	log_sink = sink;
	log_ctx = ctx;
}

void td_log_set_level(enum td_log_level least)
{
	log_least = least;
}

bool td_log_is_on(enum td_log_level level)
{
	return log_sink != NULL && level >= log_least;
}

static size_t count_fields(const struct td_log_field *fields)
{
	size_t count = 0;
	while (fields != NULL && fields[count].key != NULL)
		count++;
	return count;
}

TD_PRINTF(4, 0)
static void log_args(enum td_log_level level, const char *event, const struct td_log_field *fields,
	const char *fmt, va_list args)
{
	char message[MESSAGE_MAX];
	int wanted = vsnprintf(message, sizeof(message), fmt, args);
	if (wanted < 0)
		message[0] = '\0';
	else if (wanted >= MESSAGE_MAX)
		message[td_utf8_floor(message, strlen(message))] = '\0';
	struct td_log_line line = {
		.level = level,
		.event = event,
		.message = message,
		.fields = fields,
		.field_count = count_fields(fields),
	};
	log_sink(log_ctx, &line);
}

void td_log(enum td_log_level level, const char *event, const char *fmt, ...)
{
	if (!td_log_is_on(level))
		return;
	va_list args;
	va_start(args, fmt);
	log_args(level, event, NULL, fmt, args);
	va_end(args);
}

void td_log_fields(enum td_log_level level, const char *event, const struct td_log_field *fields,
	const char *fmt, ...)
{
	if (!td_log_is_on(level))
		return;
	va_list args;
	va_start(args, fmt);
	log_args(level, event, fields, fmt, args);
	va_end(args);
}

void td_log_err(
	enum td_log_level level, const char *event, const char *what, const struct td_err *err)
{
	struct td_log_field fields[] = {
		{"check", err->check[0] != '\0' ? err->check : NULL},
		{NULL, NULL},
	};
	td_log_fields(level, event, fields, "%s%s%s", what, what[0] != '\0' ? ": " : "", err->text);
}
