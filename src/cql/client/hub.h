/* What the parts of one session share: its loop, configuration and failures, how they open a
 * connection, and whom they tell. On the loop. */
#ifndef TD_CQL_CLIENT_HUB_H
#define TD_CQL_CLIENT_HUB_H

#include "base/err.h"
#include "cql/client/conn.h"
#include "cql/client/failures.h"
#include "cql/client/loop.h"
#include "cql/client/session.h"

#include <stdbool.h>
#include <stddef.h>

struct cql_hub {
	struct cql_loop *loop;
	const struct cql_session_config *config;
	struct cql_failures failures;
	size_t open_conns; /* not closed yet; all parts together */
	unsigned last_node_id;
	bool is_stopping;                         /* nothing is opened any more */
	bool is_tls_stale;                        /* its files have changed, and cannot be used */
	char cluster_name[CQL_CLUSTER_NAME_SIZE]; /* of the first node; "" until then */

	/* A node can be used, or cannot any more, or is another one. */
	void (*changed)(struct cql_hub *hub);
	/* It is stopping, and the last connection is closed. */
	void (*closed)(struct cql_hub *hub);
};

/* What a part says of a connection that it wants. */
struct cql_wish {
	struct cql_address address;
	const char *tls_name; /* what its certificate must be for; copied */
	enum cql_version version_most;
	bool wants_events;
	bool wants_keyspace;
	void (*ready)(void *ctx, struct cql_conn *conn);
	void (*event)(void *ctx, struct cql_conn *conn, const struct cql_frame *frame);
	/* It calls cql_hub_note_closed() at its end. */
	void (*closed)(void *ctx, struct cql_conn *conn, const struct td_err *err);
	void *ctx;
};

/* As cql_conn_open(). */
enum td_status cql_hub_open(struct cql_hub *hub, const struct cql_wish *wish,
	struct cql_conn **ret_conn, struct td_err *err) TD_MUST_CHECK;
void cql_hub_note_closed(struct cql_hub *hub);

/* One is ready; its address has failed no more. */
void cql_hub_note_ready(struct cql_hub *hub, const char *address);

/* An attempt was in vain, or one that was ready has ended: as cql_failures_add(). */
void cql_hub_note_failed(struct cql_hub *hub, const char *address, enum cql_failure failure,
	const struct td_err *err);

/* How long to wait after a failure of this kind. */
struct cql_backoff;
unsigned cql_hub_pause_ms(
	const struct cql_hub *hub, struct cql_backoff *backoff, enum cql_failure failure);

void cql_hub_tell(struct cql_hub *hub, enum cql_notice_kind kind, const char *address,
	enum cql_failure failure, const char *text);

#endif
