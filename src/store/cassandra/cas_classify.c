#include "store/cassandra/cas_classify.h"

#include <stdio.h>
#include <string.h>

enum connect_class cas_classify(enum cql_failure failure)
{
	switch (failure) {
	case CQL_FAILURE_NAME:
		return CONNECT_NAME;
	case CQL_FAILURE_REFUSED:
		return CONNECT_REFUSED;
	case CQL_FAILURE_UNREACHABLE:
		return CONNECT_UNREACHABLE;
	case CQL_FAILURE_NO_ANSWER:
		return CONNECT_NO_ANSWER;
	case CQL_FAILURE_SILENT:
		return CONNECT_SILENT;
	case CQL_FAILURE_LOST:
	case CQL_FAILURE_CLOSED:
		return CONNECT_CLOSED;
	case CQL_FAILURE_NOT_CQL:
	case CQL_FAILURE_CLUSTER:
		return CONNECT_NOT_THE_SERVER;
	case CQL_FAILURE_TLS_EXPECTED:
	case CQL_FAILURE_TLS_MISSING:
	case CQL_FAILURE_TLS_REFUSED:
		return CONNECT_TLS;
	case CQL_FAILURE_AUTH:
		return CONNECT_PASSWORD;
	case CQL_FAILURE_AUTH_UNAVAILABLE:
	case CQL_FAILURE_BOOTSTRAPPING:
		return CONNECT_STARTING;
	case CQL_FAILURE_VERSION:
		return CONNECT_TOO_OLD;
	case CQL_FAILURE_KEYSPACE:
		return CONNECT_DATABASE;
	case CQL_FAILURE_DATA_CENTRE:
		return CONNECT_DATA_CENTRE;
	case CQL_FAILURE_OVERLOADED:
		return CONNECT_TOO_MANY;
	case CQL_FAILURE_SERVER:
		return CONNECT_SERVER_ERROR;
	case CQL_FAILURE_NOMEM:
	case CQL_FAILURE_NONE:
		break;
	}
	return CONNECT_UNKNOWN;
}

/* The text without the address before it, and without what our own words say. */
static const char *reason_of(const struct cql_attempt_failure *failure)
{
	static const char cannot[] = "cannot connect: ";
	const char *text = failure->text;
	size_t len = strlen(failure->address);
	if (strncmp(text, failure->address, len) == 0 && strncmp(text + len, ": ", 2) == 0)
		text += len + 2;
	return strncmp(text, cannot, sizeof(cannot) - 1) == 0 ? text + sizeof(cannot) - 1 : text;
}

void cas_failure_of(const struct cql_attempt_failure *from, struct connect_failure *to)
{
	const char *reason = reason_of(from);
	enum connect_class class = cas_classify(from->failure);
	bool names_itself = class == CONNECT_NAME || class == CONNECT_DATA_CENTRE;
	const char *layer = connect_class_layer(class);
	*to = (struct connect_failure){.class = class};
	(void)snprintf(to->address, sizeof(to->address), "%.299s", from->address);
	if (names_itself)
		(void)snprintf(to->reason, sizeof(to->reason), "%.399s", reason);
	else
		(void)snprintf(to->reason, sizeof(to->reason), "%s %.120s: %.260s",
			strcmp(layer, "tcp") == 0 ? "connect to" : "log in at", from->address,
			reason);
}
