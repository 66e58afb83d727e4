#include "doctor/doctor_internal.h"

static const char *const causes[CONNECT_CLASS_COUNT] = {
	[CONNECT_UNKNOWN] = "The attempt failed in a way that has no name of its own.",
	[CONNECT_NAME] = "The name service does not know the host, or does not answer: the name is "
			 "wrong, or its container is not running or in another network.",
	[CONNECT_REFUSED] =
		"Nobody listens there: the server is not running, not ready, or listens "
		"at another address or port.",
	[CONNECT_UNREACHABLE] = "There is no way to that address from here.",
	[CONNECT_NO_ANSWER] = "Nothing comes back: the machine is off, the address is wrong, or a "
			      "firewall drops the packets.",
	[CONNECT_CLOSED] = "Somebody accepts connections and closes them at once: the server is "
			   "starting behind a proxy, or it is another service.",
	[CONNECT_SILENT] =
		"Somebody accepts connections and then says nothing: the server hangs or "
		"is stopped, or it is another service.",
	[CONNECT_NOT_THE_SERVER] = "Another kind of service has that port.",
	[CONNECT_STARTING] =
		"The server is there, but is starting up, recovering or shutting down.",
	[CONNECT_SERVER_ERROR] = "The server is there, but answers with an error that it should "
				 "not have.",
	[CONNECT_TLS] = "The two sides do not agree about encryption or certificates.",
	[CONNECT_PASSWORD] = "The server does not take this user with this password (a new "
			     "Cassandra refuses the right one for its first seconds).",
	[CONNECT_ROLE] = "The server does not let this role in from here.",
	[CONNECT_DATABASE] = "The server has no database of that name.",
	[CONNECT_DATA_CENTRE] = "CASSANDRA_LOCAL_DC names a data centre that no node is in.",
	[CONNECT_PERMISSION] = "The role may not do what is needed.",
	[CONNECT_READ_ONLY] = "The server takes no writes.",
	[CONNECT_TOO_MANY] = "All connections of the server, or of the role, are taken.",
	[CONNECT_RESOURCES] = "The server has no disk space or memory left.",
	[CONNECT_TOO_OLD] = "The server is older than what is supported.",
	[CONNECT_SETTING] = "The server refuses a parameter that a setting asks for.",
	[CONNECT_UNREADABLE] = "What a setting names cannot be read or used.",
};

const char *doctor_cause(const struct doctor_engine *engine, enum connect_class class)
{
	return engine->causes[class] != NULL ? engine->causes[class] : causes[class];
}
