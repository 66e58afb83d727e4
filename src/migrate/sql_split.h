/* Cuts a file of SQL or CQL into statements. Pure: no I/O, no memory; any bytes may come in.
 *
 * Sources: SQLite "SQL As Understood By SQLite" (comments, identifiers, CREATE TRIGGER),
 * PostgreSQL 15 manual 4.1 (nested comments, dollar quotes, E'' strings, BEGIN ATOMIC bodies),
 * Apache Cassandra CQL grammar (two slashes begin a comment, $$ quotes, BEGIN BATCH). */
#ifndef TD_MIGRATE_SQL_SPLIT_H
#define TD_MIGRATE_SQL_SPLIT_H

#include "base/compiler.h"
#include "base/slice.h"

#include <stdbool.h>

enum sql_flavour {
	SQL_SQLITE,
	SQL_POSTGRES,
	SQL_CQL,
};

enum sql_next {
	SQL_STATEMENT,
	SQL_END,
	SQL_BROKEN, /* a string, quoted name or comment has no end */
};

/* Begin with {flavour, text, 1}; sql_split_next() moves it on. */
struct sql_split {
	enum sql_flavour flavour;
	struct td_slice rest; /* borrowed from the text */
	unsigned line;        /* where `rest` begins, from 1 */
};

struct sql_statement {
	struct td_slice text; /* from its first word to before its ';', comments inside kept;
				 borrowed from the text. SQL_BROKEN: what has no end */
	struct td_slice word; /* its first word: "CREATE"; empty where it begins with no letter */
	unsigned line;        /* where `text` begins */
};

/* The next statement; those of comments and spaces alone are left out. *ret is written with
 * SQL_STATEMENT and SQL_BROKEN; nothing follows SQL_BROKEN. */
enum sql_next sql_split_next(struct sql_split *split, struct sql_statement *ret) TD_MUST_CHECK;

/* True for words that begin or end a transaction in this flavour: a migration must not use them,
 * because each file is committed together with its record. */
bool sql_is_transaction(enum sql_flavour flavour, const struct sql_statement *statement);

#endif
