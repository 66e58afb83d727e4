/* Reads rings and replications from standard input and prints who holds what, for a test that asks
 * another driver the same. Lines:
 *     node DC RACK TOKEN…
 *     option NAME VALUE
 *     show TOKEN…      prints the places of each token's replicas, a line each, and starts anew
 *     key HEX          prints its token */
#include "cql/protocol/ring.h"
#include "cql/protocol/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MOST  64
#define TOKENS_MOST 64
#define LINE_MOST   4096

struct scene {
	struct td_arena arena;
	struct cql_ring_node nodes[NODES_MOST];
	size_t count;
	struct cql_replication replication;
};

static void refuse(const char *what)
{
	fprintf(stderr, "cql_ring_probe: %s\n", what);
	exit(2);
}

static void scene_reset(struct scene *s)
{
	td_arena_done(&s->arena);
	*s = (struct scene){.arena = TD_ARENA_INIT, .replication = CQL_REPLICATION_INIT};
}

static struct td_slice next_word(struct scene *s, struct td_slice *rest)
{
	struct td_slice word = {NULL, 0};
	if (!td_slice_cut(rest, ' ', &word))
		return word;
	return td_arena_slice(&s->arena, word);
}

static int64_t token_of(struct td_slice word)
{
	int64_t token = 0;
	if (!cql_token_parse(word, &token))
		refuse("not a token");
	return token;
}

static void add_node(struct scene *s, struct td_slice rest)
{
	int64_t *tokens = td_arena_array(&s->arena, TOKENS_MOST, sizeof(*tokens));
	if (tokens == NULL || s->count == NODES_MOST)
		refuse("too many nodes");
	struct cql_ring_node *node = &s->nodes[s->count++];
	node->dc = next_word(s, &rest);
	node->rack = next_word(s, &rest);
	node->tokens = tokens;
	while (rest.ptr != NULL && node->token_count < TOKENS_MOST)
		tokens[node->token_count++] = token_of(next_word(s, &rest));
}

static void show(struct scene *s, struct td_slice rest)
{
	const struct cql_ring *ring = NULL;
	const struct cql_replicas *replicas = NULL;
	struct td_err err = TD_ERR_INIT;
	if (cql_ring_build(s->nodes, s->count, &s->arena, &ring, &err) != TD_OK ||
		cql_replicas_build(ring, &s->replication, &s->arena, &replicas, &err) != TD_OK)
		refuse(err.text);
	while (rest.ptr != NULL) {
		struct cql_replica_list list = cql_replicas_of(
			replicas, token_of(next_word(s, &rest)));
		for (size_t i = 0; i < list.count; i++)
			printf(i == 0 ? "%u" : " %u", list.nodes[i]);
		printf("\n");
	}
	scene_reset(s);
}

static void show_token(struct td_slice hex)
{
	char bytes[LINE_MOST / 2];
	for (size_t i = 0; i < hex.len / 2; i++) {
		char pair[3] = {hex.ptr[2 * i], hex.ptr[2 * i + 1], 0};
		bytes[i] = (char)strtoul(pair, NULL, 16);
	}
	printf("%lld\n", (long long)cql_token(td_slice(bytes, hex.len / 2)));
}

int main(void)
{
	static char line[LINE_MOST];
	struct scene scene = {.arena = TD_ARENA_INIT};
	while (fgets(line, sizeof(line), stdin) != NULL) {
		struct td_slice rest = td_slice(line, strcspn(line, "\n"));
		struct td_slice verb = {NULL, 0};
		td_slice_cut(&rest, ' ', &verb);
		if (td_slice_is(verb, "node")) {
			add_node(&scene, rest);
		} else if (td_slice_is(verb, "option")) {
			struct td_slice name = next_word(&scene, &rest);
			cql_replication_put(&scene.replication, name, next_word(&scene, &rest));
		} else if (td_slice_is(verb, "show")) {
			show(&scene, rest);
		} else if (td_slice_is(verb, "key")) {
			show_token(rest);
		} else {
			refuse("an unknown line");
		}
	}
	scene_reset(&scene);
	return 0;
}
