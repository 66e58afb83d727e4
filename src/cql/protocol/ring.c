#include "cql/protocol/ring.h"

#include <stdbool.h>

/* How the replicas of all ranges are found in one go.
 *
 * NetworkTopologyStrategy walks the ring from the range's token on and takes, in each data centre,
 * the first node of each rack, then the others in the order in which they come. SimpleStrategy is
 * the same with all nodes in one data centre and one rack. The order in which nodes come, seen from
 * a token, is the order in which they were met last by somebody who walks the ring backwards: each
 * node moves to the front of its data centre's list when one of its tokens is met, and so does its
 * rack. So the lists of a token follow from those of the next one in a constant number of steps,
 * and no more than the replicas is read from them. One turn fills the lists, the second records. */

struct place {
	uint16_t dc;
	uint16_t rack;
};

struct entry {
	int64_t token;
	uint16_t node;
};

struct cql_ring {
	struct entry *entries; /* by token, no token twice */
	size_t entry_count;
	size_t node_count;
	struct place *places; /* of each node */
	struct td_slice *dcs; /* names; places' dc is an index into them */
	size_t dc_count;
	size_t rack_count; /* of all data centres */
};

struct cql_replicas {
	const struct cql_ring *ring;
	const uint16_t *nodes; /* `width` for each range, or one row for all of them */
	size_t width;
	bool one_row;
};

/* ---- the ring ---- */

static enum td_status no_memory(struct td_err *err)
{
	return td_err_set(err, TD_NOMEM, "no memory for the ring of tokens");
}

/* True where a belongs behind b. */
static bool is_behind(struct entry a, struct entry b)
{
	return a.token != b.token ? a.token > b.token : a.node > b.node;
}

static void sift_down(struct entry *heap, size_t at, size_t count)
{
	struct entry moved = heap[at];
	for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
		if (child + 1 < count && is_behind(heap[child + 1], heap[child]))
			child++;
		if (!is_behind(heap[child], moved))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = moved;
}

/* A heap sort, because qsort() may allocate and has no bound for hostile input. */
static void sort_entries(struct entry *entries, size_t count)
{
	for (size_t i = count / 2; i > 0; i--)
		sift_down(entries, i - 1, count);
	for (size_t last = count; last > 1; last--) {
		struct entry greatest = entries[0];
		entries[0] = entries[last - 1];
		entries[last - 1] = greatest;
		sift_down(entries, 0, last - 1);
	}
}

/* The number that is left without the second and later claims of a token. */
static size_t drop_doubles(struct entry *entries, size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || entries[kept - 1].token != entries[i].token)
			entries[kept++] = entries[i];
	return kept;
}

static enum td_status count_tokens(
	const struct cql_ring_node *nodes, size_t count, size_t *ret_tokens, struct td_err *err)
{
	if (count > CQL_RING_NODES_MAX)
		return td_err_set(err, TD_TOOBIG, "the ring has %zu nodes, more than %d", count,
			CQL_RING_NODES_MAX);
	size_t tokens = 0;
	for (size_t i = 0; i < count; i++) {
		if (nodes[i].token_count > CQL_RING_TOKENS_MAX - tokens)
			return td_err_set(err, TD_TOOBIG, "the ring has more than %d tokens",
				CQL_RING_TOKENS_MAX);
		tokens += nodes[i].token_count;
	}
	*ret_tokens = tokens;
	return TD_OK;
}

static void fill_entries(struct cql_ring *ring, const struct cql_ring_node *nodes)
{
	size_t at = 0;
	for (size_t i = 0; i < ring->node_count; i++)
		for (size_t t = 0; t < nodes[i].token_count; t++)
			ring->entries[at++] = (struct entry){nodes[i].tokens[t], (uint16_t)i};
	sort_entries(ring->entries, at);
	ring->entry_count = drop_doubles(ring->entries, at);
}

/* The number of the node's data centre: that of an earlier node, or the next one. */
static uint16_t place_dc(struct cql_ring *ring, struct td_slice name, struct td_arena *arena)
{
	size_t dc = 0;
	while (dc < ring->dc_count && !td_slice_equal(ring->dcs[dc], name))
		dc++;
	if (dc == ring->dc_count)
		ring->dcs[ring->dc_count++] = td_arena_slice(arena, name);
	return (uint16_t)dc;
}

static uint16_t place_rack(struct cql_ring *ring, const struct cql_ring_node *nodes, size_t node)
{
	for (size_t i = 0; i < node; i++)
		if (ring->places[i].dc == ring->places[node].dc &&
			td_slice_equal(nodes[i].rack, nodes[node].rack))
			return ring->places[i].rack;
	return (uint16_t)ring->rack_count++;
}

enum td_status cql_ring_build(const struct cql_ring_node *nodes, size_t count,
	struct td_arena *arena, const struct cql_ring **ret_ring, struct td_err *err)
{
	size_t tokens = 0;
	enum td_status status = count_tokens(nodes, count, &tokens, err);
	if (status != TD_OK)
		return status;
	struct cql_ring *ring = td_arena_alloc(arena, sizeof(*ring));
	if (ring == NULL)
		return no_memory(err);
	ring->node_count = count;
	ring->entries = td_arena_array(arena, tokens + 1, sizeof(*ring->entries));
	ring->places = td_arena_array(arena, count + 1, sizeof(*ring->places));
	ring->dcs = td_arena_array(arena, count + 1, sizeof(*ring->dcs));
	if (ring->entries == NULL || ring->places == NULL || ring->dcs == NULL)
		return no_memory(err);
	fill_entries(ring, nodes);
	for (size_t i = 0; i < count; i++) {
		ring->places[i].dc = place_dc(ring, nodes[i].dc, arena);
		ring->places[i].rack = place_rack(ring, nodes, i);
	}
	if (arena->failed)
		return no_memory(err);
	*ret_ring = ring;
	return TD_OK;
}

/* ---- replication ---- */

static bool parse_count(struct td_slice text, uint16_t *ret)
{
	unsigned value = 0;
	if (text.len == 0 || text.len > 4)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text.ptr[i] - '0');
	}
	*ret = (uint16_t)value;
	return true;
}

/* Full replicas of "3" and "3/1". */
static bool parse_factor(struct td_slice rest, uint16_t *ret)
{
	struct td_slice piece = {NULL, 0};
	uint16_t all = 0, transient = 0;
	if (!td_slice_cut(&rest, '/', &piece) || !parse_count(piece, &all))
		return false;
	if (rest.ptr != NULL && !parse_count(rest, &transient))
		return false;
	if (transient > all)
		return false;
	*ret = (uint16_t)(all - transient);
	return true;
}

static enum cql_strategy strategy_of(struct td_slice class_name)
{
	static const struct {
		const char *name;
		enum cql_strategy strategy;
	} known[] = {
		{"LocalStrategy", CQL_STRATEGY_LOCAL},
		{"EverywhereStrategy", CQL_STRATEGY_EVERYWHERE},
		{"SimpleStrategy", CQL_STRATEGY_SIMPLE},
		{"NetworkTopologyStrategy", CQL_STRATEGY_NETWORK},
	};
	struct td_slice piece = {NULL, 0};
	while (td_slice_cut(&class_name, '.', &piece))
		;
	for (size_t i = 0; i < TD_ARRAY_LEN(known); i++)
		if (td_slice_is(piece, known[i].name))
			return known[i].strategy;
	return CQL_STRATEGY_UNKNOWN;
}

void cql_replication_put(struct cql_replication *r, struct td_slice name, struct td_slice value)
{
	uint16_t factor = 0;
	if (td_slice_is(name, "class")) {
		r->strategy = strategy_of(value);
		return;
	}
	bool is_factor = parse_factor(value, &factor);
	if (is_factor && td_slice_is(name, "replication_factor")) {
		r->factor = factor;
	} else if (is_factor && r->dc_count < CQL_RING_DCS_MAX) {
		r->dcs[r->dc_count].name = name;
		r->dcs[r->dc_count++].factor = factor;
	} else {
		r->failed = true;
	}
}

/* ---- the replicas ---- */

/* A circular list through an array: an item's neighbours; behind the items come the lists' heads.
 */
struct links {
	uint16_t before;
	uint16_t after;
};

/* What is walked backwards: the nodes and racks of each data centre, nearest first. */
struct walk {
	const struct cql_ring *ring;
	struct place *places; /* of each node; all zero for SimpleStrategy */
	size_t dc_count;
	size_t rack_count;
	struct links *nodes;  /* node_count nodes, then dc_count heads */
	struct links *racks;  /* rack_count racks, then dc_count heads */
	uint16_t *first_node; /* of each rack: its nearest node */
	uint16_t *nodes_of;   /* of each data centre: its nodes that have a token */
	uint16_t *wanted;     /* of each data centre: replicas, up to its nodes */
	uint16_t *served;     /* the data centres with a wanted replica */
	size_t served_count;
};

static struct links *links_create(struct td_arena *arena, size_t count)
{
	struct links *links = td_arena_array(arena, count, sizeof(*links));
	for (size_t i = 0; links != NULL && i < count; i++)
		links[i] = (struct links){(uint16_t)i, (uint16_t)i};
	return links;
}

static void move_to_front(struct links *links, uint16_t item, uint16_t head)
{
	links[links[item].before].after = links[item].after;
	links[links[item].after].before = links[item].before;
	links[item] = (struct links){head, links[head].after};
	links[links[head].after].before = item;
	links[head].after = item;
}

static bool walk_init(
	struct walk *w, const struct cql_ring *ring, bool simple, struct td_arena *arena)
{
	*w = (struct walk){.ring = ring, .places = ring->places};
	w->dc_count = simple ? 1 : ring->dc_count;
	w->rack_count = simple ? 1 : ring->rack_count;
	if (simple)
		w->places = td_arena_array(arena, ring->node_count, sizeof(*w->places));
	w->nodes = links_create(arena, ring->node_count + w->dc_count);
	w->racks = links_create(arena, w->rack_count + w->dc_count);
	w->first_node = td_arena_array(arena, w->rack_count, sizeof(*w->first_node));
	w->nodes_of = td_arena_array(arena, w->dc_count, sizeof(*w->nodes_of));
	w->wanted = td_arena_array(arena, w->dc_count, sizeof(*w->wanted));
	w->served = td_arena_array(arena, w->dc_count, sizeof(*w->served));
	return !arena->failed;
}

static void walk_meet(struct walk *w, uint16_t node)
{
	struct place at = w->places[node];
	w->first_node[at.rack] = node;
	move_to_front(w->nodes, node, (uint16_t)(w->ring->node_count + at.dc));
	move_to_front(w->racks, at.rack, (uint16_t)(w->rack_count + at.dc));
}

/* The first turn: the lists as the last token of the ring is seen from behind it. */
static void walk_fill(struct walk *w)
{
	for (size_t i = w->ring->entry_count; i > 0; i--)
		walk_meet(w, w->ring->entries[i - 1].node);
	for (size_t dc = 0; dc < w->dc_count; dc++) {
		size_t head = w->ring->node_count + dc;
		for (size_t i = w->nodes[head].after; i != head; i = w->nodes[i].after)
			w->nodes_of[dc]++;
	}
}

/* Replicas of one data centre as it is seen now; their number is wanted[dc]. */
static void walk_record(const struct walk *w, size_t dc, uint16_t *row)
{
	size_t count = 0, wanted = w->wanted[dc];
	size_t head = w->rack_count + dc;
	for (size_t i = w->racks[head].after; i != head && count < wanted; i = w->racks[i].after)
		row[count++] = w->first_node[i];
	head = w->ring->node_count + dc;
	for (size_t i = w->nodes[head].after; i != head && count < wanted; i = w->nodes[i].after)
		if (w->first_node[w->places[i].rack] != i)
			row[count++] = (uint16_t)i;
}

static void want(struct walk *w, size_t dc, uint16_t factor)
{
	w->wanted[dc] = factor < w->nodes_of[dc] ? factor : w->nodes_of[dc];
	if (w->wanted[dc] > 0)
		w->served[w->served_count++] = (uint16_t)dc;
}

/* Only data centres that have nodes; of one that is named twice the first factor counts. */
static void want_named(struct walk *w, const struct cql_replication *r)
{
	for (size_t dc = 0; dc < w->dc_count; dc++) {
		size_t i = 0;
		while (i < r->dc_count && !td_slice_equal(w->ring->dcs[dc], r->dcs[i].name))
			i++;
		if (i < r->dc_count)
			want(w, dc, r->dcs[i].factor);
	}
}

/* Sets what is wanted of each data centre; the sum. */
static size_t want_all(struct walk *w, const struct cql_replication *r)
{
	if (r->strategy == CQL_STRATEGY_SIMPLE)
		want(w, 0, r->factor);
	else
		want_named(w, r);
	size_t sum = 0;
	for (size_t i = 0; i < w->served_count; i++)
		sum += w->wanted[w->served[i]];
	return sum;
}

static void record_row(const struct walk *w, uint16_t *row)
{
	for (size_t i = 0; i < w->served_count; i++) {
		walk_record(w, w->served[i], row);
		row += w->wanted[w->served[i]];
	}
}

static enum td_status record_ranges(struct cql_replicas *made, const struct cql_replication *r,
	struct td_arena *arena, struct td_err *err)
{
	const struct cql_ring *ring = made->ring;
	struct walk w;
	if (!walk_init(&w, ring, r->strategy == CQL_STRATEGY_SIMPLE, arena))
		return no_memory(err);
	walk_fill(&w);
	made->width = want_all(&w, r);
	if (made->width == 0)
		return TD_OK;
	if (ring->entry_count > CQL_RING_REPLICAS_MAX / made->width)
		return td_err_set(err, TD_TOOBIG, "%zu ranges with %zu replicas each are over %d",
			ring->entry_count, made->width, CQL_RING_REPLICAS_MAX);
	uint16_t *rows = td_arena_array(arena, ring->entry_count * made->width, sizeof(*rows));
	if (rows == NULL)
		return no_memory(err);
	for (size_t i = ring->entry_count; i > 0; i--) {
		walk_meet(&w, ring->entries[i - 1].node);
		record_row(&w, rows + (i - 1) * made->width);
	}
	made->nodes = rows;
	return TD_OK;
}

static enum td_status record_everywhere(
	struct cql_replicas *made, struct td_arena *arena, struct td_err *err)
{
	size_t count = made->ring->node_count;
	uint16_t *row = td_arena_array(arena, count + 1, sizeof(*row));
	if (row == NULL)
		return no_memory(err);
	for (size_t i = 0; i < count; i++)
		row[i] = (uint16_t)i;
	made->nodes = row;
	made->width = count;
	made->one_row = true;
	return TD_OK;
}

enum td_status cql_replicas_build(const struct cql_ring *ring, const struct cql_replication *r,
	struct td_arena *arena, const struct cql_replicas **ret_replicas, struct td_err *err)
{
	struct cql_replicas *made = td_arena_alloc(arena, sizeof(*made));
	if (made == NULL)
		return no_memory(err);
	made->ring = ring;
	enum cql_strategy strategy = r->failed ? CQL_STRATEGY_UNKNOWN : r->strategy;
	enum td_status status = TD_OK;
	if (strategy == CQL_STRATEGY_EVERYWHERE)
		status = record_everywhere(made, arena, err);
	else if (strategy >= CQL_STRATEGY_SIMPLE && ring->entry_count > 0)
		status = record_ranges(made, r, arena, err);
	if (status == TD_OK)
		*ret_replicas = made;
	return status;
}

/* The range that a token falls into: that of the first entry which is not before it. */
static size_t find_entry(const struct cql_ring *ring, int64_t token)
{
	size_t low = 0, high = ring->entry_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (ring->entries[middle].token < token)
			low = middle + 1;
		else
			high = middle;
	}
	return low < ring->entry_count ? low : 0;
}

struct cql_replica_list cql_replicas_of(const struct cql_replicas *replicas, int64_t token)
{
	if (replicas->width == 0)
		return (struct cql_replica_list){NULL, 0};
	size_t row = replicas->one_row ? 0 : find_entry(replicas->ring, token);
	return (struct cql_replica_list){replicas->nodes + row * replicas->width, replicas->width};
}
