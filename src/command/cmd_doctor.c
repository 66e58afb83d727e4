#include "command/command.h"
#include "doctor/doctor.h"
#include "service/log_sink.h"

#include <unistd.h>

static int code_of(const struct doctor_report *report)
{
	if (report->has_wrong_setting)
		return TD_EXIT_SETTING;
	return doctor_report_status(report) == DOCTOR_FAIL ? TD_EXIT_FOUND : TD_EXIT_DONE;
}

static bool has_colour(const struct command_call *call, const struct settings *settings)
{
	return !settings->no_color && log_sink_has_colour(call->environment) &&
	       isatty(STDOUT_FILENO) == 1;
}

static int examine(struct command_call *call, const struct settings *settings,
	const struct settings_problems *problems)
{
	struct td_buf out = TD_BUF_INIT;
	struct td_err err = TD_ERR_INIT;
	struct doctor_report report;
	if (doctor_run(settings, problems, &report, &err) != TD_OK)
		return command_fail_err(TD_EXIT_FAILED, &err);
	int code = code_of(&report);
	if (command_option(call, "json") != NULL)
		doctor_write_json(&report, &out);
	else
		doctor_write_text(&report, has_colour(call, settings), &out);
	doctor_report_done(&report);
	int printed = command_print(&out);
	return printed == TD_EXIT_DONE ? code : printed;
}

static int run_doctor(struct command_call *call)
{
	struct settings *settings = NULL;
	struct settings_problems problems;
	if (command_read_settings(call, &settings, &problems) == TD_NOMEM)
		return command_fail(TD_EXIT_FAILED, "out of memory");
	int code = examine(call, settings, &problems);
	settings_free(settings);
	return code;
}

static const struct command_option options[] = {
	{"json", NULL, "As a JSON object."},
	{NULL, NULL, NULL},
};

const struct command command_doctor = {
	.name = "doctor",
	.summary = "Says what is wrong between the settings and the data, and what to do.",
	.about =
		"Looks at the settings, then layer by layer at each database: name, connection, "
		"TLS, "
		"login,\n"
		"version, whether it takes writes, migrations, packages; and at this machine. "
		"Changes nothing,\n"
		"takes CONNECT_TIMEOUT at most, and tells no secret. Ends with 0 (there may be "
		"warnings), 6\n"
		"where something fails, 3 where a setting is wrong. docs/OPERATIONS.md has a place "
		"for each check.",
	.examples = "tools-dashboard doctor\ta line a check, with cause and fix\n"
		    "tools-dashboard doctor --json\tfor a program to read\n"
		    "docker-compose exec back-postgres-service tools-dashboard doctor\tas the "
		    "container sees it",
	.options = options,
	.takes_settings = true,
	.run = run_doctor,
};
