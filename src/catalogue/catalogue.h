/* The catalogue in a store: filled when it is empty, exported, compared and changed by a file.
 * For commands and start-up: everything here waits for the store, so never on an HTTP thread. */
#ifndef TD_CATALOGUE_CATALOGUE_H
#define TD_CATALOGUE_CATALOGUE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

/* One line for people, without its line end; valid during the call. */
typedef void catalogue_say_fn(void *ctx, const char *line);

struct catalogue_access {
	struct store *store;   /* packages, and content where `content` is NULL */
	struct store *content; /* metadata and features; NULL: they are in `store`, too */
	const struct td_clock *clock;
	unsigned store_timeout_ms;
	catalogue_say_fn *say; /* NULL: nobody listens */
	void *say_ctx;
};

/* The catalogue of `path`, or the built-in one where path is NULL. Rows live in `arena`.
 *   TD_INVALID  the text lists every fault; `say` (NULL: nobody) got each as a line
 *   TD_IO, TD_TOOBIG  the file cannot be read; TD_NOMEM */
enum td_status catalogue_load(const char *path, struct td_arena *arena, catalogue_say_fn *say,
	void *say_ctx, struct store_catalogue *ret_catalogue, struct td_err *err) TD_MUST_CHECK;

/* Writes `catalogue` into a store that has none. Says
 *   "Populating subscription packages...", then "Upserted package: free - Free" for each; or
 *   "Found 4 existing subscription packages, skipping population" (TD_OK too, nothing written). */
enum td_status catalogue_populate(const struct catalogue_access *access,
	const struct store_catalogue *catalogue, struct td_err *err) TD_MUST_CHECK;

/* The same with metadata and features into access->content, before the packages where both are
 * populated. Says
 *   "Populating subscription metadata...", "Upserted metadata: free.tagline" for each,
 *   "Upserted feature: free - SSO" for each; or
 *   "Found existing subscription metadata, skipping population". */
enum td_status catalogue_populate_content(const struct catalogue_access *access,
	const struct store_catalogue *catalogue, struct td_err *err) TD_MUST_CHECK;

/* The store's catalogue. Rows live in `arena`; rows that break the rules are left out, and said.
 * `want` (NULL: none): to be compared with it, so there is content of its packages, too, that are
 * not there yet. */
enum td_status catalogue_export(const struct catalogue_access *access,
	const struct store_catalogue *want, struct td_arena *arena,
	struct store_catalogue *ret_catalogue, struct td_err *err) TD_MUST_CHECK;

/* What would make `have` say what `want` says. What only `have` knows stays as it is, unless
 * `retire`: then its packages become inactive, and content of packages that `want` has is deleted
 * where `want` lacks it. Identifiers and times are not compared. */
struct catalogue_diff {
	struct store_change *changes; /* content before the package it belongs to */
	size_t change_count;
	/* For people, in reading order: "+ package pro", "~ package free: name: \"a\" -> \"b\"",
	 * "- feature free/sso". At least one for each change. */
	const char **lines;
	size_t line_count;
};

/* Borrows from both until the arena ends. TD_OK (no change at all: change_count 0), TD_NOMEM. */
enum td_status catalogue_diff(const struct store_catalogue *have,
	const struct store_catalogue *want, bool retire, int64_t now_ms, struct td_arena *arena,
	struct catalogue_diff *ret_diff, struct td_err *err) TD_MUST_CHECK;

/* Writes the changes, all or none, and says each line of the diff. Where the content is in a store
 * of its own it is written first, and the packages after it: nobody sees a package without its
 * content, and what was cut off in between is completed by the next apply. */
enum td_status catalogue_apply(const struct catalogue_access *access,
	const struct catalogue_diff *diff, struct td_err *err) TD_MUST_CHECK;

#endif
