#include "service/log_sink.h"

#include "base/json.h"
#include "base/utf8.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX ((size_t)64 * 1024)

/* Set before threads start, then read-only. */
static struct log_sink_config sink;

static const char *level_name(enum td_log_level level)
{
	static const char *const names[] = {"debug", "info", "warning", "error"};
	return names[level];
}

/* One character of the line, or the escape that stands for what must not be in it. */
static void put_safe(struct td_buf *out, struct td_slice *rest, bool quoted)
{
	struct td_slice before = *rest;
	uint32_t c;
	if (!td_utf8_next(rest, &c)) {
		td_buf_printf(out, "\\x%02x", (unsigned char)before.ptr[0]);
		*rest = td_slice_skip(before, 1);
	} else if (c == '\n') {
		td_buf_put_str(out, "\\n");
	} else if (td_utf8_is_control(c)) {
		td_buf_printf(out, "\\u%04x", c);
	} else if (quoted && (c == '"' || c == '\\')) {
		td_buf_printf(out, "\\%c", (char)c);
	} else {
		td_buf_put(out, before.ptr, before.len - rest->len);
	}
}

void log_sink_put_safe(struct td_buf *out, struct td_slice text)
{
	while (text.len > 0)
		put_safe(out, &text, false);
}

static bool needs_quotes(struct td_slice value)
{
	if (value.len == 0)
		return true;
	uint32_t c;
	while (value.len > 0) {
		if (!td_utf8_next(&value, &c) || c <= ' ' || c == '"' || c == '=' || c == '\\' ||
			td_utf8_is_control(c))
			return true;
	}
	return false;
}

static void put_value(struct td_buf *out, struct td_slice value)
{
	bool quoted = needs_quotes(value);
	if (quoted)
		td_buf_put_char(out, '"');
	while (value.len > 0)
		put_safe(out, &value, quoted);
	if (quoted)
		td_buf_put_char(out, '"');
}

static void put_level(struct td_buf *out, enum td_log_level level, bool colour)
{
	if (level < TD_LOG_WARNING)
		return;
	const char *on = level == TD_LOG_ERROR ? "\033[31m" : "\033[33m";
	td_buf_printf(
		out, "%s%s:%s ", colour ? on : "", level_name(level), colour ? "\033[0m" : "");
}

static void format_text(
	const struct log_sink_config *config, const struct td_log_line *line, struct td_buf *out)
{
	if (config->time) {
		char time[TD_TIME_TEXT_SIZE];
		td_time_format(td_clock_wall_ms(config->clock), time);
		td_buf_printf(out, "%s ", time);
	}
	put_level(out, line->level, config->colour);
	log_sink_put_safe(out, td_slice_str(line->message));
	for (size_t i = 0; i < line->field_count; i++) {
		if (line->fields[i].value == NULL)
			continue;
		td_buf_printf(out, " %s=", line->fields[i].key);
		put_value(out, td_slice_str(line->fields[i].value));
	}
}

static void format_json(
	const struct log_sink_config *config, const struct td_log_line *line, struct td_buf *out)
{
	struct td_json json = td_json_to(out);
	td_json_open(&json, '{');
	td_json_member_time(&json, "time", td_clock_wall_ms(config->clock));
	td_json_member_str(&json, "level", level_name(line->level));
	td_json_member_str(&json, "message", line->message);
	td_json_member_str(&json, "event", line->event);
	for (size_t i = 0; i < line->field_count; i++) {
		if (line->fields[i].value != NULL)
			td_json_member_str(&json, line->fields[i].key, line->fields[i].value);
	}
	td_json_close(&json, '}');
}

void log_sink_format(
	const struct log_sink_config *config, const struct td_log_line *line, struct td_buf *out)
{
	if (config->json)
		format_json(config, line, out);
	else
		format_text(config, line, out);
	td_buf_put_char(out, '\n');
}

/* Nobody can be told that stderr is gone, so a failed write ends the attempt. */
static void write_line(struct td_slice text)
{
	while (text.len > 0) {
		ssize_t done = write(STDERR_FILENO, text.ptr, text.len);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		text = td_slice_skip(text, (size_t)done);
	}
}

static void write_log(void *ctx, const struct td_log_line *line)
{
	const struct log_sink_config *config = ctx;
	int kept = errno;
	struct td_buf out = {.limit = LINE_MAX};
	log_sink_format(config, line, &out);
	if (out.failed)
		write_line(TD_SLICE("error: a log line was lost: out of memory\n"));
	else
		write_line(td_buf_slice(&out));
	td_buf_done(&out);
	errno = kept;
}

void log_sink_install(const struct log_sink_config *config)
{
	sink = *config;
	td_log_set_sink(write_log, &sink);
}

const char *environment_get(const char *const *environment, const char *name)
{
	size_t len = strlen(name);
	for (; environment != NULL && *environment != NULL; environment++) {
		if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
			return *environment + len + 1;
	}
	return NULL;
}

bool log_sink_wants_time(const char *const *environment)
{
	const char *container = environment_get(environment, "container");
	const char *journal = environment_get(environment, "JOURNAL_STREAM");
	return access("/.dockerenv", F_OK) != 0 && access("/run/.containerenv", F_OK) != 0 &&
	       (container == NULL || container[0] == '\0') &&
	       (journal == NULL || journal[0] == '\0');
}

bool log_sink_has_colour(const char *const *environment)
{
	const char *term = environment_get(environment, "TERM");
	return isatty(STDERR_FILENO) == 1 && term != NULL && strcmp(term, "dumb") != 0;
}
