/* Reads the whole catalogue for a refresher: from one store, or packages from the store of the
 * records and content from one of its own. In the second case the last good catalogue is remembered
 * here and kept in the records' store, so that there is content while the other is away, after a
 * restart too. Only for the catalogue's own files; one thread. */
#ifndef TD_CATALOGUE_READING_H
#define TD_CATALOGUE_READING_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"
#include "catalogue/desk.h"
#include "store/store.h"

struct reading {
	/* Set before the first call, borrowed. */
	struct store *records, *content; /* content NULL: the records' store has it */
	const struct td_clock *clock;
	unsigned store_timeout_ms;
	struct desk *desk;
	const char *source, *kept_source; /* static; the names of the content's and the records' */

	/* Its own; zero at first. */
	struct td_arena arena;           /* of `good` */
	struct store_catalogue good;     /* the last good one: its packages are those whose content
					    is known */
	const char *good_source;         /* where its content came from; NULL: there is none */
	uint8_t kept[TD_SHA256_SIZE];    /* of what the records' store keeps, … */
	uint8_t refused[TD_SHA256_SIZE]; /* … and of what it cannot keep; zero: nothing */
};

struct reading_result {
	struct store_op *op; /* for store_op_free(); NULL: there is nothing to serve */
	const char *source;  /* static */
};

/* TD_OK: what was read is whole. Else `err`; there may be an op all the same, with packages as they
 * are and content as it was. TD_STOPPING: the desk was stopped. */
enum td_status reading_run(
	struct reading *r, struct reading_result *ret_result, struct td_err *err) TD_MUST_CHECK;

/* After a whole one: keeps it in the records' store where that has another. TD_INVALID: it cannot
 * be kept, which is said once; others: it will be tried again after the next. */
enum td_status reading_keep(struct reading *r, struct td_err *err) TD_MUST_CHECK;

void reading_done(struct reading *r);

#endif
