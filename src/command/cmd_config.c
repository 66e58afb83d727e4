#include "command/command.h"
#include "settings/settings_print.h"

static int run_config(struct command_call *call)
{
	int code;
	struct settings *settings = command_load_settings(call, &code);
	if (settings == NULL)
		return code;
	struct td_buf out = TD_BUF_INIT;
	if (command_option(call, "json") != NULL)
		settings_write_json(settings, &out);
	else
		settings_write_text(settings, &out);
	settings_free(settings);
	return command_print(&out);
}

static const struct command_option options[] = {
	{"json", NULL, "As a JSON object."},
	{NULL, NULL, NULL},
};

const struct command command_config = {
	.name = "config",
	.summary = "Shows every setting in force, and where it came from.",
	.about = "Secrets are masked. What is wrong is listed, all of it, with exit code 3.",
	.examples = "tools-dashboard config\tname, value and origin, a line each\n"
		    "tools-dashboard config --config td.conf --json\tfor a program to read",
	.options = options,
	.takes_settings = true,
	.run = run_config,
};
