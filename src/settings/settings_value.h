/* Reads one value as a person wrote it. Pure functions over any bytes: no I/O, no memory but the
 * caller's. On failure they give TD_INVALID, and `err` says what is wrong with which part; the
 * caller puts the setting's name before it. They are fuzzed. */
#ifndef TD_SETTINGS_SETTINGS_VALUE_H
#define TD_SETTINGS_SETTINGS_VALUE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* A decimal integer with an optional '-'. */
enum td_status settings_read_int(
	struct td_slice text, int64_t *ret_number, struct td_err *err) TD_MUST_CHECK;

/* "250ms", "5s", "2m", "1h", "30d", "1.5h"; without a unit: seconds. In milliseconds, rounded up.
 */
enum td_status settings_read_duration(
	struct td_slice text, int64_t *ret_ms, struct td_err *err) TD_MUST_CHECK;

/* "65536", "64KiB", "19MiB". In bytes. */
enum td_status settings_read_size(
	struct td_slice text, int64_t *ret_bytes, struct td_err *err) TD_MUST_CHECK;

/* true|false|1|0|yes|no|on|off, in any case. */
enum td_status settings_read_bool(
	struct td_slice text, bool *ret_value, struct td_err *err) TD_MUST_CHECK;

/* The place of `text` in "a|b|c". */
enum td_status settings_read_word(
	struct td_slice text, const char *words, int *ret_place, struct td_err *err) TD_MUST_CHECK;

/* An IPv4 address, an IPv6 address (in brackets or not), or a host name. */
enum td_status settings_read_host(struct td_slice text, struct td_err *err) TD_MUST_CHECK;

/* "http://" or "https://", a host, an optional port, an optional '/' at the end. *ret_len: the
 * length without that slash. */
enum td_status settings_read_origin(
	struct td_slice text, bool *ret_https, size_t *ret_len, struct td_err *err) TD_MUST_CHECK;

/* Addresses, networks ("10.0.0.0/8", "fd00::/8") and names, separated by commas, spaces allowed.
 * *ret_list lives in `arena`: the same list without spaces and empty entries. */
enum td_status settings_read_addresses(struct td_slice text, struct td_arena *arena,
	const char **ret_list, struct td_err *err) TD_MUST_CHECK;

/* sqlite:///relative.db or sqlite:////absolute.db, percent-encoding decoded; a "+driver" behind the
 * scheme is ignored. *ret_path lives in `arena`. NULL for a URL of PostgreSQL, which is checked.
 * The text of `err` never holds the user part or the query. */
#define SETTINGS_POSTGRES_PORT 5432
enum td_status settings_read_database(struct td_slice text, struct td_arena *arena,
	const char **ret_path, struct td_err *err) TD_MUST_CHECK;

/* True where the URL has a password, or may have one (a malformed URL with an '@'). */
bool settings_url_has_password(struct td_slice text);

/* The URL with "***" in the place of its password (and of the value of a `password` in its query).
 * NULL: no memory. */
const char *settings_url_mask(struct td_slice text, struct td_arena *arena) TD_MUST_CHECK;

#endif
