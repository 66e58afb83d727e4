/* A row that other clients may have written, column by column: the first thing that is outside the
 * rules is remembered, and such a row is left out and named. Only for src/store/sqlite/. */
#ifndef TD_STORE_SQLITE_ROW_H
#define TD_STORE_SQLITE_ROW_H

#include "store/sqlite/conn.h"
#include "store/store.h"

/* One row being read; the first thing that is wrong with it. */
struct sqlite_row {
	struct store_op *op;
	sqlite3_stmt *stmt;
	const char *table;
	char why[128]; /* "" while nothing is wrong */
};

/* Something is wrong with this column; the first one counts. */
void sqlite_row_spoil(struct sqlite_row *row, int column, const char *why);

/* Values, looked at; texts are copied into the operation's arena. A name is a text that is not
 * empty. */
struct td_slice sqlite_row_text(struct sqlite_row *row, int column);
struct td_slice sqlite_row_name(struct sqlite_row *row, int column);
int64_t sqlite_row_number(struct sqlite_row *row, int column, int64_t least, int64_t most);
int64_t sqlite_row_time(struct sqlite_row *row, int column);
struct td_slice sqlite_row_currency(struct sqlite_row *row, int column);

/* Adds a spoiled row to op->out.bad_rows; its key is its first two columns, or the second alone. */
void sqlite_row_note(struct sqlite_row *row, bool both);

#endif
