/* A real Cassandra for the contract suite. */
#ifndef TD_TESTS_CONTRACT_CASSANDRA_DB_H
#define TD_TESTS_CONTRACT_CASSANDRA_DB_H

#include "contract.h"

extern const struct contract_factory cassdb_factory;

/* Once for the program. */
bool cassdb_start(void);
void cassdb_stop(void);

/* Bad rows that all stores told of. */
unsigned cassdb_bad_rows_told(void);

/* The group of tests of the event log. */
int cassdb_run_events(void);

/* Another client's statement; must succeed. */
void cassdb_exec(void *db, const char *cql);

#endif
