/* Making the answers of a snapshot. Only for the catalogue's own files. */
#ifndef TD_CATALOGUE_BODY_H
#define TD_CATALOGUE_BODY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "catalogue/snapshot.h"

#include <stdbool.h>
#include <stddef.h>

/* The API's JSON of one package, and of the array of them (DESIGN §9). */
void body_put_package(struct td_buf *out, const struct catalogue_package *package);
void body_put_list(struct td_buf *out, const struct catalogue_package *packages, size_t count);

/* Copies `json` into the arena with its compressed forms and its tag. False: no memory. */
bool body_make(struct td_arena *arena, struct td_slice json,
	struct catalogue_body *ret_body) TD_MUST_CHECK;

#endif
