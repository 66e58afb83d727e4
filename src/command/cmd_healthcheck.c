#include "command/command.h"
#include "service/probe.h"

static int run_healthcheck(struct command_call *call)
{
	struct td_err err = TD_ERR_INIT;
	int code;
	struct settings *settings = command_load_settings(call, &code);
	if (settings == NULL)
		return TD_EXIT_FAILED;
	enum td_status status = probe_ready(settings->host, (unsigned)settings->port, &err);
	settings_free(settings);
	return status == TD_OK ? TD_EXIT_DONE : command_fail_err(TD_EXIT_FAILED, &err);
}

const struct command command_healthcheck = {
	.name = "healthcheck",
	.summary = "Asks the service on this machine whether it is ready.",
	.about = "Asks /readyz on PORT of this machine, for at most three seconds. Ends with 0 "
		 "when it is\n"
		 "ready, and with 1 in every other case, so that a container can use it as it is.",
	.examples = "tools-dashboard healthcheck\t0: ready\n"
		    "PORT=9000 tools-dashboard healthcheck\tof a service on another port",
	.takes_settings = true,
	.run = run_healthcheck,
};
