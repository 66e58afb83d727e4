/* The nodes of a cluster and a replication, as people write them. Pure functions over any bytes;
 * they are fuzzed. */
#ifndef TD_SETTINGS_SETTINGS_CLUSTER_H
#define TD_SETTINGS_SETTINGS_CLUSTER_H

#include "settings/settings.h"

/* "host", "host:port", "[v6]:port", "v6", separated by commas, spaces allowed; into `hosts`, with
 * names in `arena`. TD_INVALID: `err` names the part; TD_NOMEM. */
enum td_status settings_read_contact_points(struct td_slice text, uint16_t default_port,
	struct td_arena *arena, struct connect_host hosts[SETTINGS_CONTACT_POINTS_MOST],
	size_t *ret_count, struct td_err *err) TD_MUST_CHECK;

/* "3", "dc1:3,dc2:3" or a map of CQL, "{'class': 'NetworkTopologyStrategy', 'dc1': 3}". A map that
 * comes back holds nothing but quoted words, so that it can stand in a statement. TD_INVALID,
 * TD_NOMEM. */
enum td_status settings_read_replication(struct td_slice text, struct td_arena *arena,
	struct settings_replication *ret_replication, struct td_err *err) TD_MUST_CHECK;

#endif
