#include "base/json.h"
#include "command/command.h"
#include "service/version.h"

static int run_version(struct command_call *call)
{
	struct td_buf out = TD_BUF_INIT;
	if (command_option(call, "json") == NULL) {
		td_buf_printf(&out, "tools-dashboard %s\n", SERVICE_VERSION);
		return command_print(&out);
	}
	struct td_json json = td_json_to(&out);
	td_json_open(&json, '{');
	td_json_member_str(&json, "name", "tools-dashboard");
	td_json_member_str(&json, "version", SERVICE_VERSION);
	td_json_close(&json, '}');
	td_buf_put_char(&out, '\n');
	return command_print(&out);
}

static const struct command_option options[] = {
	{"json", NULL, "As a JSON object."},
	{NULL, NULL, NULL},
};

const struct command command_version = {
	.name = "version",
	.summary = "Prints the version.",
	.examples = "tools-dashboard version --json\tfor a program to read",
	.options = options,
	.run = run_version,
};
