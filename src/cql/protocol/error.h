/* ERROR: a code, a sentence, and what the code adds (native_protocol_v4.spec and v5.spec section
 * 9). Pure; hostile input; any thread. */
#ifndef TD_CQL_PROTOCOL_ERROR_H
#define TD_CQL_PROTOCOL_ERROR_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "cql/protocol/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cql_error_code {
	CQL_ERROR_SERVER = 0x0000,
	CQL_ERROR_PROTOCOL = 0x000a,
	CQL_ERROR_AUTHENTICATION = 0x0100,
	CQL_ERROR_UNAVAILABLE = 0x1000,
	CQL_ERROR_OVERLOADED = 0x1001,
	CQL_ERROR_BOOTSTRAPPING = 0x1002,
	CQL_ERROR_TRUNCATE = 0x1003,
	CQL_ERROR_WRITE_TIMEOUT = 0x1100,
	CQL_ERROR_READ_TIMEOUT = 0x1200,
	CQL_ERROR_READ_FAILURE = 0x1300,
	CQL_ERROR_FUNCTION = 0x1400,
	CQL_ERROR_WRITE_FAILURE = 0x1500,
	CQL_ERROR_CDC_WRITE = 0x1600,
	CQL_ERROR_CAS_UNKNOWN = 0x1700,
	CQL_ERROR_SYNTAX = 0x2000,
	CQL_ERROR_UNAUTHORIZED = 0x2100,
	CQL_ERROR_INVALID = 0x2200,
	CQL_ERROR_CONFIG = 0x2300,
	CQL_ERROR_EXISTS = 0x2400,
	CQL_ERROR_UNPREPARED = 0x2500,
};

/* All that points somewhere points into the message. */
struct cql_error {
	int32_t code;            /* enum cql_error_code, or one of a later server */
	struct td_slice message; /* the server's sentence */
	bool has_detail;         /* what the code adds was there and whole: what follows counts */
	uint16_t consistency;    /* UNAVAILABLE, the timeouts, the failures, CAS_UNKNOWN */
	int32_t received;        /* replicas that answered; UNAVAILABLE: that are alive */
	int32_t required;        /* replicas that had to */
	int32_t failures;        /* of the failures: replicas that said no */
	bool data_present;       /* of reads: the replica asked for data was among them */
	uint16_t contentions;    /* WRITE_TIMEOUT of a CAS since version 5, else 0 */
	struct td_slice write_type; /* of writes: "SIMPLE", "BATCH", "UNLOGGED_BATCH", "COUNTER",
				       "BATCH_LOG", "CAS", "VIEW", "CDC" */
	struct cql_items reasons; /* of the failures since version 5: [inetaddr] and [short] each */
	struct td_slice keyspace; /* FUNCTION, EXISTS */
	struct td_slice name;     /* FUNCTION: the function; EXISTS: the table, empty: a keyspace */
	struct cql_items argument_types; /* FUNCTION: strings */
	struct td_slice id; /* UNPREPARED: of the statement that the server does not know */
};

/* `version`: of the connection. TD_CORRUPT only where code and sentence are not there: what comes
 * behind may differ between servers. */
enum td_status cql_error_read(struct td_slice message, unsigned version,
	struct cql_error *ret_error, struct td_err *err) TD_MUST_CHECK;

/* "write timeout"; "unknown error". Static storage. */
const char *cql_error_name(int32_t code);

/* What it is to a caller who knows no CQL: TD_BUSY (overloaded), TD_UNAVAILABLE (not enough
 * replicas, bootstrapping), TD_TIMEOUT (whether a write was done is unknown), TD_DENIED, TD_EXISTS,
 * TD_INVALID, TD_NOTFOUND (unprepared), TD_SCHEMA (configuration), TD_IO (replicas failed),
 * TD_INTERNAL. */
enum td_status cql_error_status(int32_t code);

/* Writes the whole story into *err, `native` is the code, and returns cql_error_status(). The
 * server's sentence is cut to what fits. */
enum td_status cql_error_tell(const struct cql_error *error, struct td_err *err);

#endif
