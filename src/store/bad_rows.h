/* Tells of each row that breaks the rules once: again only when it was right in between, or for
 * another reason. One thread at a time. */
#ifndef TD_STORE_BAD_ROWS_H
#define TD_STORE_BAD_ROWS_H

#include "store/store.h"

#include <stdint.h>

struct store_bad_seen {
	uint64_t *marks; /* of the bad rows of the last look; owned */
	size_t count;
};

typedef void store_bad_row_fn(void *ctx, const struct store_bad_row *row);

/* Calls `tell` with those of op->out.bad_rows that were not there at the last look, and that the
 * store has not told of itself. Without memory it tells nothing now, and the next look does. */
void store_bad_rows_tell(
	struct store_bad_seen *seen, const struct store_op *op, store_bad_row_fn *tell, void *ctx);

void store_bad_seen_done(struct store_bad_seen *seen);

/* The same for rows that come by and by: remembers the last of those that were told. */
#define STORE_BAD_TOLD_MOST 4096

struct store_bad_told {
	uint64_t marks[STORE_BAD_TOLD_MOST];
	size_t count; /* in all */
};

/* True: it was not told lately; now it counts as told. The caller sees to threads. */
bool store_bad_told_add(struct store_bad_told *told, const struct store_bad_row *row);

#endif
