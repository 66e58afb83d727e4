/* The catalogue as a JSON file: checked whole before a row of it is used, and written so that
 * reading it back gives the same rows. Its members are those of the API's packages (DESIGN §9):
 *
 *   {"version": 1, "packages": [{"slug", "name", "description", "price_monthly", "price_yearly",
 *     "currency", "rate_limit_per_hour", "rate_limit_per_day", "display_order", "is_active",
 *     "metadata": {KEY: TEXT}, "features": [{"id", "name", "description", "included", "icon",
 *     "category", "display_order"}]}]}
 *
 * Left out: is_active is true, display_order counts from 1, included is true, icon, category and
 * descriptions are empty. Prices are numbers or texts with at most two places. */
#ifndef TD_CATALOGUE_FILE_H
#define TD_CATALOGUE_FILE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

#define CATALOGUE_FILE_MOST     (1024u * 1024u) /* bytes */
#define CATALOGUE_PACKAGES_MOST 100
#define CATALOGUE_FEATURES_MOST 200 /* of one package */
#define CATALOGUE_METADATA_MOST 500 /* of one package; translations are metadata too */
#define CATALOGUE_FAULTS_MOST   50

/* One thing that is wrong with a file. Text lives in the arena that the file was parsed into. */
struct catalogue_fault {
	int line, column;    /* from 1; 0 where only the pointer is known */
	const char *pointer; /* RFC 6901, "/packages/0/slug"; "" is the whole document */
	const char *text;    /* what is wrong, and what would be right */
};

struct catalogue_faults {
	struct catalogue_fault list[CATALOGUE_FAULTS_MOST];
	size_t count;
	bool more; /* there were more than the list holds */
};

/* Rows live in `arena`, packages and features in the store's order, without ids and times.
 *   TD_OK       *ret_catalogue is whole
 *   TD_INVALID  ret_faults says what is wrong, all of it; err the first
 *   TD_TOOBIG, TD_NOMEM */
enum td_status catalogue_file_parse(struct td_slice bytes, struct td_arena *arena,
	struct store_catalogue *ret_catalogue, struct catalogue_faults *ret_faults,
	struct td_err *err) TD_MUST_CHECK;

/* One line for people: "line 3, column 7: …" or "/packages/0/slug: …". */
void catalogue_fault_put(struct td_buf *out, const struct catalogue_fault *fault);

/* Writes the catalogue as such a file, ended by a line feed; failure shows in out->failed. Rows
 * whose package is not there are left out. */
void catalogue_file_write(struct td_buf *out, const struct store_catalogue *catalogue);

#endif
