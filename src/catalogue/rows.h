/* Rows of a catalogue: their order, copies, and those of one package. Only for the catalogue's own
 * files. */
#ifndef TD_CATALOGUE_ROWS_H
#define TD_CATALOGUE_ROWS_H

#include "base/arena.h"
#include "base/compiler.h"
#include "base/slice.h"
#include "store/store.h"

/* By bytes; <0, 0, >0. */
int order_slices(struct td_slice a, struct td_slice b);

/* qsort()'s shape: packages by display_order, then slug; metadata by package, key; features by
 * package, display_order, id. */
int order_packages(const void *a, const void *b);
int order_metadata(const void *a, const void *b);
int order_features(const void *a, const void *b);

/* Sorts all three. */
void order_catalogue(struct store_catalogue *catalogue);

/* Copies rows and texts into the arena. False: no memory. */
bool rows_copy(struct td_arena *arena, const struct store_catalogue *rows,
	struct store_catalogue *ret_copy) TD_MUST_CHECK;

/* Only metadata and features; the packages of *ret_copy stay. What has no memory shows in the
 * arena. */
void rows_copy_content(struct td_arena *arena, const struct store_catalogue *rows,
	struct store_catalogue *ret_copy);

/* Some of an array's rows that stand together. */
struct rows_metadata {
	const struct store_metadata *first;
	size_t count;
};

struct rows_features {
	const struct store_feature *first;
	size_t count;
};

/* Those of one package; the rows must be sorted by package. */
struct rows_metadata rows_metadata_of(const struct store_catalogue *rows, struct td_slice slug);
struct rows_features rows_features_of(const struct store_catalogue *rows, struct td_slice slug);

/* NULL when there is none. */
const struct store_package *rows_package(const struct store_catalogue *rows, struct td_slice slug);

#endif
