#include "catalogue/snapshot.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "catalogue/body.h"
#include "catalogue/rows.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Invariants after creation: nothing but `references` is ever written; `packages` begins with the
 * active ones, each part in the store's order; `by_slug` points to all of them. */
struct catalogue_snapshot {
	atomic_size_t references;
	struct td_arena arena; /* owns everything below */
	uint8_t digest[TD_SHA256_SIZE];
	struct catalogue_package *packages;
	size_t count, active_count;
	const struct catalogue_package **by_slug;
	struct catalogue_body json;
};

/* ---- the digest */

static void mix_number(struct td_buf *out, int64_t number)
{
	td_buf_put_i64(out, number);
	td_buf_put_char(out, ';');
}

/* With its length before it, so that no two rows read alike. */
static void mix_text(struct td_buf *out, struct td_slice text)
{
	td_buf_put_u64(out, text.len);
	td_buf_put_char(out, ':');
	td_buf_put_slice(out, text);
}

static void mix_package(struct td_buf *out, const struct store_package *p)
{
	td_buf_put_char(out, 'P');
	mix_text(out, p->id);
	mix_text(out, p->slug);
	mix_text(out, p->name);
	mix_text(out, p->description);
	mix_text(out, p->currency);
	mix_number(out, p->price_monthly);
	mix_number(out, p->price_yearly);
	mix_number(out, p->rate_limit_per_hour);
	mix_number(out, p->rate_limit_per_day);
	mix_number(out, p->display_order);
	mix_number(out, p->is_active);
}

static void mix_feature(struct td_buf *out, const struct store_feature *f)
{
	td_buf_put_char(out, 'F');
	mix_text(out, f->package_slug);
	mix_text(out, f->feature_id);
	mix_text(out, f->name);
	mix_text(out, f->description);
	mix_text(out, f->icon);
	mix_text(out, f->category);
	mix_number(out, f->included);
	mix_number(out, f->display_order);
}

bool catalogue_rows_digest(const struct store_catalogue *rows, uint8_t out[TD_SHA256_SIZE])
{
	struct td_buf all = TD_BUF_INIT;
	for (size_t i = 0; i < rows->package_count; i++)
		mix_package(&all, &rows->packages[i]);
	for (size_t i = 0; i < rows->metadata_count; i++) {
		td_buf_put_char(&all, 'M');
		mix_text(&all, rows->metadata[i].package_slug);
		mix_text(&all, rows->metadata[i].key);
		mix_text(&all, rows->metadata[i].value);
	}
	for (size_t i = 0; i < rows->feature_count; i++)
		mix_feature(&all, &rows->features[i]);
	bool worked = !all.failed;
	if (worked)
		td_sha256(td_buf_slice(&all), out);
	td_buf_done(&all);
	return worked;
}

/* ---- putting together */

static void attach_content(struct catalogue_package *package, const struct store_catalogue *rows)
{
	struct rows_metadata metadata = rows_metadata_of(rows, package->row.slug);
	struct rows_features features = rows_features_of(rows, package->row.slug);
	package->metadata = metadata.first;
	package->metadata_count = metadata.count;
	package->features = features.first;
	package->feature_count = features.count;
}

static bool is_there(const struct catalogue_snapshot *s, struct td_slice slug)
{
	for (size_t i = 0; i < s->count; i++) {
		if (td_slice_equal(s->packages[i].row.slug, slug))
			return true;
	}
	return false;
}

static void take_packages(
	struct catalogue_snapshot *s, const struct store_catalogue *rows, bool active)
{
	for (size_t i = 0; i < rows->package_count; i++) {
		const struct store_package *row = &rows->packages[i];
		if (row->is_active != active || is_there(s, row->slug))
			continue;
		struct catalogue_package *package = &s->packages[s->count++];
		package->row = *row;
		attach_content(package, rows);
	}
}

static int order_by_slug(const void *a, const void *b)
{
	const struct catalogue_package *const *x = a, *const *y = b;
	return order_slices((*x)->row.slug, (*y)->row.slug);
}

/* False: no memory. */
static bool assemble(struct catalogue_snapshot *s, const struct store_catalogue *rows)
{
	struct store_catalogue copy = {0};
	if (!rows_copy(&s->arena, rows, &copy))
		return false;
	s->packages = td_arena_array(&s->arena, rows->package_count + 1, sizeof(*s->packages));
	s->by_slug = td_arena_array(&s->arena, rows->package_count + 1, sizeof(*s->by_slug));
	if (s->arena.failed)
		return false;
	order_catalogue(&copy);
	take_packages(s, &copy, true);
	s->active_count = s->count;
	take_packages(s, &copy, false);
	for (size_t i = 0; i < s->count; i++)
		s->by_slug[i] = &s->packages[i];
	qsort(s->by_slug, s->count, sizeof(s->by_slug[0]), order_by_slug);
	return true;
}

static bool make_bodies(struct catalogue_snapshot *s)
{
	struct td_buf json = TD_BUF_INIT;
	body_put_list(&json, s->packages, s->active_count);
	bool worked = !json.failed && body_make(&s->arena, td_buf_slice(&json), &s->json);
	for (size_t i = 0; worked && i < s->active_count; i++) {
		td_buf_reset(&json);
		body_put_package(&json, &s->packages[i]);
		worked = !json.failed &&
			 body_make(&s->arena, td_buf_slice(&json), &s->packages[i].json);
	}
	td_buf_done(&json);
	return worked;
}

static void free_snapshot(struct catalogue_snapshot *s)
{
	td_arena_done(&s->arena);
	td_free(s);
}

enum td_status catalogue_snapshot_create(const struct store_catalogue *rows,
	struct catalogue_snapshot **ret_snapshot, struct td_err *err)
{
	struct catalogue_snapshot *s = td_alloc_zero(sizeof(*s));
	if (s == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for the catalogue");
	atomic_init(&s->references, 1);
	if (!catalogue_rows_digest(rows, s->digest) || !assemble(s, rows) || !make_bodies(s)) {
		free_snapshot(s);
		return td_err_set(err, TD_NOMEM, "no memory for the catalogue");
	}
	*ret_snapshot = s;
	return TD_OK;
}

/* ---- sharing and reading */

struct catalogue_snapshot *catalogue_snapshot_ref(struct catalogue_snapshot *snapshot)
{
	(void)atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
	return snapshot;
}

void catalogue_snapshot_unref(struct catalogue_snapshot *snapshot)
{
	if (snapshot == NULL)
		return;
	if (atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) == 1)
		free_snapshot(snapshot);
}

const struct catalogue_package *catalogue_snapshot_list(
	const struct catalogue_snapshot *snapshot, size_t *ret_count)
{
	*ret_count = snapshot->active_count;
	return snapshot->packages;
}

const struct catalogue_package *catalogue_snapshot_find(
	const struct catalogue_snapshot *snapshot, struct td_slice slug)
{
	size_t low = 0, high = snapshot->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = order_slices(snapshot->by_slug[middle]->row.slug, slug);
		if (order == 0)
			return snapshot->by_slug[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct catalogue_body *catalogue_snapshot_json(const struct catalogue_snapshot *snapshot)
{
	return &snapshot->json;
}

const uint8_t *catalogue_snapshot_digest(const struct catalogue_snapshot *snapshot)
{
	return snapshot->digest;
}

struct td_slice catalogue_package_text(const struct catalogue_package *package, const char *key)
{
	for (size_t i = 0; i < package->metadata_count; i++) {
		if (td_slice_is(package->metadata[i].key, key))
			return package->metadata[i].value;
	}
	return td_slice(NULL, 0);
}

struct td_slice catalogue_package_translated(const struct catalogue_package *package,
	const char *key, const char *language, struct td_slice fallback)
{
	char name[256];
	int len = snprintf(name, sizeof(name), "%s.%s", key, language);
	if (len < 0 || (size_t)len >= sizeof(name))
		return fallback;
	struct td_slice text = catalogue_package_text(package, name);
	return text.len > 0 ? text : fallback;
}
