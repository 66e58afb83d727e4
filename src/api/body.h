/* Request bodies: one JSON object of text members (RFC 8259). Pure; hostile input. */
#ifndef TD_API_BODY_H
#define TD_API_BODY_H

#include "app/fault.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* Objects and arrays within each other, the outermost counted. */
#define API_BODY_DEPTH_MOST 16

/* A member that the body may have. */
struct api_field {
	const char *name; /* plain: no '~', no '/' */
	bool nullable;    /* null counts as left out */
	struct td_slice *ret_value;
};

/* Copies each member's text into the arena and its *ret_value, which keeps a NULL pointer where the
 * member is left out (an empty text has another). Every member that is unknown or of the wrong type
 * becomes a fault; whether one is missing is for the rules to say.
 *   TD_OK       *faults tells whether it may be used
 *   TD_INVALID  not JSON: not UTF-8, a syntax error, a name twice, nested too deeply; err has the
 *               place and what to do
 *   TD_NOMEM */
enum td_status api_body_read(struct td_slice body, struct td_arena *arena,
	const struct api_field *fields, size_t count, struct app_faults *faults,
	struct td_err *err) TD_MUST_CHECK;

#endif
