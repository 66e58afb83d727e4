#include "store/cassandra/cas_classify.h"
#include "store/cassandra/cas_internal.h"

_Static_assert(CONNECT_CLASS_COUNT <= STORE_FAILURES_MOST, "store_connections has a row for each");

static void put_open(struct cas_store *s, struct store_connections *ret)
{
	struct cql_session *session = cas_hold(s);
	if (session == NULL)
		return;
	struct cql_session_state state;
	cql_session_state(session, &state);
	cas_let_go(s);
	ret->open = state.connections;
	ret->oldest_ms = (int64_t)state.oldest_ms;
}

/* Several of the client's reasons are one of ours. */
static void put_failures(struct cas_store *s, struct store_connections *ret)
{
	for (unsigned i = 0; i < CONNECT_CLASS_COUNT; i++)
		ret->failures[i] = (struct store_failures){
			connect_class_name((enum connect_class)i),
			atomic_load(&s->failed_before[i])};
	for (unsigned i = 0; i < CQL_FAILURE_COUNT; i++)
		ret->failures[cas_classify((enum cql_failure)i)].count += atomic_load(
			&s->counts.failed[i]);
}

bool cas_get_connections(struct store *store, struct store_connections *ret)
{
	struct cas_store *s = (struct cas_store *)(void *)store;
	struct connect_health health;
	connect_supervisor_get_health(s->supervisor, &health);
	*ret = (struct store_connections){
		.made = atomic_load(&s->counts.made),
		.reconnects = health.reconnects,
		.lost_ms = health.lost_ms,
		.failure_count = CONNECT_CLASS_COUNT,
	};
	put_open(s, ret);
	put_failures(s, ret);
	return true;
}
