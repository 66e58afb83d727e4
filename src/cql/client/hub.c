#include "cql/client/hub.h"

#include "cql/client/backoff.h"

#include <stdlib.h>

#define ORPHANS_MOST 256
#define UNSENT_MOST  (64u << 20) /* bytes on one connection that the system did not take */

static struct cql_handshake_config handshake_of(
	const struct cql_hub *hub, const struct cql_wish *wish)
{
	const struct cql_session_config *set = hub->config;
	struct cql_handshake_config handshake = {
		.version_most = wish->version_most,
		.wants_lz4 = set->wants_lz4,
		.wants_events = wish->wants_events,
		.username = td_slice_str(set->username),
		.password = td_slice_str(set->password),
		.cluster_name = td_slice_str(hub->cluster_name),
	};
	if (wish->wants_keyspace)
		handshake.keyspace = td_slice_str(set->keyspace);
	return handshake;
}

/* Files that changed are taken in. Where they cannot be used those of before go on, and that is
 * told once. */
static void refresh_tls(struct cql_hub *hub)
{
	struct td_err err = TD_ERR_INIT;
	bool is_stale = hub->config->tls != NULL &&
			cql_tls_refresh(hub->config->tls, &err) != TD_OK;
	if (is_stale && !hub->is_tls_stale)
		cql_hub_tell(hub, CQL_NOTICE_WARNING, "", CQL_FAILURE_NONE, err.text);
	hub->is_tls_stale = is_stale;
}

enum td_status cql_hub_open(struct cql_hub *hub, const struct cql_wish *wish,
	struct cql_conn **ret_conn, struct td_err *err)
{
	const struct cql_session_config *set = hub->config;
	const struct cql_conn_config config = {
		.loop = hub->loop,
		.address = wish->address,
		.tls = set->tls,
		.tls_name = set->tls_name != NULL ? set->tls_name : wish->tls_name,
		.handshake = handshake_of(hub, wish),
		.connect_ms = set->connect_ms,
		.heartbeat_ms = set->heartbeat_ms,
		.heartbeat_timeout_ms = set->heartbeat_timeout_ms,
		.in_flight_most = set->in_flight_most,
		.orphans_most = ORPHANS_MOST,
		.body_most = set->answer_most,
		.unsent_most = UNSENT_MOST,
		.ready = wish->ready,
		.event = wish->event,
		.closed = wish->closed,
		.ctx = wish->ctx,
	};
	refresh_tls(hub);
	enum td_status status = cql_conn_open(&config, ret_conn, err);
	if (status == TD_OK)
		hub->open_conns++;
	return status;
}

void cql_hub_note_closed(struct cql_hub *hub)
{
	hub->open_conns--;
	if (hub->is_stopping && hub->open_conns == 0)
		hub->closed(hub);
}

void cql_hub_note_ready(struct cql_hub *hub, const char *address)
{
	cql_failures_remove(&hub->failures, address);
	if (hub->config->counts != NULL)
		atomic_fetch_add(&hub->config->counts->made, 1);
}

void cql_hub_note_failed(struct cql_hub *hub, const char *address, enum cql_failure failure,
	const struct td_err *err)
{
	cql_failures_add(&hub->failures, address, failure, err);
	if (hub->config->counts != NULL && failure != CQL_FAILURE_LOST)
		atomic_fetch_add(&hub->config->counts->failed[failure], 1);
}

unsigned cql_hub_pause_ms(
	const struct cql_hub *hub, struct cql_backoff *backoff, enum cql_failure failure)
{
	const struct cql_session_config *set = hub->config;
	unsigned most_ms = cql_failure_is_setting(failure) ? set->backoff_setting_ms
							   : set->backoff_most_ms;
	return cql_backoff_next(backoff, set->backoff_first_ms, most_ms, arc4random());
}

void cql_hub_tell(struct cql_hub *hub, enum cql_notice_kind kind, const char *address,
	enum cql_failure failure, const char *text)
{
	if (hub->config->notice == NULL)
		return;
	const struct cql_notice notice = {
		.kind = kind, .address = address, .failure = failure, .text = text};
	hub->config->notice(hub->config->ctx, &notice);
}
