#include "catalogue/order.h"

#include <stdlib.h>

int order_slices(struct td_slice a, struct td_slice b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter == 0 ? 0 : memcmp(a.ptr, b.ptr, shorter);
	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int order_numbers(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

int order_packages(const void *a, const void *b)
{
	const struct store_package *x = a, *y = b;
	int order = order_numbers(x->display_order, y->display_order);
	return order != 0 ? order : order_slices(x->slug, y->slug);
}

int order_metadata(const void *a, const void *b)
{
	const struct store_metadata *x = a, *y = b;
	int order = order_slices(x->package_slug, y->package_slug);
	return order != 0 ? order : order_slices(x->key, y->key);
}

int order_features(const void *a, const void *b)
{
	const struct store_feature *x = a, *y = b;
	int order = order_slices(x->package_slug, y->package_slug);
	if (order == 0)
		order = order_numbers(x->display_order, y->display_order);
	return order != 0 ? order : order_slices(x->feature_id, y->feature_id);
}

void order_catalogue(struct store_catalogue *catalogue)
{
	if (catalogue->package_count > 0)
		qsort(catalogue->packages, catalogue->package_count, sizeof(catalogue->packages[0]),
			order_packages);
	if (catalogue->metadata_count > 0)
		qsort(catalogue->metadata, catalogue->metadata_count,
			sizeof(catalogue->metadata[0]), order_metadata);
	if (catalogue->feature_count > 0)
		qsort(catalogue->features, catalogue->feature_count, sizeof(catalogue->features[0]),
			order_features);
}
