/* The files that are compiled in (schema, default catalogue, templates, static files, locales),
 * each set replaceable by a folder of the same shape. */
#ifndef TD_ASSETS_ASSETS_H
#define TD_ASSETS_ASSETS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

enum asset_set {
	ASSET_SCHEMA,    /* sqlite/001_….sql, postgres/…, cassandra/… */
	ASSET_CATALOGUE, /* default.json */
	ASSET_TEMPLATES,
	ASSET_STATIC,
	ASSET_LOCALES,
	ASSET_SET_COUNT,
};

/* A compiled-in file; all of it is static storage. gzip and br are empty where compressing gains
 * nothing (and for every set but ASSET_STATIC). Made by tools/embed.py. */
struct asset {
	const char *path; /* within its set, with '/': "sqlite/001_catalogue.sql" */
	struct td_slice bytes, gzip, br;
};

/* The compiled-in files of a set by path, and their count. */
const struct asset *asset_compiled(enum asset_set set, size_t *ret_count);

/* NULL when there is none of that name. */
const struct asset *asset_find(enum asset_set set, const char *path);

struct asset_file {
	struct td_slice path, bytes;
};

/* Every file of the set below `prefix` ("sqlite/"; "" for all), by path: those of `folder`, or the
 * compiled-in ones where folder is NULL. The arrays and bytes live in `arena` (compiled-in bytes
 * are static). TD_IO names the file or folder that could not be read; a file over 1 MiB is
 * TD_TOOBIG. */
enum td_status asset_load(enum asset_set set, const char *folder, const char *prefix,
	struct td_arena *arena, struct asset_file **ret_files, size_t *ret_count,
	struct td_err *err) TD_MUST_CHECK;

/* A number that differs when any file of the folder was added, removed, renamed or written (names,
 * sizes, times); 0 for NULL or a folder that cannot be read. For reading again when a file changes.
 */
uint64_t asset_folder_stamp(const char *folder);

#endif
