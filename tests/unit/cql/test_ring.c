#include "td_test.h"

#include "cql/protocol/ring.h"
#include "fault_alloc.h"

#include <stdio.h>
#include <string.h>

#define NODES_MOST  12
#define TOKENS_MOST 4
#define RINGS       3000

static const char *const dc_names[] = {"east", "west", "north"};
static const char *const rack_names[] = {"r1", "r2", "r3", "r4"};

struct made_up {
	struct cql_ring_node nodes[NODES_MOST];
	int64_t tokens[NODES_MOST][TOKENS_MOST];
	size_t count;
};

struct option {
	const char *name;
	const char *value;
};

static struct cql_replication replication_of(const struct option *options, size_t count)
{
	struct cql_replication r = CQL_REPLICATION_INIT;
	for (size_t i = 0; i < count; i++)
		cql_replication_put(
			&r, td_slice_str(options[i].name), td_slice_str(options[i].value));
	return r;
}

/* Both steps, which must work. */
static const struct cql_replicas *build(const struct cql_ring_node *nodes, size_t count,
	const struct cql_replication *r, struct td_arena *arena)
{
	struct td_err err = TD_ERR_INIT;
	const struct cql_ring *ring = NULL;
	const struct cql_replicas *replicas = NULL;
	assert_int_equal(cql_ring_build(nodes, count, arena, &ring, &err), TD_OK);
	assert_int_equal(cql_replicas_build(ring, r, arena, &replicas, &err), TD_OK);
	return replicas;
}

static void assert_nodes(const struct cql_replicas *replicas, int64_t token, const char *wanted)
{
	struct cql_replica_list list = cql_replicas_of(replicas, token);
	char text[100] = "";
	for (size_t i = 0; i < list.count; i++) {
		size_t len = strlen(text);
		snprintf(text + len, sizeof(text) - len, i == 0 ? "%u" : " %u", list.nodes[i]);
	}
	assert_string_equal(text, wanted);
}

/* ---- a model: the walk over the ring as the documents tell it, one token after the other ---- */

struct model_entry {
	int64_t token;
	uint16_t node;
};

struct model {
	const struct made_up *from;
	struct model_entry ring[NODES_MOST * TOKENS_MOST];
	size_t count;
};

static void model_init(struct model *m, const struct made_up *from)
{
	m->from = from;
	m->count = 0;
	for (size_t i = 0; i < from->count; i++) {
		for (size_t t = 0; t < from->nodes[i].token_count; t++) {
			struct model_entry e = {from->nodes[i].tokens[t], (uint16_t)i};
			size_t at = m->count++;
			for (; at > 0 && m->ring[at - 1].token > e.token; at--)
				m->ring[at] = m->ring[at - 1];
			m->ring[at] = e;
		}
	}
}

static bool has(const uint16_t *nodes, size_t count, uint16_t node)
{
	for (size_t i = 0; i < count; i++)
		if (nodes[i] == node)
			return true;
	return false;
}

static size_t model_start(const struct model *m, int64_t token)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->ring[i].token >= token)
			return i;
	return 0;
}

static size_t model_simple(const struct model *m, int64_t token, size_t factor, uint16_t *out)
{
	size_t count = 0, start = model_start(m, token);
	for (size_t i = 0; i < m->count && count < factor; i++) {
		uint16_t node = m->ring[(start + i) % m->count].node;
		if (!has(out, count, node))
			out[count++] = node;
	}
	return count;
}

static bool same_rack(const struct made_up *from, uint16_t a, uint16_t b)
{
	return td_slice_equal(from->nodes[a].rack, from->nodes[b].rack);
}

static bool rack_is_taken(
	const struct made_up *from, const uint16_t *nodes, size_t count, uint16_t node)
{
	for (size_t i = 0; i < count; i++)
		if (same_rack(from, nodes[i], node))
			return true;
	return false;
}

/* Whether each rack of the data centre has one of the nodes. */
static bool all_racks_taken(
	const struct made_up *from, const char *dc, const uint16_t *nodes, size_t count)
{
	for (size_t i = 0; i < from->count; i++)
		if (td_slice_is(from->nodes[i].dc, dc) && from->nodes[i].token_count > 0 &&
			!rack_is_taken(from, nodes, count, (uint16_t)i))
			return false;
	return true;
}

static size_t model_dc(
	const struct model *m, int64_t token, const char *dc, size_t factor, uint16_t *out)
{
	const struct made_up *from = m->from;
	uint16_t skipped[NODES_MOST];
	size_t count = 0, skipped_count = 0, start = model_start(m, token);
	for (size_t i = 0; i < m->count && count < factor; i++) {
		uint16_t node = m->ring[(start + i) % m->count].node;
		if (!td_slice_is(from->nodes[node].dc, dc) || has(out, count, node) ||
			has(skipped, skipped_count, node))
			continue;
		if (rack_is_taken(from, out, count, node) &&
			!all_racks_taken(from, dc, out, count)) {
			skipped[skipped_count++] = node;
			continue;
		}
		out[count++] = node;
		if (!all_racks_taken(from, dc, out, count))
			continue;
		for (size_t s = 0; s < skipped_count && count < factor; s++)
			if (!has(out, count, skipped[s]))
				out[count++] = skipped[s];
	}
	return count;
}

/* ---- random rings ---- */

static uint64_t seed;

/* xorshift64*, so that a ring can be made again from its seed. */
static unsigned below(unsigned limit)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (unsigned)((seed * 0x2545f4914f6cdd1du) >> 33) % limit;
}

/* Every token once: `step` goes around. Some nodes have none. */
static void make_up(struct made_up *m, uint64_t from_seed)
{
	seed = from_seed * 0x9e3779b97f4a7c15u + 1;
	memset(m, 0, sizeof(*m));
	m->count = 1 + below(NODES_MOST);
	unsigned dcs = 1 + below(3), racks = 1 + below(4);
	bool taken[1000] = {false};
	for (size_t i = 0; i < m->count; i++) {
		struct cql_ring_node *node = &m->nodes[i];
		node->dc = td_slice_str(dc_names[below(dcs)]);
		node->rack = td_slice_str(rack_names[below(racks)]);
		node->tokens = m->tokens[i];
		node->token_count = below(TOKENS_MOST + 1);
		for (size_t t = 0; t < node->token_count; t++) {
			unsigned token = below(1000);
			while (taken[token])
				token = (token + 1) % 1000;
			taken[token] = true;
			m->tokens[i][t] = (int64_t)token - 500;
		}
	}
}

static void assert_same(struct cql_replica_list list, size_t from, const uint16_t *wanted,
	size_t count, uint64_t number)
{
	bool same = from + count <= list.count;
	for (size_t i = 0; same && i < count; i++)
		same = has(list.nodes + from, count, wanted[i]);
	if (!same || (count > 0 && list.nodes[from] != wanted[0]))
		fail_msg("ring %llu: other replicas than the model's", (unsigned long long)number);
}

/* Whatever the ring, any token has the nodes that a plain walk finds, the owner first. */
static void test_simple_matches_a_plain_walk(void **state)
{
	(void)state;
	for (uint64_t number = 0; number < RINGS; number++) {
		struct made_up made;
		struct model model;
		struct td_arena arena = TD_ARENA_INIT;
		make_up(&made, number);
		model_init(&model, &made);
		struct cql_replication r = {.strategy = CQL_STRATEGY_SIMPLE};
		r.factor = (uint16_t)below(6);
		const struct cql_replicas *all = build(made.nodes, made.count, &r, &arena);
		for (int64_t token = -510; token < 510; token += 1 + below(30)) {
			uint16_t wanted[NODES_MOST];
			size_t count = model_simple(&model, token, r.factor, wanted);
			struct cql_replica_list list = cql_replicas_of(all, token);
			assert_int_equal(list.count, count);
			assert_same(list, 0, wanted, count, number);
		}
		td_arena_done(&arena);
	}
}

static void compare_network(const struct made_up *made, const struct model *model,
	const struct cql_replication *r, const struct cql_replicas *all, uint64_t number)
{
	for (int64_t token = -510; token < 510; token += 1 + below(30)) {
		struct cql_replica_list list = cql_replicas_of(all, token);
		bool met[3] = {false};
		size_t from = 0;
		/* Data centres stand in the order of their first nodes. */
		for (size_t i = 0; i < made->count; i++) {
			size_t dc = 0;
			while (!td_slice_is(made->nodes[i].dc, dc_names[dc]))
				dc++;
			if (met[dc])
				continue;
			met[dc] = true;
			uint16_t wanted[NODES_MOST];
			size_t count = model_dc(
				model, token, dc_names[dc], r->dcs[dc].factor, wanted);
			assert_same(list, from, wanted, count, number);
			from += count;
		}
		assert_int_equal(list.count, from);
	}
}

/* The same with data centres and racks. */
static void test_network_matches_a_walk_with_racks(void **state)
{
	(void)state;
	for (uint64_t number = 0; number < RINGS; number++) {
		struct made_up made;
		struct model model;
		struct td_arena arena = TD_ARENA_INIT;
		make_up(&made, number);
		model_init(&model, &made);
		struct cql_replication r = {.strategy = CQL_STRATEGY_NETWORK, .dc_count = 3};
		for (size_t dc = 0; dc < 3; dc++) {
			r.dcs[dc].name = td_slice_str(dc_names[dc]);
			r.dcs[dc].factor = (uint16_t)below(6);
		}
		const struct cql_replicas *all = build(made.nodes, made.count, &r, &arena);
		compare_network(&made, &model, &r, all, number);
		td_arena_done(&arena);
	}
}

/* ---- by hand ---- */

static const int64_t t0[] = {0}, t10[] = {10}, t20[] = {20}, t30[] = {30};

/* A slice as constants have to be written. */
#define WORD(literal)                          \
	{                                      \
		(literal), sizeof(literal) - 1 \
	}

static const struct cql_ring_node four[] = {
	{WORD("east"), WORD("r1"), t0, 1},
	{WORD("east"), WORD("r1"), t10, 1},
	{WORD("east"), WORD("r2"), t20, 1},
	{WORD("west"), WORD("r1"), t30, 1},
};

/* The owner is the first token that is not before the key's, and behind the last comes the first.
 */
static void test_owner_is_the_next_token_and_wraps(void **state)
{
	(void)state;
	const struct option options[] = {{"replication_factor", "2"},
		{"class", "org.apache.cassandra.locator.SimpleStrategy"}};
	struct cql_replication r = replication_of(options, 2);
	struct td_arena arena = TD_ARENA_INIT;
	const struct cql_replicas *all = build(four, 4, &r, &arena);
	assert_nodes(all, INT64_MIN, "0 1");
	assert_nodes(all, 0, "0 1");
	assert_nodes(all, 1, "1 2");
	assert_nodes(all, 10, "1 2");
	assert_nodes(all, 30, "3 0");
	assert_nodes(all, 31, "0 1");
	assert_nodes(all, INT64_MAX, "0 1");
	td_arena_done(&arena);
}

/* Another rack comes before the nearer node of the same one; "3/1" has two full replicas; a data
 * centre that nobody is in costs nothing; a factor counts up to the nodes. */
static void test_network_racks_transient_and_caps(void **state)
{
	(void)state;
	static const struct {
		struct option options[4];
		const char *replicas; /* of token 0 */
	} rows[] = {
		{{{"class", "NetworkTopologyStrategy"}, {"east", "2"}}, "0 2"},
		{{{"class", "NetworkTopologyStrategy"}, {"east", "3/1"}}, "0 2"},
		{{{"class", "NetworkTopologyStrategy"}, {"east", "3"}, {"west", "1"}}, "0 2 1 3"},
		{{{"west", "9999"}, {"class", "NetworkTopologyStrategy"}, {"east", "1"}}, "0 3"},
		{{{"class", "NetworkTopologyStrategy"}, {"south", "3"}, {"west", "1"}}, "3"},
		{{{"class", "NetworkTopologyStrategy"}, {"south", "3"}}, ""},
		{{{"class", "NetworkTopologyStrategy"}, {"east", "0"}}, ""},
		{{{"class", "SimpleStrategy"}, {"replication_factor", "3/2"}}, "0"},
		{{{"class", "SimpleStrategy"}, {"replication_factor", "9"}}, "0 1 2 3"},
		{{{"class", "a.b.EverywhereStrategy"}}, "0 1 2 3"},
		{{{"class", "LocalStrategy"}}, ""},
		{{{"class", "SomebodysStrategy"}, {"replication_factor", "3"}}, ""},
		{{{"class", "SimpleStrategy"}, {"replication_factor", "three"}}, ""},
		{{{"class", "SimpleStrategy"}, {"replication_factor", "1/2"}}, ""},
		{{{"class", "SimpleStrategy"}, {"replication_factor", "3/"}}, ""},
		{{{"class", "SimpleStrategy"}, {"replication_factor", "3/1/1"}}, ""},
		{{{"class", "SimpleStrategy"}, {"replication_factor", "99999"}}, ""},
		{{{"class", "SimpleStrategy"}, {"replication_factor", ""}}, ""},
		{{{"class", "SimpleStrategy"}}, ""},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		size_t count = 0;
		while (count < 4 && rows[i].options[count].name != NULL)
			count++;
		struct cql_replication r = replication_of(rows[i].options, count);
		struct td_arena arena = TD_ARENA_INIT;
		assert_nodes(build(four, 4, &r, &arena), 0, rows[i].replicas);
		td_arena_done(&arena);
	}
}

/* Without a node or a token there is no routing, and no fault. */
static void test_empty_rings_route_nowhere(void **state)
{
	(void)state;
	const struct cql_ring_node bare = {.dc = TD_SLICE("east")};
	struct cql_replication simple = {.strategy = CQL_STRATEGY_SIMPLE, .factor = 3};
	struct td_arena arena = TD_ARENA_INIT;
	assert_nodes(build(NULL, 0, &simple, &arena), 5, "");
	assert_nodes(build(&bare, 1, &simple, &arena), 5, "");
	td_arena_done(&arena);
}

/* Two nodes that claim one token: the first has it, and no range is lost. */
static void test_doubled_token_belongs_to_the_first_node(void **state)
{
	(void)state;
	const struct cql_ring_node nodes[] = {
		{TD_SLICE("east"), TD_SLICE("r1"), t10, 1},
		{TD_SLICE("east"), TD_SLICE("r1"), t10, 1},
		{TD_SLICE("east"), TD_SLICE("r1"), t0, 1},
	};
	struct cql_replication r = {.strategy = CQL_STRATEGY_SIMPLE, .factor = 3};
	struct td_arena arena = TD_ARENA_INIT;
	assert_nodes(build(nodes, 3, &r, &arena), 5, "0 2");
	td_arena_done(&arena);
}

/* Hostile numbers are refused before memory is taken for them. */
static void test_ring_over_a_limit_is_refused(void **state)
{
	(void)state;
	static int64_t tokens[CQL_RING_TOKENS_MAX / 2 + 1];
	static struct cql_ring_node many[CQL_RING_NODES_MAX + 1];
	const struct cql_ring_node two[] = {
		{.tokens = tokens, .token_count = TD_ARRAY_LEN(tokens)},
		{.tokens = tokens, .token_count = TD_ARRAY_LEN(tokens)},
	};
	const struct cql_ring_node huge = {.tokens = tokens, .token_count = SIZE_MAX};
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	const struct cql_ring *ring = NULL;
	assert_int_equal(cql_ring_build(two, 2, &arena, &ring, &err), TD_TOOBIG);
	assert_int_equal(cql_ring_build(&huge, 1, &arena, &ring, &err), TD_TOOBIG);
	assert_int_equal(
		cql_ring_build(many, CQL_RING_NODES_MAX + 1, &arena, &ring, &err), TD_TOOBIG);
	assert_string_equal(err.text, "the ring has 4097 nodes, more than 4096");
	assert_null(ring);
	assert_int_equal(arena.total, 0);
}

/* 65 data centres in one keyspace, and a table of replicas that would be too large. */
static void test_replication_over_a_limit_routes_nowhere(void **state)
{
	(void)state;
	struct cql_replication r = {.strategy = CQL_STRATEGY_NETWORK};
	for (size_t i = 0; i < CQL_RING_DCS_MAX; i++)
		cql_replication_put(&r, TD_SLICE("east"), TD_SLICE("1"));
	assert_false(r.failed);
	cql_replication_put(&r, TD_SLICE("west"), TD_SLICE("1"));
	assert_true(r.failed);

	enum {
		NODES = 1000,
		EACH = 128
	};
	static int64_t tokens[NODES * EACH];
	static struct cql_ring_node nodes[NODES];
	for (size_t i = 0; i < TD_ARRAY_LEN(tokens); i++)
		tokens[i] = (int64_t)i;
	for (size_t i = 0; i < NODES; i++)
		nodes[i] = (struct cql_ring_node){.tokens = tokens + i * EACH, .token_count = EACH};
	struct cql_replication all = {.strategy = CQL_STRATEGY_SIMPLE, .factor = 1000};
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	const struct cql_ring *ring = NULL;
	const struct cql_replicas *replicas = NULL;
	assert_int_equal(cql_ring_build(nodes, NODES, &arena, &ring, &err), TD_OK);
	assert_int_equal(cql_replicas_build(ring, &all, &arena, &replicas, &err), TD_TOOBIG);
	assert_null(replicas);
	all.factor = 3;
	assert_int_equal(cql_replicas_build(ring, &all, &arena, &replicas, &err), TD_OK);
	assert_nodes(replicas, EACH - 1, "0 1 2");
	td_arena_done(&arena);
}

static bool attempt_all(void *ctx)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	const struct cql_ring *ring = NULL;
	const struct cql_replicas *replicas = NULL;
	enum td_status status = cql_ring_build(four, 4, &arena, &ring, &err);
	if (status == TD_OK)
		status = cql_replicas_build(ring, ctx, &arena, &replicas, &err);
	assert_true(status == TD_OK || status == TD_NOMEM);
	td_arena_done(&arena);
	return status == TD_OK;
}

/* Each allocation once fails: said so, and nothing leaks. */
static void test_no_memory_is_said(void **state)
{
	(void)state;
	struct cql_replication r = {.strategy = CQL_STRATEGY_SIMPLE, .factor = 2};
	assert_true(fault_alloc_each(attempt_all, &r) > 0);
	r.strategy = CQL_STRATEGY_EVERYWHERE;
	assert_true(fault_alloc_each(attempt_all, &r) > 0);
	r.strategy = CQL_STRATEGY_NETWORK;
	assert_true(fault_alloc_each(attempt_all, &r) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simple_matches_a_plain_walk),
		cmocka_unit_test(test_network_matches_a_walk_with_racks),
		cmocka_unit_test(test_owner_is_the_next_token_and_wraps),
		cmocka_unit_test(test_network_racks_transient_and_caps),
		cmocka_unit_test(test_empty_rings_route_nowhere),
		cmocka_unit_test(test_doubled_token_belongs_to_the_first_node),
		cmocka_unit_test(test_ring_over_a_limit_is_refused),
		cmocka_unit_test(test_replication_over_a_limit_routes_nowhere),
		cmocka_unit_test(test_no_memory_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
