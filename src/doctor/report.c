#include "doctor/doctor_internal.h"

#include "base/alloc.h"
#include "base/json.h"
#include "service/log_sink.h"
#include "service/version.h"

#include <stdio.h>
#include <string.h>

static const char *const words[] = {
	[DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail", [DOCTOR_SKIP] = "skip"};

struct doctor_check *doctor_add(struct doctor_report *report, const char *id, const char *target)
{
	if (report->count == report->room) {
		size_t room = report->room * 2 + 32;
		struct doctor_check *more = td_realloc_array(report->checks, room, sizeof(*more));
		if (more == NULL)
			return NULL;
		report->checks = more;
		report->room = room;
	}
	struct doctor_check *check = &report->checks[report->count++];
	*check = (struct doctor_check){.status = DOCTOR_OK};
	(void)snprintf(check->id, sizeof(check->id), "%s", id);
	(void)snprintf(check->target, sizeof(check->target), "%s", target);
	return check;
}

void doctor_report_done(struct doctor_report *report)
{
	td_free(report->checks);
	*report = (struct doctor_report){.count = 0};
}

static size_t count_of(const struct doctor_report *report, enum doctor_status status)
{
	size_t count = 0;
	for (size_t i = 0; i < report->count; i++)
		count += report->checks[i].status == status && !report->checks[i].is_silent ? 1 : 0;
	return count;
}

enum doctor_status doctor_report_status(const struct doctor_report *report)
{
	if (count_of(report, DOCTOR_FAIL) > 0)
		return DOCTOR_FAIL;
	return count_of(report, DOCTOR_WARN) > 0 ? DOCTOR_WARN : DOCTOR_OK;
}

/* The heading of docs/OPERATIONS.md as a link: dots are left out. */
static void put_docs(const char *id, struct td_buf *out)
{
	td_buf_put_str(out, "docs/OPERATIONS.md#");
	for (const char *c = id; *c != '\0'; c++) {
		if (*c != '.')
			td_buf_put_char(out, *c);
	}
}

static void write_docs(struct td_json *json, const char *id)
{
	struct td_buf text = TD_BUF_INIT;
	put_docs(id, &text);
	td_json_member_str(json, "docs", td_buf_cstr(&text));
	json->out->failed |= text.failed;
	td_buf_done(&text);
}

static void write_check(struct td_json *json, const struct doctor_check *check)
{
	td_json_open(json, '{');
	td_json_member_str(json, "id", check->id);
	td_json_member_str(json, "target", check->target);
	td_json_member_str(json, "status", words[check->status]);
	td_json_member_i64(json, "duration_ms", check->duration_ms);
	td_json_member_str(json, "message", check->message);
	td_json_member_str(json, "cause", check->cause);
	td_json_member_str(json, "fix", check->fix);
	write_docs(json, check->id);
	td_json_close(json, '}');
}

void doctor_write_json(const struct doctor_report *report, struct td_buf *out)
{
	struct td_json json = td_json_to(out);
	td_json_open(&json, '{');
	td_json_member_str(&json, "status", words[doctor_report_status(report)]);
	td_json_member_str(&json, "version", SERVICE_VERSION);
	td_json_member_bool(&json, "in_container", report->is_in_container);
	td_json_name(&json, "checks");
	td_json_open(&json, '[');
	for (size_t i = 0; i < report->count; i++)
		write_check(&json, &report->checks[i]);
	td_json_close(&json, ']');
	td_json_close(&json, '}');
	td_buf_put_char(out, '\n');
}

/* ---- for people */

/* What a server says may hold anything. */
static void put_safe(struct td_buf *out, const char *text)
{
	log_sink_put_safe(out, td_slice_str(text));
}

static void put_status(enum doctor_status status, bool colour, struct td_buf *out)
{
	static const char *const colours[] = {[DOCTOR_OK] = "\033[32m",
		[DOCTOR_WARN] = "\033[33m",
		[DOCTOR_FAIL] = "\033[31m",
		[DOCTOR_SKIP] = "\033[2m"};
	td_buf_printf(out, "%s%-4s%s", colour ? colours[status] : "", words[status],
		colour ? "\033[0m" : "");
}

static void put_more(struct td_buf *out, const char *name, const char *text)
{
	struct td_slice rest = td_slice_str(text), line;
	while (td_slice_cut(&rest, '\n', &line)) {
		td_buf_printf(out, "      %-6s ", name);
		log_sink_put_safe(out, line);
		td_buf_put_char(out, '\n');
		name = "";
	}
}

static void put_check(const struct doctor_check *check, bool colour, struct td_buf *out)
{
	put_status(check->status, colour, out);
	td_buf_printf(out, "  %-26s ", check->id);
	put_safe(out, check->target);
	td_buf_put_str(out, check->target[0] != '\0' ? ": " : "");
	put_safe(out, check->message);
	td_buf_printf(out, " (%lld ms)\n", (long long)check->duration_ms);
	if (check->status != DOCTOR_WARN && check->status != DOCTOR_FAIL)
		return;
	put_more(out, "cause:", check->cause);
	put_more(out, "fix:", check->fix);
	td_buf_put_str(out, "      see:   ");
	put_docs(check->id, out);
	td_buf_put_char(out, '\n');
}

void doctor_write_text(const struct doctor_report *report, bool colour, struct td_buf *out)
{
	for (size_t i = 0; i < report->count; i++) {
		if (!report->checks[i].is_silent)
			put_check(&report->checks[i], colour, out);
	}
	td_buf_printf(out, "\n%zu ok, %zu %s, %zu failed, %zu skipped (%lld ms%s)\n",
		count_of(report, DOCTOR_OK), count_of(report, DOCTOR_WARN),
		count_of(report, DOCTOR_WARN) == 1 ? "warning" : "warnings",
		count_of(report, DOCTOR_FAIL), count_of(report, DOCTOR_SKIP),
		(long long)report->duration_ms, report->is_in_container ? "; in a container" : "");
}
