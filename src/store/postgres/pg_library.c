/* Each function of libpq that we use stands here under its own name and calls what dlsym(3) found.
 */
#include "store/postgres/pg_library.h"

#include <dlfcn.h>
#include <libpq-fe.h>
#include <string.h>

#define LIBRARY "libpq.so.5"

/*    result, name, parameters, arguments */
#define PG_FUNCTION_MAP(X)                                                                     \
	X(int, PQbackendPID, (const PGconn *c), (c))                                           \
	X(PostgresPollingStatusType, PQconnectPoll, (PGconn * c), (c))                         \
	X(PGconn *, PQconnectStartParams, (const char *const *k, const char *const *v, int e), \
		(k, v, e))                                                                     \
	X(int, PQconsumeInput, (PGconn * c), (c))                                              \
	X(int, PQenterPipelineMode, (PGconn * c), (c))                                         \
	X(char *, PQerrorMessage, (const PGconn *c), (c))                                      \
	X(int, PQflush, (PGconn * c), (c))                                                     \
	X(char *, PQfname, (const PGresult *r, int f), (r, f))                                 \
	X(PGresult *, PQgetResult, (PGconn * c), (c))                                          \
	X(int, PQgetisnull, (const PGresult *r, int t, int f), (r, t, f))                      \
	X(int, PQgetlength, (const PGresult *r, int t, int f), (r, t, f))                      \
	X(char *, PQgetvalue, (const PGresult *r, int t, int f), (r, t, f))                    \
	X(int, PQisBusy, (PGconn * c), (c))                                                    \
	X(PGnotify *, PQnotifies, (PGconn * c), (c))                                           \
	X(int, PQnfields, (const PGresult *r), (r))                                            \
	X(int, PQntuples, (const PGresult *r), (r))                                            \
	X(const char *, PQparameterStatus, (const PGconn *c, const char *n), (c, n))           \
	X(int, PQpipelineSync, (PGconn * c), (c))                                              \
	X(char *, PQresultErrorField, (const PGresult *r, int f), (r, f))                      \
	X(ExecStatusType, PQresultStatus, (const PGresult *r), (r))                            \
	X(int, PQsendFlushRequest, (PGconn * c), (c))                                          \
	X(int, PQsendPrepare, (PGconn * c, const char *s, const char *q, int n, const Oid *t), \
		(c, s, q, n, t))                                                               \
	X(int, PQsendQuery, (PGconn * c, const char *q), (c, q))                               \
	X(int, PQsendQueryParams,                                                              \
		(PGconn * c, const char *q, int n, const Oid *t, const char *const *v,         \
			const int *l, const int *f, int r),                                    \
		(c, q, n, t, v, l, f, r))                                                      \
	X(int, PQsendQueryPrepared,                                                            \
		(PGconn * c, const char *s, int n, const char *const *v, const int *l,         \
			const int *f, int r),                                                  \
		(c, s, n, v, l, f, r))                                                         \
	X(int, PQserverVersion, (const PGconn *c), (c))                                        \
	X(PGVerbosity, PQsetErrorVerbosity, (PGconn * c, PGVerbosity v), (c, v))               \
	X(PQnoticeReceiver, PQsetNoticeReceiver, (PGconn * c, PQnoticeReceiver p, void *a),    \
		(c, p, a))                                                                     \
	X(int, PQsetnonblocking, (PGconn * c, int a), (c, a))                                  \
	X(int, PQsocket, (const PGconn *c), (c))                                               \
	X(ConnStatusType, PQstatus, (const PGconn *c), (c))

/*    name, parameters, arguments */
#define PG_PROCEDURE_MAP(X)             \
	X(PQclear, (PGresult * r), (r)) \
	X(PQfinish, (PGconn * c), (c))  \
	X(PQfreemem, (void *p), (p))

/* Set by pg_library_load() before threads use them, then read-only. */
static struct {
#define PG_FIELD(result, name, parameters, arguments) result(*name) parameters;
	PG_FUNCTION_MAP(PG_FIELD)
#undef PG_FIELD
#define PG_FIELD(name, parameters, arguments) void(*name) parameters;
	PG_PROCEDURE_MAP(PG_FIELD)
#undef PG_FIELD
	bool loaded;
} pq;

/* A store that was never connected is destroyed as well. */
#define PG_DEFINE(result, name, parameters, arguments) \
	result name parameters                         \
	{                                              \
		td_assert(pq.loaded);                  \
		return pq.name arguments;              \
	}
PG_FUNCTION_MAP(PG_DEFINE)
#undef PG_DEFINE

#define PG_DEFINE(name, parameters, arguments) \
	void name parameters                   \
	{                                      \
		if (pq.loaded)                 \
			pq.name arguments;     \
	}
PG_PROCEDURE_MAP(PG_DEFINE)
#undef PG_DEFINE

/* POSIX lets dlsym() give functions; ISO C has no cast for it, so the bytes are copied. */
static bool find(void *library, const char *name, void *ret_function)
{
	void *found = dlsym(library, name);
	memcpy(ret_function, &found, sizeof(found));
	return found != NULL;
}

enum td_status pg_library_load(struct td_err *err)
{
	if (pq.loaded)
		return TD_OK;
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	const char *missing = library == NULL ? LIBRARY : NULL;
#define PG_FIND(result, name, parameters, arguments)            \
	if (missing == NULL && !find(library, #name, &pq.name)) \
		missing = #name;
	PG_FUNCTION_MAP(PG_FIND)
#undef PG_FIND
#define PG_FIND(name, parameters, arguments)                    \
	if (missing == NULL && !find(library, #name, &pq.name)) \
		missing = #name;
	PG_PROCEDURE_MAP(PG_FIND)
#undef PG_FIND
	if (missing != NULL)
		return td_err_set(err, TD_UNAVAILABLE,
			"PostgreSQL needs %s (%s is missing): install it with `apt-get install "
			"libpq5`, version 14 or newer",
			LIBRARY, missing);
	pq.loaded = true;
	return TD_OK;
}
