/* A PostgreSQL of the tests' own in a temporary folder, with a database for each test that is
 * copied from one that is migrated. */
#ifndef TD_TESTS_CONTRACT_POSTGRES_DB_H
#define TD_TESTS_CONTRACT_POSTGRES_DB_H

#include "contract.h"

#include <libpq-fe.h>

/* What a test's c->db is. */
struct pgdb {
	char name[32];
	PGconn *holder; /* another client, where a test has one; closed with the database */
};

extern const struct contract_factory pgdb_factory;

/* Once for the program. */
bool pgdb_start(void);
void pgdb_stop(void);

/* Another client. The caller PQfinish()es it. */
PGconn *pgdb_connect(const char *name);
void pgdb_run(PGconn *conn, const char *sql);   /* must succeed */
void pgdb_exec(void *db, const char *sql);      /* the same on a connection of its own */
void pgdb_let_go(void *db);                     /* closes the holder */
bool pgdb_finds(PGconn *conn, const char *sql); /* whether a query gives a row */

/* A store that is not as the suite's are. */
struct pgdb_wish {
	const char *database; /* its name is borrowed until the store is destroyed */
	size_t queue_limit;
	int64_t retries, lifetime_ms;
};

/* Begins to connect; nobody has waited for it. */
struct store *pgdb_begin(const struct pgdb_wish *wish);

/* One for each attempt to connect, of all stores. */
unsigned pgdb_passwords_given(void);

/* Bad rows that all stores told of. */
unsigned pgdb_bad_rows_told(void);

/* The groups of tests that only PostgreSQL has. */
int pgdb_run_repeats(void);
int pgdb_run_locks(void);
int pgdb_run_rows(void);
int pgdb_run_connections(void);
int pgdb_run_plans(void);
int pgdb_run_events(void);

#endif
