/* The file of --config: KEY=value lines, '#' comments. */
#ifndef TD_SETTINGS_SETTINGS_FILE_H
#define TD_SETTINGS_SETTINGS_FILE_H

#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>

/* Reads any bytes, a line at a time; pure, and fuzzed. Spaces around key and value do not count; a
 * value in double or single quotes is what stands between them; a byte-order mark at the start and
 * CR before LF are fine. A '#' begins a comment only at the start of a line. */
struct settings_file {
	struct td_slice rest; /* what is not read yet */
	unsigned line;        /* of the entry that was read last, from 1 */
};

struct settings_file settings_file_open(struct td_slice bytes);

/*   TD_OK        *ret_key and *ret_value lie within the bytes that were opened
 *   TD_NOTFOUND  the end
 *   TD_INVALID   this line is wrong; `err` says how, without the value; the next call goes on */
enum td_status settings_file_next(struct settings_file *file, struct td_slice *ret_key,
	struct td_slice *ret_value, struct td_err *err) TD_MUST_CHECK;

#endif
