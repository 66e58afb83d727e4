/* The store's order of rows, for all who sort or search them. Only for the catalogue's own files.
 */
#ifndef TD_CATALOGUE_ORDER_H
#define TD_CATALOGUE_ORDER_H

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

#endif
