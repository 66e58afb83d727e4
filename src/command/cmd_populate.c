#include "command/command.h"
#include "service/session.h"
#include "service/storage.h"

static int populate(const struct settings *settings)
{
	struct td_err err = TD_ERR_INIT;
	struct session session;
	if (session_open(&session, settings, SESSION_CONTENT | SESSION_MIGRATES, &err) != TD_OK)
		return command_fail_err(exit_code_of_store(&err), &err);
	int code = storage_populate(settings, session.store, session.content, &err);
	session_close(&session);
	return code == TD_EXIT_DONE ? code : command_fail_err(code, &err);
}

static int run_populate(struct command_call *call)
{
	int code;
	struct settings *settings = command_load_settings(call, &code);
	if (settings == NULL)
		return code;
	code = populate(settings);
	settings_free(settings);
	return code;
}

const struct command command_populate = {
	.name = "populate",
	.summary = "Fills an empty database with packages.",
	.about = "Migrates first. Writes the four packages that are compiled in, or those of "
		 "CATALOGUE_FILE;\n"
		 "a database that has packages is left as it is. `serve` does this itself.",
	.examples = "tools-dashboard populate\tthe four packages\n"
		    "tools-dashboard populate --catalogue-file plans.json\tyour own",
	.takes_settings = true,
	.uses_content = true,
	.run = run_populate,
};
