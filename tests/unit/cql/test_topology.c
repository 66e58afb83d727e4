#include "cql/protocol/ring.h"
#include "cql/protocol/topology.h"
#include "fault_alloc.h"
#include "server_tables.h"

#include <string.h>

#define ID_1    "00000000000000000000000000000001"
#define ID_2    "00000000000000000000000000000002"
#define ID_3    "00000000000000000000000000000003"
#define SCHEMA  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SCHEMA2 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define TOKENS  "00000002 00000001 35 00000002 2d37" /* 5 and -7 */

enum {
	PEER,
	UNKNOWN,
	DC,
	HOST,
	NATIVE,
	PORT,
	RACK,
	RELEASE,
	VERSION,
	TOKEN_SET,
	PEER_COLUMNS,
};

static const struct made_column peer_columns[PEER_COLUMNS] = {
	[PEER] = {"peer", "0010"},
	[UNKNOWN] = {"preferred", "0031 0002 0009 0022 000d"},
	[DC] = {"data_center", "000d"},
	[HOST] = {"host_id", "000c"},
	[NATIVE] = {"native_address", "0010"},
	[PORT] = {"native_port", "0009"},
	[RACK] = {"rack", "000d"},
	[RELEASE] = {"release_version", "000d"},
	[VERSION] = {"schema_version", "000c"},
	[TOKEN_SET] = {"tokens", "0022 000d"},
};

static const char *const good_peer[PEER_COLUMNS] = {
	"0a000002", NULL, "'east", ID_2, "c0000202", "00002352", "'r1", "'4.1.9", SCHEMA, TOKENS};

static struct td_buf in = TD_BUF_INIT;
static struct td_arena arena = TD_ARENA_INIT;

static int clean(void **state)
{
	(void)state;
	td_arena_done(&arena);
	arena = (struct td_arena)TD_ARENA_INIT;
	td_buf_done(&in);
	return 0;
}

static struct td_slice message_of(const char *digits)
{
	td_buf_reset(&in);
	hex_put(&in, digits);
	assert_non_null(td_buf_cstr(&in));
	return td_buf_slice(&in);
}

static void assert_inet(struct cql_inet inet, const char *digits, int32_t port)
{
	struct td_buf out = TD_BUF_INIT;
	assert_string_equal(hex_text(&out, td_slice((char *)inet.bytes, inet.len)), digits);
	assert_int_equal(inet.port, port);
	td_buf_done(&out);
}

static void assert_uuid(const uint8_t uuid[16], const char *digits)
{
	struct td_buf out = TD_BUF_INIT;
	assert_string_equal(hex_text(&out, td_slice((const char *)uuid, 16)), digits);
	td_buf_done(&out);
}

static struct cql_local local_of(struct td_slice message)
{
	struct cql_result result = result_of(message);
	struct cql_local local;
	struct td_err err = TD_ERR_INIT;
	if (cql_local_read(&result, &arena, &local, &err) != TD_OK)
		fail_msg("%s", err.text);
	return local;
}

static struct cql_peers peers_of(struct td_slice message, const struct cql_local *local)
{
	struct cql_result result = result_of(message);
	struct cql_peers peers;
	struct td_err err = TD_ERR_INIT;
	if (cql_peers_read(&result, local, &arena, &peers, &err) != TD_OK)
		fail_msg("%s", err.text);
	return peers;
}

/* Rows of good_peer, of which one cell is another. */
static struct cql_peers peers_with(size_t column, const char *cell)
{
	const char *cells[PEER_COLUMNS];
	memcpy(cells, good_peer, sizeof(cells));
	cells[column] = cell;
	put_table(&in, peer_columns, PEER_COLUMNS, cells, 1);
	return peers_of(td_buf_slice(&in), NULL);
}

static void test_local_of_servers(void **state)
{
	(void)state;
	struct cql_local local = local_of(message_of(server_41_local));
	/* Nothing may point into the message. */
	memset(in.ptr, 0xee, in.len);
	assert_true(td_slice_is(local.cluster_name, "tests"));
	assert_true(td_slice_is(local.partitioner, "org.apache.cassandra.dht.Murmur3Partitioner"));
	assert_true(td_slice_is(local.host.dc, "datacenter1"));
	assert_true(td_slice_is(local.host.rack, "rack1"));
	assert_true(td_slice_is(local.host.release_version, "4.1.9"));
	assert_true(local.host.has_host_id && local.host.has_schema_version);
	assert_uuid(local.host.host_id, "6a2784fe34c7461c814abff7d6f78e95");
	assert_uuid(local.host.schema_version, "321fe81fb468300e8ad79d57dfd6da89");
	assert_inet(local.host.address, "7fef0b01", 9042);
	assert_int_equal(local.host.token_count, 1);
	assert_int_equal(local.host.tokens[0], -6148914691236517206);
	local = local_of(message_of(server_50_local));
	assert_true(td_slice_is(local.host.release_version, "5.0.5"));
	assert_inet(local.host.address, "7faae501", 9042);
}

static void assert_peers_of_server(struct cql_peers peers, int32_t port)
{
	assert_int_equal(peers.count, 2);
	assert_int_equal(peers.skipped, 0);
	assert_null(peers.first_column);
	const struct cql_host *h = &peers.hosts[0];
	assert_uuid(h->host_id, "864dc5fb556b4efe9ac37df72352d396");
	assert_uuid(h->schema_version, "321fe81fb468300e8ad79d57dfd6da89");
	assert_inet(h->address, "7fef0b03", port);
	assert_true(td_slice_is(h->dc, "datacenter1"));
	assert_true(td_slice_is(h->rack, "rack1"));
	assert_true(td_slice_is(h->release_version, "4.1.9"));
	assert_int_equal(h->token_count, 1);
	assert_int_equal(h->tokens[0], 6148914691236517205);
	assert_inet(peers.hosts[1].address, "7fef0b02", port);
	assert_int_equal(peers.hosts[1].tokens[0], 0);
}

static void test_peers_of_servers(void **state)
{
	(void)state;
	struct cql_local local = local_of(message_of(server_41_local));
	struct cql_peers peers = peers_of(message_of(server_41_peers_v2), &local);
	memset(in.ptr, 0xee, in.len);
	assert_peers_of_server(peers, 9042);
	peers = peers_of(message_of(server_41_peers), &local);
	memset(in.ptr, 0xee, in.len);
	assert_peers_of_server(peers, -1);
}

static void test_peers_columns_in_any_order(void **state)
{
	(void)state;
	struct made_column columns[PEER_COLUMNS];
	const char *cells[PEER_COLUMNS];
	for (size_t shift = 0; shift < PEER_COLUMNS; shift++) {
		for (size_t i = 0; i < PEER_COLUMNS; i++) {
			columns[i] = peer_columns[(i + shift) % PEER_COLUMNS];
			cells[i] = good_peer[(i + shift) % PEER_COLUMNS];
		}
		put_table(&in, columns, PEER_COLUMNS, cells, 1);
		struct cql_peers peers = peers_of(td_buf_slice(&in), NULL);
		assert_int_equal(peers.count, 1);
		assert_inet(peers.hosts[0].address, "c0000202", 9042);
		assert_true(td_slice_is(peers.hosts[0].dc, "east"));
		assert_int_equal(peers.hosts[0].token_count, 2);
		assert_int_equal(peers.hosts[0].tokens[0], 5);
		assert_int_equal(peers.hosts[0].tokens[1], -7);
	}
}

/* A row that lacks something, or in which something is damaged, is left out by name. */
static void test_peers_rows_that_do_not_count(void **state)
{
	(void)state;
	static const struct {
		size_t column;
		const char *cell;
		const char *name;
	} bad[] = {
		{HOST, NULL, "host_id"},
		{HOST, "", "host_id"},
		{HOST, "0102", "host_id"},
		{VERSION, NULL, "schema_version"},
		{VERSION, "00", "schema_version"},
		{DC, NULL, "data_center"},
		{RACK, NULL, "rack"},
		{TOKEN_SET, NULL, "tokens"},
		{TOKEN_SET, "000000", "tokens"},
		{TOKEN_SET, "7fffffff 00000001 35", "tokens"},
		{TOKEN_SET, "ffffffff", "tokens"},
		{TOKEN_SET, "00000002 00000001 35 7fffffff 00", "tokens"},
		{NATIVE, NULL, "native_address"},
		{NATIVE, "0102030405", "native_address"},
		{PORT, NULL, "native_address"},
		{PORT, "00000000", "native_port"},
		{PORT, "00010000", "native_port"},
		{PORT, "ffffffff", "native_port"},
		{PORT, "2352", "native_port"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++) {
		struct cql_peers peers = peers_with(bad[i].column, bad[i].cell);
		assert_int_equal(peers.count, 0);
		assert_int_equal(peers.skipped, 1);
		assert_string_equal(peers.first_column, bad[i].name);
		assert_inet(peers.first_peer, "0a000002", -1);
	}
	struct cql_peers peers = peers_with(RELEASE, NULL);
	assert_int_equal(peers.count, 1);
	assert_null(peers.hosts[0].release_version.ptr);
}

/* The first row that was skipped is told, and those around it stay. */
static void test_peers_ghosts_among_others(void **state)
{
	(void)state;
	const char *cells[4][PEER_COLUMNS];
	for (size_t i = 0; i < 4; i++)
		memcpy(cells[i], good_peer, sizeof(cells[i]));
	cells[1][PEER] = NULL;
	cells[1][RACK] = NULL;
	cells[2][HOST] = NULL;
	cells[3][HOST] = ID_3;
	put_table(&in, peer_columns, PEER_COLUMNS, cells[0], 4);
	struct cql_peers peers = peers_of(td_buf_slice(&in), NULL);
	assert_int_equal(peers.count, 2);
	assert_uuid(peers.hosts[0].host_id, ID_2);
	assert_uuid(peers.hosts[1].host_id, ID_3);
	assert_int_equal(peers.skipped, 2);
	assert_string_equal(peers.first_column, "rack");
	assert_int_equal(peers.first_peer.len, 0);
}

/* Where a node says that it listens everywhere, it is reached where other nodes reach it. */
static void test_peers_any_address(void **state)
{
	(void)state;
	struct cql_peers peers = peers_with(NATIVE, "00000000");
	assert_inet(peers.hosts[0].address, "0a000002", 9042);
	peers = peers_with(NATIVE, "00000000000000000000000000000000");
	assert_inet(peers.hosts[0].address, "0a000002", 9042);
	peers = peers_with(NATIVE, "20010db8000000000000000000000001");
	assert_inet(peers.hosts[0].address, "20010db8000000000000000000000001", 9042);
	const char *cells[PEER_COLUMNS];
	static const char *const no_use[] = {NULL, "00000000", "0a00"};
	static const char *const told[] = {"native_address", "native_address", "peer"};
	memcpy(cells, good_peer, sizeof(cells));
	cells[NATIVE] = "00000000";
	for (size_t i = 0; i < TD_ARRAY_LEN(no_use); i++) {
		cells[PEER] = no_use[i];
		put_table(&in, peer_columns, PEER_COLUMNS, cells, 1);
		peers = peers_of(td_buf_slice(&in), NULL);
		assert_int_equal(peers.count, 0);
		assert_string_equal(peers.first_column, told[i]);
	}
}

/* The native address with its port, else that of the RPC server. */
static void test_peers_address_order(void **state)
{
	(void)state;
	static const struct made_column columns[] = {{"host_id", "000c"}, {"data_center", "0001"},
		{"rack", "000a"}, {"schema_version", "000c"}, {"tokens", "0022 0001"},
		{"native_address", "0010"}, {"native_port", "0009"}, {"rpc_address", "0010"},
		{"rpc_port", "0009"}};
	const char *cells[] = {ID_2, "'east", "'r1", SCHEMA, TOKENS, "c0000201", "00000001",
		"c0000202", "00000002"};
	put_table(&in, columns, 9, cells, 1);
	assert_inet(peers_of(td_buf_slice(&in), NULL).hosts[0].address, "c0000201", 1);
	cells[6] = NULL;
	put_table(&in, columns, 9, cells, 1);
	assert_inet(peers_of(td_buf_slice(&in), NULL).hosts[0].address, "c0000202", 2);
	cells[8] = NULL;
	put_table(&in, columns, 9, cells, 1);
	assert_inet(peers_of(td_buf_slice(&in), NULL).hosts[0].address, "c0000202", -1);
	cells[7] = NULL;
	put_table(&in, columns, 9, cells, 1);
	struct cql_peers peers = peers_of(td_buf_slice(&in), NULL);
	assert_string_equal(peers.first_column, "native_address");
	put_table(&in, columns, 5, cells, 1);
	peers = peers_of(td_buf_slice(&in), NULL);
	assert_string_equal(peers.first_column, "rpc_address");
}

static void test_peers_one_host_twice(void **state)
{
	(void)state;
	const char *cells[3][PEER_COLUMNS];
	for (size_t i = 0; i < 3; i++)
		memcpy(cells[i], good_peer, sizeof(cells[i]));
	cells[1][NATIVE] = "c0000209";
	cells[2][HOST] = ID_3;
	put_table(&in, peer_columns, PEER_COLUMNS, cells[0], 3);
	struct cql_peers peers = peers_of(td_buf_slice(&in), NULL);
	assert_int_equal(peers.count, 2);
	assert_int_equal(peers.skipped, 0);
	assert_inet(peers.hosts[0].address, "c0000202", 9042);
	struct cql_local local = {.host = {.has_host_id = true, .host_id = {[15] = 3}}};
	peers = peers_of(td_buf_slice(&in), &local);
	assert_int_equal(peers.count, 1);
	assert_uuid(peers.hosts[0].host_id, ID_2);
	local.host.has_host_id = false;
	assert_int_equal(peers_of(td_buf_slice(&in), &local).count, 2);
}

/* Those of another partitioner are no numbers of 64 bits. */
static void test_peers_tokens_of_another_partitioner(void **state)
{
	(void)state;
	struct cql_peers peers = peers_with(TOKEN_SET,
		"00000004 00000001 61 ffffffff 00000001 39 00000014"
		"3939393939393939393939393939393939393939");
	assert_int_equal(peers.count, 1);
	assert_int_equal(peers.hosts[0].token_count, 1);
	assert_int_equal(peers.hosts[0].tokens[0], 9);
	assert_int_equal(peers_with(TOKEN_SET, "00000000").hosts[0].token_count, 0);
}

enum {
	LOCAL_RPC,
	LOCAL_BROADCAST,
	LOCAL_LISTEN,
	LOCAL_HOST,
	LOCAL_TOKENS,
	LOCAL_NAME,
	LOCAL_COLUMNS,
};

static const struct made_column local_columns[LOCAL_COLUMNS] = {{"rpc_address", "0010"},
	{"broadcast_address", "0010"}, {"listen_address", "0010"}, {"host_id", "000c"},
	{"tokens", "0022 000d"}, {"cluster_name", "000d"}};

static struct cql_local local_with(size_t column, const char *cell)
{
	const char *cells[LOCAL_COLUMNS] = {
		"00000000", "0a000001", "0a000009", ID_1, TOKENS, "'shop"};
	cells[column] = cell;
	put_table(&in, local_columns, LOCAL_COLUMNS, cells, 1);
	return local_of(td_buf_slice(&in));
}

/* What the node does not tell about itself is left empty: it was reached, after all. */
static void test_local_with_little_in_it(void **state)
{
	(void)state;
	struct cql_local local = local_with(LOCAL_NAME, NULL);
	assert_null(local.cluster_name.ptr);
	assert_null(local.partitioner.ptr);
	assert_null(local.host.dc.ptr);
	assert_null(local.host.rack.ptr);
	assert_false(local.host.has_schema_version);
	assert_true(local.host.has_host_id);
	assert_inet(local.host.address, "0a000001", -1);
	assert_inet(local_with(LOCAL_BROADCAST, NULL).host.address, "0a000009", -1);
	assert_inet(local_with(LOCAL_RPC, NULL).host.address, "", -1);
	static const char *const everywhere[LOCAL_COLUMNS] = {"00000000", "00000000"};
	put_table(&in, local_columns, LOCAL_COLUMNS, everywhere, 1);
	assert_inet(local_of(td_buf_slice(&in)).host.address, "", -1);
	assert_inet(local_with(LOCAL_RPC, "c0000201").host.address, "c0000201", -1);
	assert_false(local_with(LOCAL_HOST, NULL).host.has_host_id);
	assert_int_equal(local_with(LOCAL_TOKENS, NULL).host.token_count, 0);
}

static enum td_status read_local(struct td_slice message, struct td_err *err)
{
	struct cql_result result;
	struct cql_local local;
	enum td_status status = cql_result_read(message, CQL_V4, &result, err);
	if (status == TD_OK)
		status = cql_local_read(&result, &arena, &local, err);
	td_arena_reset(&arena);
	return status;
}

static enum td_status read_peers(struct td_slice message, struct td_err *err)
{
	struct cql_result result;
	struct cql_peers peers;
	enum td_status status = cql_result_read(message, CQL_V4, &result, err);
	if (status == TD_OK)
		status = cql_peers_read(&result, NULL, &arena, &peers, err);
	td_arena_reset(&arena);
	return status;
}

static void test_local_damaged(void **state)
{
	(void)state;
	static const struct {
		size_t column;
		const char *cell;
		const char *text;
	} bad[] = {
		{LOCAL_HOST, "00", "the column host_id of system.local is damaged"},
		{LOCAL_RPC, "00", "the column rpc_address of system.local is damaged"},
		{LOCAL_BROADCAST, "00", "the column broadcast_address of system.local is damaged"},
		{LOCAL_TOKENS, "00", "the column tokens of system.local is damaged"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++) {
		const char *cells[LOCAL_COLUMNS] = {"00000000", NULL, NULL, ID_1, TOKENS, NULL};
		struct td_err err = TD_ERR_INIT;
		cells[bad[i].column] = bad[i].cell;
		put_table(&in, local_columns, LOCAL_COLUMNS, cells, 1);
		assert_int_equal(read_local(td_buf_slice(&in), &err), TD_CORRUPT);
		assert_string_equal(err.text, bad[i].text);
	}
}

static void test_tables_that_are_none(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	static const struct made_column wrong[] = {{"tokens", "0022 0009"}};
	static const struct made_column number[] = {{"rack", "0009"}};
	put_table(&in, local_columns, LOCAL_COLUMNS, NULL, 0);
	assert_int_equal(read_local(td_buf_slice(&in), &err), TD_NOTFOUND);
	assert_string_equal(err.text, "system.local is empty: the node is not ready");
	assert_int_equal(read_peers(td_buf_slice(&in), &err), TD_OK);
	put_table(&in, wrong, 1, NULL, 0);
	assert_int_equal(read_local(td_buf_slice(&in), &err), TD_CORRUPT);
	assert_string_equal(err.text, "system.local has a column tokens of the type set");
	put_table(&in, number, 1, NULL, 0);
	assert_int_equal(read_peers(td_buf_slice(&in), &err), TD_CORRUPT);
	assert_string_equal(err.text, "the table of peers has a column rack of the type int");
	assert_int_equal(read_local(message_of("00000001"), &err), TD_CORRUPT);
	assert_string_equal(
		err.text, "the server answered without rows when asked for system.local");
	static const char bare[] = "00000002 00000004 00000001 00000001 00000000";
	assert_int_equal(read_peers(message_of(bare), &err), TD_CORRUPT);
}

/* Cut anywhere, it is damaged. */
static void test_every_cut(void **state)
{
	(void)state;
	static const char *const whole[] = {
		server_41_local, server_50_local, server_41_peers_v2, server_41_peers};
	for (size_t i = 0; i < TD_ARRAY_LEN(whole); i++) {
		struct td_slice message = message_of(whole[i]);
		for (size_t len = 0; len < message.len; len++) {
			struct td_slice cut = td_slice(message.ptr, len);
			assert_int_equal(
				i < 2 ? read_local(cut, NULL) : read_peers(cut, NULL), TD_CORRUPT);
		}
	}
}

/* A length or a count that is not true, wherever it stands. */
static void test_every_hostile_length(void **state)
{
	(void)state;
	static const uint8_t lengths[][4] = {{0x7f, 0xff, 0xff, 0xff}, {0x80, 0, 0, 0},
		{0, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 0, 9}};
	static const char *const whole[] = {
		server_41_local, server_50_local, server_41_peers_v2, server_41_peers};
	for (size_t w = 0; w < TD_ARRAY_LEN(whole) * TD_ARRAY_LEN(lengths); w++) {
		size_t len = message_of(whole[w % TD_ARRAY_LEN(whole)]).len;
		for (size_t at = 0; at + 4 <= len; at++) {
			char kept[4];
			memcpy(kept, in.ptr + at, 4);
			memcpy(in.ptr + at, lengths[w / TD_ARRAY_LEN(whole)], 4);
			arena.limit = 1 << 20;
			(void)read_local(td_buf_slice(&in), NULL);
			enum td_status status = read_peers(td_buf_slice(&in), NULL);
			assert_true(status == TD_OK || status == TD_CORRUPT);
			memcpy(in.ptr + at, kept, 4);
		}
	}
}

static void test_limits(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	static const struct made_column column[] = {{"rack", "000d"}};
	static const char *cells[CQL_RING_NODES_MAX + 1];
	put_table(&in, column, 1, cells, CQL_RING_NODES_MAX);
	assert_int_equal(read_peers(td_buf_slice(&in), &err), TD_OK);
	put_table(&in, column, 1, cells, CQL_RING_NODES_MAX + 1);
	assert_int_equal(read_peers(td_buf_slice(&in), &err), TD_TOOBIG);
	assert_string_equal(err.text, "the table of peers has 4097 rows, more than 4096");
	arena.limit = 2000;
	assert_int_equal(read_local(message_of(server_41_local), &err), TD_NOMEM);
	assert_int_equal(read_peers(message_of(server_41_peers_v2), &err), TD_NOMEM);
	arena.limit = 8000;
	assert_int_equal(read_local(message_of(server_41_local), &err), TD_OK);
	assert_int_equal(read_peers(message_of(server_41_peers_v2), &err), TD_OK);
}

static void test_too_many_tokens(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	struct td_buf tokens = TD_BUF_INIT;
	static const struct made_column column[] = {{"tokens", "0022 000d"}};
	for (size_t count = CQL_RING_TOKENS_MAX; count <= CQL_RING_TOKENS_MAX + 1; count++) {
		static const char *const cells[] = {NULL};
		put_table(&in, column, 1, cells, 1);
		in.len -= 4;
		td_buf_reset(&tokens);
		cql_put_int(&tokens, (int32_t)count);
		for (size_t i = 0; i < count; i++)
			td_buf_put(&tokens,
				"\0\0\0\1"
				"7",
				5);
		cql_put_bytes(&in, td_buf_slice(&tokens));
		assert_int_equal(read_local(td_buf_slice(&in), &err),
			count <= CQL_RING_TOKENS_MAX ? TD_OK : TD_TOOBIG);
	}
	assert_string_equal(err.text, "the nodes have more than 1048576 tokens");
	td_buf_done(&tokens);
}

static bool attempt(void *ctx)
{
	const struct cql_result *results = ctx;
	struct cql_local local;
	struct cql_peers peers;
	struct cql_schema_versions versions;
	struct td_arena own = TD_ARENA_INIT;
	enum td_status status = cql_local_read(&results[0], &own, &local, NULL);
	if (status == TD_OK)
		status = cql_peers_read(&results[1], &local, &own, &peers, NULL);
	if (status == TD_OK)
		status = cql_schema_versions_read(
			&results[0], &results[1], NULL, 0, &own, &versions, NULL);
	assert_true(status == TD_OK || status == TD_NOMEM);
	td_arena_done(&own);
	return status == TD_OK;
}

static void test_without_memory(void **state)
{
	(void)state;
	struct td_buf local = TD_BUF_INIT, peers = TD_BUF_INIT;
	hex_put(&local, server_41_local);
	hex_put(&peers, server_41_peers_v2);
	struct cql_result results[] = {
		result_of(td_buf_slice(&local)), result_of(td_buf_slice(&peers))};
	assert_true(fault_alloc_each(attempt, results) > 20);
	td_buf_done(&local);
	td_buf_done(&peers);
}

/* ---- schema agreement ---- */

struct agreement {
	const char *own;
	const char *peers[2];
	size_t down; /* of the peers, from the first */
	size_t count;
	bool agree;
};

static struct cql_schema_versions versions_of(const struct agreement *a)
{
	static const struct made_column own[] = {{"schema_version", "000c"}};
	static const struct made_column peers[] = {
		{"peer", "0010"}, {"host_id", "000c"}, {"schema_version", "000c"}};
	static const uint8_t down[2][16] = {{[15] = 1}, {[15] = 2}};
	const char *cells[] = {"0a000001", ID_1, a->peers[0], "0a000002", ID_2, a->peers[1]};
	struct td_buf others = TD_BUF_INIT;
	struct cql_schema_versions versions;
	put_table(&in, own, 1, &a->own, 1);
	put_table(&others, peers, 3, cells, 2);
	struct cql_result of_own = result_of(td_buf_slice(&in));
	struct cql_result of_peers = result_of(td_buf_slice(&others));
	assert_int_equal(cql_schema_versions_read(
				 &of_own, &of_peers, down, a->down, &arena, &versions, NULL),
		TD_OK);
	td_buf_done(&others);
	return versions;
}

static void test_schema_versions(void **state)
{
	(void)state;
	static const struct agreement tried[] = {
		{SCHEMA, {SCHEMA, SCHEMA}, 0, 1, true},
		{SCHEMA, {SCHEMA2, SCHEMA}, 0, 2, false},
		{SCHEMA, {SCHEMA2, SCHEMA}, 1, 1, true},
		{SCHEMA2, {SCHEMA, SCHEMA}, 0, 2, false},
		{SCHEMA, {SCHEMA2, ID_1}, 0, 3, false},
		{SCHEMA, {SCHEMA2, ID_1}, 1, 2, false},
		{SCHEMA, {SCHEMA2, ID_1}, 2, 1, true},
		{SCHEMA, {NULL, SCHEMA}, 0, 1, true},
		{SCHEMA, {NULL, NULL}, 0, 1, true},
		{NULL, {SCHEMA, SCHEMA}, 0, 1, false},
		{NULL, {NULL, NULL}, 0, 0, false},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(tried); i++) {
		struct cql_schema_versions versions = versions_of(&tried[i]);
		assert_int_equal(versions.count, tried[i].count);
		assert_int_equal(versions.agree, tried[i].agree);
	}
}

/* What was asked for counts as it does among the peers; what was not does not. */
static void test_schema_versions_of_ghosts(void **state)
{
	(void)state;
	static const struct made_column own[] = {{"schema_version", "000c"}};
	static const char *const own_cells[] = {SCHEMA};
	const char *cells[2][PEER_COLUMNS];
	struct td_buf others = TD_BUF_INIT;
	struct cql_schema_versions versions;
	memcpy(cells[0], good_peer, sizeof(cells[0]));
	memcpy(cells[1], good_peer, sizeof(cells[1]));
	cells[0][VERSION] = SCHEMA2;
	cells[1][HOST] = ID_3;
	static const size_t lacking[] = {DC, RACK, TOKEN_SET, NATIVE, HOST};
	for (size_t i = 0; i <= TD_ARRAY_LEN(lacking); i++) {
		size_t column = i < TD_ARRAY_LEN(lacking) ? lacking[i] : UNKNOWN;
		const char *kept = cells[0][column];
		cells[0][column] = NULL;
		put_table(&in, own, 1, own_cells, 1);
		put_table(&others, peer_columns, PEER_COLUMNS, cells[0], 2);
		struct cql_result of_own = result_of(td_buf_slice(&in));
		struct cql_result of_peers = result_of(td_buf_slice(&others));
		assert_int_equal(cql_schema_versions_read(
					 &of_own, &of_peers, NULL, 0, &arena, &versions, NULL),
			TD_OK);
		assert_int_equal(versions.agree, column != UNKNOWN);
		cells[0][column] = kept;
	}
	td_buf_done(&others);
}

/* Without an id nobody could tell a node that is down from another. */
static void test_schema_versions_without_ids(void **state)
{
	(void)state;
	static const struct made_column columns[] = {{"schema_version", "000c"}};
	static const char *const cells[] = {SCHEMA, SCHEMA2};
	struct td_buf others = TD_BUF_INIT;
	struct cql_schema_versions versions;
	put_table(&in, columns, 1, cells, 1);
	put_table(&others, columns, 1, cells, 2);
	struct cql_result own = result_of(td_buf_slice(&in));
	struct cql_result peers = result_of(td_buf_slice(&others));
	assert_int_equal(
		cql_schema_versions_read(&own, &peers, NULL, 0, &arena, &versions, NULL), TD_OK);
	assert_int_equal(versions.count, 1);
	td_buf_done(&others);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_local_of_servers, clean),
		cmocka_unit_test_teardown(test_peers_of_servers, clean),
		cmocka_unit_test_teardown(test_peers_columns_in_any_order, clean),
		cmocka_unit_test_teardown(test_peers_rows_that_do_not_count, clean),
		cmocka_unit_test_teardown(test_peers_ghosts_among_others, clean),
		cmocka_unit_test_teardown(test_peers_any_address, clean),
		cmocka_unit_test_teardown(test_peers_address_order, clean),
		cmocka_unit_test_teardown(test_peers_one_host_twice, clean),
		cmocka_unit_test_teardown(test_peers_tokens_of_another_partitioner, clean),
		cmocka_unit_test_teardown(test_local_with_little_in_it, clean),
		cmocka_unit_test_teardown(test_local_damaged, clean),
		cmocka_unit_test_teardown(test_tables_that_are_none, clean),
		cmocka_unit_test_teardown(test_every_cut, clean),
		cmocka_unit_test_teardown(test_every_hostile_length, clean),
		cmocka_unit_test_teardown(test_limits, clean),
		cmocka_unit_test_teardown(test_too_many_tokens, clean),
		cmocka_unit_test_teardown(test_without_memory, clean),
		cmocka_unit_test_teardown(test_schema_versions, clean),
		cmocka_unit_test_teardown(test_schema_versions_of_ghosts, clean),
		cmocka_unit_test_teardown(test_schema_versions_without_ids, clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
