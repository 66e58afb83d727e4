/* A SQLite file of its own for each test, in a temporary folder; the "other client" is SQLite's own
 * library, as sqlite3 is. */
#ifndef TD_TESTS_CONTRACT_SQLITE_DB_H
#define TD_TESTS_CONTRACT_SQLITE_DB_H

#include "contract.h"

extern const struct contract_factory sqlitedb_factory;

#endif
