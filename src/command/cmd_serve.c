#include "command/command.h"
#include "service/serve.h"

static int run_serve(struct command_call *call)
{
	int code;
	struct settings *settings = command_load_settings(call, &code);
	if (settings == NULL)
		return code;
	code = serve_run(&service_role_serve, settings, call->environment);
	settings_free(settings);
	return code;
}

const struct command command_serve = {
	.name = "serve",
	.summary = "Runs the service: API, pages and its database's upkeep, in one process.",
	.about = "Makes ./tools-dashboard.db where there is none, fills it with four packages, and "
		 "listens\n"
		 "on http://127.0.0.1:8100. With DATABASE_URL=postgresql://… that database is "
		 "used.\n SIGTERM or Ctrl-C answers what is in flight and ends.",
	.examples = "tools-dashboard serve\tstart here, with everything at its default\n"
		    "tools-dashboard serve --host 0.0.0.0 --port 80\tfor everybody in the network\n"
		    "DATABASE_URL=sqlite:////var/lib/td/td.db tools-dashboard serve\t"
		    "with the database elsewhere\n"
		    "tools-dashboard serve --config /etc/tools-dashboard.conf\t"
		    "with settings from a file",
	.takes_settings = true,
	.uses_content = true,
	.is_service = true,
	.run = run_serve,
};
