#include "command/command.h"
#include "service/serve.h"

static int run_role(struct command_call *call, const struct service_role *role)
{
	int code;
	struct settings *settings = command_load_settings(call, &code);
	if (settings == NULL)
		return code;
	bool sqlite = settings_is_set(settings, SETTING_DATABASE_URL) && !settings->uses_postgres;
	if (role == &service_role_back_postgres && sqlite)
		code = command_fail(TD_EXIT_SETTING,
			"DATABASE_URL: %s needs PostgreSQL; write "
			"postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
			role->name);
	else
		code = serve_run(role, settings, call->environment);
	settings_free(settings);
	return code;
}

static int run_back_postgres(struct command_call *call)
{
	return run_role(call, &service_role_back_postgres);
}

static int run_back_cassandra(struct command_call *call)
{
	return run_role(call, &service_role_back_cassandra);
}

static int run_back_api(struct command_call *call)
{
	return run_role(call, &service_role_back_api);
}

const struct command command_back_postgres = {
	.name = "back-postgres",
	.summary = "Runs PostgreSQL's data service: connects, migrates, populates, stays.",
	.about = "Connects in whatever order things start, says what is wrong when it cannot, and "
		 "reports\n"
		 "health on port 8101. With nothing set it goes to postgresql:5432/main_db.",
	.examples = "DATABASE_URL=postgresql://user:pass@postgresql:5432/main_db tools-dashboard "
		    "back-postgres\t"
		    "as in a Compose stack\n"
		    "DATABASE_URL_FILE=/run/secrets/database_url tools-dashboard back-postgres\t"
		    "with the URL from a file, which is read at every connection",
	.takes_settings = true,
	.is_service = true,
	.run = run_back_postgres,
};

const struct command command_back_cassandra = {
	.name = "back-cassandra",
	.summary = "Runs Cassandra's data service: connects, migrates, populates, stays.",
	.about = "Connects in whatever order things start, makes the keyspace tools_dashboard and "
		 "its tables,\n"
		 "fills them, and reports health on port 8102. With nothing set it goes to "
		 "cassandra:9042.",
	.examples = "CASSANDRA_CONTACT_POINTS=cassandra tools-dashboard back-cassandra\t"
		    "as in a Compose stack\n"
		    "CASSANDRA_CONTACT_POINTS=a,b,c CASSANDRA_REPLICATION=dc1:3 tools-dashboard "
		    "back-cassandra\t"
		    "with three nodes, and a replica on each",
	.takes_settings = true,
	.is_service = true,
	.run = run_back_cassandra,
};

const struct command command_back_api = {
	.name = "back-api",
	.summary = "Runs API and pages on a database that others keep in order.",
	.about = "As `serve`, but it never migrates or populates: it waits until the schema is "
		 "there.",
	.examples = "DATABASE_URL=postgresql://user:pass@postgresql:5432/main_db tools-dashboard "
		    "back-api\t"
		    "beside back-postgres",
	.takes_settings = true,
	.uses_content = true,
	.is_service = true,
	.run = run_back_api,
};
