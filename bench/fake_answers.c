#include "fake_answers.h"

#include "cql/protocol/frame.h"
#include "cql/protocol/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ID_SIZE       16 /* of a prepared statement: its kind, then of its text */
#define COLUMNS       4  /* id, name, amount, body */
#define BODY_SIZE     100
#define PAGE_ROWS     5000 /* where the client does not say */
#define FIRST_VERSION CQL_V4
#define LAST_VERSION  CQL_V5

/* Bits of metadata's and of a request's flags (native_protocol_v5.spec sections 4.1.4, 4.2.5.2). */
enum {
	META_GLOBAL = 0x01,
	META_HAS_MORE = 0x02,
	META_NONE = 0x04,
	PARAM_VALUES = 0x01,
	PARAM_SKIP_METADATA = 0x02,
	PARAM_PAGE_SIZE = 0x04,
	PARAM_PAGING_STATE = 0x08,
	PARAM_NAMES = 0x40,
};

enum kind {
	KIND_READ = 'r',  /* one row by its key */
	KIND_SCAN = 's',  /* all rows, page by page */
	KIND_COUNT = 'c', /* how many there are */
	KIND_WRITE = 'w', /* taken, and forgotten */
	KIND_TABLE = 't', /* a table of the node's own */
	KIND_USE = 'u',
	KIND_OTHER = 'o', /* done */
};

struct column {
	const char *name;
	struct td_slice type;
	const char *value; /* as put_system_value() takes it */
};

/* Types as an [option]. */
#define BIGINT  TD_SLICE("\0\x02")
#define VARCHAR TD_SLICE("\0\x0d")

static const struct column row_columns[COLUMNS] = {
	{"id", {"\0\x02", 2}, NULL},
	{"name", {"\0\x0d", 2}, NULL},
	{"amount", {"\0\x09", 2}, NULL},
	{"body", {"\0\x0d", 2}, NULL},
};

static struct {
	size_t row_count;
	struct td_buf rows; /* of the table, one behind the other */
	uint32_t *at;       /* where each begins, and where the last one ends */
	uint8_t address[4];
	uint16_t port;
	struct td_buf columns; /* of the table, as metadata has them */
	struct td_buf one[2]; /* an answer with one row up to that: with its columns, and without */
	char body[BODY_SIZE];
} node;

static _Noreturn void fail(const char *why)
{
	fprintf(stderr, "fake_node: %s\n", why);
	exit(1);
}

/* ---- envelopes ---- */

/* Returns where its body's length stands, for cql_put_length_at(). */
static size_t begin(struct td_buf *out, unsigned version, uint16_t stream, enum cql_opcode opcode)
{
	cql_put_byte(out, (uint8_t)(0x80 | version));
	cql_put_byte(out, 0);
	cql_put_short(out, stream);
	cql_put_byte(out, (uint8_t)opcode);
	return cql_put_gap(out);
}

static void put_error(
	struct td_buf *out, const struct fake_request *rq, int32_t code, const char *text)
{
	size_t at = begin(out, rq->version, rq->stream, CQL_OP_ERROR);
	cql_put_int(out, code);
	cql_put_string(out, td_slice_str(text));
	cql_put_length_at(out, at);
}

static void put_void(struct td_buf *out, const struct fake_request *rq)
{
	size_t at = begin(out, rq->version, rq->stream, CQL_OP_RESULT);
	cql_put_int(out, 1);
	cql_put_length_at(out, at);
}

/* ---- the table's rows ---- */

static void put_row(struct td_buf *b, int64_t id)
{
	char name[32];
	int len = snprintf(name, sizeof(name), "row %" PRId64, id);
	cql_bind_bigint(b, id);
	cql_bind_bytes(b, td_slice(name, (size_t)len));
	cql_bind_int(b, (int32_t)(id % 1000));
	cql_bind_bytes(b, td_slice(node.body, sizeof(node.body)));
}

/* What stands before the rows: flags, count, where more follow their state, columns. */
static void put_columns(struct td_buf *out, bool skips, const uint8_t *state)
{
	int32_t flags = (skips ? META_NONE : META_GLOBAL) | (state != NULL ? META_HAS_MORE : 0);
	cql_put_int(out, flags);
	cql_put_int(out, COLUMNS);
	if (state != NULL)
		cql_put_bytes(out, td_slice((const char *)state, 4));
	if (!skips)
		td_buf_put_slice(out, td_buf_slice(&node.columns));
}

static void put_column(struct td_buf *out, const char *name, struct td_slice type)
{
	cql_put_string(out, td_slice_str(name));
	td_buf_put_slice(out, type);
}

static void make_columns(void)
{
	cql_put_string(&node.columns, TD_SLICE("bench"));
	cql_put_string(&node.columns, TD_SLICE("rows"));
	for (size_t i = 0; i < COLUMNS; i++)
		put_column(&node.columns, row_columns[i].name, row_columns[i].type);
}

static void make_rows(void)
{
	node.at = calloc(node.row_count + 1, sizeof(*node.at));
	for (size_t i = 0; node.at != NULL && i < node.row_count; i++) {
		put_row(&node.rows, (int64_t)i);
		node.at[i + 1] = (uint32_t)node.rows.len;
	}
	if (node.at == NULL || node.rows.failed || node.rows.len > UINT32_MAX)
		fail("no memory for the rows");
}

static void make_one(bool skips)
{
	struct td_buf *b = &node.one[skips];
	(void)begin(b, 0, 0, CQL_OP_RESULT);
	cql_put_int(b, 2);
	put_columns(b, skips, NULL);
	cql_put_int(b, 1);
	if (b->failed)
		fail("no memory");
}

void fake_answers_init(size_t rows, const uint8_t address[4], uint16_t port)
{
	node.row_count = rows;
	memcpy(node.address, address, sizeof(node.address));
	node.port = port;
	memset(node.body, 'x', sizeof(node.body));
	make_columns();
	make_rows();
	make_one(false);
	make_one(true);
}

void fake_answers_done(void)
{
	free(node.at);
	td_buf_done(&node.rows);
	td_buf_done(&node.columns);
	td_buf_done(&node.one[0]);
	td_buf_done(&node.one[1]);
}

/* ---- requests ---- */

/* What of <query_parameters> changes an answer. */
struct params {
	bool skips;
	struct td_slice first; /* the first value that is bound */
	size_t page_size;
	struct td_slice state;
};

static struct params read_params(struct cql_reader *r, unsigned version)
{
	struct params p = {.page_size = PAGE_ROWS};
	(void)cql_read_short(r);
	unsigned flags = version >= CQL_V5 ? (unsigned)cql_read_int(r) : cql_read_byte(r);
	size_t count = (flags & PARAM_VALUES) != 0 ? cql_read_short(r) : 0;
	for (size_t i = 0; i < count && !r->failed; i++) {
		if ((flags & PARAM_NAMES) != 0)
			(void)cql_read_string(r);
		struct td_slice value = cql_read_bytes(r);
		if (i == 0)
			p.first = value;
	}
	p.skips = (flags & PARAM_SKIP_METADATA) != 0;
	if ((flags & PARAM_PAGE_SIZE) != 0)
		p.page_size = cql_read_size(r);
	if ((flags & PARAM_PAGING_STATE) != 0)
		p.state = cql_read_bytes(r);
	return p;
}

static bool has(struct td_slice text, const char *words)
{
	size_t len = strlen(words);
	for (size_t i = 0; i + len <= text.len; i++)
		if (strncasecmp(text.ptr + i, words, len) == 0)
			return true;
	return false;
}

static bool begins(struct td_slice text, const char *word)
{
	return text.len >= strlen(word) && strncasecmp(text.ptr, word, strlen(word)) == 0;
}

static enum kind kind_of(struct td_slice text)
{
	if (begins(text, "USE "))
		return KIND_USE;
	if (begins(text, "INSERT ") || begins(text, "UPDATE ") || begins(text, "DELETE "))
		return KIND_WRITE;
	if (!begins(text, "SELECT "))
		return KIND_OTHER;
	if (has(text, " FROM system"))
		return KIND_TABLE;
	if (has(text, "count(*)"))
		return KIND_COUNT;
	return has(text, " WHERE ") ? KIND_READ : KIND_SCAN;
}

/* ---- answers with rows ---- */

/* The quick one: what was made at the start, the request's version and stream, and the row. */
static void put_one(struct td_buf *out, const struct fake_request *rq, const struct params *p)
{
	const struct td_buf *made = &node.one[p->skips];
	int64_t id = -1;
	bool is_there = cql_get_bigint(p->first, &id) && id >= 0 && (size_t)id < node.row_count;
	size_t from = is_there ? node.at[id] : 0, size = is_there ? node.at[id + 1] - from : 0;
	size_t begin = out->len;
	char *to = td_buf_reserve(out, made->len + size);
	if (to == NULL)
		return;
	memcpy(to, made->ptr, made->len);
	to[0] = (char)(0x80 | rq->version);
	to[2] = (char)(rq->stream >> 8);
	to[3] = (char)rq->stream;
	to[made->len - 1] = is_there; /* how many rows */
	memcpy(to + made->len, node.rows.ptr + from, size);
	out->len += made->len + size;
	cql_put_length_at(out, begin + CQL_HEADER_SIZE - 4);
}

static void put_page(struct td_buf *out, const struct fake_request *rq, const struct params *p)
{
	size_t from = p->state.len == 4 ? cql_load_u32((const uint8_t *)p->state.ptr) : 0;
	from = from < node.row_count ? from : node.row_count;
	size_t count = node.row_count - from;
	if (p->page_size > 0 && count > p->page_size)
		count = p->page_size;
	size_t to = from + count;
	const uint8_t state[4] = {
		(uint8_t)(to >> 24), (uint8_t)(to >> 16), (uint8_t)(to >> 8), (uint8_t)to};
	size_t at = begin(out, rq->version, rq->stream, CQL_OP_RESULT);
	cql_put_int(out, 2);
	put_columns(out, p->skips, to < node.row_count ? state : NULL);
	cql_put_int(out, (int32_t)count);
	td_buf_put(out, node.rows.ptr + node.at[from], node.at[to] - node.at[from]);
	cql_put_length_at(out, at);
}

static void put_count(struct td_buf *out, const struct fake_request *rq)
{
	size_t at = begin(out, rq->version, rq->stream, CQL_OP_RESULT);
	cql_put_int(out, 2);
	cql_put_int(out, META_GLOBAL);
	cql_put_int(out, 1);
	cql_put_string(out, TD_SLICE("bench"));
	cql_put_string(out, TD_SLICE("rows"));
	put_column(out, "count", BIGINT);
	cql_put_int(out, 1);
	cql_bind_bigint(out, (int64_t)node.row_count);
	cql_put_length_at(out, at);
}

/* ---- the node's own tables ---- */

#define OWN_ADDRESS "@address"
#define OWN_PORT    "@port"
#define OWN_ID      "@id"
#define OWN_SET     "@tokens"
#define SIMPLE_MAP  "@simple"

static const struct column local_columns[] = {
	{"key", {"\0\x0d", 2}, "local"},
	{"bootstrapped", {"\0\x0d", 2}, "COMPLETED"},
	{"cluster_name", {"\0\x0d", 2}, "fake"},
	{"cql_version", {"\0\x0d", 2}, "3.4.6"},
	{"data_center", {"\0\x0d", 2}, "datacenter1"},
	{"rack", {"\0\x0d", 2}, "rack1"},
	{"release_version", {"\0\x0d", 2}, "4.1.9"},
	{"native_protocol_version", {"\0\x0d", 2}, "5"},
	{"partitioner", {"\0\x0d", 2}, "org.apache.cassandra.dht.Murmur3Partitioner"},
	{"host_id", {"\0\x0c", 2}, OWN_ID},
	{"schema_version", {"\0\x0c", 2}, OWN_ID},
	{"rpc_address", {"\0\x10", 2}, OWN_ADDRESS},
	{"broadcast_address", {"\0\x10", 2}, OWN_ADDRESS},
	{"listen_address", {"\0\x10", 2}, OWN_ADDRESS},
	{"rpc_port", {"\0\x09", 2}, OWN_PORT},
	{"tokens", {"\0\x22\0\x0d", 4}, OWN_SET},
};

static const struct column keyspace_columns[] = {
	{"keyspace_name", {"\0\x0d", 2}, "bench"},
	{"durable_writes", {"\0\x04", 2}, "\1"},
	{"replication", {"\0\x21\0\x0d\0\x0d", 6}, SIMPLE_MAP},
};

struct table {
	const char *name;
	const struct column *columns;
	size_t count;
	size_t rows;
};

static const struct table tables[] = {
	{"system.local", local_columns, TD_ARRAY_LEN(local_columns), 1},
	{"system_schema.keyspaces", keyspace_columns, TD_ARRAY_LEN(keyspace_columns), 1},
	{"system", local_columns, TD_ARRAY_LEN(local_columns), 0},
};

static void put_text(struct td_buf *out, const char *text)
{
	cql_put_bytes(out, td_slice_str(text));
}

static void put_simple_map(struct td_buf *out)
{
	size_t opened = cql_bind_open_map(out, 2);
	put_text(out, "class");
	put_text(out, "org.apache.cassandra.locator.SimpleStrategy");
	put_text(out, "replication_factor");
	put_text(out, "1");
	cql_bind_close(out, opened);
}

static void put_system_value(struct td_buf *out, const char *value)
{
	static const uint8_t id[16] = {1, 2, 3, 4, 5, 6, 0x40, 8, 0x80, 10};
	if (value == NULL) {
		cql_bind_null(out);
	} else if (strcmp(value, OWN_ADDRESS) == 0) {
		cql_put_bytes(out, td_slice((const char *)node.address, sizeof(node.address)));
	} else if (strcmp(value, OWN_PORT) == 0) {
		cql_bind_int(out, node.port);
	} else if (strcmp(value, OWN_ID) == 0) {
		cql_bind_uuid(out, id);
	} else if (strcmp(value, OWN_SET) == 0) {
		size_t opened = cql_bind_open_list(out, 1);
		put_text(out, "0");
		cql_bind_close(out, opened);
	} else if (strcmp(value, SIMPLE_MAP) == 0) {
		put_simple_map(out);
	} else {
		put_text(out, value);
	}
}

/* Of a name that the table does not have: a text that is null. */
static struct column find_column(const struct table *t, struct td_slice name)
{
	for (size_t i = 0; i < t->count; i++)
		if (td_slice_is(name, t->columns[i].name))
			return t->columns[i];
	return (struct column){"", VARCHAR, NULL};
}

/* "a, b" between SELECT and FROM, or all columns: up to `most` of them. */
static size_t read_list(struct td_slice text, const struct table *t, struct column *columns,
	struct td_slice *names, size_t most)
{
	size_t end = 7, count = 0;
	while (end + 6 < text.len && strncasecmp(text.ptr + end, " FROM ", 6) != 0)
		end++;
	struct td_slice rest = td_slice(text.ptr + 7, end - 7), name;
	if (td_slice_is(td_slice_trim(rest), "*")) {
		for (; count < t->count; count++) {
			columns[count] = t->columns[count];
			names[count] = td_slice_str(t->columns[count].name);
		}
		return count;
	}
	while (count < most && td_slice_cut(&rest, ',', &name)) {
		names[count] = td_slice_trim(name);
		columns[count] = find_column(t, names[count]);
		count++;
	}
	return count;
}

static void put_table(struct td_buf *out, const struct fake_request *rq, struct td_slice text)
{
	struct column columns[32];
	struct td_slice names[32];
	const struct table *t = tables;
	while (!has(text, t->name))
		t++;
	size_t count = read_list(text, t, columns, names, TD_ARRAY_LEN(columns));
	size_t at = begin(out, rq->version, rq->stream, CQL_OP_RESULT);
	cql_put_int(out, 2);
	cql_put_int(out, META_GLOBAL);
	cql_put_int(out, (int32_t)count);
	cql_put_string(out, TD_SLICE("system"));
	cql_put_string(out, TD_SLICE("own"));
	for (size_t i = 0; i < count; i++) {
		cql_put_string(out, names[i]);
		td_buf_put_slice(out, columns[i].type);
	}
	cql_put_int(out, (int32_t)t->rows);
	for (size_t i = 0; i < count * t->rows; i++)
		put_system_value(out, columns[i].value);
	cql_put_length_at(out, at);
}

static void put_use(struct td_buf *out, const struct fake_request *rq, struct td_slice text)
{
	struct td_slice name = td_slice_trim(td_slice_skip(text, 4));
	if (name.len >= 2 && name.ptr[0] == '"')
		name = td_slice(name.ptr + 1, name.len - 2);
	size_t at = begin(out, rq->version, rq->stream, CQL_OP_RESULT);
	cql_put_int(out, 3);
	cql_put_string(out, name);
	cql_put_length_at(out, at);
}

/* ---- statements ---- */

static void answer_kind(struct td_buf *out, const struct fake_request *rq, enum kind kind,
	struct td_slice text, const struct params *p)
{
	switch (kind) {
	case KIND_READ:
		put_one(out, rq, p);
		break;
	case KIND_SCAN:
		put_page(out, rq, p);
		break;
	case KIND_COUNT:
		put_count(out, rq);
		break;
	case KIND_TABLE:
		put_table(out, rq, text);
		break;
	case KIND_USE:
		put_use(out, rq, text);
		break;
	case KIND_WRITE:
	case KIND_OTHER:
		put_void(out, rq);
		break;
	}
}

static void answer_query(struct td_buf *out, const struct fake_request *rq, struct cql_reader *r)
{
	struct td_slice text = cql_read_long_string(r);
	struct params p = read_params(r, rq->version);
	p.skips = false;
	if (r->failed)
		put_error(out, rq, 0x0a, "a QUERY that ends early");
	else
		answer_kind(out, rq, kind_of(text), text, &p);
}

/* Nothing is remembered: the id says what kind of statement it was. */
static void answer_execute(struct td_buf *out, const struct fake_request *rq, struct cql_reader *r)
{
	struct td_slice id = cql_read_string(r);
	if (rq->version >= CQL_V5)
		(void)cql_read_string(r);
	struct params p = read_params(r, rq->version);
	if (r->failed || id.len != ID_SIZE)
		put_error(
			out, rq, 0x0a, "an EXECUTE that ends early, or of an id that is not ours");
	else
		answer_kind(out, rq, (enum kind)id.ptr[0], td_slice(NULL, 0), &p);
}

static void make_id(struct td_slice text, enum kind kind, char id[ID_SIZE])
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */
	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (uint8_t)text.ptr[i]) * 1099511628211u;
	memset(id, 0, ID_SIZE);
	id[0] = (char)kind;
	memcpy(id + 8, &hash, sizeof(hash));
}

/* Of the table: its key for reads, all of its columns for writes; of others: nothing to bind. */
static void answer_prepare(struct td_buf *out, const struct fake_request *rq, struct cql_reader *r)
{
	char id[ID_SIZE];
	struct td_slice text = cql_read_long_string(r);
	enum kind kind = kind_of(text);
	bool has_rows = kind == KIND_READ || kind == KIND_SCAN;
	size_t binds = kind == KIND_READ ? 1 : kind == KIND_WRITE ? COLUMNS : 0;
	make_id(text, kind, id);
	size_t at = begin(out, rq->version, rq->stream, CQL_OP_RESULT);
	cql_put_int(out, 4);
	cql_put_string(out, td_slice(id, ID_SIZE));
	if (rq->version >= CQL_V5)
		cql_put_string(out, td_slice(id, ID_SIZE));
	cql_put_int(out, META_GLOBAL);
	cql_put_int(out, (int32_t)binds);
	cql_put_int(out, binds > 0 ? 1 : 0);
	if (binds > 0)
		cql_put_short(out, 0);
	cql_put_string(out, TD_SLICE("bench"));
	cql_put_string(out, TD_SLICE("rows"));
	for (size_t i = 0; i < binds; i++)
		put_column(out, row_columns[i].name, row_columns[i].type);
	if (has_rows) {
		put_columns(out, false, NULL);
	} else {
		cql_put_int(out, META_NONE);
		cql_put_int(out, 0);
	}
	cql_put_length_at(out, at);
}

static void put_supported(struct td_buf *out, const struct fake_request *rq)
{
	static const struct td_slice version = {"3.4.6", 5};
	static const struct td_slice versions[] = {{"4/v4", 4}, {"5/v5", 4}};
	size_t at = begin(out, rq->version, rq->stream, CQL_OP_SUPPORTED);
	cql_put_short(out, 3);
	cql_put_string(out, TD_SLICE("CQL_VERSION"));
	cql_put_string_list(out, &version, 1);
	cql_put_string(out, TD_SLICE("COMPRESSION"));
	cql_put_string_list(out, NULL, 0);
	cql_put_string(out, TD_SLICE("PROTOCOL_VERSIONS"));
	cql_put_string_list(out, versions, TD_ARRAY_LEN(versions));
	cql_put_length_at(out, at);
}

static void put_wrong_version(struct td_buf *out, const struct fake_request *rq)
{
	const struct fake_request ours = {.version = LAST_VERSION, .stream = rq->stream};
	char text[128];
	snprintf(text, sizeof(text),
		"Invalid or unsupported protocol version (%u); supported versions are (4/v4, 5/v5)",
		rq->version);
	put_error(out, &ours, 0x0a, text);
}

void fake_answer(struct td_buf *out, const struct fake_request *rq)
{
	struct cql_reader r = cql_reader(rq->body);
	if (rq->version < FIRST_VERSION || rq->version > LAST_VERSION) {
		put_wrong_version(out, rq);
		return;
	}
	if ((rq->flags & CQL_FLAG_PAYLOAD) != 0)
		(void)cql_read_bytes_map(&r);
	switch (rq->opcode) {
	case CQL_OP_EXECUTE:
		answer_execute(out, rq, &r);
		break;
	case CQL_OP_QUERY:
		answer_query(out, rq, &r);
		break;
	case CQL_OP_PREPARE:
		answer_prepare(out, rq, &r);
		break;
	case CQL_OP_BATCH:
		put_void(out, rq);
		break;
	case CQL_OP_OPTIONS:
		put_supported(out, rq);
		break;
	case CQL_OP_STARTUP:
	case CQL_OP_REGISTER:
		cql_put_length_at(out, begin(out, rq->version, rq->stream, CQL_OP_READY));
		break;
	default:
		put_error(out, rq, 0x0a, "an opcode that no client sends");
		break;
	}
}
