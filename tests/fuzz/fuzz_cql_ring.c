/* Rings, replications and tokens of Cassandra: the first byte chooses a decimal token, a routing
 * key or a ring. A ring's bytes are the nodes, then the options, a line each: "east=3/1". */
#include "fuzz.h"

#include "cql/protocol/ring.h"
#include "cql/protocol/token.h"

#define NODES_MOST 15
#define EACH_MOST  4

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t next_byte(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static void check_parse(struct td_slice text)
{
	int64_t token = 0;
	struct td_buf out = TD_BUF_INIT;
	if (cql_token_parse(text, &token)) {
		td_buf_put_i64(&out, token);
		int64_t again = 0;
		FUZZ_CLAIM(out.failed ||
			   (cql_token_parse(td_buf_slice(&out), &again) && again == token));
	}
	td_buf_done(&out);
}

/* The input's pieces between zero bytes as the columns of a key. */
static void check_key(struct td_slice text)
{
	struct td_slice values[4];
	size_t count = 0;
	struct td_buf out = TD_BUF_INIT;
	while (count < TD_ARRAY_LEN(values) && td_slice_cut(&text, '\0', &values[count]))
		count++;
	cql_routing_key_put(&out, values, count);
	if (!out.failed)
		FUZZ_CLAIM(cql_token(td_buf_slice(&out)) != INT64_MIN);
	td_buf_done(&out);
}

static size_t read_nodes(
	struct input *in, struct cql_ring_node *nodes, int64_t tokens[NODES_MOST][EACH_MOST])
{
	static const char names[] = "abcd";
	size_t count = next_byte(in) % (NODES_MOST + 1);
	for (size_t i = 0; i < count; i++) {
		uint8_t place = next_byte(in);
		nodes[i].dc = td_slice(names + (place & 3), 1);
		nodes[i].rack = td_slice(names + (place >> 2 & 3), 1);
		nodes[i].tokens = tokens[i];
		nodes[i].token_count = (size_t)(place >> 4) % (EACH_MOST + 1);
		for (size_t t = 0; t < nodes[i].token_count; t++)
			tokens[i][t] = (int8_t)next_byte(in);
	}
	return count;
}

static void read_options(struct td_slice text, struct cql_replication *r)
{
	struct td_slice line, name;
	while (td_slice_cut(&text, '\n', &line))
		if (td_slice_cut(&line, '=', &name) && line.ptr != NULL)
			cql_replication_put(r, name, line);
}

static bool owns(const struct cql_ring_node *node, int64_t token)
{
	for (size_t i = 0; i < node->token_count; i++)
		if (node->tokens[i] == token)
			return true;
	return false;
}

/* No node twice, none that is not there; where a strategy walks the ring, none without a token. */
static void check_list(
	struct cql_replica_list list, const struct cql_ring_node *nodes, size_t count, bool walks)
{
	FUZZ_CLAIM(list.count <= count);
	for (size_t i = 0; i < list.count; i++) {
		FUZZ_CLAIM(list.nodes[i] < count);
		FUZZ_CLAIM(!walks || nodes[list.nodes[i]].token_count > 0);
		for (size_t j = 0; j < i; j++)
			FUZZ_CLAIM(list.nodes[i] != list.nodes[j]);
	}
}

static void check_replicas(const struct cql_replicas *replicas, const struct cql_replication *r,
	const struct cql_ring_node *nodes, size_t count)
{
	bool walks = r->strategy == CQL_STRATEGY_SIMPLE || r->strategy == CQL_STRATEGY_NETWORK;
	for (int token = -129; token <= 128; token++) {
		struct cql_replica_list list = cql_replicas_of(replicas, token);
		check_list(list, nodes, count, walks);
		/* The first node that claims the very token has it. */
		for (size_t i = 0; i < count && r->strategy == CQL_STRATEGY_SIMPLE; i++) {
			if (owns(&nodes[i], token)) {
				FUZZ_CLAIM(list.count == 0 || list.nodes[0] == i);
				break;
			}
		}
	}
}

static void check_ring(struct input in)
{
	struct cql_ring_node nodes[NODES_MOST];
	int64_t tokens[NODES_MOST][EACH_MOST];
	struct cql_replication r = CQL_REPLICATION_INIT;
	struct td_arena arena = TD_ARENA_INIT;
	const struct cql_ring *ring = NULL;
	const struct cql_replicas *replicas = NULL;
	size_t count = read_nodes(&in, nodes, tokens);
	read_options(fuzz_slice(in.at, in.left), &r);
	if (cql_ring_build(nodes, count, &arena, &ring, NULL) == TD_OK &&
		cql_replicas_build(ring, &r, &arena, &replicas, NULL) == TD_OK)
		check_replicas(replicas, &r, nodes, count);
	td_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	switch (fuzz_choose(&data, &size, 3)) {
	case 0:
		check_parse(fuzz_slice(data, size));
		break;
	case 1:
		check_key(fuzz_slice(data, size));
		break;
	default:
		check_ring((struct input){data, size});
	}
	return 0;
}
