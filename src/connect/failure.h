/* The classes of failure while connecting to a database, the same for every engine: what it is
 * called, which of doctor's layers it belongs to, how fast to try again, and what a person can do
 * about it. */
#ifndef TD_CONNECT_FAILURE_H
#define TD_CONNECT_FAILURE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* How soon the next attempt may come once the process has been connected before. */
enum connect_pace {
	CONNECT_FAST, /* it will probably end by itself: up to 1.5 s */
	CONNECT_SLOW, /* somebody has to change something: up to 10 s */
};

/* UNKNOWN is what a socket says and no other class has; SERVER_ERROR what a server says.
 *
 *    name          pace  layer      words */
#define CONNECT_CLASS_MAP(X)                                                \
	X(UNKNOWN, FAST, "tcp", "failed")                                   \
	X(NAME, FAST, "dns", "name cannot be resolved")                     \
	X(REFUSED, FAST, "tcp", "refused")                                  \
	X(UNREACHABLE, FAST, "tcp", "unreachable")                          \
	X(NO_ANSWER, FAST, "tcp", "no answer")                              \
	X(CLOSED, FAST, "protocol", "closed before it spoke")               \
	X(SILENT, FAST, "protocol", "accepted, then silent")                \
	X(NOT_THE_SERVER, SLOW, "protocol", "something else answers there") \
	X(STARTING, FAST, "protocol", "starting up or shutting down")       \
	X(SERVER_ERROR, FAST, "protocol", "answered with an error")         \
	X(TLS, SLOW, "tls", "TLS failed")                                   \
	X(PASSWORD, SLOW, "auth", "password refused")                       \
	X(ROLE, SLOW, "auth", "role refused")                               \
	X(DATABASE, SLOW, "database", "database is missing")                \
	X(DATA_CENTRE, SLOW, "database", "no node in the data centre")      \
	X(PERMISSION, SLOW, "database", "permission missing")               \
	X(READ_ONLY, SLOW, "writable", "read-only")                         \
	X(TOO_MANY, FAST, "capacity", "too many clients")                   \
	X(RESOURCES, SLOW, "capacity", "server is out of resources")        \
	X(TOO_OLD, SLOW, "version", "server is too old")                    \
	X(SETTING, SLOW, "config", "a setting was refused")                 \
	X(UNREADABLE, SLOW, "config", "a setting cannot be read again")

enum connect_class {
#define CONNECT_CLASS_ENUM(name, pace, layer, words) CONNECT_##name,
	CONNECT_CLASS_MAP(CONNECT_CLASS_ENUM)
#undef CONNECT_CLASS_ENUM
	CONNECT_CLASS_COUNT
};

/* One failed attempt at one address. Plain data; never holds a secret. */
struct connect_failure {
	enum connect_class class;
	char address[300]; /* "172.18.0.2:5432", or "postgresql:5432" before a name was resolved */
	char reason[400]; /* with the address and the layer: "connect to 172.18.0.2:5432: Connection
			     refused (errno 111)" */
};

const char *connect_class_name(enum connect_class class); /* "REFUSED" */
enum connect_pace connect_class_pace(enum connect_class class);
const char *connect_class_layer(enum connect_class class);
const char *connect_class_words(enum connect_class class);

/* doctor's identifier of an engine's layer: "postgres.tcp"; "cassandra.keyspace", which is what its
 * database is called; "config" for whatever is set. */
#define CONNECT_CHECK_SIZE 48
void connect_check_id(const char *engine, const char *layer, char out[CONNECT_CHECK_SIZE]);

/* What a socket error means. */
enum connect_class connect_class_of_errno(int error_number);

/* True for 127.0.0.0/8, ::1, localhost and what ends in .localhost; with or without a port or
 * brackets. */
bool connect_is_loopback(const char *host);

/* What the advice depends on. */
struct connect_place {
	const char *engine;       /* "PostgreSQL" */
	const char *service_name; /* what the service is called in a stack: "postgresql" */
	const char *setting;      /* what names the server: "DATABASE_URL" */
	const char *host;         /* as it was set */
	bool in_container;
};

/* One or two sentences that say what to do, into `out`. */
void connect_advice(
	enum connect_class class, const struct connect_place *place, char *out, size_t out_size);

/* Whether this process runs in a container: /.dockerenv, /run/.containerenv, or `container` in the
 * environment. */
bool connect_in_container(void);

#endif
