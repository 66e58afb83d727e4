/* libpq, loaded when the first store of PostgreSQL is made: whoever runs on the embedded store
 * neither needs it nor pays for it (with what it brings along: 3 MiB of resident memory). The
 * functions of libpq-fe.h are called as usual; pg_library.c hands them on. */
#ifndef TD_STORE_POSTGRES_PG_LIBRARY_H
#define TD_STORE_POSTGRES_PG_LIBRARY_H

#include "base/err.h"

/* Before any function of libpq-fe.h is called; again at any time, by one thread at a time.
 * TD_UNAVAILABLE: the library is not installed, or lacks a function; `err` says what to install. */
enum td_status pg_library_load(struct td_err *err) TD_MUST_CHECK;

#endif
