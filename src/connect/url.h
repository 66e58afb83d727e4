/* A database's address as a URL:
 * SCHEME[+DRIVER]://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]…][/DATABASE][?NAME=VALUE&…] (RFC
 * 3986, with libpq's several hosts). Parts are percent-decoded. An @ behind the hosts must be
 * encoded: one that is not belongs to a password with a / or a ? that should have been. The
 * parameters host, port, user, password and dbname are parts too, and go before them. Errors name
 * the part, never its secret. */
#ifndef TD_CONNECT_URL_H
#define TD_CONNECT_URL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

#define CONNECT_HOSTS_MOST  16
#define CONNECT_PARAMS_MOST 32

struct connect_host {
	const char *name; /* a name, an address without brackets, or an absolute path of a socket's
			     folder */
	uint16_t port;
};

struct connect_param {
	const char *name, *value;
};

/* Text lives in the arena given to connect_url_parse(). Absent parts are NULL. */
struct connect_url {
	const char
		*scheme; /* "postgresql"; postgres:// gives postgresql too; a +driver is left out */
	const char *user, *password, *database;
	struct connect_host hosts[CONNECT_HOSTS_MOST];
	size_t host_count;
	struct connect_param params[CONNECT_PARAMS_MOST];
	size_t param_count;
};

/* `variable` names the setting in errors ("": whoever calls names it). TD_INVALID with what is
 * wrong in which part; TD_NOMEM. */
enum td_status connect_url_parse(struct td_slice text, const char *variable, uint16_t default_port,
	struct td_arena *arena, struct connect_url *ret_url, struct td_err *err) TD_MUST_CHECK;

/* NULL when the parameter is not there. The last one of a name wins. */
const char *connect_url_param(const struct connect_url *url, const char *name);

/* "HOST:PORT/DATABASE", the first host; an IPv6 address in brackets. */
char *connect_url_target(const struct connect_url *url, struct td_arena *arena) TD_MUST_CHECK;

/* "HOST", "HOST:PORT" or "[V6]:PORT" into a host. `part` says in errors where it stands. */
enum td_status connect_host_parse(struct td_slice text, const char *variable, uint16_t default_port,
	struct td_arena *arena, struct connect_host *ret_host, struct td_err *err) TD_MUST_CHECK;

#endif
