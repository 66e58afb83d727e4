#include "connect/failure.h"

#include "base/slice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct {
	enum connect_pace pace;
	const char *name, *layer, *words;
} classes[CONNECT_CLASS_COUNT] = {
#define CONNECT_CLASS_ROW(name, pace, layer, words) \
	[CONNECT_##name] = {CONNECT_##pace, #name, layer, words},
	CONNECT_CLASS_MAP(CONNECT_CLASS_ROW)
#undef CONNECT_CLASS_ROW
};

const char *connect_class_name(enum connect_class class)
{
	return classes[class].name;
}

enum connect_pace connect_class_pace(enum connect_class class)
{
	return classes[class].pace;
}

const char *connect_class_layer(enum connect_class class)
{
	return classes[class].layer;
}

const char *connect_class_words(enum connect_class class)
{
	return classes[class].words;
}

void connect_check_id(const char *engine, const char *layer, char out[CONNECT_CHECK_SIZE])
{
	if (strcmp(layer, "config") == 0)
		(void)snprintf(out, CONNECT_CHECK_SIZE, "config");
	else if (strcmp(engine, "cassandra") == 0 && strcmp(layer, "database") == 0)
		(void)snprintf(out, CONNECT_CHECK_SIZE, "cassandra.keyspace");
	else
		(void)snprintf(out, CONNECT_CHECK_SIZE, "%s.%s", engine, layer);
}

enum connect_class connect_class_of_errno(int error_number)
{
	switch (error_number) {
	case ECONNREFUSED:
	case ENOENT: /* a socket file that is not there */
		return CONNECT_REFUSED;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
	case EADDRNOTAVAIL:
		return CONNECT_UNREACHABLE;
	case ETIMEDOUT:
		return CONNECT_NO_ANSWER;
	case ECONNRESET:
	case EPIPE:
	case ECONNABORTED:
		return CONNECT_CLOSED;
	default:
		return CONNECT_UNKNOWN;
	}
}

/* What stands before the port, without brackets. */
static struct td_slice host_part(const char *host)
{
	struct td_slice s = td_slice_str(host);
	if (s.len > 0 && s.ptr[0] == '[') {
		s = td_slice_skip(s, 1);
		const char *end = memchr(s.ptr, ']', s.len);
		return end != NULL ? td_slice(s.ptr, (size_t)(end - s.ptr)) : s;
	}
	const char *colon = s.len > 0 ? memchr(s.ptr, ':', s.len) : NULL;
	if (colon != NULL && memchr(colon + 1, ':', s.len - (size_t)(colon + 1 - s.ptr)) == NULL)
		s.len = (size_t)(colon - s.ptr);
	return s;
}

static bool ends_with_nocase(struct td_slice s, const char *end)
{
	size_t len = strlen(end);
	return s.len >= len && strncasecmp(s.ptr + s.len - len, end, len) == 0;
}

bool connect_is_loopback(const char *host)
{
	struct td_slice s = host_part(host);
	if (td_slice_is_nocase(s, "localhost") || ends_with_nocase(s, ".localhost"))
		return true;
	if (td_slice_is(s, "::1") || td_slice_has_prefix(s, "::ffff:127."))
		return true;
	if (!td_slice_has_prefix(s, "127."))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] != '.' && (s.ptr[i] < '0' || s.ptr[i] > '9'))
			return false;
	}
	return true;
}

static const char *const advices[CONNECT_CLASS_COUNT] = {
	[CONNECT_UNKNOWN] = "Check the address in %s, and what this process may do (files that it "
			    "may open, permissions).",
	[CONNECT_NAME] = "Check the host name in %s, and that the server's container is in the "
			 "same network and running.",
	[CONNECT_REFUSED] = "Start the server, or correct host and port in %s.",
	[CONNECT_UNREACHABLE] = "Check the address in %s and the network between here and there.",
	[CONNECT_NO_ANSWER] = "Check the address in %s, and that no firewall drops the packets.",
	[CONNECT_CLOSED] =
		"The server may still be starting, or the port in %s belongs to something else.",
	[CONNECT_SILENT] = "The server hangs or is overloaded, or the port in %s belongs to "
			   "something else. Look at its log.",
	[CONNECT_NOT_THE_SERVER] = "Correct host and port in %s.",
	[CONNECT_STARTING] = "Wait: the server is starting up, recovering or shutting down. If it "
			     "never ends, look at its log.",
	[CONNECT_SERVER_ERROR] = "Look at the server's log: it says more about the error.",
	[CONNECT_TLS] = "Make the TLS settings of both sides agree (sslmode, certificates) in %s.",
	[CONNECT_PASSWORD] = "Correct user and password in %s (or its _FILE), or set the role's "
			     "password on the server.",
	[CONNECT_ROLE] = "Create the role on the server, allow it in pg_hba.conf, or correct the "
			 "user in %s.",
	[CONNECT_DATABASE] = "Create the database on the server, or correct its name in %s.",
	[CONNECT_DATA_CENTRE] = "Name the data centre of the nodes, or none, in %s.",
	[CONNECT_PERMISSION] = "Grant the role what it needs on the server (CONNECT on the "
			       "database, CREATE on the schema), or name another user in %s.",
	[CONNECT_READ_ONLY] = "Point %s at the primary: this server takes no writes.",
	[CONNECT_TOO_MANY] =
		"Raise max_connections on the server, or close clients that are not needed.",
	[CONNECT_RESOURCES] = "Free disk or memory on the server; its log says which.",
	[CONNECT_TOO_OLD] = "Upgrade the server, or point %s at a newer one.",
	[CONNECT_SETTING] = "Correct %s: the server does not accept what it asks for.",
	[CONNECT_UNREADABLE] = "Put the file back, or correct what it holds: it is read again at "
			       "every attempt.",
};

void connect_advice(
	enum connect_class class, const struct connect_place *place, char *out, size_t out_size)
{
	if (class == CONNECT_REFUSED && place->in_container && connect_is_loopback(place->host)) {
		(void)snprintf(out, out_size,
			"Inside a container %s is the container itself: name the service instead, "
			"for example "
			"%s, in %s.",
			place->host, place->service_name, place->setting);
		return;
	}
	/* The templates have at most one %s, for the setting: written by hand, so that no format
	 * comes from a table. */
	const char *text = advices[class];
	const char *mark = strstr(text, "%s");
	if (mark == NULL)
		(void)snprintf(out, out_size, "%s", text);
	else
		(void)snprintf(out, out_size, "%.*s%s%s", (int)(mark - text), text, place->setting,
			mark + 2);
}

bool connect_in_container(void)
{
	const char *named = getenv("container");
	return access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0 ||
	       (named != NULL && named[0] != '\0');
}
