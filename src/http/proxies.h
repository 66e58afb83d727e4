/* TRUSTED_PROXIES: whose X-Forwarded-For and -Proto are believed. Names among them are looked up by
 * a thread of its own, again and again, because a container's address changes. */
#ifndef TD_HTTP_PROXIES_H
#define TD_HTTP_PROXIES_H

#include "base/err.h"
#include "http/address.h"

#include <stdbool.h>

struct http_proxies;

/* `list`: addresses, networks and names, separated by commas or spaces; NULL: none. TD_INVALID
 * names the piece. Give it to http_proxies_destroy(). Looks nothing up yet. */
enum td_status http_proxies_create(
	const char *list, struct http_proxies **ret_proxies, struct td_err *err) TD_MUST_CHECK;

/* Starts the thread that looks names up, where there are names. */
enum td_status http_proxies_start(struct http_proxies *p, struct td_err *err) TD_MUST_CHECK;

void http_proxies_destroy(struct http_proxies *p); /* NULL is fine */

/* Any thread; takes a short lock only where there are names. */
bool http_proxies_has(struct http_proxies *p, const struct http_address *a);

/* The client behind `peer`: `forwarded_for` is read from its end; the first address that is no
 * proxy is the client. What cannot be read ends the search at the last proxy. */
struct http_address http_proxies_client(
	struct http_proxies *p, const struct http_address *peer, struct td_slice forwarded_for);

#endif
