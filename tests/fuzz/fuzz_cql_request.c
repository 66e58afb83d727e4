/* Requests: the bytes choose one and all that goes into it. What was written must read back as what
 * was asked for; where nothing could be written, the buffer is as it was. */
#include "fuzz.h"

#include "cql/protocol/request.h"
#include "cql/protocol/value.h"

#include <string.h>

#define ITEMS_MOST 4
#define BEFORE     "before"
#define BIG        65536

enum {
	MAKE_OPTIONS,
	MAKE_STARTUP,
	MAKE_AUTH_RESPONSE,
	MAKE_AUTH_PLAIN,
	MAKE_REGISTER,
	MAKE_QUERY,
	MAKE_PREPARE,
	MAKE_EXECUTE,
	MAKE_BATCH,
	MAKE_COUNT,
};

static const uint8_t opcodes[MAKE_COUNT] = {CQL_OP_OPTIONS, CQL_OP_STARTUP, CQL_OP_AUTH_RESPONSE,
	CQL_OP_AUTH_RESPONSE, CQL_OP_REGISTER, CQL_OP_QUERY, CQL_OP_PREPARE, CQL_OP_EXECUTE,
	CQL_OP_BATCH};

struct input {
	const uint8_t *at;
	size_t left;
};

/* What is asked for. */
struct made {
	size_t way;
	struct cql_request rq;
	struct cql_pair payload[ITEMS_MOST];
	struct td_slice first;  /* a statement, a token, a user, a driver's name, an id */
	struct td_slice second; /* a keyspace, a password, a driver's version, a metadata id */
	struct cql_params params;
	struct cql_batch_row rows[ITEMS_MOST];
	struct cql_batch batch;
	struct cql_startup startup;
	unsigned events;
	struct td_buf values[ITEMS_MOST + 1];
};

/* ---- making ---- */

static uint8_t take_byte(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static int32_t take_int(struct input *in)
{
	uint32_t value = 0;
	for (int i = 0; i < 4; i++)
		value = value << 8 | take_byte(in);
	return (int32_t)value;
}

/* Bytes of the input; NULL; or more than a [string] holds, and as many as it does. */
static struct td_slice take_slice(struct input *in)
{
	static const char big[BIG];
	size_t len = take_byte(in);
	if (len >= 253)
		return len == 255 ? td_slice(NULL, 0) : td_slice(big, len == 254 ? BIG : BIG - 1);
	len = len < in->left ? len : in->left;
	struct td_slice taken = fuzz_slice(in->at, len);
	in->at += len;
	in->left -= len;
	return taken;
}

/* As many values as are said, or bytes and a number as they come. */
static void make_values(struct input *in, struct td_buf *b, struct cql_values *values)
{
	uint8_t how = take_byte(in);
	values->has_names = (how & 0x80) != 0;
	values->count = how & 3;
	for (size_t i = 0; i < values->count; i++) {
		if (values->has_names)
			cql_put_string(b, TD_SLICE("name"));
		if ((how & 0x40) != 0)
			cql_bind_unset(b);
		else
			cql_bind_bytes(b, take_slice(in));
	}
	if (b->failed)
		*values = (struct cql_values){.count = 0};
	else
		values->bytes = td_buf_slice(b);
	if ((how & 0x20) != 0)
		values->bytes = take_slice(in);
	if ((how & 0x10) != 0)
		values->count = (size_t)take_byte(in) << 9;
}

static void make_params(struct input *in, struct made *m)
{
	static const enum cql_consistency serials[] = {
		CQL_ANY, CQL_ANY, CQL_SERIAL, CQL_LOCAL_SERIAL, CQL_ONE};
	struct cql_params *p = &m->params;
	uint8_t has = take_byte(in);
	p->consistency = (enum cql_consistency)(take_byte(in) % 11);
	p->serial = serials[take_byte(in) % TD_ARRAY_LEN(serials)];
	p->skip_metadata = (has & 1) != 0;
	p->has_timestamp = (has & 2) != 0;
	p->timestamp_us = (has & 2) != 0 ? take_int(in) : 0;
	p->has_now = (has & 4) != 0;
	p->now_s = (has & 4) != 0 ? take_int(in) : 0;
	p->page_size = (has & 8) != 0 ? take_int(in) : 0;
	p->paging_state = (has & 16) != 0 ? take_slice(in) : td_slice(NULL, 0);
	p->keyspace = (has & 32) != 0 ? take_slice(in) : td_slice(NULL, 0);
	if ((has & 64) != 0)
		make_values(in, &m->values[ITEMS_MOST], &p->values);
}

static void make_batch(struct input *in, struct made *m)
{
	uint8_t count = take_byte(in);
	m->batch.type = (enum cql_batch_type)(count >> 4 & 3);
	m->batch.rows = m->rows;
	m->batch.row_count = count == 255 ? BIG : count % (ITEMS_MOST + 1);
	for (size_t i = 0; i < ITEMS_MOST && i < m->batch.row_count; i++) {
		m->rows[i].cql = take_slice(in);
		if (m->rows[i].cql.ptr == NULL)
			m->rows[i].id = take_slice(in);
		make_values(in, &m->values[i], &m->rows[i].values);
	}
}

static void make_request(struct input *in, struct made *m)
{
	uint8_t how = take_byte(in);
	m->rq.version = (how & 1) == 0 ? CQL_V4 : CQL_V5;
	if ((how & 0xf0) == 0xf0)
		m->rq.version = (enum cql_version)3;
	m->rq.tracing = (how & 2) != 0;
	m->rq.stream = (int16_t)(take_byte(in) << 8 | 7);
	m->rq.payload = m->payload;
	m->rq.payload_count = how >> 2 & 3;
	for (size_t i = 0; i < m->rq.payload_count; i++)
		m->payload[i] = (struct cql_pair){take_slice(in), take_slice(in)};
	if ((how & 0xf0) == 0xe0)
		m->rq.payload_count = BIG;
}

static void make(struct input *in, struct made *m)
{
	make_request(in, m);
	m->first = take_slice(in);
	m->second = take_slice(in);
	m->events = take_byte(in);
	m->startup = (struct cql_startup){.driver_name = m->first,
		.driver_version = m->second,
		.lz4 = (m->events & 1) != 0,
		.throw_on_overload = (m->events & 2) != 0};
	make_params(in, m);
	make_batch(in, m);
}

static enum td_status put(struct td_buf *out, const struct made *m, struct td_err *err)
{
	const struct cql_statement_id statement = {m->first, m->second};
	switch (m->way) {
	case MAKE_OPTIONS:
		return cql_put_options(out, &m->rq, err);
	case MAKE_STARTUP:
		return cql_put_startup(out, &m->rq, &m->startup, err);
	case MAKE_AUTH_RESPONSE:
		return cql_put_auth_response(out, &m->rq, m->first, err);
	case MAKE_AUTH_PLAIN:
		return cql_put_auth_plain(out, &m->rq, m->first, m->second, err);
	case MAKE_REGISTER:
		return cql_put_register(out, &m->rq, m->events, err);
	case MAKE_QUERY:
		return cql_put_query(out, &m->rq, m->first, &m->params, err);
	case MAKE_PREPARE:
		return cql_put_prepare(out, &m->rq, m->first, m->second, err);
	case MAKE_EXECUTE:
		return cql_put_execute(out, &m->rq, &statement, &m->params, err);
	default:
		return cql_put_batch(out, &m->rq, &m->batch, &m->params, err);
	}
}

/* ---- reading back ---- */

static void same(struct td_slice got, struct td_slice wanted)
{
	FUZZ_CLAIM(td_slice_equal(got, wanted));
}

static void same_bytes(struct cql_reader *r, struct td_slice wanted)
{
	struct td_slice got = cql_read_bytes(r);
	FUZZ_CLAIM(cql_is_null(got) == cql_is_null(wanted));
	same(got, wanted);
}

static void read_head(struct cql_reader *r, const struct made *m)
{
	bool is_statement = m->way >= MAKE_QUERY;
	FUZZ_CLAIM(cql_read_byte(r) == m->rq.version);
	uint8_t flags = cql_read_byte(r);
	FUZZ_CLAIM(((flags & CQL_FLAG_TRACING) != 0) == (is_statement && m->rq.tracing));
	FUZZ_CLAIM((int16_t)cql_read_short(r) == m->rq.stream && m->rq.stream >= 0);
	FUZZ_CLAIM(cql_read_byte(r) == opcodes[m->way]);
	FUZZ_CLAIM(cql_read_size(r) == r->left);
	FUZZ_CLAIM(((flags & CQL_FLAG_PAYLOAD) != 0) == (is_statement && m->rq.payload_count > 0));
	if ((flags & CQL_FLAG_PAYLOAD) == 0)
		return;
	FUZZ_CLAIM(cql_read_short(r) == m->rq.payload_count);
	for (size_t i = 0; i < m->rq.payload_count; i++) {
		same(cql_read_string(r), m->payload[i].name);
		same_bytes(r, m->payload[i].value);
	}
}

static void read_values(struct cql_reader *r, const struct cql_values *values)
{
	FUZZ_CLAIM(cql_read_short(r) == values->count);
	struct td_slice rest = cql_reader_rest(r);
	for (size_t i = 0; i < values->count; i++) {
		if (values->has_names)
			(void)cql_read_string(r);
		(void)cql_read_bytes(r);
	}
	same(td_slice(rest.ptr, rest.len - r->left), values->bytes);
}

static void read_tail(struct cql_reader *r, const struct cql_params *p, unsigned flags)
{
	FUZZ_CLAIM(((flags & 0x10) != 0) == (p->serial != CQL_ANY));
	FUZZ_CLAIM((flags & 0x10) == 0 || cql_read_short(r) == p->serial);
	FUZZ_CLAIM(((flags & 0x20) != 0) == p->has_timestamp);
	FUZZ_CLAIM((flags & 0x20) == 0 || cql_read_long(r) == p->timestamp_us);
	FUZZ_CLAIM(((flags & 0x80) != 0) == (p->keyspace.len > 0));
	if ((flags & 0x80) != 0)
		same(cql_read_string(r), p->keyspace);
	FUZZ_CLAIM(((flags & 0x100) != 0) == p->has_now);
	FUZZ_CLAIM((flags & 0x100) == 0 || cql_read_int(r) == p->now_s);
}

static unsigned read_flags(struct cql_reader *r, const struct made *m)
{
	FUZZ_CLAIM(cql_read_short(r) == m->params.consistency);
	return m->rq.version == CQL_V4 ? cql_read_byte(r) : (unsigned)cql_read_int(r);
}

static void read_params(struct cql_reader *r, const struct made *m)
{
	const struct cql_params *p = &m->params;
	unsigned flags = read_flags(r, m);
	FUZZ_CLAIM(((flags & 0x02) != 0) == p->skip_metadata);
	FUZZ_CLAIM(((flags & 0x01) != 0) == (p->values.count > 0));
	if ((flags & 0x01) != 0) {
		FUZZ_CLAIM(((flags & 0x40) != 0) == p->values.has_names);
		read_values(r, &p->values);
	}
	FUZZ_CLAIM(((flags & 0x04) != 0) == (p->page_size > 0));
	FUZZ_CLAIM((flags & 0x04) == 0 || cql_read_int(r) == p->page_size);
	FUZZ_CLAIM(((flags & 0x08) != 0) == !cql_is_null(p->paging_state));
	if ((flags & 0x08) != 0)
		same_bytes(r, p->paging_state);
	read_tail(r, p, flags);
}

static void read_batch(struct cql_reader *r, const struct made *m)
{
	FUZZ_CLAIM(cql_read_byte(r) == m->batch.type);
	FUZZ_CLAIM(cql_read_short(r) == m->batch.row_count);
	for (size_t i = 0; i < m->batch.row_count; i++) {
		const struct cql_batch_row *row = &m->rows[i];
		bool is_prepared = cql_read_byte(r) == 1;
		FUZZ_CLAIM(is_prepared == (row->cql.ptr == NULL));
		if (is_prepared)
			same(cql_read_string(r), row->id);
		else
			same(cql_read_long_string(r), row->cql);
		read_values(r, &row->values);
	}
	unsigned flags = read_flags(r, m);
	FUZZ_CLAIM((flags & 0x0f) == 0);
	read_tail(r, &m->params, flags);
}

static void read_prepare(struct cql_reader *r, const struct made *m)
{
	same(cql_read_long_string(r), m->first);
	FUZZ_CLAIM(m->rq.version == CQL_V5 || m->second.len == 0);
	if (m->rq.version == CQL_V5 && cql_read_int(r) == 1)
		same(cql_read_string(r), m->second);
	else
		FUZZ_CLAIM(m->second.len == 0);
}

static void read_plain(struct cql_reader *r, const struct made *m)
{
	struct cql_reader token = cql_reader(cql_read_bytes(r));
	FUZZ_CLAIM(cql_read_byte(&token) == 0);
	same(cql_read_slice(&token, m->first.len), m->first);
	FUZZ_CLAIM(cql_read_byte(&token) == 0);
	same(cql_read_slice(&token, token.left), m->second);
	FUZZ_CLAIM(!token.failed && m->first.len > 0 && m->second.len > 0);
}

static void read_startup(struct cql_reader *r, const struct made *m)
{
	size_t count = cql_read_short(r), found = 0;
	for (size_t i = 0; i < count; i++) {
		struct td_slice name = cql_read_string(r), value = cql_read_string(r);
		found += td_slice_is(name, "CQL_VERSION") ? 1 : 0;
		found += td_slice_is(name, "COMPRESSION") && m->startup.lz4 ? 1 : 0;
		found += td_slice_is(name, "THROW_ON_OVERLOAD") ? 1 : 0;
		found += td_slice_is(name, "DRIVER_NAME") && td_slice_equal(value, m->first);
		found += td_slice_is(name, "DRIVER_VERSION") && td_slice_equal(value, m->second);
	}
	FUZZ_CLAIM(found == count && count >= 1 && count <= 5);
}

static void read_back(struct td_slice written, const struct made *m)
{
	struct cql_reader r = cql_reader(written);
	read_head(&r, m);
	if (m->way == MAKE_STARTUP)
		read_startup(&r, m);
	else if (m->way == MAKE_AUTH_RESPONSE)
		same_bytes(&r, m->first);
	else if (m->way == MAKE_AUTH_PLAIN)
		read_plain(&r, m);
	else if (m->way == MAKE_REGISTER)
		(void)cql_read_string_list(&r);
	else if (m->way == MAKE_PREPARE)
		read_prepare(&r, m);
	else if (m->way == MAKE_QUERY)
		same(cql_read_long_string(&r), m->first);
	if (m->way == MAKE_EXECUTE) {
		same(cql_read_string(&r), m->first);
		if (m->rq.version == CQL_V5)
			same(cql_read_string(&r), m->second);
	}
	if (m->way == MAKE_QUERY || m->way == MAKE_EXECUTE)
		read_params(&r, m);
	if (m->way == MAKE_BATCH)
		read_batch(&r, m);
	FUZZ_CLAIM(!r.failed && r.left == 0);
}

static void check(struct td_buf *out, const struct made *m)
{
	struct td_err err = TD_ERR_INIT;
	size_t before = out->len;
	enum td_status status = put(out, m, &err);
	FUZZ_CLAIM(!out->failed && (out->limit == 0 || out->len <= out->limit));
	same(td_slice(out->ptr, before), TD_SLICE(BEFORE));
	if (status == TD_OK) {
		read_back(td_slice_skip(td_buf_slice(out), before), m);
		return;
	}
	FUZZ_CLAIM(status == TD_INVALID || status == TD_TOOBIG || status == TD_NOMEM);
	FUZZ_CLAIM(out->len == before && err.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct made m = {.way = fuzz_choose(&data, &size, MAKE_COUNT)};
	struct input in = {data, size};
	struct td_buf out = TD_BUF_INIT;
	uint8_t limit = take_byte(&in);
	make(&in, &m);
	td_buf_put_str(&out, BEFORE);
	if (!out.failed) {
		out.limit = limit < 128 ? 0 : limit - 100u;
		check(&out, &m);
	}
	td_buf_done(&out);
	for (size_t i = 0; i < TD_ARRAY_LEN(m.values); i++)
		td_buf_done(&m.values[i]);
	return 0;
}
