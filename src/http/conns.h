/* Open connections: how many there are, of whom, and until when each may go on. Knows sockets but
 * not libmicrohttpd.
 *
 * A connection's phase and the time since when it is in it are one atomic word that its HTTP thread
 * stores: a request costs no lock. The ticker walks over all connections a few times in the
 * shortest deadline and shuts down the sockets that are late. It does so under the lock of the
 * connection's list, which the closed-notification takes before the descriptor is closed, so a
 * number that was given to another connection is never shut down by mistake. */
#ifndef TD_HTTP_CONNS_H
#define TD_HTTP_CONNS_H

#include "base/err.h"
#include "http/address.h"
#include "work/lock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_request;

enum http_phase {
	HTTP_PHASE_IDLE,   /* no byte of a request is known of */
	HTTP_PHASE_HEADER, /* since its first byte */
	HTTP_PHASE_BODY,   /* since the header's first byte */
	HTTP_PHASE_BUSY,   /* a handler or a store has it: no deadline of ours */
	HTTP_PHASE_SEND,   /* the answer is on its way */
	HTTP_PHASE_DEAD,   /* shut down by a deadline */
	HTTP_PHASE_COUNT
};

struct http_conn {
	struct http_conns *owner;
	int fd;
	unsigned thread; /* which HTTP thread has it; for figures only */
	struct http_address address;
	bool is_counted;        /* by its address */
	bool is_open;           /* libmicrohttpd has announced it; guarded by the list's lock */
	atomic_bool has_served; /* at least one answer is done */
	_Atomic uint64_t phase; /* ms << 3 | enum http_phase */

	struct http_conn *prev, *next; /* guarded by the list's lock */
	struct http_request *awaiting; /* guarded by the list's lock */

	/* The ticker's thread only. */
	uint64_t looked_ms; /* when the kernel was asked last */
	uint64_t acked;     /* bytes that the client had taken then */
};

#define HTTP_CONN_LISTS 16

struct http_conn_list {
	struct td_lock lock;
	struct http_conn *first; /* guarded by lock */
};

struct http_address_count; /* of one address */

struct http_conns_config {
	uint64_t header_ms, request_ms, send_ms, idle_ms;
	size_t most;
	size_t most_per_address;
	bool counts_loopback;
	unsigned threads;
};

struct http_conns {
	struct http_conns_config config; /* read-only once it serves */
	struct http_conn_list lists[HTTP_CONN_LISTS];
	_Atomic size_t count;
	uint64_t ticked_ms;     /* the ticker's thread only */
	atomic_bool is_cutting; /* written under every list's lock */

	struct td_lock address_lock;
	struct http_address_count **buckets; /* guarded by address_lock */
	uint64_t seed;

	/* By descriptor: accepted, but not yet announced by libmicrohttpd. */
	struct td_lock pending_lock;
	struct http_conn **pending; /* guarded by pending_lock */
	size_t pending_size;

	_Atomic uint64_t accepted, refused_address, evicted, timed_out;
	_Atomic size_t awaiting;

	/* Called after each close, without a lock; wakes who waits for room or for the end. */
	void (*on_close)(void *ctx);
	void *on_close_ctx;
};

/* TD_NOMEM. Give it to http_conns_done(). */
enum td_status http_conns_init(struct http_conns *c, const struct http_conns_config *config,
	size_t descriptors, struct td_err *err) TD_MUST_CHECK;
void http_conns_done(struct http_conns *c); /* no connection may be open */

/* A socket was accepted. `is_spared`: its address is not counted. NULL: too many of its address, or
 * no memory; the socket stays the caller's. */
struct http_conn *http_conns_add(
	struct http_conns *c, int fd, const struct http_address *address, bool is_spared);

/* libmicrohttpd has refused (and closed) what was just added: as if it had never come. */
void http_conns_take_back(struct http_conns *c, int fd);

/* libmicrohttpd announced the descriptor: its connection, or NULL. */
struct http_conn *http_conns_announced(struct http_conns *c, int fd);

/* It is gone (or was never announced): frees it. Before the descriptor is closed. */
void http_conns_remove(struct http_conn *conn);

/* Phases: only by the connection's HTTP thread. False: a deadline has shut it down, do nothing
 * more for it. HEADER keeps the time that the ticker may have set; BODY keeps HEADER's. */
bool http_conn_enter(struct http_conn *conn, enum http_phase phase, uint64_t now_ms);

/* Enforces the deadlines. One thread. */
void http_conns_tick(struct http_conns *c, uint64_t now_ms);

/* Ends connections on which no request is being read or answered: what has arrived is still
 * served. */
void http_conns_close_idle(struct http_conns *c);

/* Makes room: shuts down some that have been idle for a second and more. False: there are none. */
bool http_conns_evict(struct http_conns *c, uint64_t now_ms);

/* From now on nothing may be suspended: shuts all sockets down. Calls `cut` for each request that
 * awaits; it runs under the list's lock and says whether the request must be resumed, which
 * `resume` then does without a lock. */
void http_conns_cut(struct http_conns *c, bool (*cut)(struct http_request *rq),
	void (*resume)(struct http_request *rq));

/* Remembers (or forgets: NULL) who awaits. False: everything is being cut off. */
bool http_conn_set_awaiting(struct http_conn *conn, struct http_request *rq);

#endif
