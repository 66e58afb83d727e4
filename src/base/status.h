/* The one list of outcomes. Enum, names, words, HTTP status and "may the caller try again" all come
 * from TD_STATUS_MAP. */
#ifndef TD_BASE_STATUS_H
#define TD_BASE_STATUS_H

#include <stdbool.h>

/*    name         HTTP  retry  words */
#define TD_STATUS_MAP(X)                                          \
	X(OK, 200, false, "ok")                                   \
	X(NOMEM, 503, true, "out of memory")                      \
	X(INVALID, 400, false, "not valid")                       \
	X(DENIED, 401, false, "not permitted")                    \
	X(NOTFOUND, 404, false, "not found")                      \
	X(EXISTS, 409, false, "exists already")                   \
	X(CONFLICT, 409, true, "changed meanwhile")               \
	X(MISMATCH, 422, false, "differs from the first request") \
	X(TOOBIG, 413, false, "over a configured limit")          \
	X(LIMITED, 429, true, "too many tries")                   \
	X(BUSY, 503, true, "too much is waiting")                 \
	X(TIMEOUT, 503, true, "deadline passed")                  \
	X(UNAVAILABLE, 503, true, "store is away")                \
	X(STOPPING, 503, true, "server is stopping")              \
	X(IO, 500, false, "input or output failed")               \
	X(CORRUPT, 500, false, "data is damaged")                 \
	X(SCHEMA, 500, false, "schema does not fit")              \
	X(INTERNAL, 500, false, "internal fault")

enum td_status {
#define TD_STATUS_ENUM(name, http, retry, words) TD_##name,
	TD_STATUS_MAP(TD_STATUS_ENUM)
#undef TD_STATUS_ENUM
	TD_STATUS_COUNT
};

/* "TIMEOUT"; static storage. */
const char *td_status_name(enum td_status status);

/* "deadline passed"; static storage. */
const char *td_status_words(enum td_status status);

int td_status_http(enum td_status status);

/* True when the same call may succeed later without being changed. */
bool td_status_may_retry(enum td_status status);

#endif
