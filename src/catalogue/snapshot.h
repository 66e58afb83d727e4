/* The catalogue as it is served: read once, never changed, shared by counting references. It holds
 * the rows put together (each package with its metadata and features) and the JSON answers made in
 * advance in every encoding, with a strong ETag each. */
#ifndef TD_CATALOGUE_SNAPSHOT_H
#define TD_CATALOGUE_SNAPSHOT_H

#include "base/digest.h"
#include "base/err.h"
#include "base/slice.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct catalogue_snapshot;
struct catalogue_holder;

enum catalogue_encoding {
	CATALOGUE_IDENTITY,
	CATALOGUE_GZIP,
	CATALOGUE_BR,
	CATALOGUE_ENCODING_COUNT,
};

/* An answer made in advance. An encoding that gains nothing is empty. The tag is made from the
 * identity bytes alone, so that equal content has equal tags in every process; without quotes, and
 * the edge adds the encoding's name to it (a strong ETag differs per encoding). */
struct catalogue_body {
	struct td_slice bytes[CATALOGUE_ENCODING_COUNT];
	char tag[33]; /* half of the SHA-256, hexadecimal */
};

/* One package put together; all of it lives as long as the snapshot. */
struct catalogue_package {
	struct store_package row;
	const struct store_metadata *metadata; /* by key */
	size_t metadata_count;
	const struct store_feature *features; /* by display_order, then feature_id */
	size_t feature_count;
	struct catalogue_body json; /* only of an active package */
};

/* From rows in the store's order, which are copied. Content whose package is not there is left out;
 * of packages with the same slug the first is taken. Slow (it compresses), so not on an HTTP thread
 * or a ticker. TD_OK: the caller owns one reference. TD_NOMEM. */
enum td_status catalogue_snapshot_create(const struct store_catalogue *rows,
	struct catalogue_snapshot **ret_snapshot, struct td_err *err) TD_MUST_CHECK;

/* Any thread. Only somebody who has a reference may take another. */
struct catalogue_snapshot *catalogue_snapshot_ref(struct catalogue_snapshot *snapshot);

/* Any thread; NULL is fine. */
void catalogue_snapshot_unref(struct catalogue_snapshot *snapshot);

/* Active packages by display_order, then slug. Borrowed from the snapshot. */
const struct catalogue_package *catalogue_snapshot_list(
	const struct catalogue_snapshot *snapshot, size_t *ret_count);

/* Active or not; NULL when there is none. An active one is an element of the list above. */
const struct catalogue_package *catalogue_snapshot_find(
	const struct catalogue_snapshot *snapshot, struct td_slice slug);

/* The JSON array of all active packages. */
const struct catalogue_body *catalogue_snapshot_json(const struct catalogue_snapshot *snapshot);

/* SHA-256 of everything that the rows say but times. False: no memory. */
bool catalogue_rows_digest(
	const struct store_catalogue *rows, uint8_t out[TD_SHA256_SIZE]) TD_MUST_CHECK;

/* That of the rows that the snapshot was made from. */
const uint8_t *catalogue_snapshot_digest(const struct catalogue_snapshot *snapshot);

/* The value of a package's metadata key, or an empty slice with a NULL pointer. */
struct td_slice catalogue_package_text(const struct catalogue_package *package, const char *key);

/* `key` in `language` ("es": the key `name.es`) where there is such a text, else `fallback`. */
struct td_slice catalogue_package_translated(const struct catalogue_package *package,
	const char *key, const char *language, struct td_slice fallback);

/* ---- the place where the current one is found */

/* Empty at first. NULL: no memory. */
struct catalogue_holder *catalogue_holder_create(void) TD_MUST_CHECK;

/* Gives its reference up. Nobody may use the holder any more. NULL is fine. */
void catalogue_holder_destroy(struct catalogue_holder *holder);

/* The current snapshot with a reference of the caller's own, or NULL before there is one. Any
 * thread; a lock is held for the time of counting up. */
struct catalogue_snapshot *catalogue_holder_acquire(struct catalogue_holder *holder) TD_MUST_CHECK;

/* Takes over the caller's reference. Any thread. */
void catalogue_holder_swap(struct catalogue_holder *holder, struct catalogue_snapshot *snapshot);

#endif
