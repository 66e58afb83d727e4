/* What a server answers while a connection is made, and what it sends unasked
 * (native_protocol_v4.spec and v5.spec sections 4.2.2, 4.2.3, 4.2.4, 4.2.6 to 4.2.8). `message` is
 * cql_body.message; all that is read points into it. Bytes behind what is known are ignored: later
 * servers may add some. Pure; hostile input; any thread. */
#ifndef TD_CQL_PROTOCOL_RESPONSE_H
#define TD_CQL_PROTOCOL_RESPONSE_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "cql/protocol/wire.h"

#include <stdbool.h>
#include <stddef.h>

/* SUPPORTED: a multimap. TD_CORRUPT. */
enum td_status cql_supported_read(
	struct td_slice message, struct cql_items *ret_options, struct td_err *err) TD_MUST_CHECK;

/* True where the option lists the value: "COMPRESSION", "lz4". */
bool cql_supported_has(const struct cql_items *options, const char *option, const char *value);

/* The highest protocol version of PROTOCOL_VERSIONS that is no beta and not above `most`; 0 where
 * none is listed (servers before 3.10 list none). */
unsigned cql_supported_version(const struct cql_items *options, unsigned most);

/* AUTHENTICATE: the server's class. TD_CORRUPT. */
enum td_status cql_authenticate_read(
	struct td_slice message, struct td_slice *ret_class, struct td_err *err) TD_MUST_CHECK;

/* True for the classes that a password may be sent to with PLAIN. */
bool cql_authenticator_is_known(struct td_slice class_name);

/* AUTH_CHALLENGE and AUTH_SUCCESS: a token; its ptr is NULL where it is null. TD_CORRUPT. */
enum td_status cql_auth_read(
	struct td_slice message, struct td_slice *ret_token, struct td_err *err) TD_MUST_CHECK;

enum cql_change {
	CQL_CHANGE_UNKNOWN, /* a word of a later server: refresh all */
	CQL_NEW_NODE,
	CQL_REMOVED_NODE,
	CQL_MOVED_NODE,
	CQL_UP,
	CQL_DOWN,
	CQL_CREATED,
	CQL_UPDATED,
	CQL_DROPPED,
};

enum cql_target {
	CQL_TARGET_UNKNOWN,
	CQL_TARGET_KEYSPACE,
	CQL_TARGET_TABLE,
	CQL_TARGET_TYPE,
	CQL_TARGET_FUNCTION,
	CQL_TARGET_AGGREGATE,
};

/* Of the event SCHEMA_CHANGE and of a result of that kind. */
struct cql_schema_change {
	enum cql_change change;
	enum cql_target target;
	struct td_slice keyspace;
	struct td_slice name;            /* empty where the keyspace itself changed */
	struct cql_items argument_types; /* FUNCTION and AGGREGATE: strings */
};

/* Look at r->failed. */
struct cql_schema_change cql_schema_change_read(struct cql_reader *r);

enum cql_event_type {
	CQL_EVENT_IS_UNKNOWN,
	CQL_EVENT_IS_TOPOLOGY,
	CQL_EVENT_IS_STATUS,
	CQL_EVENT_IS_SCHEMA,
};

struct cql_event {
	enum cql_event_type type;
	enum cql_change change;
	struct cql_inet node;            /* TOPOLOGY, STATUS: its address for clients, which may
					    open its port a little later */
	struct cql_schema_change schema; /* SCHEMA */
};

/* EVENT. TD_CORRUPT. */
enum td_status cql_event_read(
	struct td_slice message, struct cql_event *ret_event, struct td_err *err) TD_MUST_CHECK;

#endif
