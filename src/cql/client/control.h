/* The control connection: it finds a node that answers, asks it what the cluster looks like, hears
 * of changes, and is made again for ever.
 *
 * A round tries every known node and every address of every contact point, which are looked up
 * anew: the next one is begun `stagger_ms` after the last or as soon as one has failed, the first
 * that answers wins, and the others are closed. After a round in vain comes a pause. On the
 * loop. */
#ifndef TD_CQL_CLIENT_CONTROL_H
#define TD_CQL_CLIENT_CONTROL_H

#include "cql/client/backoff.h"
#include "cql/client/hub.h"
#include "cql/client/view.h"
#include "cql/protocol/response.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CQL_CONTROL_TRIES_MOST 256 /* names and addresses of one round */

struct cql_control;
struct cql_control_try;
struct cql_control_name;

struct cql_control_owner {
	/* Adds the addresses of the nodes that are known by cql_control_add(). */
	void (*suggest)(struct cql_control *control);
	/* What the cluster looks like, at first and after changes; the owner's from now on. `conn`
	 * is the node that said so, `tls_name` what its certificate was held against. */
	void (*seen)(struct cql_control *control, struct cql_view *view,
		const struct cql_address *address, const char *tls_name);
	/* A lookup has ended: cql_control_name_of() may know more. */
	void (*named)(struct cql_control *control);
	/* A node says of one that it is up. */
	void (*is_up)(struct cql_control *control, const struct cql_inet *node);
	/* Every address was tried in vain. */
	void (*failed)(struct cql_control *control);
};

/* One of the questions of a look at the cluster. */
struct cql_control_question {
	struct cql_call call;
	struct cql_control *control;
	bool is_open; /* sent, and not answered */
};

struct cql_control {
	struct cql_hub *hub;
	const struct cql_control_owner *owner;

	struct cql_control_try *tries[CQL_CONTROL_TRIES_MOST]; /* of this round; owned */
	size_t try_count;
	struct cql_control_name *names[CQL_CONTACT_POINTS_MOST]; /* NULL: not asked yet; owned */
	bool is_racing;
	struct cql_control_try *winner; /* not NULL: has the connection; owned */
	uint64_t ready_ms;              /* when it was ready */
	struct cql_timer stagger, pause, lookup_end;
	struct cql_backoff backoff;
	enum cql_failure failure; /* the last one of the round */

	struct cql_control_question local, peers, keyspaces;
	struct cql_view *looking; /* what was taken so far; NULL: not asking */
	bool has_no_peers_v2;     /* this server: before Cassandra 4 */
	bool has_seen;            /* this connection: what the cluster looks like */
	bool look_again;          /* something changed while it was asking */
	struct cql_timer refresh;
};

void cql_control_init(
	struct cql_control *control, struct cql_hub *hub, const struct cql_control_owner *owner);

/* Begins the first round. */
void cql_control_start(struct cql_control *control);

/* During suggest() only: an address to be tried in this round, once. */
void cql_control_add(
	struct cql_control *control, const struct cql_address *address, const char *tls_name);

/* The contact point's name that led to this address; NULL: none did. Valid as long as the session.
 */
const char *cql_control_name_of(
	const struct cql_control *control, const struct cql_address *address);

/* Looks at the cluster again, soon: several changes make one look. */
void cql_control_refresh(struct cql_control *control);

/* NULL: there is none at the moment. */
struct cql_conn *cql_control_conn(const struct cql_control *control);

/* Closes everything, for ever; hub->is_stopping is set before. */
void cql_control_stop(struct cql_control *control);

#endif
