#include "catalogue/rows.h"

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

static void copy_text(struct td_arena *arena, struct td_slice *text)
{
	*text = td_arena_slice(arena, *text);
}

static void copy_packages(struct td_arena *arena, const struct store_catalogue *rows,
	struct store_catalogue *ret_copy)
{
	struct store_package *copy = td_arena_array(arena, rows->package_count + 1, sizeof(*copy));
	for (size_t i = 0; copy != NULL && i < rows->package_count; i++) {
		copy[i] = rows->packages[i];
		copy_text(arena, &copy[i].id);
		copy_text(arena, &copy[i].slug);
		copy_text(arena, &copy[i].name);
		copy_text(arena, &copy[i].description);
		copy_text(arena, &copy[i].currency);
	}
	ret_copy->packages = copy;
	ret_copy->package_count = rows->package_count;
}

void rows_copy_content(struct td_arena *arena, const struct store_catalogue *rows,
	struct store_catalogue *ret_copy)
{
	struct store_metadata *metadata = td_arena_array(
		arena, rows->metadata_count + 1, sizeof(*metadata));
	for (size_t i = 0; metadata != NULL && i < rows->metadata_count; i++) {
		metadata[i] = rows->metadata[i];
		copy_text(arena, &metadata[i].package_slug);
		copy_text(arena, &metadata[i].key);
		copy_text(arena, &metadata[i].value);
	}
	struct store_feature *features = td_arena_array(
		arena, rows->feature_count + 1, sizeof(*features));
	for (size_t i = 0; features != NULL && i < rows->feature_count; i++) {
		features[i] = rows->features[i];
		copy_text(arena, &features[i].package_slug);
		copy_text(arena, &features[i].feature_id);
		copy_text(arena, &features[i].name);
		copy_text(arena, &features[i].description);
		copy_text(arena, &features[i].icon);
		copy_text(arena, &features[i].category);
	}
	ret_copy->metadata = metadata;
	ret_copy->metadata_count = rows->metadata_count;
	ret_copy->features = features;
	ret_copy->feature_count = rows->feature_count;
}

bool rows_copy(struct td_arena *arena, const struct store_catalogue *rows,
	struct store_catalogue *ret_copy)
{
	copy_packages(arena, rows, ret_copy);
	rows_copy_content(arena, rows, ret_copy);
	return !arena->failed;
}

struct rows_metadata rows_metadata_of(const struct store_catalogue *rows, struct td_slice slug)
{
	struct rows_metadata found = {0};
	for (size_t i = 0; i < rows->metadata_count; i++) {
		if (!td_slice_equal(rows->metadata[i].package_slug, slug))
			continue;
		if (found.count++ == 0)
			found.first = &rows->metadata[i];
	}
	return found;
}

struct rows_features rows_features_of(const struct store_catalogue *rows, struct td_slice slug)
{
	struct rows_features found = {0};
	for (size_t i = 0; i < rows->feature_count; i++) {
		if (!td_slice_equal(rows->features[i].package_slug, slug))
			continue;
		if (found.count++ == 0)
			found.first = &rows->features[i];
	}
	return found;
}

const struct store_package *rows_package(const struct store_catalogue *rows, struct td_slice slug)
{
	for (size_t i = 0; i < rows->package_count; i++) {
		if (td_slice_equal(rows->packages[i].slug, slug))
			return &rows->packages[i];
	}
	return NULL;
}
