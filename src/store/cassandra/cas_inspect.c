/* How the keyspace is replicated, and whether that is too little for the nodes there are. */
#include "store/cassandra/cas_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOK_MS    2000
#define PAIRS_MOST 32
#define ENOUGH     3 /* a majority lives on when one dies */

struct pair {
	struct td_slice name, value;
};

/* The map of system_schema.keyspaces. */
struct replication {
	struct pair pairs[PAIRS_MOST];
	size_t count;
	struct td_slice strategy;
};

static void read_map(const struct cql_type *type, struct td_slice cell, struct replication *ret)
{
	struct cql_elements e;
	struct pair pair;
	*ret = (struct replication){.count = 0};
	if (!cql_get_elements(type, cell, &e))
		return;
	while (ret->count < PAIRS_MOST && cql_elements_next(&e, &pair.name) &&
		cql_elements_next(&e, &pair.value)) {
		ret->pairs[ret->count++] = pair;
		if (td_slice_is(pair.name, "class"))
			ret->strategy = pair.value;
	}
}

static bool ends_with(struct td_slice text, const char *end)
{
	size_t len = strlen(end);
	return text.len >= len && memcmp(text.ptr + text.len - len, end, len) == 0;
}

static unsigned factor_of(const struct replication *r, const char *name)
{
	for (size_t i = 0; i < r->count; i++) {
		char digits[16] = "";
		if (!td_slice_is(r->pairs[i].name, name))
			continue;
		(void)snprintf(digits, sizeof(digits), "%.*s",
			r->pairs[i].value.len < 15 ? (int)r->pairs[i].value.len : 0,
			r->pairs[i].value.ptr);
		return (unsigned)strtoul(digits, NULL, 10);
	}
	return 0;
}

/* The statement that changes the data centre's number and leaves the others'. */
static void put_alter(struct store_cassandra_weakness *w, const struct replication *r)
{
	struct td_buf text = TD_BUF_INIT;
	td_buf_printf(&text,
		"ALTER KEYSPACE %s WITH replication = {'class': 'NetworkTopologyStrategy', "
		"'%s': %u",
		w->keyspace, w->local_dc, w->better);
	for (size_t i = 0; i < r->count; i++) {
		const struct pair *pair = &r->pairs[i];
		if (!td_slice_is(pair->name, "class") && !td_slice_is(pair->name, w->local_dc) &&
			!td_slice_is(pair->name, "replication_factor"))
			td_buf_printf(&text, ", '%.*s': %.*s", TD_SLICE_ARG(pair->name),
				TD_SLICE_ARG(pair->value));
	}
	td_buf_put_char(&text, '}');
	const char *whole = td_buf_cstr(&text);
	(void)snprintf(w->alter, sizeof(w->alter), "%s", whole != NULL ? whole : "");
	td_buf_done(&text);
}

static void judge(struct cql_session *session, struct cas_store *s, const struct replication *r,
	struct store_cassandra_weakness *w)
{
	struct cql_session_state state;
	cql_session_state(session, &state);
	atomic_store(&s->nodes_inspected, state.nodes);
	bool simple = ends_with(r->strategy, "SimpleStrategy");
	bool known = simple || ends_with(r->strategy, "NetworkTopologyStrategy");
	*w = (struct store_cassandra_weakness){
		.nodes = state.nodes,
		.factor = factor_of(r, simple ? "replication_factor" : state.local_dc),
	};
	unsigned enough = state.nodes < ENOUGH ? (unsigned)state.nodes : ENOUGH;
	(void)snprintf(w->keyspace, sizeof(w->keyspace), "%s", s->config.keyspace);
	(void)snprintf(w->local_dc, sizeof(w->local_dc), "%s", state.local_dc);
	w->better = known && w->factor < enough ? enough : 0;
	if (w->better != 0)
		put_alter(w, r);
}

enum td_status store_cassandra_inspect(
	struct store *store, struct store_cassandra_weakness *ret_weakness, struct td_err *err)
{
	struct cas_store *s = (struct cas_store *)(void *)store;
	struct cql_session *session = cas_hold(s);
	struct cas_call call;
	struct td_slice cell;
	if (session == NULL)
		return td_err_set(err, TD_UNAVAILABLE, "Cassandra is not connected");
	cas_call_init(&call, s,
		"SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?",
		CQL_LOCAL_ONE);
	call.query.is_idempotent = true;
	cas_bind_text(&call, td_slice_str(s->config.keyspace));
	enum td_status status = cas_call_run(&call, s, session, LOOK_MS, err);
	if (status == TD_OK && cas_call_row(&call, &cell, 1)) {
		struct replication r;
		read_map(&call.response.columns[0].type, cell, &r);
		judge(session, s, &r, ret_weakness);
	} else if (status == TD_OK) {
		status = td_err_set(
			err, TD_NOTFOUND, "there is no keyspace %s yet", s->config.keyspace);
	}
	cas_call_done(&call);
	cas_let_go(s);
	return status;
}
