#include "cql/protocol/wire.h"

#include <string.h>

const char *cql_consistency_name(unsigned consistency)
{
	static const char *const names[] = {"ANY", "ONE", "TWO", "THREE", "QUORUM", "ALL",
		"LOCAL_QUORUM", "EACH_QUORUM", "SERIAL", "LOCAL_SERIAL", "LOCAL_ONE"};
	return consistency < TD_ARRAY_LEN(names) ? names[consistency] : "unknown";
}

enum td_status cql_reader_check(const struct cql_reader *r, const char *what, struct td_err *err)
{
	if (!r->failed)
		return TD_OK;
	return td_err_set(err, TD_CORRUPT, "%s ends early or has a length that does not fit", what);
}

/* Leading one bits of the first byte: how many bytes follow. */
static unsigned vint_extra(uint8_t first)
{
	unsigned extra = 0;
	while (extra < 8 && (first & (0x80u >> extra)) != 0)
		extra++;
	return extra;
}

uint64_t cql_read_unsigned_vint(struct cql_reader *r)
{
	uint8_t first = cql_read_byte(r);
	unsigned extra = vint_extra(first);
	const uint8_t *p = cql_read_raw(r, extra);
	if (r->failed)
		return 0;
	uint64_t value = first & (0xffu >> extra);
	for (unsigned i = 0; i < extra; i++)
		value = value << 8 | p[i];
	return value;
}

int64_t cql_read_vint(struct cql_reader *r)
{
	uint64_t n = cql_read_unsigned_vint(r);
	return (int64_t)(n >> 1 ^ (~(n & 1) + 1));
}

struct cql_inet cql_read_inetaddr(struct cql_reader *r)
{
	struct cql_inet inet = {.port = -1};
	uint8_t len = cql_read_byte(r);
	if (len != 4 && len != 16)
		cql_reader_fail(r);
	const uint8_t *p = cql_read_raw(r, len);
	if (r->failed)
		return inet;
	inet.len = len;
	memcpy(inet.bytes, p, len);
	return inet;
}

struct cql_inet cql_read_inet(struct cql_reader *r)
{
	struct cql_inet inet = cql_read_inetaddr(r);
	inet.port = cql_read_int(r);
	if (inet.port < 0 || inet.port > 65535)
		cql_reader_fail(r);
	return r->failed ? (struct cql_inet){.port = -1} : inet;
}

typedef void skip_fn(struct cql_reader *r);

static void skip_string(struct cql_reader *r)
{
	(void)cql_read_string(r);
}

static void skip_string_pair(struct cql_reader *r)
{
	skip_string(r);
	skip_string(r);
}

static void skip_multi_pair(struct cql_reader *r)
{
	skip_string(r);
	(void)cql_read_string_list(r);
}

static void skip_bytes_pair(struct cql_reader *r)
{
	skip_string(r);
	(void)cql_read_bytes(r);
}

/* A count of 65535 at most: the loop ends soon whatever the bytes are. */
static struct cql_items read_items(struct cql_reader *r, skip_fn *skip)
{
	struct cql_items items = {.count = cql_read_short(r)};
	const char *begin = (const char *)r->at;
	size_t before = r->left;
	for (size_t i = 0; i < items.count && !r->failed; i++)
		skip(r);
	if (r->failed)
		return (struct cql_items){.count = 0};
	items.bytes = td_slice(begin, before - r->left);
	return items;
}

struct cql_items cql_read_string_list(struct cql_reader *r)
{
	return read_items(r, skip_string);
}

struct cql_items cql_read_string_map(struct cql_reader *r)
{
	return read_items(r, skip_string_pair);
}

struct cql_items cql_read_string_multimap(struct cql_reader *r)
{
	return read_items(r, skip_multi_pair);
}

struct cql_items cql_read_bytes_map(struct cql_reader *r)
{
	return read_items(r, skip_bytes_pair);
}

static void store_u32(char *to, uint32_t value)
{
	to[0] = (char)(value >> 24);
	to[1] = (char)(value >> 16);
	to[2] = (char)(value >> 8);
	to[3] = (char)value;
}

void cql_put_byte(struct td_buf *b, uint8_t value)
{
	td_buf_put_char(b, (char)value);
}

void cql_put_short(struct td_buf *b, uint16_t value)
{
	const char bytes[2] = {(char)(value >> 8), (char)value};
	td_buf_put(b, bytes, sizeof(bytes));
}

void cql_put_int(struct td_buf *b, int32_t value)
{
	char bytes[4];
	store_u32(bytes, (uint32_t)value);
	td_buf_put(b, bytes, sizeof(bytes));
}

void cql_put_long(struct td_buf *b, int64_t value)
{
	char bytes[8];
	store_u32(bytes, (uint32_t)((uint64_t)value >> 32));
	store_u32(bytes + 4, (uint32_t)value);
	td_buf_put(b, bytes, sizeof(bytes));
}

/* True where `len` fits; else the buffer is failed. */
static bool check_length(struct td_buf *b, size_t len, size_t most)
{
	if (len > most)
		b->failed = true;
	return !b->failed;
}

void cql_put_string(struct td_buf *b, struct td_slice text)
{
	if (!check_length(b, text.len, UINT16_MAX))
		return;
	cql_put_short(b, (uint16_t)text.len);
	td_buf_put_slice(b, text);
}

void cql_put_long_string(struct td_buf *b, struct td_slice text)
{
	if (!check_length(b, text.len, INT32_MAX))
		return;
	cql_put_int(b, (int32_t)text.len);
	td_buf_put_slice(b, text);
}

void cql_put_bytes(struct td_buf *b, struct td_slice bytes)
{
	if (cql_is_null(bytes))
		cql_put_int(b, -1);
	else
		cql_put_long_string(b, bytes);
}

void cql_put_unsigned_vint(struct td_buf *b, uint64_t value)
{
	uint8_t bytes[9];
	unsigned extra = 0;
	while (extra < 8 && value >> (7 + 7 * extra) != 0)
		extra++;
	for (unsigned i = 0; i < extra; i++)
		bytes[extra - i] = (uint8_t)(value >> (8 * i));
	/* With 8 bytes behind it the first holds no bit of the value. */
	uint64_t top = extra < 8 ? value >> (8 * extra) : 0;
	bytes[0] = (uint8_t)(0xff00u >> extra | top);
	td_buf_put(b, bytes, extra + 1);
}

void cql_put_vint(struct td_buf *b, int64_t value)
{
	uint64_t sign = value < 0 ? UINT64_MAX : 0;
	cql_put_unsigned_vint(b, sign ^ (uint64_t)value << 1);
}

void cql_put_string_map(struct td_buf *b, const struct cql_pair *pairs, size_t count)
{
	if (!check_length(b, count, UINT16_MAX))
		return;
	cql_put_short(b, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		cql_put_string(b, pairs[i].name);
		cql_put_string(b, pairs[i].value);
	}
}

void cql_put_bytes_map(struct td_buf *b, const struct cql_pair *pairs, size_t count)
{
	if (!check_length(b, count, UINT16_MAX))
		return;
	cql_put_short(b, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		cql_put_string(b, pairs[i].name);
		cql_put_bytes(b, pairs[i].value);
	}
}

void cql_put_string_list(struct td_buf *b, const struct td_slice *texts, size_t count)
{
	if (!check_length(b, count, UINT16_MAX))
		return;
	cql_put_short(b, (uint16_t)count);
	for (size_t i = 0; i < count; i++)
		cql_put_string(b, texts[i]);
}

size_t cql_put_gap(struct td_buf *b)
{
	size_t at = b->len;
	cql_put_int(b, 0);
	return at;
}

void cql_put_length_at(struct td_buf *b, size_t at)
{
	if (b->failed || !check_length(b, b->len - at - 4, INT32_MAX))
		return;
	store_u32(b->ptr + at, (uint32_t)(b->len - at - 4));
}
